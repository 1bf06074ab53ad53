//! THE TABLE: each field of a spec that can differ, once.
//!
//! Diff, expectation, export, the list of names and the check of what an engine can do are visitors
//! over it. A field of [`ContainerSpec`] or of one of its groups that has no row here does not
//! compile: the rows and the pattern that names every field are made from the same lines.

use super::value::Value;
use crate::spec::{ContainerSpec, Healthcheck, Logging, Namespaces, Network, Resources, Security};

/// What closes a difference in a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cure {
    /// A new container.
    Recreate,
    /// An update, where the engine can; but an update cannot take a limit away.
    Update,
    /// An update to any value, where the engine can.
    UpdateToAny,
}

/// A row: where a field is and what closes a difference in it.
pub(super) struct Field<T> {
    pub(super) path: &'static str,
    pub(super) get: fn(&ContainerSpec) -> &Option<T>,
    pub(super) get_mut: fn(&mut ContainerSpec) -> &mut Option<T>,
    pub(super) cure: Cure,
}

/// Something that looks at each field in turn.
pub(super) trait Visitor {
    fn field<T: Value>(&mut self, field: &Field<T>);
}

macro_rules! table {
    (
        fields { $($field:ident: $cure:ident,)* }
        $(group $group:ident: $Group:ident { $($inner:ident: $inner_cure:ident,)* })*
        not compared { $($skipped:ident),* }
    ) => {
        /// Shows `visitor` each field, in the order of the table.
        pub(super) fn visit<V: Visitor>(visitor: &mut V) {
            let _every_field_has_a_row = |spec: &ContainerSpec| {
                let ContainerSpec { $($field: _,)* $($group: $Group { $($inner: _,)* },)* $($skipped: _,)* } = spec;
            };
            $(visitor.field(&Field {
                path: stringify!($field),
                get: |spec| &spec.$field,
                get_mut: |spec| &mut spec.$field,
                cure: Cure::$cure,
            });)*
            $($(visitor.field(&Field {
                path: concat!(stringify!($group), ".", stringify!($inner)),
                get: |spec| &spec.$group.$inner,
                get_mut: |spec| &mut spec.$group.$inner,
                cure: Cure::$inner_cure,
            });)*)*
        }
    };
}

table! {
    fields {
        image: Recreate,
        command: Recreate,
        entrypoint: Recreate,
        environment: Recreate,
        labels: Recreate,
        annotations: Recreate,
        user: Recreate,
        group_add: Recreate,
        working_dir: Recreate,
        hostname: Recreate,
        domainname: Recreate,
        tty: Recreate,
        stdin_open: Recreate,
        init: Recreate,
        stop_signal: Recreate,
        stop_timeout: Recreate,
        mounts: Recreate,
        volumes_from: Recreate,
        devices: Recreate,
        device_cgroup_rules: Recreate,
        device_requests: Recreate,
        restart: UpdateToAny,
        runtime: Recreate,
        cgroup_parent: Recreate,
        storage_opt: Recreate,
        auto_remove: Recreate,
        platform: Recreate,
    }
    group network: Network {
        mode: Recreate,
        networks: Recreate,
        ports: Recreate,
        expose: Recreate,
        publish_all: Recreate,
        dns: Recreate,
        dns_search: Recreate,
        dns_options: Recreate,
        extra_hosts: Recreate,
        links: Recreate,
    }
    group namespaces: Namespaces {
        ipc: Recreate,
        pid: Recreate,
        cgroup: Recreate,
        user: Recreate,
        uts: Recreate,
    }
    group security: Security {
        privileged: Recreate,
        cap_add: Recreate,
        cap_drop: Recreate,
        security_opt: Recreate,
        no_new_privileges: Recreate,
        read_only: Recreate,
    }
    group resources: Resources {
        memory: Update,
        memory_reservation: Update,
        memory_swap: UpdateToAny,
        swappiness: Recreate,
        kernel_memory: Recreate,
        cpu_period: Update,
        cpu_quota: Update,
        cpu_shares: Update,
        cpus: Update,
        cpuset_cpus: Update,
        cpuset_mems: Update,
        blkio_weight: Update,
        pids_limit: Update,
        shm_size: Recreate,
        ulimits: Recreate,
        sysctls: Recreate,
        oom_kill_disable: Recreate,
        oom_score_adj: Recreate,
    }
    group healthcheck: Healthcheck {
        test: Recreate,
        interval: Recreate,
        timeout: Recreate,
        retries: Recreate,
        start_period: Recreate,
        start_interval: Recreate,
    }
    group logging: Logging {
        driver: Recreate,
        options: Recreate,
    }
    not compared { deploy }
}
