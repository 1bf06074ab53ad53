//! 2. What is there: containers, images, volumes, networks and the engine itself, as observed.
//!
//! The configuration of an observed container is a [`ContainerSpec`] in the same normal form as a wanted one.

mod additions;
mod applied;
mod engine;
mod image;
mod network;
mod owner;
mod pull;
mod status;
mod volume;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

pub use self::additions::{Additions, CapabilitySets};
pub use self::applied::{Applied, Recorded};
pub use self::engine::{ApiLevel, EngineFacts, EngineKind, Features, HostFacts};
pub use self::image::{Archive, ImageState};
pub use self::network::{NetworkState, NetworkToCreate};
pub use self::owner::Owner;
pub use self::pull::{Credentials, ImageToPull, PullError, PullFailure, PullProgress};
pub use self::status::{ExitStatus, Health, Status};
pub use self::volume::{VolumeState, VolumeToCreate};

use crate::name::{ContainerId, ContainerName, ContainerRef, ImageId, NetworkName, VolumeName};
use crate::spec::{CleanPath, ContainerSpec, Environment, Mount, Mounts, Ports, Variable};
use crate::timestamp::Timestamp;

/// A container as an engine reports it.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerState {
    /// Its id.
    pub id: ContainerId,
    /// Its name, without the slash that Docker puts in front.
    pub name: ContainerName,
    /// How it is configured, in normal form; `None` in a field is "this engine does not report it".
    pub config: ContainerSpec,
    /// The image that it was made from.
    pub image_id: ImageId,
    /// What it is doing.
    pub status: Status,
    /// What its health check says; `None` without one.
    pub health: Option<Health>,
    /// How its last run ended; `None` while it runs, and before it ran.
    pub exit: Option<ExitStatus>,
    /// How often the engine restarted it.
    pub restarts: u64,
    /// When it was made.
    pub created: Timestamp,
    /// When its last run began; `None` before its first.
    pub started: Option<Timestamp>,
    /// When its last run ended; `None` while it runs, and before it ran.
    pub finished: Option<Timestamp>,
    /// Its addresses, by network.
    pub addresses: BTreeMap<NetworkName, Vec<IpAddr>>,
    /// Its ports at the host as they are now, the random ones filled in.
    pub published_ports: Ports,
    /// The volumes that it has mounted, by target, anonymous ones too.
    pub volumes: BTreeMap<CleanPath, VolumeName>,
    /// The containers whose namespaces or volumes it has joined.
    pub joined: BTreeSet<ContainerRef>,
    /// What those mount whose volumes it has, and itself may mount, too: Podman does not tell which. Not in `config`, and
    /// none on Docker.
    pub borrowed: Mounts,
    /// What our own labels say.
    pub owner: Owner,
}

impl ContainerState {
    /// Puts names in the place of ids wherever it refers to containers that are known.
    pub(crate) fn name_references(&mut self, names: &BTreeMap<ContainerId, ContainerName>) {
        let name = |reference: &ContainerRef| match reference {
            ContainerRef::Id(id) => names.get(id).cloned().map_or_else(|| reference.clone(), ContainerRef::Name),
            ContainerRef::Name(_) => reference.clone(),
        };
        self.joined = self.joined.iter().map(name).collect();
        self.config.map_references(name);
    }

    /// Hides the values of variables that were declared secret when it was made.
    pub(crate) fn conceal_declared_secrets(&mut self) {
        let Some(Environment(variables)) = &mut self.config.environment else { return };
        for name in &self.owner.secrets {
            if let Some(variable) = variables.get_mut(name)
                && let Some(value) = variable.value()
            {
                *variable = Variable::Secret(value.to_owned());
            }
        }
    }

    /// The anonymous volumes of its own that it has mounted, by target; not those of a container whose
    /// volumes it has too.
    pub fn anonymous_volumes(&self) -> impl Iterator<Item = (&CleanPath, &VolumeName)> {
        self.volumes.iter().filter(|(target, name)| {
            let mount = self.config.mounts.as_ref().and_then(|mounts| mounts.0.get(*target));
            let is_its_own = matches!(mount, Some(Mount::Volume(volume)) if volume.name.is_none());
            is_its_own && name.is_anonymous()
        })
    }
}

/// One line of a list of containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerSummary {
    /// Its id.
    pub id: ContainerId,
    /// Its name.
    pub name: ContainerName,
    /// The image that it was made from.
    pub image_id: Option<ImageId>,
    /// What it is doing.
    pub status: Status,
    /// What our own labels say.
    pub owner: Owner,
}

/// Which containers a list has; all of them, in every state, by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFilter {
    /// Only those whose name ends in one of these.
    pub name_suffixes: Vec<String>,
    /// Only those that have all these labels; a key alone stands for any value.
    pub labels: BTreeMap<String, Option<String>>,
}

/// What an engine answers to the creation of a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The new container.
    pub id: ContainerId,
    /// What the engine did not do as asked.
    pub warnings: Vec<Warning>,
}

/// Something that an engine did not do as asked, and said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The field that it is about, where the backend knows.
    pub field: Option<crate::violation::FieldPath>,
    /// What the engine says.
    pub message: String,
}

/// What can be changed of a container while it runs. Only what is stated changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerUpdate {
    /// New limits.
    pub resources: crate::spec::Resources,
    /// A new restart policy.
    pub restart: Option<crate::spec::RestartPolicy>,
}

impl ContainerUpdate {
    /// The update as the spec that states just what it changes.
    pub(crate) fn as_spec(&self) -> ContainerSpec {
        ContainerSpec { resources: self.resources.clone(), restart: self.restart, ..ContainerSpec::default() }
    }
}

/// A command to run inside a running container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    /// What is run.
    pub command: crate::spec::Command,
    /// As which user; the container's unless stated.
    pub user: Option<String>,
}

/// What a command printed and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Its exit status; 126 and 127 where it could not be run at all.
    pub code: i64,
    /// What it printed to standard output.
    pub stdout: Vec<u8>,
    /// What it printed to standard error.
    pub stderr: Vec<u8>,
}

/// Which part of a container's output to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// Whether to go on until the container ends.
    pub follow: bool,
    /// Only the last lines; all of them unless stated.
    pub tail: Option<u64>,
}

/// A piece of a container's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogChunk {
    /// From standard output.
    Stdout(Vec<u8>),
    /// From standard error.
    Stderr(Vec<u8>),
}
