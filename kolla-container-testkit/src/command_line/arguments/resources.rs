//! Limits. "No limit" is 0 or -1, as the manual pages have it for each.

use kolla_container_core::spec::{Resources, Ulimit};
use kolla_container_core::{ByteSize, Limit, TimeSpan};

use super::Writer;

impl Writer {
    pub(super) fn resources(&mut self, resources: &Resources) {
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
        let bytes = |size: ByteSize| format!("{}b", size.bytes());
        let limit = |limit: &Option<Limit<ByteSize>>, none: &str| {
            limit.map(|limit| limit.value().map_or_else(|| none.to_owned(), bytes))
        };
        self.flag("memory", limit(memory, "0"));
        self.flag("memory-reservation", limit(memory_reservation, "0"));
        self.flag("memory-swap", limit(memory_swap, "-1"));
        self.flag("memory-swappiness", *swappiness);
        self.refuse("resources.kernel_memory", kernel_memory.is_some_and(|limit| !limit.is_unlimited()));
        self.flag("cpu-period", cpu_period.map(micros));
        self.flag("cpu-quota", cpu_quota.map(|quota| quota.value().map_or(0, micros)));
        self.flag("cpu-shares", *cpu_shares);
        self.flag("cpus", *cpus);
        self.flag("cpuset-cpus", cpuset_cpus.as_ref());
        self.flag("cpuset-mems", cpuset_mems.as_ref());
        self.flag("blkio-weight", *blkio_weight);
        self.flag("pids-limit", pids_limit.map(or_minus_one));
        self.flag("shm-size", shm_size.map(bytes));
        let ulimits = ulimits
            .iter()
            .flatten()
            .map(|(name, Ulimit { soft, hard })| format!("{name}={}:{}", or_minus_one(*soft), or_minus_one(*hard)));
        self.flags("ulimit", Some(ulimits));
        self.pairs("sysctl", sysctls.as_ref());
        self.flag("oom-kill-disable", *oom_kill_disable);
        self.flag("oom-score-adj", *oom_score_adj);
    }
}

fn or_minus_one(limit: Limit<u64>) -> String {
    limit.value().map_or_else(|| "-1".to_owned(), |value| value.to_string())
}

fn micros(span: TimeSpan) -> u64 {
    span.as_nanos() / 1000
}
