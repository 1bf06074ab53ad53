//! What this engine is, what it can do, what it gives to a field that nobody states, and what it adds by itself.
//!
//! What its containers.conf decides Podman does not tell; where that is known to matter, its usual value is here.

use std::collections::{BTreeMap, BTreeSet};

use kolla_container_core::spec::{
    Capability, Command, Environment, ExposedPorts, ExtraHosts, HealthTest, Healthcheck, Logging, Mounts,
    NamespaceMode, Namespaces, Network, NetworkMode, Ports, Resources, RestartPolicy, Security, Signal, TextMap,
};
use kolla_container_core::state::{Additions, ApiLevel, CapabilitySets, EngineFacts, EngineKind, Features, HostFacts};
use kolla_container_core::{ByteSize, ContainerSpec, CpuSet, Cpus, Limit, TimeSpan};
use semver::Version;

use crate::decode::{Info, InfoHost};

/// The network that a container joins where none is stated.
pub(crate) const NETWORK: &str = "podman";
/// How long a container may take to stop.
pub(crate) const STOP_TIMEOUT: TimeSpan = TimeSpan::from_secs(10);
/// What may be done with a device.
pub(crate) const DEVICE_PERMISSIONS: &str = "rwm";
/// How many processes a container may have, where Podman can limit it.
const PIDS: u64 = 2048;
/// 65536 kB, of the thousand.
const SHM_SIZE: u64 = 65_536_000;

/// The first version that remembers what `podman update` changes; the one before forgets it at the next start.
const REMEMBERS_UPDATES: Version = Version::new(5, 1, 0);
/// The first version that mounts a part of a volume.
const SUBPATHS: Version = Version::new(5, 1, 0);

/// The version whose API takes the runtime of a container: no 5.x up to 5.8 does.
const RUNTIMES: Version = Version::new(6, 0, 0);
/// The first version that compares capabilities with those of its containers.conf.
const OWN_CAPABILITIES: Version = Version::new(4, 4, 0);

/// What `podman update` changes.
const UPDATED: [&str; 12] = [
    "resources.blkio_weight",
    "resources.cpu_period",
    "resources.cpu_quota",
    "resources.cpu_shares",
    "resources.cpus",
    "resources.cpuset_cpus",
    "resources.cpuset_mems",
    "resources.memory",
    "resources.memory_reservation",
    "resources.memory_swap",
    "resources.pids_limit",
    "restart",
];

/// Fields of which Podman does not say what they were made with, or not all.
const UNREPORTED: [&str; 10] = [
    "device_cgroup_rules",
    "devices.host",
    "devices.permissions",
    "logging.options",
    "mounts.relabel",
    "namespaces.ipc",
    "namespaces.user",
    "network.networks.addresses",
    "resources.sysctls",
    "storage_opt",
];

/// What the reference implementation of the OCI runtime specification gives to a container.
const OCI_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// `GET /libpod/info`, as far as it is read.
/// What is known of an engine once it has answered.
pub(crate) fn facts(version: Version, info: &Info, is_local: bool) -> EngineFacts {
    let InfoHost { hostname, security, .. } = &info.host;
    let cgroup_version = info.host.cgroup_version();
    // What a version can do, its development builds and those of distributions can.
    let plain = Version::new(version.major, version.minor, version.patch);
    let level = |part: u64| u32::try_from(part).unwrap_or(u32::MAX);
    EngineFacts {
        kind: EngineKind::Podman,
        api: ApiLevel::new(level(version.major), level(version.minor)),
        host: HostFacts { name: hostname.clone(), cgroup_version, rootless: security.rootless, local: is_local },
        features: features(&plain, cgroup_version, security.rootless),
        defaults: defaults(info),
        additions: additions(&plain, info),
        version,
    }
}

/// The facts of an engine of which only recorded documents are known: it can do everything, and what its
/// containers.conf decides is not known.
///
/// ```
/// let facts = kolla_container_podman::recorded_facts();
///
/// assert_eq!(facts.defaults.tty, Some(false));
/// assert_eq!(facts.defaults.logging.driver, None);
/// ```
pub fn recorded_facts() -> EngineFacts {
    let info = Info::default();
    let mut defaults = defaults(&info);
    defaults.namespaces.cgroup = None;
    defaults.security.cap_add = None;
    defaults.security.cap_drop = None;
    EngineFacts {
        kind: EngineKind::Podman,
        version: Version::new(0, 0, 0),
        api: ApiLevel::new(0, 0),
        host: HostFacts { name: "recorded".to_owned(), ..HostFacts::default() },
        features: always(Features::all()),
        defaults,
        additions: additions(&OWN_CAPABILITIES, &info),
    }
}

/// What no Podman can do.
fn always(features: Features) -> Features {
    features
        .without("domainname", "Podman has none: write it into the hostname")
        .without("device_requests", "Podman takes devices of the CDI, by name")
        .without("healthcheck.start_interval", "Podman has a check of its own for the start")
        .without("namespaces.user.private", "Podman needs to know which ids: auto, keep-id and nomap do")
        .without("network.links", "Podman has none: containers of a network know each other by name")
        .without("network.networks.mac", "of a hardware address Podman does not tell whether it was asked for")
        .without("resources.kernel_memory", "Podman does not take it")
        .unreporting(&UNREPORTED)
        .naming_at_start()
}

fn features(version: &Version, cgroup_version: u8, is_rootless: bool) -> Features {
    const ROOTLESS: &str = "only a rootless Podman has it";
    const VERSION_2: &str = "control groups of version 2 have none";
    let refused = [
        ("mounts.subpath", *version < SUBPATHS, "Podman mounts a part of a volume from 5.1"),
        ("namespaces.user.keep-id", !is_rootless, ROOTLESS),
        ("namespaces.user.nomap", !is_rootless, ROOTLESS),
        ("network.mode.podman", !is_rootless, ROOTLESS),
        ("runtime", *version < RUNTIMES, "before 6.0, Podman's API ignores it: set runtime in containers.conf"),
        ("resources.swappiness", cgroup_version == 2, VERSION_2),
        ("resources.oom_kill_disable", cgroup_version == 2, VERSION_2),
    ];
    let refused = refused.into_iter().filter(|(_, refused, _)| *refused);
    let features =
        refused.fold(always(Features::all()), |features, (feature, _, reason)| features.without(feature, reason));
    if *version < REMEMBERS_UPDATES { features } else { features.updating(&UPDATED) }
}

/// What Podman adds by itself to what is stated.
fn additions(version: &Version, info: &Info) -> Additions {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    let capabilities = |names: &[&str]| names.iter().filter_map(|name| name.parse().ok()).collect();
    let stated = info.host.security.capabilities.split(',').filter(|name| !name.is_empty());
    let own: BTreeSet<Capability> = stated.filter_map(|name| name.parse().ok()).collect();
    let reference = if *version < OWN_CAPABILITIES { capabilities(&OCI_CAPABILITIES) } else { own.clone() };
    Additions {
        variables: words(&["HOME", "HOSTNAME", "PATH", "TERM", "container"]),
        annotations: words(&[
            "io.container.manager",
            "io.kubernetes.cri-o.Created",
            "io.kubernetes.cri-o.TTY",
            "org.opencontainers.image.stopSignal",
            "org.systemd.property.KillSignal",
            "org.systemd.property.TimeoutStopUSec",
        ]),
        mount_options: words(&["exec", "nodev", "nosuid", "rprivate", "tmpcopyup"]),
        source_options: words(&["nodev", "noexec", "nosuid"]),
        picks: true,
        default_network: "podman".parse().ok(),
        capabilities: (!own.is_empty()).then_some(CapabilitySets { given: own, reference }),
    }
}

/// What a health check has where it says nothing else.
pub(crate) fn healthcheck() -> Healthcheck {
    Healthcheck {
        test: Some(HealthTest::None),
        interval: Some(TimeSpan::from_secs(30)),
        timeout: Some(TimeSpan::from_secs(30)),
        retries: Some(3),
        start_period: Some(TimeSpan::from_secs(0)),
        start_interval: None,
    }
}

/// What Podman gives to each field that nobody states.
fn defaults(info: &Info) -> ContainerSpec {
    let known = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    ContainerSpec {
        command: Some(Command::default()),
        entrypoint: Some(Command::default()),
        environment: Some(Environment::default()),
        labels: Some(TextMap::default()),
        annotations: Some(TextMap::default()),
        user: Some(String::new()),
        group_add: Some(BTreeSet::new()),
        working_dir: "/".parse().ok(),
        tty: Some(false),
        stdin_open: Some(false),
        init: Some(false),
        stop_signal: Some(Signal::TERM),
        stop_timeout: Some(STOP_TIMEOUT),
        mounts: Some(Mounts::default()),
        volumes_from: Some(BTreeSet::new()),
        devices: Some(BTreeSet::new()),
        device_cgroup_rules: Some(Vec::new()),
        network: network(info),
        namespaces: Namespaces {
            // `ipcns` in containers.conf
            ipc: None,
            pid: Some(NamespaceMode::Private),
            cgroup: Some(if info.host.cgroup_version() == 2 { NamespaceMode::Private } else { NamespaceMode::Host }),
            user: Some(NamespaceMode::Host),
            uts: Some(NamespaceMode::Private),
        },
        security: Security {
            privileged: Some(false),
            cap_add: Some(BTreeSet::new()),
            cap_drop: Some(BTreeSet::new()),
            security_opt: Some(BTreeSet::new()),
            no_new_privileges: Some(false),
            read_only: Some(false),
        },
        resources: resources(&info.host),
        healthcheck: healthcheck(),
        restart: Some(RestartPolicy::No),
        logging: Logging { driver: known(&info.host.log_driver), options: None },
        runtime: known(&info.host.oci_runtime.name),
        cgroup_parent: Some(String::new()),
        storage_opt: Some(TextMap::default()),
        auto_remove: Some(false),
        ..ContainerSpec::default()
    }
}

/// A rootless container is on no bridge, unless it asks for one; how it is connected instead depends on the version.
fn network(info: &Info) -> Network {
    Network {
        mode: (!info.host.security.rootless).then_some(NetworkMode::Bridge),
        networks: Some(BTreeMap::new()),
        ports: Some(Ports::default()),
        expose: Some(ExposedPorts::default()),
        publish_all: Some(false),
        dns: Some(Vec::new()),
        dns_search: Some(Vec::new()),
        dns_options: Some(BTreeSet::new()),
        extra_hosts: Some(ExtraHosts::default()),
        links: None,
    }
}

fn resources(host: &InfoHost) -> Resources {
    Resources {
        memory: Some(Limit::Unlimited),
        memory_reservation: Some(Limit::Unlimited),
        memory_swap: Some(Limit::Unlimited),
        swappiness: Some(-1),
        kernel_memory: None,
        cpu_period: Some(TimeSpan::from_secs(0)),
        cpu_quota: Some(Limit::Unlimited),
        cpu_shares: Some(0),
        cpus: Some(Cpus::from_nanos(0)),
        cpuset_cpus: Some(CpuSet::default()),
        cpuset_mems: Some(CpuSet::default()),
        blkio_weight: Some(0),
        pids_limit: Some(if host.limits_processes() { Limit::At(PIDS) } else { Limit::Unlimited }),
        shm_size: Some(ByteSize::from_bytes(SHM_SIZE)),
        // Some are set in every container, also where none is stated.
        ulimits: None,
        sysctls: Some(TextMap::default()),
        oom_kill_disable: Some(false),
        oom_score_adj: Some(0),
    }
}
