//! Where the engine is: at its usual socket, where the Python modules look for it, or where a variable says.

use std::env;

use examples::engine::{By, Choice};
use kolla_container_core::dialect::kolla::Engine;
use kolla_container_core::{Error, ErrorKind};
use kolla_container_docker as docker;

/// How the engine is reached. Contexts and connections of the engines' own commands do not count: facts and units, which
/// know nothing of them, would be of another engine.
pub(crate) fn choice(engine: Engine) -> Result<Choice, Error> {
    let (variable, usual) = place(engine);
    let named = env::var(variable).ok().filter(|named| !named.is_empty());
    let by = if named.is_some() { By::Named(variable) } else { By::Usual { variable } };
    match (engine, named) {
        (Engine::Docker, None) => Ok(Choice::Docker { connection: docker::Connection::local(), by }),
        // With the certificates that other variables name.
        (Engine::Docker, Some(_)) => Ok(Choice::Docker { connection: docker::Connection::from_env()?, by }),
        (Engine::Podman, named) => {
            let address = named.unwrap_or_else(|| format!("unix://{usual}"));
            let wrong = |why| Error::new(ErrorKind::Rejected, "connect to", &address).caused_by(why);
            Ok(Choice::Podman { connection: address.parse().map_err(wrong)?, by })
        }
    }
}

/// The variable that says where an engine is, and the socket where it is otherwise.
pub(crate) fn place(engine: Engine) -> (&'static str, &'static str) {
    match engine {
        Engine::Docker => ("DOCKER_HOST", "/var/run/docker.sock"),
        Engine::Podman => ("CONTAINER_HOST", "/run/podman/podman.sock"),
    }
}
