//! What happens to a container after it was made: starting, stopping, freezing, renaming, removing.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use tokio::time::Instant;

use super::container::Container;
use super::image::Behaviour;
use super::world::{Answer, Then, World, refusal};
use crate::error::ErrorKind;
use crate::name::{ContainerId, ContainerName, NetworkName};
use crate::spec::{ContainerPort, HostPort, NetworkMode, Ports, Signal};
use crate::state::{ExitStatus, Status};

/// The first of the ports that the engine picks.
const FIRST_RANDOM_PORT: u16 = 49153;

/// How a stop begins.
pub(super) enum Stop {
    /// There was nothing to stop, or it stopped at once.
    Done,
    /// The program takes no notice: it is killed after its grace time.
    Ignored(Duration),
}

impl World {
    pub(super) fn start(&mut self, id: &ContainerId, now: Instant) -> Answer<()> {
        let container = self.container(id)?.clone();
        match container.status {
            Status::Running | Status::Paused | Status::Restarting => return Ok(()),
            Status::Dead | Status::Removing => {
                let why = format!("container {} is marked for removal and cannot be started", container.name);
                return Err(refusal(ErrorKind::Conflict, why));
            }
            _ => {}
        }
        self.check_joined(&container)?;
        let published = match self.publish(&container) {
            Ok(published) => published,
            Err(why) => return self.could_not_start(id, why),
        };
        if let Behaviour::FailsToStart(why) = &container.behaviour {
            return self.could_not_start(id, why.clone());
        }
        let addresses = self.addresses(&container);
        let at = self.clock;
        let container = self.container(id)?;
        container.run(now, at);
        container.addresses = addresses;
        container.published = published;
        self.settle(now);
        Ok(())
    }

    /// The container stays what it was, and says why it did not start.
    fn could_not_start(&mut self, id: &ContainerId, why: String) -> Answer<()> {
        let exit = ExitStatus { code: 127, oom_killed: false, error: Some(why.clone()) };
        self.container(id)?.exit = Some(exit);
        Err(refusal(ErrorKind::EngineFailed, why))
    }

    /// Those whose namespaces it joins, and those it is linked to, must run.
    fn check_joined(&self, container: &Container) -> Answer<()> {
        let links = container.config.network.links.iter().flatten().map(|link| &link.container);
        for joined in container.namespaces_of().into_iter().chain(links) {
            let why = match self.by_reference(joined) {
                None => format!("no such container: {joined}, which it has joined"),
                Some(other) if !other.is_up() => format!("cannot join container {}, which is not running", other.name),
                Some(_) => continue,
            };
            return Err(refusal(ErrorKind::Conflict, why));
        }
        Ok(())
    }

    /// Its ports at the host, the random ones picked; an error in words where one is taken.
    fn publish(&self, container: &Container) -> Result<Ports, String> {
        let network = &container.config.network;
        if network.mode.as_ref().is_some_and(|mode| !mode.is_own()) {
            return Ok(Ports::default());
        }
        let mut wanted = network.ports.clone().unwrap_or_default().0;
        if network.publish_all == Some(true) {
            for port in network.expose.iter().flat_map(|exposed| &exposed.0) {
                wanted.entry(*port).or_insert_with(|| BTreeSet::from([HostPort { ip: None, port: None }]));
            }
        }
        let mut taken: Vec<(ContainerPort, HostPort)> = self
            .containers
            .values()
            .filter(|other| other.is_up())
            .flat_map(|other| &other.published.0)
            .flat_map(|(port, hosts)| hosts.iter().map(|host| (*port, *host)))
            .collect();
        let clashes = |taken: &[(ContainerPort, HostPort)], port: ContainerPort, host: HostPort| {
            taken.iter().any(|(other_port, other)| {
                let same_address = other.ip.is_none() || host.ip.is_none() || other.ip == host.ip;
                other_port.protocol == port.protocol && other.port == host.port && same_address
            })
        };
        let mut published = Ports::default();
        for (port, host) in wanted.into_iter().flat_map(|(port, hosts)| hosts.into_iter().map(move |host| (port, host)))
        {
            let picked = match host.port {
                Some(_) => Some(host).filter(|host| !clashes(&taken, port, *host)),
                None => (FIRST_RANDOM_PORT..=u16::MAX)
                    .map(|number| HostPort { ip: host.ip, port: Some(number) })
                    .find(|candidate| !clashes(&taken, port, *candidate)),
            };
            let Some(picked) = picked else {
                let ip = host.ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                let number = host.port.map_or_else(|| "a random port".to_owned(), |number| number.to_string());
                return Err(format!("bind for {ip}:{number} failed: port is already allocated"));
            };
            taken.push((port, picked));
            published.0.entry(port).or_default().insert(picked);
        }
        Ok(published)
    }

    /// Its addresses: the stated ones, else one that follows from its place among the containers.
    fn addresses(&self, container: &Container) -> BTreeMap<NetworkName, Vec<IpAddr>> {
        let place = self.containers.keys().position(|id| *id == container.id).unwrap_or_default() + 2;
        let [high, low] = u16::try_from(place).unwrap_or(u16::MAX).to_be_bytes();
        let network = &container.config.network;
        let bridge = match network.mode {
            Some(NetworkMode::Bridge) => "bridge".parse().ok().map(|name| (name, vec![[172, 17, high, low].into()])),
            _ => None,
        };
        let named = network.networks.iter().flatten().map(|(name, endpoint)| {
            let subnet = self.networks.keys().position(|other| other == name).unwrap_or_default() + 18;
            let own = Ipv4Addr::from([172, u8::try_from(subnet).unwrap_or(u8::MAX), high, low]);
            let v4 = IpAddr::V4(endpoint.ipv4.unwrap_or(own));
            (name.clone(), std::iter::once(v4).chain(endpoint.ipv6.map(IpAddr::V6)).collect())
        });
        bridge.into_iter().chain(named).collect()
    }

    /// Gives a running container the addresses of the networks that it is in now.
    pub(super) fn readdress(&mut self, id: &ContainerId) {
        let Some(container) = self.containers.get(id).filter(|container| container.is_up()) else { return };
        let addresses = self.addresses(container);
        if let Some(container) = self.containers.get_mut(id) {
            container.addresses = addresses;
        }
    }

    /// Asks a program to stop; one that is gone is stopped.
    pub(super) fn stop(&mut self, id: &ContainerId, grace: Option<Duration>, then: Then, now: Instant) -> Stop {
        let Some(container) = self.containers.get_mut(id) else { return Stop::Done };
        if !container.is_up() {
            return Stop::Done;
        }
        if container.behaviour == Behaviour::IgnoresStop {
            let own = || container.config.stop_timeout.unwrap_or_default().as_duration();
            return Stop::Ignored(grace.unwrap_or_else(own));
        }
        self.end(id, then, now, 0);
        Stop::Done
    }

    pub(super) fn kill(&mut self, id: &ContainerId, signal: Signal, now: Instant) -> Answer<()> {
        let container = self.running(id)?;
        let code = 128 + i64::from(signal.number());
        let asks_to_stop = signal == Signal::TERM || container.config.stop_signal == Some(signal);
        if signal == Signal::KILL || (asks_to_stop && container.behaviour != Behaviour::IgnoresStop) {
            self.end(id, Then::Stays, now, code);
        }
        Ok(())
    }

    pub(super) fn pause(&mut self, id: &ContainerId) -> Answer<()> {
        self.running(id)?.status = Status::Paused;
        Ok(())
    }

    pub(super) fn unpause(&mut self, id: &ContainerId, now: Instant) -> Answer<()> {
        let container = self.container(id)?;
        if container.status == Status::Paused {
            container.status = Status::Running;
        }
        self.settle(now);
        Ok(())
    }

    pub(super) fn rename(&mut self, id: &ContainerId, name: &ContainerName) -> Answer<()> {
        let taken = self.by_name(name).map(|other| other.id.clone()).filter(|other| other != id);
        let container = self.container(id)?;
        if let Some(other) = taken {
            let why = format!("the name {name} is in use by container {}", other.short());
            return Err(refusal(ErrorKind::Conflict, why));
        }
        container.name = name.clone();
        Ok(())
    }

    /// As Podman does, and not Docker: one whose namespaces others have joined stays until they are gone.
    pub(super) fn remove(&mut self, id: &ContainerId, now: Instant) -> Answer<()> {
        self.check_not_joined(id)?;
        let killed = 128 + i64::from(Signal::KILL.number());
        if let Some(container) = self.containers.get_mut(id)
            && container.is_up()
        {
            container.end(now, self.clock, killed);
        }
        self.forget(id, killed);
        Ok(())
    }

    fn check_not_joined(&self, id: &ContainerId) -> Answer<()> {
        let has_joined = |other: &&Container| {
            let mut joined = other.namespaces_of().into_iter().filter_map(|joined| self.by_reference(joined));
            joined.any(|joined| joined.id == *id)
        };
        match self.containers.values().find(has_joined) {
            None => Ok(()),
            Some(other) => {
                let why = format!("container {} has joined it and must be removed before it", other.name);
                Err(refusal(ErrorKind::Conflict, why))
            }
        }
    }

    /// Removes it with the anonymous volumes that were made for it, where nobody else has mounted them.
    pub(super) fn discard(&mut self, id: &ContainerId, now: Instant) -> Answer<()> {
        let made = self.containers.get(id).map(|container| container.made_volumes.clone()).unwrap_or_default();
        self.remove(id, now)?;
        for volume in made {
            drop(self.remove_volume(&volume));
        }
        Ok(())
    }
}
