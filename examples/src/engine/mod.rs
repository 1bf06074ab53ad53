//! Which engine: what is configured, else the first socket that is there. Choosing asks nobody; connecting does.

mod connect;

use std::fmt;
use std::path::{Path, PathBuf};

use kolla_container_core::state::EngineKind;
use kolla_container_core::{Error, ErrorKind};
use kolla_container_docker::{self as docker, Address};
use kolla_container_podman as podman;

use clap::{Args, ValueEnum};

/// Which engine, as an option says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Engine {
    /// What is configured, else the first socket that is there.
    Auto,
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// An engine in memory, which begins empty and ends with the program.
    Memory,
}

/// Which engine, as options say it.
#[derive(Clone, Debug, Args)]
pub struct At {
    /// Which engine.
    #[arg(long, value_enum, default_value_t = Engine::Auto)]
    pub engine: Engine,

    /// Where the engine listens: unix:///PATH or tcp://HOST:PORT, and Docker at ssh://USER@HOST:PORT.
    #[arg(long, value_name = "URL")]
    pub host: Option<Address>,
}

/// The engine to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Docker.
    Docker {
        /// How it is reached.
        connection: docker::Connection,
        /// Who says so.
        by: By,
    },
    /// Podman.
    Podman {
        /// How it is reached.
        connection: podman::Connection,
        /// Who says so.
        by: By,
    },
    /// Docker or Podman: whichever answers at one address.
    Either {
        /// How it is reached if it is Docker.
        docker: docker::Connection,
        /// How it is reached if it is Podman.
        podman: podman::Connection,
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
pub enum By {
    /// An option, a variable or a file.
    Named(&'static str),
    /// Nobody: its socket is there.
    Found(EngineKind),
    /// Nobody: it is the default of that engine.
    Default(EngineKind),
    /// Nobody, and only a variable could.
    Usual {
        /// Its name.
        variable: &'static str,
    },
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(what) => write!(f, "{what} names it"),
            Self::Found(engine) => {
                write!(f, "{engine}'s socket is there; name another engine with --engine or --host")
            }
            Self::Default(engine) => write!(f, "{engine}'s default; name another one with --host"),
            Self::Usual { variable } => write!(f, "the usual place; name another one with {variable}"),
        }
    }
}

/// What the machine and the user say about engines.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// `--host`.
    host: Option<Address>,
    /// What docker's own command would talk to.
    docker: Result<docker::Connection, Error>,
    /// Who says so; nobody where that is the default.
    docker_by: Option<&'static str>,
    /// Whether `DOCKER_TLS_VERIFY` is set.
    tls: bool,
    /// What podman's own command would talk to.
    podman: Result<podman::Connection, Error>,
    /// Who says so; nobody where that is the default.
    podman_by: Option<&'static str>,
    /// Where engines listen when nobody says anything, in the order of preference.
    sockets: Vec<(EngineKind, PathBuf)>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process(host: Option<Address>) -> Self {
        let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let docker = docker::Connection::from_env();
        let is_default = docker.as_ref().is_ok_and(|connection| *connection == docker::Connection::local());
        let docker_by = if is_set(&"DOCKER_HOST") {
            Some("DOCKER_HOST")
        } else if is_default {
            None
        } else if is_set(&"DOCKER_CONTEXT") {
            Some("DOCKER_CONTEXT")
        } else {
            Some("docker's configuration")
        };
        let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
        Self {
            host,
            docker,
            docker_by,
            tls: is_set(&"DOCKER_TLS_VERIFY"),
            podman: podman::Connection::from_env(),
            podman_by: ["CONTAINER_CONNECTION", "CONTAINER_HOST"].into_iter().find(is_set),
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
    pub fn select(&self, wanted: Engine, may_pretend: bool, is_there: impl Fn(&Path) -> bool) -> Result<Choice, Error> {
        match wanted {
            Engine::Memory if self.host.is_some() => Err(Error::new(ErrorKind::Rejected, "use engine", "memory")
                .because("it is in this program and listens nowhere: leave --host out")),
            Engine::Memory => Ok(Choice::Memory { warning: None }),
            Engine::Docker => self.docker(),
            Engine::Podman => self.podman(),
            Engine::Auto => match self.choose(is_there)? {
                Some(choice) => Ok(choice),
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
        if let Some(address) = &self.host {
            return self.either(address).map(Some);
        }
        if self.docker_by.is_some() {
            return self.docker().map(Some);
        }
        if self.podman_by.is_some() {
            return self.podman().map(Some);
        }
        Ok(self.sockets.iter().find(|(_, path)| is_there(path)).map(|(engine, path)| {
            let by = By::Found(*engine);
            match engine {
                EngineKind::Podman => {
                    Choice::Podman { connection: podman::Connection::new(podman::Address::Unix(path.clone())), by }
                }
                _ => Choice::Docker { connection: docker::Connection::new(Address::Unix(path.clone())), by },
            }
        }))
    }

    /// Docker: where --host says, else where docker's own command would find it.
    fn docker(&self) -> Result<Choice, Error> {
        if let Some(address) = &self.host {
            Ok(Choice::Docker { connection: self.docker_at(address)?, by: By::Named("--host") })
        } else {
            let by = self.docker_by.map_or(By::Default(EngineKind::Docker), By::Named);
            Ok(Choice::Docker { connection: self.docker.clone()?, by })
        }
    }

    /// Podman: where --host says, else where podman's own command would find it.
    fn podman(&self) -> Result<Choice, Error> {
        if let Some(address) = &self.host {
            Ok(Choice::Podman { connection: podman_at(address)?, by: By::Named("--host") })
        } else {
            let by = self.podman_by.map_or(By::Default(EngineKind::Podman), By::Named);
            Ok(Choice::Podman { connection: self.podman.clone()?, by })
        }
    }

    /// Whichever listens at `address`, which does not say who that is. Over ssh that is Docker.
    fn either(&self, address: &Address) -> Result<Choice, Error> {
        let (docker, by) = (self.docker_at(address)?, By::Named("--host"));
        Ok(match podman_at(address) {
            Ok(podman) => Choice::Either { docker, podman, by },
            Err(_) => Choice::Docker { connection: docker, by },
        })
    }

    fn docker_at(&self, address: &Address) -> Result<docker::Connection, Error> {
        if self.tls && matches!(address, Address::Tcp(_)) {
            return Err(Error::new(ErrorKind::Rejected, "connect to", address)
                .because("DOCKER_TLS_VERIFY asks for TLS, and --host knows of none: name the engine in DOCKER_HOST"));
        }
        Ok(docker::Connection::new(address.clone()))
    }

    fn nothing(&self) -> String {
        let sockets: Vec<String> = self.sockets.iter().map(|(_, path)| path.display().to_string()).collect();
        format!("no engine is configured, and there is no socket ({})", sockets.join(", "))
    }
}

fn podman_at(address: &Address) -> Result<podman::Connection, Error> {
    let refused = |why| Error::new(ErrorKind::Rejected, "connect to", address).caused_by(why);
    address.to_string().parse().map_err(refused)
}

/// Whether something is at `path`; what cannot be looked at is there, and connecting will say why not.
pub fn is_there(path: &Path) -> bool {
    path.try_exists().unwrap_or(true)
}

/// The variable by which the engine's own command finds it, where that is not the default: `host`, else what the
/// environment says.
pub fn address(host: Option<&Address>, engine: EngineKind) -> Option<(String, String)> {
    let (variable, defaults) = match engine {
        EngineKind::Docker => ("DOCKER_HOST", ["unix:///var/run/docker.sock", "unix:///run/docker.sock"].as_slice()),
        EngineKind::Podman => ("CONTAINER_HOST", ["unix:///run/podman/podman.sock"].as_slice()),
        EngineKind::Memory => return None,
    };
    let named =
        host.map(ToString::to_string).or_else(|| std::env::var(variable).ok()).filter(|named| !named.is_empty());
    named.filter(|named| !defaults.contains(&named.as_str())).map(|named| (variable.to_owned(), named))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKER: &str = "/var/run/docker.sock";
    const OWN: &str = "/run/user/1000/podman/podman.sock";
    const PODMAN: &str = "/run/podman/podman.sock";

    /// Nobody has said anything.
    fn silent() -> Surroundings {
        Surroundings {
            host: None,
            docker: Ok(docker::Connection::local()),
            docker_by: None,
            tls: false,
            podman: Ok("unix:///podmans-default".parse().unwrap()),
            podman_by: None,
            sockets: Surroundings::usual_sockets(Some(Path::new("/run/user/1000"))),
        }
    }

    fn docker(url: &str, by: By) -> Choice {
        Choice::Docker { connection: url.parse().unwrap(), by }
    }

    fn podman(url: &str, by: By) -> Choice {
        Choice::Podman { connection: url.parse().unwrap(), by }
    }

    fn either(url: &str, by: By) -> Choice {
        Choice::Either { docker: url.parse().unwrap(), podman: url.parse().unwrap(), by }
    }

    /// What `auto` chooses where these sockets are there.
    fn auto(surroundings: &Surroundings, sockets: &[&str]) -> Result<Choice, String> {
        let is_there = |path: &Path| sockets.iter().any(|socket| Path::new(socket) == path);
        surroundings.select(Engine::Auto, true, is_there).map_err(|error| error.report())
    }

    #[test]
    fn the_first_socket_that_is_there_is_taken() {
        let (docker_is_found, podman_is_found) = (By::Found(EngineKind::Docker), By::Found(EngineKind::Podman));

        assert_eq!(auto(&silent(), &[PODMAN, DOCKER, OWN]), Ok(docker(&format!("unix://{DOCKER}"), docker_is_found)));
        assert_eq!(auto(&silent(), &[PODMAN, OWN]), Ok(podman(&format!("unix://{OWN}"), podman_is_found)));
        assert_eq!(auto(&silent(), &[PODMAN]), Ok(podman(&format!("unix://{PODMAN}"), podman_is_found)));
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
        let podmans = Surroundings {
            podman: Ok("tcp://pod:8080".parse().unwrap()),
            podman_by: Some("CONTAINER_HOST"),
            ..silent()
        };
        let dockers = Surroundings {
            docker: Ok("tcp://dock:2375".parse().unwrap()),
            docker_by: Some("DOCKER_CONTEXT"),
            ..podmans.clone()
        };
        let option = Surroundings { host: Some("unix:///x".parse().unwrap()), ..dockers.clone() };

        assert_eq!(auto(&option, &[DOCKER]), Ok(either("unix:///x", By::Named("--host"))));
        assert_eq!(auto(&dockers, &[DOCKER]), Ok(docker("tcp://dock:2375", By::Named("DOCKER_CONTEXT"))));
        assert_eq!(auto(&podmans, &[DOCKER]), Ok(podman("tcp://pod:8080", By::Named("CONTAINER_HOST"))));
    }

    #[test]
    fn only_docker_is_reached_over_ssh() {
        let surroundings = Surroundings { host: Some("ssh://root@node1".parse().unwrap()), ..silent() };

        let refused = surroundings.select(Engine::Podman, false, |_| false).unwrap_err();

        assert_eq!(auto(&surroundings, &[PODMAN]), Ok(docker("ssh://root@node1", By::Named("--host"))));
        assert_eq!(refused.kind(), ErrorKind::Rejected);
        assert!(refused.report().contains("forward the socket with ssh -L"), "{}", refused.report());
    }

    #[test]
    fn an_engine_is_taken_where_its_own_command_would_find_it() {
        let select = |surroundings: &Surroundings, engine| surroundings.select(engine, false, |_| false).unwrap();
        let named = Surroundings {
            docker: Ok("unix:///d".parse().unwrap()),
            docker_by: Some("DOCKER_HOST"),
            podman: Ok("unix:///p".parse().unwrap()),
            podman_by: Some("CONTAINER_HOST"),
            ..silent()
        };
        let defaults = [EngineKind::Docker, EngineKind::Podman].map(By::Default);

        assert_eq!(select(&silent(), Engine::Docker), docker("unix:///var/run/docker.sock", defaults[0]));
        assert_eq!(select(&silent(), Engine::Podman), podman("unix:///podmans-default", defaults[1]));
        assert_eq!(select(&named, Engine::Docker), docker("unix:///d", By::Named("DOCKER_HOST")));
        assert_eq!(select(&named, Engine::Podman), podman("unix:///p", By::Named("CONTAINER_HOST")));
    }

    #[test]
    fn what_is_wrong_with_an_environment_matters_only_to_those_who_use_it() {
        let wrong = |what| Error::new(ErrorKind::Rejected, "use", what);
        let broken = Surroundings {
            docker: Err(wrong("docker context gone")),
            docker_by: Some("DOCKER_CONTEXT"),
            podman: Err(wrong("podman connection gone")),
            podman_by: Some("CONTAINER_CONNECTION"),
            ..silent()
        };
        let podmans = Surroundings { docker: silent().docker, docker_by: None, ..broken.clone() };
        let option = Surroundings { host: Some("unix:///x".parse().unwrap()), ..broken.clone() };
        let select = |surroundings: &Surroundings, engine| surroundings.select(engine, true, |_| true);
        let refused = |surroundings, engine| select(surroundings, engine).unwrap_err().subject().to_owned();

        assert_eq!(refused(&broken, Engine::Auto), "docker context gone");
        assert_eq!(refused(&broken, Engine::Docker), "docker context gone");
        assert_eq!(refused(&broken, Engine::Podman), "podman connection gone");
        assert_eq!(refused(&podmans, Engine::Auto), "podman connection gone");
        assert_eq!(select(&option, Engine::Docker).unwrap(), docker("unix:///x", By::Named("--host")));
        assert_eq!(select(&option, Engine::Podman).unwrap(), podman("unix:///x", By::Named("--host")));
        assert_eq!(select(&broken, Engine::Memory).unwrap(), Choice::Memory { warning: None });
    }

    #[test]
    fn an_address_without_tls_is_refused_where_tls_is_asked_for() {
        let select = |url: &str, engine| {
            let surroundings = Surroundings { host: Some(url.parse().unwrap()), tls: true, ..silent() };
            surroundings.select(engine, false, |_| false)
        };
        let by = By::Named("--host");

        assert_eq!(select("tcp://node1:2376", Engine::Docker).unwrap_err().kind(), ErrorKind::Rejected);
        assert_eq!(select("tcp://node1:2376", Engine::Auto).unwrap_err().kind(), ErrorKind::Rejected);
        assert_eq!(select("unix:///x", Engine::Docker).unwrap(), docker("unix:///x", by));
        // It is Docker's variable.
        assert_eq!(select("tcp://node1:8080", Engine::Podman).unwrap(), podman("tcp://node1:8080", by));
    }
}
