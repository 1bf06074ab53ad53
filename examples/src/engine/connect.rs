//! Talks to the engine that was chosen: whether it answers, and what to do where it does not.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;

use kolla_container_core::layer::{Call, Deadline, Layer, Layered};
use kolla_container_core::memory::MemoryEngine;
use kolla_container_core::spec::Deadlines;
use kolla_container_core::{Error, ErrorKind, Runtime};
use kolla_container_docker::{self as docker, Docker};
use kolla_container_podman::{self as podman, Podman};

use super::{By, Choice};

impl Choice {
    /// The engine, once it has answered.
    pub async fn connect(self) -> Result<Arc<dyn Runtime>, Error> {
        let engine = match self {
            Self::Memory { .. } => return Ok(Arc::new(MemoryEngine::new())),
            Self::Docker { connection, by } => docker(&connection, by).await?,
            Self::Podman { connection, by } => podman(&connection, by).await?,
            Self::Either { docker, podman, by } => either(&docker, &podman, by).await?,
        };
        let answers = Arc::new(Answers(Deadline::new(Deadlines::default().request())));
        Ok(Arc::new(Layered::new(engine, answers)))
    }
}

async fn docker(connection: &docker::Connection, by: By) -> Result<Arc<dyn Runtime>, Error> {
    const DENIED: &str = ": be root, or join the group of the socket, as a rule docker";

    match Docker::connect(connection).await {
        Ok(docker) => Ok(Arc::new(docker)),
        Err(error) => {
            let denied = error.kind() == ErrorKind::Denied && connection.is_local();
            Err(explained(&error, if denied { DENIED } else { "" }, by))
        }
    }
}

async fn podman(connection: &podman::Connection, by: By) -> Result<Arc<dyn Runtime>, Error> {
    match Podman::connect(connection).await {
        Ok(podman) => Ok(Arc::new(podman)),
        Err(error) => {
            let advice = match error.kind() {
                ErrorKind::Denied if connection.is_local() => ": be root, or use an engine of your own",
                // It is no service that always runs.
                ErrorKind::NotFound => ": `systemctl start podman.socket` makes it, with --user your own",
                _ => "",
            };
            Err(explained(&error, advice, by))
        }
    }
}

/// Each of the two refuses the other one, and who is neither.
async fn either(
    docker_connection: &docker::Connection,
    podman_connection: &podman::Connection,
    by: By,
) -> Result<Arc<dyn Runtime>, Error> {
    let refused = |error: &Error| error.kind() == ErrorKind::Unsupported;
    let docker = match docker(docker_connection, by).await {
        Err(error) if refused(&error) => error,
        answer => return answer,
    };
    match podman(podman_connection, by).await {
        Err(podman) if refused(&podman) => {
            let why = format!("as Docker: {}; as Podman: {}", cause(&docker), cause(&podman));
            Err(Error::new(podman.kind(), podman.operation(), podman.subject()).because(why))
        }
        answer => answer,
    }
}

/// Why the engine cannot be talked to, and what to do about it.
fn explained(error: &Error, advice: &str, by: By) -> Error {
    let why = format!("{}{advice} ({by})", cause(error));
    Error::new(error.kind(), error.operation(), error.subject()).because(why)
}

fn cause(error: &Error) -> String {
    error.source().map(ToString::to_string).unwrap_or_default()
}

/// Whoever looks at an engine gets an answer in time, or an error. What changes something has the deadline of its step.
#[derive(Debug)]
struct Answers(Deadline);

/// What is asked of the engine.
type Asked<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

impl Layer for Answers {
    async fn call<T: Send>(&self, call: &Call, next: Asked<'_, T>) -> Result<T, Error> {
        if call.write { next.await } else { self.0.call(call, next).await }
    }

    async fn item<T: Send>(&self, call: &Call, next: Asked<'_, T>) -> Result<T, Error> {
        if call.write { next.await } else { self.0.item(call, next).await }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kolla_container_core::layer::Fault;
    use kolla_container_core::state::EngineKind;
    use kolla_container_core::{ContainerName, ContainerSpec};

    use super::*;

    #[test]
    fn who_says_where_the_engine_is_and_what_to_do_is_part_of_the_error() {
        let denied = Error::new(ErrorKind::Denied, "connect to", "unix:///x").because("permission denied");

        let explained = explained(&denied, ": be root", By::Found(EngineKind::Docker));

        assert_eq!(explained.kind(), ErrorKind::Denied);
        assert_eq!(
            explained.report(),
            "connect to unix:///x: not allowed: permission denied: be root \
             (docker's socket is there; name another engine with --engine or --host)"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_without_an_answer_ends_and_a_change_has_the_deadline_of_its_step() {
        let hanging = |method: &str| {
            let fault = Arc::new(Fault::hang_nth(1).on(method));
            let engine = Layered::new(Arc::new(MemoryEngine::new()), fault);
            Layered::new(Arc::new(engine), Arc::new(Answers(Deadline::new(Duration::from_secs(1)))))
        };
        let name: ContainerName = "web".parse().unwrap();
        let spec = ContainerSpec::new("nginx".parse().unwrap());

        let look = hanging("container").container(&name).await;
        let engine = hanging("create_container");
        let change = tokio::time::timeout(Duration::from_hours(1), engine.create_container(&name, &spec)).await;

        assert_eq!(look.unwrap_err().kind(), ErrorKind::TimedOut);
        assert!(change.is_err());
    }
}
