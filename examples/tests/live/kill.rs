//! The program is killed at every request of a replacement, and of its undo; the next run makes it good.

use kolla_container_core::ContainerId;
use kolla_container_core::state::{ContainerState, EngineKind, Status};
use kolla_container_testkit::Harness;
use kolla_container_testkit::matrix::merge;
use serde_json::{Value, json};

use crate::lanes::until_it_is_over;
use crate::main_job::until_the_new_one_runs;
use crate::proxy::{Moment, Proxy, nth_later_look, nth_write};
use crate::subject::{Found, Subject};

/// An image whose containers end at once.
const EXITS: &str = "localhost/kit/exits:1";

/// An image whose containers only end when they are killed.
const STUBBORN: &str = "localhost/kit/stubborn:1";

/// How many requests change something at least until the old container is touched and the new one in place.
const WRITES: usize = 5;

/// How many look at least, while the new container is watched.
const LOOKS: usize = 2;

/// At which request the program is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kill {
    /// One that changes something.
    AtWrite(Moment),
    /// One that looks, once something was changed.
    AtLook,
}

/// How the replacement would end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    /// The new container runs.
    Well,
    /// The new container ends at once, and the old one is put back.
    Badly,
}

pub(crate) async fn a_replacement_killed_before_any_write_is_made_good(h: &Harness) {
    killed_everywhere(h, Kill::AtWrite(Moment::Before), Ends::Well).await;
}

pub(crate) async fn a_replacement_killed_during_any_write_is_made_good(h: &Harness) {
    killed_everywhere(h, Kill::AtWrite(Moment::Meanwhile), Ends::Well).await;
}

pub(crate) async fn a_replacement_killed_after_any_write_is_made_good(h: &Harness) {
    killed_everywhere(h, Kill::AtWrite(Moment::After), Ends::Well).await;
}

pub(crate) async fn a_replacement_killed_at_any_look_is_made_good(h: &Harness) {
    killed_everywhere(h, Kill::AtLook, Ends::Well).await;
}

pub(crate) async fn an_undo_killed_before_any_write_is_made_good(h: &Harness) {
    killed_everywhere(h, Kill::AtWrite(Moment::Before), Ends::Badly).await;
}

pub(crate) async fn an_undo_killed_during_any_write_is_made_good(h: &Harness) {
    killed_everywhere(h, Kill::AtWrite(Moment::Meanwhile), Ends::Badly).await;
}

pub(crate) async fn an_undo_killed_after_any_write_is_made_good(h: &Harness) {
    killed_everywhere(h, Kill::AtWrite(Moment::After), Ends::Badly).await;
}

pub(crate) async fn an_undo_killed_at_any_look_is_made_good(h: &Harness) {
    killed_everywhere(h, Kill::AtLook, Ends::Badly).await;
}

async fn killed_everywhere(h: &Harness, kill: Kill, ends: Ends) {
    let least = if kill == Kill::AtLook { LOOKS } else { WRITES };
    until_it_is_over(h, least, async |subject, nth| killed(subject, nth, kill, ends).await).await;
}

/// Kills the program at its nth such request, and has the next run make it good; none where there was no such request.
async fn killed(subject: &mut Subject<'_>, nth: usize, kill: Kill, ends: Ends) -> Option<()> {
    let before = subject.alone().await;
    let data = format!("before-{nth}");
    subject.write(&before.id, &data).await;
    let more = match ends {
        Ends::Well => json!({}),
        // A busy engine takes its time to notice the end.
        Ends::Badly => json!({"image": EXITS, "deploy": {"settle": "6s"}}),
    };
    let wanted = subject.other(more);

    let program = subject.program();
    let proxy = match kill {
        Kill::AtWrite(moment) => Proxy::start(&program.socket(), nth_write(nth, moment)),
        Kill::AtLook => Proxy::start(&program.socket(), nth_later_look(nth)),
    };
    let mut proxy = proxy.unwrap();
    let mut running = program.at(proxy.address()).begin("apply", &wanted, &[]).await;
    let held = tokio::select! {
        held = proxy.held() => held,
        status = running.ended() => {
            assert_eq!(status.success(), ends == Ends::Well);
            return None;
        }
    };
    running.kill().await;
    let at = format!("{kill:?} {}", held.request);
    drop(held);

    let crash = subject.assert_nothing_is_lost(&before, &at).await;
    // Otherwise the engine may still be at work.
    let is_quiet = kill != Kill::AtWrite(Moment::Meanwhile);
    if is_quiet && crash.is_interrupted() {
        waits_for_a_run_that_may_be_alive(subject, &wanted, &crash).await;
    }
    if ends == Ends::Well {
        subject.becomes(wanted);
    }
    let recovery = Proxy::start(&program.socket(), |_| None).unwrap();
    let program = program.at(recovery.address());
    let mut back = subject.spec();
    if ends == Ends::Badly {
        subject.watch(&mut back, "6s");
    }
    let recover = async || program.run("apply", &back, &["--take-over"]).await;
    let mut recovered = recover().await;
    if !is_quiet && recovered.code != Some(0) {
        recovered = recover().await;
    }
    assert_eq!(recovered.code, Some(0), "{at}: {recovered:?}");
    if !is_quiet && at.contains("/containers/create") && subject.finds_a_late_one().await {
        recovered = recover().await;
        assert_eq!(recovered.code, Some(0), "{at}: {recovered:?}");
    }

    let after = subject.alone().await;
    assert_eq!(after.id == before.id, ends == Ends::Badly, "{at}");
    subject.assert_data(&after.id, &data).await;
    let mut seen = crash.volumes();
    seen.extend(subject.volumes_in(&proxy.answers()));
    seen.extend(subject.volumes_in(&recovery.answers()));
    subject.assert_no_leak(seen, &before, &at).await;
    Some(())
}

/// Makes the container one that has to be killed in the end, and kills the program while the engine stops it for `wanted`.
async fn killed_at_its_stop(h: &Harness, subject: &mut Subject<'_>, more: Value, wanted: &Value) -> ContainerState {
    let mut stubborn = json!({"image": STUBBORN, "stop_timeout": "10s"});
    merge(&mut stubborn, more);
    let spec = subject.other(stubborn);
    let program = subject.program();
    let made = program.run("apply", &spec, &[]).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    subject.becomes(spec);
    let before = subject.alone().await;
    subject.write(&before.id, "kept").await;
    let is_stop = |request: &str| request.contains("/stop").then_some(Moment::Meanwhile);
    let mut proxy = Proxy::start(&program.socket(), is_stop).unwrap();
    let running = program.at(proxy.address()).begin("apply", wanted, &[]).await;
    let held = proxy.held().await;
    stop_has_begun(h, &before.id).await;
    running.kill().await;
    drop(held);
    before
}

/// Waits until the engine is at it. Podman gives up one that nobody waits for any more before it has begun, and says that it
/// has; Docker does neither.
async fn stop_has_begun(h: &Harness, id: &ContainerId) {
    if h.runtime().engine().kind == EngineKind::Podman {
        h.wait_until(id, |state| state.status == Status::Stopping).await;
    }
}

/// The engine goes on with a stop that nobody waits for any more, and Docker does not say so.
pub(crate) async fn a_stop_under_way_is_over_before_the_old_container_is_left_to_run(h: &Harness) {
    let mut subject = Subject::new(h, "web").await;
    let wanted = subject.other(json!({}));
    let before = killed_at_its_stop(h, &mut subject, json!({}), &wanted).await;

    let recovered = subject.program().run("apply", &subject.spec(), &["--take-over"]).await;

    assert_eq!(recovered.code, Some(0), "{recovered:?}");
    let after = subject.alone().await;
    assert_eq!(after.id, before.id, "{recovered:?}");
    assert_ne!(after.started, before.started, "{recovered:?}");
}

/// It is gone when it has ended; the new one, which was to have its data, has them.
pub(crate) async fn a_stop_under_way_of_one_that_removes_itself_costs_no_data(h: &Harness) {
    let mut subject = Subject::new(h, "web").await;
    let wanted = subject.other(json!({}));
    killed_at_its_stop(h, &mut subject, json!({"auto_remove": true}), &wanted).await;
    let new = subject.look().await.places()["next"].clone();

    let recovered = subject.program().run("apply", &wanted, &["--take-over"]).await;

    assert_eq!(recovered.code, Some(0), "{recovered:?}");
    subject.becomes(wanted);
    let after = subject.alone().await;
    assert_eq!(after.id, new, "{recovered:?}");
    subject.assert_data(&after.id, "kept").await;
}

/// It is well, until it has ended.
pub(crate) async fn a_new_container_that_is_being_stopped_is_not_taken_for_one_that_is_well(h: &Harness) {
    let subject = Subject::new(h, "web").await;
    let before = subject.alone().await;
    let stubborn = json!({"image": STUBBORN, "stop_timeout": "10s", "deploy": {"settle": "1h"}});
    let old = before.id.to_string();
    let stops_new = move |request: &str| {
        let stops = request.contains("/stop") && !request.contains(&old);
        stops.then_some(Moment::Meanwhile)
    };
    let program = subject.program();
    let mut proxy = Proxy::start(&program.socket(), stops_new).unwrap();
    let running = program.at(proxy.address()).begin("apply", &subject.other(stubborn), &[]).await;
    until_the_new_one_runs(h, &before.id).await;
    let new = h.see(&h.name("web")).await.id;
    running.interrupt().await;
    let held = proxy.held().await;
    stop_has_begun(h, &new).await;
    running.kill().await;
    drop(held);

    let recovered = program.run("apply", &subject.spec(), &["--take-over"]).await;

    assert_eq!(recovered.code, Some(0), "{recovered:?}");
    assert_eq!(subject.alone().await.id, before.id, "{recovered:?}");
}

/// As long as the run that made the new container may be alive, another one touches nothing.
async fn waits_for_a_run_that_may_be_alive(subject: &Subject<'_>, wanted: &Value, crash: &Found) {
    let refused = subject.program().run("apply", wanted, &[]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.out.contains("it is being replaced by another run since"), "{refused:?}");
    assert_eq!(subject.look().await.places(), crash.places());
}
