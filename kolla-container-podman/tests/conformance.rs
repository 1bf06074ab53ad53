//! The conformance suite on a real engine: `testbed/run` starts one, and sets `KOLLA_TEST_PODMAN`.

mod subject;

use std::process::ExitCode;

use kolla_container_testkit::{cases, trials};

fn main() -> ExitCode {
    libtest_mimic::run(&subject::arguments(), trials(&subject::podman(), cases::all())).exit_code()
}
