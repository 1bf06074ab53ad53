//! What the engine in memory is, can do, and gives to a field that nobody states: as Docker does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::quantity::{ByteSize, CpuSet, Cpus, Limit, TimeSpan};
use crate::spec::{
    Command, ContainerSpec, Deploy, Environment, ExposedPorts, ExtraHosts, HealthTest, Healthcheck, Logging, Mounts,
    NamespaceMode, Namespaces, Network, NetworkMode, Platform, Ports, Resources, RestartPolicy, Security, Signal,
    TextMap,
};
use crate::state::{Additions, ApiLevel, EngineFacts, EngineKind, Features, HostFacts};

/// The fields that can be changed while a container runs.
const UPDATED: [&str; 12] = [
    "resources.blkio_weight",
    "resources.cpu_shares",
    "resources.cpu_period",
    "resources.cpu_quota",
    "resources.cpus",
    "resources.cpuset_cpus",
    "resources.cpuset_mems",
    "resources.memory",
    "resources.memory_reservation",
    "resources.memory_swap",
    "resources.pids_limit",
    "restart",
];

/// The facts of one more engine: no two of them in a process have the same host name.
pub(super) fn facts() -> EngineFacts {
    static ENGINES: AtomicU64 = AtomicU64::new(0);

    let number = ENGINES.fetch_add(1, Ordering::Relaxed) + 1;
    EngineFacts {
        kind: EngineKind::Memory,
        version: semver::Version::new(1, 0, 0),
        api: ApiLevel::new(1, 44),
        host: HostFacts { name: format!("memory-{number}"), cgroup_version: 2, rootless: false, local: false },
        features: features(),
        defaults: defaults(),
        additions: Additions::default(),
    }
}

fn features() -> Features {
    Features::all()
        .without("resources.kernel_memory", "engines dropped it with API 1.42")
        .without("mounts.devpts", "only Podman mounts a devpts of the container's own")
        .without("mounts.flags", "only Podman takes the flags of a mount")
        .without("namespaces.user.podman", "keep-id, auto and nomap are modes of Podman")
        .without("network.mode.podman", "pasta and slirp4netns are modes of Podman")
        .updating(&UPDATED)
}

/// What this engine gives to each field that nobody states.
fn defaults() -> ContainerSpec {
    ContainerSpec {
        image: None,
        command: Some(Command::default()),
        entrypoint: Some(Command::default()),
        environment: Some(Environment::default()),
        labels: Some(TextMap::default()),
        annotations: Some(TextMap::default()),
        user: Some(String::new()),
        group_add: Some(BTreeSet::new()),
        working_dir: "/".parse().ok(),
        hostname: None,
        domainname: Some(String::new()),
        tty: Some(false),
        stdin_open: Some(false),
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
            ipc: Some(NamespaceMode::Private),
            pid: Some(NamespaceMode::Private),
            cgroup: Some(NamespaceMode::Private),
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
        logging: Logging { driver: Some("json-file".to_owned()), options: Some(TextMap::default()) },
        runtime: Some("runc".to_owned()),
        cgroup_parent: Some(String::new()),
        storage_opt: Some(TextMap::default()),
        auto_remove: Some(false),
        platform: platform(),
        deploy: Deploy::default(),
    }
}

/// The platform of images that say nothing of theirs.
pub(super) fn platform() -> Option<Platform> {
    "linux/amd64".parse().ok()
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
        shm_size: Some(ByteSize::mib(64)),
        ulimits: Some(BTreeMap::new()),
        sysctls: Some(TextMap::default()),
        oom_kill_disable: Some(false),
        oom_score_adj: Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_engines_have_different_hosts() {
        assert_ne!(facts().host.name, facts().host.name);
    }

    #[test]
    fn a_limit_can_be_changed_in_place_and_the_size_of_shared_memory_cannot() {
        let features = features();

        assert!(features.can_update("resources.memory") && features.can_update("restart"));
        assert!(!features.can_update("resources.shm_size"));
    }
}
