//! What a reconcile does with each goal: once, and a second time nothing.

use kolla_container_core::plan::{Effect, RunOptions};
use kolla_container_core::spec::{RestartPolicy, Signal};
use kolla_container_core::state::{ContainerUpdate, Health, Owner, Status};
use kolla_container_core::{ContainerName, ContainerSpec, ErrorKind, Goal, Goals, Limit, TimeSpan, Violations};
use serde_json::{Value, json};

use super::cases;
use crate::harness::{Harness, Kind};
use crate::images::{Images, Program};

cases! { "reconcile";
    a_plan_changes_nothing;
    a_missing_container_is_made_and_runs_and_then_nothing_is_to_do;
    what_an_image_implies_is_no_difference;
    a_missing_image_is_pulled ["registry"] exclusive;
    an_image_for_two_containers_is_pulled_once ["registry"] exclusive;
    an_image_that_cannot_be_pulled_makes_nothing ["registry"];
    a_named_volume_is_made_before_its_container;
    a_new_volume_is_taken_back_when_the_container_cannot_be_made;
    a_goal_that_is_only_made_does_not_run;
    a_container_that_is_only_to_be_made_may_run;
    a_goal_that_is_paused_is_made_and_frozen;
    a_running_container_is_frozen_and_goes_on;
    a_goal_that_is_healthy_waits_until_it_is;
    a_goal_that_is_running_does_not_wait_for_health_where_it_runs_already;
    an_unhealthy_container_is_restarted_when_it_should_be_healthy;
    a_container_that_does_not_get_healthy_in_time_is_a_failure;
    a_stopped_goal_stops_once;
    a_stopped_goal_stops_a_paused_container;
    a_stopped_goal_of_a_missing_container_is_reached;
    a_stopped_goal_uses_its_grace_time;
    an_absent_goal_removes_once_and_keeps_the_volumes;
    an_absent_goal_takes_the_anonymous_volumes_along_when_asked;
    an_absent_goal_of_a_missing_container_is_reached;
    a_restart_is_done_each_time;
    a_restart_of_a_missing_container_is_not_found;
    a_kill_is_done_each_time;
    a_replace_is_done_each_time;
    a_run_answers_exit_status_and_output_and_leaves_nothing;
    a_run_that_fails_answers_its_exit_status;
    a_run_keeps_its_container_when_asked;
    a_run_that_takes_too_long_is_ended_and_removed;
    a_run_refuses_to_replace_what_runs;
    a_run_replaces_what_runs_when_asked;
    a_stopped_container_is_started_and_not_replaced;
    a_killed_container_is_started_and_not_replaced;
    a_paused_container_goes_on;
    a_removed_container_is_made_again;
    a_new_container_that_nobody_started_is_started;
    a_limit_changed_by_others_is_put_right_in_place ["update:resources.pids_limit"];
    a_restart_policy_changed_by_others_is_put_right_in_place ["update:restart"];
    a_network_left_by_others_is_put_right;
    an_image_whose_name_moved_on_is_one_change exclusive;
    a_limit_is_updated_while_the_container_runs ["update:resources.memory"];
    a_limit_that_is_taken_away_takes_a_new_container;
    several_limits_are_one_update ["update:resources.memory", "update:resources.cpu_shares", "update:restart"];
    all_violations_of_all_goals_are_said_at_once;
    a_goal_that_refers_to_nobody_is_refused;
    goals_that_refer_to_each_other_in_a_circle_are_refused;
    a_network_that_is_not_there_is_refused_before_anything_is_made;
    a_name_of_ours_is_refused;
    a_failure_of_one_does_not_keep_the_others;
    who_refers_to_a_failed_one_is_not_touched;
    who_is_referred_to_comes_first;
    a_fresh_configuration_is_left_alone;
    a_stale_configuration_restarts_the_container;
    a_stale_configuration_takes_a_new_container_where_that_is_asked;
    a_config_check_that_cannot_run_is_an_error;
    a_config_check_runs_only_when_asked_and_only_when_nothing_else_is_to_do;
    an_export_is_a_spec_with_which_nothing_is_to_do;
    an_export_states_a_host_name_that_is_its_own;
    an_export_of_a_missing_container_is_none;
    devices_of_a_privileged_container_are_no_difference_until_they_change;
    what_another_container_lends_may_be_mounted_as_well ["volumes_from"];
    a_volume_that_may_be_lent_stays ["volumes_from"];
    reconciling_nothing_asks_nothing;
}

fn one(name: &ContainerName, goal: Goal) -> Goals {
    Goals::one(name.clone(), goal)
}

async fn a_plan_changes_nothing(h: &Harness) {
    let name = h.name("web");
    let (reconciler, tally) = h.watched();

    let plan = reconciler.plan(&one(&name, Goal::running(h.spec(json!({"mounts": ["/data"]}))))).await.unwrap();

    assert_eq!(plan.containers[0].effect, Effect::Created);
    assert!(!plan.is_empty());
    assert_eq!(tally.writes(), Vec::<&str>::new());
    assert_eq!(h.look(&name).await, None);
}

async fn a_missing_container_is_made_and_runs_and_then_nothing_is_to_do(h: &Harness) {
    let name = h.name("web");
    let goal = || Goal::running(h.spec(json!({"environment": {"A": "1"}, "labels": {"b": "2"}, "mounts": ["/data"]})));

    let report = h.reach(&name, goal()).await;

    assert_eq!(report.containers[0].effect, Effect::Created);
    assert_eq!(h.see(&name).await.status, Status::Running);
    let owner = h.see(&name).await.owner;
    assert!(owner.applied.is_some(), "nothing records what was stated");
    assert_eq!(Owner { applied: None, ..owner }, Owner::default());
    h.assert_reached(&name, goal()).await;
}

async fn what_an_image_implies_is_no_difference(h: &Harness) {
    let name = h.name("web");
    let goal = || Goal::running(h.made_from(&h.images().furnished));

    h.reach(&name, goal()).await;

    h.assert_reached(&name, goal()).await;
}

async fn a_missing_image_is_pulled(h: &Harness) {
    h.remember_image(&h.images().remote);
    let name = h.name("web");
    let goal = || Goal::running(h.made_from(&h.images().remote));

    let plan = h.plan(&name, goal()).await;
    h.reach(&name, goal()).await;

    assert!(plan.to_string().contains("pull"), "{plan}");
    assert_eq!(h.see(&name).await.image_id, h.see_image(&h.images().remote).await.id);
    h.assert_reached(&name, goal()).await;
}

async fn an_image_for_two_containers_is_pulled_once(h: &Harness) {
    h.remember_image(&h.images().remote);
    let (reconciler, tally) = h.watched();
    let goal = |_| Goal::running(h.made_from(&h.images().remote));
    let goals: Goals = ["one", "two", "three"].map(|what| (h.name(what), goal(what))).into_iter().collect();

    let report = reconciler.reconcile(&goals).await.unwrap();

    assert!(report.is_success(), "{report}");
    assert_eq!(tally.count("pull_image"), 1);
}

async fn an_image_that_cannot_be_pulled_makes_nothing(h: &Harness) {
    let (name, volume) = (h.name("web"), h.volume("data"));
    let spec = h.spec(json!({"image": h.images().absent.to_string(), "mounts": [format!("{volume}:/data")]}));

    let report = h.try_to_reach(&name, Goal::running(spec)).await;

    let (_, failure) = report.failures().next().unwrap();
    assert_eq!(failure.error.kind(), ErrorKind::NotFound);
    assert!(!report.is_changed());
    assert_eq!(h.look(&name).await, None);
    assert_eq!(h.runtime().volume(&volume).await.unwrap(), None);
}

async fn a_named_volume_is_made_before_its_container(h: &Harness) {
    let (name, volume) = (h.name("web"), h.volume("data"));
    let goal = || Goal::running(h.spec(json!({"mounts": [format!("{volume}:/data"), format!("{volume}:/again:ro")]})));
    let (reconciler, tally) = h.watched();

    let report = reconciler.reconcile(&one(&name, goal())).await.unwrap();

    assert!(report.is_success(), "{report}");
    assert_eq!(tally.writes(), ["create_volume", "create_container", "start_container"]);
    h.assert_reached(&name, goal()).await;
}

async fn a_new_volume_is_taken_back_when_the_container_cannot_be_made(h: &Harness) {
    let (name, new, old) = (h.name("web"), h.volume("new"), h.make_volume("old").await);
    let spec = h.spec(json!({
        "image": h.images().fails_to_start.to_string(),
        "mounts": [format!("{new}:/new"), format!("{old}:/old"), "/anonymous"],
    }));

    let report = h.try_to_reach(&name, Goal::running(spec)).await;

    assert!(!report.is_success());
    assert_eq!(h.look(&name).await, None);
    assert_eq!(h.runtime().volume(&new).await.unwrap(), None);
    assert!(h.runtime().volume(&old).await.unwrap().is_some());
}

async fn a_goal_that_is_only_made_does_not_run(h: &Harness) {
    let name = h.name("web");
    let goal = || Goal::Created(Box::new(h.spec(json!({}))));

    h.reach(&name, goal()).await;

    assert_eq!(h.see(&name).await.status, Status::Created);
    h.assert_reached(&name, goal()).await;
}

async fn a_container_that_is_only_to_be_made_may_run(h: &Harness) {
    let name = h.name("web");
    h.start(&name, &h.spec(json!({}))).await;

    h.assert_reached(&name, Goal::Created(Box::new(h.spec(json!({}))))).await;

    assert_eq!(h.see(&name).await.status, Status::Running);
}

async fn a_goal_that_is_paused_is_made_and_frozen(h: &Harness) {
    let name = h.name("web");
    let goal = || Goal::Paused(Box::new(h.spec(json!({}))));

    h.reach(&name, goal()).await;

    assert_eq!(h.see(&name).await.status, Status::Paused);
    h.assert_reached(&name, goal()).await;
}

async fn a_running_container_is_frozen_and_goes_on(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::running(h.spec(json!({})))).await;
    let before = h.see(&name).await;

    let frozen = h.reach(&name, Goal::Paused(Box::new(h.spec(json!({}))))).await;
    let status = h.see(&name).await.status;
    let gone_on = h.reach(&name, Goal::running(h.spec(json!({})))).await;

    assert_eq!((frozen.containers[0].effect, status), (Effect::Paused, Status::Paused));
    assert_eq!(gone_on.containers[0].effect, Effect::Unpaused);
    let after = h.see(&name).await;
    assert_eq!((after.status, after.id, after.started), (Status::Running, before.id, before.started));
}

async fn a_goal_that_is_healthy_waits_until_it_is(h: &Harness) {
    let name = h.name("web");
    let goal = || Goal::healthy(h.made_from(&h.images().healthy));

    h.reach(&name, goal()).await;

    assert_eq!(h.see(&name).await.health, Some(Health::Healthy));
    h.assert_reached(&name, goal()).await;
}

async fn a_goal_that_is_running_does_not_wait_for_health_where_it_runs_already(h: &Harness) {
    let name = h.name("web");
    h.start(&name, &h.made_from(&h.images().never_healthy)).await;

    h.assert_reached(&name, Goal::running(h.made_from(&h.images().never_healthy))).await;
}

async fn an_unhealthy_container_is_restarted_when_it_should_be_healthy(h: &Harness) {
    let name = h.name("web");
    let id = h.start(&name, &h.made_from(&h.images().unhealthy)).await;
    let before = h.wait_until(&id, |state| state.health == Some(Health::Unhealthy)).await;

    let plan = h.plan(&name, Goal::healthy(h.made_from(&h.images().unhealthy))).await;
    let report = h.try_to_reach(&name, Goal::healthy(h.made_from(&h.images().unhealthy))).await;

    assert_eq!(plan.containers[0].effect, Effect::Restarted);
    assert!(!report.is_success());
    let after = h.see(&name).await;
    assert_eq!((after.id, after.status), (before.id, Status::Running));
    assert!(after.started > before.started);
    h.assert_reached(&name, Goal::running(h.made_from(&h.images().unhealthy))).await;
}

async fn a_container_that_does_not_get_healthy_in_time_is_a_failure(h: &Harness) {
    let name = h.name("web");
    let image = h.images().never_healthy.to_string();
    let spec = h.spec(json!({"image": image, "deploy": {"deadlines": {"healthy": "2s", "request": "2s"}}}));

    let report = h.try_to_reach(&name, Goal::healthy(spec)).await;

    let (_, failure) = report.failures().next().unwrap();
    assert_eq!(failure.error.kind(), ErrorKind::TimedOut);
}

async fn a_stopped_goal_stops_once(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::running(h.spec(json!({})))).await;

    let report = h.reach(&name, Goal::Stopped { grace: None }).await;

    assert_eq!(report.containers[0].effect, Effect::Stopped);
    assert_eq!(h.see(&name).await.status, Status::Exited);
    h.assert_reached(&name, Goal::Stopped { grace: None }).await;
}

async fn a_stopped_goal_stops_a_paused_container(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::Paused(Box::new(h.spec(json!({}))))).await;

    h.reach(&name, Goal::Stopped { grace: Some(TimeSpan::from_secs(1)) }).await;

    assert_eq!(h.see(&name).await.status, Status::Exited);
}

async fn a_stopped_goal_of_a_missing_container_is_reached(h: &Harness) {
    h.assert_reached(&h.name("web"), Goal::Stopped { grace: None }).await;

    let new = h.name("new");
    h.create(&new, &h.spec(json!({}))).await;
    h.assert_reached(&new, Goal::Stopped { grace: None }).await;
}

async fn a_stopped_goal_uses_its_grace_time(h: &Harness) {
    let name = h.name("stubborn");
    let spec = h.spec(json!({"image": h.images().stubborn.to_string(), "stop_timeout": "1h"}));
    h.start(&name, &spec).await;
    let begun = tokio::time::Instant::now();

    h.reach(&name, Goal::Stopped { grace: Some(TimeSpan::from_secs(1)) }).await;

    assert!(begun.elapsed() < std::time::Duration::from_mins(30), "{:?}", begun.elapsed());

    assert_eq!(h.see(&name).await.exit.map(|exit| exit.code), Some(137));
}

async fn an_absent_goal_removes_once_and_keeps_the_volumes(h: &Harness) {
    let (name, named) = (h.name("web"), h.volume("data"));
    h.reach(&name, Goal::running(h.spec(json!({"mounts": [format!("{named}:/named"), "/anonymous"]})))).await;
    let volumes = h.see(&name).await.volumes;
    for volume in volumes.values() {
        h.remember_volume(volume);
    }

    let report = h.reach(&name, Goal::Absent { volumes: false, grace: None }).await;

    assert_eq!(report.containers[0].effect, Effect::Removed);
    assert_eq!(h.look(&name).await, None);
    assert_eq!(volumes.len(), 2);
    for volume in volumes.values() {
        assert!(h.runtime().volume(volume).await.unwrap().is_some(), "{volume} is gone");
    }
    h.assert_reached(&name, Goal::Absent { volumes: false, grace: None }).await;
}

async fn an_absent_goal_takes_the_anonymous_volumes_along_when_asked(h: &Harness) {
    let (name, named) = (h.name("web"), h.volume("data"));
    let image = h.images().furnished.to_string();
    let spec = h.spec(json!({"image": image, "mounts": [format!("{named}:/named"), "/anonymous"]}));
    h.reach(&name, Goal::running(spec)).await;
    let state = h.see(&name).await;
    let anonymous: Vec<_> = state.anonymous_volumes().map(|(_, volume)| volume.clone()).collect();

    h.reach(&name, Goal::Absent { volumes: true, grace: None }).await;

    assert_eq!(anonymous.len(), 2);
    for volume in &anonymous {
        assert_eq!(h.runtime().volume(volume).await.unwrap(), None, "{volume} is still there");
    }
    assert!(h.runtime().volume(&named).await.unwrap().is_some());
}

async fn an_absent_goal_of_a_missing_container_is_reached(h: &Harness) {
    h.assert_reached(&h.name("web"), Goal::Absent { volumes: true, grace: None }).await;
}

async fn a_restart_is_done_each_time(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::running(h.spec(json!({})))).await;
    let before = h.see(&name).await;

    h.reach(&name, Goal::Restart { grace: None }).await;
    let once = h.see(&name).await;
    h.reach(&name, Goal::Restart { grace: None }).await;
    let twice = h.see(&name).await;

    assert!(before.started < once.started && once.started < twice.started);
    assert_eq!((before.id, twice.status), (twice.id, Status::Running));
}

async fn a_restart_of_a_missing_container_is_not_found(h: &Harness) {
    let report = h.try_to_reach(&h.name("web"), Goal::Restart { grace: None }).await;

    assert_eq!(report.failures().next().unwrap().1.error.kind(), ErrorKind::NotFound);
}

async fn a_kill_is_done_each_time(h: &Harness) {
    let name = h.name("web");
    let id = h.start(&name, &h.spec(json!({}))).await;

    let report = h.reach(&name, Goal::Kill { signal: Signal::KILL }).await;
    h.wait_until(&id, |state| state.status == Status::Exited).await;
    let again = h.try_to_reach(&name, Goal::Kill { signal: Signal::KILL }).await;

    assert_eq!(report.containers[0].effect, Effect::Killed);
    assert_eq!(again.failures().next().unwrap().1.error.kind(), ErrorKind::Conflict);
}

async fn a_replace_is_done_each_time(h: &Harness) {
    let name = h.name("web");
    let goal = || Goal::Replace(Box::new(h.spec(json!({}))));

    h.reach(&name, goal()).await;
    let first = h.see(&name).await;
    let report = h.reach(&name, goal()).await;
    let second = h.see(&name).await;

    assert_eq!(report.containers[0].effect, Effect::Replaced);
    assert_ne!(first.id, second.id);
    assert_eq!(second.status, Status::Running);
    assert_eq!(h.containers().await, ["web"]);
}

async fn a_run_answers_exit_status_and_output_and_leaves_nothing(h: &Harness) {
    let name = h.name("job");
    let goal = || Goal::Run(Box::new(h.made_from(&h.images().done)), RunOptions::default());

    let report = h.reach(&name, goal()).await;

    let output = report.containers[0].output.as_ref().unwrap();
    assert_eq!(report.containers[0].effect, Effect::Ran);
    assert_eq!(output.code, 0);
    assert_eq!(String::from_utf8_lossy(&output.stdout), Images::STDOUT);
    assert_eq!(String::from_utf8_lossy(&output.stderr), Images::STDERR);
    assert_eq!(h.containers().await, Vec::<String>::new());
    assert!(h.reach(&name, goal()).await.is_changed());
}

async fn a_run_that_fails_answers_its_exit_status(h: &Harness) {
    let goal = Goal::Run(Box::new(h.made_from(&h.images().exits)), RunOptions::default());

    let report = h.reach(&h.name("job"), goal).await;

    assert_eq!(report.containers[0].output.as_ref().unwrap().code, 3);
    assert_eq!(h.containers().await, Vec::<String>::new());
}

async fn a_run_keeps_its_container_when_asked(h: &Harness) {
    let name = h.name("job");
    let options = RunOptions { remove: false, ..RunOptions::default() };
    let goal = || Goal::Run(Box::new(h.made_from(&h.images().exits)), options);

    h.reach(&name, goal()).await;
    let first = h.see(&name).await;
    h.reach(&name, goal()).await;
    let second = h.see(&name).await;

    assert_eq!((first.status, first.exit.map(|exit| exit.code)), (Status::Exited, Some(3)));
    assert_ne!(first.id, second.id);
}

async fn a_run_that_takes_too_long_is_ended_and_removed(h: &Harness) {
    let options = RunOptions { deadline: Some(TimeSpan::from_secs(2)), ..RunOptions::default() };
    let spec = h.spec(json!({"stop_timeout": "1s"}));

    let report = h.try_to_reach(&h.name("job"), Goal::Run(Box::new(spec), options)).await;

    assert_eq!(report.failures().next().unwrap().1.error.kind(), ErrorKind::TimedOut);
    assert_eq!(h.containers().await, Vec::<String>::new());
}

async fn a_run_refuses_to_replace_what_runs(h: &Harness) {
    let name = h.name("job");
    let id = h.start(&name, &h.spec(json!({}))).await;

    let goal = Goal::Run(Box::new(h.made_from(&h.images().done)), RunOptions::default());
    let report = h.try_to_reach(&name, goal).await;

    assert_eq!(report.failures().next().unwrap().1.error.kind(), ErrorKind::Conflict);
    assert_eq!(h.see_id(&id).await.status, Status::Running);
}

async fn a_run_replaces_what_runs_when_asked(h: &Harness) {
    let name = h.name("job");
    let options = RunOptions { over_running: true, remove: false, ..RunOptions::default() };
    let goal = || Goal::Run(Box::new(h.made_from(&h.images().done)), options);
    let running = h.start(&name, &h.spec(json!({}))).await;
    h.reach(&name, goal()).await;
    assert_eq!(h.runtime().container_by_id(&running).await.unwrap(), None);

    h.reach(&name, Goal::Absent { volumes: true, grace: None }).await;
    let paused = h.start(&name, &h.spec(json!({}))).await;
    h.runtime().pause_container(&paused).await.unwrap();
    let report = h.reach(&name, goal()).await;

    assert_eq!(h.runtime().container_by_id(&paused).await.unwrap(), None);
    assert_eq!(report.containers[0].output.as_ref().unwrap().code, 0);
    assert_eq!(h.see(&name).await.status, Status::Exited);
}

async fn a_stopped_container_is_started_and_not_replaced(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::running(h.spec(json!({})))).await;
    let id = h.see(&name).await.id;
    h.runtime().stop_container(&id, None).await.unwrap();

    let plan = h.plan(&name, Goal::running(h.spec(json!({})))).await;
    let report = h.reach(&name, Goal::running(h.spec(json!({})))).await;

    assert!(plan.containers[0].changes.is_empty(), "{plan}");
    assert_eq!(report.containers[0].effect, Effect::Started);
    assert_eq!((h.see(&name).await.id, h.see(&name).await.status), (id, Status::Running));
}

async fn a_killed_container_is_started_and_not_replaced(h: &Harness) {
    let name = h.name("web");
    let id = h.start(&name, &h.spec(json!({}))).await;
    h.runtime().kill_container(&id, Signal::KILL).await.unwrap();
    h.wait_until(&id, |state| state.status == Status::Exited).await;

    h.reach(&name, Goal::running(h.spec(json!({})))).await;

    assert_eq!((h.see(&name).await.id, h.see(&name).await.status), (id, Status::Running));
}

async fn a_paused_container_goes_on(h: &Harness) {
    let name = h.name("web");
    let id = h.start(&name, &h.spec(json!({}))).await;
    h.runtime().pause_container(&id).await.unwrap();

    let report = h.reach(&name, Goal::running(h.spec(json!({})))).await;

    assert_eq!(report.containers[0].effect, Effect::Unpaused);
    assert_eq!(h.see_id(&id).await.status, Status::Running);
}

async fn a_removed_container_is_made_again(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::running(h.spec(json!({})))).await;
    let id = h.see(&name).await.id;
    h.runtime().remove_container(&id).await.unwrap();

    let report = h.reach(&name, Goal::running(h.spec(json!({})))).await;

    assert_eq!(report.containers[0].effect, Effect::Created);
    assert_ne!(h.see(&name).await.id, id);
}

async fn a_new_container_that_nobody_started_is_started(h: &Harness) {
    let name = h.name("web");
    let id = h.create(&name, &h.spec(json!({}))).await;

    let report = h.reach(&name, Goal::running(h.spec(json!({})))).await;

    assert_eq!(report.containers[0].effect, Effect::Started);
    assert_eq!(h.see_id(&id).await.status, Status::Running);
}

async fn a_limit_changed_by_others_is_put_right_in_place(h: &Harness) {
    let name = h.name("web");
    let goal = || Goal::running(h.spec(json!({"resources": {"pids_limit": 100}})));
    h.reach(&name, goal()).await;
    let id = h.see(&name).await.id;
    let mut update = ContainerUpdate::default();
    update.resources.pids_limit = Some(Limit::At(200));
    h.runtime().update_container(&id, &update).await.unwrap();

    let plan = h.plan(&name, goal()).await;
    let report = h.reach(&name, goal()).await;

    assert!(plan.to_string().contains("resources.pids_limit: 200 -> 100"), "{plan}");
    assert_eq!(report.containers[0].effect, Effect::Updated);
    assert_eq!((h.see(&name).await.id, h.see(&name).await.status), (id, Status::Running));
    h.assert_reached(&name, goal()).await;
}

async fn a_restart_policy_changed_by_others_is_put_right_in_place(h: &Harness) {
    let name = h.name("web");
    let goal = || Goal::running(h.spec(json!({"restart": "always"})));
    h.reach(&name, goal()).await;
    let id = h.see(&name).await.id;
    let update = ContainerUpdate { restart: Some(RestartPolicy::No), ..ContainerUpdate::default() };
    h.runtime().update_container(&id, &update).await.unwrap();

    let report = h.reach(&name, goal()).await;

    assert_eq!(report.containers[0].effect, Effect::Updated);
    assert_eq!((h.see(&name).await.id, h.see(&name).await.config.restart), (id, Some(RestartPolicy::Always)));
}

async fn a_network_left_by_others_is_put_right(h: &Harness) {
    let (name, network) = (h.name("web"), h.make_network("net").await);
    let goal = || Goal::running(h.spec(json!({"network": {"networks": {network.to_string(): {}}}})));
    h.reach(&name, goal()).await;
    let id = h.see(&name).await.id;
    h.runtime().disconnect_network(&network, &id).await.unwrap();

    let plan = h.plan(&name, goal()).await;
    h.reach(&name, goal()).await;

    assert!(plan.containers[0].changes.iter().any(|change| change.field.as_str() == "network.networks"), "{plan}");
    assert!(h.see(&name).await.addresses.contains_key(&network));
    h.assert_reached(&name, goal()).await;
}

async fn an_image_whose_name_moved_on_is_one_change(h: &Harness) {
    let (name, image) = (h.name("web"), h.image_name("moving"));
    let (simple, furnished) = (h.see_image(&h.images().plain).await, h.see_image(&h.images().furnished).await);
    h.runtime().tag_image(&simple.id, &image).await.unwrap();
    h.reach(&name, Goal::running(h.made_from(&image))).await;
    h.runtime().tag_image(&furnished.id, &image).await.unwrap();

    let plan = h.plan(&name, Goal::running(h.made_from(&image))).await;
    h.reach(&name, Goal::running(h.made_from(&image))).await;

    let fields: Vec<_> = plan.containers[0].changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(fields, ["image"]);
    assert_eq!(h.see(&name).await.image_id, furnished.id);
    h.assert_reached(&name, Goal::running(h.made_from(&image))).await;
}

async fn a_limit_is_updated_while_the_container_runs(h: &Harness) {
    let name = h.name("web");
    let goal = |memory: &str| Goal::running(h.spec(json!({"resources": {"memory": memory}})));
    h.reach(&name, goal("64m")).await;
    let before = h.see(&name).await;

    let raised = h.reach(&name, goal("512m")).await;
    h.assert_reached(&name, goal("512m")).await;
    let lowered = h.reach(&name, goal("64m")).await;
    h.assert_reached(&name, goal("64m")).await;

    assert_eq!((raised.containers[0].effect, lowered.containers[0].effect), (Effect::Updated, Effect::Updated));
    let after = h.see(&name).await;
    assert_eq!((after.id, after.started), (before.id, before.started));
}

async fn a_limit_that_is_taken_away_takes_a_new_container(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::running(h.spec(json!({"resources": {"memory": "64m"}})))).await;
    let before = h.see(&name).await;

    let report = h.reach(&name, Goal::running(h.spec(json!({})))).await;

    assert_eq!(report.containers[0].effect, Effect::Replaced);
    assert_ne!(h.see(&name).await.id, before.id);
    h.assert_reached(&name, Goal::running(h.spec(json!({})))).await;
}

async fn several_limits_are_one_update(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, Goal::running(h.spec(json!({})))).await;
    let goal =
        || Goal::running(h.spec(json!({"resources": {"memory": "64m", "cpu_shares": 512}, "restart": "always"})));
    let (reconciler, tally) = h.watched();

    let report = reconciler.reconcile(&one(&name, goal())).await.unwrap();

    assert_eq!(report.containers[0].changes.len(), 3, "{report}");
    assert_eq!(tally.writes(), ["update_container"]);
    h.assert_reached(&name, goal()).await;
}

async fn all_violations_of_all_goals_are_said_at_once(h: &Harness) {
    let spec = |written| Goal::running(h.spec(written));
    let goals: Goals = [
        (h.name("one"), spec(json!({"resources": {"swappiness": 101, "oom_score_adj": 2000}}))),
        (h.name("two"), spec(json!({"labels": {"io.kolla-container.x": "1"}}))),
        (h.name("fine"), spec(json!({}))),
    ]
    .into_iter()
    .collect();
    let (reconciler, tally) = h.watched();

    let error = reconciler.reconcile(&goals).await.unwrap_err();

    let report = error.report();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    for part in ["swappiness", "oom_score_adj", "io.kolla-container.x", h.name("one").as_str(), h.name("two").as_str()]
    {
        assert!(report.contains(part), "{part} is not in {report}");
    }
    assert!(!report.contains(h.name("fine").as_str()));
    assert_eq!(tally.writes(), Vec::<&str>::new());
}

async fn a_goal_that_refers_to_nobody_is_refused(h: &Harness) {
    let missing = h.name("missing");
    let goal = Goal::running(h.spec(json!({"network": {"mode": format!("container:{missing}")}})));

    let planned = h.reconciler().plan(&one(&h.name("web"), goal)).await;

    assert_eq!(planned.kind(), Some(ErrorKind::Rejected));
    assert!(planned.unwrap_err().report().contains(missing.as_str()));
}

async fn goals_that_refer_to_each_other_in_a_circle_are_refused(h: &Harness) {
    let joining =
        |other: &ContainerName| Goal::running(h.spec(json!({"network": {"mode": format!("container:{other}")}})));
    let (one, two) = (h.name("one"), h.name("two"));
    let goals: Goals = [(one.clone(), joining(&two)), (two, joining(&one))].into_iter().collect();

    let planned = h.reconciler().plan(&goals).await;

    assert_eq!(planned.kind(), Some(ErrorKind::Rejected));
}

async fn a_network_that_is_not_there_is_refused_before_anything_is_made(h: &Harness) {
    let (missing, volume) = (h.network("missing"), h.volume("data"));
    let spec = h.spec(json!({
        "mounts": [format!("{volume}:/data")], "network": {"networks": {missing.to_string(): {}}},
    }));

    let planned = h.reconciler().reconcile(&one(&h.name("web"), Goal::running(spec))).await;

    assert_eq!(planned.kind(), Some(ErrorKind::Rejected));
    assert!(planned.unwrap_err().report().contains(missing.as_str()));
    assert_eq!(h.runtime().volume(&volume).await.unwrap(), None);
}

async fn a_name_of_ours_is_refused(h: &Harness) {
    for name in [h.name("web").next(), h.name("web").previous()] {
        let planned = h.reconciler().plan(&one(&name, Goal::running(h.spec(json!({}))))).await;

        assert_eq!(planned.kind(), Some(ErrorKind::Rejected), "{name}");
    }
}

async fn a_failure_of_one_does_not_keep_the_others(h: &Harness) {
    let goals: Goals = [
        (h.name("bad"), Goal::running(h.made_from(&h.images().exits))),
        (h.name("good"), Goal::running(h.spec(json!({})))),
        (h.name("worse"), Goal::running(h.made_from(&h.images().fails_to_start))),
    ]
    .into_iter()
    .collect();

    let report = h.reconciler().reconcile(&goals).await.unwrap();

    let failed: Vec<_> = report.failures().map(|(name, _)| name.clone()).collect();
    assert_eq!(failed, [h.name("bad"), h.name("worse")]);
    assert_eq!(h.see(&h.name("good")).await.status, Status::Running);
}

async fn who_refers_to_a_failed_one_is_not_touched(h: &Harness) {
    let (base, joiner) = (h.name("base"), h.name("joiner"));
    let goals: Goals = [
        (base.clone(), Goal::running(h.made_from(&h.images().exits))),
        (joiner.clone(), Goal::running(h.spec(json!({"network": {"mode": format!("container:{base}")}})))),
    ]
    .into_iter()
    .collect();

    let report = h.reconciler().reconcile(&goals).await.unwrap();

    assert_eq!(report.failures().count(), 2, "{report}");
    assert_eq!(h.look(&joiner).await, None);
}

async fn who_is_referred_to_comes_first(h: &Harness) {
    // By their names they would come in the other order.
    let (base, joiner) = (h.name("z-base"), h.name("a-joiner"));
    let goals = || -> Goals {
        [
            (base.clone(), Goal::running(h.spec(json!({})))),
            (joiner.clone(), Goal::running(h.spec(json!({"network": {"mode": format!("container:{base}")}})))),
        ]
        .into_iter()
        .collect()
    };

    let report = h.reconciler().reconcile(&goals()).await.unwrap();

    assert!(report.is_success(), "{report}");
    assert_eq!(report.containers.iter().map(|report| &report.name).collect::<Vec<_>>(), [&base, &joiner]);
    assert!(h.reconciler().plan(&goals()).await.unwrap().is_empty());
}

fn checked(h: &Harness, program: Program, stale: &str) -> Goal {
    Goal::running(h.spec(json!({"deploy": {"config_check": {"command": program.argv(), "stale": stale}}})))
}

async fn a_fresh_configuration_is_left_alone(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, checked(h, Program::Succeeds, "restart")).await;
    let before = h.see(&name).await;

    let goals = one(&name, checked(h, Program::Succeeds, "restart"));
    let report = h.reconciler().checking_config(true).reconcile(&goals).await.unwrap();

    assert!(report.is_success() && !report.is_changed(), "{report}");
    assert_eq!(h.see(&name).await, before);
}

async fn a_stale_configuration_restarts_the_container(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, checked(h, Program::SaysStale, "restart")).await;
    let before = h.see(&name).await;

    let goals = one(&name, checked(h, Program::SaysStale, "restart"));
    let report = h.reconciler().checking_config(true).reconcile(&goals).await.unwrap();

    assert_eq!(report.containers[0].effect, Effect::Restarted, "{report}");
    let after = h.see(&name).await;
    assert_eq!((&after.id, after.status), (&before.id, Status::Running));
    assert!(after.started > before.started);
}

async fn a_stale_configuration_takes_a_new_container_where_that_is_asked(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, checked(h, Program::SaysStale, "recreate")).await;
    let before = h.see(&name).await;

    let goals = one(&name, checked(h, Program::SaysStale, "recreate"));
    let report = h.reconciler().checking_config(true).reconcile(&goals).await.unwrap();

    assert_eq!(report.containers[0].effect, Effect::Replaced, "{report}");
    assert_ne!(h.see(&name).await.id, before.id);
}

async fn a_config_check_that_cannot_run_is_an_error(h: &Harness) {
    for program in [Program::Missing, Program::Fails] {
        let name = h.name(&format!("{program:?}").to_lowercase());
        h.reach(&name, checked(h, program, "restart")).await;
        let before = h.see(&name).await;

        let goals = one(&name, checked(h, program, "restart"));
        let report = h.reconciler().checking_config(true).reconcile(&goals).await.unwrap();

        let failure = report.failures().next().unwrap().1.error.report();
        assert!(program != Program::Fails || failure.contains("out") && failure.contains("err"), "{failure}");
        assert_eq!(h.see(&name).await, before);
    }
}

async fn a_config_check_runs_only_when_asked_and_only_when_nothing_else_is_to_do(h: &Harness) {
    let name = h.name("web");
    h.reach(&name, checked(h, Program::SaysStale, "restart")).await;
    let (reconciler, tally) = h.watched();
    let goals = one(&name, checked(h, Program::SaysStale, "restart"));

    let unasked = reconciler.plan(&goals).await.unwrap();
    h.runtime().stop_container(&h.see(&name).await.id, None).await.unwrap();
    let stopped = reconciler.clone().checking_config(true).plan(&goals).await.unwrap();

    assert!(unasked.is_empty(), "{unasked}");
    assert_eq!(stopped.containers[0].effect, Effect::Started);
    assert_eq!(tally.count("exec"), 0);
}

async fn an_export_is_a_spec_with_which_nothing_is_to_do(h: &Harness) {
    let (name, volume) = (h.name("web"), h.volume("data"));
    let spec = h.spec(json!({
        "image": h.images().furnished.to_string(),
        "environment": {"KIT_IMAGE": {"unset": true}, "MINE": "1"},
        "labels": {"mine": "1"},
        "mounts": [format!("{volume}:/kit:ro"), "/anonymous", "/etc:/host-etc:ro"],
        "resources": {"memory": "64m"},
        "restart": "unless-stopped",
    }));
    h.reach(&name, Goal::running(spec.clone())).await;

    let exported = h.reconciler().export(&name).await.unwrap().unwrap();

    h.assert_reached(&name, Goal::running(exported.clone())).await;
    // What only the engine's flags decide is stated, too.
    let defaults = &h.runtime().engine().defaults;
    let mut stated = spec;
    stated.deploy = kolla_container_core::spec::Deploy::default();
    if defaults.namespaces.ipc.is_none() {
        stated.namespaces.ipc.clone_from(&exported.namespaces.ipc);
    }
    if defaults.resources.shm_size.is_none() {
        stated.resources.shm_size = exported.resources.shm_size;
    }
    if defaults.resources.ulimits.is_none() {
        stated.resources.ulimits.clone_from(&exported.resources.ulimits);
    }
    assert_eq!(exported, stated);
}

async fn an_export_states_a_host_name_that_is_its_own(h: &Harness) {
    for (number, (shared, own)) in [
        (json!({"network": {"mode": "none"}}), Some("kit-own")),
        (json!({"network": {"mode": "none"}}), None),
        (json!({"network": {"mode": "host"}}), None),
        (json!({"namespaces": {"uts": "host"}}), None),
    ]
    .into_iter()
    .enumerate()
    {
        let name = h.name(&format!("web-{number}"));
        let spec = ContainerSpec { hostname: own.map(str::to_owned), ..h.spec(shared) };
        h.reach(&name, Goal::Created(Box::new(spec))).await;

        let exported = h.reconciler().export(&name).await.unwrap().unwrap();

        assert_eq!(exported.hostname.as_deref(), own, "{number}");
        assert_eq!(exported.validate(), Violations::none(), "{number}");
        h.assert_reached(&name, Goal::Created(Box::new(exported))).await;
    }
}

/// Which has all devices, so that Podman tells none.
async fn devices_of_a_privileged_container_are_no_difference_until_they_change(h: &Harness) {
    let goal = |device: &str| {
        let spec = h.spec(json!({"security": {"privileged": true}, "devices": [device]}));
        Goal::Created(Box::new(spec))
    };
    h.reach(&h.name("web"), goal("/dev/null:/dev/kit")).await;

    h.assert_reached(&h.name("web"), goal("/dev/null:/dev/kit")).await;

    let plan = h.plan(&h.name("web"), goal("/dev/zero:/dev/kit")).await;
    let fields: Vec<_> = plan.containers[0].changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(fields, ["devices"]);
}

async fn an_export_of_a_missing_container_is_none(h: &Harness) {
    assert_eq!(h.reconciler().export(&h.name("web")).await.unwrap(), None);
}

/// Podman does not tell whose a mount is that both have.
async fn what_another_container_lends_may_be_mounted_as_well(h: &Harness) {
    let (base, named) = (h.name("base"), h.volume("named"));
    let mounts = json!(["/etc/hosts:/both:ro", format!("{named}:/named"), "/data"]);
    h.create(&base, &h.spec(json!({"mounts": mounts}))).await;
    let goal =
        |mounts: Value| Goal::Created(Box::new(h.spec(json!({"volumes_from": [base.to_string()], "mounts": mounts}))));
    let both = || goal(json!(["/etc/hosts:/both:ro", format!("{named}:/named")]));
    h.reach(&h.name("web"), both()).await;

    h.assert_reached(&h.name("web"), both()).await;

    // Another source, and an anonymous volume, which is another one than the lender's.
    for others in [json!(["/etc/hostname:/both:ro"]), json!(["/data"])] {
        let plan = h.plan(&h.name("web"), goal(others)).await;
        let changed: Vec<_> = plan.containers[0].changes.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(changed, ["mounts"]);
    }
}

/// When the lender is gone, nobody can tell any more whose it was.
async fn a_volume_that_may_be_lent_stays(h: &Harness) {
    let (base, backup) = (h.name("base"), h.name("backup"));
    let image = h.images().furnished.to_string();
    h.reach(&base, Goal::running(h.spec(json!({"image": image})))).await;
    let volumes = h.see(&base).await.volumes;
    for volume in volumes.values() {
        h.remember_volume(volume);
    }
    let spec = h.spec(json!({"image": image, "volumes_from": [base.to_string()]}));
    h.reach(&backup, Goal::running(spec)).await;

    h.reach(&base, Goal::Absent { volumes: false, grace: None }).await;
    h.reach(&backup, Goal::Absent { volumes: true, grace: None }).await;

    assert!(!volumes.is_empty());
    for volume in volumes.values() {
        assert!(h.runtime().volume(volume).await.unwrap().is_some(), "{volume}");
    }
}

async fn reconciling_nothing_asks_nothing(h: &Harness) {
    let (reconciler, tally) = h.watched();

    let report = reconciler.reconcile(&Goals::default()).await.unwrap();

    assert!(report.is_success() && report.containers.is_empty());
    assert_eq!(tally.methods(), Vec::<&str>::new());
}
