//! Networks, ports and names.

use std::collections::BTreeMap;

use kolla_container_core::Violations;
use kolla_container_core::spec::{Endpoint, ExposedPorts, ExtraHosts, HostPort, Network, NetworkMode, Ports};

use super::generator::{self, Generator, Namespace, PortMapping};

pub(super) fn encode(network: &Network, generator: &mut Generator, wrong: &mut Violations) {
    let Network { mode, networks, ports, expose, publish_all, dns, dns_search, dns_options, extra_hosts, links } =
        network;
    if links.as_ref().is_some_and(|links| !links.is_empty()) {
        wrong.add("network.links", "Podman has none: containers of a network know each other by name");
    }
    let joined = networks.as_ref().filter(|networks| !networks.is_empty());
    generator.networks =
        joined.map(|networks| networks.iter().map(|(name, joined)| (name.to_string(), endpoint(joined))).collect());
    generator.netns = match mode {
        _ if joined.is_some() => Some(namespace("bridge", None)),
        None | Some(NetworkMode::Named) => None,
        Some(NetworkMode::Container(container)) => Some(namespace("container", Some(container.to_string()))),
        Some(mode) => Some(namespace(&mode.to_string(), None)),
    };
    generator.portmappings = ports.as_ref().map(mappings);
    generator.expose = expose.as_ref().map(exposed);
    generator.publish_image_ports = *publish_all;
    generator.dns_server = dns.as_ref().map(super::texts);
    generator.dns_search.clone_from(dns_search);
    generator.dns_option = dns_options.as_ref().map(super::texts);
    generator.hostadd = extra_hosts.as_ref().map(hosts);
}

fn namespace(mode: &str, value: Option<String>) -> Namespace {
    Namespace { nsmode: Some(mode.to_owned()), value }
}

/// An endpoint as it is asked for.
pub(crate) fn endpoint(endpoint: &Endpoint) -> generator::Endpoint {
    let Endpoint { aliases, ipv4, ipv6, mac } = endpoint;
    let addresses = ipv4.map(|ip| ip.to_string()).into_iter().chain(ipv6.map(|ip| ip.to_string()));
    generator::Endpoint {
        aliases: Some(super::texts(aliases)),
        static_ips: Some(addresses.collect::<Vec<_>>()).filter(|addresses| !addresses.is_empty()),
        static_mac: mac.map(|mac| mac.to_string()),
    }
}

fn mappings(Ports(ports): &Ports) -> Vec<PortMapping> {
    let mapping =
        |(container, HostPort { ip, port }): (&kolla_container_core::spec::ContainerPort, &HostPort)| PortMapping {
            host_ip: ip.map(|ip| ip.to_string()),
            container_port: Some(container.number),
            host_port: *port,
            protocol: Some(container.protocol.to_string()),
        };
    ports.iter().flat_map(|(container, hosts)| hosts.iter().map(move |host| (container, host))).map(mapping).collect()
}

/// The protocols of each port.
fn exposed(ExposedPorts(ports): &ExposedPorts) -> BTreeMap<u16, String> {
    let mut protocols: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for port in ports {
        protocols.entry(port.number).or_default().push(port.protocol.to_string());
    }
    protocols.into_iter().map(|(port, protocols)| (port, protocols.join(","))).collect()
}

fn hosts(ExtraHosts(hosts): &ExtraHosts) -> Vec<String> {
    hosts.iter().flat_map(|(host, addresses)| addresses.iter().map(move |ip| format!("{host}:{ip}"))).collect()
}
