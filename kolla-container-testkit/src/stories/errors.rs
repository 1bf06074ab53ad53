//! What others do between a plan and its apply, or while one looks: it is said, and nothing is lost.

use std::error::Error as _;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{self, Either};
use kolla_container_core::apply::Undone;
use kolla_container_core::plan::Effect;
use kolla_container_core::state::Owner;
use kolla_container_core::{ContainerSpec, ErrorKind, Goal, Goals, Timestamp, Violation, Violations, VolumeName};
use serde_json::json;
use tokio::time::sleep;

use super::sh;
use crate::cases;
use crate::harness::Harness;

cases! { "errors";
    a_next_one_that_somebody_else_made_after_the_plan_is_a_conflict_and_is_left_alone;
    a_name_that_was_taken_after_the_plan_is_a_conflict_and_is_left_alone;
    a_container_that_vanished_after_the_plan_is_a_conflict_and_its_data_stays;
    a_container_that_vanished_before_its_update_is_not_found ["update:resources.pids_limit"];
    a_replacement_that_another_program_holds_is_a_conflict_that_says_since_and_until_when;
    two_programs_that_replace_one_container_at_the_same_time_do_not_disturb_each_other;
    containers_that_come_and_go_meanwhile_disturb_no_plan;
}

fn numbered(h: &Harness, number: u32) -> ContainerSpec {
    h.spec(json!({"environment": {"NUMBER": number.to_string()}, "mounts": ["/data"]}))
}

fn running(h: &Harness, number: u32) -> Goal {
    Goal::running(numbered(h, number))
}

async fn a_next_one_that_somebody_else_made_after_the_plan_is_a_conflict_and_is_left_alone(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let plan = h.plan(&name, running(h, 2)).await;
    let theirs = h.start(&name.next(), &h.spec(json!({"mounts": ["/theirs"]}))).await;
    let before = (h.see(&name).await, h.see_id(&theirs).await);

    let report = h.reconciler().apply(&plan).await;

    let failure = report.containers[0].outcome.as_ref().unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Conflict);
    assert!(failure.to_string().contains(name.next().as_str()), "{failure}");
    assert!(!report.is_changed(), "{report}");
    assert_eq!((h.see(&name).await, h.see_id(&theirs).await), before);
}

async fn a_name_that_was_taken_after_the_plan_is_a_conflict_and_is_left_alone(h: &Harness) {
    let name = h.name("web");
    let plan = h.plan(&name, running(h, 1)).await;
    h.start(&name, &h.spec(json!({"mounts": ["/theirs"]}))).await;
    let before = h.see(&name).await;

    let report = h.reconciler().apply(&plan).await;

    let failure = report.containers[0].outcome.as_ref().unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Conflict);
    assert!(failure.to_string().contains(name.as_str()), "{failure}");
    assert!(!report.is_changed(), "{report}");
    assert_eq!(h.see(&name).await, before);
}

async fn a_container_that_vanished_after_the_plan_is_a_conflict_and_its_data_stays(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let before = h.see(&name).await;
    let volume: VolumeName = before.anonymous_volumes().next().unwrap().1.clone();
    h.remember_volume(&volume);
    sh(h, &before.id, "echo treasure >/data/file").await;
    let plan = h.plan(&name, running(h, 2)).await;
    h.runtime().remove_container(&before.id).await.unwrap();

    let report = h.reconciler().apply(&plan).await;

    let failure = report.containers[0].outcome.as_ref().unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Conflict);
    assert!(failure.to_string().contains("is not the one that was planned for any more"), "{failure}");
    assert!(matches!(failure.undone, Undone::Completely), "{failure}");
    assert_eq!(h.containers().await, Vec::<String>::new());
    let mounts = json!({"mounts": [format!("{volume}:/data")]});
    let other = h.start(&h.name("other"), &h.spec(mounts)).await;
    assert_eq!(sh(h, &other, "cat /data/file").await, "treasure\n");
    h.reach(&name, running(h, 2)).await;
}

async fn a_container_that_vanished_before_its_update_is_not_found(h: &Harness) {
    let name = h.name("web");
    let limited = |pids: u32| Goal::running(h.spec(json!({"resources": {"pids_limit": pids}})));
    h.reach(&name, limited(100)).await;
    let plan = h.plan(&name, limited(200)).await;
    let id = h.see(&name).await.id;
    h.runtime().remove_container(&id).await.unwrap();

    let report = h.reconciler().apply(&plan).await;

    assert_eq!(plan.containers[0].effect, Effect::Updated, "{plan}");
    let failure = report.containers[0].outcome.as_ref().unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::NotFound);
    assert!(failure.to_string().contains(id.short()), "{failure}");
    assert!(!report.is_changed(), "{report}");
    h.reach(&name, limited(200)).await;
}

/// Sees that a spec is refused before anything is done, with the path of everything in it that cannot be.
pub async fn assert_refused(h: &Harness, spec: ContainerSpec, mut expected: Vec<&str>) {
    let name = h.name("web");
    let (reconciler, tally) = h.watched();

    let error = reconciler.reconcile(&Goals::one(name.clone(), Goal::running(spec))).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Rejected);
    let violations: &Violations = error.source().and_then(|source| source.downcast_ref()).unwrap();
    let below = format!("containers[{name}].");
    let mut paths: Vec<&str> =
        violations.iter().map(|Violation { path, .. }| path.as_str().trim_start_matches(&below)).collect();
    paths.sort_unstable();
    expected.sort_unstable();
    assert_eq!(paths, expected, "{violations}");
    assert_eq!(tally.writes(), Vec::<&str>::new());
    assert_eq!(h.look(&name).await, None);
}

async fn a_replacement_that_another_program_holds_is_a_conflict_that_says_since_and_until_when(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let old = h.see(&name).await;
    let until: Timestamp = "2999-01-02T03:04:05Z".parse().unwrap();
    let mark = Owner { replaces: Some(old.id.clone()), until: Some(until), ..Owner::default() };
    h.create(&name.next(), &mark.mark(numbered(h, 2))).await;
    let before = (h.see(&name).await, h.see(&name.next()).await);

    let report = h.try_to_reach(&name, running(h, 3)).await;

    let failure = report.containers[0].outcome.as_ref().unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Conflict);
    let text = failure.to_string();
    let since = before.1.created.whole_seconds();
    assert!(text.contains(&format!("by another run since {since}, until {until} at the latest")), "{text}");
    assert!(matches!(failure.undone, Undone::NothingToUndo), "{failure}");
    assert_eq!((h.see(&name).await, h.see(&name.next()).await), before);
}

async fn two_programs_that_replace_one_container_at_the_same_time_do_not_disturb_each_other(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let replaced = |number: u32, settle: &str| {
        let environment = json!({"NUMBER": number.to_string()});
        let spec = h.spec(json!({"environment": environment, "mounts": ["/data"], "deploy": {"settle": settle}}));
        Goals::one(name.clone(), Goal::running(spec))
    };
    let (one, other) = (h.reconciler(), h.reconciler());
    let late = async {
        while h.look(&name.previous()).await.is_none() || h.look(&name).await.is_none() {
            sleep(Duration::from_millis(20)).await;
        }
        other.reconcile(&replaced(3, "8s")).await.unwrap()
    };

    // The other one has to look, and be refused, meanwhile.
    let goals = replaced(2, "20s");
    let (early, late) = future::join(one.reconcile(&goals), late).await;
    let early = early.unwrap();

    assert!(early.is_success(), "{early}");
    let failure = late.containers[0].outcome.as_ref().unwrap_err();
    assert_eq!(failure.error.kind(), ErrorKind::Conflict);
    assert!(failure.to_string().contains("it is being replaced by another run since"), "{failure}");
    assert_eq!(h.containers().await, ["web"]);
    h.assert_reached(&name, running(h, 2)).await;
    let again = other.reconcile(&replaced(3, "8s")).await.unwrap();
    assert!(again.is_success(), "{again}");
    h.assert_reached(&name, running(h, 3)).await;
}

/// A worker of kolla-ansible fails when any container at all vanishes between its list and its look at each.
async fn containers_that_come_and_go_meanwhile_disturb_no_plan(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, running(h, 1)).await;
    let come_and_go = async {
        for number in 0..20 {
            let id = h.create(&h.name(&format!("other-{number}")), &h.spec(json!({}))).await;
            h.runtime().remove_container(&id).await.unwrap();
        }
    };
    let goals: Goals = (0..20)
        .map(|number| (h.name(&format!("other-{number}")), Goal::Absent { volumes: false, grace: None }))
        .chain([(name.clone(), running(h, 1))])
        .collect();
    let look = async {
        loop {
            h.reconciler().plan(&goals).await.unwrap();
        }
    };

    let (come_and_go, look) = (pin!(come_and_go), pin!(look));
    let ended = future::select(come_and_go, look).await;

    assert!(matches!(ended, Either::Left(_)), "the looks ended before the changes");
    h.assert_reached(&name, running(h, 1)).await;
}
