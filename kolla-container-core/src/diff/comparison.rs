//! Which fields are compared, and how.

use std::collections::BTreeMap;

use super::field_names;
use crate::text::words;
use crate::violation::Violations;

words! {
    /// How a field is compared.
    pub enum Mode ("mode of comparison") {
        /// What is not stated has to be as the image and the engine have it by default. A default that
        /// cannot be known is not compared.
        Strict = "strict",
        /// Compared only when stated, and then whole.
        Stated = "stated",
        /// Of a map or a set, only the stated keys are compared; other fields as with `stated`.
        AllowExtra = "allow-extra",
        /// Not compared.
        Ignore = "ignore",
    }
}

/// Which fields are compared, and how: a preset, and exceptions from it.
///
/// ```
/// use kolla_container_core::diff::{Comparison, Mode};
///
/// let comparison = Comparison::strict().with("labels", Mode::AllowExtra)?;
/// assert!(Comparison::strict().with("lables", Mode::Ignore).is_err());
/// # Ok::<(), kolla_container_core::Violations>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    base: Mode,
    exceptions: BTreeMap<&'static str, Mode>,
}

impl Comparison {
    /// All fields, [`Mode::Strict`]: the default.
    pub fn strict() -> Self {
        Self { base: Mode::Strict, exceptions: BTreeMap::new() }
    }

    /// All fields, [`Mode::Stated`].
    pub fn stated() -> Self {
        Self { base: Mode::Stated, exceptions: BTreeMap::new() }
    }

    /// The fields that kolla-ansible compares, in its modes: variables that are not stated may be
    /// there, command and the ipc and cgroup namespaces only count when stated, and everything that
    /// it does not know is ignored.
    pub fn kolla() -> Self {
        const STRICT: [&str; 26] = [
            "image",
            "labels",
            "mounts",
            "volumes_from",
            "namespaces.pid",
            "security.privileged",
            "security.cap_add",
            "security.security_opt",
            "resources.memory",
            "resources.memory_reservation",
            "resources.memory_swap",
            "resources.kernel_memory",
            "resources.cpu_period",
            "resources.cpu_quota",
            "resources.cpu_shares",
            "resources.cpuset_cpus",
            "resources.cpuset_mems",
            "resources.blkio_weight",
            "resources.ulimits",
            "healthcheck.test",
            "healthcheck.interval",
            "healthcheck.timeout",
            "healthcheck.retries",
            "healthcheck.start_period",
            "security.no_new_privileges",
            "resources.cpus",
        ];
        let exceptions = STRICT.into_iter().map(|field| (field, Mode::Strict)).chain([
            ("environment", Mode::AllowExtra),
            ("command", Mode::Stated),
            ("namespaces.ipc", Mode::Stated),
            ("namespaces.cgroup", Mode::Stated),
        ]);
        Self { base: Mode::Ignore, exceptions: exceptions.collect() }
    }

    /// With `field` compared in `mode`; an unknown field is a violation.
    pub fn with(mut self, field: &str, mode: Mode) -> Result<Self, Violations> {
        let Some(known) = field_names().into_iter().find(|known| *known == field) else {
            let mut wrong = Violations::none();
            wrong.add(field, "there is no such field to compare");
            return Err(wrong);
        };
        self.exceptions.insert(known, mode);
        Ok(self)
    }

    /// How the field at `path` is compared.
    pub fn mode(&self, path: &str) -> Mode {
        self.exceptions.get(path).copied().unwrap_or(self.base)
    }
}

impl Default for Comparison {
    fn default() -> Self {
        Self::strict()
    }
}
