//! How long what is stopped may take, and what a plan tells of a container that does not run.

#![expect(clippy::expect_used, reason = "what fails to be prepared fails the test")]

use std::sync::Arc;
use std::time::Duration;

use kolla_container_core::memory::{MemoryEngine, MemorySupervisor};
use kolla_container_core::plan::{Action, ContainerPlan, Effect, RunOptions};
use kolla_container_core::state::{ContainerState, Status};
use kolla_container_core::{ContainerName, ContainerSpec, Goal, Goals, Reconciler, Runtime, TimeSpan};
use serde_json::{Value, json};

const REQUEST: Duration = Duration::from_secs(5);

fn db() -> ContainerName {
    "db".parse().expect("a name")
}

/// That it runs, with this time to stop.
fn running(stop_timeout: &str, more: &Value) -> Goal {
    let mut json = json!({"image": "a:1", "stop_timeout": stop_timeout, "deploy": {"deadlines": {"request": "5s"}}});
    let more = more.as_object().expect("it is an object").clone();
    json.as_object_mut().expect("it is an object").extend(more);
    Goal::running(ContainerSpec::from_value(json).expect("the spec is without mistakes"))
}

fn seconds(seconds: u64) -> TimeSpan {
    TimeSpan::from_secs(seconds)
}

struct World {
    engine: MemoryEngine,
    supervisor: Option<MemorySupervisor>,
}

impl World {
    /// With a container that runs.
    async fn with(goal: Goal, is_supervised: bool) -> Self {
        let engine = MemoryEngine::new();
        let supervisor = is_supervised.then(|| MemorySupervisor::new(&engine));
        let world = Self { engine, supervisor };
        let report = world.reconciler().reconcile(&Goals::one(db(), goal)).await.expect("there is a plan");
        assert!(report.is_success(), "{report}");
        world
    }

    fn reconciler(&self) -> Reconciler {
        let reconciler = Reconciler::new(Arc::new(self.engine.clone()));
        match &self.supervisor {
            Some(supervisor) => reconciler.with_supervisor(Arc::new(supervisor.clone())),
            None => reconciler,
        }
    }

    async fn plan(&self, goal: Goal) -> ContainerPlan {
        self.reconciler().plan(&Goals::one(db(), goal)).await.expect("there is a plan").containers.remove(0)
    }

    async fn db(&self) -> ContainerState {
        self.engine.container(&db()).await.expect("memory answers").expect("it is there")
    }
}

/// The times that the stops and restarts of a plan ask for, and how long they are waited for.
fn stops(plan: &ContainerPlan) -> Vec<(Option<TimeSpan>, Duration)> {
    let actions = plan.steps.iter().map(|step| &step.action);
    let graces = actions.filter_map(|action| match action {
        Action::Stop { grace, .. } | Action::Restart { grace, .. } => Some((*grace, plan.deadline(action))),
        _ => None,
    });
    graces.collect()
}

/// Who made the old one may have stated no time at all, and engines kill after ten seconds then.
#[tokio::test(start_paused = true)]
async fn a_replaced_container_is_killed_only_after_the_longer_of_its_own_time_and_that_of_the_new_one() {
    let of = |spec: Value| ContainerSpec::from_value(spec).expect("the spec is without mistakes");
    let spec = |number: &str, time: Option<u64>| {
        let time = time.map(|time| format!("{time}s"));
        let environment = json!({"NUMBER": number});
        let deploy = json!({"deadlines": {"request": "5s"}});
        of(json!({"image": "a:1", "environment": environment, "stop_timeout": time, "deploy": deploy}))
    };
    let over = RunOptions { over_running: true, ..RunOptions::default() };
    for (old, new, longer) in
        [(Some(7), Some(90), 90), (Some(90), Some(7), 90), (None, Some(90), 90), (Some(90), None, 90)]
    {
        let world = World::with(Goal::running(spec("1", old)), false).await;
        let wanted = || Box::new(spec("2", new));

        for goal in [Goal::Running(wanted()), Goal::Replace(wanted()), Goal::Run(wanted(), over)] {
            let plan = world.plan(goal).await;

            let stop = stops(&plan).first().copied();
            assert_eq!(stop, Some((Some(seconds(longer)), REQUEST + Duration::from_secs(longer))), "{plan:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_is_waited_for_as_long_as_the_old_one_or_the_new_one_may_take() {
    for (old, new) in [("7s", "90s"), ("90s", "7s")] {
        let world = World::with(running(old, &json!({})), true).await;

        let plan = world.plan(running(new, &json!({}))).await;

        let unit = plan.steps.iter().map(|step| &step.action).find(|action| matches!(action, Action::StopUnit { .. }));
        assert_eq!(plan.deadline(unit.expect("its unit is stopped")), REQUEST + Duration::from_secs(90));
    }
}

#[tokio::test(start_paused = true)]
async fn the_time_that_a_goal_states_wins_over_that_of_the_container() {
    let world = World::with(running("7s", &json!({})), false).await;
    let (stated, own) = (Some(seconds(2)), Some(seconds(7)));

    for (grace, wanted) in [(stated, stated), (None, own)] {
        for goal in [Goal::Stopped { grace }, Goal::Restart { grace }, Goal::Absent { volumes: false, grace }] {
            let plan = world.plan(goal).await;
            assert_eq!(stops(&plan).into_iter().map(|(grace, _)| grace).collect::<Vec<_>>(), [wanted], "{plan:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_differs_in_a_container_that_does_not_run_is_told_beside_what_it_is_doing() {
    let changed = || running("9s", &json!({"tty": true, "environment": {"A": "2"}}));
    for is_supervised in [false, true] {
        let world = World::with(running("7s", &json!({"environment": {"A": "1"}})), is_supervised).await;
        let fields = |plan: &ContainerPlan| plan.changes.iter().map(ToString::to_string).collect::<Vec<_>>();
        let while_running = fields(&world.plan(changed()).await);
        assert!(while_running.len() >= 3, "{while_running:?}");

        world.engine.pause_container(&world.db().await.id).await.expect("it can be paused");
        let paused = world.plan(changed()).await;
        assert_eq!((fields(&paused), paused.effect), (while_running.clone(), Effect::Replaced));
        assert_eq!(paused.existing().map(|there| &there.status), Some(&Status::Paused));

        let stopped = world.reconciler().reconcile(&Goals::one(db(), Goal::Stopped { grace: None })).await;
        assert!(stopped.expect("there is a plan").is_success());
        let stopped = world.plan(changed()).await;
        assert_eq!((fields(&stopped), stopped.effect), (while_running, Effect::Replaced));
        assert_eq!(stopped.existing().map(|there| &there.status), Some(&Status::Exited));
        assert_eq!(stopped.changes[0].remedy, kolla_container_core::diff::Remedy::Recreate);
    }
}
