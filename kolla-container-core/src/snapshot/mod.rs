//! A recorded engine: what was seen of one, to read again later and elsewhere.
//!
//! For bug reports (plan on what a user's machine looked like), for plans without a connection, and for
//! tests. A [`Snapshot`] answers every question from the observations that it was made of, and refuses
//! everything else: nothing can be done with it.
//!
//! ```
//! use std::sync::Arc;
//! use kolla_container_core::memory::MemoryEngine;
//! use kolla_container_core::snapshot::Snapshot;
//! use kolla_container_core::{ContainerName, ContainerSpec, Goal, Goals, Reconciler, Runtime};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Somewhere, an engine is looked at.
//! let engine = MemoryEngine::new();
//! let web: ContainerName = "web".parse()?;
//! let goals = Goals::one(web.clone(), Goal::running(ContainerSpec::new("nginx:1.27".parse()?)));
//! Reconciler::new(Arc::new(engine.clone())).reconcile(&goals).await?;
//! let containers = engine.container(&web).await?.into_iter().collect();
//! let recorded = Snapshot::new(engine.engine().clone(), containers, engine.images().await?);
//!
//! // Elsewhere, without that engine, a plan is made.
//! let reconciler = Reconciler::new(Arc::new(recorded)).looking_once(true);
//! assert!(reconciler.plan(&goals).await?.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! # What was not recorded
//!
//! - A container that is not in the recording is not there.
//! - An image that is not in it is known by its id only, where a container was made from it: what only
//!   the image could tell is then not compared, and nothing claims that it is outdated or must be pulled.
//! - A volume or a network that no recorded container uses, and that was not given, is not there.
//! - How things went on: [`looking_once`](crate::Reconciler::looking_once) keeps a plan from waiting for it.

mod runtime;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::image_ref::ImageRef;
use crate::name::{ContainerId, ContainerName, ImageId, NetworkName, VolumeName};
use crate::spec::{Mounts, TextMap};
use crate::state::{
    ContainerFilter, ContainerState, ContainerSummary, EngineFacts, EngineKind, ImageState, NetworkState,
    NetworkToCreate, Owner, Status, VolumeState, VolumeToCreate,
};

/// A recorded engine; see the [module](self).
///
/// Every write, and everything that only a live engine can do, is
/// [`Unsupported`](crate::ErrorKind::Unsupported).
#[derive(Clone, Debug)]
pub struct Snapshot {
    facts: EngineFacts,
    containers: Vec<ContainerState>,
    unreadable: Vec<Unreadable>,
    images: Vec<ImageState>,
    volumes: BTreeMap<VolumeName, VolumeState>,
    networks: BTreeMap<NetworkName, NetworkState>,
}

/// A container that is there, and more is not known of it.
#[derive(Clone, Debug)]
struct Unreadable {
    name: ContainerName,
    id: Option<ContainerId>,
    error: Error,
}

impl Snapshot {
    /// An engine with these containers and images, the volumes that the containers have mounted, the
    /// networks that they are in, and those networks that every engine of this kind has.
    pub fn new(facts: EngineFacts, containers: Vec<ContainerState>, images: Vec<ImageState>) -> Self {
        let volumes = containers.iter().flat_map(volumes).map(|name| (name.clone(), volume(name))).collect();
        let joined = containers.iter().flat_map(networks).map(|name| (name, "bridge"));
        let networks = joined.chain(predefined(facts.kind)).map(|(name, driver)| (name.clone(), network(name, driver)));
        let networks = networks.collect();
        Self { facts, containers, unreadable: Vec::new(), images, volumes, networks }
    }

    /// With a container that is there, and cannot be read: whoever asks for it gets `error`. The others
    /// are not concerned.
    pub fn with_unreadable(mut self, name: ContainerName, id: Option<ContainerId>, error: Error) -> Self {
        self.unreadable.push(Unreadable { name, id, error });
        self
    }

    /// With these volumes too.
    pub fn with_volumes(mut self, volumes: impl IntoIterator<Item = VolumeState>) -> Self {
        self.volumes.extend(volumes.into_iter().map(|volume| (volume.name.clone(), volume)));
        self
    }

    /// With these networks too.
    pub fn with_networks(mut self, networks: impl IntoIterator<Item = NetworkState>) -> Self {
        self.networks.extend(networks.into_iter().map(|network| (network.name.clone(), network)));
        self
    }

    /// The image that `reference` stands for: one that was given, else the one that containers were made
    /// from under that name.
    fn image_of(&self, reference: &ImageRef) -> Option<ImageState> {
        if let Some(image) = self.images.iter().find(|image| is_named(image, reference)) {
            return Some(image.clone());
        }
        let made_from = |container: &&ContainerState| {
            container.config.image.as_ref() == Some(reference) || reference.id() == Some(container.image_id.as_str())
        };
        let is_given = |id: &&ImageId| self.images.iter().any(|image| image.id == **id);
        let ids: BTreeSet<&ImageId> =
            self.containers.iter().filter(made_from).map(|container| &container.image_id).collect();
        // A given image has the names that it has. Of several, nobody can tell which one has the name now.
        let mut ids = ids.into_iter().filter(|id| !is_given(id));
        match (ids.next(), ids.next()) {
            (Some(id), None) => Some(ImageState::unread(id.clone())),
            _ => None,
        }
    }

    fn summaries(&self, filter: &ContainerFilter) -> Vec<ContainerSummary> {
        let read = self.containers.iter().filter(|container| has_labels(container, filter)).map(summary);
        // Nobody knows their labels.
        let unreadable = self.unreadable.iter().filter(|_| filter.labels.is_empty()).filter_map(Unreadable::summary);
        let suffixes = &filter.name_suffixes;
        read.chain(unreadable)
            .filter(|container| {
                suffixes.is_empty() || suffixes.iter().any(|suffix| container.name.as_str().ends_with(suffix))
            })
            .collect()
    }
}

impl Unreadable {
    fn summary(&self) -> Option<ContainerSummary> {
        Some(ContainerSummary {
            id: self.id.clone()?,
            name: self.name.clone(),
            image_id: None,
            status: Status::Unrecognised("not readable".to_owned()),
            owner: Owner::default(),
        })
    }
}

fn is_named(image: &ImageState, reference: &ImageRef) -> bool {
    match (reference.id(), reference.digest()) {
        (Some(id), _) => image.id.as_str() == id,
        // A digest says which image it is, whatever tag stands beside it.
        (None, Some(digest)) => {
            image.names.iter().any(|name| name.name() == reference.name() && name.digest() == Some(digest))
        }
        (None, None) => image.names.contains(reference),
    }
}

fn summary(container: &ContainerState) -> ContainerSummary {
    ContainerSummary {
        id: container.id.clone(),
        name: container.name.clone(),
        image_id: Some(container.image_id.clone()),
        status: container.status.clone(),
        owner: container.owner.clone(),
    }
}

fn has_labels(container: &ContainerState, filter: &ContainerFilter) -> bool {
    let ours = container.owner.labels();
    let theirs = container.config.labels.as_ref().map(|TextMap(labels)| labels);
    filter.labels.iter().all(|(key, wanted)| {
        let value = ours.get(key).or_else(|| theirs?.get(key));
        value.is_some() && (wanted.is_none() || value == wanted.as_ref())
    })
}

fn volumes(container: &ContainerState) -> impl Iterator<Item = VolumeName> {
    let stated = container.config.mounts.iter().flat_map(Mounts::volume_names);
    container.volumes.values().chain(stated).cloned()
}

fn networks(container: &ContainerState) -> impl Iterator<Item = NetworkName> {
    let stated = container.config.network.networks.iter().flat_map(BTreeMap::keys);
    container.addresses.keys().chain(stated).cloned()
}

/// The networks that an engine has before anybody makes one.
fn predefined(kind: EngineKind) -> impl Iterator<Item = (NetworkName, &'static str)> {
    let names: &[(&str, &str)] = match kind {
        EngineKind::Docker | EngineKind::Memory => &[("bridge", "bridge"), ("host", "host"), ("none", "null")],
        EngineKind::Podman => &[("podman", "bridge")],
    };
    names.iter().filter_map(|(name, driver)| Some((name.parse().ok()?, *driver)))
}

/// A volume of which only the name is known.
fn volume(name: VolumeName) -> VolumeState {
    let VolumeToCreate { name, driver, labels, options } = VolumeToCreate::local(name);
    VolumeState { name, driver, labels, options, created: None }
}

/// A network of which only the name is known.
fn network(name: NetworkName, driver: &str) -> NetworkState {
    let NetworkToCreate { name, internal, ipv6, subnets, labels, .. } = NetworkToCreate::bridge(name);
    let driver = driver.to_owned();
    NetworkState { id: String::new(), name, driver, internal, ipv6, subnets, labels, containers: BTreeSet::new() }
}
