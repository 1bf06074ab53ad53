//! Ports: which the container listens at, and where the host passes them on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::{ParseError, debug_as_text, text_serde, words};

words! {
    /// The transport protocol of a port.
    pub enum Protocol ("protocol") {
        /// TCP, where none is stated.
        Tcp = "tcp" | "TCP",
        /// UDP.
        Udp = "udp" | "UDP",
        /// SCTP.
        Sctp = "sctp" | "SCTP",
    }
}

/// A port of the container: number and protocol.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerPort {
    /// 1 to 65535.
    pub number: u16,
    /// TCP unless stated.
    pub protocol: Protocol,
}

impl fmt::Display for ContainerPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.protocol)
    }
}

impl FromStr for ContainerPort {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match port_range(text)?.as_slice() {
            [port] => Ok(*port),
            _ => Err(ParseError::new(format!("{text:?} is a range: here goes one port"))),
        }
    }
}

debug_as_text!(ContainerPort);
text_serde!(ContainerPort);

/// Where the host passes a port on from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// The address of the host; `None` is every address (`0.0.0.0` and `::` are read as that).
    pub ip: Option<IpAddr>,
    /// The port; `None` is a random one, and equal to whichever the engine picked.
    pub port: Option<u16>,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:")?,
            Some(IpAddr::V4(ip)) => write!(f, "{ip}:")?,
            None => {}
        }
        match self.port {
            Some(port) => write!(f, "{port}"),
            None => f.write_str("random"),
        }
    }
}

debug_as_text!(HostPort);

/// The published ports: where the host passes each port of the container on from.
///
/// Written as a list of `[[IP:]HOST_PORT:]PORT[/PROTOCOL]`, where both ports may be ranges of the same
/// length; an IPv6 address stands in brackets; without a host port it is a random one.
///
/// ```
/// use kolla_container_core::spec::Ports;
///
/// let ports: Ports = Ports::parse(["8080:80", "[::1]:53:53/udp", "9000-9002:9000-9002"])?;
/// assert_eq!(ports.0.len(), 5);
/// # Ok::<(), kolla_container_core::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ports(pub BTreeMap<ContainerPort, BTreeSet<HostPort>>);

impl Ports {
    /// Reads the text forms.
    pub fn parse<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Result<Self, ParseError> {
        let mut ports = Self::default();
        for text in texts {
            ports.add(text.as_ref())?;
        }
        Ok(ports)
    }

    /// Whether a port of the host is stated: two containers cannot have it at the same time.
    pub fn has_fixed(&self) -> bool {
        self.0.values().flatten().any(|host| host.port.is_some())
    }

    fn add(&mut self, text: &str) -> Result<(), ParseError> {
        let wrong =
            || ParseError::new(format!("{text:?} is no published port: write [[IP:]HOST_PORT:]PORT[/PROTOCOL]"));
        let (host, container) = match text.rsplit_once(':') {
            Some((host, container)) => (Some(host), container),
            None => (None, text),
        };
        let container = port_range(container)?;
        let (ip, host_ports) = match host {
            None => (None, None),
            Some(host) => {
                let (ip, port) = match host.strip_prefix('[') {
                    Some(rest) => {
                        let (ip, port) = rest.split_once(']').ok_or_else(wrong)?;
                        (Some(ip), port.strip_prefix(':').ok_or_else(wrong)?)
                    }
                    None => host.rsplit_once(':').map_or((None, host), |(ip, port)| (Some(ip), port)),
                };
                let ip: Option<IpAddr> = match ip {
                    None | Some("") => None,
                    Some(ip) => Some(ip.parse().map_err(|_| wrong())?).filter(|ip: &IpAddr| !ip.is_unspecified()),
                };
                (ip, if port.is_empty() { None } else { Some(numbers(port, text)?) })
            }
        };
        let host_ports: Vec<Option<u16>> = match host_ports {
            None => vec![None; container.len()],
            Some(ports) if ports.len() == container.len() => ports.into_iter().map(Some).collect(),
            Some(_) => return Err(ParseError::new(format!("{text:?}: both ranges of ports have the same length"))),
        };
        for (container, port) in container.into_iter().zip(host_ports) {
            self.0.entry(container).or_default().insert(HostPort { ip, port });
        }
        Ok(())
    }

    fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().flat_map(|(container, hosts)| {
            hosts.iter().map(move |host| match host {
                HostPort { ip: None, port: None } => container.to_string(),
                HostPort { ip: Some(IpAddr::V6(ip)), port: None } => format!("[{ip}]::{container}"),
                HostPort { ip: Some(ip), port: None } => format!("{ip}::{container}"),
                HostPort { .. } => format!("{host}:{container}"),
            })
        })
    }
}

impl Serialize for Ports {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.texts())
    }
}

impl<'de> Deserialize<'de> for Ports {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(Vec::<String>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The ports that a container says it listens at; written as a list of `PORT[-PORT][/PROTOCOL]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ExposedPorts(pub BTreeSet<ContainerPort>);

impl<'de> Deserialize<'de> for ExposedPorts {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut ports = BTreeSet::new();
        for text in Vec::<String>::deserialize(deserializer)? {
            ports.extend(port_range(&text).map_err(serde::de::Error::custom)?);
        }
        Ok(Self(ports))
    }
}

/// `80`, `80/udp`, `8000-8010/tcp`.
fn port_range(text: &str) -> Result<Vec<ContainerPort>, ParseError> {
    let (ports, protocol) = match text.split_once('/') {
        Some((ports, protocol)) => (ports, protocol.parse()?),
        None => (text, Protocol::Tcp),
    };
    Ok(numbers(ports, text)?.into_iter().map(|number| ContainerPort { number, protocol }).collect())
}

fn numbers(range: &str, whole: &str) -> Result<Vec<u16>, ParseError> {
    let number = |text: &str| match text.parse::<u16>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(ParseError::new(format!("{whole:?}: {text:?} is no port from 1 to 65535"))),
    };
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(range)?, number(range)?),
    };
    if first > last {
        return Err(ParseError::new(format!("{whole:?}: a range of ports goes upwards")));
    }
    Ok((first..=last).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(texts: &[&str]) -> Vec<String> {
        Ports::parse(texts).unwrap().texts().collect()
    }

    #[test]
    fn different_spellings_of_a_port_are_one() {
        assert_eq!(written(&["8080:80"]), ["8080:80/tcp"]);
        assert_eq!(written(&["0.0.0.0:8080:80/tcp", "[::]:8080:80"]), ["8080:80/tcp"]);
        assert_eq!(written(&["53/udp"]), ["53/udp"]);
        assert_eq!(written(&["127.0.0.1::80"]), ["127.0.0.1::80/tcp"]);
        assert_eq!(written(&["[::1]:8080:80"]), ["[::1]:8080:80/tcp"]);
    }

    #[test]
    fn ranges_are_taken_apart() {
        assert_eq!(written(&["8000-8001:9000-9001"]), ["8000:9000/tcp", "8001:9001/tcp"]);
    }

    #[test]
    fn what_is_no_port_is_said() {
        for bad in ["0", "65536", "80:90:100:1", "8000-8001:80", "9-8", "80/icmp", "x", "[::1:80", ":", "-1"] {
            assert!(Ports::parse([bad]).is_err(), "{bad}");
        }
    }
}
