//! What Podman did not do as asked.

use kolla_container_core::state::Warning;

/// A warning, with the field that it is about.
pub(super) fn read(message: String) -> Warning {
    const KNOWN: [(&str, &str); 15] = [
        ("block i/o weight", "resources.blkio_weight"),
        ("memory limit capabilities", "resources.memory"),
        ("memory soft limit", "resources.memory_reservation"),
        ("memory reservation", "resources.memory_reservation"),
        ("memory swappiness", "resources.swappiness"),
        ("swap limit", "resources.memory_swap"),
        ("oomkilldisable", "resources.oom_kill_disable"),
        ("pids limit", "resources.pids_limit"),
        ("cpu shares", "resources.cpu_shares"),
        ("cfs quota", "resources.cpu_quota"),
        ("cfs period", "resources.cpu_period"),
        ("cpuset", "resources.cpuset_cpus"),
        ("cpu cfs", "resources.cpu_quota"),
        ("port mappings have been discarded", "network.ports"),
        ("ulimit", "resources.ulimits"),
    ];
    let lower = message.to_ascii_lowercase();
    let known = KNOWN.into_iter().find(|(words, _)| lower.contains(words));
    Warning { field: known.map(|(_, field)| field.into()), message }
}
