//! What an engine adds by itself to what is stated: expected from what is OBSERVED, for nothing else tells.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::quantity::{Cpus, Limit, TimeSpan};
use crate::spec::{
    Capability, ContainerSpec, Device, Environment, HostPort, Logging, Mount, MountFlag, Mounts, NetworkMode, Ports,
    Resources, TextMap, Tmpfs,
};
use crate::state::{Additions, ContainerState, EngineFacts};

/// How many capabilities a container has at least that was given all of them; a kernel knows some forty.
const ALL_CAPABILITIES: usize = 30;

/// Adds to what is `expected` of `container` what `engine` has added to it.
pub(super) fn add(
    expected: &mut ContainerSpec,
    wanted: &ContainerSpec,
    container: &ContainerState,
    engine: &EngineFacts,
) {
    let EngineFacts { additions, features, .. } = engine;
    entries(expected, &container.config, additions);
    mounts(expected, &container.config, additions);
    capabilities(expected, wanted, &container.config, additions);
    if additions.picks {
        ports(expected, &container.config);
        addresses(expected, container);
    }
    if !features.is_reported("mounts.relabel") {
        labels(expected, &container.config);
    }
    if !features.is_reported("devices.permissions") {
        permissions(expected, &container.config);
    }
    if !features.is_reported("devices.host") {
        devices(expected, container, engine);
    }
    default_network(expected, &container.config, additions);
    processors(&mut expected.resources, &container.config.resources);
    log_driver(&mut expected.logging, &container.config.logging);
}

/// Variables and annotations that nobody states.
fn entries(expected: &mut ContainerSpec, observed: &ContainerSpec, additions: &Additions) {
    if let (Some(Environment(expected)), Some(Environment(there))) = (&mut expected.environment, &observed.environment)
    {
        add_entries(expected, there, &additions.variables);
    }
    if let (Some(TextMap(expected)), Some(TextMap(there))) = (&mut expected.annotations, &observed.annotations) {
        add_entries(expected, there, &additions.annotations);
    }
}

fn add_entries<V: Clone>(expected: &mut BTreeMap<String, V>, there: &BTreeMap<String, V>, keys: &BTreeSet<String>) {
    for (key, value) in there.iter().filter(|(key, _)| keys.contains(*key)) {
        expected.entry(key.clone()).or_insert_with(|| value.clone());
    }
}

/// Options of mounts, unless their opposite is stated.
fn mounts(expected: &mut ContainerSpec, observed: &ContainerSpec, additions: &Additions) {
    let (Some(Mounts(expected)), Some(Mounts(there))) = (&mut expected.mounts, &observed.mounts) else { return };
    let is_added = |option: &str| additions.mount_options.contains(option);
    let is_inherited = |option: &str| is_added(option) || additions.source_options.contains(option);
    for (target, mount) in expected {
        match (mount, there.get(target)) {
            (Mount::Bind(mount), Some(Mount::Bind(there))) => add_flags(&mut mount.flags, &there.flags, is_inherited),
            (Mount::Volume(mount), Some(Mount::Volume(there))) => add_flags(&mut mount.flags, &there.flags, is_added),
            (Mount::Tmpfs(mount), Some(Mount::Tmpfs(Tmpfs { options, .. }))) => {
                let stated = mount.options.clone();
                let added = options.iter().filter(|option| is_added(option) && !is_contradicted(option, &stated));
                mount.options.extend(added.cloned());
            }
            _ => {}
        }
    }
}

fn add_flags(flags: &mut BTreeSet<MountFlag>, there: &BTreeSet<MountFlag>, is_added: impl Fn(&str) -> bool) {
    let stated: BTreeSet<String> = flags.iter().map(ToString::to_string).collect();
    let is_added = |flag: &&MountFlag| is_added(&flag.to_string()) && !is_contradicted(&flag.to_string(), &stated);
    flags.extend(there.iter().filter(is_added).copied());
}

/// `noexec` and `exec`, for one.
fn is_contradicted(option: &str, stated: &BTreeSet<String>) -> bool {
    match option.strip_prefix("no") {
        Some(opposite) => stated.contains(opposite),
        None => stated.contains(&format!("no{option}")),
    }
}

/// Where an engine computes what was added and dropped from what a container has.
fn capabilities(expected: &mut ContainerSpec, wanted: &ContainerSpec, observed: &ContainerSpec, additions: &Additions) {
    let Some(sets) = &additions.capabilities else { return };
    let security = &mut expected.security;
    if observed.security.privileged == Some(true) {
        security.cap_add.clone_from(&observed.security.cap_add);
        security.cap_drop.clone_from(&observed.security.cap_drop);
        return;
    }
    let (mut added, mut dropped) = sets.told(&wanted.security);
    if added.iter().any(Capability::is_all) {
        let there = observed.security.cap_add.clone().unwrap_or_default();
        let stated = wanted.security.cap_drop.clone().unwrap_or_default();
        if there.len() + sets.reference.len() >= ALL_CAPABILITIES && there.is_disjoint(&stated) {
            added = there;
        }
        dropped.retain(|capability| stated.contains(capability));
    }
    security.cap_add = Some(added);
    security.cap_drop = Some(dropped);
}

/// Ports of the host that it has picked, where any would do.
fn ports(expected: &mut ContainerSpec, observed: &ContainerSpec) {
    let publishes_all = observed.network.publish_all == Some(true);
    let (Some(Ports(expected)), Some(Ports(there))) = (&mut expected.network.ports, &observed.network.ports) else {
        return;
    };
    for (port, published) in there {
        match expected.get_mut(port) {
            Some(stated) => fill(stated, published),
            None if publishes_all => {
                expected.insert(*port, published.clone());
            }
            None => {}
        }
    }
}

/// Puts a port that is there in the place of each that leaves the choice to the engine.
fn fill(stated: &mut BTreeSet<HostPort>, there: &BTreeSet<HostPort>) {
    let open: Vec<HostPort> = stated.iter().filter(|stated| stated.port.is_none()).copied().collect();
    for choice in open {
        let picked = there.iter().find(|there| there.ip == choice.ip && !stated.contains(*there)).copied();
        if let Some(picked) = picked {
            stated.remove(&choice);
            stated.insert(picked);
        }
    }
}

/// The network that a container is in that states none: stated alone, the engine tells it as not stated.
fn default_network(expected: &mut ContainerSpec, observed: &ContainerSpec, additions: &Additions) {
    let stated = expected.network.networks.as_ref().filter(|networks| networks.len() == 1);
    let is_default = stated.is_some_and(|networks| networks.keys().next() == additions.default_network.as_ref());
    if is_default && observed.network.mode == Some(NetworkMode::Bridge) {
        expected.network.mode.clone_from(&observed.network.mode);
        expected.network.networks.clone_from(&observed.network.networks);
    }
}

/// Addresses that it has; of those of a container that does not run nobody knows.
fn addresses(expected: &mut ContainerSpec, container: &ContainerState) {
    for (name, endpoint) in expected.network.networks.iter_mut().flatten() {
        let there = container.addresses.get(name);
        let is_fine = |ip: IpAddr| there.is_none_or(|there| there.contains(&ip));
        endpoint.ipv4 = endpoint.ipv4.filter(|ip| !is_fine(IpAddr::V4(*ip)));
        endpoint.ipv6 = endpoint.ipv6.filter(|ip| !is_fine(IpAddr::V6(*ip)));
    }
}

/// How the sources of bind mounts are labelled, where the engine does not say.
fn labels(expected: &mut ContainerSpec, observed: &ContainerSpec) {
    let (Some(Mounts(expected)), Some(Mounts(there))) = (&mut expected.mounts, &observed.mounts) else { return };
    for (target, mount) in expected {
        if let (Mount::Bind(mount), Some(Mount::Bind(there))) = (mount, there.get(target)) {
            mount.relabel = there.relabel;
        }
    }
}

/// What may be done with a device, where the engine does not say.
fn permissions(expected: &mut ContainerSpec, observed: &ContainerSpec) {
    let (Some(expected), Some(there)) = (&mut expected.devices, &observed.devices) else { return };
    let as_told = |mut device: Device| {
        let same = there.iter().find(|there| there.host == device.host && there.container == device.container);
        if let Some(same) = same {
            device.permissions.clone_from(&same.permissions);
        }
        device
    };
    *expected = std::mem::take(expected).into_iter().map(as_told).collect();
}

/// Which device of the host is which in the container, where a record says it. Such an engine tells what a symbolic link
/// leads to and what is in a folder; of a privileged container, which has all devices, and without the privileges of root,
/// with which devices are mounted, it tells none.
fn devices(expected: &mut ContainerSpec, container: &ContainerState, engine: &EngineFacts) {
    let observed = &container.config;
    let (Some(expected), Some(there)) = (&mut expected.devices, &observed.devices) else { return };
    if observed.security.privileged == Some(true) || engine.host.rootless {
        expected.clone_from(there);
        return;
    }
    if container.owner.applied.as_ref().and_then(|applied| applied.field("devices.host")).is_none() {
        return;
    }
    let as_told = |device: Device| {
        let is_same = |there: &&Device| there.container == device.container;
        let is_inside = |there: &&Device| there.container.is_below(&device.container);
        let same: Vec<Device> = match there.iter().find(is_same) {
            Some(same) => vec![same.clone()],
            None => there.iter().filter(is_inside).cloned().collect(),
        };
        if same.is_empty() { vec![device] } else { same }
    };
    *expected = std::mem::take(expected).into_iter().flat_map(as_told).collect();
}

/// One and a half processors are a quota of 150 ms in each period of 100 ms: said otherwise, it is no difference.
fn processors(expected: &mut Resources, observed: &Resources) {
    if share(expected).is_some() && share(expected) == share(observed) {
        expected.cpus = observed.cpus;
        expected.cpu_quota = observed.cpu_quota;
        expected.cpu_period = observed.cpu_period;
    }
}

/// Docker's `json-file` and Podman's `k8s-file` are the same: a file of the engine's own.
fn log_driver(expected: &mut Logging, observed: &Logging) {
    let is_file = |driver: &Option<String>| matches!(driver.as_deref(), Some("json-file" | "k8s-file"));
    if is_file(&expected.driver) && is_file(&observed.driver) {
        expected.driver.clone_from(&observed.driver);
    }
}

/// How long the processors may be used in which time, in nanoseconds, where that is limited.
fn share(resources: &Resources) -> Option<(u64, u64)> {
    const PERIOD: u64 = 100_000_000;
    const CPU: u64 = 1_000_000_000;
    let stated = |period: TimeSpan| Some(period.as_nanos()).filter(|period| *period > 0);
    let period = resources.cpu_period.and_then(stated).unwrap_or(PERIOD);
    match (resources.cpus.map(Cpus::nanos).filter(|cpus| *cpus > 0), resources.cpu_quota) {
        (Some(cpus), _) => Some((cpus / (CPU / PERIOD), PERIOD)),
        (None, Some(Limit::At(quota))) => Some((quota.as_nanos(), period)),
        (None, _) => None,
    }
}
