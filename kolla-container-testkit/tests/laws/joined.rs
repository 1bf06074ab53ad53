//! Containers that have joined each other, replaced together and cut at every call.

use kolla_container_core::layer::Fault;
use kolla_container_core::state::Status;
use kolla_container_core::{ContainerName, Goal, Goals, Report};
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

async fn cut_everywhere(supervised: bool) {
    let begin = async || {
        let world = if supervised { World::supervised().await } else { World::new().await };
        reach(&world, 1).await;
        world
    };
    let mut cuts = 0;
    for n in 1.. {
        for after in [false, true] {
            let world = begin().await;
            let alone = world.containers().await["alone"].id.clone();
            let data = world.containers().await["z-base"].volumes.clone();
            let (reconciler, fault) = world.faulty(if after { Fault::cut_nth_after(n) } else { Fault::cut_nth(n) });
            drop(reconciler.reconcile(&wanted(2)).await);
            if !fault.is_cut() {
                assert!(cuts > 60, "there were only {cuts} cuts");
                return;
            }
            cuts += 1;
            let said = format!("cut at call {n}, after: {after}, supervised: {supervised}");

            let report = world.reconciler().taking_over(true).reconcile(&wanted(2)).await.unwrap();

            assert!(report.is_success(), "{said}: {report}");
            assert_all_run(&world, &said).await;
            let plan = world.reconciler().plan(&wanted(2)).await.unwrap();
            assert!(plan.is_empty(), "{said}: {plan}");
            assert_eq!(world.containers().await["alone"].id, alone, "{said}");
            assert_eq!(world.containers().await["z-base"].volumes, data, "{said}");
        }
    }
}

#[test]
fn containers_that_have_joined_each_other_are_made_good_wherever_they_are_cut() {
    in_time(cut_everywhere(false));
}

#[test]
fn supervised_containers_that_have_joined_each_other_are_made_good_wherever_they_are_cut() {
    in_time(cut_everywhere(true));
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
        let absent: Goals = wanted(2).iter().map(|(name, _)| (name.clone(), Goal::Absent { volumes: false })).collect();
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
        let ids = |containers: &std::collections::BTreeMap<String, kolla_container_core::state::ContainerState>| {
            containers.values().map(|state| state.id.clone()).collect::<Vec<_>>()
        };
        assert_eq!(ids(&world.containers().await), ids(&before));
        assert!(world.reconciler().plan(&wanted(1)).await.unwrap().is_empty());
    });
}
