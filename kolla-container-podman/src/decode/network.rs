//! Networks, ports and names: as they were asked for, and as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use kolla_container_core::NetworkName;
use kolla_container_core::spec::{
    ContainerPort, Endpoint, ExposedPorts, ExtraHosts, HostAddress, HostPort, Network, NetworkMode, Ports,
};

use super::document::{self, HostConfig, NetworkSettings};
use super::{Wrong, config, filled, read, read_all};
use crate::defaults::NETWORK;

/// What Podman calls a port that is exposed and not published, below Podman 5: one without a host's.
type PortBindings = BTreeMap<String, Option<Vec<document::HostPort>>>;

pub(super) fn decode(
    publish_all: bool,
    own: &document::Config,
    host: &HostConfig,
    settings: &NetworkSettings,
) -> Result<Network, Wrong> {
    let mut mode = network_mode(&host.network_mode)?;
    let mut networks = BTreeMap::new();
    if mode == NetworkMode::Bridge && !settings.networks.is_empty() && !settings.networks.keys().eq([NETWORK]) {
        mode = NetworkMode::Named;
        for (name, joined) in &settings.networks {
            // Of an address that was asked for and one that it picked Podman says the same.
            let endpoint = Endpoint { aliases: joined.aliases.iter().cloned().collect(), ..Endpoint::default() };
            networks.insert(read("NetworkSettings.Networks", name)?, endpoint);
        }
    }
    let is_own = mode.is_own();
    let ExposedPorts(mut exposed) = config::exposed(&own.exposed_ports)?;
    exposed.extend(read_all::<ContainerPort, Vec<_>, _>("HostConfig.PortBindings", host.port_bindings.keys())?);
    Ok(Network {
        mode: Some(mode),
        networks: Some(networks),
        ports: Some(ports("HostConfig.PortBindings", &host.port_bindings)?),
        // It says nothing of those of a container that has no network of its own.
        expose: Some(ExposedPorts(exposed)).filter(|exposed| is_own || !exposed.0.is_empty()),
        publish_all: Some(publish_all),
        dns: Some(read_all("HostConfig.Dns", &host.dns)?),
        dns_search: Some(host.dns_search.clone()),
        dns_options: Some(host.dns_options.iter().cloned().collect()),
        extra_hosts: Some(extra_hosts(&host.extra_hosts)?),
        links: None,
    })
}

/// The addresses that it has, by network.
pub(super) fn addresses(settings: &NetworkSettings) -> BTreeMap<NetworkName, Vec<IpAddr>> {
    let of = |(name, joined): (&String, &document::Endpoint)| {
        let texts = [&joined.ip_address, &joined.global_ipv6_address];
        let addresses: Vec<IpAddr> = texts.into_iter().filter_map(|text| text.parse().ok()).collect();
        Some((name.parse().ok()?, addresses)).filter(|(_, addresses)| !addresses.is_empty())
    };
    settings.networks.iter().filter_map(of).collect()
}

/// The ports at the host as they are now.
pub(super) fn published(settings: &NetworkSettings) -> Result<Ports, Wrong> {
    ports("NetworkSettings.Ports", &settings.ports)
}

/// The options of user-mode networking stand behind a colon.
fn network_mode(text: &str) -> Result<NetworkMode, Wrong> {
    Ok(match text.split_once(':').map_or(text, |(kind, _)| kind) {
        "" | "bridge" | "default" => NetworkMode::Bridge,
        "host" => NetworkMode::Host,
        "none" => NetworkMode::None,
        "slirp4netns" => NetworkMode::Slirp4netns,
        "pasta" => NetworkMode::Pasta,
        "container" => read("HostConfig.NetworkMode", text)?,
        _ => NetworkMode::Unrecognised(text.to_owned()),
    })
}

fn ports(key: &'static str, bindings: &PortBindings) -> Result<Ports, Wrong> {
    let mut ports: BTreeMap<ContainerPort, BTreeSet<HostPort>> = BTreeMap::new();
    for (port, bindings) in bindings {
        let bindings = bindings.iter().flatten();
        for binding in bindings {
            let ip: Option<IpAddr> = filled(binding.host_ip.clone()).map(|ip| read(key, &ip)).transpose()?;
            let published = HostPort {
                ip: ip.filter(|ip| !ip.is_unspecified()),
                port: filled(binding.host_port.clone()).map(|port| read(key, &port)).transpose()?,
            };
            ports.entry(read(key, port)?).or_default().insert(published);
        }
    }
    Ok(Ports(ports))
}

/// `HOST:IP`; a host name has no colon in it, and several of them are separated by semicolons.
fn extra_hosts(texts: &[String]) -> Result<ExtraHosts, Wrong> {
    const KEY: &str = "HostConfig.ExtraHosts";
    let mut hosts: BTreeMap<String, BTreeSet<HostAddress>> = BTreeMap::new();
    for text in texts {
        let (names, ip) = text.split_once(':').ok_or_else(|| Wrong::new(KEY, format!("{text:?} has no address")))?;
        for name in names.split(';') {
            hosts.entry(name.to_owned()).or_default().insert(read(KEY, ip)?);
        }
    }
    Ok(ExtraHosts(hosts))
}
