//! The conformance suite on a real engine: `testbed/run` starts one, and sets `KOLLA_TEST_DOCKER`.

use std::process::ExitCode;
use std::sync::Arc;

use kolla_container_core::state::Features;
use kolla_container_core::{Error, ErrorKind, Runtime};
use kolla_container_docker::{Connection, Docker};
use kolla_container_testkit::{Live, Subject, cases, trials};

/// More than there are processors: cases wait for the engine most of the time.
const THREADS: usize = 8;

fn main() -> ExitCode {
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let docker: Arc<dyn Subject> = Arc::new(Live {
        name: "docker",
        variable: "KOLLA_TEST_DOCKER",
        connect: |address| {
            Box::pin(async move {
                let refused = |error| Error::new(ErrorKind::Rejected, "read the address", &address).caused_by(error);
                let connection: Connection = address.parse().map_err(refused)?;
                Ok(Arc::new(Docker::connect(&connection).await?) as Arc<dyn Runtime>)
            })
        },
        lacks: Features::all()
            .without("gpus", "the testbed has none")
            .without("platform.second", "its images are for one platform")
            .without("storage_opt.size", "its storage has no quotas"),
    });
    libtest_mimic::run(&arguments, trials(&docker, cases::all())).exit_code()
}
