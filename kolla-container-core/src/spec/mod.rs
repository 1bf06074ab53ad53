//! 1. What should run: [`ContainerSpec`] and the types of its fields.
//!
//! The same type says what a user wants, what core expects and what an engine reports; two values
//! mean the same exactly when they are equal. This module knows no engine, and decides nothing.

mod command;
mod deploy;
mod device;
mod environment;
mod healthcheck;
mod logging;
mod mount;
mod namespaces;
mod network;
mod platform;
mod port;
pub(crate) mod read;
mod resources;
mod restart;
mod security;
mod signal;
#[cfg(test)]
mod tests;
mod validate;
mod volumes_from;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use self::command::Command;
pub use self::deploy::{ConfigCheck, Deadlines, Deploy, ReplaceOrder, Stale, StartLimit};
pub use self::device::{Device, DeviceCgroupRule, DeviceRequest};
pub use self::environment::{Environment, TextMap, Variable};
pub use self::healthcheck::{HealthTest, Healthcheck};
pub use self::logging::Logging;
pub use self::mount::{Bind, CleanPath, Mount, MountEntry, MountFlag, Mounts, Propagation, Relabel, Tmpfs, Volume};
pub use self::namespaces::{NamespaceMode, Namespaces};
pub use self::network::{Endpoint, ExtraHosts, HostAddress, Link, MacAddress, Network, NetworkMode};
pub use self::platform::Platform;
pub use self::port::{ContainerPort, ExposedPorts, HostPort, Ports, Protocol};
pub use self::resources::{Resources, Ulimit, UlimitName};
pub use self::restart::RestartPolicy;
pub use self::security::{Capability, Security, SecurityOpt};
pub use self::signal::Signal;
pub use self::validate::LABEL_NAMESPACE;
pub use self::volumes_from::VolumesFrom;

use crate::image_ref::ImageRef;
use crate::name::{ContainerName, ContainerRef};
use crate::quantity::TimeSpan;
use crate::violation::Violations;

/// What a container should be, or what it is: the one normal form of this crate.
///
/// A field that is `None` is not stated: a user leaves it to the image and the engine; core
/// expects no particular value; an engine does not report it. The name of the container is not part
/// of it.
///
/// Read from YAML or JSON by serde. An unknown key is an error that names the nearest known one with
/// its path, all mistakes of a document are said at once, and no error prints a value.
///
/// ```
/// use kolla_container_core::ContainerSpec;
///
/// let spec = ContainerSpec::new("nginx:1.27".parse()?)
///     .with_environment([("MODE", "fast")])
///     .with_mounts(["/srv/www:/usr/share/nginx/html:ro"])?
///     .with_ports(["8080:80"])?;
///
/// assert!(spec.validate().is_empty());
/// # Ok::<(), kolla_container_core::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub struct ContainerSpec {
    /// The image that it is made from; the only field that must be stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRef>,
    /// The arguments of the entrypoint, or the program itself where there is none. `Cmd` on Docker,
    /// `command` on Podman. Default: the image's, unless a program is stated as entrypoint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    /// The program. `Entrypoint`. Default: the image's; an empty one clears the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Command>,
    /// Its environment variables, on top of the image's. `Env`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
    /// Its labels, on top of the image's. `Labels`. Those below `io.kolla-container.` are ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<TextMap>,
    /// Its OCI annotations. `Annotations`; Docker from API 1.43.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<TextMap>,
    /// As whom the program runs: `user[:group]`, names or numbers. `User`. Default: the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Further groups of that user. `GroupAdd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_add: Option<BTreeSet<String>>,
    /// Where the program starts. `WorkingDir`. Default: the image's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<CleanPath>,
    /// Its host name. `Hostname`. Default: the first digits of its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The domain of its host name. `Domainname`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domainname: Option<String>,
    /// Whether it has a terminal. `Tty`. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tty: Option<bool>,
    /// Whether its standard input stays open. `OpenStdin`. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdin_open: Option<bool>,
    /// Whether a small init runs as its first process. `Init`. Default: the engine's setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
    /// The signal that asks it to stop. `StopSignal`. Default: the image's, else SIGTERM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<Signal>,
    /// How long it may take to stop before it is killed; whole seconds. `StopTimeout`. Default: 10 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<TimeSpan>,
    /// What is mounted where. `Binds`, `Mounts`, `Tmpfs` and `Volumes` on Docker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mounts: Option<Mounts>,
    /// Containers whose volumes it has too: `NAME[:ro]`. `VolumesFrom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub volumes_from: Option<BTreeSet<VolumesFrom>>,
    /// Devices of the host that it may use. `Devices`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<BTreeSet<Device>>,
    /// Rules of its devices cgroup, in order. `DeviceCgroupRules`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_cgroup_rules: Option<Vec<DeviceCgroupRule>>,
    /// Devices that a driver finds for it (GPUs). `DeviceRequests`; Docker only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_requests: Option<BTreeSet<DeviceRequest>>,
    /// How it is connected.
    #[serde(skip_serializing_if = "is_default")]
    pub network: Network,
    /// Which other namespaces it shares.
    #[serde(skip_serializing_if = "is_default")]
    pub namespaces: Namespaces,
    /// What it may do.
    #[serde(skip_serializing_if = "is_default")]
    pub security: Security,
    /// How much of the machine it may use.
    #[serde(skip_serializing_if = "is_default")]
    pub resources: Resources,
    /// How the engine finds out whether it is well.
    #[serde(skip_serializing_if = "Healthcheck::is_empty")]
    pub healthcheck: Healthcheck,
    /// What happens when it ends. `RestartPolicy`. Default: no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<RestartPolicy>,
    /// Where its output goes.
    #[serde(skip_serializing_if = "is_default")]
    pub logging: Logging,
    /// The OCI runtime: `runc`, `crun`. `Runtime`. Default: the engine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// The control group below which its own is made. `CgroupParent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup_parent: Option<String>,
    /// Options of the storage driver. `StorageOpt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_opt: Option<TextMap>,
    /// Whether the engine removes it when it ends. `AutoRemove`. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_remove: Option<bool>,
    /// The platform of its image: `linux/arm64`. `Platform`. Default: the host's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// How it is put in place; never compared.
    #[serde(skip_serializing_if = "is_default")]
    pub deploy: Deploy,
}

fn is_default<T: Default + PartialEq>(group: &T) -> bool {
    *group == T::default()
}

impl ContainerSpec {
    /// A container made from `image`, with nothing else stated.
    pub fn new(image: ImageRef) -> Self {
        Self { image: Some(image), ..Self::default() }
    }

    /// Reads a spec from a document that is a tree of values already; says every mistake, with its path.
    ///
    /// What can be read is not [validated](Self::validate); but where something cannot be read, what is
    /// wrong with the rest is said too.
    pub fn from_value(value: serde_json::Value) -> Result<Self, Violations> {
        let (spec, mut wrong) = read::read(value, Self::deserialize);
        match spec {
            Some(spec) if wrong.is_empty() => Ok(spec),
            spec => {
                wrong.add_unrelated(spec.map(|spec| validate::validate_all_but_image(&spec)).unwrap_or_default());
                Err(wrong)
            }
        }
    }

    /// With this command line.
    pub fn with_command<W: Into<String>>(mut self, argv: impl IntoIterator<Item = W>) -> Self {
        self.command = Some(Command::new(argv));
        self
    }

    /// With these environment variables, in addition to those stated so far.
    pub fn with_environment<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.environment.get_or_insert_default().0.extend(Environment::from_iter(variables).0);
        self
    }

    /// With these labels, in addition to those stated so far.
    pub fn with_labels<K: Into<String>, V: Into<String>>(mut self, labels: impl IntoIterator<Item = (K, V)>) -> Self {
        self.labels.get_or_insert_default().0.extend(TextMap::from_iter(labels).0);
        self
    }

    /// With these mounts in their short form, in addition to those stated so far.
    pub fn with_mounts<T: AsRef<str>>(
        mut self,
        mounts: impl IntoIterator<Item = T>,
    ) -> Result<Self, crate::text::ParseError> {
        let stated = self.mounts.get_or_insert_default();
        for text in mounts {
            let MountEntry { target, mount } = text.as_ref().parse()?;
            stated.insert(target, mount)?;
        }
        Ok(self)
    }

    /// With these published ports in their text form, in addition to those stated so far.
    pub fn with_ports<T: AsRef<str>>(
        mut self,
        ports: impl IntoIterator<Item = T>,
    ) -> Result<Self, crate::text::ParseError> {
        let stated = self.network.ports.get_or_insert_default();
        for (container, hosts) in Ports::parse(ports)?.0 {
            stated.0.entry(container).or_default().extend(hosts);
        }
        Ok(self)
    }

    /// With this network mode.
    pub fn with_network_mode(mut self, mode: NetworkMode) -> Self {
        self.network.mode = Some(mode);
        self
    }

    /// With this restart policy.
    pub fn with_restart(mut self, policy: RestartPolicy) -> Self {
        self.restart = Some(policy);
        self
    }

    /// With this health check.
    pub fn with_healthcheck(mut self, healthcheck: Healthcheck) -> Self {
        self.healthcheck = healthcheck;
        self
    }

    /// Everything that is wrong with this spec, each with the path of its field; none when it is fine.
    pub fn validate(&self) -> Violations {
        validate::validate(self)
    }

    /// The containers that this one refers to: whose namespaces it joins, whose volumes it has, to whom
    /// it is linked.
    pub fn references(&self) -> BTreeSet<&ContainerRef> {
        let volumes = self.volumes_from.iter().flatten().map(|from| &from.container);
        self.needed().chain(volumes).collect()
    }

    /// The containers that this one cannot do without while it is there: it has joined their namespaces, or is linked to
    /// them. Volumes that it has from others it keeps, whatever becomes of those.
    pub(crate) fn needed(&self) -> impl Iterator<Item = &ContainerRef> {
        let links = self.network.links.iter().flatten().map(|link| &link.container);
        self.joined_namespaces().chain(links)
    }

    /// The containers whose namespaces this one joins, and loses when they are started anew.
    pub fn joined_namespaces(&self) -> impl Iterator<Item = &ContainerRef> {
        let network = match &self.network.mode {
            Some(NetworkMode::Container(container)) => Some(container),
            _ => None,
        };
        let Namespaces { ipc, pid, cgroup, user, uts } = &self.namespaces;
        let namespaces =
            [ipc, pid, cgroup, user, uts].into_iter().flatten().filter_map(|namespace| namespace.container());
        network.into_iter().chain(namespaces)
    }

    /// Puts what `map` says in the place of each reference to another container.
    pub(crate) fn map_references(&mut self, map: impl Fn(&ContainerRef) -> ContainerRef) {
        if let Some(NetworkMode::Container(container)) = &mut self.network.mode {
            *container = map(container);
        }
        let Namespaces { ipc, pid, cgroup, user, uts } = &mut self.namespaces;
        for namespace in [ipc, pid, cgroup, user, uts] {
            if let Some(NamespaceMode::Container(container)) = namespace {
                *container = map(container);
            }
        }
        if let Some(volumes) = self.volumes_from.take() {
            let named = |from: VolumesFrom| VolumesFrom { container: map(&from.container), ..from };
            self.volumes_from = Some(volumes.into_iter().map(named).collect());
        }
        if let Some(links) = self.network.links.take() {
            let named = |link: Link| Link { container: map(&link.container), ..link };
            self.network.links = Some(links.into_iter().map(named).collect());
        }
    }

    /// The names among the containers that this one refers to.
    pub fn referenced_names(&self) -> BTreeSet<&ContainerName> {
        self.references().into_iter().filter_map(ContainerRef::name).collect()
    }
}

impl Serialize for ContainerSpec {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

impl<'de> Deserialize<'de> for ContainerSpec {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(serde_json::Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
