//! Which engine: what is configured, else the first socket that is there. Choosing asks nobody; connecting does.

use std::fmt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use kolla_container_core::layer::{Call, Deadline, Layer, Layered};
use kolla_container_core::memory::MemoryEngine;
use kolla_container_core::spec::Deadlines;
use kolla_container_core::state::EngineKind;
use kolla_container_core::{Error, ErrorKind, Runtime};
use kolla_container_docker::{Address, Connection, Docker};

use crate::cli::Engine;

/// The engine to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Docker.
    Docker {
        connection: Connection,
        /// Who says so.
        by: By,
    },
    /// The engine in memory.
    Memory {
        /// What the user should know.
        warning: Option<String>,
    },
}

/// Who says where an engine listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    /// An option, a variable or a file.
    Named(&'static str),
    /// Nobody: it is the default, and its socket is there.
    Found,
    /// Nobody: it is the default.
    Default,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(what) => write!(f, "{what} names it"),
            Self::Found => f.write_str("docker's socket is there; name another engine with --engine or --host"),
            Self::Default => f.write_str("docker's default; name another one with --host"),
        }
    }
}

/// What the machine and the user say about engines.
#[derive(Clone, Debug)]
pub(crate) struct Surroundings {
    /// `--host`.
    host: Option<Address>,
    /// What docker's own command would talk to.
    docker: Result<Connection, Error>,
    /// Who says so; nobody where that is the default.
    docker_by: Option<&'static str>,
    /// Whether `DOCKER_TLS_VERIFY` is set.
    tls: bool,
    /// Whether `CONTAINER_HOST` is set, which is Podman's.
    container_host: bool,
    /// Where engines listen when nobody says anything, in the order of preference.
    sockets: Vec<(EngineKind, PathBuf)>,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn of_process(host: Option<Address>) -> Self {
        let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let docker = Connection::from_env();
        let is_default = docker.as_ref().is_ok_and(|connection| *connection == Connection::local());
        let docker_by = if is_set("DOCKER_HOST") {
            Some("DOCKER_HOST")
        } else if is_default {
            None
        } else if is_set("DOCKER_CONTEXT") {
            Some("DOCKER_CONTEXT")
        } else {
            Some("docker's configuration")
        };
        let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
        Self {
            host,
            docker,
            docker_by,
            tls: is_set("DOCKER_TLS_VERIFY"),
            container_host: is_set("CONTAINER_HOST"),
            sockets: Self::usual_sockets(runtime_dir.as_deref().map(Path::new)),
        }
    }

    /// A user's own Podman comes before the machine's, which only root may use.
    fn usual_sockets(runtime_dir: Option<&Path>) -> Vec<(EngineKind, PathBuf)> {
        let own = runtime_dir.map(|dir| (EngineKind::Podman, dir.join("podman/podman.sock")));
        [(EngineKind::Docker, PathBuf::from("/var/run/docker.sock"))]
            .into_iter()
            .chain(own)
            .chain([(EngineKind::Podman, PathBuf::from("/run/podman/podman.sock"))])
            .collect()
    }

    /// The engine to use. Without one, `may_pretend` says whether one in memory will do.
    pub(crate) fn select(
        &self,
        wanted: Engine,
        may_pretend: bool,
        is_there: impl Fn(&Path) -> bool,
    ) -> Result<Choice, Error> {
        match wanted {
            Engine::Memory if self.host.is_some() => Err(Error::new(ErrorKind::Rejected, "use engine", "memory")
                .because("it is in this program and listens nowhere: leave --host out")),
            Engine::Memory => Ok(Choice::Memory { warning: None }),
            Engine::Podman => Err(not_built("")),
            Engine::Docker => self.docker(By::Default),
            Engine::Auto => match self.choose(is_there)? {
                Some(docker) => Ok(docker),
                None if may_pretend => Ok(Choice::Memory {
                    warning: Some(format!("{}: this is a plan for an empty engine in memory", self.nothing())),
                }),
                None => Err(Error::new(ErrorKind::NotFound, "find an engine", "").because(format!(
                    "{}; say `--engine memory` for an engine in memory, which ends with this program",
                    self.nothing()
                ))),
            },
        }
    }

    /// The engine that is there: the configured one, else the first whose socket is there; `None` where there is none.
    ///
    /// Whoever is configured or there, and does not answer, is an error later: the next one may be the wrong engine, on
    /// which everything would be made a second time.
    fn choose(&self, is_there: impl Fn(&Path) -> bool) -> Result<Option<Choice>, Error> {
        if self.host.is_some() || self.docker_by.is_some() {
            return self.docker(By::Default).map(Some);
        }
        if self.container_host {
            return Err(not_built("CONTAINER_HOST names it, but it is "));
        }
        match self.sockets.iter().find(|(_, path)| is_there(path)) {
            Some((EngineKind::Podman, path)) => {
                Err(not_built(&format!("it is at {}, and no other engine is there, but it is ", path.display())))
            }
            Some(_) => self.docker(By::Found).map(Some),
            None => Ok(None),
        }
    }

    /// Docker: where --host says, else where docker's own command would find it, which may be nobody's saying.
    fn docker(&self, nobody: By) -> Result<Choice, Error> {
        let Some(address) = &self.host else {
            let by = self.docker_by.map_or(nobody, By::Named);
            return Ok(Choice::Docker { connection: self.docker.clone()?, by });
        };
        if self.tls && matches!(address, Address::Tcp(_)) {
            return Err(Error::new(ErrorKind::Rejected, "connect to", address)
                .because("DOCKER_TLS_VERIFY asks for TLS, and --host knows of none: name the engine in DOCKER_HOST"));
        }
        Ok(Choice::Docker { connection: Connection::new(address.clone()), by: By::Named("--host") })
    }

    fn nothing(&self) -> String {
        let sockets: Vec<String> = self.sockets.iter().map(|(_, path)| path.display().to_string()).collect();
        format!("no engine is configured, and there is no socket ({})", sockets.join(", "))
    }
}

fn not_built(found: &str) -> Error {
    let why = format!("{found}not built yet: this version speaks to Docker, and to `--engine memory`");
    Error::new(ErrorKind::Unsupported, "use engine", "podman").because(why)
}

/// Whether something is at `path`; what cannot be looked at is there, and connecting will say why not.
pub(crate) fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}

impl Choice {
    /// The engine, once it has answered.
    pub(crate) async fn connect(self) -> Result<Arc<dyn Runtime>, Error> {
        match self {
            Self::Memory { .. } => Ok(Arc::new(MemoryEngine::new())),
            Self::Docker { connection, by } => {
                let docker = Docker::connect(&connection).await.map_err(|error| explained(&error, &connection, by))?;
                let answers = Arc::new(Answers(Deadline::new(Deadlines::default().request())));
                Ok(Arc::new(Layered::new(Arc::new(docker), answers)))
            }
        }
    }
}

/// Why the engine cannot be talked to, and what to do about it.
fn explained(error: &Error, connection: &Connection, by: By) -> Error {
    let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let advice = match error.kind() {
        ErrorKind::Denied if connection.is_local() => ": be root, or join the group of the socket, as a rule docker",
        _ => "",
    };
    Error::new(error.kind(), error.operation(), error.subject()).because(format!("{cause}{advice} ({by})"))
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
    use kolla_container_core::{ContainerName, ContainerSpec};

    use super::*;

    const DOCKER: &str = "/var/run/docker.sock";
    const OWN: &str = "/run/user/1000/podman/podman.sock";
    const PODMAN: &str = "/run/podman/podman.sock";

    /// Nobody has said anything.
    fn silent() -> Surroundings {
        Surroundings {
            host: None,
            docker: Ok(Connection::local()),
            docker_by: None,
            tls: false,
            container_host: false,
            sockets: Surroundings::usual_sockets(Some(Path::new("/run/user/1000"))),
        }
    }

    fn at(url: &str) -> Connection {
        url.parse().unwrap()
    }

    fn docker(url: &str, by: By) -> Choice {
        Choice::Docker { connection: at(url), by }
    }

    /// What `auto` chooses where these sockets are there.
    fn auto(surroundings: &Surroundings, sockets: &[&str]) -> Result<Choice, String> {
        let is_there = |path: &Path| sockets.iter().any(|socket| Path::new(socket) == path);
        surroundings.select(Engine::Auto, true, is_there).map_err(|error| error.report())
    }

    #[test]
    fn the_first_socket_that_is_there_is_taken() {
        let not_built = |path: &str| {
            Err(format!(
                "use engine podman: not supported: it is at {path}, and no other engine is there, but it is not built \
                 yet: this version speaks to Docker, and to `--engine memory`"
            ))
        };

        assert_eq!(auto(&silent(), &[PODMAN, DOCKER, OWN]), Ok(docker("unix:///var/run/docker.sock", By::Found)));
        assert_eq!(auto(&silent(), &[PODMAN, OWN]), not_built(OWN));
        assert_eq!(auto(&silent(), &[PODMAN]), not_built(PODMAN));
    }

    #[test]
    fn where_nothing_is_there_a_plan_may_pretend_and_an_apply_may_not() {
        let select = |may_pretend| silent().select(Engine::Auto, may_pretend, |_| false);

        let nothing = "no engine is configured, and there is no socket \
                       (/var/run/docker.sock, /run/user/1000/podman/podman.sock, /run/podman/podman.sock)";
        let warning = Some(format!("{nothing}: this is a plan for an empty engine in memory"));
        assert_eq!(select(true).unwrap(), Choice::Memory { warning });
        assert_eq!(
            select(false).unwrap_err().report(),
            format!(
                "find an engine: not found: {nothing}; \
                 say `--engine memory` for an engine in memory, which ends with this program"
            )
        );
    }

    #[test]
    fn the_option_goes_before_dockers_environment_and_that_before_podmans_and_before_sockets() {
        let podmans = Surroundings { container_host: true, ..silent() };
        let dockers =
            Surroundings { docker: Ok(at("tcp://dock:2375")), docker_by: Some("DOCKER_CONTEXT"), ..podmans.clone() };
        let option = Surroundings { host: Some("ssh://root@node1".parse().unwrap()), ..dockers.clone() };

        assert_eq!(auto(&option, &[DOCKER]), Ok(docker("ssh://root@node1", By::Named("--host"))));
        assert_eq!(auto(&dockers, &[DOCKER]), Ok(docker("tcp://dock:2375", By::Named("DOCKER_CONTEXT"))));
        let error = auto(&podmans, &[DOCKER]).unwrap_err();
        assert!(
            error.starts_with("use engine podman: not supported: CONTAINER_HOST names it, but it is not built"),
            "{error}"
        );
    }

    #[test]
    fn docker_is_taken_where_its_own_command_would_find_it() {
        let select = |surroundings: &Surroundings| surroundings.select(Engine::Docker, false, |_| false).unwrap();
        let named = Surroundings { docker: Ok(at("unix:///x")), docker_by: Some("DOCKER_HOST"), ..silent() };

        assert_eq!(select(&silent()), docker("unix:///var/run/docker.sock", By::Default));
        assert_eq!(select(&named), docker("unix:///x", By::Named("DOCKER_HOST")));
    }

    #[test]
    fn what_is_wrong_with_dockers_environment_matters_only_to_those_who_use_it() {
        let wrong = Error::new(ErrorKind::Rejected, "use docker context", "gone");
        let broken = Surroundings { docker: Err(wrong.clone()), docker_by: Some("DOCKER_CONTEXT"), ..silent() };
        let option = Surroundings { host: Some("unix:///x".parse().unwrap()), ..broken.clone() };
        let select = |surroundings: &Surroundings, engine| surroundings.select(engine, true, |_| true);

        for engine in [Engine::Auto, Engine::Docker] {
            assert_eq!(select(&broken, engine).unwrap_err().report(), wrong.report());
            assert_eq!(select(&option, engine).unwrap(), docker("unix:///x", By::Named("--host")));
        }
        assert_eq!(select(&broken, Engine::Memory).unwrap(), Choice::Memory { warning: None });
    }

    #[test]
    fn an_address_without_tls_is_refused_where_tls_is_asked_for() {
        let select = |url: &str| {
            let surroundings = Surroundings { host: Some(url.parse().unwrap()), tls: true, ..silent() };
            surroundings.select(Engine::Docker, false, |_| false)
        };

        assert_eq!(select("tcp://node1:2376").unwrap_err().kind(), ErrorKind::Rejected);
        assert_eq!(select("unix:///x").unwrap(), docker("unix:///x", By::Named("--host")));
    }

    #[test]
    fn who_may_not_use_the_socket_is_told_what_to_do() {
        let denied = Error::new(ErrorKind::Denied, "connect to", "unix:///x").because("permission denied");

        let explained = explained(&denied, &at("unix:///x"), By::Found);

        assert_eq!(explained.kind(), ErrorKind::Denied);
        assert_eq!(
            explained.report(),
            "connect to unix:///x: not allowed: permission denied: be root, or join the group of the socket, as a rule docker \
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
