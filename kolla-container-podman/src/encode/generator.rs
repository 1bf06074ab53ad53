//! The body of a request to make a container: what libpod calls a spec generator.

use std::collections::BTreeMap;

use serde::Serialize;

/// Declares a part of it: what is not stated is not written.
macro_rules! part {
    ($(#[$meta:meta])* $name:ident { $($(#[$of_field:meta])* $field:ident: $kind:ty,)* }) => {
        $(#[$meta])*
        #[derive(Default, PartialEq, Serialize)]
        pub(crate) struct $name {
            $(
                #[serde(skip_serializing_if = "Option::is_none")]
                $(#[$of_field])*
                pub(crate) $field: Option<$kind>,
            )*
        }
    };
}

part! {
    /// `SpecGenerator`
    Generator {
        name: String,
        image: String,
        image_os: String,
        image_arch: String,
        image_variant: String,
        command: Vec<String>,
        entrypoint: Vec<String>,
        env: BTreeMap<String, String>,
        unsetenv: Vec<String>,
        labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
        user: String,
        groups: Vec<String>,
        work_dir: String,
        create_working_dir: bool,
        hostname: String,
        terminal: bool,
        stdin: bool,
        init: bool,
        stop_signal: u8,
        stop_timeout: u64,
        mounts: Vec<Mount>,
        volumes: Vec<NamedVolume>,
        volumes_from: Vec<String>,
        devices: Vec<Device>,
        device_cgroup_rule: Vec<DeviceRule>,
        netns: Namespace,
        #[serde(rename = "Networks")]
        networks: BTreeMap<String, Endpoint>,
        portmappings: Vec<PortMapping>,
        expose: BTreeMap<u16, String>,
        publish_image_ports: bool,
        dns_server: Vec<String>,
        dns_search: Vec<String>,
        dns_option: Vec<String>,
        hostadd: Vec<String>,
        ipcns: Namespace,
        pidns: Namespace,
        cgroupns: Namespace,
        userns: Namespace,
        utsns: Namespace,
        privileged: bool,
        cap_add: Vec<String>,
        cap_drop: Vec<String>,
        no_new_privileges: bool,
        read_only_filesystem: bool,
        selinux_opts: Vec<String>,
        seccomp_profile_path: String,
        apparmor_profile: String,
        resource_limits: Resources,
        r_limits: Vec<Rlimit>,
        shm_size: u64,
        sysctl: BTreeMap<String, String>,
        oom_score_adj: i64,
        healthconfig: HealthConfig,
        restart_policy: String,
        restart_tries: u32,
        log_configuration: LogConfig,
        oci_runtime: String,
        cgroup_parent: String,
        storage_opts: BTreeMap<String, String>,
        remove: bool,
    }
}

part! {
    Namespace {
        nsmode: String,
        value: String,
    }
}

part! {
    Mount {
        destination: String,
        r#type: String,
        source: String,
        options: Vec<String>,
    }
}

part! {
    /// Its keys are written in capitals.
    NamedVolume {
        #[serde(rename = "Name")]
        name: String,
        #[serde(rename = "Dest")]
        dest: String,
        #[serde(rename = "Options")]
        options: Vec<String>,
        #[serde(rename = "SubPath")]
        subpath: String,
    }
}

part! {
    Device {
        path: String,
    }
}

part! {
    DeviceRule {
        allow: bool,
        r#type: String,
        major: i64,
        minor: i64,
        access: String,
    }
}

part! {
    /// Of a network; also what a request to join one says.
    Endpoint {
        aliases: Vec<String>,
        static_ips: Vec<String>,
        static_mac: String,
    }
}

part! {
    PortMapping {
        host_ip: String,
        container_port: u16,
        host_port: u16,
        protocol: String,
    }
}

part! {
    /// `LinuxResources` of the OCI runtime specification; also the body of an update.
    Resources {
        memory: Memory,
        cpu: Cpu,
        pids: Pids,
        #[serde(rename = "blockIO")]
        block_io: BlockIo,
    }
}

part! {
    Memory {
        limit: i64,
        reservation: i64,
        swap: i64,
        swappiness: i64,
        #[serde(rename = "disableOOMKiller")]
        disable_oom_killer: bool,
    }
}

part! {
    Cpu {
        shares: u64,
        quota: i64,
        period: u64,
        cpus: String,
        mems: String,
    }
}

part! {
    Pids {
        limit: i64,
    }
}

part! {
    BlockIo {
        weight: u16,
    }
}

part! {
    Rlimit {
        r#type: String,
        soft: u64,
        hard: u64,
    }
}

part! {
    /// Times are in nanoseconds.
    HealthConfig {
        #[serde(rename = "Test")]
        test: Vec<String>,
        #[serde(rename = "Interval")]
        interval: u64,
        #[serde(rename = "Timeout")]
        timeout: u64,
        #[serde(rename = "StartPeriod")]
        start_period: u64,
        #[serde(rename = "Retries")]
        retries: u32,
    }
}

part! {
    LogConfig {
        driver: String,
        size: u64,
        options: BTreeMap<String, String>,
    }
}
