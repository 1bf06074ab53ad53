//! The `docker` command, put to the cases that the backend is put to: whether they ask for what the engine does.
//!
//! Those that go through core as well run with `-- --include-ignored`.

mod subject;

use std::env;
use std::process::ExitCode;

use kolla_container_core::state::EngineFacts;
use kolla_container_docker::decode;
use kolla_container_testkit::{CommandLine, command_line};

/// What the command cannot do.
const CANNOT: [(&str, &str); 5] = [
    (
        "matrix::entrypoint::cleared_for_the_command_of_the_image",
        "it clears the command of the image along with its entrypoint",
    ),
    ("matrix::healthcheck.test::changed", "it has a shell run every health check"),
    ("matrix::resources.blkio_weight::set", DISCARDED),
    ("matrix::resources.blkio_weight::changed", DISCARDED),
    ("matrix::resources.blkio_weight::taken_away", DISCARDED),
];
const DISCARDED: &str = "it says that the weight is discarded in words that name no field";

fn docker(facts: EngineFacts) -> CommandLine {
    CommandLine {
        program: "docker",
        arguments: env::var(subject::VARIABLE).map(|address| vec!["--host".to_owned(), address]).unwrap_or_default(),
        facts,
        container: decode::container,
        image: decode::image,
    }
}

fn main() -> ExitCode {
    let trials = command_line::trials(subject::docker(), docker, &CANNOT);
    libtest_mimic::run(&subject::arguments(), trials).exit_code()
}
