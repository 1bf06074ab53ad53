//! How a container is connected: network mode, named networks, DNS, hosts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::port::{ExposedPorts, Ports};
use crate::name::{ContainerRef, NetworkName};
use crate::text::{ParseError, debug_as_text, text_serde};

/// How the container is connected. Each field that is `None` is not stated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Whose network the container uses. `HostConfig.NetworkMode` on Docker, `netns` on Podman.
    /// Default: the engine's bridge.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<NetworkMode>,
    /// The named networks that it joins, and as what. Stating some means `mode: named`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub networks: Option<BTreeMap<NetworkName, Endpoint>>,
    /// Ports of the container that are reachable at the host. `HostConfig.PortBindings` on Docker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ports: Option<Ports>,
    /// Ports that the container says it listens at; nothing is opened by that. `ExposedPorts`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expose: Option<ExposedPorts>,
    /// Whether every exposed port is published at a random port of the host. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub publish_all: Option<bool>,
    /// Addresses of DNS servers, in order. Default: the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns: Option<Vec<IpAddr>>,
    /// Domains in which short names are looked up, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_search: Option<Vec<String>>,
    /// Options of the resolver, as in resolv.conf(5).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_options: Option<BTreeSet<String>>,
    /// Further lines of /etc/hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_hosts: Option<ExtraHosts>,
    /// Other containers by alias (legacy links). Docker only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<BTreeSet<Link>>,
}

/// Whose network a container uses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NetworkMode {
    /// The engine's default bridge (`bridge`; `default` is the same).
    Bridge,
    /// The host's own network.
    Host,
    /// None but a loopback interface.
    None,
    /// That of another container (`container:<name>`).
    Container(ContainerRef),
    /// The named networks that [`Network::networks`] lists.
    Named,
    /// User-mode networking of a rootless Podman (`pasta`).
    Pasta,
    /// User-mode networking of a rootless Podman (`slirp4netns`).
    Slirp4netns,
    /// One that we do not know, as the engine said it.
    Unrecognised(String),
}

impl NetworkMode {
    /// Whether the container has a network of its own, with ports to publish.
    pub fn is_own(&self) -> bool {
        !matches!(self, Self::Host | Self::Container(_) | Self::None)
    }
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bridge => f.write_str("bridge"),
            Self::Host => f.write_str("host"),
            Self::None => f.write_str("none"),
            Self::Container(container) => write!(f, "container:{container}"),
            Self::Named => f.write_str("named"),
            Self::Pasta => f.write_str("pasta"),
            Self::Slirp4netns => f.write_str("slirp4netns"),
            Self::Unrecognised(text) => f.write_str(text),
        }
    }
}

impl FromStr for NetworkMode {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Ok(match text {
            "bridge" | "default" => Self::Bridge,
            "host" => Self::Host,
            "none" => Self::None,
            "named" => Self::Named,
            "pasta" => Self::Pasta,
            "slirp4netns" => Self::Slirp4netns,
            _ => match text.strip_prefix("container:") {
                Some(container) => Self::Container(container.parse()?),
                None => {
                    return Err(ParseError::new(format!(
                        "{text:?} is no network mode: it is bridge, host, none, container:NAME, pasta or slirp4netns; \
                         a network of that name goes into `networks: {{{text}: {{}}}}`"
                    )));
                }
            },
        })
    }
}

debug_as_text!(NetworkMode);
text_serde!(NetworkMode);

/// As what a container joins a named network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Endpoint {
    /// Further names of the container in that network.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub aliases: BTreeSet<String>,
    /// A fixed IPv4 address; the engine picks one unless stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<Ipv4Addr>,
    /// A fixed IPv6 address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<Ipv6Addr>,
    /// A fixed hardware address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddress>,
}

impl Endpoint {
    /// This endpoint as a plan shows it.
    pub fn describe(&self) -> String {
        let aliases = (!self.aliases.is_empty()).then(|| format!("aliases {}", crate::text::join(&self.aliases, ",")));
        let parts = [
            aliases,
            self.ipv4.map(|ip| ip.to_string()),
            self.ipv6.map(|ip| ip.to_string()),
            self.mac.map(|mac| mac.to_string()),
        ];
        let described = crate::text::join(parts.into_iter().flatten(), " ");
        if described.is_empty() { "joined".to_owned() } else { described }
    }
}

/// A hardware address: six pairs of hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress([u8; 6]);

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::join(self.0.iter().map(|octet| format!("{octet:02x}")), ":"))
    }
}

impl FromStr for MacAddress {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let octets: Option<Vec<u8>> = text
            .split([':', '-'])
            .map(|pair| (pair.len() == 2).then(|| u8::from_str_radix(pair, 16).ok()).flatten())
            .collect();
        octets
            .and_then(|octets| <[u8; 6]>::try_from(octets).ok())
            .map(Self)
            .ok_or_else(|| ParseError::new(format!("{text:?} is no hardware address such as 02:42:ac:11:00:02")))
    }
}

debug_as_text!(MacAddress);
text_serde!(MacAddress);

/// An address in /etc/hosts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HostAddress {
    /// This one.
    Ip(IpAddr),
    /// The host's, as containers see it (`host-gateway`); the engine finds it out.
    HostGateway,
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::HostGateway => f.write_str("host-gateway"),
        }
    }
}

impl FromStr for HostAddress {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == "host-gateway" {
            return Ok(Self::HostGateway);
        }
        text.trim_start_matches('[')
            .trim_end_matches(']')
            .parse()
            .map(Self::Ip)
            .map_err(|_| ParseError::new(format!("{text:?} is neither an IP address nor host-gateway")))
    }
}

debug_as_text!(HostAddress);
text_serde!(HostAddress);

/// Further lines of /etc/hosts: addresses by host name.
///
/// Written as a map of host to address, or to a list of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtraHosts(pub BTreeMap<String, BTreeSet<HostAddress>>);

impl Serialize for ExtraHosts {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ExtraHosts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<String, super::read::OneOrMany<HostAddress>>::deserialize(deserializer)?;
        Ok(Self(map.into_iter().map(|(host, addresses)| (host, addresses.0.into_iter().collect())).collect()))
    }
}

/// A legacy link: another container, and the name that it has in this one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The container that is linked to.
    pub container: ContainerRef,
    /// Its name in this container.
    pub alias: String,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.container, self.alias)
    }
}

impl FromStr for Link {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (container, alias) = text.split_once(':').unwrap_or((text, text));
        if alias.is_empty() || alias.contains([':', '/']) {
            return Err(ParseError::new(format!("{text:?} is no link: write NAME or NAME:ALIAS")));
        }
        Ok(Self { container: container.parse()?, alias: alias.to_owned() })
    }
}

debug_as_text!(Link);
text_serde!(Link);
