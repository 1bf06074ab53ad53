//! The law that holds the encoder, and needs no engine: for every value of every field, either the engine refuses it by
//! name, or it changes the request. What is read back from a container is for a real engine to show: no document of
//! Podman repeats the request.

use std::collections::BTreeMap;

use kolla_container_core::ContainerSpec;
use kolla_container_core::diff::{field_names, unsupported};
use kolla_container_testkit::matrix::{self, Places, rows};
use semver::Version;
use serde_json::{Value, json};

use crate::decode::Info;
use crate::defaults::{self, recorded_facts};
use crate::encode::creation;

fn places() -> Places {
    let places = ["other", "network", "second_network", "volume", "second_volume", "alias", "plain", "furnished"];
    let places = places.iter().fold(Places::none(), |all, place| all.with(place, place.replace('_', "-")));
    places.with("other_image", "other-image").with("port", "20080")
}

#[test]
fn every_value_changes_the_request_or_is_refused_by_name() {
    let features = recorded_facts().features;
    let mut changed = 0;
    for row in rows() {
        let spec = |written| {
            let spec = ContainerSpec::from_value(places().fill(&written)).unwrap();
            ContainerSpec { image: spec.image.clone().or_else(|| "plain".parse().ok()), ..spec }
        };
        let (before, after) = (spec(row.before()), spec(row.after()));
        if !unsupported(&after, &features).is_empty() || !unsupported(&before, &features).is_empty() {
            continue;
        }
        let written = |spec| serde_json::to_value(creation(&"web".parse().unwrap(), spec).unwrap()).unwrap();

        // A limit of processors that is none is not written.
        let asks_for_none = row.field.starts_with("resources.cpu") && row.way == "taken away";
        // What is left out of a health check is looked up in the image first.
        let is_completed = after.healthcheck.test.is_none() && !after.healthcheck.is_empty();
        assert!(asks_for_none || is_completed || written(&before) != written(&after), "{}", row.name());
        changed += 1;
    }
    assert!(changed > 100, "{changed}");
}

/// A spec for each thing that some Podman cannot do.
fn beyond() -> BTreeMap<&'static str, Value> {
    let volume = |options: Value| {
        let mut mount = json!({"type": "volume", "target": "/kit"});
        matrix::merge(&mut mount, options);
        json!({"mounts": [mount]})
    };
    let user = |mode: &str| json!({"namespaces": {"user": mode}});
    let resource = |name: &str, value: Value| json!({"resources": {name: value}});
    let gpu = json!({"device_requests": [{"count": -1, "capabilities": [["gpu"]]}]});
    BTreeMap::from([
        ("device_requests", gpu),
        ("domainname", json!({"domainname": "example.org"})),
        ("healthcheck.start_interval", json!({"healthcheck": {"test": "true", "start_interval": "1s"}})),
        ("mounts.subpath", volume(json!({"source": "data", "subpath": "part"}))),
        ("namespaces.user.keep-id", user("keep-id")),
        ("namespaces.user.nomap", user("nomap")),
        ("namespaces.user.private", user("private")),
        ("network.links", json!({"network": {"links": ["other:alias"]}})),
        ("network.mode.podman", json!({"network": {"mode": "pasta"}})),
        ("network.networks.mac", json!({"network": {"networks": {"net": {"mac": "02:42:0a:00:00:4d"}}}})),
        ("resources.kernel_memory", resource("kernel_memory", json!("64m"))),
        ("resources.oom_kill_disable", resource("oom_kill_disable", json!(true))),
        ("resources.swappiness", resource("swappiness", json!(10))),
        ("runtime", json!({"runtime": "crun"})),
    ])
}

/// The oldest engine, with root's privileges, on control groups of version 2.
#[test]
fn each_thing_that_some_podman_cannot_do_is_refused_by_its_name_and_has_a_spec_here() {
    let info: Info = serde_json::from_value(json!({"host": {"cgroupVersion": "v2"}})).unwrap();
    let facts = defaults::facts(Version::new(4, 0, 0), &info, true);
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
fn what_is_not_reported_is_a_field_or_a_part_of_one() {
    let fields = field_names();

    for path in recorded_facts().features.unreported() {
        let is_one =
            |field: &&str| path == *field || path.strip_prefix(*field).is_some_and(|part| part.starts_with('.'));
        assert!(fields.iter().any(is_one), "{path}");
    }
}

#[test]
fn an_annotation_of_podmans_own_is_refused_by_its_key() {
    let spec = ContainerSpec::from_value(json!({"annotations": {"io.podman.annotations.init": "TRUE", "mine": "1"}}));

    let said = creation(&"web".parse().unwrap(), &spec.unwrap()).err().unwrap().to_string();

    assert!(said.contains("annotations[io.podman.annotations.init]") && !said.contains("mine"), "{said}");
}

#[test]
fn processes_are_limited_where_podman_can_limit_them() {
    let limit = |host: Value| {
        let info: Info = serde_json::from_value(json!({"host": host})).unwrap();
        defaults::facts(Version::new(4, 3, 1), &info, true).defaults.resources.pids_limit.unwrap().value()
    };
    let rootless = |manager: &str, version: &str| {
        limit(json!({"cgroupManager": manager, "cgroupVersion": version, "security": {"rootless": true}}))
    };

    assert_eq!(limit(json!({"cgroupManager": "cgroupfs", "cgroupVersion": "v1", "security": null})), Some(2048));
    assert_eq!(rootless("systemd", "v2"), Some(2048));
    assert_eq!(rootless("cgroupfs", "v2"), None);
    assert_eq!(rootless("systemd", "v1"), None);
}
