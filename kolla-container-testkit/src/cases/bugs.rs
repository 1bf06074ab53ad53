//! What kolla-ansible's container workers get wrong, in their words, and what happens here: a container is made once,
//! and what differs is noticed.

use std::collections::BTreeSet;

use kolla_container_core::dialect::kolla::{Host, Parameters};
use kolla_container_core::diff::Comparison;
use kolla_container_core::spec::{MountEntry, NamespaceMode};
use kolla_container_core::state::{ContainerState, Status};
use kolla_container_core::{ContainerName, ContainerSpec, Goal, Goals, ImageRef, TimeSpan, VolumeName};
use serde_json::{Value, json};

use super::cases;
use crate::harness::Harness;

cases! { "bugs";
    an_image_without_labels_is_managed_twice;
    an_image_that_is_not_here_is_pulled_before_the_old_container_is_touched ["registry"] exclusive;
    an_empty_command_is_that_of_the_image;
    a_memory_limit_without_swap_is_made_once_in_every_spelling ["resources.memory"];
    what_is_null_is_not_stated;
    what_an_image_implies_and_nobody_repeats_is_no_difference;
    a_health_check_of_none_switches_that_of_the_image_off;
    a_zero_in_a_health_check_is_no_difference;
    a_command_for_an_image_with_an_entrypoint_is_made_once;
    a_label_over_that_of_the_image_and_a_label_of_null_are_made_once;
    a_variable_that_is_no_text_is_made_once;
    tmpfs_and_security_options_arrive_and_are_made_once;
    capabilities_in_every_spelling_are_made_once;
    each_mode_of_a_bind_counts;
    the_mode_of_a_named_volume_counts;
    a_service_in_the_namespaces_of_the_host_is_made_once;
    stopping_a_container_that_was_only_made_changes_nothing;
    a_slash_at_the_end_of_a_path_is_no_difference;
    every_spelling_of_an_image_is_found_here exclusive;
    another_registry_of_the_same_image_is_noticed exclusive;
    one_source_at_two_targets_is_mounted_twice_and_both_are_compared;
    what_is_not_stated_any_more_is_noticed;
    limits_of_files_and_processes_are_compared;
    every_dimension_arrives_and_is_noticed_by_itself ["resources.memory", "resources.cpu_quota", "resources.cpuset_cpus"];
    terminal_stop_timeout_network_and_logging_are_compared;
    a_volume_with_the_name_of_its_container_is_made_once;
    an_anonymous_volume_outlives_three_replacements_and_goes_when_asked;
}

fn name(h: &Harness) -> ContainerName {
    h.name("nova_compute")
}

/// The spec of a container in kolla-ansible's words; the image is `plain` unless stated.
fn spec(h: &Harness, mut parameters: Value) -> ContainerSpec {
    let fields = parameters.as_object_mut().unwrap();
    fields.insert("name".to_owned(), json!(name(h).as_str()));
    fields.entry("image").or_insert_with(|| json!(h.images().plain.to_string()));
    let host = Host { time_zone: "Europe/Berlin".to_owned() };
    let read = Parameters::from_value(None, parameters).and_then(|parameters| parameters.into_spec(&host));
    let (_, mut spec) = read.unwrap_or_else(|wrong| panic!("{wrong}"));
    spec.deploy.settle = Some(TimeSpan::from_millis(500));
    spec
}

fn goal(h: &Harness, parameters: &Value) -> Goal {
    Goal::running(spec(h, parameters.clone()))
}

/// Sees that nothing is to do, compared strictly and as kolla-ansible compares.
async fn assert_made(h: &Harness, parameters: &Value) {
    let goals = Goals::one(name(h), goal(h, parameters));
    for comparison in [Comparison::strict(), Comparison::kolla()] {
        let (reconciler, tally) = h.watched();

        let report = reconciler.with_comparison(comparison).reconcile(&goals).await.unwrap();

        assert!(report.is_success() && !report.is_changed(), "{report}");
        assert_eq!(tally.writes(), Vec::<&str>::new());
    }
}

/// Makes it, and sees that then nothing is to do.
async fn made_once(h: &Harness, parameters: Value) -> ContainerState {
    h.reach(&name(h), goal(h, &parameters)).await;
    assert_made(h, &parameters).await;
    h.see(&name(h)).await
}

/// What is said to differ from what is there: fields, and keys.
async fn noticed(h: &Harness, wanted: Value) -> Vec<String> {
    let plan = h.plan(&name(h), goal(h, &wanted)).await;
    let changes = plan.containers[0].changes.iter();
    let named = changes.flat_map(|change| change.entries.iter().map(|entry| (&change.field, &entry.key)));
    named.map(|(field, key)| key.as_ref().map_or(field.to_string(), |key| format!("{field}[{key}]"))).collect()
}

/// The mounts of a container, in their written form.
fn mounts(h: &Harness, state: &ContainerState) -> BTreeSet<String> {
    let mounts = serde_json::to_value(h.mounts(state)).unwrap();
    mounts.as_array().unwrap().iter().map(|mount| mount.as_str().unwrap().to_owned()).collect()
}

async fn an_image_without_labels_is_managed_twice(h: &Harness) {
    made_once(h, json!({})).await;
    made_once(h, json!({"labels": {"own": "1"}})).await;
}

async fn an_image_that_is_not_here_is_pulled_before_the_old_container_is_touched(h: &Harness) {
    h.remember_image(&h.images().remote);
    made_once(h, json!({})).await;
    let (reconciler, tally) = h.watched();

    let goals = Goals::one(name(h), goal(h, &json!({"image": h.images().remote.to_string()})));
    let report = reconciler.reconcile(&goals).await.unwrap();

    assert!(report.is_success(), "{report}");
    let writes = tally.writes();
    assert_eq!(writes.get(..3), Some(["pull_image", "create_container", "stop_container"].as_slice()), "{writes:?}");
}

async fn an_empty_command_is_that_of_the_image(h: &Harness) {
    let state = made_once(h, json!({"command": ""})).await;

    assert_eq!(state.config.command.unwrap().argv(), ["sleep", "1000000"]);
}

async fn a_memory_limit_without_swap_is_made_once_in_every_spelling(h: &Harness) {
    for (written, bytes) in [
        (json!("64mb"), 64 << 20),
        (json!("64M"), 64 << 20),
        (json!("0.1g"), 107_374_182),
        (json!("1g"), 1 << 30),
        (json!(1 << 30), 1 << 30),
    ] {
        let state = made_once(h, json!({"dimensions": {"mem_limit": written}})).await;

        let limit = state.config.resources.memory.unwrap().value().unwrap().bytes();
        // The kernel counts whole pages.
        assert!(limit <= bytes && bytes - limit < 4096, "{written}: {limit}");
    }
}

async fn what_is_null_is_not_stated(h: &Harness) {
    let nulls = json!({
        "graceful_timeout": null, "cap_add": null, "dimensions": {"ulimits": null, "mem_limit": null},
        "environment": null, "labels": null, "volumes": [null, ""], "tmpfs": [null, ""], "ipc_mode": "",
    });

    made_once(h, nulls).await;

    assert_made(h, &json!({})).await;
}

async fn what_an_image_implies_and_nobody_repeats_is_no_difference(h: &Harness) {
    let state = made_once(h, json!({"image": h.images().furnished.to_string()})).await;

    assert_eq!(state.anonymous_volumes().count(), 1);
    assert!(state.health.is_some());
}

async fn a_health_check_of_none_switches_that_of_the_image_off(h: &Harness) {
    for none in [json!("NONE"), json!(["NONE"])] {
        let healthy = h.images().healthy.to_string();

        let state = made_once(h, json!({"image": healthy, "healthcheck": {"test": none}})).await;

        assert_eq!(state.health, None);
    }
}

async fn a_zero_in_a_health_check_is_no_difference(h: &Harness) {
    for zeros in [
        json!({"test": "true", "interval": 30, "timeout": 30, "start_period": 0, "retries": 3}),
        json!({"test": "true", "interval": 0, "timeout": 0, "start_period": 0, "retries": 0}),
    ] {
        made_once(h, json!({"healthcheck": zeros})).await;
    }
}

async fn a_command_for_an_image_with_an_entrypoint_is_made_once(h: &Harness) {
    let image = h.images().furnished.to_string();

    let state = made_once(h, json!({"image": image, "command": "sh -c 'exec sleep 2000000'"})).await;

    assert_eq!(state.config.command.unwrap().argv(), ["sh", "-c", "exec sleep 2000000"]);
    assert_eq!(state.config.entrypoint.unwrap().argv(), ["nice"]);
}

async fn a_label_over_that_of_the_image_and_a_label_of_null_are_made_once(h: &Harness) {
    let labels = json!({"kit.both": "own", "BOOTSTRAP": null});

    let state = made_once(h, json!({"image": h.images().furnished.to_string(), "labels": labels})).await;

    let labels = state.config.labels.unwrap().0;
    assert_eq!((labels["kit.both"].as_str(), labels["BOOTSTRAP"].as_str()), ("own", ""));
    assert_eq!(labels["kit.image"], "image");
}

async fn a_variable_that_is_no_text_is_made_once(h: &Harness) {
    let variables = json!({"ONE": 1, "YES": true, "HALF": 0.5, "NOTHING": null});

    let state = made_once(h, json!({"environment": variables})).await;

    let variables = state.config.environment.unwrap().0;
    let values = ["ONE", "YES", "HALF", "NOTHING"].map(|name| variables[name].value().unwrap().to_owned());
    assert_eq!(values, ["1", "True", "0.5", ""]);
}

async fn tmpfs_and_security_options_arrive_and_are_made_once(h: &Harness) {
    let parameters = json!({
        "tmpfs": ["/run:size=64m,mode=755", "/tmp", "/var/cache:noexec,nosuid", ""],
        "security_opt": ["seccomp=unconfined", "label:disable"],
    });

    let state = made_once(h, parameters).await;

    assert_eq!(state.config.mounts.unwrap().0.len(), 3);
    assert_eq!(state.config.security.security_opt.unwrap().len(), 2);
}

async fn capabilities_in_every_spelling_are_made_once(h: &Harness) {
    made_once(h, json!({"cap_add": ["NET_ADMIN", "CAP_NET_RAW", "sys_time", "CHOWN"]})).await;

    assert_made(h, &json!({"cap_add": ["cap_chown", "SYS_TIME", "net_raw", "CAP_NET_ADMIN"]})).await;
}

async fn each_mode_of_a_bind_counts(h: &Harness) {
    let volumes = json!(["/:/host:ro,rslave", "/run:/run:shared", "/dev:/dev:rw", "/etc/:/etc/kolla/:ro"]);

    let state = made_once(h, json!({"volumes": volumes})).await;

    let expected = ["/:/host:ro,rslave", "/run:/run:shared", "/dev:/dev", "/etc:/etc/kolla:ro"];
    assert_eq!(mounts(h, &state), expected.map(str::to_owned).into());
    let others = json!(["/:/host:ro", "/run:/run:rshared", "/dev:/dev:ro", "/etc:/etc/kolla"]);
    let differing = ["/dev", "/etc/kolla", "/host", "/run"].map(|target| format!("mounts[{target}]"));
    assert_eq!(noticed(h, json!({"volumes": others})).await, differing);
}

async fn the_mode_of_a_named_volume_counts(h: &Harness) {
    let volume = h.volume("nova");

    made_once(h, json!({"volumes": [format!("{volume}:/var/lib/nova:ro")]})).await;

    let writable = json!({"volumes": [format!("{volume}:/var/lib/nova")]});
    assert_eq!(noticed(h, writable).await, ["mounts[/var/lib/nova]"]);
}

async fn a_service_in_the_namespaces_of_the_host_is_made_once(h: &Harness) {
    let shared = json!({"ipc_mode": "host", "pid_mode": "host", "cgroupns_mode": "host"});

    let state = made_once(h, shared).await;

    if h.runtime().engine().features.is_reported("namespaces.ipc") {
        assert_eq!(state.config.namespaces.ipc, Some(NamespaceMode::Host));
    }
    assert_eq!(state.config.namespaces.pid, Some(NamespaceMode::Host));
}

async fn stopping_a_container_that_was_only_made_changes_nothing(h: &Harness) {
    h.reach(&name(h), Goal::Created(Box::new(spec(h, json!({}))))).await;

    h.assert_reached(&name(h), Goal::Stopped { grace: None }).await;

    assert_eq!(h.see(&name(h)).await.status, Status::Created);
}

async fn a_slash_at_the_end_of_a_path_is_no_difference(h: &Harness) {
    let volume = h.volume("nova");

    made_once(h, json!({"volumes": ["/etc/:/etc/nova/:ro", format!("{volume}:/var/lib/nova/")]})).await;

    let without = json!({"volumes": [format!("{volume}:/var/lib/nova"), "/etc:/etc/nova:ro"]});
    assert_made(h, &without).await;
}

async fn every_spelling_of_an_image_is_found_here(h: &Harness) {
    let familiar = h.name("nova").to_string();
    let image: ImageRef = format!("docker.io/library/{familiar}:latest").parse().unwrap();
    let id = h.see_image(&h.images().plain).await.id;
    h.remember_image(&image);
    h.runtime().tag_image(&id, &image).await.unwrap();

    made_once(h, json!({"image": familiar})).await;

    for prefix in ["", "library/", "docker.io/", "docker.io/library/", "index.docker.io/library/"] {
        for suffix in ["", ":latest"] {
            assert_made(h, &json!({"image": format!("{prefix}{familiar}{suffix}")})).await;
        }
    }
    for spelling in [id.to_string(), format!("sha256:{id}")] {
        assert_made(h, &json!({"image": spelling})).await;
    }
}

async fn another_registry_of_the_same_image_is_noticed(h: &Harness) {
    let state = made_once(h, json!({})).await;
    let mirror = h.image_name("mirror");
    h.runtime().tag_image(&state.image_id, &mirror).await.unwrap();

    assert_eq!(noticed(h, json!({"image": mirror.to_string()})).await, ["image"]);
}

async fn one_source_at_two_targets_is_mounted_twice_and_both_are_compared(h: &Harness) {
    let volume = h.volume("nova");
    let three = format!("{volume}:/three");
    let four = format!("{volume}:/four");
    let all = ["/etc:/one:ro", "/etc:/two:ro", three.as_str(), four.as_str()];

    let state = made_once(h, json!({"volumes": all})).await;

    assert_eq!(mounts(h, &state), all.map(str::to_owned).into());
    assert_eq!(state.volumes.values().collect::<Vec<_>>(), [&volume, &volume]);
    for left in all {
        let MountEntry { target, .. } = left.parse().unwrap();
        let fewer: Vec<&str> = all.into_iter().filter(|mount| *mount != left).collect();
        assert_eq!(noticed(h, json!({"volumes": fewer})).await, [format!("mounts[{target}]")]);
    }
}

async fn what_is_not_stated_any_more_is_noticed(h: &Harness) {
    let all = json!({
        "command": "sleep 2000000", "environment": {"DEBUG": "1"}, "labels": {"own": "1"}, "pid_mode": "host",
        "privileged": true, "dimensions": {"cpu_shares": 512}, "tty": true,
    });

    made_once(h, all).await;

    let expected = [
        "command",
        "environment[DEBUG]",
        "labels[own]",
        "tty",
        "namespaces.pid",
        "security.privileged",
        "resources.cpu_shares",
    ];
    assert_eq!(noticed(h, json!({})).await, expected);
}

async fn limits_of_files_and_processes_are_compared(h: &Harness) {
    let limits = |soft: u32| {
        let limit = json!({"soft": soft, "hard": 2048});
        json!({"dimensions": {"ulimits": {"nofile": limit, "RLIMIT_NPROC": limit}}})
    };

    made_once(h, limits(1024)).await;

    let both = ["resources.ulimits[nofile]", "resources.ulimits[nproc]"];
    assert_eq!(noticed(h, limits(512)).await, both);
    assert_eq!(noticed(h, json!({})).await, both);
    made_once(h, json!({})).await;
}

async fn every_dimension_arrives_and_is_noticed_by_itself(h: &Harness) {
    let dimensions = [
        ("cpu_period", json!(50_000), "resources.cpu_period"),
        ("cpu_quota", json!(20_000), "resources.cpu_quota"),
        ("cpu_shares", json!("512"), "resources.cpu_shares"),
        ("cpuset_cpus", json!("0"), "resources.cpuset_cpus"),
        ("cpuset_mems", json!("0"), "resources.cpuset_mems"),
        ("mem_limit", json!("1g"), "resources.memory"),
        ("mem_reservation", json!("512m"), "resources.memory_reservation"),
    ];
    let all_but = |left: &str| -> Value {
        let others = dimensions.iter().filter(|(key, ..)| *key != left);
        json!({"dimensions": others.map(|(key, value, _)| ((*key).to_owned(), value.clone())).collect::<Value>()})
    };

    made_once(h, all_but("nothing")).await;

    for (key, _, field) in &dimensions {
        assert_eq!(noticed(h, all_but(key)).await.first().map(String::as_str), Some(*field));
    }
}

async fn terminal_stop_timeout_network_and_logging_are_compared(h: &Harness) {
    let by_hand = json!({
        "tty": true, "stop_timeout": "1s", "network": {"mode": "bridge"}, "logging": {"driver": "none"},
        "environment": {"TZ": "Europe/Berlin", "KOLLA_SERVICE_NAME": name(h).as_str().replace('_', "-")},
    });
    h.start(&name(h), &h.spec(by_hand)).await;

    let differing = noticed(h, json!({"graceful_timeout": 60})).await;

    assert_eq!(differing, ["tty", "stop_timeout", "network.mode", "logging.driver"]);
}

async fn a_volume_with_the_name_of_its_container_is_made_once(h: &Harness) {
    let volume = h.volume("nova_compute");
    let volumes = json!([format!("{volume}:/var/lib/nova"), format!("{}:/var/log/kolla", h.volume("kolla_logs"))]);
    made_once(h, json!({"volumes": volumes})).await;
    let (reconciler, tally) = h.watched();

    let goals = Goals::one(name(h), goal(h, &json!({"volumes": volumes, "tty": true})));
    let report = reconciler.reconcile(&goals).await.unwrap();

    assert!(report.is_success(), "{report}");
    assert_eq!(tally.count("create_volume"), 0);
    assert!(h.runtime().volume(&volume).await.unwrap().is_some());
}

async fn an_anonymous_volume_outlives_three_replacements_and_goes_when_asked(h: &Harness) {
    let furnished = json!({"image": h.images().furnished.to_string()});
    let volume_of = |state: &ContainerState| -> Vec<VolumeName> { state.volumes.values().cloned().collect() };
    for volumes in [false, true] {
        let first = volume_of(&made_once(h, furnished.clone()).await);

        for _ in 0..3 {
            h.reach(&name(h), Goal::Replace(Box::new(spec(h, furnished.clone())))).await;
            assert_eq!(volume_of(&h.see(&name(h)).await), first);
        }
        h.reach(&name(h), Goal::Absent { volumes, grace: None }).await;

        let [volume] = first.as_slice() else { panic!("it has {first:?}") };
        h.remember_volume(volume);
        assert_eq!(h.runtime().volume(volume).await.unwrap().is_some(), !volumes);
    }
}
