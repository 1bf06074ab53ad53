//! The real engines that the program is put in front of.

use std::sync::Arc;

use kolla_container_core::state::Features;
use kolla_container_core::{Error, ErrorKind, ParseError, Runtime};
use kolla_container_docker::Docker;
use kolla_container_podman::Podman;
use kolla_container_testkit::{Connecting, Live, Subject};

use crate::supervised::{self, MACHINE};

/// Says where Docker listens.
pub(crate) const DOCKER: &str = "KOLLA_TEST_DOCKER";

/// Says where Podman listens.
pub(crate) const PODMAN: &str = "KOLLA_TEST_PODMAN";

pub(crate) fn docker() -> Arc<dyn Subject> {
    Arc::new(Live { name: "docker", variable: DOCKER, connect: to_docker, supervise: None, lacks: Features::all() })
}

pub(crate) fn podman() -> Arc<dyn Subject> {
    Arc::new(Live { name: "podman", variable: PODMAN, connect: to_podman, supervise: None, lacks: Features::all() })
}

/// Docker on the machine with systemd.
pub(crate) fn systemd_with_docker() -> Arc<dyn Subject> {
    Arc::new(Live {
        name: "systemd-docker",
        variable: MACHINE,
        connect: |folder| to_docker(format!("unix://{folder}/docker.sock")),
        supervise: Some(|runtime, _| Box::pin(supervised::systemd(runtime))),
        lacks: Features::all(),
    })
}

/// Podman on the machine with systemd.
pub(crate) fn systemd_with_podman() -> Arc<dyn Subject> {
    Arc::new(Live {
        name: "systemd-podman",
        variable: MACHINE,
        connect: |folder| to_podman(format!("unix://{folder}/podman.sock")),
        supervise: Some(|runtime, _| Box::pin(supervised::systemd(runtime))),
        lacks: Features::all(),
    })
}

fn to_docker(address: String) -> Connecting {
    Box::pin(async move {
        let connection = address.parse().map_err(|error| refused(&address, error))?;
        Ok(Arc::new(Docker::connect(&connection).await?) as Arc<dyn Runtime>)
    })
}

fn to_podman(address: String) -> Connecting {
    Box::pin(async move {
        let connection = address.parse().map_err(|error| refused(&address, error))?;
        Ok(Arc::new(Podman::connect(&connection).await?) as Arc<dyn Runtime>)
    })
}

fn refused(address: &str, error: ParseError) -> Error {
    Error::new(ErrorKind::Rejected, "read the address", address).caused_by(error)
}
