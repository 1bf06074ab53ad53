//! Any spec, and any two of them.

use kolla_container_core::layer::Fault;
use kolla_container_core::plan::Cause;
use kolla_container_core::{ContainerSpec, ErrorKind, Goal, Runtime};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::specs::{cases, pairs, specs};
use crate::world::{World, goals, in_time, subject};

fn running(spec: &ContainerSpec) -> Goal {
    Goal::running(spec.clone())
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn a_spec_reads_back_from_what_it_is_written_as(spec in specs()) {
        let text = serde_json::to_string(&spec).unwrap();

        let from_text: ContainerSpec = serde_json::from_str(&text).unwrap();
        let from_tree = ContainerSpec::from_value(serde_json::to_value(&spec).unwrap()).unwrap();

        prop_assert_eq!(&from_text, &spec);
        prop_assert_eq!(&from_tree, &spec);
        prop_assert_eq!(serde_json::to_string(&from_text).unwrap(), text);
    }

    /// THE law: `diff(spec, read_back(create(spec)))` is empty.
    #[test]
    fn what_was_created_is_as_it_was_wanted(spec in specs()) {
        in_time(async {
            let world = World::new().await;
            world.engine.create_container(&subject(), &spec).await.unwrap();

            let plan = world.reconciler().plan(&goals(Goal::Created(Box::new(spec)))).await.unwrap();

            prop_assert!(plan.is_empty(), "{plan}");
            Ok(())
        })?;
    }

    #[test]
    fn from_any_spec_to_any_other_one_run_converges_and_the_next_does_nothing((a, b) in pairs()) {
        in_time(async {
            let world = World::new().await;
            world.reach(running(&a)).await;
            world.assert_reached(running(&a)).await;

            world.reach(running(&b)).await;

            world.assert_reached(running(&b)).await;
            prop_assert_eq!(world.names().await, ["other", "subject"]);
            prop_assert!(world.is_running().await);
            Ok(())
        })?;
    }

    #[test]
    fn a_container_under_a_supervisor_converges_too((a, b) in pairs()) {
        in_time(async {
            let world = World::supervised().await;
            world.reach(running(&a)).await;
            world.assert_reached(running(&a)).await;

            world.reach(running(&b)).await;

            world.assert_reached(running(&b)).await;
            prop_assert_eq!(world.names().await, ["other", "subject"]);
            prop_assert!(world.is_running().await);
            Ok(())
        })?;
    }

    #[test]
    fn every_step_has_a_cause_and_no_change_has_no_step((a, b) in pairs()) {
        in_time(async {
            let world = World::new().await;
            world.reach(running(&a)).await;

            let plan = world.reconciler().plan(&goals(running(&b))).await.unwrap();

            let plan = &plan.containers[0];
            let fields: Vec<_> = plan.changes.iter().map(|change| change.field.clone()).collect();
            prop_assert_eq!(plan.changes.is_empty(), plan.steps.is_empty());
            for step in &plan.steps {
                prop_assert_eq!(&step.cause, &Cause::Differs(fields.clone()));
            }
            prop_assert!(plan.changes.iter().all(|change| !change.entries.is_empty()));
            Ok(())
        })?;
    }

    #[test]
    fn an_export_of_any_container_is_a_spec_with_which_nothing_is_to_do(spec in specs()) {
        in_time(async {
            let world = World::new().await;
            world.reach(running(&spec)).await;

            let exported = world.reconciler().export(&subject()).await.unwrap().unwrap();

            prop_assert!(exported.validate().is_empty(), "{}", exported.validate());
            world.assert_reached(Goal::running(exported)).await;
            Ok(())
        })?;
    }
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_call_that_fails_never_leaves_fewer_containers_running((a, b) in pairs(), start_first in any::<bool>()) {
        for after in [false, true] {
            in_time(fail_each_call(&a, &b, start_first, after))?;
        }
    }
}

/// Lets each call of a replacement fail in turn, with or without its effect.
async fn fail_each_call(
    a: &ContainerSpec,
    b: &ContainerSpec,
    start_first: bool,
    after: bool,
) -> Result<(), TestCaseError> {
    // A container that removes itself when it stops cannot come back; plans say so.
    let a = ContainerSpec { auto_remove: None, ..a.clone() };
    let mut b = b.clone();
    if start_first {
        b.deploy.replace = Some(kolla_container_core::spec::ReplaceOrder::StartFirst);
    }
    for n in 1.. {
        let world = World::new().await;
        world.reach(running(&a)).await;
        let (old, up) = (world.subject().await, world.up().await);
        let fault = if after {
            Fault::fail_nth_after(n, ErrorKind::EngineFailed)
        } else {
            Fault::fail_nth(n, ErrorKind::EngineFailed)
        };
        let (reconciler, fault) = world.faulty(fault);

        let outcome = reconciler.reconcile(&goals(running(&b))).await;

        prop_assert!(world.up().await >= up, "after a failure of call {n}: {:?}", world.names().await);
        let new = world.subject().await;
        let is_old = new.id == old.id && new.status == old.status;
        let is_new = new.id != old.id && new.status == kolla_container_core::state::Status::Running;
        prop_assert!(is_old || is_new, "after a failure of call {n}: {new:?}");
        world.reconciler().taking_over(true).reconcile(&goals(running(&b))).await.unwrap();
        world.assert_reached(running(&b)).await;
        prop_assert_eq!(world.names().await, ["other", "subject"]);
        if fault.calls() < n {
            prop_assert!(outcome.is_ok_and(|report| report.is_success()));
            break;
        }
    }
    Ok(())
}
