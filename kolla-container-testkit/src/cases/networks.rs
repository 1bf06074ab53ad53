//! Networks: made, joined, left and removed.

use std::collections::BTreeMap;

use kolla_container_core::spec::{Command, Endpoint, TextMap};
use kolla_container_core::state::{ContainerState, EngineKind, Exec, NetworkToCreate};
use kolla_container_core::{ErrorKind, Goal, Goals, NetworkName};
use serde_json::json;

use super::cases;
use crate::harness::{Harness, Kind};

cases! { "networks";
    a_network_that_is_not_there_is_none;
    a_new_network_is_there_as_asked;
    a_network_whose_name_is_taken_is_a_conflict;
    a_removed_network_is_gone;
    removing_a_network_that_is_not_there_succeeds;
    a_network_with_a_container_in_it_stays;
    a_container_has_an_address_in_each_of_its_networks;
    an_endpoint_is_reported_as_it_was_stated;
    a_hardware_address_is_reported_as_it_was_stated ["network.networks.mac"];
    a_container_joins_a_network_while_it_runs;
    joining_a_network_twice_changes_nothing;
    joining_a_missing_network_is_not_found;
    a_missing_container_joins_nothing;
    a_container_leaves_a_network_while_it_runs;
    leaving_a_network_twice_succeeds;
    a_container_of_a_missing_network_is_refused_and_leaves_nothing_behind;
    a_container_joins_two_networks_at_once ["network.networks.several"];
    a_new_container_is_found_by_its_name_in_whatever_order_it_replaces_the_old_one;
}

/// What a network knows a container by is its name when it is started, or whatever its name becomes: start-first, it is
/// started under another one.
async fn a_new_container_is_found_by_its_name_in_whatever_order_it_replaces_the_old_one(h: &Harness) {
    let (name, network) = (h.name("web"), h.make_network("net").await);
    let networks = json!({"networks": {network.to_string(): {}}});
    let web = |number: u32| {
        let (environment, deploy) =
            (json!({"N": number.to_string()}), json!({"replace": "start-first", "settle": "1s"}));
        Goal::running(h.spec(json!({"network": networks, "environment": environment, "deploy": deploy})))
    };
    let neighbour = h.start(&h.name("neighbour"), &h.spec(json!({"network": networks}))).await;
    h.reach(&name, web(1)).await;
    let (reconciler, tally) = h.watched();

    let report = reconciler.reconcile(&Goals::one(name.clone(), web(2))).await.unwrap();

    assert!(report.is_success(), "{report}");
    h.assert_reached(&name, web(2)).await;
    let writes = tally.writes();
    let at = |method: &str| writes.iter().position(|write| *write == method).unwrap();
    let engine = h.runtime().engine();
    assert_eq!(at("stop_container") < at("start_container"), engine.features.names_at_start(), "{writes:?}");
    let says_why = |note: &String| note.contains("the name that it was started with");
    assert_eq!(report.containers[0].notes.iter().any(says_why), engine.features.names_at_start());
    // Podman's own server for names is not always there while other networks come and go.
    if engine.kind == EngineKind::Docker {
        let address = h.see(&name).await.addresses[&network][0].to_string();
        let asks = Exec { command: Command::new(["nslookup", name.as_str()]), user: None };
        let answer = h.runtime().exec(&neighbour, &asks).await.unwrap();
        let answer = String::from_utf8_lossy(&answer.stdout).into_owned();
        assert!(answer.contains(&address), "{address} is not in {answer}");
    }
}

async fn a_network_that_is_not_there_is_none(h: &Harness) {
    assert_eq!(h.runtime().network(&h.network("missing")).await.unwrap(), None);
}

async fn a_new_network_is_there_as_asked(h: &Harness) {
    let name = h.network("net");
    let labels = TextMap::from_iter([("kit", "1")]);
    let wanted = NetworkToCreate { internal: true, labels: labels.clone(), ..NetworkToCreate::bridge(name.clone()) };

    h.runtime().create_network(&wanted).await.unwrap();

    let network = h.runtime().network(&name).await.unwrap().unwrap();
    assert_eq!((network.name, network.driver.as_str()), (name, "bridge"));
    assert_eq!((network.internal, network.labels), (true, labels));
    assert!(!network.id.is_empty() && !network.subnets.is_empty());
}

async fn a_network_whose_name_is_taken_is_a_conflict(h: &Harness) {
    let name = h.make_network("net").await;

    let created = h.runtime().create_network(&NetworkToCreate::bridge(name)).await;

    assert_eq!(created.kind(), Some(ErrorKind::Conflict));
}

async fn a_removed_network_is_gone(h: &Harness) {
    let name = h.make_network("net").await;

    h.runtime().remove_network(&name).await.unwrap();

    assert_eq!(h.runtime().network(&name).await.unwrap(), None);
}

async fn removing_a_network_that_is_not_there_succeeds(h: &Harness) {
    assert_eq!(h.runtime().remove_network(&h.network("missing")).await.kind(), None);
}

async fn a_network_with_a_container_in_it_stays(h: &Harness) {
    let name = h.make_network("net").await;
    h.start(&h.name("web"), &h.spec(json!({"network": {"networks": {name.to_string(): {}}}}))).await;

    let removed = h.runtime().remove_network(&name).await;

    assert_eq!(removed.kind(), Some(ErrorKind::Conflict));
    assert!(h.runtime().network(&name).await.unwrap().is_some());
}

async fn a_container_has_an_address_in_each_of_its_networks(h: &Harness) {
    let name = h.make_network("net").await;

    let id = h.start(&h.name("web"), &h.spec(json!({"network": {"networks": {name.to_string(): {}}}}))).await;

    let addresses = h.see_id(&id).await.addresses;
    assert_eq!(addresses.keys().collect::<Vec<_>>(), [&name]);
    assert!(addresses.values().all(|addresses| !addresses.is_empty()), "{addresses:?}");
}

async fn an_endpoint_is_reported_as_it_was_stated(h: &Harness) {
    let name = h.network("net");
    let subnet = format!("10.{}.{}.0/24", 64 + h.port() / 256 % 64, h.port() % 256);
    let wanted = NetworkToCreate { subnets: [subnet.clone()].into(), ..NetworkToCreate::bridge(name.clone()) };
    h.runtime().create_network(&wanted).await.unwrap();
    let address = subnet.replace("0/24", "77");
    let endpoint = json!({"aliases": ["kit", "kat"], "ipv4": address});

    let spec = h.spec(json!({"network": {"networks": {name.to_string(): endpoint}}}));
    let id = h.start(&h.name("web"), &spec).await;

    let state = h.see_id(&id).await;
    let mut stated = spec.network.networks.clone();
    if !h.runtime().engine().features.is_reported("network.networks.addresses") {
        stated.iter_mut().flatten().for_each(|(_, endpoint)| endpoint.ipv4 = None);
    }
    assert_eq!(asked_for(&state), stated);
    assert_eq!(state.addresses.get(&name).map(|all| all.contains(&address.parse().unwrap())), Some(true));
}

async fn a_hardware_address_is_reported_as_it_was_stated(h: &Harness) {
    let name = h.make_network("net").await;
    let spec = h.spec(json!({"network": {"networks": {name.to_string(): {"mac": "02:42:0a:00:00:4d"}}}}));

    let id = h.start(&h.name("web"), &spec).await;

    assert_eq!(asked_for(&h.see_id(&id).await), spec.network.networks);
}

async fn a_container_joins_a_network_while_it_runs(h: &Harness) {
    let name = h.make_network("net").await;
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    let endpoint = Endpoint { aliases: ["kit".to_owned()].into(), ..Endpoint::default() };

    h.runtime().connect_network(&name, &id, &endpoint).await.unwrap();

    let state = h.see_id(&id).await;
    assert!(state.addresses.contains_key(&name), "{:?}", state.addresses);
    assert_eq!(asked_for(&state).unwrap().get(&name), Some(&endpoint));
}

async fn joining_a_network_twice_changes_nothing(h: &Harness) {
    let name = h.make_network("net").await;
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    h.runtime().connect_network(&name, &id, &Endpoint::default()).await.unwrap();
    let before = h.see_id(&id).await;

    h.runtime().connect_network(&name, &id, &Endpoint::default()).await.unwrap();

    assert_eq!(h.see_id(&id).await, before);
}

async fn joining_a_missing_network_is_not_found(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;

    let joined = h.runtime().connect_network(&h.network("missing"), &id, &Endpoint::default()).await;

    assert_eq!(joined.kind(), Some(ErrorKind::NotFound));
}

async fn a_missing_container_joins_nothing(h: &Harness) {
    let name = h.make_network("net").await;
    let id = h.create(&h.name("gone"), &h.spec(json!({}))).await;
    h.runtime().remove_container(&id).await.unwrap();

    let joined = h.runtime().connect_network(&name, &id, &Endpoint::default()).await;

    assert_eq!(joined.kind(), Some(ErrorKind::NotFound));
}

async fn a_container_leaves_a_network_while_it_runs(h: &Harness) {
    let name = h.make_network("net").await;
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    h.runtime().connect_network(&name, &id, &Endpoint::default()).await.unwrap();

    h.runtime().disconnect_network(&name, &id).await.unwrap();

    assert!(!h.see_id(&id).await.addresses.contains_key(&name));
    assert_eq!(h.runtime().remove_network(&name).await.kind(), None);
}

async fn leaving_a_network_twice_succeeds(h: &Harness) {
    let name = h.make_network("net").await;
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;

    assert_eq!(h.runtime().disconnect_network(&name, &id).await.kind(), None);
    assert_eq!(h.runtime().disconnect_network(&name, &id).await.kind(), None);
}

async fn a_container_of_a_missing_network_is_refused_and_leaves_nothing_behind(h: &Harness) {
    let missing = h.network("missing");

    let spec = h.spec(json!({"network": {"networks": {missing.to_string(): {}}}}));
    let created = h.runtime().create_container(&h.name("web"), &spec).await;

    assert_eq!(created.kind(), Some(ErrorKind::NotFound));
    assert_eq!(h.look(&h.name("web")).await, None);
}

async fn a_container_joins_two_networks_at_once(h: &Harness) {
    let (one, two) = (h.make_network("one").await, h.make_network("two").await);
    let spec = h.spec(json!({"network": {"networks": {one.to_string(): {}, two.to_string(): {"aliases": ["kit"]}}}}));

    let id = h.start(&h.name("web"), &spec).await;

    let state = h.see_id(&id).await;
    assert_eq!(state.addresses.keys().collect::<Vec<_>>(), [&one, &two]);
    assert_eq!(asked_for(&state), spec.network.networks);
}

/// The networks of a container without the aliases that engines give to each: the beginning of its id, its host name.
fn asked_for(state: &ContainerState) -> Option<BTreeMap<NetworkName, Endpoint>> {
    let mut networks = state.config.network.networks.clone();
    for endpoint in networks.iter_mut().flat_map(BTreeMap::values_mut) {
        endpoint.aliases.retain(|alias| alias != state.id.short() && Some(alias) != state.config.hostname.as_ref());
    }
    networks
}
