//! Containers that have joined each other, replaced together and cut at every call.

use std::collections::BTreeMap;

use kolla_container_core::apply::Undone;
use kolla_container_core::layer::Fault;
use kolla_container_core::state::{ContainerState, Status};
use kolla_container_core::{ContainerId, ContainerName, ErrorKind, Goal, Goals, Report};
use serde_json::{Value, json};

use crate::world::{World, in_time, spec};

fn named(name: &str) -> ContainerName {
    name.parse().unwrap()
}

/// A container, one that has joined its network, one that has joined its volumes and processes, and one that has
/// joined the second.
fn wanted(number: u32) -> Goals {
    let goal = |written: Value| Goal::running(spec(written));
    let number = number.to_string();
    [
        (named("z-base"), goal(json!({"environment": {"NUMBER": number}, "mounts": ["/data"]}))),
        (named("b-joiner"), goal(json!({"network": {"mode": "container:z-base"}, "mounts": ["/own"]}))),
        (named("c-joiner"), goal(json!({"volumes_from": ["z-base"], "namespaces": {"pid": "container:z-base"}}))),
        (named("a-joiner"), goal(json!({"namespaces": {"pid": "container:c-joiner"}}))),
        (named("alone"), goal(json!({}))),
    ]
    .into_iter()
    .collect()
}

async fn assert_all_run(world: &World, said: &str) {
    let containers = world.containers().await;
    let names: Vec<&str> = containers.keys().map(String::as_str).collect();
    assert_eq!(names, ["a-joiner", "alone", "b-joiner", "c-joiner", "other", "z-base"], "{said}");
    assert!(containers.values().all(|state| state.status == Status::Running), "{said}");
}

async fn reach(world: &World, number: u32) -> Report {
    let report = world.reconciler().taking_over(true).reconcile(&wanted(number)).await.unwrap();
    assert!(report.is_success(), "{report}");
    report
}

/// What a run is like that is cut, and the next one.
#[derive(Clone, Copy)]
struct Cut {
    supervised: bool,
    /// What the run wants that is cut.
    first: fn() -> Goals,
    /// What the next run wants.
    next: fn() -> Goals,
    /// Whether the next run fails, and leaves what was there before.
    fails: bool,
}

impl Cut {
    async fn begin(self) -> World {
        let world = if self.supervised { World::supervised().await } else { World::new().await };
        reach(&world, 1).await;
        world
    }

    /// Cuts the first run at every call, before its effect and after it; each time the next one has to make it good.
    async fn is_made_good(self) {
        let mut cuts = 0;
        for n in 1.. {
            for after in [false, true] {
                let world = self.begin().await;
                let before = world.containers().await;
                let (reconciler, fault) = world.faulty(if after { Fault::cut_nth_after(n) } else { Fault::cut_nth(n) });
                drop(reconciler.reconcile(&(self.first)()).await);
                if !fault.is_cut() {
                    assert!(cuts > 60, "there were only {cuts} cuts");
                    return;
                }
                cuts += 1;
                let said = format!("cut at call {n}, after: {after}, left {:?}", world.names().await);

                let report = world.reconciler().taking_over(true).reconcile(&(self.next)()).await.unwrap();

                assert_all_run(&world, &format!("{said}: {report}")).await;
                let now = world.containers().await;
                assert_eq!(now["alone"].id, before["alone"].id, "{said}");
                assert_eq!(now["z-base"].volumes, before["z-base"].volumes, "{said}");
                if self.fails {
                    assert!(!report.is_success(), "{said}");
                    assert_eq!(ids(&now), ids(&before), "{said}: {report}");
                } else {
                    assert!(report.is_success(), "{said}: {report}");
                    let plan = world.reconciler().plan(&(self.next)()).await.unwrap();
                    assert!(plan.is_empty(), "{said}: {plan}");
                }
            }
        }
    }
}

fn ids(containers: &BTreeMap<String, ContainerState>) -> Vec<ContainerId> {
    containers.values().map(|state| state.id.clone()).collect()
}

fn old() -> Goals {
    wanted(1)
}

fn new() -> Goals {
    wanted(2)
}

/// As `new`, but the container furthest up ends as soon as it is started.
fn failing() -> Goals {
    with("a-joiner", json!({"image": "localhost/kit/exits:1", "namespaces": {"pid": "container:c-joiner"}}))
}

/// As `new`, with another spec for one of them.
fn with(name: &str, written: Value) -> Goals {
    let other = Goal::running(spec(written));
    let goals = new();
    let goal = |(each, goal): (&ContainerName, &Goal)| {
        (each.clone(), if each.as_str() == name { other.clone() } else { goal.clone() })
    };
    goals.iter().map(goal).collect()
}

/// As `new`, but one has not joined the base any more, by whose name nothing comes before it.
fn leaving() -> Goals {
    with("b-joiner", json!({"mounts": ["/own"]}))
}

/// As `new`, but the base joins the network of one that had joined its own.
fn turned() -> Goals {
    let base = spec(json!({"network": {"mode": "container:b-joiner"}, "mounts": ["/data"]}));
    let base = (named("z-base"), Goal::running(base));
    leaving().iter().map(|(name, goal)| (name.clone(), goal.clone())).chain([base]).collect()
}

const CUT: Cut = Cut { supervised: false, first: new, next: new, fails: false };

#[test]
fn containers_that_have_joined_each_other_are_made_good_wherever_they_are_cut() {
    in_time(CUT.is_made_good());
}

#[test]
fn supervised_containers_that_have_joined_each_other_are_made_good_wherever_they_are_cut() {
    in_time(Cut { supervised: true, ..CUT }.is_made_good());
}

#[test]
fn containers_that_have_joined_each_other_come_back_wherever_they_are_cut() {
    in_time(Cut { next: old, ..CUT }.is_made_good());
}

#[test]
fn supervised_containers_that_have_joined_each_other_come_back_wherever_they_are_cut() {
    in_time(Cut { supervised: true, next: old, ..CUT }.is_made_good());
}

#[test]
fn a_failure_of_one_that_has_joined_others_is_undone_wherever_it_is_cut() {
    in_time(Cut { first: failing, next: failing, fails: true, ..CUT }.is_made_good());
}

#[test]
fn a_failure_of_a_supervised_one_that_has_joined_others_is_undone_wherever_it_is_cut() {
    in_time(Cut { supervised: true, first: failing, next: failing, fails: true }.is_made_good());
}

#[test]
fn a_failure_of_one_that_has_joined_others_is_made_good_wherever_it_is_cut() {
    in_time(Cut { first: failing, ..CUT }.is_made_good());
}

#[test]
fn a_container_that_has_left_another_is_made_good_wherever_it_is_cut() {
    in_time(Cut { first: leaving, next: leaving, ..CUT }.is_made_good());
}

#[test]
fn containers_that_join_each_other_the_other_way_round_are_made_good_wherever_they_are_cut() {
    in_time(Cut { first: turned, next: turned, ..CUT }.is_made_good());
}

/// A run that makes an interruption good may be interrupted itself.
#[test]
fn containers_that_have_joined_each_other_are_made_good_when_the_recovery_is_cut_too() {
    in_time(async {
        let cut = |n| if n % 2 == 0 { Fault::cut_nth_after(n) } else { Fault::cut_nth(n) };
        let mut cuts = 0;
        for n in (1..).step_by(5) {
            for m in (1..).step_by(3) {
                let world = CUT.begin().await;
                let (reconciler, first) = world.faulty(cut(n));
                drop(reconciler.reconcile(&new()).await);
                if !first.is_cut() {
                    assert!(cuts > 200, "there were only {cuts} cuts");
                    return;
                }
                let (reconciler, second) = world.faulty(cut(m));
                drop(reconciler.taking_over(true).reconcile(&new()).await);
                if !second.is_cut() {
                    break;
                }
                cuts += 1;
                let said = format!("cut at calls {n} and {m}, left {:?}", world.names().await);

                let report = world.reconciler().taking_over(true).reconcile(&new()).await.unwrap();

                assert!(report.is_success(), "{said}: {report}");
                assert_all_run(&world, &said).await;
                let plan = world.reconciler().plan(&new()).await.unwrap();
                assert!(plan.is_empty(), "{said}: {plan}");
            }
        }
    });
}

/// Each of the four may be the one that fails.
#[test]
fn when_one_fails_all_that_have_joined_each_other_are_as_they_were() {
    let failing = [
        ("z-base", json!({"mounts": ["/data"]})),
        ("b-joiner", json!({"network": {"mode": "container:z-base"}, "mounts": ["/own"]})),
        ("c-joiner", json!({"volumes_from": ["z-base"], "namespaces": {"pid": "container:z-base"}})),
        ("a-joiner", json!({"namespaces": {"pid": "container:c-joiner"}})),
    ];
    for (name, mut written) in failing {
        for image in ["exits", "exits-later", "fails-to-start", "absent"] {
            written["image"] = format!("localhost/kit/{image}:1").into();
            let goals = with(name, written.clone());
            in_time(async {
                let world = World::new().await;
                reach(&world, 1).await;
                let before = world.containers().await;

                let report = world.reconciler().reconcile(&goals).await.unwrap();

                assert!(!report.is_success(), "{name} {image}");
                assert_all_run(&world, &format!("{name} {image}: {report}")).await;
                assert_eq!(ids(&world.containers().await), ids(&before), "{name} {image}: {report}");
                assert!(!report.is_changed(), "{report}");
                for (failed, error) in report.failures() {
                    let undone = &error.undone;
                    assert!(matches!(undone, Undone::Completely | Undone::NothingToUndo), "{failed} {error}");
                }
                assert!(world.reconciler().plan(&old()).await.unwrap().is_empty());
            });
        }
    }
}

/// Whoever is to go is there for as long as somebody may have to be put back who stands on it.
#[test]
fn a_base_that_is_to_go_stays_while_one_that_leaves_it_has_not_proved_itself() {
    for (image, is_fine) in [("exits", false), ("plain", true)] {
        in_time(async {
            let world = World::new().await;
            reach(&world, 1).await;
            let before = world.containers().await;
            let running = |image: &str| Goal::running(spec(json!({"image": format!("localhost/kit/{image}:1")})));
            let goal = |(name, goal): (&ContainerName, &Goal)| {
                let goal = match name.as_str() {
                    "z-base" => Goal::Absent { volumes: false, grace: None },
                    "b-joiner" => running(image),
                    "c-joiner" => running("plain"),
                    _ => goal.clone(),
                };
                (name.clone(), goal)
            };
            let goals: Goals = old().iter().map(goal).collect();

            let report = world.reconciler().reconcile(&goals).await.unwrap();

            assert_eq!(report.is_success(), is_fine, "{report}");
            let after = world.containers().await;
            let id = |containers: &BTreeMap<String, ContainerState>, name| {
                containers.get(name).map(|state: &ContainerState| state.id.clone())
            };
            if is_fine {
                assert_eq!(id(&after, "z-base"), None, "{report}");
            } else {
                assert_eq!(id(&after, "z-base"), id(&before, "z-base"), "{report}");
                assert_eq!(id(&after, "b-joiner"), id(&before, "b-joiner"), "{report}");
                assert_all_run(&world, &report.to_string()).await;
            }
        });
    }
}

/// Whoever stands in the way and is no goal is named; the engine is not even asked.
#[test]
fn what_is_left_of_joined_containers_is_not_cleared_away_for_one_of_them_alone() {
    in_time(async {
        let mut conflicts = 0;
        for n in 1.. {
            let world = CUT.begin().await;
            let (reconciler, fault) = world.faulty(Fault::cut_nth(n));
            drop(reconciler.reconcile(&new()).await);
            if !fault.is_cut() {
                break;
            }
            let left = world.names().await;
            let alone = Goals::one(named("z-base"), new().get(&named("z-base")).unwrap().clone());

            let report = world.reconciler().taking_over(true).reconcile(&alone).await.unwrap();

            if let Some((_, failure)) = report.failures().next() {
                conflicts += 1;
                assert_eq!(failure.error.kind(), ErrorKind::Conflict);
                assert!(failure.error.report().contains("joiner"), "{n} {left:?} {failure}");
                assert_eq!(world.names().await, left);
            }
            reach(&world, 2).await;
            assert_all_run(&world, &format!("cut at call {n}, left {left:?}")).await;
        }
        assert!(conflicts > 20, "there were only {conflicts} conflicts");
    });
}

#[test]
fn containers_that_have_joined_each_other_are_made_and_replaced_and_removed_together() {
    in_time(async {
        let world = World::new().await;
        reach(&world, 1).await;
        assert!(world.reconciler().plan(&wanted(1)).await.unwrap().is_empty());

        let report = reach(&world, 2).await;

        let replaced: Vec<String> =
            report.containers.iter().filter(|one| one.is_changed()).map(|one| one.name.to_string()).collect();
        assert_eq!(replaced.len(), 4, "{report}");
        assert_all_run(&world, "replaced").await;
        let absent: Goals =
            wanted(2).iter().map(|(name, _)| (name.clone(), Goal::Absent { volumes: false, grace: None })).collect();
        let removed = world.reconciler().reconcile(&absent).await.unwrap();
        assert!(removed.is_success(), "{removed}");
        assert_eq!(world.names().await, ["other"]);
    });
}

/// When the new base fails, those that have joined it go on with the old one.
#[test]
fn a_base_that_fails_leaves_all_that_have_joined_it_running() {
    in_time(async {
        let world = World::new().await;
        reach(&world, 1).await;
        let before = world.containers().await;
        let bad = Goal::running(spec(json!({"image": "localhost/kit/exits:1", "mounts": ["/data"]})));
        let goals: Goals = wanted(1)
            .iter()
            .map(|(name, goal)| {
                let goal = if name.as_str() == "z-base" { bad.clone() } else { goal.clone() };
                (name.clone(), goal)
            })
            .collect();

        let report = world.reconciler().reconcile(&goals).await.unwrap();

        assert!(!report.is_success());
        assert_all_run(&world, "the base has failed").await;
        assert_eq!(ids(&world.containers().await), ids(&before));
        assert!(world.reconciler().plan(&wanted(1)).await.unwrap().is_empty());
    });
}
