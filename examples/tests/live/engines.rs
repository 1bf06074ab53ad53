//! The real engines that the program is put in front of.

use std::sync::Arc;

use kolla_container_core::state::Features;
use kolla_container_core::{Error, ErrorKind, ParseError, Runtime};
use kolla_container_docker::Docker;
use kolla_container_podman::Podman;
use kolla_container_testkit::{Live, Subject};

/// Says where Docker listens.
pub(crate) const DOCKER: &str = "KOLLA_TEST_DOCKER";

/// Says where Podman listens.
pub(crate) const PODMAN: &str = "KOLLA_TEST_PODMAN";

pub(crate) fn docker() -> Arc<dyn Subject> {
    Arc::new(Live {
        name: "docker",
        variable: DOCKER,
        connect: |address| {
            Box::pin(async move {
                let connection = address.parse().map_err(|error| refused(&address, error))?;
                Ok(Arc::new(Docker::connect(&connection).await?) as Arc<dyn Runtime>)
            })
        },
        lacks: Features::all(),
    })
}

pub(crate) fn podman() -> Arc<dyn Subject> {
    Arc::new(Live {
        name: "podman",
        variable: PODMAN,
        connect: |address| {
            Box::pin(async move {
                let connection = address.parse().map_err(|error| refused(&address, error))?;
                Ok(Arc::new(Podman::connect(&connection).await?) as Arc<dyn Runtime>)
            })
        },
        lacks: Features::all(),
    })
}

fn refused(address: &str, error: ParseError) -> Error {
    Error::new(ErrorKind::Rejected, "read the address", address).caused_by(error)
}
