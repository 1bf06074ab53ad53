//! The volumes and networks of an engine, and who is in them.

use super::container::Container;
use super::world::{Answer, World, refusal};
use crate::error::ErrorKind;
use crate::name::{ContainerId, NetworkName, VolumeName};
use crate::spec::{Endpoint, NetworkMode};
use crate::state::{NetworkState, NetworkToCreate, VolumeState, VolumeToCreate};

/// The networks that every engine has.
const BUILT_IN: [(&str, &str); 3] = [("bridge", "bridge"), ("host", "host"), ("none", "null")];

impl World {
    /// Makes the networks that every engine has.
    pub(super) fn furnish(&mut self) {
        for (name, driver) in BUILT_IN {
            if let Ok(name) = name.parse() {
                let network = NetworkToCreate { driver: driver.to_owned(), ..NetworkToCreate::bridge(name) };
                drop(self.create_network(&network));
            }
        }
    }

    pub(super) fn create_volume(&mut self, volume: &VolumeToCreate) -> Answer<()> {
        let VolumeToCreate { name, driver, labels, options } = volume;
        if let Some(present) = self.volumes.get(name) {
            if present.driver == *driver {
                return Ok(());
            }
            let why = format!("a volume {name} is there, with driver {}", present.driver);
            return Err(refusal(ErrorKind::Conflict, why));
        }
        let volume = VolumeState {
            name: name.clone(),
            driver: driver.clone(),
            labels: labels.clone(),
            options: options.clone(),
            created: Some(self.clock),
        };
        self.volumes.insert(name.clone(), volume);
        Ok(())
    }

    pub(super) fn remove_volume(&mut self, name: &VolumeName) -> Answer<()> {
        let uses = |container: &&Container| container.volumes.values().any(|volume| volume == name);
        if let Some(user) = self.containers.values().find(uses) {
            return Err(refusal(ErrorKind::Conflict, format!("volume is in use by container {}", user.name)));
        }
        self.volumes.remove(name);
        Ok(())
    }

    pub(super) fn network(&self, name: &NetworkName) -> Option<NetworkState> {
        let network = self.networks.get(name)?.clone();
        let containers = self.members(name).map(|container| container.id.clone()).collect();
        Some(NetworkState { containers, ..network })
    }

    fn members<'a>(&'a self, name: &'a NetworkName) -> impl Iterator<Item = &'a Container> {
        self.containers.values().filter(move |container| {
            let network = &container.config.network;
            let built_in = match network.mode {
                Some(NetworkMode::Bridge) => name.as_str() == "bridge",
                Some(NetworkMode::Host) => name.as_str() == "host",
                Some(NetworkMode::None) => name.as_str() == "none",
                _ => false,
            };
            built_in || network.networks.iter().flatten().any(|(joined, _)| joined == name)
        })
    }

    pub(super) fn create_network(&mut self, network: &NetworkToCreate) -> Answer<()> {
        let NetworkToCreate { name, driver, internal, ipv6, subnets, labels } = network;
        if self.networks.contains_key(name) {
            return Err(refusal(ErrorKind::Conflict, format!("network with name {name} already exists")));
        }
        let own = || [format!("172.{}.0.0/16", 17 + self.networks.len())].into();
        let network = NetworkState {
            id: String::new(),
            name: name.clone(),
            driver: driver.clone(),
            internal: *internal,
            ipv6: *ipv6,
            subnets: if subnets.is_empty() && driver == "bridge" { own() } else { subnets.clone() },
            labels: labels.clone(),
            containers: std::collections::BTreeSet::new(),
        };
        let id: ContainerId = self.next_id();
        self.networks.insert(name.clone(), NetworkState { id: id.to_string(), ..network });
        Ok(())
    }

    pub(super) fn remove_network(&mut self, name: &NetworkName) -> Answer<()> {
        if BUILT_IN.iter().any(|(built_in, _)| *built_in == name.as_str()) {
            return Err(refusal(ErrorKind::Rejected, format!("{name} is a pre-defined network and cannot be removed")));
        }
        if let Some(member) = self.members(name).next() {
            let why = format!("network {name} has active endpoints: container {}", member.name);
            return Err(refusal(ErrorKind::Conflict, why));
        }
        self.networks.remove(name);
        Ok(())
    }

    pub(super) fn connect(&mut self, name: &NetworkName, id: &ContainerId, endpoint: &Endpoint) -> Answer<()> {
        if !self.networks.contains_key(name) {
            return Err(refusal(ErrorKind::NotFound, format!("network {name} not found")));
        }
        let container = self.container(id)?;
        let network = &mut container.config.network;
        if network.mode.as_ref().is_some_and(|mode| !mode.is_own()) {
            let why = "a container that shares its network, or has none, cannot be connected to another";
            return Err(refusal(ErrorKind::Rejected, why));
        }
        network.networks.get_or_insert_default().entry(name.clone()).or_insert_with(|| endpoint.clone());
        self.readdress(id);
        Ok(())
    }

    pub(super) fn disconnect(&mut self, name: &NetworkName, id: &ContainerId) -> Answer<()> {
        if !self.networks.contains_key(name) {
            return Err(refusal(ErrorKind::NotFound, format!("network {name} not found")));
        }
        if let Some(networks) = &mut self.container(id)?.config.network.networks {
            networks.remove(name);
        }
        self.readdress(id);
        Ok(())
    }
}
