//! What Docker did not do as asked.

use kolla_container_core::ContainerSpec;
use kolla_container_core::diff::{Comparison, Remedy, Surroundings, diff};
use kolla_container_core::state::{ContainerState, ContainerUpdate, EngineFacts, Warning};

/// What an update asked for, and is not there. That an update takes no limit away is known without looking.
pub(super) fn discarded(update: &ContainerUpdate, updated: &ContainerState, engine: &EngineFacts) -> Vec<Warning> {
    let ContainerUpdate { resources, restart } = update.clone();
    let wanted = ContainerSpec { resources, restart, ..ContainerSpec::default() };
    let comparison = Comparison::stated();
    let around = Surroundings { image: None, wanted_image: None, engine, comparison: &comparison };
    let differing = diff(&wanted, updated, &around).changes.into_iter();
    let differing = differing.filter(|change| change.remedy == Remedy::Update);
    differing
        .map(|change| Warning { message: format!("the engine did not change {change}"), field: Some(change.field) })
        .collect()
}

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
