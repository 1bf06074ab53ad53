//! The documents of libpod that are read: only the keys that mean something here, each of which may be missing.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Podman writes `null` for what is empty.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// Declares a document whose keys are all optional.
macro_rules! document {
    ($(#[$meta:meta])* $name:ident { $($fields:tt)* }) => {
        document! { $(#[$meta])* $name in "PascalCase" { $($fields)* } }
    };
    ($(#[$meta:meta])* $name:ident in $case:literal { $($(#[$of_field:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Default, Deserialize)]
        #[serde(default, rename_all = $case)]
        pub(crate) struct $name {
            $(
                #[serde(deserialize_with = "or_default")]
                $(#[$of_field])*
                pub(crate) $field: $kind,
            )*
        }
    };
}

document! {
    /// `GET /libpod/containers/{name}/json`
    Container {
        id: String,
        created: String,
        path: String,
        args: Vec<String>,
        state: State,
        image: String,
        image_name: String,
        #[serde(rename = "OCIRuntime")]
        oci_runtime: String,
        name: String,
        restart_count: i64,
        mounts: Vec<MountPoint>,
        network_settings: NetworkSettings,
        config: Config,
        host_config: HostConfig,
    }
}

document! {
    State {
        status: String,
        #[serde(rename = "OOMKilled")]
        oom_killed: bool,
        exit_code: i64,
        error: String,
        started_at: String,
        finished_at: String,
        #[serde(alias = "Healthcheck")]
        health: Health,
    }
}

document! {
    Health {
        status: String,
    }
}

document! {
    Config {
        hostname: String,
        user: String,
        tty: bool,
        open_stdin: bool,
        env: Vec<String>,
        cmd: Option<Vec<String>>,
        entrypoint: Words,
        image: String,
        working_dir: String,
        labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
        exposed_ports: BTreeMap<String, Value>,
        stop_signal: Word,
        stop_timeout: Option<u64>,
        healthcheck: Option<Healthcheck>,
    }
}

document! {
    /// The document of a container and that of an image have the same; times are in nanoseconds.
    Healthcheck {
        test: Vec<String>,
        interval: i64,
        timeout: i64,
        start_period: i64,
        retries: i64,
    }
}

document! {
    HostConfig {
        binds: Vec<String>,
        log_config: LogConfig,
        network_mode: String,
        port_bindings: BTreeMap<String, Option<Vec<HostPort>>>,
        restart_policy: RestartPolicy,
        auto_remove: bool,
        volumes_from: Vec<String>,
        cap_add: Vec<String>,
        cap_drop: Vec<String>,
        dns: Vec<String>,
        dns_options: Vec<String>,
        dns_search: Vec<String>,
        extra_hosts: Vec<String>,
        group_add: Vec<String>,
        ipc_mode: String,
        pid_mode: String,
        #[serde(rename = "UTSMode")]
        uts_mode: String,
        userns_mode: String,
        cgroup_mode: String,
        cgroup_parent: String,
        privileged: bool,
        init: bool,
        readonly_rootfs: bool,
        security_opt: Vec<String>,
        tmpfs: BTreeMap<String, String>,
        shm_size: u64,
        oom_score_adj: i64,
        oom_kill_disable: bool,
        cpu_shares: u64,
        cpu_period: u64,
        cpu_quota: i64,
        cpuset_cpus: String,
        cpuset_mems: String,
        memory: i64,
        memory_reservation: i64,
        memory_swap: i64,
        memory_swappiness: Option<i64>,
        blkio_weight: u16,
        pids_limit: i64,
        ulimits: Vec<Ulimit>,
        devices: Vec<Device>,
    }
}

document! {
    LogConfig {
        r#type: String,
    }
}

document! {
    RestartPolicy {
        name: String,
        maximum_retry_count: u32,
    }
}

document! {
    HostPort {
        host_ip: String,
        host_port: String,
    }
}

document! {
    Ulimit {
        name: String,
        soft: i64,
        hard: i64,
    }
}

document! {
    Device {
        path_on_host: String,
        path_in_container: String,
        cgroup_permissions: String,
    }
}

document! {
    MountPoint {
        r#type: String,
        name: String,
        source: String,
        destination: String,
        mode: String,
        options: Vec<String>,
        #[serde(rename = "RW")]
        writable: bool,
        propagation: String,
        sub_path: String,
    }
}

document! {
    NetworkSettings {
        ports: BTreeMap<String, Option<Vec<HostPort>>>,
        networks: BTreeMap<String, Endpoint>,
    }
}

document! {
    Endpoint {
        #[serde(rename = "IPAddress")]
        ip_address: String,
        #[serde(rename = "GlobalIPv6Address")]
        global_ipv6_address: String,
        aliases: Vec<String>,
    }
}

document! {
    /// `GET /libpod/images/{name}/json`
    Image {
        id: String,
        repo_tags: Vec<String>,
        repo_digests: Vec<String>,
        created: String,
        config: ImageConfig,
        architecture: String,
        os: String,
        variant: String,
        size: i64,
        #[serde(alias = "HealthCheck")]
        healthcheck: Option<Healthcheck>,
    }
}

document! {
    ImageConfig {
        user: String,
        exposed_ports: BTreeMap<String, Value>,
        env: Vec<String>,
        entrypoint: Option<Vec<String>>,
        cmd: Option<Vec<String>>,
        volumes: BTreeMap<String, Value>,
        working_dir: String,
        labels: BTreeMap<String, String>,
        stop_signal: String,
    }
}

document! {
    /// `GET /libpod/info`
    Info in "camelCase" {
        host: InfoHost,
        version: InfoVersion,
    }
}

document! {
    InfoVersion in "PascalCase" {
        version: String,
    }
}

document! {
    InfoHost in "camelCase" {
        cgroup_manager: String,
        cgroup_version: String,
        hostname: String,
        log_driver: String,
        oci_runtime: InfoRuntime,
        security: InfoSecurity,
    }
}

document! {
    InfoRuntime in "camelCase" {
        name: String,
    }
}

document! {
    InfoSecurity in "camelCase" {
        capabilities: String,
        rootless: bool,
    }
}

impl InfoHost {
    pub(crate) fn cgroup_version(&self) -> u8 {
        if self.cgroup_version == "v2" { 2 } else { 1 }
    }

    /// Without the privileges of root, only systemd gives away control groups, and only those of version 2.
    pub(crate) fn limits_processes(&self) -> bool {
        !self.security.rootless || self.cgroup_manager == "systemd" && self.cgroup_version() == 2
    }
}

/// A list of words; the words joined by spaces below Podman 5.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Words {
    List(Vec<String>),
    Joined(String),
}

impl Default for Words {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// A word; a number below Podman 5.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum Word {
    Text(String),
    Number(u64),
}

impl Default for Word {
    fn default() -> Self {
        Self::Number(0)
    }
}
