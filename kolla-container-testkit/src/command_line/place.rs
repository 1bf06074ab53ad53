//! Volumes and networks: as the commands print them, and as they are asked for.

use std::collections::BTreeSet;

use kolla_container_core::spec::TextMap;
use kolla_container_core::state::{EngineKind, NetworkState, NetworkToCreate, VolumeState, VolumeToCreate};
use kolla_container_core::{Error, ErrorKind, Result};
use serde_json::Value;

use super::words::Words;

fn text(document: &Value, key: &str) -> String {
    document.get(key).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn is_set(document: &Value, key: &str) -> bool {
    document.get(key).and_then(Value::as_bool).unwrap_or_default()
}

fn pairs(document: &Value, key: &str) -> TextMap {
    let pairs = document.get(key).and_then(Value::as_object).into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))).collect()
}

fn undecodable(operation: &'static str, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Undecodable, operation, "").because(error)
}

pub(super) fn volume(document: &Value) -> Result<VolumeState> {
    Ok(VolumeState {
        name: text(document, "Name").parse().map_err(|error| undecodable("read volume", error))?,
        driver: text(document, "Driver"),
        labels: pairs(document, "Labels"),
        options: pairs(document, "Options"),
        created: text(document, "CreatedAt").parse().ok(),
    })
}

pub(super) fn volume_to_create(volume: &VolumeToCreate) -> Words {
    let VolumeToCreate { name, driver, labels, options } = volume;
    let pair = |(key, value): (&String, &String)| format!("{key}={value}");
    Words::new(["volume", "create"])
        .flag("driver", Some(driver))
        .flags("label", labels.0.iter().map(pair))
        .flags("opt", options.0.iter().map(pair))
        .word(name)
}

/// The two commands print the same things under other keys.
pub(super) fn network(document: &Value, engine: EngineKind) -> Result<NetworkState> {
    let (keys, ranges, range) = match engine {
        EngineKind::Podman => (["name", "id", "driver", "internal", "ipv6_enabled", "labels"], "/subnets", "subnet"),
        _ => (["Name", "Id", "Driver", "Internal", "EnableIPv6", "Labels"], "/IPAM/Config", "Subnet"),
    };
    let [name, id, driver, internal, ipv6, labels] = keys;
    let subnets = document.pointer(ranges).and_then(Value::as_array).into_iter().flatten();
    let containers = document.get("Containers").and_then(Value::as_object).into_iter().flatten();
    Ok(NetworkState {
        id: text(document, id),
        name: text(document, name).parse().map_err(|error| undecodable("read network", error))?,
        driver: text(document, driver),
        internal: is_set(document, internal),
        ipv6: is_set(document, ipv6),
        subnets: subnets.map(|subnet| text(subnet, range)).collect::<BTreeSet<_>>(),
        labels: pairs(document, labels),
        containers: containers.filter_map(|(id, _)| id.parse().ok()).collect(),
    })
}

pub(super) fn network_to_create(network: &NetworkToCreate) -> Words {
    let NetworkToCreate { name, driver, internal, ipv6, subnets, labels } = network;
    Words::new(["network", "create"])
        .flag("driver", Some(driver))
        .flag("internal", Some(internal))
        .flag("ipv6", Some(ipv6))
        .flags("subnet", subnets)
        .flags("label", labels.0.iter().map(|(key, value)| format!("{key}={value}")))
        .word(name)
}
