//! What a new container is configured as: what is stated, else its image's, else the engine's default,
//! and what Docker derives from that. The answer is what Docker's inspect would decode to.

use std::collections::{BTreeMap, BTreeSet};

use super::image::Image;
use crate::name::{ContainerId, ContainerRef, VolumeName};
use crate::quantity::{ByteSize, Limit};
use crate::spec::{
    Command, ContainerSpec, Deploy, Environment, ExposedPorts, HealthTest, Healthcheck, Link, Logging, Mount, Mounts,
    NamespaceMode, Namespaces, Network, NetworkMode, Resources, Security, TextMap, Variable, Volume, VolumesFrom,
};

/// What a configuration depends on besides the spec.
pub(super) struct Given<'a> {
    pub(super) id: &'a ContainerId,
    pub(super) image: &'a Image,
    pub(super) defaults: &'a ContainerSpec,
    /// The name of the host.
    pub(super) host: &'a str,
    /// The host name of the container whose network is joined.
    pub(super) joined_host: Option<&'a str>,
    /// The ids of the containers that the spec refers to.
    pub(super) ids: &'a BTreeMap<ContainerRef, ContainerId>,
}

/// The configuration of a container made from `stated`; our own labels are still in it.
pub(super) fn configure(stated: &ContainerSpec, given: &Given<'_>) -> ContainerSpec {
    let image = &given.image.template.config;
    let defaults = given.defaults;
    let (command, entrypoint) = command(stated, image, defaults);
    let network = network(&stated.network, image, defaults, given);
    ContainerSpec {
        image: stated.image.clone(),
        command,
        entrypoint,
        environment: Some(environment([defaults, image, stated])),
        labels: Some(merged([defaults, image, stated].map(|spec| spec.labels.as_ref()))),
        annotations: Some(merged([defaults, stated].map(|spec| spec.annotations.as_ref()))),
        user: first([text(stated.user.as_ref()), image.user.as_ref(), defaults.user.as_ref()]),
        group_add: either(&stated.group_add, &defaults.group_add),
        working_dir: first([stated, image, defaults].map(|spec| spec.working_dir.as_ref())),
        hostname: Some(hostname(stated, &network, given)),
        domainname: either(&stated.domainname, &defaults.domainname),
        tty: either(&stated.tty, &defaults.tty),
        stdin_open: either(&stated.stdin_open, &defaults.stdin_open),
        init: either(&stated.init, &defaults.init),
        stop_signal: first([stated, image, defaults].map(|spec| spec.stop_signal.as_ref())),
        stop_timeout: first([stated, image, defaults].map(|spec| spec.stop_timeout.as_ref())),
        mounts: Some(mounts(stated, image)),
        volumes_from: either(&stated.volumes_from, &defaults.volumes_from).map(|all| volumes_from(all, given)),
        devices: either(&stated.devices, &defaults.devices),
        device_cgroup_rules: either(&stated.device_cgroup_rules, &defaults.device_cgroup_rules),
        device_requests: either(&stated.device_requests, &defaults.device_requests),
        security: security(&stated.security, &defaults.security, &stated.namespaces),
        namespaces: namespaces(&stated.namespaces, &defaults.namespaces, given),
        network,
        resources: resources(&stated.resources, &defaults.resources),
        healthcheck: healthcheck([&stated.healthcheck, &image.healthcheck, &defaults.healthcheck]),
        restart: either(&stated.restart, &defaults.restart),
        logging: logging(&stated.logging, &defaults.logging),
        runtime: either(&stated.runtime, &defaults.runtime),
        cgroup_parent: either(&stated.cgroup_parent, &defaults.cgroup_parent),
        storage_opt: either(&stated.storage_opt, &defaults.storage_opt),
        auto_remove: either(&stated.auto_remove, &defaults.auto_remove),
        platform: given.image.platform.clone(),
        deploy: Deploy::default(),
    }
}

fn first<T: Clone, const N: usize>(sources: [Option<&T>; N]) -> Option<T> {
    sources.into_iter().flatten().next().cloned()
}

#[expect(clippy::ref_option, reason = "it is given fields of two specs as they are")]
fn either<T: Clone>(stated: &Option<T>, default: &Option<T>) -> Option<T> {
    stated.as_ref().or(default.as_ref()).cloned()
}

/// An empty text is not sent, and is the image's.
fn text(stated: Option<&String>) -> Option<&String> {
    stated.filter(|text| !text.is_empty())
}

/// An entrypoint that is stated takes the image's command away, a cleared one does not; an empty command means the
/// image's.
fn command(
    stated: &ContainerSpec,
    image: &ContainerSpec,
    defaults: &ContainerSpec,
) -> (Option<Command>, Option<Command>) {
    let inherited = first([image, defaults].map(|spec| spec.command.as_ref()));
    let command = match (stated.command.as_ref().filter(|command| !command.is_empty()), &stated.entrypoint) {
        (Some(command), _) => Some(command.clone()),
        (None, Some(entrypoint)) if !entrypoint.is_empty() => Some(Command::default()),
        (None, _) => inherited,
    };
    (command, first([stated, image, defaults].map(|spec| spec.entrypoint.as_ref())))
}

fn environment(sources: [&ContainerSpec; 3]) -> Environment {
    let mut variables = BTreeMap::new();
    for (name, variable) in sources.into_iter().filter_map(|spec| spec.environment.as_ref()).flat_map(|all| &all.0) {
        // An engine knows no secrets, and has nothing where a variable is unset.
        match variable.value() {
            Some(value) => variables.insert(name.clone(), Variable::Value(value.to_owned())),
            None => variables.remove(name),
        };
    }
    Environment(variables)
}

fn merged<const N: usize>(sources: [Option<&TextMap>; N]) -> TextMap {
    TextMap(sources.into_iter().flatten().flat_map(|map| map.0.clone()).collect())
}

fn hostname(stated: &ContainerSpec, network: &Network, given: &Given<'_>) -> String {
    let own = || match network.mode {
        Some(NetworkMode::Host) => given.host.to_owned(),
        Some(NetworkMode::Container(_)) => given.joined_host.unwrap_or(given.host).to_owned(),
        _ => given.id.short().to_owned(),
    };
    text(stated.hostname.as_ref()).cloned().unwrap_or_else(own)
}

/// What is stated, and the image's volumes where nothing else is mounted; a volume that the engine
/// named is an anonymous one, also where it is mounted by that name.
fn mounts(stated: &ContainerSpec, image: &ContainerSpec) -> Mounts {
    let mut mounts = BTreeMap::new();
    for (target, mount) in [image, stated].into_iter().filter_map(|spec| spec.mounts.as_ref()).flat_map(|all| &all.0) {
        let mount = match mount {
            Mount::Volume(volume) if volume.name.as_ref().is_some_and(VolumeName::is_anonymous) => {
                Mount::Volume(Volume { name: None, ..volume.clone() })
            }
            mount => mount.clone(),
        };
        mounts.insert(target.clone(), mount);
    }
    Mounts(mounts)
}

fn by_id(reference: &ContainerRef, given: &Given<'_>) -> ContainerRef {
    given.ids.get(reference).map_or_else(|| reference.clone(), |id| ContainerRef::Id(id.clone()))
}

fn volumes_from(all: BTreeSet<VolumesFrom>, given: &Given<'_>) -> BTreeSet<VolumesFrom> {
    all.into_iter().map(|from| VolumesFrom { container: by_id(&from.container, given), ..from }).collect()
}

fn network(stated: &Network, image: &ContainerSpec, defaults: &ContainerSpec, given: &Given<'_>) -> Network {
    let default = &defaults.network;
    let joins_some = stated.networks.as_ref().is_some_and(|networks| !networks.is_empty());
    let mode = match &stated.mode {
        Some(NetworkMode::Container(container)) => Some(NetworkMode::Container(by_id(container, given))),
        Some(mode) => Some(mode.clone()),
        None if joins_some => Some(NetworkMode::Named),
        None => default.mode.clone(),
    };
    let ports = either(&stated.ports, &default.ports);
    let said = [&image.network, stated].into_iter().filter_map(|network| network.expose.as_ref());
    let said = said.flat_map(|ports| ports.0.iter().copied());
    let published = ports.iter().flat_map(|ports| ports.0.keys().copied());
    let links = either(&stated.links, &default.links);
    Network {
        mode,
        networks: either(&stated.networks, &default.networks),
        expose: Some(ExposedPorts(said.chain(published).collect())),
        ports,
        publish_all: either(&stated.publish_all, &default.publish_all),
        dns: either(&stated.dns, &default.dns),
        dns_search: either(&stated.dns_search, &default.dns_search),
        dns_options: either(&stated.dns_options, &default.dns_options),
        extra_hosts: either(&stated.extra_hosts, &default.extra_hosts),
        links: links
            .map(|all| all.into_iter().map(|link| Link { container: by_id(&link.container, given), ..link }).collect()),
    }
}

fn namespaces(stated: &Namespaces, default: &Namespaces, given: &Given<'_>) -> Namespaces {
    let mode = |stated: &Option<NamespaceMode>, default: &Option<NamespaceMode>| match stated {
        Some(NamespaceMode::Container(container)) => Some(NamespaceMode::Container(by_id(container, given))),
        Some(mode) => Some(mode.clone()),
        None => default.clone(),
    };
    Namespaces {
        ipc: mode(&stated.ipc, &default.ipc),
        pid: mode(&stated.pid, &default.pid),
        cgroup: mode(&stated.cgroup, &default.cgroup),
        user: mode(&stated.user, &default.user),
        uts: mode(&stated.uts, &default.uts),
    }
}

/// Docker switches SELinux labels off for containers that share too much, unless a label is stated.
fn security(stated: &Security, default: &Security, namespaces: &Namespaces) -> Security {
    let shares = |mode: &Option<NamespaceMode>| *mode == Some(NamespaceMode::Host);
    let privileged = either(&stated.privileged, &default.privileged);
    let mut options = either(&stated.security_opt, &default.security_opt).unwrap_or_default();
    let labelled = options.iter().any(|option| option.module() == "label");
    if !labelled && (privileged == Some(true) || shares(&namespaces.ipc) || shares(&namespaces.pid)) {
        options.extend("label=disable".parse());
    }
    Security {
        privileged,
        cap_add: either(&stated.cap_add, &default.cap_add),
        cap_drop: either(&stated.cap_drop, &default.cap_drop),
        security_opt: Some(options),
        no_new_privileges: either(&stated.no_new_privileges, &default.no_new_privileges),
        read_only: either(&stated.read_only, &default.read_only),
    }
}

fn resources(stated: &Resources, default: &Resources) -> Resources {
    let memory = either(&stated.memory, &default.memory);
    let twice = |size: ByteSize| Limit::At(ByteSize::from_bytes(size.bytes().saturating_mul(2)));
    let memory_swap = match (stated.memory_swap, memory) {
        (None, Some(Limit::At(size))) => Some(twice(size)),
        (swap, _) => swap.or(default.memory_swap),
    };
    Resources {
        memory,
        memory_reservation: either(&stated.memory_reservation, &default.memory_reservation),
        memory_swap,
        swappiness: either(&stated.swappiness, &default.swappiness),
        kernel_memory: either(&stated.kernel_memory, &default.kernel_memory),
        cpu_period: either(&stated.cpu_period, &default.cpu_period),
        cpu_quota: either(&stated.cpu_quota, &default.cpu_quota),
        cpu_shares: either(&stated.cpu_shares, &default.cpu_shares),
        cpus: either(&stated.cpus, &default.cpus),
        cpuset_cpus: either(&stated.cpuset_cpus, &default.cpuset_cpus),
        cpuset_mems: either(&stated.cpuset_mems, &default.cpuset_mems),
        blkio_weight: either(&stated.blkio_weight, &default.blkio_weight),
        pids_limit: either(&stated.pids_limit, &default.pids_limit),
        shm_size: either(&stated.shm_size, &default.shm_size),
        ulimits: Some([default, stated].into_iter().filter_map(|all| all.ulimits.clone()).flatten().collect()),
        sysctls: either(&stated.sysctls, &default.sysctls),
        oom_kill_disable: either(&stated.oom_kill_disable, &default.oom_kill_disable),
        oom_score_adj: either(&stated.oom_score_adj, &default.oom_score_adj),
    }
}

/// Key by key; where there is no check, there are no keys either.
fn healthcheck(sources: [&Healthcheck; 3]) -> Healthcheck {
    let test = first(sources.map(|check| check.test.as_ref()));
    if test.as_ref().is_none_or(|test| *test == HealthTest::None) {
        return Healthcheck::none();
    }
    Healthcheck {
        test,
        interval: first(sources.map(|check| check.interval.as_ref())),
        timeout: first(sources.map(|check| check.timeout.as_ref())),
        retries: first(sources.map(|check| check.retries.as_ref())),
        start_period: first(sources.map(|check| check.start_period.as_ref())),
        start_interval: first(sources.map(|check| check.start_interval.as_ref())),
    }
}

/// The default options are those of the default driver.
fn logging(stated: &Logging, default: &Logging) -> Logging {
    let driver = either(&stated.driver, &default.driver);
    let options = match &stated.options {
        None if driver != default.driver => Some(TextMap::default()),
        options => either(options, &default.options),
    };
    Logging { driver, options }
}
