//! From any goal to any other one, and from any interruption to any goal.

use kolla_container_core::layer::Fault;
use kolla_container_core::state::{Health, Status};
use kolla_container_core::{ContainerSpec, Goal, Runtime};
use kolla_container_testkit::matrix::merge;
use serde_json::{Value, json};

use crate::world::{World, goals, in_time, spec, subject};

fn numbered(number: u32, more: Value) -> ContainerSpec {
    let mut written = json!({"environment": {"NUMBER": number.to_string()}, "mounts": ["/data", "data-a:/named"]});
    merge(&mut written, more);
    spec(written)
}

/// The states that can be wanted, of two specs.
fn states() -> Vec<(&'static str, Goal)> {
    let boxed = |number| Box::new(numbered(number, json!({})));
    let healthy = numbered(2, json!({"image": "localhost/kit/healthy:1"}));
    vec![
        ("absent", Goal::Absent { volumes: false, grace: None }),
        ("absent with its volumes", Goal::Absent { volumes: true, grace: None }),
        ("stopped", Goal::Stopped { grace: None }),
        ("made as one", Goal::Created(boxed(1))),
        ("made as two", Goal::Created(boxed(2))),
        ("running as one", Goal::Running(boxed(1))),
        ("running as two", Goal::Running(boxed(2))),
        ("healthy", Goal::healthy(healthy)),
        ("paused as one", Goal::Paused(boxed(1))),
        ("paused as two", Goal::Paused(boxed(2))),
        ("running with other limits", Goal::running(numbered(1, json!({"resources": {"memory": "64m"}})))),
        ("running by itself", Goal::running(numbered(1, json!({"deploy": {"supervised": false}})))),
    ]
}

/// What is not as a goal wants it.
async fn wrong(world: &World, goal: &Goal) -> Vec<String> {
    let there = world.engine.container(&subject()).await.unwrap();
    let status = there.as_ref().map(|state| state.status.clone());
    let holds = match goal {
        Goal::Absent { .. } => status.is_none(),
        Goal::Stopped { .. } => !status.as_ref().is_some_and(Status::is_up),
        Goal::Created(_) => status.is_some(),
        Goal::Running(_) => status == Some(Status::Running),
        Goal::Healthy(_) => there.as_ref().and_then(|state| state.health.clone()) == Some(Health::Healthy),
        Goal::Paused(_) => status == Some(Status::Paused),
        other => panic!("{other:?} is no state"),
    };
    let mut wrong = Vec::new();
    if !holds {
        wrong.push(format!("it is {status:?}"));
    }
    let mut names = world.names().await;
    names.retain(|name| name != "subject");
    if names != ["other"] {
        wrong.push(format!("there are {names:?}"));
    }
    let plan = world.reconciler().plan(&goals(goal.clone())).await.unwrap();
    if !plan.is_empty() {
        wrong.push(format!("something is still to do: {plan}"));
    }
    wrong
}

async fn world(supervised: bool) -> World {
    if supervised { World::supervised().await } else { World::new().await }
}

#[test]
fn every_state_is_reached_from_every_other_one_and_kept() {
    in_time(async {
        let mut not_reached = Vec::new();
        for supervised in [false, true] {
            for (from, first) in states() {
                for (to, second) in states() {
                    let world = world(supervised).await;
                    world.reach(first.clone()).await;

                    let report = world.reconciler().reconcile(&goals(second.clone())).await.unwrap();

                    let wrong = wrong(&world, &second).await;
                    if !report.is_success() || !wrong.is_empty() {
                        let said = format!("from {from} to {to}, supervised: {supervised}");
                        not_reached.push(format!("{said}: {wrong:?} {report}"));
                    }
                }
            }
        }
        assert!(not_reached.is_empty(), "{}", not_reached.join("\n"));
    });
}

#[test]
fn every_state_is_reached_wherever_a_replacement_was_cut() {
    in_time(async {
        let mut not_reached = Vec::new();
        for supervised in [false, true] {
            for (to, goal) in states() {
                for n in 1.. {
                    let world = world(supervised).await;
                    world.reach(Goal::running(numbered(1, json!({})))).await;
                    let volumes = world.subject().await.volumes;
                    let (reconciler, fault) = world.faulty(Fault::cut_nth_after(n));
                    drop(reconciler.reconcile(&goals(Goal::running(numbered(2, json!({}))))).await);
                    if !fault.is_cut() {
                        break;
                    }

                    let reconciler = world.reconciler().taking_over(true);
                    let report = reconciler.reconcile(&goals(goal.clone())).await.unwrap();

                    let mut wrong = wrong(&world, &goal).await;
                    let keeps = !matches!(goal, Goal::Absent { volumes: true, grace: None });
                    for volume in volumes.values().filter(|volume| keeps || !volume.is_anonymous()) {
                        if !world.has_volume(volume).await {
                            wrong.push(format!("{volume} is gone"));
                        }
                    }
                    if !report.is_success() || !wrong.is_empty() {
                        let said = format!("to {to} after a cut at call {n}, supervised: {supervised}");
                        not_reached.push(format!("{said}: {wrong:?} {report}"));
                    }
                }
            }
        }
        assert!(not_reached.is_empty(), "{}", not_reached.join("\n"));
    });
}

/// A deed is no state: it is done again, and is none the worse for having been cut.
#[test]
fn a_run_to_the_end_is_repeated_wherever_it_was_cut() {
    in_time(async {
        for after in [false, true] {
            for n in 1.. {
                let world = World::new().await;
                let done = numbered(1, json!({"image": "localhost/kit/done:1"}));
                let goal = || Goal::Run(Box::new(done.clone()), kolla_container_core::plan::RunOptions::default());
                let (reconciler, fault) = world.faulty(if after { Fault::cut_nth_after(n) } else { Fault::cut_nth(n) });
                drop(reconciler.reconcile(&goals(goal())).await);
                if !fault.is_cut() {
                    assert!(n > 8, "there were only {n} calls");
                    break;
                }

                let report = world.reach(goal()).await;

                assert_eq!(report.containers[0].output.as_ref().map(|output| output.code), Some(0));
                assert_eq!(world.names().await, ["other"]);
            }
        }
    });
}
