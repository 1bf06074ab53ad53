//! The supervisor suite on a real systemd with Docker and Podman: `testbed/run` starts them, and sets
//! `KOLLA_TEST_SYSTEMD` to the folder of their sockets, units and journal.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails to be prepared fails the test")]

mod machine;
mod stories;

use std::process::ExitCode;

use kolla_container_testkit::{cases, trials};

/// Cases wait for the machine most of the time.
const THREADS: usize = 8;

fn main() -> ExitCode {
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let subjects = [machine::docker(), machine::podman()];
    let suite = || cases::supervised::cases().into_iter().chain(stories::cases()).collect();
    let trials = subjects.iter().flat_map(|subject| trials(subject, suite())).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
