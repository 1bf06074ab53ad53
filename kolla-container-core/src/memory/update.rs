//! Changing a container in place, by Docker's rules: zero and "unlimited" change nothing, and some
//! limits can only be changed together.

use super::world::{Answer, World, refusal};
use crate::error::ErrorKind;
use crate::name::ContainerId;
use crate::quantity::{ByteSize, CpuSet, Cpus, Limit, TimeSpan};
use crate::spec::{Resources, RestartPolicy};
use crate::state::{ContainerUpdate, Warning};

impl World {
    pub(super) fn update(&mut self, id: &ContainerId, update: &ContainerUpdate) -> Answer<Vec<Warning>> {
        let (asked, warnings) = self.without_discarded(&update.as_spec())?;
        let container = self.container(id)?;
        let resources = updated(&container.config.resources, &asked.resources)?;
        if let Some(policy) = asked.restart {
            if policy != RestartPolicy::No && container.config.auto_remove == Some(true) {
                let why = "restart policy cannot be updated because AutoRemove is enabled for the container";
                return Err(refusal(ErrorKind::Rejected, why));
            }
            container.config.restart = Some(policy);
        }
        container.config.resources = resources;
        Ok(warnings)
    }
}

/// What `asked` makes of the limits that are there.
fn updated(present: &Resources, asked: &Resources) -> Answer<Resources> {
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
    } = asked;
    let fixed = [
        ("swappiness", swappiness.is_some()),
        ("kernel_memory", kernel_memory.is_some()),
        ("shm_size", shm_size.is_some()),
        ("ulimits", ulimits.is_some()),
        ("sysctls", sysctls.is_some()),
        ("oom_kill_disable", oom_kill_disable.is_some()),
        ("oom_score_adj", oom_score_adj.is_some()),
    ];
    if let Some((field, _)) = fixed.into_iter().find(|(_, stated)| *stated) {
        let why = format!("resources.{field} cannot be changed while a container runs");
        return Err(refusal(ErrorKind::Unsupported, why));
    }
    let memory = limited(*memory);
    let cpu_quota = limited(*cpu_quota);
    let cpu_period = cpu_period.filter(|period| *period != TimeSpan::default());
    let cpus = cpus.filter(|cpus| *cpus != Cpus::default());

    check_cpus(present, cpus.is_some(), cpu_period.is_some() || cpu_quota.is_some())?;
    check_swap(present, memory, *memory_swap)?;
    Ok(Resources {
        memory: memory.or(present.memory),
        memory_reservation: limited(*memory_reservation).or(present.memory_reservation),
        memory_swap: memory_swap.or(present.memory_swap),
        cpu_period: cpu_period.or(present.cpu_period),
        cpu_quota: cpu_quota.or(present.cpu_quota),
        cpu_shares: cpu_shares.filter(|shares| *shares != 0).or(present.cpu_shares),
        cpus: cpus.or(present.cpus),
        cpuset_cpus: unless_empty(cpuset_cpus.as_ref()).or_else(|| present.cpuset_cpus.clone()),
        cpuset_mems: unless_empty(cpuset_mems.as_ref()).or_else(|| present.cpuset_mems.clone()),
        blkio_weight: blkio_weight.filter(|weight| *weight != 0).or(present.blkio_weight),
        pids_limit: pids_limit.or(present.pids_limit),
        ..present.clone()
    })
}

/// A limit that changes something: "unlimited" is sent as zero, which is "no change".
fn limited<T>(limit: Option<Limit<T>>) -> Option<Limit<T>> {
    limit.filter(|limit| matches!(limit, Limit::At(_)))
}

fn unless_empty(set: Option<&CpuSet>) -> Option<CpuSet> {
    set.filter(|set| !set.is_empty()).cloned()
}

fn check_cpus(present: &Resources, cpus: bool, share: bool) -> Answer<()> {
    let has_cpus = present.cpus.is_some_and(|cpus| cpus != Cpus::default());
    let has_share =
        limited(present.cpu_quota).is_some() || present.cpu_period.is_some_and(|period| period != TimeSpan::default());
    let why = match (cpus, share) {
        (true, true) => "conflicting options: cpus and cpu_period or cpu_quota",
        (true, false) if has_share => "cpus cannot be updated as cpu_period or cpu_quota has already been set",
        (false, true) if has_cpus => "cpu_period and cpu_quota cannot be updated as cpus has already been set",
        _ => return Ok(()),
    };
    Err(refusal(ErrorKind::Rejected, why))
}

/// Docker derives swap when it makes a container, and never again; no limit there is zero to it, and
/// any memory is above that.
fn check_swap(present: &Resources, memory: Option<Limit<ByteSize>>, swap: Option<Limit<ByteSize>>) -> Answer<()> {
    let Some(Limit::At(memory)) = memory else { return Ok(()) };
    let why = match (swap, present.memory_swap) {
        (Some(Limit::At(swap)), _) if swap < memory => {
            "the swap limit is below the memory limit: it counts both together"
        }
        (Some(_), _) => return Ok(()),
        (None, Some(Limit::At(swap))) if memory <= swap => return Ok(()),
        (None, _) => {
            "memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time"
        }
    };
    Err(refusal(ErrorKind::Rejected, why))
}
