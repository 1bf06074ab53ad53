//! How much of the machine a container may use.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::environment::TextMap;
use crate::quantity::{ByteSize, CpuSet, Cpus, Limit, TimeSpan};
use crate::text::{ParseError, debug_as_text, text_serde};

/// Limits of a container. Each field that is `None` is not stated.
///
/// Memory is in bytes, with 1024-based units (`512m`, `1g`). A limit of `unlimited` (or -1) is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// The most memory it may use. `Memory` on Docker, `memory.limit` on Podman. Default: unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Limit<ByteSize>>,
    /// What it is brought back to when memory is short. `MemoryReservation`. Default: unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<Limit<ByteSize>>,
    /// Memory and swap together. `MemorySwap`. Default: twice the memory, where that is limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap: Option<Limit<ByteSize>>,
    /// How readily it is swapped out, 0 to 100; -1 is the kernel's default. `MemorySwappiness`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swappiness: Option<i64>,
    /// The most kernel memory. `KernelMemory`; engines took it below API 1.42 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kernel_memory: Option<Limit<ByteSize>>,
    /// The period of the CPU quota. `CpuPeriod`, microseconds there. 0 is the kernel's default, 100 ms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_period: Option<TimeSpan>,
    /// The CPU time that it may use in a period. `CpuQuota`, microseconds there. Default: unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<Limit<TimeSpan>>,
    /// Its weight against others when CPU time is short. `CpuShares`. 0 is the kernel's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_shares: Option<u64>,
    /// How many CPUs' worth of time it may use. `NanoCpus`. Default: 0, unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Cpus>,
    /// The CPUs that it may run on: `0-2,5`. `CpusetCpus`. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset_cpus: Option<CpuSet>,
    /// The memory nodes that it may use. `CpusetMems`. Default: all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpuset_mems: Option<CpuSet>,
    /// Its weight for block devices, 10 to 1000; 0 is the kernel's default. `BlkioWeight`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blkio_weight: Option<u16>,
    /// The most processes. `PidsLimit`. Default: unlimited on Docker, 2048 on Podman.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids_limit: Option<Limit<u64>>,
    /// The size of /dev/shm. `ShmSize`. Default: 64 MiB on Docker, 62.5 MiB on Podman.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_size: Option<ByteSize>,
    /// Limits of its processes, by their name in lower case without `RLIMIT_`. `Ulimits`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ulimits: Option<BTreeMap<UlimitName, Ulimit>>,
    /// Kernel parameters of its namespaces. `Sysctls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sysctls: Option<TextMap>,
    /// Whether the kernel may not kill it when memory is short. `OomKillDisable`. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_kill_disable: Option<bool>,
    /// How readily the kernel kills it, -1000 to 1000. `OomScoreAdj`. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i64>,
}

/// The kinds of limit that getrlimit(2) knows.
const ULIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// What a ulimit limits: `nofile`, `memlock`; `RLIMIT_NOFILE` is read as `nofile`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UlimitName(&'static str);

impl UlimitName {
    /// The name, in lower case and without `RLIMIT_`.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for UlimitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl FromStr for UlimitName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let lower = text.to_ascii_lowercase();
        let name = lower.strip_prefix("rlimit_").unwrap_or(&lower);
        ULIMITS
            .into_iter()
            .find(|known| *known == name)
            .map(Self)
            .ok_or_else(|| ParseError::new(format!("{text:?} is no ulimit: it is one of {}", ULIMITS.join(", "))))
    }
}

debug_as_text!(UlimitName);
text_serde!(UlimitName);

/// A limit of processes. Written as `{soft: 1024, hard: 2048}`, as `1024:2048`, or as one number for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Ulimit {
    /// What a process starts with and may change.
    pub soft: Limit<u64>,
    /// What it may raise it to.
    pub hard: Limit<u64>,
}

impl fmt::Display for Ulimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.soft == self.hard { self.soft.fmt(f) } else { write!(f, "{}:{}", self.soft, self.hard) }
    }
}

impl FromStr for Ulimit {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (soft, hard) = text.split_once(':').unwrap_or((text, text));
        Ok(Self { soft: soft.parse()?, hard: hard.parse()? })
    }
}

impl<'de> Deserialize<'de> for Ulimit {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            soft: Limit<u64>,
            hard: Option<Limit<u64>>,
        }

        super::read::text_or_map(deserializer, "a ulimit: {soft: N, hard: N}, SOFT:HARD or one number", |long: Long| {
            Ok(Self { soft: long.soft, hard: long.hard.unwrap_or(long.soft) })
        })
    }
}
