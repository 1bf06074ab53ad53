//! Stories on a real engine, as its users live them: what they did by hand, what others did at the same time, what
//! fails on the way.
//!
//! Unlike the [cases](mod@crate::cases) they reach past the port, to the engine's own command and to the programs in its
//! containers, so the engine in memory cannot tell them. What only one engine can tell is among the tests of its backend.

pub mod bugs;
mod by_hand;
pub mod drift;
pub mod errors;
pub mod neighbours;
pub mod pulling;
pub mod rollback;
pub mod services;
mod tap;
mod wire;

use kolla_container_core::plan::ContainerPlan;
use kolla_container_core::spec::Command;
use kolla_container_core::state::Exec;
use kolla_container_core::{ContainerId, FieldPath};

pub use self::by_hand::by_hand;
pub use self::errors::assert_refused;
pub use self::neighbours::network_with_address;
pub use self::tap::Tap;
pub use self::wire::assert_a_look_at_each;
use crate::harness::Harness;
use crate::runner::Case;

/// The stories that each engine tells.
pub fn all() -> Vec<Case> {
    let groups = [
        rollback::cases(),
        services::cases(),
        neighbours::cases(),
        drift::cases(),
        bugs::cases(),
        errors::cases(),
        pulling::cases(),
    ];
    groups.into_iter().flatten().collect()
}

/// What a script prints that is run by root in a container, and ends well.
pub async fn sh(h: &Harness, id: &ContainerId, script: &str) -> String {
    let exec = Exec { command: Command::new(["sh", "-c", script]), user: Some("root".to_owned()) };
    let output = h.runtime().exec(id, &exec).await.unwrap();
    assert_eq!(output.code, 0, "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What differs of a container: each field, with its key where it has one.
pub fn changed(plan: &ContainerPlan) -> Vec<String> {
    let name = |field: &FieldPath, key: &Option<String>| match key {
        Some(key) => format!("{field}[{key}]"),
        None => field.to_string(),
    };
    plan.changes.iter().flat_map(|change| change.entries.iter().map(|entry| name(&change.field, &entry.key))).collect()
}
