//! Where a Docker engine listens, and how it is talked to.

mod address;
mod context;
mod failure;
mod ping;
#[cfg(feature = "ssh")]
mod ssh;
mod tls;
mod transport;

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, ClientVersion};
use kolla_container_core::state::ApiLevel;
use kolla_container_core::{Error, ErrorKind, ParseError, Result};

pub use self::address::Address;
use self::context::Environment;
use self::failure::Failure;
pub use self::tls::Tls;
use self::transport::Transport;

/// What a request may take, in seconds: a year. Deadlines are those of whoever asks.
const UNLIMITED: u64 = 365 * 24 * 60 * 60;

/// Where a Docker engine listens, and how it is talked to.
///
/// A connection is a description; nobody is asked before [`Docker::connect`](crate::Docker::connect). Addresses other
/// than `unix://` need a feature of this crate: `tcp`, `tls` or `ssh`.
///
/// ```
/// use std::time::Duration;
/// use kolla_container_docker::{Address, Connection, Tls};
///
/// let local = Connection::local();
/// let remote = Connection {
///     tls: Some(Tls { ca: Some("/etc/docker/certs/ca.pem".into()), ..Tls::default() }),
///     deadline: Duration::from_secs(5),
///     ..Connection::new(Address::Tcp("node1:2376".to_owned()))
/// };
///
/// assert!(local.is_local());
/// assert_eq!(remote.address.to_string(), "tcp://node1:2376");
/// assert_eq!("unix:///var/run/docker.sock".parse(), Ok(local));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Where the engine listens.
    pub address: Address,
    /// TLS, for TCP; without it, TCP is plain.
    pub tls: Option<Tls>,
    /// How long connecting and the first answer may take; thirty seconds where nothing else is said.
    pub deadline: Duration,
}

impl Connection {
    /// To the socket of this machine's engine, `/var/run/docker.sock`.
    pub fn local() -> Self {
        Self::new(Address::Unix(PathBuf::from("/var/run/docker.sock")))
    }

    /// To `address`, without TLS.
    pub fn new(address: Address) -> Self {
        Self { address, tls: None, deadline: Duration::from_secs(30) }
    }

    /// To the engine that the docker command would talk to.
    ///
    /// That is `DOCKER_HOST`, with TLS by `DOCKER_TLS_VERIFY` and the files in `DOCKER_CERT_PATH`; else the context
    /// that `DOCKER_CONTEXT` names; else the context that is in use, as `config.json` says in `DOCKER_CONFIG` or
    /// `~/.docker`; else [`Connection::local`]. TLS that verifies nothing is refused, which `DOCKER_TLS` by itself
    /// asks for.
    pub fn from_env() -> Result<Self> {
        process().connection()
    }

    /// To the engine that a context of the docker command names.
    ///
    /// Contexts are read from `DOCKER_CONFIG` or `~/.docker`; `default` is [`Connection::local`]. A context that skips
    /// the verification of TLS is refused.
    pub fn from_context(name: &str) -> Result<Self> {
        if name == context::DEFAULT { Ok(Self::local()) } else { process().context(name) }
    }

    /// Whether the engine's machine is this one, so that its paths are paths here.
    pub fn is_local(&self) -> bool {
        matches!(self.address, Address::Unix(_))
    }

    /// Connects: what answers is a Docker engine, and young enough.
    pub(crate) async fn open(&self) -> Result<Opened> {
        let failed = |Failure { kind, cause }| Error::new(kind, "connect to", &self.address).because(cause);
        let transport = Arc::new(Transport::new(self).map_err(failed)?);
        let late = |_| Failure::new(ErrorKind::TimedOut, format!("no answer within {:?}", self.deadline));
        let answer = tokio::time::timeout(self.deadline, ping::ping(&transport)).await.map_err(late);
        let api = answer.flatten().map_err(failed)?;
        let url = transport.url();
        let request = move |request| {
            let transport = Arc::clone(&transport);
            async move { transport.send(request).await }
        };
        let client = bollard::Docker::connect_with_custom_transport(request, Some(url), UNLIMITED, &negotiated(api))
            .map_err(|error| failed(Failure::of(&error)))?;
        Ok(Opened { client, api })
    }
}

impl FromStr for Connection {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse().map(Self::new)
    }
}

/// An engine that has answered.
#[derive(Debug)]
pub(crate) struct Opened {
    /// Speaks the newest level that both sides know.
    pub(crate) client: bollard::Docker,
    /// The newest level that the engine knows.
    pub(crate) api: ApiLevel,
}

/// The newest level that both sides know.
fn negotiated(engine: ApiLevel) -> ClientVersion {
    let level = |part: u32| usize::try_from(part).unwrap_or(usize::MAX);
    let engine = ClientVersion { major_version: level(engine.major), minor_version: level(engine.minor) };
    if engine < *API_DEFAULT_VERSION { engine } else { *API_DEFAULT_VERSION }
}

/// The environment of this process.
fn process() -> Environment<impl Fn(&str) -> Option<std::ffi::OsString>> {
    Environment(|name: &str| match name {
        // A service may have no such variable, but its user has a home.
        "HOME" => std::env::home_dir().map(PathBuf::into_os_string),
        name => std::env::var_os(name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_the_newest_that_both_sides_know() {
        assert_eq!(negotiated(ApiLevel::new(1, 41)).to_string(), "1.41");
        assert_eq!(negotiated(ApiLevel::new(1, 999)).to_string(), API_DEFAULT_VERSION.to_string());
        assert_eq!(negotiated(ApiLevel::new(2, 0)).to_string(), API_DEFAULT_VERSION.to_string());
    }

    #[tokio::test]
    async fn an_address_that_was_put_in_by_hand_is_looked_at_before_it_is_used() {
        let socket = Connection { tls: Some(Tls::default()), ..Connection::local() };

        let error = socket.open().await.unwrap_err();

        assert_eq!(
            error.report(),
            "connect to unix:///var/run/docker.sock: the request is not valid: TLS is for tcp:// only"
        );
    }

    #[cfg(feature = "ssh")]
    #[tokio::test]
    async fn a_password_that_was_put_in_by_hand_is_not_shown() {
        let error = Connection::new(Address::Ssh("me:hunter2@node1".to_owned())).open().await.unwrap_err();

        assert_eq!(
            error.report(),
            "connect to ssh://me:(secret)@node1: the request is not valid: \
             this is no address: a password has no place in it"
        );
    }

    #[cfg(not(any(feature = "tcp", feature = "ssh")))]
    #[tokio::test]
    async fn what_is_not_built_in_is_named() {
        let tcp = Connection::new(Address::Tcp("node1:2375".to_owned()));
        let tls = Connection { tls: Some(Tls::default()), ..tcp.clone() };
        let ssh = Connection::new(Address::Ssh("node1".to_owned()));

        for (connection, feature) in [(tcp, "tcp"), (tls, "tls"), (ssh, "ssh")] {
            let error = connection.open().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.report().ends_with(&format!("was built without the feature \"{feature}\"")), "{error:?}");
        }
    }
}
