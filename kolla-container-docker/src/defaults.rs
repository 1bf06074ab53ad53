//! What this engine is, what it can do, and what it gives to a field that nobody states.
//!
//! A default that daemon flags decide, and that Docker does not tell, is not known: `None`.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{SystemInfo, SystemInfoCgroupVersionEnum};
use kolla_container_core::spec::{
    Command, Environment, ExposedPorts, ExtraHosts, HealthTest, Healthcheck, Logging, Mounts, NamespaceMode,
    Namespaces, Network, NetworkMode, Ports, Resources, RestartPolicy, Security, Signal, TextMap,
};
use kolla_container_core::state::{Additions, ApiLevel, EngineFacts, EngineKind, Features, HostFacts};
use kolla_container_core::{ContainerSpec, CpuSet, Cpus, Limit, TimeSpan};

/// The oldest level of the API that works: Docker 20.10.
pub(crate) const OLDEST: ApiLevel = ApiLevel::new(1, 41);
/// The first level that takes annotations.
const ANNOTATIONS: ApiLevel = ApiLevel::new(1, 43);
/// The first level that takes several endpoints at once.
pub(crate) const SEVERAL_ENDPOINTS: ApiLevel = ApiLevel::new(1, 44);
/// The first level that knows another interval at the start of a health check.
const START_INTERVAL: ApiLevel = ApiLevel::new(1, 44);
/// The first level that mounts a part of a volume.
const SUBPATHS: ApiLevel = ApiLevel::new(1, 45);
/// The newest level that this was written for.
const NEWEST: ApiLevel = ApiLevel::new(1, 53);

/// What `docker update` changes.
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

/// What is known of an engine once it has answered.
pub(crate) fn facts(api: ApiLevel, info: &SystemInfo, is_local: bool) -> EngineFacts {
    let cgroup_version = match info.cgroup_version {
        Some(SystemInfoCgroupVersionEnum::_2) => 2,
        _ => 1,
    };
    EngineFacts {
        kind: EngineKind::Docker,
        version: lenient_version(info.server_version.as_deref().unwrap_or_default()),
        api,
        host: HostFacts {
            name: info.name.clone().unwrap_or_default(),
            cgroup_version,
            rootless: has_option(info, "rootless"),
            local: is_local,
        },
        features: features(api, info, cgroup_version),
        defaults: defaults(info, cgroup_version),
        additions: Additions::default(),
    }
}

/// The facts of an engine of which only recorded documents are known: it can do everything, and what its flags decide
/// is not known.
///
/// ```
/// let facts = kolla_container_docker::recorded_facts();
///
/// assert_eq!(facts.defaults.tty, Some(false));
/// assert_eq!(facts.defaults.logging.driver, None);
/// ```
pub fn recorded_facts() -> EngineFacts {
    let info = SystemInfo::default();
    let mut defaults = defaults(&info, 1);
    defaults.namespaces.cgroup = None;
    EngineFacts {
        kind: EngineKind::Docker,
        version: semver::Version::new(0, 0, 0),
        api: NEWEST,
        host: HostFacts { name: "recorded".to_owned(), ..HostFacts::default() },
        features: always(Features::all()),
        defaults,
        additions: Additions::default(),
    }
}

/// A version whose numbers may have zeros in front of them, as in 19.03.5.
fn lenient_version(text: &str) -> semver::Version {
    text.parse().unwrap_or_else(|_| {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|digits| digits.parse().unwrap_or_default());
        let mut next = || numbers.next().unwrap_or_default();
        semver::Version::new(next(), next(), next())
    })
}

fn has_option(info: &SystemInfo, name: &str) -> bool {
    let options = info.security_options.iter().flatten();
    options.into_iter().any(|option| option.split(',').any(|part| part.strip_prefix("name=") == Some(name)))
}

/// What no Docker can do.
fn always(features: Features) -> Features {
    const PATHS: &str = "Docker joins no namespace by its path";
    const JOINS: &str = "Docker joins only the network, ipc and pid namespaces of another container";
    const PODMAN: &str = "keep-id, auto and nomap are modes of Podman";
    features
        .without("resources.kernel_memory", "Docker dropped it with API 1.42")
        .without("mounts.devpts", "only Podman mounts a devpts of the container's own")
        .without("mounts.anonymous_read_only", "Docker makes no anonymous volume that cannot be written: name it")
        .without("mounts.flags", "only Podman takes the flags of a mount")
        .without("network.mode.podman", "pasta and slirp4netns are modes of Podman")
        .without("network.networks.mac", "of a hardware address Docker does not tell whether it was asked for")
        .without("security.security_opt.profile_path", "Docker takes the JSON text of a seccomp profile, not its path")
        .without("namespaces.user.podman", PODMAN)
        .without("namespaces.user.container", JOINS)
        .without("namespaces.uts.container", JOINS)
        .without("namespaces.cgroup.container", JOINS)
        .without("namespaces.ipc.path", PATHS)
        .without("namespaces.pid.path", PATHS)
        .without("namespaces.cgroup.path", PATHS)
        .without("namespaces.user.path", PATHS)
        .without("namespaces.uts.path", PATHS)
        .updating(&UPDATED)
}

fn features(api: ApiLevel, info: &SystemInfo, cgroup_version: u8) -> Features {
    let lacks = |has: Option<bool>| has == Some(false);
    let kernel = "the kernel of the engine's machine does not support it";
    let refused = [
        ("annotations", api < ANNOTATIONS, "Docker takes annotations from API 1.43"),
        ("healthcheck.start_interval", api < START_INTERVAL, "Docker knows it from API 1.44"),
        ("mounts.subpath", api < SUBPATHS, "Docker mounts a part of a volume from API 1.45"),
        ("namespaces.user.private", !has_option(info, "userns"), "the engine does not remap users (userns-remap)"),
        ("resources.swappiness", cgroup_version == 2, "control groups of version 2 have no swappiness"),
        ("resources.oom_kill_disable", cgroup_version == 2 || lacks(info.oom_kill_disable), kernel),
        ("resources.memory", lacks(info.memory_limit), kernel),
        ("resources.memory_reservation", lacks(info.memory_limit), kernel),
        ("resources.memory_swap", lacks(info.swap_limit), kernel),
        ("resources.cpu_period", lacks(info.cpu_cfs_period), kernel),
        ("resources.cpu_quota", lacks(info.cpu_cfs_quota), kernel),
        ("resources.cpus", lacks(info.cpu_cfs_quota), kernel),
        ("resources.cpu_shares", lacks(info.cpu_shares), kernel),
        ("resources.cpuset_cpus", lacks(info.cpu_set), kernel),
        ("resources.cpuset_mems", lacks(info.cpu_set), kernel),
        ("resources.pids_limit", lacks(info.pids_limit), kernel),
    ];
    let refused = refused.into_iter().filter(|(_, refused, _)| *refused);
    refused.fold(always(Features::all()), |features, (feature, _, reason)| features.without(feature, reason))
}

/// What Docker gives to each field that nobody states.
fn defaults(info: &SystemInfo, cgroup_version: u8) -> ContainerSpec {
    ContainerSpec {
        command: Some(Command::default()),
        entrypoint: Some(Command::default()),
        environment: Some(Environment::default()),
        labels: Some(TextMap::default()),
        annotations: Some(TextMap::default()),
        user: Some(String::new()),
        group_add: Some(BTreeSet::new()),
        working_dir: "/".parse().ok(),
        domainname: Some(String::new()),
        tty: Some(false),
        stdin_open: Some(false),
        // `dockerd --init` makes it true without saying so anywhere: then it reads back as false, too.
        init: Some(false),
        stop_signal: Some(Signal::TERM),
        stop_timeout: Some(TimeSpan::from_secs(10)),
        mounts: Some(Mounts::default()),
        volumes_from: Some(BTreeSet::new()),
        devices: Some(BTreeSet::new()),
        device_cgroup_rules: Some(Vec::new()),
        device_requests: Some(BTreeSet::new()),
        network: network(),
        namespaces: Namespaces {
            // `dockerd --default-ipc-mode`
            ipc: None,
            pid: Some(NamespaceMode::Private),
            cgroup: cgroup_namespace(info, cgroup_version),
            user: Some(NamespaceMode::Private),
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
        resources: resources(),
        healthcheck: Healthcheck {
            test: Some(HealthTest::None),
            interval: Some(TimeSpan::from_secs(30)),
            timeout: Some(TimeSpan::from_secs(30)),
            retries: Some(3),
            start_period: Some(TimeSpan::from_secs(0)),
            start_interval: Some(TimeSpan::from_secs(5)),
        },
        restart: Some(RestartPolicy::No),
        // Of the options of its default driver (`dockerd --log-opt`) Docker says nothing.
        logging: Logging { driver: info.logging_driver.clone(), options: None },
        runtime: info.default_runtime.clone(),
        cgroup_parent: Some(String::new()),
        storage_opt: Some(TextMap::default()),
        auto_remove: Some(false),
        ..ContainerSpec::default()
    }
}

/// The host's, unless the daemon says otherwise; a privileged container has the host's on version 1, whatever it says.
fn cgroup_namespace(info: &SystemInfo, cgroup_version: u8) -> Option<NamespaceMode> {
    match (has_option(info, "cgroupns"), cgroup_version) {
        (true, 2) => Some(NamespaceMode::Private),
        (true, _) => None,
        (false, _) => Some(NamespaceMode::Host),
    }
}

fn network() -> Network {
    Network {
        mode: Some(NetworkMode::Bridge),
        networks: Some(BTreeMap::new()),
        ports: Some(Ports::default()),
        expose: Some(ExposedPorts::default()),
        publish_all: Some(false),
        dns: Some(Vec::new()),
        dns_search: Some(Vec::new()),
        dns_options: Some(BTreeSet::new()),
        extra_hosts: Some(ExtraHosts::default()),
        links: Some(BTreeSet::new()),
    }
}

fn resources() -> Resources {
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
        pids_limit: Some(Limit::Unlimited),
        // `dockerd --default-shm-size`
        shm_size: None,
        // `dockerd --default-ulimit`: then every container has them, also where none is stated.
        ulimits: None,
        sysctls: Some(TextMap::default()),
        oom_kill_disable: Some(false),
        oom_score_adj: Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info() -> SystemInfo {
        SystemInfo {
            logging_driver: Some("journald".to_owned()),
            default_runtime: Some("runc".to_owned()),
            cgroup_version: Some(SystemInfoCgroupVersionEnum::_2),
            security_options: Some(vec!["name=seccomp,profile=default".to_owned(), "name=cgroupns".to_owned()]),
            swap_limit: Some(false),
            ..SystemInfo::default()
        }
    }

    fn of(version: &str, api: ApiLevel) -> EngineFacts {
        facts(api, &SystemInfo { server_version: Some(version.to_owned()), ..info() }, true)
    }

    #[test]
    fn a_version_is_read_however_it_is_written() {
        assert_eq!(lenient_version("20.10.24+dfsg1").to_string(), "20.10.24+dfsg1");
        assert_eq!(lenient_version("19.03.5").to_string(), "19.3.5");
        assert_eq!(lenient_version("dev").to_string(), "0.0.0");
    }

    #[test]
    fn what_the_daemon_tells_of_its_defaults_is_known() {
        let defaults = of("28.2.2", ApiLevel::new(1, 50)).defaults;

        assert_eq!(defaults.logging.driver.as_deref(), Some("journald"));
        assert_eq!(defaults.namespaces.cgroup, Some(NamespaceMode::Private));
        assert_eq!(defaults.namespaces.ipc, None);
    }

    #[test]
    fn what_an_old_engine_or_its_kernel_cannot_do_is_refused_by_name() {
        let (old, new) = (of("20.10.24", OLDEST).features, of("28.2.2", NEWEST).features);

        for feature in ["annotations", "mounts.subpath", "healthcheck.start_interval"] {
            assert!(old.refusal(feature).is_some() && new.refusal(feature).is_none(), "{feature}");
        }
        for feature in ["resources.memory_swap", "resources.swappiness", "mounts.devpts", "namespaces.user.private"] {
            assert!(new.refusal(feature).is_some(), "{feature}");
        }
    }
}
