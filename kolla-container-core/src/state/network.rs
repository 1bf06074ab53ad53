//! Networks as observed, and as they are created.

use std::collections::BTreeSet;

use crate::name::{ContainerId, NetworkName};
use crate::spec::TextMap;

/// A network that the engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkState {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: NetworkName,
    /// Its driver.
    pub driver: String,
    /// Whether it has no way out.
    pub internal: bool,
    /// Whether it has IPv6 addresses.
    pub ipv6: bool,
    /// Its subnets, as CIDR.
    pub subnets: BTreeSet<String>,
    /// Its labels.
    pub labels: TextMap,
    /// The containers in it, where the engine says so.
    pub containers: BTreeSet<ContainerId>,
}

/// A network to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkToCreate {
    /// Its name.
    pub name: NetworkName,
    /// Its driver; `bridge` by default.
    pub driver: String,
    /// Whether it has no way out.
    pub internal: bool,
    /// Whether it has IPv6 addresses.
    pub ipv6: bool,
    /// Its subnets, as CIDR; the engine picks them unless stated.
    pub subnets: BTreeSet<String>,
    /// Its labels.
    pub labels: TextMap,
}

impl NetworkToCreate {
    /// A bridge with subnets that the engine picks.
    pub fn bridge(name: NetworkName) -> Self {
        Self {
            name,
            driver: "bridge".to_owned(),
            internal: false,
            ipv6: false,
            subnets: BTreeSet::new(),
            labels: TextMap::default(),
        }
    }
}
