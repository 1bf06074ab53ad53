//! A new container in the place of an old one: what stays, what comes back when it fails, and what an
//! interrupted one leaves to the next run.

use kolla_container_core::apply::Undone;
use kolla_container_core::layer::Fault;
use kolla_container_core::plan::Effect;
use kolla_container_core::spec::{CleanPath, RestartPolicy};
use kolla_container_core::state::{ContainerState, Owner, Status};
use kolla_container_core::{
    ContainerId, ContainerName, ContainerSpec, ErrorKind, Goal, Goals, Report, StopSignal, Timestamp, VolumeName,
};
use serde_json::{Value, json};

use super::cases;
use crate::harness::{Harness, Kind};

cases! { "replacement";
    a_changed_spec_is_a_new_container_under_the_old_name;
    each_step_of_a_replacement_is_in_its_order;
    a_new_container_that_ends_at_once_is_taken_back;
    a_new_container_that_crashes_in_a_loop_is_taken_back;
    a_new_container_that_gets_unhealthy_is_taken_back;
    a_new_container_that_does_not_get_healthy_in_time_is_taken_back;
    a_new_container_need_not_be_healthy_where_its_spec_says_so;
    a_new_container_that_cannot_be_started_is_taken_back;
    an_image_that_cannot_be_pulled_leaves_the_old_container_running ["registry"];
    an_old_container_that_was_stopped_stays_stopped_when_the_new_one_fails;
    an_old_container_that_was_paused_is_paused_again_when_the_new_one_fails;
    an_old_container_that_did_not_run_is_replaced_and_not_started_when_only_made;
    an_anonymous_volume_of_the_image_is_inherited;
    a_stated_anonymous_volume_is_inherited;
    an_anonymous_volume_is_inherited_again_and_again;
    an_anonymous_volume_is_inherited_by_an_image_that_was_not_here ["registry"] exclusive;
    an_anonymous_volume_that_is_not_wanted_any_more_stays_and_is_named;
    the_old_anonymous_volume_survives_a_failed_replacement;
    the_new_anonymous_volumes_go_with_a_failed_replacement;
    a_named_volume_is_kept;
    a_new_named_volume_goes_with_a_failed_replacement;
    start_first_starts_the_new_one_before_the_old_one_stops;
    start_first_never_stops_the_old_one_when_the_new_one_fails;
    start_first_is_not_done_with_fixed_ports_and_says_so;
    a_joined_container_takes_those_along_that_have_joined_it_and_goes_last;
    a_joined_container_is_put_back_with_those_that_have_joined_it;
    what_is_left_of_joined_containers_is_made_good;
    a_joined_container_is_not_replaced_alone;
    a_joined_container_is_not_removed_alone;
    who_only_has_volumes_of_a_container_keeps_them_and_is_in_nobodys_way ["volumes_from"];
    who_has_joined_a_container_that_is_put_back_is_restarted_with_it;
    who_has_joined_a_container_that_is_restarted_is_restarted_after_it;
    who_has_joined_a_container_that_was_stopped_is_restarted_when_it_starts;
    a_container_that_removes_itself_is_replaced_with_a_warning;
    the_data_of_a_container_that_removed_itself_survives_a_failed_replacement;
    a_restart_policy_is_set_aside_and_comes_back ["update:restart"];
    both_errors_are_reported_when_putting_back_fails_too;
    a_failed_putting_back_is_finished_by_the_next_run;
    a_lost_answer_to_the_creation_leaves_nothing_behind;
    something_foreign_under_a_name_of_ours_is_a_conflict;
    a_new_container_that_was_only_made_is_removed;
    a_new_container_beside_a_stopped_old_one_is_removed_and_the_old_one_started;
    an_old_container_that_was_set_aside_comes_back;
    a_new_container_whose_old_one_is_gone_takes_its_place;
    a_new_container_in_place_that_is_well_stays;
    a_new_container_in_place_that_is_not_well_is_taken_back;
    a_replacement_that_may_still_be_under_way_is_a_conflict;
    a_replacement_that_may_still_be_under_way_is_taken_over_when_asked;
    a_stop_signal_before_the_first_step_changes_nothing;
}

/// A container that runs, with an environment that says which one it is.
fn numbered(h: &Harness, number: u32, mut more: Value) -> ContainerSpec {
    more.as_object_mut().unwrap().insert("environment".to_owned(), json!({"NUMBER": number.to_string()}));
    h.spec(more)
}

fn running(h: &Harness, number: u32) -> Goal {
    Goal::running(numbered(h, number, json!({})))
}

/// What can be told of an old container after a failed replacement.
#[derive(Debug, PartialEq)]
struct Trace {
    id: ContainerId,
    name: ContainerName,
    config: ContainerSpec,
    status: Status,
    volumes: Vec<(CleanPath, VolumeName)>,
}

fn trace(state: ContainerState) -> Trace {
    let volumes = state.volumes.into_iter().collect();
    Trace { id: state.id, name: state.name, config: state.config, status: state.status, volumes }
}

/// Sees that a replacement of `before` failed, and left everything as it was.
async fn assert_taken_back(h: &Harness, before: &Trace, report: &Report) {
    let (_, failure) = report.failures().next().unwrap_or_else(|| panic!("it did not fail: {report}"));
    assert!(matches!(failure.undone, Undone::Completely), "{failure}");
    assert!(!report.is_changed(), "{report}");
    assert_eq!(&trace(h.see(&before.name).await), before);
    let containers = h.containers().await;
    assert!(!containers.iter().any(|name| name.ends_with(".next") || name.ends_with(".previous")), "{containers:?}");
}

/// Replaces a running container by `new`, which must fail and be taken back.
async fn fails(h: &Harness, new: ContainerSpec) -> Report {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let before = trace(h.see(&name).await);

    let report = h.try_to_reach(&name, Goal::running(new)).await;

    assert_taken_back(h, &before, &report).await;
    h.assert_reached(&name, running(h, 1)).await;
    report
}

async fn a_changed_spec_is_a_new_container_under_the_old_name(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let before = h.see(&name).await;

    let report = h.reach(&name, running(h, 2)).await;

    assert_eq!(report.containers[0].effect, Effect::Replaced);
    let after = h.see(&name).await;
    assert_ne!(after.id, before.id);
    assert_eq!(after.status, Status::Running);
    assert_eq!(h.runtime().container_by_id(&before.id).await.unwrap(), None);
    assert_eq!(h.containers().await, ["web"]);
    h.assert_reached(&name, running(h, 2)).await;
}

async fn each_step_of_a_replacement_is_in_its_order(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let (reconciler, tally) = h.watched();

    reconciler.reconcile(&Goals::one(name, running(h, 2))).await.unwrap();

    assert_eq!(
        tally.writes(),
        [
            "create_container",
            "stop_container",
            "rename_container",
            "rename_container",
            "start_container",
            "remove_container"
        ]
    );
}

async fn a_new_container_that_ends_at_once_is_taken_back(h: &Harness) {
    let report = fails(h, h.made_from(&h.images().exits)).await;

    assert!(report.to_string().contains('3'), "the exit status is not said: {report}");
}

async fn a_new_container_that_crashes_in_a_loop_is_taken_back(h: &Harness) {
    let image = h.images().exits.to_string();

    fails(h, h.spec(json!({"image": image, "restart": "always", "deploy": {"settle": "10s"}}))).await;
}

async fn a_new_container_that_gets_unhealthy_is_taken_back(h: &Harness) {
    let report = fails(h, h.made_from(&h.images().unhealthy)).await;

    assert!(report.to_string().contains("health"), "{report}");
}

async fn a_new_container_that_does_not_get_healthy_in_time_is_taken_back(h: &Harness) {
    let image = h.images().never_healthy.to_string();
    let deadlines = json!({"healthy": "2s", "request": "60s"});

    let report = fails(h, h.spec(json!({"image": image, "deploy": {"deadlines": deadlines}}))).await;

    assert_eq!(report.failures().next().unwrap().1.error.kind(), ErrorKind::TimedOut);
}

async fn a_new_container_need_not_be_healthy_where_its_spec_says_so(h: &Harness) {
    let name = h.name("web");
    let image = h.images().unhealthy.to_string();
    let new = |deploy: Value| h.spec(json!({"image": image, "deploy": deploy}));
    h.reach(&name, running(h, 1)).await;
    let before = trace(h.see(&name).await);

    let asked = h.try_to_reach(&name, Goal::healthy(new(json!({"healthy": false})))).await;
    assert_taken_back(h, &before, &asked).await;
    let report = h.reach(&name, Goal::running(new(json!({"healthy": false, "settle": "1s"})))).await;

    assert_eq!(report.containers[0].effect, Effect::Replaced);
    h.assert_reached(&name, Goal::running(new(json!({})))).await;
}

async fn a_new_container_that_cannot_be_started_is_taken_back(h: &Harness) {
    fails(h, h.made_from(&h.images().fails_to_start)).await;
}

async fn an_image_that_cannot_be_pulled_leaves_the_old_container_running(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let before = h.see(&name).await;

    let report = h.try_to_reach(&name, Goal::running(h.made_from(&h.images().absent))).await;

    let (_, failure) = report.failures().next().unwrap();
    assert!(matches!(failure.undone, Undone::NothingToUndo), "{failure}");
    assert_eq!(h.see(&name).await, before);
}

async fn an_old_container_that_was_stopped_stays_stopped_when_the_new_one_fails(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    h.reach(&name, Goal::Stopped { grace: None }).await;
    let before = trace(h.see(&name).await);

    let report = h.try_to_reach(&name, Goal::running(h.made_from(&h.images().exits))).await;

    assert_eq!(before.status, Status::Exited);
    assert_taken_back(h, &before, &report).await;
}

async fn an_old_container_that_was_paused_is_paused_again_when_the_new_one_fails(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::Paused(Box::new(numbered(h, 1, json!({}))))).await;
    let before = trace(h.see(&name).await);

    let report = h.try_to_reach(&name, Goal::running(h.made_from(&h.images().exits))).await;

    assert_eq!(before.status, Status::Paused);
    assert_taken_back(h, &before, &report).await;
}

async fn an_old_container_that_did_not_run_is_replaced_and_not_started_when_only_made(h: &Harness) {
    let name = h.name("web");
    let made = |number| Goal::Created(Box::new(numbered(h, number, json!({}))));
    h.reach(&name, made(1)).await;
    let before = h.see(&name).await;

    h.reach(&name, made(2)).await;

    let after = h.see(&name).await;
    assert_ne!(after.id, before.id);
    assert_eq!(after.status, Status::Created);
    h.assert_reached(&name, made(2)).await;
}

/// The one anonymous volume of a container.
fn anonymous(state: &ContainerState) -> VolumeName {
    let all: Vec<_> = state.anonymous_volumes().map(|(_, volume)| volume.clone()).collect();
    let [volume] = all.as_slice() else { panic!("it has {all:?}") };
    volume.clone()
}

async fn an_anonymous_volume_of_the_image_is_inherited(h: &Harness) {
    let name = h.name("web");
    let goal = |number| Goal::running(numbered(h, number, json!({"image": h.images().furnished.to_string()})));
    h.reach(&name, goal(1)).await;
    let before = h.see(&name).await;

    h.reach(&name, goal(2)).await;

    let after = h.see(&name).await;
    assert_ne!(after.id, before.id);
    assert_eq!(anonymous(&after), anonymous(&before));
    h.assert_reached(&name, goal(2)).await;
}

async fn a_stated_anonymous_volume_is_inherited(h: &Harness) {
    let name = h.name("web");
    let goal = |number| Goal::running(numbered(h, number, json!({"mounts": ["/data"]})));
    h.reach(&name, goal(1)).await;
    let before = h.see(&name).await;

    h.reach(&name, goal(2)).await;

    let after = h.see(&name).await;
    assert_ne!(after.id, before.id);
    assert_eq!(anonymous(&after), anonymous(&before));
    h.assert_reached(&name, goal(2)).await;
}

async fn an_anonymous_volume_is_inherited_again_and_again(h: &Harness) {
    let name = h.name("web");
    let goal = |number| Goal::running(numbered(h, number, json!({"mounts": ["/data"]})));
    h.reach(&name, goal(1)).await;
    let volume = anonymous(&h.see(&name).await);

    for number in 2..5 {
        h.reach(&name, goal(number)).await;

        assert_eq!(anonymous(&h.see(&name).await), volume);
    }
    h.reach(&name, Goal::Absent { volumes: true, grace: None }).await;
    assert_eq!(h.runtime().volume(&volume).await.unwrap(), None);
}

async fn an_anonymous_volume_is_inherited_by_an_image_that_was_not_here(h: &Harness) {
    h.remember_image(&h.images().remote);
    let name = h.name("web");
    h.reach(&name, Goal::running(numbered(h, 1, json!({"mounts": ["/data"]})))).await;
    let volume = anonymous(&h.see(&name).await);

    let image = h.images().remote.to_string();
    h.reach(&name, Goal::running(numbered(h, 2, json!({"image": image, "mounts": ["/data"]})))).await;

    assert_eq!(anonymous(&h.see(&name).await), volume);
}

async fn an_anonymous_volume_that_is_not_wanted_any_more_stays_and_is_named(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::running(numbered(h, 1, json!({"mounts": ["/data"]})))).await;
    let volume = anonymous(&h.see(&name).await);
    h.remember_volume(&volume);

    let report = h.reach(&name, running(h, 2)).await;

    assert!(report.containers[0].notes.iter().any(|note| note.contains(volume.as_str())), "{report}");
    assert!(h.runtime().volume(&volume).await.unwrap().is_some());
    assert!(h.see(&name).await.volumes.is_empty());
}

async fn the_old_anonymous_volume_survives_a_failed_replacement(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::running(numbered(h, 1, json!({"mounts": ["/data"]})))).await;
    let before = trace(h.see(&name).await);

    let new = h.spec(json!({"image": h.images().exits_with_volume.to_string()}));
    let report = h.try_to_reach(&name, Goal::running(new)).await;

    assert_eq!(before.volumes.len(), 1);
    assert_taken_back(h, &before, &report).await;
    assert!(h.runtime().volume(&before.volumes[0].1).await.unwrap().is_some());
}

async fn the_new_anonymous_volumes_go_with_a_failed_replacement(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let before = trace(h.see(&name).await);
    let (reconciler, tally) = h.watched();

    let new = h.spec(json!({"image": h.images().exits_with_volume.to_string(), "mounts": ["/more"]}));
    let report = reconciler.reconcile(&Goals::one(name, Goal::running(new))).await.unwrap();

    assert_taken_back(h, &before, &report).await;
    assert_eq!(tally.count("discard_container"), 1);
}

async fn a_named_volume_is_kept(h: &Harness) {
    let (name, volume) = (h.name("web"), h.volume("data"));
    let goal = |number| Goal::running(numbered(h, number, json!({"mounts": [format!("{volume}:/data")]})));
    h.reach(&name, goal(1)).await;
    let (reconciler, tally) = h.watched();

    reconciler.reconcile(&Goals::one(name.clone(), goal(2))).await.unwrap();

    assert_eq!(h.see(&name).await.volumes.into_values().collect::<Vec<_>>(), [volume]);
    assert_eq!(tally.count("create_volume") + tally.count("remove_volume"), 0);
}

async fn a_new_named_volume_goes_with_a_failed_replacement(h: &Harness) {
    let (name, old, new) = (h.name("web"), h.volume("old"), h.volume("new"));
    h.reach(&name, Goal::running(numbered(h, 1, json!({"mounts": [format!("{old}:/data")]})))).await;
    let before = trace(h.see(&name).await);

    let mounts = json!([format!("{old}:/data"), format!("{new}:/new")]);
    let spec = h.spec(json!({"image": h.images().exits.to_string(), "mounts": mounts}));
    let report = h.try_to_reach(&name, Goal::running(spec)).await;

    assert_taken_back(h, &before, &report).await;
    assert!(h.runtime().volume(&old).await.unwrap().is_some());
    assert_eq!(h.runtime().volume(&new).await.unwrap(), None);
}

fn start_first(h: &Harness, number: u32, mut more: Value) -> ContainerSpec {
    more.as_object_mut().unwrap().insert("deploy".to_owned(), json!({"replace": "start-first"}));
    numbered(h, number, more)
}

async fn start_first_starts_the_new_one_before_the_old_one_stops(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let (reconciler, tally) = h.watched();

    let goal = || Goal::running(start_first(h, 2, json!({})));
    let report = reconciler.reconcile(&Goals::one(name.clone(), goal())).await.unwrap();

    assert!(report.is_success(), "{report}");
    let writes = tally.writes();
    let at = |method: &str| writes.iter().position(|write| *write == method).unwrap();
    assert!(at("start_container") < at("stop_container"), "{writes:?}");
    assert_eq!(h.containers().await, ["web"]);
    h.assert_reached(&name, goal()).await;
}

async fn start_first_never_stops_the_old_one_when_the_new_one_fails(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let before = h.see(&name).await;

    let new = start_first(h, 2, json!({"image": h.images().exits.to_string()}));
    let report = h.try_to_reach(&name, Goal::running(new)).await;

    assert!(!report.is_success());
    assert_eq!(h.see(&name).await, before);
    assert_eq!(h.containers().await, ["web"]);
}

async fn start_first_is_not_done_with_fixed_ports_and_says_so(h: &Harness) {
    let name = h.name("web");
    let ports = json!({"ports": [format!("127.0.0.1:{}:80", h.port())]});
    h.reach(&name, Goal::running(numbered(h, 1, json!({"network": ports})))).await;
    let (reconciler, tally) = h.watched();

    let goal = Goal::running(start_first(h, 2, json!({"network": ports})));
    let report = reconciler.reconcile(&Goals::one(name, goal)).await.unwrap();

    assert!(report.is_success(), "{report}");
    let writes = tally.writes();
    let at = |method: &str| writes.iter().position(|write| *write == method).unwrap();
    assert!(at("stop_container") < at("start_container"), "{writes:?}");
    assert!(report.containers[0].notes.iter().any(|note| note.contains("port")), "{:?}", report.containers[0].notes);
}

/// A container, and one that has joined its network.
fn joined(h: &Harness, number: u32) -> Goals {
    joined_to(h, running(h, number))
}

fn joined_to(h: &Harness, base: Goal) -> Goals {
    let joining = h.spec(json!({"network": {"mode": format!("container:{}", h.name("base"))}}));
    [(h.name("base"), base), (h.name("joiner"), Goal::running(joining))].into_iter().collect()
}

async fn ids_of_joined(h: &Harness) -> [ContainerId; 2] {
    [h.see(&h.name("base")).await.id, h.see(&h.name("joiner")).await.id]
}

/// That both run, with nothing beside them and nothing left to do.
async fn assert_joined(h: &Harness, number: u32) {
    let (base, joiner) = (h.see(&h.name("base")).await, h.see(&h.name("joiner")).await);
    assert_eq!((base.status, joiner.status), (Status::Running, Status::Running));
    assert_eq!(h.containers().await, ["base", "joiner"]);
    let plan = h.reconciler().plan(&joined(h, number)).await.unwrap();
    assert!(plan.is_empty(), "{plan}");
}

async fn a_joined_container_takes_those_along_that_have_joined_it_and_goes_last(h: &Harness) {
    h.reconciler().reconcile(&joined(h, 1)).await.unwrap();
    let before = ids_of_joined(h).await;
    let (reconciler, tally) = h.watched();

    let report = reconciler.reconcile(&joined(h, 2)).await.unwrap();

    assert!(report.is_success(), "{report}");
    let after = ids_of_joined(h).await;
    assert!(before.iter().all(|id| !after.contains(id)), "{report}");
    // Some engines refuse to remove the old base while the old joiner is there.
    assert!(tally.writes().ends_with(&["start_container", "remove_container", "remove_container"]), "{tally:?}");
    assert_joined(h, 2).await;
}

async fn a_joined_container_is_put_back_with_those_that_have_joined_it(h: &Harness) {
    h.reconciler().reconcile(&joined(h, 1)).await.unwrap();
    let before = ids_of_joined(h).await;
    let network = json!({"mode": format!("container:{}", h.name("base"))});
    let failing = h.spec(json!({"image": h.images().exits.to_string(), "network": network}));
    let goals: Goals =
        [(h.name("base"), running(h, 2)), (h.name("joiner"), Goal::running(failing))].into_iter().collect();

    let report = h.reconciler().reconcile(&goals).await.unwrap();

    for (_, failure) in report.failures() {
        assert!(matches!(failure.undone, Undone::Completely), "{failure}");
    }
    assert_eq!(report.failures().count(), 2, "{report}");
    assert!(!report.is_changed(), "{report}");
    assert_eq!(ids_of_joined(h).await, before);
    assert_joined(h, 1).await;
}

async fn what_is_left_of_joined_containers_is_made_good(h: &Harness) {
    h.reconciler().reconcile(&joined(h, 1)).await.unwrap();
    let cuts = [("create_container", 2), ("start_container", 2), ("remove_container", 1), ("remove_container", 2)];
    for (number, (method, nth)) in (2..).zip(cuts) {
        let (reconciler, fault) = h.faulty(Fault::cut_nth(nth).on(method));
        drop(reconciler.reconcile(&joined(h, number)).await);
        assert!(fault.is_cut(), "call {nth} of {method}");

        let report = h.reconciler().taking_over(true).reconcile(&joined(h, number)).await.unwrap();

        assert!(report.is_success(), "cut at call {nth} of {method}: {report}");
        assert_joined(h, number).await;
    }
}

async fn a_joined_container_is_not_replaced_alone(h: &Harness) {
    h.reconciler().reconcile(&joined(h, 1)).await.unwrap();
    let before = (h.see(&h.name("base")).await, h.see(&h.name("joiner")).await);

    let report = h.try_to_reach(&h.name("base"), running(h, 2)).await;

    let failure = &report.failures().next().unwrap().1.error;
    assert_eq!(failure.kind(), ErrorKind::Conflict);
    assert!(failure.report().contains(h.name("joiner").as_str()), "{failure:?}");
    assert_eq!((h.see(&h.name("base")).await, h.see(&h.name("joiner")).await), before);
}

/// That the joiner, still the same, was started after the base: the namespaces that it has joined are those of now.
async fn assert_joined_anew(h: &Harness, before: &ContainerState) {
    let (base, joiner) = (h.see(&h.name("base")).await, h.see(&h.name("joiner")).await);
    assert_eq!((&base.status, &joiner.status), (&Status::Running, &Status::Running));
    assert_eq!(joiner.id, before.id);
    assert!(
        joiner.started >= base.started && joiner.started > before.started,
        "{:?} {:?}",
        base.started,
        joiner.started
    );
    assert_eq!(h.containers().await, ["base", "joiner"]);
    assert!(h.reconciler().plan(&joined(h, 1)).await.unwrap().is_empty());
}

async fn who_has_joined_a_container_that_is_put_back_is_restarted_with_it(h: &Harness) {
    h.reconciler().reconcile(&joined(h, 1)).await.unwrap();
    let before = h.see(&h.name("joiner")).await;

    let failing = Goal::running(h.made_from(&h.images().exits));
    let report = h.reconciler().reconcile(&joined_to(h, failing)).await.unwrap();

    assert!(!report.is_success(), "{report}");
    assert_joined_anew(h, &before).await;
}

async fn who_has_joined_a_container_that_is_restarted_is_restarted_after_it(h: &Harness) {
    h.reconciler().reconcile(&joined(h, 1)).await.unwrap();
    let before = h.see(&h.name("joiner")).await;

    let report = h.reconciler().reconcile(&joined_to(h, Goal::Restart { grace: None })).await.unwrap();

    assert!(report.is_success(), "{report}");
    assert_joined_anew(h, &before).await;
}

async fn who_has_joined_a_container_that_was_stopped_is_restarted_when_it_starts(h: &Harness) {
    h.reconciler().reconcile(&joined(h, 1)).await.unwrap();
    let before = h.see(&h.name("joiner")).await;
    h.runtime().stop_container(&h.see(&h.name("base")).await.id, None).await.unwrap();

    let report = h.reconciler().reconcile(&joined(h, 1)).await.unwrap();

    assert!(report.is_success(), "{report}");
    assert_joined_anew(h, &before).await;
}

async fn a_joined_container_is_not_removed_alone(h: &Harness) {
    h.reconciler().reconcile(&joined(h, 1)).await.unwrap();

    let alone = h.try_to_reach(&h.name("base"), Goal::Absent { volumes: false, grace: None }).await;
    let absent = || Goal::Absent { volumes: false, grace: None };
    let goals = [(h.name("base"), absent()), (h.name("joiner"), absent())].into_iter().collect();
    let both = h.reconciler().reconcile(&goals).await.unwrap();

    assert_eq!(alone.failures().next().unwrap().1.error.kind(), ErrorKind::Conflict);
    assert!(both.is_success(), "{both}");
    assert_eq!(h.containers().await, Vec::<String>::new());
}

async fn who_only_has_volumes_of_a_container_keeps_them_and_is_in_nobodys_way(h: &Harness) {
    let (base, joiner) = (h.name("base"), h.name("joiner"));
    h.reach(&base, Goal::running(numbered(h, 1, json!({"mounts": ["/data"]})))).await;
    h.remember_volume(&anonymous(&h.see(&base).await));
    h.start(&joiner, &h.spec(json!({"volumes_from": [base.to_string()]}))).await;
    let before = h.see(&joiner).await;

    h.reach(&base, Goal::running(numbered(h, 2, json!({"mounts": ["/data"]})))).await;
    assert_eq!(h.see(&base).await.volumes, before.volumes);
    h.reach(&base, Goal::Absent { volumes: true, grace: None }).await;

    let after = h.see(&joiner).await;
    assert_eq!((after.id, after.started, &after.volumes), (before.id, before.started, &before.volumes));
    assert!(h.runtime().volume(&before.volumes[&"/data".parse().unwrap()]).await.unwrap().is_some());
    h.runtime().restart_container(&h.see(&joiner).await.id, None).await.unwrap();
}

async fn a_container_that_removes_itself_is_replaced_with_a_warning(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::running(numbered(h, 1, json!({"auto_remove": true})))).await;

    let goal = || Goal::running(numbered(h, 2, json!({"auto_remove": true})));
    let plan = h.plan(&name, goal()).await;
    h.reach(&name, goal()).await;

    assert!(plan.to_string().contains("cannot be undone"), "{plan}");
    assert_eq!(h.containers().await, ["web"]);
    h.assert_reached(&name, goal()).await;
}

async fn the_data_of_a_container_that_removed_itself_survives_a_failed_replacement(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::running(numbered(h, 1, json!({"auto_remove": true, "mounts": ["/data"]})))).await;
    let volume = anonymous(&h.see(&name).await);
    h.remember_volume(&volume);

    let new = h.spec(json!({"image": h.images().exits_with_volume.to_string()}));
    let report = h.try_to_reach(&name, Goal::running(new)).await;

    assert!(!report.is_success());
    assert!(h.runtime().volume(&volume).await.unwrap().is_some());
    let goals = Goals::one(name.clone(), Goal::running(numbered(h, 2, json!({"mounts": ["/data"]}))));
    let next = h.reconciler().taking_over(true).reconcile(&goals).await.unwrap();
    assert!(next.is_success(), "{next}");
    assert_eq!(anonymous(&h.see(&name).await), volume);
    assert_eq!(h.containers().await, ["web"]);
}

async fn a_restart_policy_is_set_aside_and_comes_back(h: &Harness) {
    let name = h.name("web");
    let spec = || numbered(h, 1, json!({"restart": "always"}));
    h.reach(&name, Goal::running(spec())).await;
    let before = trace(h.see(&name).await);
    let (reconciler, tally) = h.watched();

    let new = Goal::running(h.spec(json!({"image": h.images().exits.to_string(), "restart": "always"})));
    let report = reconciler.reconcile(&Goals::one(name.clone(), new)).await.unwrap();

    assert_eq!(before.config.restart, Some(RestartPolicy::Always));
    assert_taken_back(h, &before, &report).await;
    assert_eq!(tally.count("update_container"), 2);
}

/// A replacement of the container `web` that cannot be verified, and whose putting back fails at the start of the old one.
async fn putting_back_fails(h: &Harness) -> (ContainerId, Report) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let id = h.see(&name).await.id;
    let fault = Fault::fail_nth(2, ErrorKind::EngineFailed).on("start_container");

    let goal = Goal::running(h.made_from(&h.images().exits));
    let report = h.faulty(fault).0.reconcile(&Goals::one(name, goal)).await.unwrap();
    (id, report)
}

async fn both_errors_are_reported_when_putting_back_fails_too(h: &Harness) {
    let (_, report) = putting_back_fails(h).await;

    let (_, failure) = report.failures().next().unwrap();
    let Undone::Partly(errors) = &failure.undone else { panic!("{failure}") };
    assert_eq!(errors.len(), 1);
    assert!(failure.to_string().contains("on purpose") && failure.to_string().contains("verify"), "{failure}");
}

async fn a_failed_putting_back_is_finished_by_the_next_run(h: &Harness) {
    let (id, _) = putting_back_fails(h).await;
    let name = h.name("web");

    let goals = Goals::one(name.clone(), running(h, 1));
    let report = h.reconciler().taking_over(true).reconcile(&goals).await.unwrap();

    assert!(report.is_success(), "{report}");
    let after = h.see(&name).await;
    assert_eq!((after.id, after.status), (id, Status::Running));
    assert_eq!(h.containers().await, ["web"]);
}

async fn a_lost_answer_to_the_creation_leaves_nothing_behind(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let before = h.see(&name).await;
    let fault = Fault::fail_nth_after(1, ErrorKind::TimedOut).on("create_container");

    let goal = Goal::running(numbered(h, 2, json!({"mounts": ["/data"]})));
    let report = h.faulty(fault).0.reconcile(&Goals::one(name.clone(), goal)).await.unwrap();

    assert!(!report.is_success());
    assert_eq!(h.see(&name).await, before);
    assert_eq!(h.containers().await, ["web"]);
}

async fn something_foreign_under_a_name_of_ours_is_a_conflict(h: &Harness) {
    for foreign in [h.name("web").next(), h.name("web").previous()] {
        let name = h.name("web");
        let own = h.start(&name, &numbered(h, 1, json!({}))).await;
        let theirs = h.create(&foreign, &h.spec(json!({}))).await;
        let before = (h.see_id(&own).await, h.see_id(&theirs).await);

        let report = h.try_to_reach(&name, running(h, 2)).await;

        let failure = &report.failures().next().unwrap().1.error;
        assert_eq!(failure.kind(), ErrorKind::Conflict);
        assert!(failure.report().contains(foreign.as_str()), "{failure:?}");
        assert_eq!((h.see_id(&own).await, h.see_id(&theirs).await), before);
        h.runtime().remove_container(&own).await.unwrap();
        h.runtime().remove_container(&theirs).await.unwrap();
    }
}

/// What an interrupted replacement left behind: the old container and the new one, under which names.
async fn leave(h: &Harness, old: &ContainerName, new: &ContainerName, spec: &ContainerSpec) -> [ContainerId; 2] {
    let old = h.create(old, &numbered(h, 1, json!({}))).await;
    let until = "2020-01-01T00:00:00Z".parse().unwrap();
    let new = h.create(new, &mark(&old, until, spec)).await;
    [old, new]
}

fn mark(replaces: &ContainerId, until: Timestamp, spec: &ContainerSpec) -> ContainerSpec {
    let owner = Owner { replaces: Some(replaces.clone()), until: Some(until), ..Owner::default() };
    owner.mark(spec.clone())
}

/// Reaches the goal of the container `web`; one container is left, and it is `survivor`.
async fn recovers(h: &Harness, number: u32, survivor: &ContainerId) {
    recovers_to(h, || running(h, number), survivor).await;
}

async fn recovers_to(h: &Harness, goal: impl Fn() -> Goal, survivor: &ContainerId) {
    let name = h.name("web");

    h.reach(&name, goal()).await;

    let state = h.see(&name).await;
    assert_eq!((&state.id, state.status), (survivor, Status::Running));
    assert_eq!(h.containers().await, ["web"]);
    h.assert_reached(&name, goal()).await;
}

async fn a_new_container_that_was_only_made_is_removed(h: &Harness) {
    let name = h.name("web");
    let [old, _] = leave(h, &name, &name.next(), &numbered(h, 2, json!({"mounts": ["/data"]}))).await;
    h.runtime().start_container(&old).await.unwrap();
    let started = h.see_id(&old).await.started;

    recovers(h, 1, &old).await;

    assert_eq!(h.see_id(&old).await.started, started);
}

async fn a_new_container_beside_a_stopped_old_one_is_removed_and_the_old_one_started(h: &Harness) {
    let name = h.name("web");
    let [old, _] = leave(h, &name, &name.next(), &numbered(h, 2, json!({}))).await;
    h.runtime().start_container(&old).await.unwrap();
    h.runtime().stop_container(&old, None).await.unwrap();

    recovers(h, 1, &old).await;
}

async fn an_old_container_that_was_set_aside_comes_back(h: &Harness) {
    let name = h.name("web");
    let [old, _] = leave(h, &name.previous(), &name.next(), &numbered(h, 2, json!({}))).await;

    recovers(h, 1, &old).await;
}

async fn a_new_container_whose_old_one_is_gone_takes_its_place(h: &Harness) {
    let name = h.name("web");
    let [old, new] = leave(h, &name, &name.next(), &numbered(h, 2, json!({"mounts": ["/data"]}))).await;
    let volume = anonymous(&h.see_id(&new).await);
    h.runtime().remove_container(&old).await.unwrap();

    let goal = || Goal::running(numbered(h, 2, json!({"mounts": ["/data"]})));
    h.reach(&name, goal()).await;

    // It may have the data of the one that is gone.
    assert_eq!(anonymous(&h.see(&name).await), volume);
    assert_eq!(h.containers().await, ["web"]);
    h.assert_reached(&name, goal()).await;
}

async fn a_new_container_in_place_that_is_well_stays(h: &Harness) {
    let name = h.name("web");
    let [_, new] = leave(h, &name.previous(), &name, &numbered(h, 2, json!({}))).await;
    h.runtime().start_container(&new).await.unwrap();

    recovers(h, 2, &new).await;
}

async fn a_new_container_in_place_that_is_not_well_is_taken_back(h: &Harness) {
    let name = h.name("web");
    let exits = h.made_from(&h.images().exits);
    let [old, new] = leave(h, &name.previous(), &name, &exits).await;
    h.runtime().start_container(&new).await.unwrap();

    // A busy engine takes its time to notice the end.
    recovers_to(h, || Goal::running(numbered(h, 1, json!({"deploy": {"settle": "10s"}}))), &old).await;
}

/// A replacement that another run may still be at work on.
async fn under_way(h: &Harness) -> (ContainerName, ContainerId, Timestamp) {
    let name = h.name("web");
    let old = h.start(&name, &numbered(h, 1, json!({}))).await;
    let until: Timestamp = "2999-01-02T03:04:05Z".parse().unwrap();
    h.create(&name.next(), &mark(&old, until, &numbered(h, 2, json!({})))).await;
    (name, old, until)
}

async fn a_replacement_that_may_still_be_under_way_is_a_conflict(h: &Harness) {
    let (name, _, until) = under_way(h).await;

    let report = h.try_to_reach(&name, running(h, 2)).await;

    let failure = &report.failures().next().unwrap().1.error;
    assert_eq!(failure.kind(), ErrorKind::Conflict);
    assert!(failure.report().contains(&until.to_string()), "{failure:?}");
    assert_eq!(h.containers().await, ["web", "web.next"]);
}

async fn a_replacement_that_may_still_be_under_way_is_taken_over_when_asked(h: &Harness) {
    let (name, old, _) = under_way(h).await;

    let goals = Goals::one(name.clone(), running(h, 1));
    let report = h.reconciler().taking_over(true).reconcile(&goals).await.unwrap();

    assert!(report.is_success(), "{report}");
    assert_eq!(h.see(&name).await.id, old);
    assert_eq!(h.containers().await, ["web"]);
}

async fn a_stop_signal_before_the_first_step_changes_nothing(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let before = h.see(&name).await;
    let stop = StopSignal::new();
    stop.stop();

    let reconciler = h.reconciler().with_stop_signal(stop);
    let report = reconciler.reconcile(&Goals::one(name.clone(), running(h, 2))).await.unwrap();

    assert!(!report.is_success() && !report.is_changed(), "{report}");
    assert_eq!(h.see(&name).await, before);
    assert_eq!(h.containers().await, ["web"]);
    assert_eq!(report.failures().next().map(|(failed, _)| failed), Some(&name));
    assert_eq!(h.runtime().container(&name.next()).await.kind(), None);
}
