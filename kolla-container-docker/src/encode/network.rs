//! Networks, ports and names.

use std::collections::HashMap;

use bollard::models::{EndpointIpamConfig, EndpointSettings, HostConfig, NetworkingConfig, PortBinding, PortMap};
use kolla_container_core::NetworkName;
use kolla_container_core::spec::{Endpoint, ExtraHosts, HostPort, Network, NetworkMode, Ports};

use super::Endpoints;

/// A network to join once the container is made.
#[derive(Debug)]
pub(crate) struct Join {
    pub(crate) network: NetworkName,
    pub(crate) endpoint: EndpointSettings,
}

/// What of a network goes elsewhere than into the host configuration.
pub(super) struct Connected {
    pub(super) exposed: Option<Vec<String>>,
    pub(super) networking: Option<NetworkingConfig>,
    pub(super) joins: Vec<Join>,
}

pub(super) fn encode(network: &Network, endpoints: Endpoints, host: &mut HostConfig) -> Connected {
    let Network { mode, networks, ports, expose, publish_all, dns, dns_search, dns_options, extra_hosts, links } =
        network;
    let mut joins: Vec<Join> = networks
        .iter()
        .flatten()
        .map(|(network, joined)| Join { network: network.clone(), endpoint: endpoint(joined) })
        .collect();
    let links: Option<Vec<String>> = links.as_ref().map(super::texts);
    host.network_mode = if let Some(first) = joins.first_mut() {
        // In a network of the user's, links are those of the endpoint.
        first.endpoint.links = links;
        Some(first.network.to_string())
    } else {
        host.links = links;
        mode.as_ref().filter(|mode| **mode != NetworkMode::Named).map(ToString::to_string)
    };
    host.port_bindings = ports.as_ref().map(port_map);
    host.publish_all_ports = *publish_all;
    host.dns = dns.as_ref().map(super::texts);
    host.dns_search.clone_from(dns_search);
    host.dns_options = dns_options.as_ref().map(super::texts);
    host.extra_hosts = extra_hosts.as_ref().map(hosts);

    let stated = expose.iter().flat_map(|expose| &expose.0).copied();
    let published = ports.iter().flat_map(|ports| ports.0.keys()).copied();
    let mut exposed: Vec<_> = stated.chain(published).collect();
    exposed.sort_unstable();
    exposed.dedup();

    let at_once = match endpoints {
        Endpoints::All => joins.len(),
        Endpoints::One => joins.len().min(1),
    };
    let at_once: HashMap<String, EndpointSettings> =
        joins.drain(..at_once).map(|join| (join.network.to_string(), join.endpoint)).collect();
    Connected {
        exposed: (!exposed.is_empty()).then(|| super::texts(exposed)),
        networking: (!at_once.is_empty()).then_some(NetworkingConfig { endpoints_config: Some(at_once) }),
        joins,
    }
}

/// An endpoint as it is asked for.
pub(crate) fn endpoint(endpoint: &Endpoint) -> EndpointSettings {
    let Endpoint { aliases, ipv4, ipv6, mac } = endpoint;
    let addresses = (ipv4.is_some() || ipv6.is_some()).then(|| EndpointIpamConfig {
        ipv4_address: ipv4.map(|ip| ip.to_string()),
        ipv6_address: ipv6.map(|ip| ip.to_string()),
        ..EndpointIpamConfig::default()
    });
    EndpointSettings {
        aliases: (!aliases.is_empty()).then(|| aliases.iter().cloned().collect()),
        ipam_config: addresses,
        mac_address: mac.map(|mac| mac.to_string()),
        ..EndpointSettings::default()
    }
}

fn port_map(Ports(ports): &Ports) -> PortMap {
    let binding = |HostPort { ip, port }: &HostPort| PortBinding {
        host_ip: ip.map(|ip| ip.to_string()),
        host_port: Some(port.map_or_else(String::new, |port| port.to_string())),
    };
    ports.iter().map(|(port, hosts)| (port.to_string(), Some(hosts.iter().map(binding).collect()))).collect()
}

fn hosts(ExtraHosts(hosts): &ExtraHosts) -> Vec<String> {
    hosts.iter().flat_map(|(host, addresses)| addresses.iter().map(move |ip| format!("{host}:{ip}"))).collect()
}
