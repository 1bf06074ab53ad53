//! Stories on a real engine, as its users live them: `testbed/run` starts one, and sets `KOLLA_TEST_PODMAN`.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed assertion is what a test is for")]

mod errors;
mod run;
#[path = "../subject/mod.rs"]
mod subject;
mod wire;

use std::process::ExitCode;

use kolla_container_testkit::{stories, trials};

fn main() -> ExitCode {
    let groups = [stories::all(), run::cases(), wire::cases(), errors::cases()];
    let trials = trials(&subject::podman(), groups.into_iter().flatten().collect());
    libtest_mimic::run(&subject::arguments(), trials).exit_code()
}
