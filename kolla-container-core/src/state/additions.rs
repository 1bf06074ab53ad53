//! What an engine adds by itself to what is stated, so that finding it is no difference.

use std::collections::BTreeSet;

use crate::name::NetworkName;
use crate::spec::{Capability, Security};

/// What an engine adds by itself to what is stated, so that finding it there is no difference; nothing by default.
///
/// Other than a default of the engine ([`EngineFacts::defaults`](crate::state::EngineFacts)), its value is not known
/// before, or it is added to what a user has stated too.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Additions {
    /// Environment variables that it sets in each container, whatever their values (`HOSTNAME`).
    pub variables: BTreeSet<String>,
    /// Annotations that it sets in each container, whatever their values.
    pub annotations: BTreeSet<String>,
    /// Options that it adds to mounts (`nodev`).
    pub mount_options: BTreeSet<String>,
    /// Options that a bind mount has from the file system on which its source is (`noexec`).
    pub source_options: BTreeSet<String>,
    /// Whether it says of ports of the host and of addresses that it has picked what it says of those that were asked
    /// for.
    pub picks: bool,
    /// The network that a container is in that states none, where the engine tells the same of one that states only this.
    pub default_network: Option<NetworkName>,
    /// Where it tells which capabilities a container has, and not which were asked for: what to compute them with.
    pub capabilities: Option<CapabilitySets>,
}

/// How an engine computes the capabilities that it says were added and dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CapabilitySets {
    /// What it gives to a container that states none.
    pub given: BTreeSet<Capability>,
    /// What it compares those with that a container has; the same, unless the engine says so.
    pub reference: BTreeSet<Capability>,
}

impl CapabilitySets {
    /// What the engine says was added and dropped, where `security` is what was asked for.
    ///
    /// `ALL` among those added stays as it is: which ones there are is known to the kernel alone.
    pub fn told(&self, security: &Security) -> (BTreeSet<Capability>, BTreeSet<Capability>) {
        let stated = |capabilities: &Option<BTreeSet<Capability>>| capabilities.clone().unwrap_or_default();
        let (add, drop) = (stated(&security.cap_add), stated(&security.cap_drop));
        let kept = self.given.iter().filter(|given| !drop.iter().any(|drop| drop.is_all() || drop == *given));
        let has: BTreeSet<Capability> = kept.chain(&add).cloned().collect();
        (has.difference(&self.reference).cloned().collect(), self.reference.difference(&has).cloned().collect())
    }

    /// What has to be asked for, to be added and dropped, so that the engine says what is in `told`.
    pub fn asked(&self, told: &Security) -> (BTreeSet<Capability>, BTreeSet<Capability>) {
        let Self { given, reference } = self.clone();
        Self { given: reference, reference: given }.told(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capabilities(names: &[&str]) -> BTreeSet<Capability> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn what_is_said_of_capabilities_is_read_back_as_what_was_asked_for() {
        let sets = CapabilitySets {
            given: capabilities(&["CHOWN", "KILL"]),
            reference: capabilities(&["CHOWN", "KILL", "MKNOD"]),
        };
        let security = |add: &[&str], drop: &[&str]| Security {
            cap_add: Some(capabilities(add)),
            cap_drop: Some(capabilities(drop)),
            ..Security::default()
        };

        let (added, dropped) = sets.told(&security(&["NET_ADMIN"], &["KILL"]));
        let told = Security { cap_add: Some(added.clone()), cap_drop: Some(dropped.clone()), ..Security::default() };

        assert_eq!((added, dropped), (capabilities(&["NET_ADMIN"]), capabilities(&["KILL", "MKNOD"])));
        assert_eq!(sets.asked(&told), (capabilities(&["NET_ADMIN"]), capabilities(&["KILL"])));
    }
}
