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
mod wire;

use std::process::ExitCode;
use std::sync::Arc;

use kolla_container_core::plan::ContainerPlan;
use kolla_container_core::spec::Command;
use kolla_container_core::state::{Exec, Features};
use kolla_container_core::{ContainerId, Error, ErrorKind, FieldPath, Runtime};
use kolla_container_docker::{Connection, Docker};
use kolla_container_testkit::{Harness, Live, Subject, trials};

/// The environment variable that says where the engine listens.
const VARIABLE: &str = "KOLLA_TEST_DOCKER";

/// More than there are processors: cases wait for the engine most of the time.
const THREADS: usize = 8;

fn main() -> ExitCode {
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let docker: Arc<dyn Subject> = Arc::new(Live {
        name: "docker",
        variable: VARIABLE,
        connect: |address| {
            Box::pin(async move {
                let refused = |error| Error::new(ErrorKind::Rejected, "read the address", &address).caused_by(error);
                let connection: Connection = address.parse().map_err(refused)?;
                Ok(Arc::new(Docker::connect(&connection).await?) as Arc<dyn Runtime>)
            })
        },
        lacks: Features::all(),
    });
    let groups =
        [rollback::cases(), services::cases(), neighbours::cases(), bugs::cases(), wire::cases(), errors::cases()];
    libtest_mimic::run(&arguments, trials(&docker, groups.into_iter().flatten().collect())).exit_code()
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
