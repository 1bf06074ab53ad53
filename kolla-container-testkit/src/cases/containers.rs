//! Containers: made, started, stopped, changed and removed, by whichever order and twice.

use std::collections::BTreeMap;
use std::time::Duration;

use kolla_container_core::spec::{Mount, RestartPolicy, Signal, TextMap, Volume};
use kolla_container_core::state::{ContainerFilter, ContainerUpdate, Health, Owner, Status};
use kolla_container_core::{ByteSize, ContainerId, ErrorKind, Limit, TimeSpan, VolumeName};
use serde_json::json;
use tokio::time::Instant;

use super::cases;
use crate::harness::{Harness, Kind};

cases! { "containers";
    a_container_that_is_not_there_is_none;
    a_new_container_does_not_run;
    a_container_is_the_same_by_name_and_by_id;
    what_ids_begin_with_is_the_name_of_no_container;
    a_name_that_is_taken_is_a_conflict;
    a_container_of_a_missing_image_is_not_found_and_nothing_is_pulled;
    a_refused_creation_leaves_nothing_behind;
    a_container_that_joins_a_missing_one_is_refused_and_leaves_nothing_behind;
    a_started_container_runs;
    starting_a_running_container_changes_nothing;
    starting_a_paused_container_leaves_it_paused;
    starting_what_is_gone_is_not_found;
    a_container_that_cannot_be_started_says_why;
    a_stopped_container_says_how_it_ended;
    stopping_a_stopped_container_changes_nothing;
    stopping_a_new_container_changes_nothing;
    stopping_a_paused_container_stops_it;
    stopping_what_is_gone_succeeds;
    a_container_that_ignores_its_stop_signal_is_killed_after_the_grace_time;
    the_stop_timeout_of_a_container_is_its_grace_time_unless_stated;
    a_stopped_container_starts_again;
    a_killed_container_ends_with_its_signal;
    killing_a_container_that_does_not_run_is_a_conflict;
    killing_what_is_gone_is_not_found;
    a_paused_container_goes_on_when_unpaused;
    pausing_a_paused_container_changes_nothing;
    pausing_a_container_that_does_not_run_is_a_conflict;
    pausing_what_is_gone_is_not_found;
    unpausing_a_running_container_changes_nothing;
    unpausing_a_stopped_container_changes_nothing;
    unpausing_what_is_gone_is_not_found;
    a_restarted_container_runs_from_a_later_start;
    restarting_a_stopped_container_starts_it;
    restarting_what_is_gone_is_not_found;
    a_renamed_container_keeps_its_id_and_leaves_its_old_name_free;
    a_running_container_is_renamed_while_it_runs;
    renaming_to_its_own_name_changes_nothing;
    renaming_to_a_taken_name_is_a_conflict_and_changes_nothing;
    renaming_what_is_gone_is_not_found;
    a_limit_is_changed_while_the_container_runs ["update:resources.memory"];
    an_update_changes_only_what_is_stated ["update:resources.cpu_shares", "update:resources.pids_limit"];
    an_update_without_anything_changes_nothing ["update:resources.memory"];
    a_restart_policy_is_changed_while_the_container_runs ["update:restart"];
    updating_what_is_gone_is_not_found ["update:resources.memory"];
    a_running_container_is_removed_at_once;
    a_paused_container_is_removed;
    a_new_container_is_removed;
    removing_what_is_gone_succeeds;
    discarding_a_container_takes_its_anonymous_volumes_along;
    discarding_a_container_leaves_the_volumes_that_it_has_mounted_by_their_names;
    discarding_what_is_gone_succeeds;
    a_removed_name_is_free_again;
    waiting_answers_how_the_container_ended;
    waiting_for_a_container_that_does_not_run_answers_at_once;
    waiting_for_what_is_gone_is_not_found;
    a_crash_loop_shows_in_the_number_of_restarts;
    a_container_that_fails_too_often_stays_ended;
    a_container_without_a_check_has_no_health;
    a_healthy_container_says_so;
    an_unhealthy_container_says_so;
    a_container_that_removes_itself_is_gone_when_it_has_been_stopped;
    a_list_has_containers_in_every_state;
    a_list_is_filtered_by_the_end_of_names;
    a_list_is_filtered_by_labels;
    our_own_labels_are_no_part_of_the_configuration;
    a_random_port_is_known_while_the_container_runs;
    a_port_that_is_taken_keeps_a_container_from_starting;
    who_joins_another_container_says_whom;
}

/// The id of a container that was there, and is gone.
async fn gone(h: &Harness) -> ContainerId {
    let id = h.create(&h.name("gone"), &h.spec(json!({}))).await;
    h.runtime().remove_container(&id).await.unwrap();
    id
}

fn memory(size: u64) -> ContainerUpdate {
    let mut update = ContainerUpdate::default();
    update.resources.memory = Some(Limit::At(ByteSize::mib(size)));
    update.resources.memory_swap = Some(Limit::At(ByteSize::mib(2 * size)));
    update
}

async fn a_container_that_is_not_there_is_none(h: &Harness) {
    let id = gone(h).await;

    assert_eq!(h.look(&h.name("gone")).await, None);
    assert_eq!(h.runtime().container_by_id(&id).await.unwrap(), None);
}

async fn a_new_container_does_not_run(h: &Harness) {
    let id = h.create(&h.name("new"), &h.spec(json!({}))).await;

    let state = h.see_id(&id).await;

    assert_eq!(state.status, Status::Created);
    assert_eq!((state.started, state.exit, state.restarts), (None, None, 0));
    assert_eq!(state.image_id, h.see_image(&h.images().plain).await.id);
}

async fn a_container_is_the_same_by_name_and_by_id(h: &Harness) {
    let name = h.name("web");
    let id = h.start(&name, &h.spec(json!({}))).await;

    let (by_name, by_id) = (h.see(&name).await, h.see_id(&id).await);

    assert_eq!((&by_name.id, &by_name.name), (&id, &name));
    assert_eq!(by_name, by_id);
}

async fn what_ids_begin_with_is_the_name_of_no_container(h: &Harness) {
    let mut begun = BTreeMap::new();
    // One of 17 begins like another one.
    for number in 1..=17 {
        let id = h.create(&h.name(&format!("web-{number}")), &h.spec(json!({}))).await;
        let first = id.as_str().get(..1).unwrap().to_owned();
        let begins = begun.entry(first.clone()).or_insert(0);
        *begins += 1;

        assert_eq!(h.runtime().container(&first.parse().unwrap()).await.unwrap(), None, "{begins} ids begin so");
        if *begins == 2 {
            break;
        }
    }
}

async fn a_name_that_is_taken_is_a_conflict(h: &Harness) {
    let name = h.name("web");
    let id = h.create(&name, &h.spec(json!({}))).await;

    let second = h.runtime().create_container(&name, &h.spec(json!({}))).await;

    assert_eq!(second.kind(), Some(ErrorKind::Conflict));
    assert_eq!(h.see(&name).await.id, id);
}

async fn a_container_of_a_missing_image_is_not_found_and_nothing_is_pulled(h: &Harness) {
    let name = h.name("web");

    let created = h.runtime().create_container(&name, &h.made_from(&h.images().absent)).await;

    assert_eq!(created.kind(), Some(ErrorKind::NotFound));
    assert_eq!(h.look(&name).await, None);
    assert_eq!(h.runtime().image(&h.images().absent).await.unwrap(), None);
}

async fn a_refused_creation_leaves_nothing_behind(h: &Harness) {
    let (name, there, missing) = (h.name("web"), h.make_network("there").await, h.network("missing"));
    let networks = json!({there.to_string(): {}, missing.to_string(): {}});

    let created = h.runtime().create_container(&name, &h.spec(json!({"network": {"networks": networks}}))).await;

    assert!(created.is_err());
    assert_eq!(h.look(&name).await, None);
    assert!(h.runtime().remove_network(&there).await.is_ok());
}

async fn a_container_that_joins_a_missing_one_is_refused_and_leaves_nothing_behind(h: &Harness) {
    let name = h.name("web");
    let joining = h.spec(json!({"network": {"mode": format!("container:{}", h.name("missing"))}}));

    let created = h.runtime().create_container(&name, &joining).await;

    assert!(created.is_err());
    assert_eq!(h.look(&name).await, None);
}

async fn a_started_container_runs(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;

    let state = h.see_id(&id).await;

    assert_eq!((state.status, state.exit, state.restarts), (Status::Running, None, 0));
    assert!(state.started >= Some(state.created));
}

async fn starting_a_running_container_changes_nothing(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    let before = h.see_id(&id).await;

    h.runtime().start_container(&id).await.unwrap();

    assert_eq!(h.see_id(&id).await, before);
}

async fn starting_a_paused_container_leaves_it_paused(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    h.runtime().pause_container(&id).await.unwrap();

    h.runtime().start_container(&id).await.unwrap();

    assert_eq!(h.see_id(&id).await.status, Status::Paused);
}

async fn starting_what_is_gone_is_not_found(h: &Harness) {
    let id = gone(h).await;

    assert_eq!(h.runtime().start_container(&id).await.kind(), Some(ErrorKind::NotFound));
}

async fn a_container_that_cannot_be_started_says_why(h: &Harness) {
    let id = h.create(&h.name("broken"), &h.made_from(&h.images().fails_to_start)).await;

    let error = h.runtime().start_container(&id).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::EngineFailed);
    assert!(error.report().len() > error.to_string().len(), "{error} says no reason");
    assert!(!h.see_id(&id).await.status.is_up());
}

async fn a_stopped_container_says_how_it_ended(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    let started = h.see_id(&id).await.started;

    h.runtime().stop_container(&id, None).await.unwrap();

    let state = h.see_id(&id).await;
    assert_eq!((state.status, state.started), (Status::Exited, started));
    assert!(state.exit.is_some());
    assert!(state.published_ports.0.is_empty());
}

async fn stopping_a_stopped_container_changes_nothing(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    h.runtime().stop_container(&id, None).await.unwrap();
    let before = h.see_id(&id).await;

    h.runtime().stop_container(&id, None).await.unwrap();

    assert_eq!(h.see_id(&id).await, before);
}

async fn stopping_a_new_container_changes_nothing(h: &Harness) {
    let id = h.create(&h.name("web"), &h.spec(json!({}))).await;

    h.runtime().stop_container(&id, None).await.unwrap();

    assert_eq!(h.see_id(&id).await.status, Status::Created);
}

async fn stopping_a_paused_container_stops_it(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    h.runtime().pause_container(&id).await.unwrap();

    h.runtime().stop_container(&id, Some(TimeSpan::from_secs(1))).await.unwrap();

    assert_eq!(h.see_id(&id).await.status, Status::Exited);
}

async fn stopping_what_is_gone_succeeds(h: &Harness) {
    let id = gone(h).await;

    assert_eq!(h.runtime().stop_container(&id, None).await.kind(), None);
}

async fn a_container_that_ignores_its_stop_signal_is_killed_after_the_grace_time(h: &Harness) {
    let spec = h.spec(json!({"image": h.images().stubborn.to_string(), "stop_timeout": "1h"}));
    let id = h.start(&h.name("stubborn"), &spec).await;
    let begun = Instant::now();

    h.runtime().stop_container(&id, Some(TimeSpan::from_secs(1))).await.unwrap();

    let state = h.see_id(&id).await;
    assert_eq!(state.status, Status::Exited);
    assert_eq!(state.exit.map(|exit| exit.code), Some(137));
    let taken = begun.elapsed();
    assert!(taken >= Duration::from_millis(900) && taken < Duration::from_mins(30), "{taken:?}");
}

async fn the_stop_timeout_of_a_container_is_its_grace_time_unless_stated(h: &Harness) {
    // That of engines is 10 s.
    let spec = h.spec(json!({"image": h.images().stubborn.to_string(), "stop_timeout": "14s"}));
    let id = h.start(&h.name("stubborn"), &spec).await;
    let begun = Instant::now();

    h.runtime().stop_container(&id, None).await.unwrap();

    assert_eq!(h.see_id(&id).await.status, Status::Exited);
    assert!(begun.elapsed() >= Duration::from_millis(13_900), "{:?}", begun.elapsed());
}

async fn a_stopped_container_starts_again(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    let first = h.see_id(&id).await.started;
    h.runtime().stop_container(&id, None).await.unwrap();

    h.runtime().start_container(&id).await.unwrap();

    let state = h.see_id(&id).await;
    assert_eq!((state.status, state.exit), (Status::Running, None));
    assert!(state.started > first);
}

async fn a_killed_container_ends_with_its_signal(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;

    h.runtime().kill_container(&id, Signal::KILL).await.unwrap();

    let state = h.wait_until(&id, |state| state.status == Status::Exited).await;
    assert_eq!(state.exit.map(|exit| exit.code), Some(137));
}

async fn killing_a_container_that_does_not_run_is_a_conflict(h: &Harness) {
    let id = h.create(&h.name("web"), &h.spec(json!({}))).await;

    assert_eq!(h.runtime().kill_container(&id, Signal::KILL).await.kind(), Some(ErrorKind::Conflict));
}

async fn killing_what_is_gone_is_not_found(h: &Harness) {
    let id = gone(h).await;

    assert_eq!(h.runtime().kill_container(&id, Signal::KILL).await.kind(), Some(ErrorKind::NotFound));
}

async fn a_paused_container_goes_on_when_unpaused(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    let started = h.see_id(&id).await.started;

    h.runtime().pause_container(&id).await.unwrap();
    let paused = h.see_id(&id).await.status;
    h.runtime().unpause_container(&id).await.unwrap();

    let state = h.see_id(&id).await;
    assert_eq!(paused, Status::Paused);
    assert_eq!((state.status, state.started), (Status::Running, started));
}

async fn pausing_a_paused_container_changes_nothing(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    h.runtime().pause_container(&id).await.unwrap();

    let again = h.runtime().pause_container(&id).await;

    assert_eq!(again.kind(), None);
    assert_eq!(h.see_id(&id).await.status, Status::Paused);
}

async fn pausing_a_container_that_does_not_run_is_a_conflict(h: &Harness) {
    let id = h.create(&h.name("web"), &h.spec(json!({}))).await;

    assert_eq!(h.runtime().pause_container(&id).await.kind(), Some(ErrorKind::Conflict));
}

async fn pausing_what_is_gone_is_not_found(h: &Harness) {
    let id = gone(h).await;

    assert_eq!(h.runtime().pause_container(&id).await.kind(), Some(ErrorKind::NotFound));
}

async fn unpausing_a_running_container_changes_nothing(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    let before = h.see_id(&id).await;

    h.runtime().unpause_container(&id).await.unwrap();

    assert_eq!(h.see_id(&id).await, before);
}

async fn unpausing_a_stopped_container_changes_nothing(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    h.runtime().stop_container(&id, None).await.unwrap();

    h.runtime().unpause_container(&id).await.unwrap();

    assert_eq!(h.see_id(&id).await.status, Status::Exited);
}

async fn unpausing_what_is_gone_is_not_found(h: &Harness) {
    let id = gone(h).await;

    assert_eq!(h.runtime().unpause_container(&id).await.kind(), Some(ErrorKind::NotFound));
}

async fn a_restarted_container_runs_from_a_later_start(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    let before = h.see_id(&id).await;

    h.runtime().restart_container(&id, None).await.unwrap();

    let state = h.see_id(&id).await;
    assert_eq!((state.status, &state.id), (Status::Running, &before.id));
    assert!(state.started > before.started);
}

async fn restarting_a_stopped_container_starts_it(h: &Harness) {
    let id = h.create(&h.name("web"), &h.spec(json!({}))).await;

    h.runtime().restart_container(&id, None).await.unwrap();

    assert_eq!(h.see_id(&id).await.status, Status::Running);
}

async fn restarting_what_is_gone_is_not_found(h: &Harness) {
    let id = gone(h).await;

    assert_eq!(h.runtime().restart_container(&id, None).await.kind(), Some(ErrorKind::NotFound));
}

async fn a_renamed_container_keeps_its_id_and_leaves_its_old_name_free(h: &Harness) {
    let (old, new) = (h.name("old"), h.name("new"));
    let id = h.create(&old, &h.spec(json!({}))).await;

    h.runtime().rename_container(&id, &new).await.unwrap();

    assert_eq!(h.look(&old).await, None);
    assert_eq!(h.see(&new).await.id, id);
    assert_eq!(h.runtime().create_container(&old, &h.spec(json!({}))).await.kind(), None);
}

async fn a_running_container_is_renamed_while_it_runs(h: &Harness) {
    let id = h.start(&h.name("old"), &h.spec(json!({}))).await;
    let before = h.see_id(&id).await;

    h.runtime().rename_container(&id, &h.name("new")).await.unwrap();

    let state = h.see(&h.name("new")).await;
    assert_eq!((state.status, state.started), (Status::Running, before.started));
}

async fn renaming_to_its_own_name_changes_nothing(h: &Harness) {
    let name = h.name("web");
    let id = h.create(&name, &h.spec(json!({}))).await;
    let before = h.see_id(&id).await;

    h.runtime().rename_container(&id, &name).await.unwrap();

    assert_eq!(h.see_id(&id).await, before);
}

async fn renaming_to_a_taken_name_is_a_conflict_and_changes_nothing(h: &Harness) {
    let (name, taken) = (h.name("web"), h.name("taken"));
    let id = h.create(&name, &h.spec(json!({}))).await;
    let other = h.create(&taken, &h.spec(json!({}))).await;

    let renamed = h.runtime().rename_container(&id, &taken).await;

    assert_eq!(renamed.kind(), Some(ErrorKind::Conflict));
    assert_eq!((h.see(&name).await.id, h.see(&taken).await.id), (id, other));
}

async fn renaming_what_is_gone_is_not_found(h: &Harness) {
    let id = gone(h).await;

    assert_eq!(h.runtime().rename_container(&id, &h.name("new")).await.kind(), Some(ErrorKind::NotFound));
}

async fn a_limit_is_changed_while_the_container_runs(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({"resources": {"memory": "64m"}}))).await;
    let before = h.see_id(&id).await;

    h.runtime().update_container(&id, &memory(128)).await.unwrap();

    let state = h.see_id(&id).await;
    assert_eq!(state.config.resources.memory, Some(Limit::At(ByteSize::mib(128))));
    assert_eq!(state.config.resources.memory_swap, Some(Limit::At(ByteSize::mib(256))));
    assert_eq!((state.status, state.started), (Status::Running, before.started));
}

async fn an_update_changes_only_what_is_stated(h: &Harness) {
    let limits = json!({"memory": "64m", "cpu_shares": 512, "pids_limit": 100});
    let id = h.start(&h.name("web"), &h.spec(json!({"resources": limits, "restart": "on-failure:2"}))).await;
    let mut wanted = h.see_id(&id).await.config;
    let mut update = ContainerUpdate::default();
    update.resources.cpu_shares = Some(256);

    h.runtime().update_container(&id, &update).await.unwrap();

    wanted.resources.cpu_shares = Some(256);
    assert_eq!(h.see_id(&id).await.config, wanted);
}

async fn an_update_without_anything_changes_nothing(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({"resources": {"memory": "64m"}}))).await;
    let before = h.see_id(&id).await;

    h.runtime().update_container(&id, &ContainerUpdate::default()).await.unwrap();

    assert_eq!(h.see_id(&id).await, before);
}

async fn a_restart_policy_is_changed_while_the_container_runs(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({"restart": "always"}))).await;
    let update = ContainerUpdate { restart: Some(RestartPolicy::OnFailure(Some(3))), ..ContainerUpdate::default() };

    h.runtime().update_container(&id, &update).await.unwrap();

    let state = h.see_id(&id).await;
    assert_eq!(state.config.restart, Some(RestartPolicy::OnFailure(Some(3))));
    assert_eq!(state.status, Status::Running);
}

async fn updating_what_is_gone_is_not_found(h: &Harness) {
    let id = gone(h).await;

    assert_eq!(h.runtime().update_container(&id, &memory(64)).await.kind(), Some(ErrorKind::NotFound));
}

async fn a_running_container_is_removed_at_once(h: &Harness) {
    let id = h.start(&h.name("stubborn"), &h.made_from(&h.images().stubborn)).await;

    h.runtime().remove_container(&id).await.unwrap();

    assert_eq!(h.look(&h.name("stubborn")).await, None);
    assert_eq!(h.runtime().container_by_id(&id).await.unwrap(), None);
}

async fn a_paused_container_is_removed(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    h.runtime().pause_container(&id).await.unwrap();

    h.runtime().remove_container(&id).await.unwrap();

    assert_eq!(h.look(&h.name("web")).await, None);
}

async fn a_new_container_is_removed(h: &Harness) {
    let id = h.create(&h.name("web"), &h.spec(json!({}))).await;

    h.runtime().remove_container(&id).await.unwrap();

    assert_eq!(h.look(&h.name("web")).await, None);
}

async fn discarding_a_container_takes_its_anonymous_volumes_along(h: &Harness) {
    let spec = h.spec(json!({"image": h.images().furnished.to_string(), "mounts": ["/more"]}));
    let id = h.start(&h.name("web"), &spec).await;
    let volumes: Vec<VolumeName> = h.see_id(&id).await.volumes.into_values().collect();

    h.runtime().discard_container(&id).await.unwrap();

    assert_eq!(volumes.len(), 2);
    assert_eq!(h.look(&h.name("web")).await, None);
    for volume in volumes {
        assert_eq!(h.runtime().volume(&volume).await.unwrap(), None);
    }
}

async fn discarding_a_container_leaves_the_volumes_that_it_has_mounted_by_their_names(h: &Harness) {
    let named = h.volume("data");
    let first = h.create(&h.name("first"), &h.spec(json!({"mounts": ["/data"]}))).await;
    let inherited: VolumeName = h.see_id(&first).await.volumes.into_values().next().unwrap();
    h.runtime().remove_container(&first).await.unwrap();
    h.remember_volume(&inherited);
    let mut spec = h.spec(json!({"mounts": [format!("{named}:/named"), "/data"]}));
    let mounts = spec.mounts.as_mut().unwrap();
    let volume = Volume { name: Some(inherited.clone()), ..Volume::default() };
    mounts.0.insert("/data".parse().unwrap(), Mount::Volume(volume));
    let id = h.create(&h.name("web"), &spec).await;

    h.runtime().discard_container(&id).await.unwrap();

    for volume in [named, inherited] {
        assert!(h.runtime().volume(&volume).await.unwrap().is_some(), "{volume}");
    }
}

async fn discarding_what_is_gone_succeeds(h: &Harness) {
    let id = h.create(&h.name("web"), &h.spec(json!({}))).await;
    h.runtime().discard_container(&id).await.unwrap();

    h.runtime().discard_container(&id).await.unwrap();
}

async fn removing_what_is_gone_succeeds(h: &Harness) {
    let id = gone(h).await;

    assert_eq!(h.runtime().remove_container(&id).await.kind(), None);
}

async fn a_removed_name_is_free_again(h: &Harness) {
    let name = h.name("web");
    let first = h.start(&name, &h.spec(json!({}))).await;
    h.runtime().remove_container(&first).await.unwrap();

    let second = h.create(&name, &h.spec(json!({}))).await;

    assert_ne!(first, second);
}

async fn waiting_answers_how_the_container_ended(h: &Harness) {
    let id = h.start(&h.name("job"), &h.made_from(&h.images().exits_later)).await;

    let exit = h.runtime().wait_container(&id).await.unwrap();

    assert_eq!((exit.code, exit.oom_killed), (3, false));
    let state = h.see_id(&id).await;
    assert_eq!((state.status, state.exit), (Status::Exited, Some(exit)));
}

async fn waiting_for_a_container_that_does_not_run_answers_at_once(h: &Harness) {
    let new = h.create(&h.name("new"), &h.spec(json!({}))).await;
    let ended = h.start(&h.name("ended"), &h.made_from(&h.images().exits)).await;
    h.wait_until(&ended, |state| state.status == Status::Exited).await;

    assert_eq!(h.runtime().wait_container(&new).await.kind(), None);
    assert_eq!(h.runtime().wait_container(&ended).await.unwrap().code, 3);
}

async fn waiting_for_what_is_gone_is_not_found(h: &Harness) {
    let id = gone(h).await;

    assert_eq!(h.runtime().wait_container(&id).await.kind(), Some(ErrorKind::NotFound));
}

async fn a_crash_loop_shows_in_the_number_of_restarts(h: &Harness) {
    let spec = h.spec(json!({"image": h.images().exits.to_string(), "restart": "always"}));
    let id = h.start(&h.name("loop"), &spec).await;
    let first = h.see_id(&id).await;

    let later = h.wait_until(&id, |state| state.restarts >= first.restarts + 2).await;

    assert!(later.started > first.started);
}

async fn a_container_that_fails_too_often_stays_ended(h: &Harness) {
    let spec = h.spec(json!({"image": h.images().exits.to_string(), "restart": "on-failure:2"}));
    let id = h.start(&h.name("job"), &spec).await;

    let state = h.wait_until(&id, |state| state.status == Status::Exited && state.restarts == 2).await;

    assert_eq!(state.exit.map(|exit| exit.code), Some(3));
}

async fn a_container_without_a_check_has_no_health(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    let spec = h.spec(json!({"image": h.images().unhealthy.to_string(), "healthcheck": "NONE"}));
    let switched_off = h.start(&h.name("off"), &spec).await;

    assert_eq!(h.see_id(&id).await.health, None);
    assert_eq!(h.see_id(&switched_off).await.health, None);
}

async fn a_healthy_container_says_so(h: &Harness) {
    let id = h.start(&h.name("web"), &h.made_from(&h.images().healthy)).await;

    let first = h.see_id(&id).await.health;
    let later = h.wait_until(&id, |state| state.health != Some(Health::Starting)).await;

    assert!(matches!(first, Some(Health::Starting | Health::Healthy)), "{first:?}");
    assert_eq!(later.health, Some(Health::Healthy));
}

async fn an_unhealthy_container_says_so(h: &Harness) {
    let id = h.start(&h.name("web"), &h.made_from(&h.images().unhealthy)).await;

    let later = h.wait_until(&id, |state| state.health == Some(Health::Unhealthy)).await;

    assert_eq!(later.status, Status::Running);
}

async fn a_container_that_removes_itself_is_gone_when_it_has_been_stopped(h: &Harness) {
    let name = h.name("web");
    let id = h.start(&name, &h.spec(json!({"auto_remove": true}))).await;

    h.runtime().stop_container(&id, None).await.unwrap();

    assert_eq!(h.runtime().container_by_id(&id).await.unwrap(), None);
    h.create(&name, &h.spec(json!({}))).await;
}

async fn a_list_has_containers_in_every_state(h: &Harness) {
    let new = h.create(&h.name("new"), &h.spec(json!({}))).await;
    let running = h.start(&h.name("running"), &h.spec(json!({}))).await;
    let paused = h.start(&h.name("paused"), &h.spec(json!({}))).await;
    h.runtime().pause_container(&paused).await.unwrap();
    let ended = h.start(&h.name("ended"), &h.spec(json!({}))).await;
    h.runtime().stop_container(&ended, None).await.unwrap();

    let listed = h.runtime().containers(&ContainerFilter::default()).await.unwrap();

    let status = |id: &ContainerId| listed.iter().find(|summary| summary.id == *id).map(|found| found.status.clone());
    assert_eq!(status(&new), Some(Status::Created));
    assert_eq!(status(&running), Some(Status::Running));
    assert_eq!(status(&paused), Some(Status::Paused));
    assert_eq!(status(&ended), Some(Status::Exited));
    let line = listed.iter().find(|summary| summary.id == new).unwrap();
    assert_eq!(line.name, h.name("new"));
    assert_eq!(line.image_id, Some(h.see_image(&h.images().plain).await.id));
}

async fn a_list_is_filtered_by_the_end_of_names(h: &Harness) {
    let name = h.name("web");
    for name in [name.clone(), name.next(), name.previous(), h.name("web.next-not")] {
        h.create(&name, &h.spec(json!({}))).await;
    }
    let suffixes = |suffixes: &[&str]| ContainerFilter {
        name_suffixes: suffixes.iter().map(|suffix| (*suffix).to_owned()).collect(),
        ..ContainerFilter::default()
    };

    let both = h.runtime().containers(&suffixes(&[".next", ".previous"])).await.unwrap();
    let one = h.runtime().containers(&suffixes(&[".next"])).await.unwrap();

    let own = |listed: &[kolla_container_core::state::ContainerSummary]| {
        let mut names: Vec<_> = listed.iter().map(|line| line.name.clone()).collect();
        names.retain(|found| found.as_str().starts_with(name.as_str()));
        names.sort();
        names
    };
    assert_eq!(own(&both), [name.next(), name.previous()]);
    assert_eq!(own(&one), [name.next()]);
}

async fn a_list_is_filtered_by_labels(h: &Harness) {
    let key = format!("{}.kind", h.name("label"));
    for (what, labels) in [("red", json!({&key: "red"})), ("blue", json!({&key: "blue"})), ("none", json!({}))] {
        h.create(&h.name(what), &h.spec(json!({"labels": labels}))).await;
    }
    let list = async |value: Option<&str>| {
        let labels = BTreeMap::from([(key.clone(), value.map(str::to_owned))]);
        let listed = h.runtime().containers(&ContainerFilter { labels, ..ContainerFilter::default() }).await.unwrap();
        let mut names: Vec<_> = listed.into_iter().map(|line| line.name).collect();
        names.sort();
        names
    };

    assert_eq!(list(Some("red")).await, [h.name("red")]);
    assert_eq!(list(Some("re")).await, []);
    assert_eq!(list(None).await, [h.name("blue"), h.name("red")]);
}

async fn our_own_labels_are_no_part_of_the_configuration(h: &Harness) {
    let replaces: ContainerId = "ab".repeat(32).parse().unwrap();
    let until = "2030-01-02T03:04:05Z".parse().unwrap();
    let owner = Owner { replaces: Some(replaces), until: Some(until), ..Owner::default() };
    let spec = owner.mark(h.spec(json!({"labels": {"theirs": "1"}})));

    let id = h.create(&h.name("web"), &spec).await;

    let state = h.see_id(&id).await;
    assert_eq!(state.owner, owner);
    assert_eq!(state.config.labels, Some(TextMap::from_iter([("theirs", "1")])));
    let listed = h.runtime().containers(&ContainerFilter::default()).await.unwrap();
    assert_eq!(listed.into_iter().find(|line| line.id == id).map(|line| line.owner), Some(owner));
}

async fn a_random_port_is_known_while_the_container_runs(h: &Harness) {
    let spec = h.spec(json!({"network": {"ports": ["127.0.0.1::80", "81/udp"]}}));
    let id = h.create(&h.name("web"), &spec).await;
    let before = h.see_id(&id).await.published_ports;

    h.runtime().start_container(&id).await.unwrap();

    let state = h.see_id(&id).await;
    let ports: Vec<_> = state.published_ports.0.iter().map(|(port, hosts)| (port.to_string(), hosts.clone())).collect();
    assert!(before.0.is_empty());
    assert_eq!(ports.iter().map(|(port, _)| port.as_str()).collect::<Vec<_>>(), ["80/tcp", "81/udp"]);
    assert!(ports.iter().all(|(_, hosts)| hosts.iter().all(|host| host.port.is_some())), "{ports:?}");
    if h.runtime().engine().additions.picks {
        assert_eq!(state.config.network.ports.as_ref(), Some(&state.published_ports));
    } else {
        assert_eq!(state.config.network.ports, spec.network.ports);
    }
}

async fn a_port_that_is_taken_keeps_a_container_from_starting(h: &Harness) {
    let spec = h.spec(json!({"network": {"ports": [format!("127.0.0.1:{}:80", h.port())]}}));
    h.start(&h.name("first"), &spec).await;
    let second = h.create(&h.name("second"), &spec).await;

    let started = h.runtime().start_container(&second).await;

    assert!(started.is_err());
    assert!(!h.see_id(&second).await.status.is_up());
}

async fn who_joins_another_container_says_whom(h: &Harness) {
    let name = h.name("base");
    let base = h.start(&name, &h.spec(json!({}))).await;
    let joining = h.spec(json!({"network": {"mode": format!("container:{name}")}}));

    let id = h.start(&h.name("joiner"), &joining).await;

    let joined: Vec<_> = h.see_id(&id).await.joined.into_iter().map(|joined| joined.to_string()).collect();
    assert!(joined == [base.to_string()] || joined == [name.to_string()], "{joined:?}");
    assert!(h.see_id(&base).await.joined.is_empty());
}
