//! An engine goes on with a stop that nobody waits for any more: what a run asked for before it died.

use std::time::Duration;

use kolla_container_core::{ContainerId, Goal};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;

/// A container that has to be killed, after seven seconds.
fn stubborn() -> Value {
    json!({"image": "stubborn", "stop_timeout": "7s"})
}

/// What the engine does when the run that has asked for it is dead.
async fn go_on_stopping(engine: &MemoryEngine, id: &ContainerId) -> JoinHandle<()> {
    let (engine, id) = (engine.clone(), id.clone());
    let stop = tokio::spawn(async move { engine.stop_container(&id, None).await.expect("it can be stopped") });
    tokio::task::yield_now().await;
    stop
}

#[tokio::test(start_paused = true)]
async fn an_old_container_that_is_being_stopped_is_not_left_to_end() {
    let goals: [fn(ContainerSpec) -> Goal; 2] = [Goal::running, |spec| Goal::Created(Box::new(spec))];
    for goal in goals {
        let engine = started(&db(running(stubborn()))).await;
        let old = see(&engine, "db").await;
        cut_at(&engine, "stop_container", Timestamp::now, &db(running(image(2)))).await;
        let stop = go_on_stopping(&engine, &old.id).await;

        let report = reconcile(&over(&engine), &db(goal(spec(stubborn())))).await;

        assert!(stop.is_finished() && report.is_success(), "{report}");
        let after = see(&engine, "db").await;
        assert_eq!((after.id, after.status), (old.id, Status::Running), "{report}");
        assert_ne!(after.started, old.started, "{report}");
    }
}

/// It is only watched, for as long as a stop would take, and nothing is where the run could not have begun to stop it.
#[tokio::test(start_paused = true)]
async fn an_old_container_that_is_not_being_stopped_is_left_alone() {
    let with_policy = json!({"image": "a:1", "restart": "always"});
    let paused = Goal::Paused(Box::new(spec(image(1))));
    for (before, at, now, waits) in [
        (running(image(1)), "stop_container", Timestamp::now as fn() -> Timestamp, true),
        (running(image(1)), "stop_container", beginning, false),
        (running(with_policy.clone()), "update_container", Timestamp::now, false),
        (running(with_policy), "stop_container", Timestamp::now, true),
        (paused, "stop_container", Timestamp::now, false),
    ] {
        let engine = started(&db(before.clone())).await;
        let old = see(&engine, "db").await;
        cut_at(&engine, at, now, &db(running(image(2)))).await;
        let begun = Instant::now();

        let report = reconcile(&over(&engine), &db(before)).await;

        assert!(report.is_success(), "{report}");
        let after = see(&engine, "db").await;
        assert_eq!((after.id, after.started, after.status), (old.id, old.started, old.status), "{report}");
        assert_eq!(after.config.restart, old.config.restart, "{report}");
        assert_eq!(begun.elapsed() >= Duration::from_secs(10), waits, "cut at {at}: {report}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_joined_it_is_restarted_only_where_it_was_stopped() {
    for is_stopped in [false, true] {
        let goals: Goals =
            [(name("db"), running(stubborn())), (name("agent"), in_processes_of("db"))].into_iter().collect();
        let engine = started(&goals).await;
        let (old, agent) = (see(&engine, "db").await, see(&engine, "agent").await);
        let wanted: Goals =
            [(name("db"), running(image(2))), (name("agent"), in_processes_of("db"))].into_iter().collect();
        cut_at(&engine, "stop_container", Timestamp::now, &wanted).await;
        let stop = if is_stopped { Some(go_on_stopping(&engine, &old.id).await) } else { None };

        let report = reconcile(&over(&engine), &goals).await;

        assert!(stop.is_none_or(|stop| stop.is_finished()) && report.is_success(), "{report}");
        let after = see(&engine, "agent").await;
        assert_eq!((after.id, after.status), (agent.id, Status::Running), "{report}");
        assert_eq!(after.started != agent.started, is_stopped, "{report}");
    }
}

/// The engine is told to stop it where it is to be put back, however well it is.
#[tokio::test(start_paused = true)]
async fn a_new_container_that_is_being_stopped_is_not_taken_for_one_that_is_well() {
    // It may also be another run that was putting it back, long after the first one.
    for now in [Timestamp::now as fn() -> Timestamp, beginning] {
        let engine = started(&db(running(image(1)))).await;
        let old = see(&engine, "db").await;
        cut_at(&engine, "remove_container", now, &db(running(stubborn()))).await;
        let new = see(&engine, "db").await;
        let stop = go_on_stopping(&engine, &new.id).await;

        let report = reconcile(&over(&engine), &db(running(image(1)))).await;

        assert!(stop.is_finished() && report.is_success(), "{report}");
        let after = see(&engine, "db").await;
        assert_eq!((after.id, after.status), (old.id, Status::Running), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_container_that_ends_by_itself_and_runs_again_is_not_being_stopped() {
    let engine = started(&db(running(image(1)))).await;
    let restless = ImageTemplate::default().with_behaviour(Behaviour::exits_after(Duration::from_secs(8), 1));
    engine.publish(&"restless".parse::<ImageRef>().expect("a reference"), restless);
    let wanted = db(running(json!({"image": "restless", "restart": "always"})));
    cut_at(&engine, "remove_container", Timestamp::now, &wanted).await;
    let new = see(&engine, "db").await;

    let report = reconcile(&over(&engine), &wanted).await;

    assert!(report.is_success(), "{report}");
    let after = see(&engine, "db").await;
    assert_eq!(after.id, new.id, "{report}");
    assert!(after.restarts > 0, "{report}");
}

/// It goes, with its data, when it has ended: the new one is what is left of it.
#[tokio::test(start_paused = true)]
async fn the_data_of_one_that_removes_itself_are_not_lost_with_it() {
    let removes_itself = json!({"image": "stubborn", "stop_timeout": "7s", "auto_remove": true});
    let engine = started(&db(running(removes_itself.clone()))).await;
    let old = see(&engine, "db").await;
    cut_at(&engine, "stop_container", Timestamp::now, &db(running(image(2)))).await;
    let new = see(&engine, "db.next").await;
    let stop = go_on_stopping(&engine, &old.id).await;

    let report = reconcile(&over(&engine), &db(running(image(2)))).await;

    assert!(stop.is_finished() && report.is_success(), "{report}");
    let after = see(&engine, "db").await;
    assert_eq!((after.id, after.status), (new.id, Status::Running), "{report}");
}

/// As Ctrl-C gives it.
#[tokio::test(start_paused = true)]
async fn nobody_has_to_wait_who_asks_to_stop() {
    let engine = started(&db(running(image(1)))).await;
    cut_at(&engine, "stop_container", Timestamp::now, &db(running(image(2)))).await;
    let stop = kolla_container_core::apply::StopSignal::new();
    let begun = Instant::now();
    tokio::spawn({
        let stop = stop.clone();
        async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stop.stop();
        }
    });

    let report = reconcile(&over(&engine).with_stop_signal(stop), &db(running(image(1)))).await;

    assert!(!report.is_success(), "{report}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{report}");
}
