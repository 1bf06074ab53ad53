//! Networks, ports and names: as they were asked for, and as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bollard::models::{EndpointSettings, HostConfig, NetworkSettings, PortMap};
use kolla_container_core::NetworkName;
use kolla_container_core::spec::{
    ContainerPort, Endpoint, ExposedPorts, ExtraHosts, HostAddress, HostPort, Link, Network, NetworkMode, Ports,
};

use super::{Wrong, filled, read, read_all};

/// Takes the network out of a host configuration.
pub(super) fn decode(
    exposed: Option<ExposedPorts>,
    host: &mut HostConfig,
    settings: Option<&NetworkSettings>,
) -> Result<Network, Wrong> {
    let stated = filled(host.network_mode.take()).map_or(Ok(NetworkMode::Bridge), |mode| network_mode(&mode))?;
    let joined = settings.and_then(|settings| settings.networks.as_ref());
    // Who has left the bridge, or has joined another network too, is not just in the bridge.
    let mode = match joined {
        Some(joined) if stated == NetworkMode::Bridge && !joined.keys().eq(["bridge"]) => NetworkMode::Named,
        _ => stated,
    };
    let joined = joined.into_iter().flatten();
    let mut networks = BTreeMap::new();
    let mut links = BTreeSet::new();
    for (name, joined) in joined {
        links.extend(joined.links.iter().flatten().map(|text| link(text)).collect::<Result<Vec<_>, _>>()?);
        if !is_said_by(&mode, name) {
            networks.insert(read("NetworkSettings.Networks", name)?, endpoint(joined)?);
        }
    }
    links.extend(host.links.take().iter().flatten().map(|text| link(text)).collect::<Result<Vec<_>, _>>()?);
    Ok(Network {
        mode: Some(mode),
        networks: Some(networks),
        ports: Some(ports("HostConfig.PortBindings", host.port_bindings.take())?),
        expose: Some(exposed.unwrap_or_default()),
        publish_all: Some(host.publish_all_ports.take().unwrap_or_default()),
        dns: Some(read_all(
            "HostConfig.Dns",
            host.dns.take().map(|dns| dns.into_iter().filter(|ip| !ip.is_empty()).collect()),
        )?),
        dns_search: Some(host.dns_search.take().unwrap_or_default()),
        dns_options: Some(host.dns_options.take().into_iter().flatten().collect()),
        extra_hosts: Some(extra_hosts(host.extra_hosts.take())?),
        links: Some(links),
    })
}

/// The addresses that it has, by network.
pub(super) fn addresses(settings: Option<&NetworkSettings>) -> BTreeMap<NetworkName, Vec<IpAddr>> {
    let of = |(name, joined): (&String, &EndpointSettings)| {
        let texts = [joined.ip_address.as_deref(), joined.global_ipv6_address.as_deref()];
        let addresses: Vec<IpAddr> = texts.into_iter().flatten().filter_map(|text| text.parse().ok()).collect();
        Some((name.parse().ok()?, addresses)).filter(|(_, addresses)| !addresses.is_empty())
    };
    settings.and_then(|settings| settings.networks.as_ref()).into_iter().flatten().filter_map(of).collect()
}

/// The ports at the host as they are now.
pub(super) fn published(settings: Option<&NetworkSettings>) -> Result<Ports, Wrong> {
    ports("NetworkSettings.Ports", settings.and_then(|settings| settings.ports.clone()))
}

fn network_mode(text: &str) -> Result<NetworkMode, Wrong> {
    match text {
        "default" | "bridge" => Ok(NetworkMode::Bridge),
        "host" => Ok(NetworkMode::Host),
        "none" => Ok(NetworkMode::None),
        _ if text.starts_with("container:") => read("HostConfig.NetworkMode", text),
        // The name or the id of the network that it was made in.
        _ => Ok(NetworkMode::Named),
    }
}

/// Whether the mode alone says that it is in that network.
fn is_said_by(mode: &NetworkMode, network: &str) -> bool {
    match mode {
        NetworkMode::Bridge => network == "bridge",
        NetworkMode::Host => network == "host",
        NetworkMode::None => network == "none",
        _ => false,
    }
}

/// An endpoint as it was asked for; the addresses that Docker picked are elsewhere. The hardware address stays out: of
/// one that was asked for and one that was picked Docker says the same.
fn endpoint(joined: &EndpointSettings) -> Result<Endpoint, Wrong> {
    let asked = joined.ipam_config.as_ref();
    let ipv4 = filled(asked.and_then(|asked| asked.ipv4_address.clone()));
    let ipv6 = filled(asked.and_then(|asked| asked.ipv6_address.clone()));
    Ok(Endpoint {
        aliases: joined.aliases.iter().flatten().cloned().collect(),
        ipv4: ipv4.map(|ip| read("IPAMConfig.IPv4Address", &ip)).transpose()?,
        ipv6: ipv6.map(|ip| read("IPAMConfig.IPv6Address", &ip)).transpose()?,
        mac: None,
    })
}

fn ports(key: &'static str, map: Option<PortMap>) -> Result<Ports, Wrong> {
    let mut ports: BTreeMap<ContainerPort, BTreeSet<HostPort>> = BTreeMap::new();
    for (port, bindings) in map.into_iter().flatten() {
        let bindings = bindings.unwrap_or_default();
        if bindings.is_empty() {
            continue;
        }
        let hosts = ports.entry(read(key, &port)?).or_default();
        for binding in bindings {
            let ip: Option<IpAddr> = filled(binding.host_ip).map(|ip| read(key, &ip)).transpose()?;
            // `0` and a range are one that Docker picks.
            let picks = |port: &String| port == "0" || port.contains('-');
            let port = filled(binding.host_port).filter(|port| !picks(port));
            hosts.insert(HostPort {
                ip: ip.filter(|ip| !ip.is_unspecified()),
                port: port.map(|port| read(key, &port)).transpose()?,
            });
        }
    }
    Ok(Ports(ports))
}

/// `HOST:IP`, or `HOST=IP`; a host name has neither in it.
fn extra_hosts(texts: Option<Vec<String>>) -> Result<ExtraHosts, Wrong> {
    const KEY: &str = "HostConfig.ExtraHosts";
    let mut hosts: BTreeMap<String, BTreeSet<HostAddress>> = BTreeMap::new();
    for text in texts.into_iter().flatten() {
        let (host, ip) =
            text.split_once([':', '=']).ok_or_else(|| Wrong::new(KEY, format!("{text:?} has no address")))?;
        hosts.entry(host.to_owned()).or_default().insert(read(KEY, ip)?);
    }
    Ok(ExtraHosts(hosts))
}

/// `/db:/web/alias`, as Docker says it, or `db:alias`, as it was asked for.
fn link(text: &str) -> Result<Link, Wrong> {
    const KEY: &str = "Links";
    let (container, alias) = text.split_once(':').unwrap_or((text, text));
    let alias = alias.rsplit('/').next().unwrap_or(alias);
    Ok(Link { container: read(KEY, container.trim_start_matches('/'))?, alias: alias.to_owned() })
}
