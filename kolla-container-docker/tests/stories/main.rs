//! Stories on a real engine, as its users live them: `testbed/run` starts one, and sets `KOLLA_TEST_DOCKER`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed assertion is what a test is for"
)]

mod api;
mod bugs;
mod errors;
mod neighbours;
mod rollback;
mod services;
#[path = "../subject/mod.rs"]
mod subject;
mod wire;

use std::process::ExitCode;

use kolla_container_core::plan::ContainerPlan;
use kolla_container_core::spec::Command;
use kolla_container_core::state::Exec;
use kolla_container_core::{ContainerId, FieldPath};
use kolla_container_testkit::{Harness, trials};

fn main() -> ExitCode {
    let groups =
        [rollback::cases(), services::cases(), neighbours::cases(), bugs::cases(), wire::cases(), errors::cases()];
    let trials = trials(&subject::docker(), groups.into_iter().flatten().collect());
    libtest_mimic::run(&subject::arguments(), trials).exit_code()
}

/// What a script prints that is run by root in a container, and ends well.
async fn sh(h: &Harness, id: &ContainerId, script: &str) -> String {
    let exec = Exec { command: Command::new(["sh", "-c", script]), user: Some("root".to_owned()) };
    let output = h.runtime().exec(id, &exec).await.unwrap();
    assert_eq!(output.code, 0, "{script}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What differs of a container: each field, with its key where it has one.
fn changed(plan: &ContainerPlan) -> Vec<String> {
    let name = |field: &FieldPath, key: &Option<String>| match key {
        Some(key) => format!("{field}[{key}]"),
        None => field.to_string(),
    };
    plan.changes.iter().flat_map(|change| change.entries.iter().map(|entry| name(&change.field, &entry.key))).collect()
}
