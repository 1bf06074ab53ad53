//! Volumes and networks: as Podman says them, and as they are asked for.

use std::collections::{BTreeMap, BTreeSet};

use kolla_container_core::spec::TextMap;
use kolla_container_core::state::{NetworkState, NetworkToCreate, VolumeState, VolumeToCreate};
use kolla_container_core::{ContainerId, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::decode::undecodable;

/// `GET /libpod/volumes/{name}/json`
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Volume {
    name: String,
    #[serde(default)]
    driver: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
    #[serde(default)]
    options: Option<BTreeMap<String, String>>,
    #[serde(default)]
    created_at: String,
}

/// `GET /libpod/networks/{name}/json`
#[derive(Deserialize)]
pub(crate) struct Network {
    name: String,
    id: String,
    #[serde(default)]
    driver: String,
    #[serde(default)]
    internal: bool,
    #[serde(default)]
    ipv6_enabled: bool,
    #[serde(default)]
    subnets: Option<Vec<Subnet>>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct Subnet {
    subnet: String,
}

pub(crate) fn volume(volume: Volume) -> Result<VolumeState> {
    let Volume { name, driver, labels, options, created_at } = volume;
    Ok(VolumeState {
        name: name.parse().map_err(|error| undecodable("read volume", &name, error))?,
        driver,
        labels: TextMap(labels.unwrap_or_default()),
        options: TextMap(options.unwrap_or_default()),
        created: created_at.parse().ok(),
    })
}

pub(crate) fn volume_to_create(volume: &VolumeToCreate) -> Value {
    let VolumeToCreate { name, driver, labels, options } = volume;
    json!({"Name": name, "Driver": driver, "Label": labels, "Labels": labels, "Options": options})
}

/// Which containers are in it, a document of Podman 4 does not say.
pub(crate) fn network(network: Network, containers: BTreeSet<ContainerId>) -> Result<NetworkState> {
    let Network { name, id, driver, internal, ipv6_enabled, subnets, labels } = network;
    Ok(NetworkState {
        name: name.parse().map_err(|error| undecodable("read network", &name, error))?,
        id,
        driver,
        internal,
        ipv6: ipv6_enabled,
        subnets: subnets.unwrap_or_default().into_iter().map(|range| range.subnet).collect(),
        labels: TextMap(labels.unwrap_or_default()),
        containers: containers.into_iter().collect(),
    })
}

/// Containers of a bridge find each other by name, as they do on Docker.
pub(crate) fn network_to_create(network: &NetworkToCreate) -> Value {
    let NetworkToCreate { name, driver, internal, ipv6, subnets, labels } = network;
    let ranges: Vec<Value> = subnets.iter().map(|subnet| json!({"subnet": subnet})).collect();
    let mut document = json!({
        "name": name,
        "driver": driver,
        "internal": internal,
        "ipv6_enabled": ipv6,
        "dns_enabled": true,
        "labels": labels,
    });
    if let (false, Some(keys)) = (ranges.is_empty(), document.as_object_mut()) {
        keys.insert("subnets".to_owned(), json!(ranges));
    }
    document
}
