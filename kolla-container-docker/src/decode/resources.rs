//! Limits. Docker says 0, -1 or nothing for "no limit".

use std::collections::BTreeMap;

use bollard::models::{HostConfig, ResourcesUlimits};
use kolla_container_core::spec::{Resources, Ulimit, UlimitName};
use kolla_container_core::{ByteSize, Cpus, Limit, TimeSpan};

use super::{Wrong, filled, read};

/// Takes the limits out of a host configuration.
pub(super) fn decode(host: &mut HostConfig) -> Result<Resources, Wrong> {
    let bytes =
        |value: Option<i64>| Some(limit(value).map_or(Limit::Unlimited, |size| Limit::At(ByteSize::from_bytes(size))));
    let ulimits: Result<BTreeMap<_, _>, Wrong> = host.ulimits.take().into_iter().flatten().map(ulimit).collect();
    let cpuset = |key, text: Option<String>| read(key, &text.unwrap_or_default()).map(Some);
    Ok(Resources {
        memory: bytes(host.memory.take()),
        memory_reservation: bytes(host.memory_reservation.take()),
        memory_swap: bytes(host.memory_swap.take()),
        swappiness: Some(host.memory_swappiness.take().unwrap_or(-1)),
        kernel_memory: None,
        cpu_period: Some(micros(limit(host.cpu_period.take()).unwrap_or_default())),
        cpu_quota: Some(limit(host.cpu_quota.take()).map_or(Limit::Unlimited, |quota| Limit::At(micros(quota)))),
        cpu_shares: Some(limit(host.cpu_shares.take()).unwrap_or_default()),
        cpus: Some(Cpus::from_nanos(limit(host.nano_cpus.take()).unwrap_or_default())),
        cpuset_cpus: cpuset("HostConfig.CpusetCpus", filled(host.cpuset_cpus.take()))?,
        cpuset_mems: cpuset("HostConfig.CpusetMems", filled(host.cpuset_mems.take()))?,
        blkio_weight: Some(host.blkio_weight.take().unwrap_or_default()),
        pids_limit: Some(limit(host.pids_limit.take()).map_or(Limit::Unlimited, Limit::At)),
        shm_size: limit(host.shm_size.take()).map(ByteSize::from_bytes),
        ulimits: Some(ulimits?),
        sysctls: Some(host.sysctls.take().map(super::config::text_map).unwrap_or_default()),
        oom_kill_disable: Some(host.oom_kill_disable.take().unwrap_or_default()),
        oom_score_adj: Some(host.oom_score_adj.take().unwrap_or_default()),
    })
}

/// A number above zero.
fn limit(value: Option<i64>) -> Option<u64> {
    value.and_then(|value| u64::try_from(value).ok()).filter(|value| *value > 0)
}

fn micros(count: u64) -> TimeSpan {
    TimeSpan::from_nanos(count.saturating_mul(1000))
}

fn ulimit(entry: ResourcesUlimits) -> Result<(UlimitName, Ulimit), Wrong> {
    let value = |value: Option<i64>| u64::try_from(value.unwrap_or(-1)).map_or(Limit::Unlimited, Limit::At);
    let name = read("HostConfig.Ulimits", &entry.name.unwrap_or_default())?;
    Ok((name, Ulimit { soft: value(entry.soft), hard: value(entry.hard) }))
}
