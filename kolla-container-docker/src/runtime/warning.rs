//! What Docker did not do as asked.

use kolla_container_core::state::Warning;

/// What Docker did not do as asked, with the field that it is about.
pub(super) fn read(message: String) -> Warning {
    const KNOWN: [(&str, &str); 15] = [
        ("Block I/O weight", "resources.blkio_weight"),
        ("memory limit capabilities", "resources.memory"),
        ("memory soft limit", "resources.memory_reservation"),
        ("memory reservation", "resources.memory_reservation"),
        ("memory swappiness", "resources.swappiness"),
        ("swap limit", "resources.memory_swap"),
        ("OomKillDisable", "resources.oom_kill_disable"),
        ("pids limit", "resources.pids_limit"),
        ("PIDs limit", "resources.pids_limit"),
        ("CPU shares", "resources.cpu_shares"),
        ("CPU CFS scheduler", "resources.cpus"),
        ("CPU cfs period", "resources.cpu_period"),
        ("CPU cfs quota", "resources.cpu_quota"),
        ("cpuset", "resources.cpuset_cpus"),
        ("IPv4 forwarding", "network.mode"),
    ];
    let lower = message.to_ascii_lowercase();
    let known = KNOWN.into_iter().find(|(words, _)| lower.contains(&words.to_ascii_lowercase()));
    Warning { field: known.map(|(_, field)| field.into()), message }
}
