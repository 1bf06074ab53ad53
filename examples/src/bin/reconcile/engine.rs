//! Which engine: what is configured, else the first socket that is there. Decides; asking is `probe`'s.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use kolla_container_core::state::EngineKind;
use kolla_container_core::{Error, ErrorKind, ParseError};

use crate::cli::Engine;

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// On a socket of this machine.
    Unix(PathBuf),
    /// At `HOST:PORT`.
    Tcp(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{authority}"),
        }
    }
}

impl FromStr for Address {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let right = "an engine listens at unix:///PATH or tcp://HOST:PORT";
        let Some((scheme, rest)) = text.split_once("://") else { return Err(ParseError::new(right)) };
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(PathBuf::from(rest))),
            "tcp" => {
                let authority = rest.strip_suffix('/').unwrap_or(rest);
                let is_right = authority.rsplit_once(':').is_some_and(|(host, port)| {
                    let is_host = !host.is_empty() && !host.contains(['/', '@', '?', '#']);
                    is_host && port.parse::<u16>().is_ok()
                });
                if is_right { Ok(Self::Tcp(authority.to_owned())) } else { Err(ParseError::new(right)) }
            }
            "unix" => Err(ParseError::new(right)),
            scheme => Err(ParseError::new(format!("{scheme}:// is not supported: {right}"))),
        }
    }
}

/// What became of asking at an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This engine answers.
    Is(EngineKind),
    /// There is no such socket.
    Absent,
    /// We may not.
    Refused,
    /// Something is there, but no engine answers, and why.
    Silent(String),
}

/// That the engine in memory is to be used: the only one that this version speaks to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// What the user should know.
    pub(crate) warning: Option<String>,
}

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Which engine it should be; `None` where only the answer tells.
    pub(crate) kind: Option<EngineKind>,
    pub(crate) address: Address,
}

/// What the machine and the user say about engines.
#[derive(Clone, Debug, Default)]
pub(crate) struct Surroundings {
    /// `--host`.
    pub(crate) host: Option<Address>,
    /// `DOCKER_HOST`.
    pub(crate) docker_host: Option<String>,
    /// `CONTAINER_HOST`.
    pub(crate) container_host: Option<String>,
    /// Where engines listen when nobody says anything, in the order of preference.
    pub(crate) sockets: Vec<(EngineKind, PathBuf)>,
}

impl Surroundings {
    /// Those of this process.
    pub(crate) fn of_process(host: Option<Address>) -> Self {
        let stated = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let runtime_dir = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
        Self {
            host,
            docker_host: stated("DOCKER_HOST"),
            container_host: stated("CONTAINER_HOST"),
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

    /// The candidate that somebody has named, and who has.
    fn configured(&self) -> Result<Option<(&'static str, Candidate)>, Error> {
        if let Some(address) = &self.host {
            return Ok(Some(("--host", Candidate { kind: None, address: address.clone() })));
        }
        let variables = [
            ("DOCKER_HOST", &self.docker_host, EngineKind::Docker),
            ("CONTAINER_HOST", &self.container_host, EngineKind::Podman),
        ];
        let named = variables.into_iter().find_map(|(name, value, kind)| Some((name, value.as_ref()?, kind)));
        let Some((name, value, kind)) = named else { return Ok(None) };
        match value.parse() {
            Ok(address) => Ok(Some((name, Candidate { kind: Some(kind), address }))),
            Err(error) => Err(Error::new(ErrorKind::Rejected, "read the environment variable", name).because(error)),
        }
    }

    /// The engine to use. Without one, `may_pretend` says whether one in memory will do.
    pub(crate) async fn select(
        &self,
        wanted: Engine,
        may_pretend: bool,
        ask: impl AsyncFn(&Candidate) -> Answer,
    ) -> Result<Memory, Error> {
        let not_built = |engine: &str, found: &str| {
            Err(Error::new(ErrorKind::Unsupported, "use engine", engine)
                .because(format!("{found}not built yet: this version speaks to `--engine memory` only")))
        };
        match wanted {
            Engine::Docker => not_built("docker", ""),
            Engine::Podman => not_built("podman", ""),
            Engine::Memory if self.host.is_some() => Err(Error::new(ErrorKind::Rejected, "use engine", "memory")
                .because("it is in this program and listens nowhere: leave --host out")),
            Engine::Memory => Ok(Memory { warning: None }),
            Engine::Auto => match self.choose(ask).await? {
                Some((kind, address)) => not_built(kind.as_str(), &format!("it answers at {address}, but is ")),
                None if may_pretend => Ok(Memory {
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
    /// Whoever is configured or there, and does not answer, is an error: the next one may be the wrong engine, on
    /// which everything would be made a second time.
    async fn choose(&self, ask: impl AsyncFn(&Candidate) -> Answer) -> Result<Option<(EngineKind, Address)>, Error> {
        if let Some((by, candidate)) = self.configured()? {
            let answer = match ask(&candidate).await {
                Answer::Absent => Answer::Silent("there is no such socket".to_owned()),
                answer => answer,
            };
            return Self::taken(candidate, answer, &format!("{by} names it")).map(Some);
        }
        for (kind, path) in &self.sockets {
            let candidate = Candidate { kind: Some(*kind), address: Address::Unix(path.clone()) };
            match ask(&candidate).await {
                Answer::Absent => {}
                answer => {
                    let hint = format!("{kind}'s socket is there; name another engine with --engine or --host");
                    return Self::taken(candidate, answer, &hint).map(Some);
                }
            }
        }
        Ok(None)
    }

    fn taken(candidate: Candidate, answer: Answer, why: &str) -> Result<(EngineKind, Address), Error> {
        let failed =
            |kind, cause: &str| Error::new(kind, "connect to", &candidate.address).because(format!("{cause} ({why})"));
        match answer {
            Answer::Is(kind) => Ok((kind, candidate.address)),
            Answer::Absent => Err(failed(ErrorKind::NotFound, "there is no such socket")),
            Answer::Refused => Err(failed(ErrorKind::Denied, "permission denied")),
            Answer::Silent(cause) => Err(failed(ErrorKind::Unreachable, &cause)),
        }
    }

    fn nothing(&self) -> String {
        let sockets: Vec<String> = self.sockets.iter().map(|(_, path)| path.display().to_string()).collect();
        format!("no engine is configured, and there is no socket ({})", sockets.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use EngineKind::{Docker, Podman};

    use super::*;

    fn sockets() -> Surroundings {
        Surroundings { sockets: Surroundings::usual_sockets(Some(Path::new("/run/user/1000"))), ..Default::default() }
    }

    /// Chooses where each address answers as listed, and nothing is at any other.
    async fn choose(
        surroundings: &Surroundings,
        answers: &[(&str, Answer)],
    ) -> Result<Option<(EngineKind, Address)>, Error> {
        let ask = async |candidate: &Candidate| {
            let address = candidate.address.to_string();
            answers.iter().find(|(at, _)| *at == address).map_or(Answer::Absent, |(_, answer)| answer.clone())
        };
        surroundings.choose(ask).await
    }

    const DOCKER: &str = "unix:///var/run/docker.sock";
    const OWN: &str = "unix:///run/user/1000/podman/podman.sock";
    const PODMAN: &str = "unix:///run/podman/podman.sock";

    fn silent() -> Answer {
        Answer::Silent("nobody listens there".to_owned())
    }

    #[tokio::test]
    async fn the_first_socket_that_is_there_is_taken() {
        let both = choose(&sockets(), &[(PODMAN, Answer::Is(Podman)), (DOCKER, Answer::Is(Docker))]).await.unwrap();
        let podmans = choose(&sockets(), &[(PODMAN, Answer::Is(Podman)), (OWN, Answer::Is(Podman))]).await.unwrap();

        assert_eq!(both, Some((Docker, DOCKER.parse().unwrap())));
        assert_eq!(podmans, Some((Podman, OWN.parse().unwrap())));
    }

    #[tokio::test]
    async fn where_nothing_is_there_a_plan_may_pretend_and_an_apply_may_not() {
        let select = async |may_pretend| sockets().select(Engine::Auto, may_pretend, async |_| Answer::Absent).await;

        let plan = select(true).await.unwrap().warning.unwrap();
        let apply = select(false).await.unwrap_err();

        let nothing = "no engine is configured, and there is no socket \
                       (/var/run/docker.sock, /run/user/1000/podman/podman.sock, /run/podman/podman.sock)";
        assert_eq!(plan, format!("{nothing}: this is a plan for an empty engine in memory"));
        assert_eq!(apply.kind(), ErrorKind::NotFound);
        assert_eq!(
            apply.report(),
            format!(
                "find an engine: not found: {nothing}; \
                 say `--engine memory` for an engine in memory, which ends with this program"
            )
        );
    }

    #[tokio::test]
    async fn a_socket_that_refuses_or_is_dead_is_an_error_although_the_next_one_answers() {
        let refused = choose(&sockets(), &[(DOCKER, Answer::Refused), (PODMAN, Answer::Is(Podman))]).await.unwrap_err();
        let dead = choose(&sockets(), &[(DOCKER, silent()), (PODMAN, Answer::Is(Podman))]).await.unwrap_err();

        assert_eq!(
            refused.report(),
            "connect to unix:///var/run/docker.sock: not allowed: permission denied \
             (docker's socket is there; name another engine with --engine or --host)"
        );
        assert_eq!(
            dead.report(),
            "connect to unix:///var/run/docker.sock: not reachable: nobody listens there \
             (docker's socket is there; name another engine with --engine or --host)"
        );
    }

    #[tokio::test]
    async fn an_engine_that_answers_is_said_to_be_not_built_yet() {
        let error = sockets().select(Engine::Auto, true, async |_| Answer::Is(Docker)).await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(
            error.report(),
            "use engine docker: not supported: it answers at unix:///var/run/docker.sock, but is not built yet: \
             this version speaks to `--engine memory` only"
        );
    }

    #[tokio::test]
    async fn a_configured_host_goes_before_sockets_and_has_to_answer() {
        let named = Surroundings { container_host: Some("tcp://pod:8080".to_owned()), ..sockets() };
        let answers = [(DOCKER, Answer::Is(Docker)), ("tcp://pod:8080", Answer::Is(Podman))];

        assert_eq!(choose(&named, &answers).await.unwrap(), Some((Podman, Address::Tcp("pod:8080".to_owned()))));
        assert_eq!(
            choose(&named, &answers[..1]).await.unwrap_err().report(),
            "connect to tcp://pod:8080: not reachable: there is no such socket (CONTAINER_HOST names it)"
        );
    }

    #[tokio::test]
    async fn the_option_goes_before_the_variables_and_docker_before_podman() {
        let variables = Surroundings {
            docker_host: Some("tcp://dock:1".to_owned()),
            container_host: Some("tcp://pod:1".to_owned()),
            ..sockets()
        };
        let option = Surroundings { host: Some("unix:///opt".parse().unwrap()), ..variables.clone() };
        let answers =
            [("tcp://dock:1", Answer::Is(Docker)), ("tcp://pod:1", silent()), ("unix:///opt", Answer::Is(Podman))];

        assert_eq!(choose(&variables, &answers).await.unwrap(), Some((Docker, "tcp://dock:1".parse().unwrap())));
        assert_eq!(choose(&option, &answers).await.unwrap(), Some((Podman, "unix:///opt".parse().unwrap())));
    }

    #[tokio::test]
    async fn a_variable_that_is_no_address_is_an_error_that_names_it() {
        let wrong = Surroundings { docker_host: Some("ssh://root@node1".to_owned()), ..sockets() };

        assert_eq!(
            choose(&wrong, &[]).await.unwrap_err().report(),
            "read the environment variable DOCKER_HOST: the request is not valid: \
             ssh:// is not supported: an engine listens at unix:///PATH or tcp://HOST:PORT"
        );
    }

    #[test]
    fn an_address_is_a_socket_or_a_host_with_a_port() {
        for right in ["unix:///run/docker.sock", "tcp://node1:2375", "tcp://[::1]:2375"] {
            assert_eq!(right.parse::<Address>().unwrap().to_string(), right);
        }
        for wrong in ["", "/run/docker.sock", "unix://run", "tcp://node1", "tcp://:1", "tcp://u:p@h:1", "npipe:////./p"]
        {
            let error = wrong.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("unix:///PATH or tcp://HOST:PORT"), "{wrong}: {error}");
            assert!(!error.contains("u:p"), "{error}");
        }
    }
}
