//! The law that holds encoder and decoder together, and needs no engine: for every value of every field, either the
//! engine refuses it by name, or it changes the request, and what is read back from the echoed request is that value.

use std::collections::BTreeMap;

use bollard::models::{
    ContainerConfig, ContainerInspectResponse, ContainerState, NetworkSettings, SystemInfo, SystemInfoCgroupVersionEnum,
};
use kolla_container_core::ContainerSpec;
use kolla_container_core::diff::{Comparison, Surroundings, diff, unsupported};
use kolla_container_core::state::{EngineFacts, Features};
use kolla_container_testkit::matrix::{self, Places, rows};
use serde_json::{Value, json};

use crate::decode;
use crate::defaults::{self, recorded_facts};
use crate::encode::{Creation, Endpoints, creation};

/// A container as Docker would report it that only repeats what it was asked for.
fn echo(creation: Creation) -> ContainerInspectResponse {
    let body = serde_json::to_value(&creation.body).unwrap();
    let mut networks = creation.body.networking_config.and_then(|config| config.endpoints_config).unwrap_or_default();
    networks.extend(creation.joins.into_iter().map(|join| (join.network.to_string(), join.endpoint)));
    ContainerInspectResponse {
        id: Some("ab".repeat(32)),
        name: Some("/web".to_owned()),
        image: Some("cd".repeat(32)),
        config: Some(serde_json::from_value::<ContainerConfig>(body).unwrap()),
        host_config: creation.body.host_config,
        // One that joins none is in the network of its mode, which has no endpoint of its own.
        network_settings: (!networks.is_empty())
            .then(|| NetworkSettings { networks: Some(networks), ..NetworkSettings::default() }),
        state: Some(ContainerState::default()),
        ..ContainerInspectResponse::default()
    }
}

fn places() -> Places {
    let places = ["other", "network", "second_network", "volume", "second_volume", "alias", "plain", "furnished"];
    let places = places.iter().fold(Places::none(), |all, place| all.with(place, place.replace('_', "-")));
    places.with("other_image", "other-image").with("port", "20080")
}

#[test]
fn every_value_changes_the_request_and_reads_back_or_is_refused_by_name() {
    let facts = EngineFacts { features: recorded_facts().features, ..recorded_facts() };
    let comparison = Comparison::stated();
    let around = Surroundings { image: None, wanted_image: None, engine: &facts, comparison: &comparison };
    for row in rows() {
        let spec = |written| {
            let spec = ContainerSpec::from_value(places().fill(&written)).unwrap();
            ContainerSpec { image: spec.image.clone().or_else(|| "plain".parse().ok()), ..spec }
        };
        let (before, after) = (spec(row.before()), spec(row.after()));
        if !unsupported(&after, &facts.features).is_empty() || !unsupported(&before, &facts.features).is_empty() {
            continue;
        }
        for endpoints in [Endpoints::One, Endpoints::All] {
            let request = |spec| creation(spec, endpoints).unwrap();
            let written = |creation: &Creation| {
                let joins: Vec<_> =
                    creation.joins.iter().map(|join| (join.network.to_string(), &join.endpoint)).collect();
                json!([creation.body, creation.platform, joins])
            };

            let changed = written(&request(&before)) != written(&request(&after));
            let read = decode::inspected(echo(request(&after))).unwrap();

            // Only the platform is nothing that Docker keeps.
            assert!(changed, "{}", row.name());
            let differs = diff(&after, &read, &around);
            assert!(differs.changes.is_empty(), "{}: {:?}", row.name(), differs.changes);
            assert!(
                row.field == "platform" || differs.unreported.is_empty(),
                "{}: {:?}",
                row.name(),
                differs.unreported
            );
        }
    }
}

/// A spec for each thing that some Docker cannot do.
fn beyond() -> BTreeMap<&'static str, Value> {
    let namespace = |kind: &str, mode: &str| json!({"namespaces": {kind: mode}});
    let volume = |options: Value| {
        let mut mount = json!({"type": "volume", "target": "/kit"});
        matrix::merge(&mut mount, options);
        json!({"mounts": [mount]})
    };
    let resource = |name: &str, value: Value| json!({"resources": {name: value}});
    BTreeMap::from([
        ("annotations", json!({"annotations": {"kit": "1"}})),
        ("healthcheck.start_interval", json!({"healthcheck": {"test": "true", "start_interval": "1s"}})),
        ("mounts.anonymous_read_only", volume(json!({"read_only": true}))),
        ("mounts.devpts", json!({"mounts": [{"type": "devpts", "target": "/kit"}]})),
        ("mounts.flags", json!({"mounts": ["/tmp:/kit:nosuid"]})),
        ("mounts.subpath", volume(json!({"source": "data", "subpath": "part"}))),
        ("namespaces.cgroup.container", namespace("cgroup", "container:other")),
        ("namespaces.cgroup.path", namespace("cgroup", "ns:/proc/1/ns/cgroup")),
        ("namespaces.ipc.path", namespace("ipc", "ns:/proc/1/ns/ipc")),
        ("namespaces.pid.path", namespace("pid", "ns:/proc/1/ns/pid")),
        ("namespaces.user.container", namespace("user", "container:other")),
        ("namespaces.user.path", namespace("user", "ns:/proc/1/ns/user")),
        ("namespaces.user.podman", namespace("user", "keep-id")),
        ("namespaces.user.private", namespace("user", "private")),
        ("namespaces.uts.container", namespace("uts", "container:other")),
        ("namespaces.uts.path", namespace("uts", "ns:/proc/1/ns/uts")),
        ("network.mode.podman", json!({"network": {"mode": "pasta"}})),
        ("network.networks.mac", json!({"network": {"networks": {"net": {"mac": "02:42:0a:00:00:4d"}}}})),
        ("resources.cpu_period", resource("cpu_period", json!("50ms"))),
        ("resources.cpu_quota", resource("cpu_quota", json!("20ms"))),
        ("resources.cpu_shares", resource("cpu_shares", json!(512))),
        ("resources.cpus", resource("cpus", json!(0.5))),
        ("resources.cpuset_cpus", resource("cpuset_cpus", json!("0"))),
        ("resources.cpuset_mems", resource("cpuset_mems", json!("0"))),
        ("resources.kernel_memory", resource("kernel_memory", json!("64m"))),
        ("resources.memory", resource("memory", json!("64m"))),
        ("resources.memory_reservation", resource("memory_reservation", json!("64m"))),
        ("resources.memory_swap", resource("memory_swap", json!("64m"))),
        ("resources.oom_kill_disable", resource("oom_kill_disable", json!(true))),
        ("resources.pids_limit", resource("pids_limit", json!(100))),
        ("resources.swappiness", resource("swappiness", json!(10))),
        ("security.security_opt.profile_path", json!({"security": {"security_opt": ["seccomp=/profile.json"]}})),
    ])
}

/// The oldest engine, on a machine whose kernel can do nothing.
#[test]
fn each_thing_that_some_docker_cannot_do_is_refused_by_its_name_and_has_a_spec_here() {
    let lacks = Some(false);
    let info = SystemInfo {
        cgroup_version: Some(SystemInfoCgroupVersionEnum::_2),
        memory_limit: lacks,
        swap_limit: lacks,
        cpu_cfs_period: lacks,
        cpu_cfs_quota: lacks,
        cpu_shares: lacks,
        cpu_set: lacks,
        pids_limit: lacks,
        oom_kill_disable: lacks,
        ..SystemInfo::default()
    };
    let facts = defaults::facts(defaults::OLDEST, &info, true);
    let refused: BTreeMap<&str, &str> = facts.features.refusals().collect();
    let beyond = beyond();
    assert!(refused.keys().eq(beyond.keys()), "{refused:?}");

    for (feature, written) in beyond {
        let spec = ContainerSpec::from_value(written).unwrap();

        let said = unsupported(&spec, &facts.features).to_string();

        assert!(said.contains(refused[feature]), "{feature}: {said}");
    }
}

#[test]
fn what_no_docker_can_do_is_refused_by_its_name() {
    let features: Features = recorded_facts().features;
    let refused: Vec<String> = rows()
        .iter()
        .filter(|row| {
            let spec = ContainerSpec::from_value(places().fill(&row.after())).unwrap();
            unsupported(&spec, &features).iter().any(|violation| violation.path.as_str().starts_with(row.field))
        })
        .map(matrix::Row::name)
        .collect();

    assert_eq!(
        refused,
        [
            "mounts::with_flags",
            "mounts::a_devpts_set",
            "network.mode::pasta",
            "namespaces.user::keep-id",
            "resources.kernel_memory::set",
        ]
    );
}
