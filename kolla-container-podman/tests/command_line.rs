//! The `podman` command, put to the cases that the backend is put to: whether they ask for what the engine does.
//!
//! Those that go through core as well run with `-- --include-ignored`.

mod subject;

use std::env;
use std::process::ExitCode;

use kolla_container_core::state::EngineFacts;
use kolla_container_podman::decode;
use kolla_container_testkit::{CommandLine, command_line};

/// What the command cannot do.
const CANNOT: [(&str, &str); 1] = [(
    "containers::discarding_a_container_leaves_the_volumes_that_it_has_mounted_by_their_names",
    "it removes each anonymous volume that nobody else uses, also one that is mounted by its name",
)];

fn podman(facts: EngineFacts) -> CommandLine {
    CommandLine {
        program: "podman",
        arguments: ["--remote", "--url"].map(str::to_owned).into_iter().chain(env::var(subject::VARIABLE)).collect(),
        facts,
        container: decode::container,
        image: decode::image,
    }
}

fn main() -> ExitCode {
    let trials = command_line::trials(subject::podman(), podman, &CANNOT);
    libtest_mimic::run(&subject::arguments(), trials).exit_code()
}
