//! The real engine that `testbed/run` starts, as a subject of the testkit.

use std::sync::Arc;

use kolla_container_core::state::Features;
use kolla_container_core::{Error, ErrorKind, Runtime};
use kolla_container_podman::{Connection, Podman};
use kolla_container_testkit::{Live, Subject};

/// The environment variable that says where the engine listens.
pub(crate) const VARIABLE: &str = "KOLLA_TEST_PODMAN";

/// More than there are processors: cases wait for the engine most of the time.
const THREADS: usize = 16;

/// The engine, and what its testbed lacks.
pub(crate) fn podman() -> Arc<dyn Subject> {
    Arc::new(Live {
        name: "podman",
        variable: VARIABLE,
        connect: |address| {
            Box::pin(async move {
                let refused = |error| Error::new(ErrorKind::Rejected, "read the address", &address).caused_by(error);
                let connection: Connection = address.parse().map_err(refused)?;
                Ok(Arc::new(Podman::connect(&connection).await?) as Arc<dyn Runtime>)
            })
        },
        supervise: None,
        lacks: Features::all()
            .without("gpus", "the testbed has none")
            .without("logging.driver.local", "Podman has no such driver")
            .without("platform.second", "its images are for one platform")
            .without("storage_opt.size", "its storage has no quotas"),
    })
}

/// The arguments of the test program.
pub(crate) fn arguments() -> libtest_mimic::Arguments {
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    arguments
}
