//! Containers with a supervisor: what its port promises, and what a reconcile does with it.
//!
//! Not part of [`all`](super::all): only a subject with a supervisor has these.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kolla_container_core::layer::{Fault, Layered};
use kolla_container_core::plan::{Action, Effect, RunOptions};
use kolla_container_core::spec::{RestartPolicy, Signal, StartLimit};
use kolla_container_core::state::{EngineKind, Health, Status};
use kolla_container_core::{
    Active, ContainerName, ContainerSpec, ErrorKind, Goal, Goals, Plan, Reconciler, Report, Service, TimeSpan,
    UnitState,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::cases;
use crate::harness::{Harness, Kind};

/// How long a supervisor may take to do something by itself.
const PATIENCE: Duration = Duration::from_mins(3);

cases! { "supervised";
    a_unit_that_is_not_there_is_none;
    each_part_of_a_service_is_in_its_unit;
    what_is_installed_is_there_as_it_was_rendered;
    installing_again_puts_another_text_in_its_place;
    a_start_runs_the_container_and_a_stop_ends_it;
    starting_what_runs_and_stopping_what_is_stopped_succeed;
    stopping_and_removing_what_is_not_there_succeed;
    starting_what_is_not_there_is_not_found;
    starting_a_container_that_is_not_there_fails;
    a_container_that_ends_at_once_fails_its_start_with_the_reason;
    a_restart_starts_the_container_anew ["supervisor.time"];
    a_container_that_does_not_listen_is_stopped_after_its_time;
    a_unit_is_taken_away_while_its_container_goes_on;
    a_container_is_made_and_started_by_its_unit_and_then_nothing_is_to_do;
    a_container_that_dies_is_started_again ["supervisor.restarts"];
    a_changed_policy_changes_the_unit_and_nothing_else;
    a_limit_that_could_never_be_reached_is_refused_before_anything_is_made;
    a_container_that_is_to_stop_stays_stopped;
    a_paused_container_is_stopped_and_removed_through_its_unit;
    a_stop_takes_the_time_that_is_asked_for;
    a_restart_goes_through_the_unit_also_where_it_is_stopped;
    a_container_that_is_not_to_be_there_takes_its_unit_along;
    a_container_that_runs_outside_its_unit_is_brought_under_it;
    a_paused_container_outside_its_unit_is_brought_under_it;
    a_unit_that_is_missing_is_named;
    a_container_that_is_not_supervised_any_more_loses_its_unit;
    a_unit_that_goes_is_not_what_restarts_its_container;
    a_oneshot_has_no_unit;
    a_oneshot_that_is_made_anew_takes_an_old_unit_away;
    a_run_to_its_end_takes_an_old_unit_away;
    the_engines_own_restart_policy_is_taken_away;
    a_new_container_takes_the_place_of_the_old_one_under_its_unit;
    a_new_container_that_ends_at_once_is_taken_back_under_its_unit;
    a_paused_container_is_paused_again_under_its_unit_when_the_new_one_fails;
    a_start_that_fails_leaves_no_unit_that_goes_on_trying;
    a_replacement_that_is_cut_anywhere_is_finished_or_taken_back;
}

fn service(h: &Harness, name: &ContainerName, spec: &ContainerSpec) -> Service {
    Service::new(name.clone(), h.runtime().engine().kind, spec)
}

async fn install(h: &Harness, name: &ContainerName, spec: &ContainerSpec) {
    let text = h.supervisor().render(&service(h, name, spec));
    h.supervisor().install(name, &text).await.unwrap();
}

/// A container with its unit, neither of which runs.
async fn made(h: &Harness, spec: ContainerSpec) -> ContainerName {
    let name = h.name("web");
    h.create(&name, &spec).await;
    install(h, &name, &spec).await;
    name
}

async fn unit(h: &Harness, name: &ContainerName) -> Option<UnitState> {
    h.supervisor().unit(name).await.unwrap()
}

async fn active(h: &Harness, name: &ContainerName) -> Option<Active> {
    unit(h, name).await.map(|unit| unit.active)
}

async fn status(h: &Harness, name: &ContainerName) -> Status {
    h.see(name).await.status
}

async fn plan(h: &Harness, name: &ContainerName, goal: Goal) -> Plan {
    h.supervised().0.plan(&Goals::one(name.clone(), goal)).await.unwrap()
}

async fn try_to_reach(h: &Harness, name: &ContainerName, goal: Goal) -> Report {
    h.supervised().0.reconcile(&Goals::one(name.clone(), goal)).await.unwrap()
}

async fn reach(h: &Harness, name: &ContainerName, goal: Goal) -> Report {
    let report = try_to_reach(h, name, goal).await;
    assert!(report.is_success(), "{report}");
    report
}

/// Sees that nothing is to do, and that finding out changes nothing.
async fn assert_reached(h: &Harness, name: &ContainerName, goal: Goal) {
    let (reconciler, tally) = h.supervised();
    let goals = Goals::one(name.clone(), goal);

    let plan = reconciler.plan(&goals).await.unwrap();
    let report = reconciler.reconcile(&goals).await.unwrap();

    assert!(plan.is_empty(), "{plan}");
    assert!(!report.is_changed(), "{report}");
    assert_eq!(tally.writes(), Vec::<&str>::new());
}

async fn a_unit_that_is_not_there_is_none(h: &Harness) {
    assert_eq!(unit(h, &h.name("nobody")).await, None);
}

async fn each_part_of_a_service_is_in_its_unit(h: &Harness) {
    let render = |service: &Service| h.supervisor().render(service);
    let service = service(h, &h.name("web"), &h.spec(json!({})));
    let other = match service.engine {
        EngineKind::Podman => EngineKind::Docker,
        _ => EngineKind::Podman,
    };
    let limit = |burst, seconds| StartLimit { burst, interval: TimeSpan::from_secs(seconds) };
    let others = [
        Service { container: h.name("db"), ..service.clone() },
        Service { engine: other, ..service.clone() },
        Service { restart: RestartPolicy::Always, ..service.clone() },
        Service { restart: RestartPolicy::OnFailure(None), ..service.clone() },
        Service { start_limit: limit(5, 120), ..service.clone() },
        Service { start_limit: limit(10, 240), ..service.clone() },
        Service { stop_timeout: Some(TimeSpan::from_secs(77)), ..service.clone() },
    ];

    let texts: BTreeSet<String> = others.iter().chain([&service]).map(render).collect();

    assert_eq!(texts.len(), others.len() + 1, "{texts:?}");
    assert!(h.supervisor().starts_otherwise(&render(&service), &render(&others[1])));
    assert!(!h.supervisor().starts_otherwise(&render(&service), &render(&others[2])));
}

async fn what_is_installed_is_there_as_it_was_rendered(h: &Harness) {
    let spec = h.spec(json!({"restart": "always"}));
    let name = made(h, spec.clone()).await;

    let text = h.supervisor().render(&service(h, &name, &spec));
    let expected = UnitState { text, ours: true, enabled: true, masked: false, loaded: true, active: Active::Inactive };
    assert_eq!(unit(h, &name).await, Some(expected));
    assert_eq!(status(h, &name).await, Status::Created);
}

async fn installing_again_puts_another_text_in_its_place(h: &Harness) {
    let name = made(h, h.spec(json!({}))).await;
    let before = unit(h, &name).await.unwrap();

    install(h, &name, &h.spec(json!({"restart": "always"}))).await;

    let after = unit(h, &name).await.unwrap();
    assert_ne!(after.text, before.text);
    assert!(after.loaded && after.enabled, "{after:?}");
}

async fn a_start_runs_the_container_and_a_stop_ends_it(h: &Harness) {
    let name = made(h, h.spec(json!({}))).await;

    h.supervisor().start(&name).await.unwrap();
    assert_eq!(active(h, &name).await, Some(Active::Active));
    assert_eq!(status(h, &name).await, Status::Running);

    h.supervisor().stop(&name).await.unwrap();
    assert_eq!(active(h, &name).await, Some(Active::Inactive));
    assert_eq!(status(h, &name).await, Status::Exited);
}

async fn starting_what_runs_and_stopping_what_is_stopped_succeed(h: &Harness) {
    let name = made(h, h.spec(json!({}))).await;
    h.supervisor().start(&name).await.unwrap();
    let started = h.see(&name).await.started;

    h.supervisor().start(&name).await.unwrap();
    assert_eq!(h.see(&name).await.started, started);

    h.supervisor().stop(&name).await.unwrap();
    h.supervisor().stop(&name).await.unwrap();
    assert_eq!(active(h, &name).await, Some(Active::Inactive));
}

async fn stopping_and_removing_what_is_not_there_succeed(h: &Harness) {
    h.supervisor().stop(&h.name("nobody")).await.unwrap();
    h.supervisor().remove(&h.name("nobody")).await.unwrap();
}

async fn starting_what_is_not_there_is_not_found(h: &Harness) {
    assert_eq!(h.supervisor().start(&h.name("nobody")).await.kind(), Some(ErrorKind::NotFound));
    assert_eq!(h.supervisor().restart(&h.name("nobody")).await.kind(), Some(ErrorKind::NotFound));
}

async fn starting_a_container_that_is_not_there_fails(h: &Harness) {
    let name = h.name("web");
    install(h, &name, &h.spec(json!({}))).await;

    assert_eq!(h.supervisor().start(&name).await.kind(), Some(ErrorKind::EngineFailed));
    assert_eq!(active(h, &name).await, Some(Active::Failed));
}

async fn a_container_that_ends_at_once_fails_its_start_with_the_reason(h: &Harness) {
    let name = made(h, h.made_from(&h.images().exits)).await;

    let error = h.failed_start(&name, "exit status 3").await;

    assert_eq!(error.kind(), ErrorKind::EngineFailed);
    assert_eq!(active(h, &name).await, Some(Active::Failed));
}

async fn a_restart_starts_the_container_anew(h: &Harness) {
    let name = made(h, h.spec(json!({}))).await;
    h.supervisor().start(&name).await.unwrap();
    let before = h.see(&name).await;

    h.supervisor().restart(&name).await.unwrap();

    let after = h.see(&name).await;
    assert_eq!((after.id, after.status), (before.id, Status::Running));
    assert!(after.started > before.started, "{:?} {:?}", before.started, after.started);
}

async fn a_container_that_does_not_listen_is_stopped_after_its_time(h: &Harness) {
    let image = h.images().stubborn.to_string();
    let name = made(h, h.spec(json!({"image": image, "stop_timeout": 1}))).await;
    h.supervisor().start(&name).await.unwrap();

    h.supervisor().stop(&name).await.unwrap();

    assert_eq!(status(h, &name).await, Status::Exited);
    // It had to be killed, as was asked for: its unit has not failed.
    assert_eq!(active(h, &name).await, Some(Active::Inactive));
}

async fn a_unit_is_taken_away_while_its_container_goes_on(h: &Harness) {
    let name = made(h, h.spec(json!({}))).await;
    h.supervisor().start(&name).await.unwrap();

    h.supervisor().remove(&name).await.unwrap();

    assert_eq!(unit(h, &name).await, None);
    assert_eq!(status(h, &name).await, Status::Running);
}

/// What a user states of a supervised container.
fn kept(h: &Harness, written: &Value) -> Goal {
    let mut all = json!({"restart": "unless-stopped"});
    crate::matrix::merge(&mut all, written.clone());
    Goal::running(h.spec(all))
}

async fn a_container_is_made_and_started_by_its_unit_and_then_nothing_is_to_do(h: &Harness) {
    let name = h.name("web");
    let goal = || kept(h, &json!({"environment": {"A": "1"}, "mounts": ["/data"]}));

    let report = reach(h, &name, goal()).await;

    assert_eq!(report.containers[0].effect, Effect::Created);
    let state = h.see(&name).await;
    assert_eq!((state.status, state.config.restart), (Status::Running, Some(RestartPolicy::No)));
    let unit = unit(h, &name).await.unwrap();
    assert!(unit.enabled && unit.active == Active::Active, "{unit:?}");
    assert_reached(h, &name, goal()).await;
}

async fn a_container_that_dies_is_started_again(h: &Harness) {
    let name = h.name("web");
    // The shortest pause that there is.
    let goal = || kept(h, &json!({"deploy": {"start_limit": {"burst": 10, "interval": 20}}}));
    reach(h, &name, goal()).await;
    let before = h.see(&name).await;

    h.runtime().kill_container(&before.id, Signal::KILL).await.unwrap();

    let begun = Instant::now();
    loop {
        let now = h.see(&name).await;
        if now.status == Status::Running && now.started > before.started {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "it was not started again: {now:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_reached(h, &name, goal()).await;
}

async fn a_changed_policy_changes_the_unit_and_nothing_else(h: &Harness) {
    let name = h.name("web");
    reach(h, &name, kept(h, &json!({}))).await;
    let before = h.see(&name).await;
    let goal = || kept(h, &json!({"restart": "on-failure"}));

    let planned = plan(h, &name, goal()).await;
    let report = reach(h, &name, goal()).await;

    let fields: Vec<_> = planned.containers[0].changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(fields, ["unit"], "{planned}");
    assert_eq!(report.containers[0].effect, Effect::Repaired);
    let after = h.see(&name).await;
    assert_eq!((after.id, after.started), (before.id, before.started));
    assert_reached(h, &name, goal()).await;
}

async fn a_limit_that_could_never_be_reached_is_refused_before_anything_is_made(h: &Harness) {
    let name = h.name("web");

    // 101 starts in 120 s leave no time between them.
    let report = try_to_reach(h, &name, kept(h, &json!({"restart": "on-failure:100"}))).await;

    assert!(!report.is_success() && report.to_string().contains("deploy.start_limit"), "{report}");
    assert_eq!((h.look(&name).await, unit(h, &name).await), (None, None));
}

async fn a_container_that_is_to_stop_stays_stopped(h: &Harness) {
    let name = h.name("web");
    reach(h, &name, kept(h, &json!({}))).await;

    reach(h, &name, Goal::Stopped { grace: None }).await;

    assert_eq!(status(h, &name).await, Status::Exited);
    assert_eq!(active(h, &name).await, Some(Active::Inactive));
    assert_reached(h, &name, Goal::Stopped { grace: None }).await;
}

async fn a_paused_container_is_stopped_and_removed_through_its_unit(h: &Harness) {
    let name = h.name("web");
    for goal in [Goal::Stopped { grace: None }, Goal::Absent { volumes: false, grace: None }] {
        reach(h, &name, kept(h, &json!({}))).await;
        let id = h.see(&name).await.id;
        h.runtime().pause_container(&id).await.unwrap();

        reach(h, &name, goal.clone()).await;

        assert_ne!(active(h, &name).await, Some(Active::Active));
        assert_reached(h, &name, goal).await;
    }
}

/// Not the one of the unit: with that, the container would be gone before the case is.
async fn a_stop_takes_the_time_that_is_asked_for(h: &Harness) {
    let name = h.name("web");
    let image = h.images().stubborn.to_string();
    // It is not started again before its unit is told to stop.
    let deploy = json!({"start_limit": {"burst": 10, "interval": 600}});
    reach(h, &name, kept(h, &json!({"image": image, "stop_timeout": "1h", "deploy": deploy}))).await;

    reach(h, &name, Goal::Stopped { grace: Some(TimeSpan::from_secs(1)) }).await;

    assert_eq!(status(h, &name).await, Status::Exited);
    assert!(matches!(active(h, &name).await, Some(Active::Inactive | Active::Failed)));
}

async fn a_restart_goes_through_the_unit_also_where_it_is_stopped(h: &Harness) {
    let name = h.name("web");
    reach(h, &name, kept(h, &json!({}))).await;
    for grace in [None, Some(TimeSpan::from_secs(1))] {
        reach(h, &name, Goal::Restart { grace }).await;
        assert_reached(h, &name, kept(h, &json!({}))).await;
    }
    reach(h, &name, Goal::Stopped { grace: None }).await;

    reach(h, &name, Goal::Restart { grace: None }).await;

    assert_eq!(active(h, &name).await, Some(Active::Active));
    assert_reached(h, &name, kept(h, &json!({}))).await;
}

async fn a_container_that_is_not_to_be_there_takes_its_unit_along(h: &Harness) {
    let name = h.name("web");
    reach(h, &name, kept(h, &json!({}))).await;

    reach(h, &name, Goal::Absent { volumes: false, grace: None }).await;

    assert_eq!((h.look(&name).await, unit(h, &name).await), (None, None));
    assert_reached(h, &name, Goal::Absent { volumes: false, grace: None }).await;
}

async fn a_container_that_runs_outside_its_unit_is_brought_under_it(h: &Harness) {
    let name = h.name("web");
    h.start(&name, &h.spec(json!({}))).await;
    let before = h.see(&name).await;
    let goal = || kept(h, &json!({}));

    let planned = plan(h, &name, goal()).await;
    reach(h, &name, goal()).await;

    assert!(planned.to_string().contains("it runs outside its unit"), "{planned}");
    assert_eq!(h.see(&name).await.id, before.id);
    assert_eq!(active(h, &name).await, Some(Active::Active));
    assert_reached(h, &name, goal()).await;
}

async fn a_paused_container_outside_its_unit_is_brought_under_it(h: &Harness) {
    let name = h.name("web");
    let id = h.start(&name, &h.spec(json!({}))).await;
    h.runtime().pause_container(&id).await.unwrap();

    reach(h, &name, kept(h, &json!({}))).await;

    assert_eq!(active(h, &name).await, Some(Active::Active));
    assert_reached(h, &name, kept(h, &json!({}))).await;
}

async fn a_unit_that_is_missing_is_named(h: &Harness) {
    let name = h.name("web");
    reach(h, &name, kept(h, &json!({}))).await;
    h.supervisor().stop(&name).await.unwrap();
    h.supervisor().remove(&name).await.unwrap();

    let planned = plan(h, &name, kept(h, &json!({}))).await;

    let fields: Vec<_> = planned.containers[0].changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(fields, ["unit"], "{planned}");
    reach(h, &name, kept(h, &json!({}))).await;
    assert_reached(h, &name, kept(h, &json!({}))).await;
}

async fn a_container_that_is_not_supervised_any_more_loses_its_unit(h: &Harness) {
    let name = h.name("web");
    reach(h, &name, kept(h, &json!({}))).await;
    let goal = || Goal::running(h.spec(json!({"deploy": {"supervised": false}})));

    reach(h, &name, goal()).await;

    assert_eq!(unit(h, &name).await, None);
    assert_eq!(status(h, &name).await, Status::Running);
    assert_reached(h, &name, goal()).await;
}

async fn a_unit_that_goes_is_not_what_restarts_its_container(h: &Harness) {
    let name = h.name("web");
    let image = h.images().unhealthy.to_string();
    reach(h, &name, kept(h, &json!({"image": image}))).await;
    let id = h.see(&name).await.id;
    h.wait_until(&id, |state| state.health == Some(Health::Unhealthy)).await;

    let goal = Goal::Healthy(Box::new(h.spec(json!({"image": image, "deploy": {"supervised": false}}))));
    let planned = plan(h, &name, goal).await;

    let steps = planned.containers[0].steps.iter().map(|step| &step.action);
    let kinds = steps.map(|action| match action {
        Action::RemoveUnit { .. } => "remove unit",
        Action::Restart { .. } => "restart",
        Action::Verify { .. } => "verify",
        other => panic!("{other:?}"),
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["remove unit", "restart", "verify"], "{planned}");
}

async fn a_oneshot_has_no_unit(h: &Harness) {
    let name = h.name("bootstrap");

    reach(h, &name, Goal::running(h.spec(json!({"restart": "no", "deploy": {"supervised": false}})))).await;

    assert_eq!((status(h, &name).await, unit(h, &name).await), (Status::Running, None));
}

/// It would start the container again with the machine.
async fn a_oneshot_that_is_made_anew_takes_an_old_unit_away(h: &Harness) {
    let name = made(h, h.spec(json!({}))).await;
    h.reach(&name, Goal::Absent { volumes: false, grace: None }).await;
    assert!(unit(h, &name).await.is_some());

    reach(h, &name, Goal::running(h.spec(json!({"restart": "no", "deploy": {"supervised": false}})))).await;

    assert_eq!((status(h, &name).await, unit(h, &name).await), (Status::Running, None));
}

async fn a_run_to_its_end_takes_an_old_unit_away(h: &Harness) {
    let name = h.name("bootstrap");
    let options = RunOptions { remove: false, over_running: true, ..RunOptions::default() };
    for supervised in [false, true] {
        reach(h, &name, kept(h, &json!({}))).await;
        let before = h.see(&name).await.id;
        let done = json!({"image": h.images().done.to_string(), "deploy": {"supervised": supervised}});

        let report = reach(h, &name, Goal::Run(Box::new(h.spec(done)), options)).await;

        let after = h.see(&name).await;
        assert!(after.id != before && after.status == Status::Exited, "{report}");
        assert_eq!(unit(h, &name).await, None, "{report}");
    }
}

/// Two who restart it would fight.
async fn the_engines_own_restart_policy_is_taken_away(h: &Harness) {
    let name = h.name("web");
    h.start(&name, &h.spec(json!({"restart": "always"}))).await;
    let goal = || kept(h, &json!({"restart": "always"}));

    let planned = plan(h, &name, goal()).await;
    reach(h, &name, goal()).await;

    assert!(planned.containers[0].changes.iter().any(|change| change.field.as_str() == "restart"), "{planned}");
    assert_eq!(h.see(&name).await.config.restart, Some(RestartPolicy::No));
    assert_reached(h, &name, goal()).await;
}

async fn a_new_container_takes_the_place_of_the_old_one_under_its_unit(h: &Harness) {
    let name = h.name("web");
    reach(h, &name, kept(h, &json!({}))).await;
    let before = h.see(&name).await;
    let goal = || kept(h, &json!({"environment": {"A": "2"}}));

    let report = reach(h, &name, goal()).await;

    assert_eq!(report.containers[0].effect, Effect::Replaced);
    assert_ne!(h.see(&name).await.id, before.id);
    assert_eq!(active(h, &name).await, Some(Active::Active));
    assert_eq!(h.containers().await, ["web"]);
    assert_reached(h, &name, goal()).await;
}

async fn a_new_container_that_ends_at_once_is_taken_back_under_its_unit(h: &Harness) {
    let name = h.name("web");
    let old = || kept(h, &json!({}));
    reach(h, &name, old()).await;
    let before = h.see(&name).await;

    let report = try_to_reach(h, &name, kept(h, &json!({"image": h.images().exits.to_string()}))).await;

    assert!(!report.is_success() && report.to_string().contains("exit status 3"), "{report}");
    let after = h.see(&name).await;
    assert_eq!((after.id, after.status), (before.id, Status::Running));
    assert_eq!(active(h, &name).await, Some(Active::Active));
    assert_eq!(h.containers().await, ["web"]);
    assert_reached(h, &name, old()).await;
}

async fn a_paused_container_is_paused_again_under_its_unit_when_the_new_one_fails(h: &Harness) {
    let name = h.name("web");
    reach(h, &name, kept(h, &json!({}))).await;
    let id = h.see(&name).await.id;
    h.runtime().pause_container(&id).await.unwrap();

    let report = try_to_reach(h, &name, kept(h, &json!({"image": h.images().exits.to_string()}))).await;

    assert!(!report.is_success(), "{report}");
    let after = h.see(&name).await;
    assert_eq!((after.id, after.status), (id, Status::Paused), "{report}");
    assert_eq!(h.containers().await, ["web"]);
    assert_eq!(active(h, &name).await, Some(Active::Active));
}

async fn a_start_that_fails_leaves_no_unit_that_goes_on_trying(h: &Harness) {
    let name = h.name("web");

    let report = try_to_reach(h, &name, kept(h, &json!({"image": h.images().exits.to_string()}))).await;

    assert!(!report.is_success(), "{report}");
    assert_eq!((h.look(&name).await, unit(h, &name).await), (None, None));
}

/// Each call of the replacement in turn is the last one that reaches engine and supervisor, as when the program is killed.
async fn a_replacement_that_is_cut_anywhere_is_finished_or_taken_back(h: &Harness) {
    let name = h.name("web");
    let goals = |value: u64| Goals::one(name.clone(), kept(h, &json!({"environment": {"A": value.to_string()}})));
    h.supervised().0.reconcile(&goals(0)).await.unwrap();
    let whole = run_with(h, Fault::none().writes_only(), &goals(1)).await;
    assert!(whole >= 7, "{whole} calls");

    for nth in 1..=whole {
        let cut = if nth % 2 == 0 { Fault::cut_nth(nth) } else { Fault::cut_nth_after(nth) };
        run_with(h, cut.writes_only(), &goals(nth + 1)).await;

        // The run that was cut is over for good: its time need not be waited for.
        let after = h.supervised().0.taking_over(true).reconcile(&goals(nth + 1)).await.unwrap();

        assert!(after.is_success(), "cut at {nth}: {after}");
        assert_eq!(h.containers().await, ["web"], "cut at {nth}");
        assert_eq!(active(h, &name).await, Some(Active::Active), "cut at {nth}");
        let plan = h.supervised().0.plan(&goals(nth + 1)).await.unwrap();
        assert!(plan.is_empty(), "cut at {nth}: {plan}");
    }
}

/// A run with a fault around engine and supervisor; how many calls were counted.
async fn run_with(h: &Harness, fault: Fault, goals: &Goals) -> u64 {
    let fault = Arc::new(fault);
    let runtime = Layered::new(Arc::clone(h.runtime()), Arc::clone(&fault));
    let supervisor = Layered::new(Arc::clone(h.supervisor()), Arc::clone(&fault));
    let reconciler = Reconciler::new(Arc::new(runtime)).with_supervisor(Arc::new(supervisor));
    reconciler.reconcile(goals).await.unwrap();
    fault.calls()
}
