//! Limits. Podman says 0 for "no limit", and -1 for swap that has none.

use std::collections::BTreeMap;

use kolla_container_core::spec::{Resources, Ulimit, UlimitName};
use kolla_container_core::{ByteSize, Cpus, Limit, TimeSpan};

use super::document::{self, HostConfig};
use super::{Wrong, read};

/// The period of a quota that is told as a number of processors: 100 ms.
const PERIOD: u64 = 100_000;

/// Of storage options and sysctls Podman says nothing.
pub(super) fn decode(host: &HostConfig) -> Result<Resources, Wrong> {
    let bytes = |value: i64| Some(limit(value).map_or(Limit::Unlimited, |size| Limit::At(ByteSize::from_bytes(size))));
    let ulimits = host.ulimits.iter().map(ulimit).collect::<Result<BTreeMap<_, _>, Wrong>>()?;
    let quota = limit(host.cpu_quota);
    // There is one way only to limit processors; said as their number where it is one.
    let (cpus, quota, period) = match quota {
        Some(quota) if host.cpu_period == PERIOD => (quota.saturating_mul(10_000), None, 0),
        quota => (0, quota, host.cpu_period),
    };
    Ok(Resources {
        memory: bytes(host.memory),
        memory_reservation: bytes(host.memory_reservation),
        memory_swap: bytes(host.memory_swap),
        swappiness: Some(swappiness(host)),
        kernel_memory: None,
        cpu_period: Some(micros(period)),
        cpu_quota: Some(quota.map_or(Limit::Unlimited, |quota| Limit::At(micros(quota)))),
        cpu_shares: Some(host.cpu_shares),
        cpus: Some(Cpus::from_nanos(cpus)),
        cpuset_cpus: Some(read("HostConfig.CpusetCpus", &host.cpuset_cpus)?),
        cpuset_mems: Some(read("HostConfig.CpusetMems", &host.cpuset_mems)?),
        blkio_weight: Some(host.blkio_weight),
        pids_limit: Some(limit(host.pids_limit).map_or(Limit::Unlimited, Limit::At)),
        shm_size: Some(host.shm_size).filter(|size| *size > 0).map(ByteSize::from_bytes),
        ulimits: Some(ulimits),
        sysctls: None,
        oom_kill_disable: Some(host.oom_kill_disable),
        oom_score_adj: Some(host.oom_score_adj),
    })
}

/// Where nothing of the memory is limited, a zero is none.
fn swappiness(host: &HostConfig) -> i64 {
    let is_limited = [host.memory, host.memory_reservation, host.memory_swap].iter().any(|limit| *limit != 0);
    host.memory_swappiness.filter(|swappiness| *swappiness > 0 || is_limited).unwrap_or(-1)
}

/// A number above zero; the greatest is no limit.
fn limit(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|_| value > 0 && value < i64::MAX)
}

fn micros(count: u64) -> TimeSpan {
    TimeSpan::from_nanos(count.saturating_mul(1000))
}

fn ulimit(entry: &document::Ulimit) -> Result<(UlimitName, Ulimit), Wrong> {
    let value = |value: i64| u64::try_from(value).map_or(Limit::Unlimited, Limit::At);
    let name = entry.name.to_ascii_lowercase();
    let name = read("HostConfig.Ulimits", name.trim_start_matches("rlimit_"))?;
    Ok((name, Ulimit { soft: value(entry.soft), hard: value(entry.hard) }))
}
