//! The machine that `testbed/run` starts: a systemd of its own, with both engines as its services.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use kolla_container_core::state::{EngineKind, Features};
use kolla_container_core::{Error, ErrorKind, Runtime, Supervisor};
use kolla_container_docker::Docker;
use kolla_container_podman::Podman;
use kolla_container_systemd::{Config, Systemd};
use kolla_container_testkit::{Live, Subject, Supervising};

/// The environment variable that says where the machine's files are.
pub(crate) const VARIABLE: &str = "KOLLA_TEST_SYSTEMD";

/// Docker, on that machine.
pub(crate) fn docker() -> Arc<dyn Subject> {
    Arc::new(docker_there())
}

/// The same, for who supervises it otherwise.
pub(crate) fn docker_there() -> Live {
    Live {
        name: "systemd-docker",
        variable: VARIABLE,
        connect: |folder| {
            Box::pin(async move {
                let connection = address(&folder, "docker.sock").parse().map_err(|error| refused(&folder, error))?;
                Ok(Arc::new(Docker::connect(&connection).await?) as Arc<dyn Runtime>)
            })
        },
        supervise: Some(supervise),
        lacks: Features::all().without("quadlet", "Docker has none"),
    }
}

/// Podman, on that machine.
pub(crate) fn podman() -> Arc<dyn Subject> {
    let lacks = Features::all();
    Arc::new(Live {
        name: "systemd-podman",
        variable: VARIABLE,
        connect: |folder| {
            Box::pin(async move {
                let connection = address(&folder, "podman.sock").parse().map_err(|error| refused(&folder, error))?;
                Ok(Arc::new(Podman::connect(&connection).await?) as Arc<dyn Runtime>)
            })
        },
        supervise: Some(supervise),
        lacks: match generator() {
            Some(_) => lacks,
            None => lacks.without("quadlet", "this Podman has no generator for it"),
        },
    })
}

fn supervise(runtime: Arc<dyn Runtime>, folder: String) -> Supervising {
    Box::pin(async move {
        let config = config(Path::new(&folder), runtime.engine().kind);
        Ok(Arc::new(Systemd::connect(runtime, config).await?) as Arc<dyn Supervisor>)
    })
}

/// The address of a bus.
pub(crate) fn bus(socket: &Path) -> String {
    format!("unix:path={}", socket.display())
}

/// The units of each engine have names of their own.
pub(crate) fn config(folder: &Path, engine: EngineKind) -> Config {
    Config {
        prefix: format!("kit-{engine}"),
        bus: Some(bus(&folder.join("bus/system_bus_socket"))),
        folder: Some(folder.join("units")),
        journal: Some(folder.join("journal")),
        ..Config::default()
    }
}

/// Where the machine's files are; only inside of a case that runs on it.
pub(crate) fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os(VARIABLE).unwrap())
}

fn address(folder: &str, socket: &str) -> String {
    format!("unix://{folder}/{socket}")
}

fn refused(address: &str, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Rejected, "read the address", address).caused_by(error)
}

/// Podman's generator of units from quadlets, which came with 4.4.
pub(crate) fn generator() -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").map(|folders| std::env::split_paths(&folders).collect::<Vec<_>>());
    let usual = PathBuf::from("/usr/libexec/podman");
    folders.into_iter().flatten().chain([usual]).map(|folder| folder.join("quadlet")).find(|program| program.exists())
}

/// What a property of a unit is, by systemd's own tool for its bus.
pub(crate) fn property(unit: &str, name: &str) -> String {
    property_at(&folder().join("bus/system_bus_socket"), unit, name)
}

/// The same, of who is at the bus of that socket.
pub(crate) fn property_at(socket: &Path, unit: &str, name: &str) -> String {
    // A name in the path of an object of the bus.
    let escape = |c: char| if c.is_ascii_alphanumeric() { c.to_string() } else { format!("_{:02x}", u32::from(c)) };
    let path = format!("/org/freedesktop/systemd1/unit/{}", unit.chars().map(escape).collect::<String>());
    let address = bus(socket);
    let said = Command::new("busctl")
        .args([&format!("--address={address}"), "--timeout=300", "get-property", "org.freedesktop.systemd1", &path])
        .args(["org.freedesktop.systemd1.Unit", name])
        .output()
        .unwrap();
    String::from_utf8_lossy(&said.stdout).into_owned()
}

/// What `systemctl` would do, by systemd's own tool for its bus.
pub(crate) fn call(method: &str, arguments: &[&str]) {
    call_at(&folder().join("bus/system_bus_socket"), method, arguments);
}

/// The same, to who is at the bus of that socket.
pub(crate) fn call_at(socket: &Path, method: &str, arguments: &[&str]) {
    let done = Command::new("busctl")
        .args([
            &format!("--address={}", bus(socket)),
            "--timeout=300",
            "call",
            "org.freedesktop.systemd1",
            "/org/freedesktop/systemd1",
        ])
        .args(["org.freedesktop.systemd1.Manager", method])
        .args(arguments)
        .output()
        .unwrap();
    assert!(done.status.success(), "{method}: {}", String::from_utf8_lossy(&done.stderr));
}
