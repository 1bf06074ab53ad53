//! The law that holds encoder and decoder together, and needs no engine: for every value of every field, either the
//! engine refuses it by name, or it changes the request, and what is read back from the echoed request is that value.

use bollard::models::{ContainerConfig, ContainerInspectResponse, ContainerState, NetworkSettings};
use kolla_container_core::ContainerSpec;
use kolla_container_core::diff::{Comparison, Surroundings, diff, unsupported};
use kolla_container_core::state::{EngineFacts, Features};
use kolla_container_testkit::matrix::{Places, rows};
use serde_json::json;

use crate::decode;
use crate::defaults::recorded_facts;
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

#[test]
fn what_no_docker_can_do_is_refused_by_its_name() {
    let features: Features = recorded_facts().features;
    let refused: Vec<String> = rows()
        .iter()
        .filter(|row| {
            let spec = ContainerSpec::from_value(places().fill(&row.after())).unwrap();
            unsupported(&spec, &features).iter().any(|violation| violation.path.as_str().starts_with(row.field))
        })
        .map(kolla_container_testkit::matrix::Row::name)
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
