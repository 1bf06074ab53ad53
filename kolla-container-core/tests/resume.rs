//! Stories of what an earlier run, or somebody else, has left in a state that a plan does not begin with: each was found
//! by a critical reader, and is told once.
#![expect(clippy::expect_used, reason = "what fails to be prepared fails the test")]

use std::sync::Arc;

use kolla_container_core::diff::Comparison;
use kolla_container_core::layer::{Fault, Layered};
use kolla_container_core::memory::{Behaviour, ImageTemplate, MemoryEngine, MemorySupervisor};
use kolla_container_core::plan::{Action, Step, Undo};
use kolla_container_core::spec::RestartPolicy;
use kolla_container_core::state::{ContainerState, ContainerUpdate, Status};
use kolla_container_core::{
    ContainerName, ContainerSpec, ErrorKind, Goal, Goals, ImageRef, Reconciler, Report, Runtime, Supervisor, Timestamp,
};
use serde_json::{Value, json};

fn name(text: &str) -> ContainerName {
    text.parse().expect("a name")
}

fn spec(json: Value) -> ContainerSpec {
    ContainerSpec::from_value(json).expect("the spec is without mistakes")
}

fn running(json: Value) -> Goal {
    Goal::running(spec(json))
}

fn db(goal: Goal) -> Goals {
    Goals::one(name("db"), goal)
}

fn image(version: u32) -> Value {
    json!({"image": format!("a:{version}")})
}

/// Before anything has happened on an engine in memory.
fn long_ago() -> Timestamp {
    "2025-01-01T00:00:00Z".parse().expect("a moment")
}

fn over(engine: &MemoryEngine) -> Reconciler {
    Reconciler::new(Arc::new(engine.clone())).taking_over(true)
}

async fn reconcile(reconciler: &Reconciler, goals: &Goals) -> Report {
    reconciler.reconcile(goals).await.expect("there is a plan")
}

/// Its registry has an image whose container ends at once.
fn engine() -> MemoryEngine {
    let engine = MemoryEngine::new();
    let exits = ImageTemplate::default().with_behaviour(Behaviour::exits(3));
    engine.publish(&"exits".parse::<ImageRef>().expect("a reference"), exits);
    engine
}

async fn started(goals: &Goals) -> MemoryEngine {
    let engine = engine();
    assert!(reconcile(&over(&engine), goals).await.is_success());
    engine
}

/// A run that dies before its first call of `method`; by its clock it is `now`.
async fn cut_at(engine: &MemoryEngine, method: &str, now: fn() -> Timestamp, goals: &Goals) {
    let fault = Arc::new(Fault::cut_nth(1).on(method));
    let runtime = Layered::new(Arc::new(engine.clone()) as Arc<dyn Runtime>, Arc::clone(&fault));
    let _died = Reconciler::new(Arc::new(runtime)).with_clock(now).taking_over(true).reconcile(goals).await;
    assert!(fault.is_cut());
}

async fn see(engine: &MemoryEngine, container: &str) -> ContainerState {
    engine.container(&name(container)).await.expect("memory answers").expect("it is there")
}

#[tokio::test(start_paused = true)]
async fn a_replacement_whose_old_container_is_half_removed_is_finished() {
    let engine = started(&db(running(image(1)))).await;
    let wanted = db(running(image(2)));
    cut_at(&engine, "remove_container", Timestamp::now, &wanted).await;
    let new = see(&engine, "db").await;
    engine.set_status(&name("db.previous"), Status::Dead);
    engine.crash(&name("db"), 1);

    let report = reconcile(&over(&engine), &wanted).await;

    assert!(report.is_success(), "{report}");
    let after = see(&engine, "db").await;
    assert_eq!((after.id, after.status), (new.id, Status::Running));
    assert_eq!(engine.container(&name("db.previous")).await.expect("memory answers"), None);
}

/// It has proved itself, and may have changed its data so that the old one cannot read them any more.
#[tokio::test(start_paused = true)]
async fn a_new_container_that_ran_for_longer_than_its_run_could_is_not_taken_back() {
    for (now, is_kept) in [(long_ago as fn() -> Timestamp, true), (Timestamp::now, false)] {
        let engine = started(&db(running(image(1)))).await;
        let old = see(&engine, "db").await;
        let wanted = db(running(image(2)));
        cut_at(&engine, "remove_container", now, &wanted).await;
        let new = see(&engine, "db").await;
        engine.crash(&name("db"), 1);
        engine.clear_requests();

        let report = reconcile(&over(&engine), &wanted).await;

        assert!(report.is_success(), "{report}");
        assert_eq!(see(&engine, "db").await.id == new.id, is_kept, "{report}");
        let restarted = engine.writes().contains(&format!("start_container {}", old.name.previous()));
        assert!(!is_kept || !restarted, "{:?}", engine.writes());
    }
}

#[tokio::test(start_paused = true)]
async fn what_ran_before_an_interruption_runs_after_it_though_nobody_asks_for_that() {
    for goal in [Goal::Created(Box::new(spec(image(1)))), Goal::Created(Box::new(spec(image(2))))] {
        for method in ["rename_container", "start_container"] {
            let engine = started(&db(running(image(1)))).await;
            cut_at(&engine, method, Timestamp::now, &db(Goal::Created(Box::new(spec(image(2)))))).await;

            let report = reconcile(&over(&engine), &db(goal.clone())).await;

            assert!(report.is_success(), "{report}");
            assert_eq!(see(&engine, "db").await.status, Status::Running, "cut at {method}: {report}");
        }
    }
    // And one that did not run stays as it was.
    let engine = started(&db(running(image(1)))).await;
    reconcile(&over(&engine), &db(Goal::Stopped { grace: None })).await;
    let wanted = db(Goal::Created(Box::new(spec(image(2)))));
    cut_at(&engine, "rename_container", Timestamp::now, &wanted).await;
    assert!(reconcile(&over(&engine), &wanted).await.is_success());
    assert!(!see(&engine, "db").await.status.is_up());
}

fn in_processes_of(other: &str) -> Goal {
    running(json!({"image": "a:1", "namespaces": {"pid": format!("container:{other}")}}))
}

/// One moves from a container that is to go to the one that this has joined: each of the three waits for another one.
#[tokio::test(start_paused = true)]
async fn containers_that_wait_for_each_other_are_all_dealt_with() {
    let base = || (name("z-base"), running(image(1)));
    let before =
        [base(), (name("c-joiner"), in_processes_of("z-base")), (name("a-joiner"), in_processes_of("c-joiner"))];
    let engine = started(&before.into_iter().collect()).await;
    let kept = see(&engine, "z-base").await;
    let gone = Goal::Absent { volumes: false, grace: None };
    let wanted: Goals =
        [base(), (name("c-joiner"), gone), (name("a-joiner"), in_processes_of("z-base"))].into_iter().collect();

    let report = reconcile(&over(&engine), &wanted).await;

    assert!(report.is_success(), "{report}");
    assert_eq!(report.containers.len(), 3, "{report}");
    assert_eq!(engine.container(&name("c-joiner")).await.expect("memory answers"), None);
    assert_eq!(see(&engine, "z-base").await.id, kept.id);
    assert!(over(&engine).plan(&wanted).await.expect("there is a plan").is_empty());
}

/// Plans are data: somebody may write one in which two containers wait for each other.
#[tokio::test(start_paused = true)]
async fn no_container_of_a_plan_is_left_out_of_its_report() {
    let engine = MemoryEngine::new();
    let wanted: Goals = ["a", "b", "c"].map(|container| (name(container), running(image(1)))).into_iter().collect();
    let mut plan = over(&engine).plan(&wanted).await.expect("there is a plan");
    for (container, other) in [(0, "b"), (1, "a"), (2, "a")] {
        plan.containers[container].after.insert(name(other));
    }

    let report = over(&engine).apply(&plan).await;

    assert!(report.is_success(), "{report}");
    assert_eq!(report.containers.len(), 3, "{report}");
    assert!(over(&engine).plan(&wanted).await.expect("there is a plan").is_empty());
}

/// kolla-ansible's comparison leaves the policy out, and a unit and its engine would both start the container.
#[tokio::test(start_paused = true)]
async fn the_engines_restart_policy_is_taken_away_whatever_is_compared() {
    let engine = MemoryEngine::new();
    let supervisor = Arc::new(MemorySupervisor::new(&engine));
    let reconciler = over(&engine).with_supervisor(supervisor).with_comparison(Comparison::kolla());
    let wanted = db(running(json!({"image": "a:1", "restart": "always"})));
    assert!(reconcile(&reconciler, &wanted).await.is_success());
    let before = see(&engine, "db").await;
    let meddled = ContainerUpdate { restart: Some(RestartPolicy::UnlessStopped), ..ContainerUpdate::default() };
    engine.update_container(&before.id, &meddled).await.expect("it can be updated");

    let report = reconcile(&reconciler, &wanted).await;

    assert!(report.is_success(), "{report}");
    let after = see(&engine, "db").await;
    assert_eq!((after.id, after.config.restart), (before.id, Some(RestartPolicy::No)));
    assert!(reconciler.plan(&wanted).await.expect("there is a plan").is_empty());
}

/// An empty file in the place of a unit is a mask: the one in the other folder could never be started again.
#[tokio::test(start_paused = true)]
async fn a_unit_of_another_folder_is_not_hidden_for_ever_by_an_undo() {
    let engine = engine();
    let supervisor = MemorySupervisor::new(&engine);
    let reconciler = over(&engine).with_supervisor(Arc::new(supervisor.clone()));
    assert!(reconcile(&reconciler, &db(running(image(1)))).await.is_success());
    supervisor.meddle(&name("db"), |unit| unit.text.clear());

    let plan = reconciler.plan(&db(running(json!({"image": "exits"})))).await.expect("there is a plan");
    let report = reconciler.apply(&plan).await;

    let writes_nothing =
        |action: &Action| matches!(action, Action::InstallUnit { text, .. } if text.as_str().is_empty());
    let undo_writes_nothing =
        |step: &Step| matches!(&step.undo, Undo::By(actions) if actions.iter().any(writes_nothing));
    assert!(!plan.containers[0].steps.iter().any(undo_writes_nothing), "{plan}");
    assert!(!report.is_success(), "{report}");
    let unit = supervisor.unit(&name("db")).await.expect("memory answers");
    assert!(unit.is_none_or(|unit| !unit.text.is_empty()), "an empty file was written");
}

#[tokio::test(start_paused = true)]
async fn a_check_of_the_configuration_that_hangs_is_an_error_of_that_container() {
    let check = json!({"config_check": {"command": ["true"], "stale": "restart"}, "deadlines": {"request": "7s"}});
    let wanted: Goals = [("db", json!({"image": "a:1", "deploy": check})), ("web", image(1))]
        .map(|(container, spec)| (name(container), running(spec)))
        .into_iter()
        .collect();
    let engine = started(&wanted).await;
    let hangs = Arc::new(Fault::hang_nth(1).on("exec"));
    let runtime = Layered::new(Arc::new(engine.clone()) as Arc<dyn Runtime>, hangs);
    let begun = tokio::time::Instant::now();

    let plan = Reconciler::new(Arc::new(runtime)).checking_config(true).plan(&wanted).await.expect("there is a plan");

    assert_eq!(begun.elapsed().as_secs(), 7);
    let (refused, error) = plan.refused().next().expect("one of them could not be checked");
    assert_eq!((refused.as_str(), error.kind()), ("db", ErrorKind::TimedOut), "{plan}");
    assert!(error.report().contains("the check has not ended within 7s"), "{}", error.report());
    assert_eq!(plan.refused().count(), 1);
}
