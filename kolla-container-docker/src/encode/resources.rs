//! Limits. Docker says 0 for "no limit", but -1 for memory and swap together.

use bollard::models::{HostConfig, ResourcesUlimits};
use kolla_container_core::spec::{Resources, Ulimit, UlimitName};
use kolla_container_core::{ByteSize, Limit, TimeSpan, Violations};

pub(super) fn encode(resources: &Resources, host: &mut HostConfig, wrong: &mut Violations) {
    let Resources {
        memory,
        memory_reservation,
        memory_swap,
        swappiness,
        kernel_memory,
        cpu_period,
        cpu_quota,
        cpu_shares,
        cpus,
        cpuset_cpus,
        cpuset_mems,
        blkio_weight,
        pids_limit,
        shm_size,
        ulimits,
        sysctls,
        oom_kill_disable,
        oom_score_adj,
    } = resources;
    let mut bytes = |path: &str, size: ByteSize| number(path, size.bytes(), wrong);
    let mut limit = |path: &str, limit: &Option<Limit<ByteSize>>, none: i64| {
        limit.map(|limit| limit.value().map_or(none, |size| bytes(path, size)))
    };
    host.memory = limit("resources.memory", memory, 0);
    host.memory_reservation = limit("resources.memory_reservation", memory_reservation, 0);
    host.memory_swap = limit("resources.memory_swap", memory_swap, -1);
    host.shm_size = shm_size.map(|size| bytes("resources.shm_size", size));
    host.memory_swappiness = *swappiness;
    host.cpu_period = cpu_period.map(micros);
    host.cpu_quota = cpu_quota.map(|quota| quota.value().map_or(0, micros));
    host.cpu_shares = cpu_shares.map(|shares| number("resources.cpu_shares", shares, wrong));
    host.nano_cpus = cpus.map(|cpus| number("resources.cpus", cpus.nanos(), wrong));
    host.cpuset_cpus = cpuset_cpus.as_ref().map(ToString::to_string);
    host.cpuset_mems = cpuset_mems.as_ref().map(ToString::to_string);
    host.blkio_weight = *blkio_weight;
    host.pids_limit =
        pids_limit.map(|limit| limit.value().map_or(0, |pids| number("resources.pids_limit", pids, wrong)));
    host.ulimits =
        ulimits.as_ref().map(|ulimits| ulimits.iter().map(|(name, limit)| ulimit(*name, *limit, wrong)).collect());
    host.sysctls = sysctls.as_ref().map(super::text_map);
    host.oom_kill_disable = *oom_kill_disable;
    host.oom_score_adj = *oom_score_adj;
    if kernel_memory.is_some_and(|limit| !limit.is_unlimited()) {
        wrong.add("resources.kernel_memory", "Docker does not take it any more");
    }
}

fn number(path: &str, value: u64, wrong: &mut Violations) -> i64 {
    i64::try_from(value).unwrap_or_else(|_| {
        wrong.add(path, format!("{value} is more than Docker can count to ({})", i64::MAX));
        0
    })
}

fn micros(span: TimeSpan) -> i64 {
    i64::try_from(span.as_nanos() / 1000).unwrap_or(i64::MAX)
}

fn ulimit(name: UlimitName, Ulimit { soft, hard }: Ulimit, wrong: &mut Violations) -> ResourcesUlimits {
    let path = format!("resources.ulimits[{name}]");
    let mut value = |limit: Limit<u64>| Some(limit.value().map_or(-1, |value| number(&path, value, wrong)));
    ResourcesUlimits { name: Some(name.to_string()), soft: value(soft), hard: value(hard) }
}
