//! Volumes and networks: as Docker says them, and as they are asked for.

use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest, NetworkInspect, Volume};
use kolla_container_core::Result;
use kolla_container_core::spec::TextMap;
use kolla_container_core::state::{NetworkState, NetworkToCreate, VolumeState};

use crate::decode::undecodable;
use crate::encode::text_map;

pub(crate) fn volume(volume: Volume) -> Result<VolumeState> {
    Ok(VolumeState {
        name: volume.name.parse().map_err(|error| undecodable("volume", &volume.name, error))?,
        driver: volume.driver,
        labels: TextMap(volume.labels.into_iter().collect()),
        options: TextMap(volume.options.into_iter().collect()),
        created: volume.created_at.and_then(|created| created.parse().ok()),
    })
}

pub(crate) fn network(network: NetworkInspect) -> Result<NetworkState> {
    let name = network.name.unwrap_or_default();
    let ranges = network.ipam.and_then(|ipam| ipam.config).into_iter().flatten();
    Ok(NetworkState {
        id: network.id.unwrap_or_default(),
        name: name.parse().map_err(|error| undecodable("network", &name, error))?,
        driver: network.driver.unwrap_or_default(),
        internal: network.internal.unwrap_or_default(),
        ipv6: network.enable_ipv6.unwrap_or_default(),
        subnets: ranges.filter_map(|range| range.subnet).collect(),
        labels: TextMap(network.labels.unwrap_or_default().into_iter().collect()),
        containers: network.containers.unwrap_or_default().into_keys().filter_map(|id| id.parse().ok()).collect(),
    })
}

pub(crate) fn network_to_create(network: &NetworkToCreate) -> NetworkCreateRequest {
    let NetworkToCreate { name, driver, internal, ipv6, subnets, labels } = network;
    let ranges = subnets.iter().map(|subnet| IpamConfig { subnet: Some(subnet.clone()), ..IpamConfig::default() });
    let ipam = Ipam { config: Some(ranges.collect()), ..Ipam::default() };
    NetworkCreateRequest {
        name: name.to_string(),
        driver: Some(driver.clone()),
        internal: Some(*internal),
        enable_ipv6: Some(*ipv6),
        ipam: (!subnets.is_empty()).then_some(ipam),
        labels: Some(text_map(labels)),
        ..NetworkCreateRequest::default()
    }
}
