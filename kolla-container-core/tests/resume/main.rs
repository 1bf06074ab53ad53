//! Stories of what an earlier run, or somebody else, has left in a state that a plan does not begin with: each was found
//! by a critical reader, and is told once.
#![expect(clippy::expect_used, reason = "what fails to be prepared fails the test")]

mod stopping;

use std::sync::Arc;

use kolla_container_core::diff::Comparison;
use kolla_container_core::layer::{Fault, Layered};
use kolla_container_core::memory::{Behaviour, ImageTemplate, MemoryEngine, MemorySupervisor};
use kolla_container_core::plan::{Action, Step, Undo};
use kolla_container_core::spec::RestartPolicy;
use kolla_container_core::state::{ContainerState, ContainerUpdate, Status, VolumeToCreate};
use kolla_container_core::{
    Active, ContainerName, ContainerSpec, ErrorKind, Goal, Goals, ImageRef, Reconciler, Report, Runtime, Supervisor,
    Timestamp, VolumeName,
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

/// When the clock of an engine in memory begins.
fn beginning() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().expect("a moment")
}

fn over(engine: &MemoryEngine) -> Reconciler {
    Reconciler::new(Arc::new(engine.clone())).taking_over(true)
}

async fn reconcile(reconciler: &Reconciler, goals: &Goals) -> Report {
    reconciler.reconcile(goals).await.expect("there is a plan")
}

/// Its registry has an image whose container ends at once, and one whose container has to be killed.
fn engine() -> MemoryEngine {
    let engine = MemoryEngine::new();
    let exits = ImageTemplate::default().with_behaviour(Behaviour::exits(3));
    engine.publish(&"exits".parse::<ImageRef>().expect("a reference"), exits);
    let stubborn = ImageTemplate::default().with_behaviour(Behaviour::IgnoresStop);
    engine.publish(&"stubborn".parse::<ImageRef>().expect("a reference"), stubborn);
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

/// Time passes on an engine in memory with what is written to it.
async fn hours_pass(engine: &MemoryEngine) {
    let volume: VolumeName = "passing".parse().expect("a name");
    for _ in 0..10_000 {
        engine.create_volume(&VolumeToCreate::local(volume.clone())).await.expect("it can be made");
        engine.remove_volume(&volume).await.expect("it can be removed");
    }
}

/// It has proved itself, and may have changed its data so that the old one cannot read them any more.
#[tokio::test(start_paused = true)]
async fn a_new_container_that_ran_for_longer_than_its_run_could_is_not_taken_back() {
    for runs_for_long in [true, false] {
        let engine = started(&db(running(image(1)))).await;
        let wanted = db(running(image(2)));
        cut_at(&engine, "remove_container", beginning, &wanted).await;
        let new = see(&engine, "db").await;
        if !runs_for_long {
            engine.crash(&name("db"), 1);
        }
        hours_pass(&engine).await;
        if !runs_for_long {
            // As whoever starts it from time to time sees it.
            engine.start_container(&new.id).await.expect("it can be started");
        }
        engine.crash(&name("db"), 1);
        engine.clear_requests();

        let report = reconcile(&over(&engine), &wanted).await;

        assert!(report.is_success(), "{report}");
        let is_taken_back = engine.writes().contains(&"discard_container db.next".to_owned());
        let is_kept = see(&engine, "db").await.id == new.id;
        assert_eq!((is_kept, is_taken_back), (runs_for_long, !runs_for_long), "{:?}", engine.writes());
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

/// Its unit runs it then.
#[tokio::test(start_paused = true)]
async fn what_a_unit_ran_before_an_interruption_its_unit_runs_after_it() {
    let engine = engine();
    let supervisor = MemorySupervisor::new(&engine);
    let reconciler = over(&engine).with_supervisor(Arc::new(supervisor.clone()));
    let before = json!({"image": "a:1", "restart": "always"});
    assert!(reconcile(&reconciler, &db(running(before.clone()))).await.is_success());
    let fault = Arc::new(Fault::cut_nth(1).on("rename_container"));
    let runtime = Layered::new(Arc::new(engine.clone()) as Arc<dyn Runtime>, Arc::clone(&fault));
    let dying = Reconciler::new(Arc::new(runtime)).with_supervisor(Arc::new(supervisor.clone()));
    let _died = dying.reconcile(&db(Goal::Created(Box::new(spec(json!({"image": "a:2", "restart": "always"})))))).await;
    assert!(fault.is_cut());
    // The supervisor was not cut, and has put it back.
    supervisor.stop(&name("db")).await.expect("it can be stopped");

    let report = reconcile(&reconciler, &db(Goal::Created(Box::new(spec(before))))).await;

    assert!(report.is_success(), "{report}");
    assert_eq!(see(&engine, "db").await.status, Status::Running, "{report}");
    let unit = supervisor.unit(&name("db")).await.expect("memory answers").expect("it has one");
    assert_eq!(unit.active, Active::Active, "{report}");
}

fn in_processes_of(other: &str) -> Goal {
    running(json!({"image": "a:1", "namespaces": {"pid": format!("container:{other}")}}))
}

/// One has joined a base, and another one has joined that one, and is to join the base instead when the one between goes:
/// each of the three waits for another one.
fn with_one_less_between(base: Value) -> Goals {
    let gone = Goal::Absent { volumes: false, grace: None };
    [(name("z-base"), running(base)), (name("c-joiner"), gone), (name("a-joiner"), in_processes_of("z-base"))]
        .into_iter()
        .collect()
}

async fn with_one_between() -> MemoryEngine {
    let goals = [
        (name("z-base"), running(image(1))),
        (name("c-joiner"), in_processes_of("z-base")),
        (name("a-joiner"), in_processes_of("c-joiner")),
    ];
    started(&goals.into_iter().collect()).await
}

#[tokio::test(start_paused = true)]
async fn containers_that_wait_for_each_other_are_all_dealt_with() {
    let engine = with_one_between().await;
    let kept = see(&engine, "z-base").await;
    let wanted = with_one_less_between(image(1));

    let report = reconcile(&over(&engine), &wanted).await;

    assert!(report.is_success(), "{report}");
    assert_eq!(report.containers.len(), 3, "{report}");
    assert_eq!(engine.container(&name("c-joiner")).await.expect("memory answers"), None);
    assert_eq!(see(&engine, "z-base").await.id, kept.id);
    assert!(over(&engine).plan(&wanted).await.expect("there is a plan").is_empty());
}

/// The old base cannot go as long as somebody who is to go after others has joined it.
#[tokio::test(start_paused = true)]
async fn of_containers_that_wait_for_each_other_and_all_have_to_go_none_is_touched() {
    let engine = with_one_between().await;
    let wanted = with_one_less_between(image(2));
    engine.clear_requests();

    let report = reconcile(&over(&engine), &wanted).await;

    assert_eq!((report.containers.len(), report.failures().count()), (3, 3), "{report}");
    assert!(report.to_string().contains("leave it as it is in one run, and change it in the next"), "{report}");
    assert_eq!(engine.writes(), Vec::<String>::new());
    // As it says.
    assert!(reconcile(&over(&engine), &with_one_less_between(image(1))).await.is_success());
    let second: Goals =
        wanted.iter().filter(|(name, _)| name.as_str() != "c-joiner").map(|(n, g)| (n.clone(), g.clone())).collect();
    assert!(reconcile(&over(&engine), &second).await.is_success());
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
