//! Limits. Podman takes 0 for "no limit" of most, and -1 for one of memory, swap and processes.

use kolla_container_core::spec::{Resources, Ulimit, UlimitName};
use kolla_container_core::{ByteSize, Limit, TimeSpan, Violations};

use super::generator::{BlockIo, Cpu, Generator, Memory, Pids, Resources as Limits, Rlimit};

/// The swap that has no limit: Podman 4 takes -1 for less than the limit of the memory, and refuses it.
const NO_LIMIT_OF_SWAP: i64 = i64::MAX;

/// The period of a quota that stands for a number of processors, in microseconds.
const PERIOD: u64 = 100_000;

pub(super) fn encode(resources: &Resources, generator: &mut Generator, wrong: &mut Violations) {
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
        sysctls: _,
        oom_kill_disable,
        oom_score_adj,
    } = resources;
    if kernel_memory.is_some_and(|limit| !limit.is_unlimited()) {
        wrong.add("resources.kernel_memory", "Podman does not take it");
    }
    let mut bytes = |path: &str, limit: &Option<Limit<ByteSize>>, none: i64| {
        limit.map(|limit| limit.value().map_or(none, |size| number(path, size.bytes(), wrong)))
    };
    let is_limited =
        [memory, memory_reservation, memory_swap].iter().any(|limit| limit.is_some_and(|limit| !limit.is_unlimited()));
    // Without a limit beside it, Podman tells a swappiness of zero as it tells that there is none.
    let no_limit = if *swappiness == Some(0) && !is_limited { -1 } else { 0 };
    let stated = if no_limit == 0 { *memory } else { memory.or(Some(Limit::Unlimited)) };
    let memory = Memory {
        limit: bytes("resources.memory", &stated, no_limit),
        reservation: bytes("resources.memory_reservation", memory_reservation, 0),
        swap: bytes("resources.memory_swap", memory_swap, if is_limited { NO_LIMIT_OF_SWAP } else { -1 }),
        swappiness: swappiness.filter(|swappiness| *swappiness >= 0),
        disable_oom_killer: *oom_kill_disable,
    };
    // Of processors, a zero is refused; there is no limit where none is stated.
    let share = cpus.filter(|cpus| cpus.nanos() > 0);
    let quota = cpu_quota.and_then(|quota| quota.value()).map(|quota| signed(micros(quota)));
    let cpu = Cpu {
        shares: cpu_shares.filter(|shares| *shares > 0),
        quota: share.map(|cpus| signed(cpus.nanos() / (1_000_000_000 / PERIOD))).or(quota),
        period: share.map(|_| PERIOD).or(cpu_period.map(micros).filter(|period| *period > 0)),
        cpus: cpuset_cpus.as_ref().map(ToString::to_string),
        mems: cpuset_mems.as_ref().map(ToString::to_string),
    };
    let pids = pids_limit.map(|limit| Pids {
        limit: Some(limit.value().map_or(-1, |pids| number("resources.pids_limit", pids, wrong))),
    });
    let limits = Limits {
        memory: Some(memory).filter(|memory| *memory != Memory::default()),
        cpu: Some(cpu).filter(|cpu| *cpu != Cpu::default()),
        pids,
        block_io: blkio_weight.map(|weight| BlockIo { weight: Some(weight) }),
    };
    generator.resource_limits = Some(limits).filter(|limits| *limits != Limits::default());
    generator.shm_size = shm_size.map(ByteSize::bytes);
    generator.oom_score_adj = *oom_score_adj;
    generator.r_limits =
        ulimits.as_ref().map(|limits| limits.iter().map(|(name, limit)| rlimit(*name, *limit)).collect());
}

fn number(path: &str, value: u64, wrong: &mut Violations) -> i64 {
    i64::try_from(value).unwrap_or_else(|_| {
        wrong.add(path, format!("{value} is more than Podman can count to ({})", i64::MAX));
        0
    })
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn micros(span: TimeSpan) -> u64 {
    span.as_nanos() / 1000
}

/// The bare name: with a prefix, Podman stores the prefix twice.
fn rlimit(name: UlimitName, Ulimit { soft, hard }: Ulimit) -> Rlimit {
    let value = |limit: Limit<u64>| Some(limit.value().unwrap_or(u64::MAX));
    Rlimit { r#type: Some(name.to_string()), soft: value(soft), hard: value(hard) }
}
