//! Everything that a plan is made from: what was seen of containers, images, volumes and units.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;
use crate::image_ref::ImageRef;
use crate::name::{ContainerId, ContainerName, ImageId, NetworkName, VolumeName};
use crate::state::{ContainerState, ImageState};
use crate::supervisor::UnitState;
use crate::timestamp::Timestamp;

/// What was seen, once, for all goals together.
#[derive(Clone, Debug)]
pub struct Observation {
    /// When.
    pub at: Timestamp,
    /// The containers that goals name or refer to. One that could not be read fails alone.
    pub containers: BTreeMap<ContainerName, Result<Option<ContainerState>, Error>>,
    /// What an interrupted replacement left behind, by the name of the container.
    pub leftovers: BTreeMap<ContainerName, Leftovers>,
    /// The images that wanted names stand for; `None` is "not here".
    pub images: BTreeMap<ImageRef, Option<ImageState>>,
    /// The images that containers were made from.
    pub used_images: BTreeMap<ImageId, Option<ImageState>>,
    /// The units of the goals' containers, where there is a supervisor.
    pub units: BTreeMap<ContainerName, Option<UnitState>>,
    /// What the config checks found.
    pub config_checks: BTreeMap<ContainerName, Result<Freshness, Error>>,
    /// What a first plan turned out to need besides.
    pub details: Details,
}

impl Observation {
    /// Nothing seen yet.
    pub fn empty(at: Timestamp) -> Self {
        Self {
            at,
            containers: BTreeMap::new(),
            leftovers: BTreeMap::new(),
            images: BTreeMap::new(),
            used_images: BTreeMap::new(),
            units: BTreeMap::new(),
            config_checks: BTreeMap::new(),
            details: Details::default(),
        }
    }

    /// The container of that name, if it could be read and is there.
    pub fn container(&self, name: &ContainerName) -> Option<&ContainerState> {
        self.containers.get(name)?.as_ref().ok()?.as_ref()
    }
}

/// What is looked at only when a plan turns out to need it: nothing of it for a plan without steps.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Whether the volumes that new containers mount are there.
    pub volumes: BTreeMap<VolumeName, bool>,
    /// Whether the networks that new containers join are there.
    pub networks: BTreeMap<NetworkName, bool>,
    /// Of containers that get replaced or removed: who has joined their namespaces, or is linked to them, and is no goal. `None`
    /// until looked at.
    pub joined_by: Option<BTreeMap<ContainerId, BTreeSet<ContainerName>>>,
    /// The containers of which that could not be read.
    pub unread: Vec<Error>,
}

/// What a plan needs to know besides what was seen already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// These volumes.
    pub volumes: BTreeSet<VolumeName>,
    /// These networks.
    pub networks: BTreeSet<NetworkName>,
    /// Who has joined the namespaces of the containers that get replaced or removed, or is linked to them.
    pub joined_by: bool,
}

impl Needs {
    /// Whether nothing is missing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What an interrupted replacement left behind.
#[derive(Clone, Debug, Default)]
pub struct Leftovers {
    /// The container `<name>.next`.
    pub next: Option<ContainerState>,
    /// The container `<name>.previous`.
    pub previous: Option<ContainerState>,
    /// Whether the new container, in place already, passes verification, and nobody needs the old one any more.
    pub verified: bool,
    /// Whether the container that `<name>.next` was to replace is gone.
    pub replaced_is_gone: bool,
}

/// What a config check found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// The container uses its present configuration files.
    Fresh,
    /// It does not.
    Stale,
}
