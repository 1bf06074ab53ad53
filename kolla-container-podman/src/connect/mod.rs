//! Where a Podman engine listens, and how it is talked to.

mod address;
mod environment;
mod failure;
mod ping;
mod tls;
mod transport;

use std::str::FromStr;
use std::time::Duration;

use kolla_container_core::state::ApiLevel;
use kolla_container_core::{Error, ErrorKind, ParseError, Result};

pub use self::address::Address;
use self::environment::Environment;
pub use self::tls::Tls;
pub(crate) use self::transport::{Answer, Transport};
use crate::error::Failure;
use crate::wire::Client;

/// Where a Podman engine listens, and how it is talked to.
///
/// A connection is a description; nobody is asked before [`Podman::connect`](crate::Podman::connect). Addresses other
/// than `unix://` need a feature of this crate: `tcp` or `tls`.
///
/// ```
/// use std::time::Duration;
/// use kolla_container_podman::{Address, Connection, Tls};
///
/// let system: Connection = "unix:///run/podman/podman.sock".parse()?;
/// let remote = Connection {
///     tls: Some(Tls { ca: Some("/etc/podman/ca.pem".into()), ..Tls::default() }),
///     deadline: Duration::from_secs(5),
///     ..Connection::new(Address::Tcp("node1:8080".to_owned()))
/// };
///
/// assert!(system.is_local());
/// assert_eq!(remote.address.to_string(), "tcp://node1:8080");
/// # Ok::<(), kolla_container_core::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Where the engine listens.
    pub address: Address,
    /// TLS, for TCP; without it, TCP is plain.
    pub tls: Option<Tls>,
    /// How long connecting and the first answer may take; thirty seconds where nothing else is said.
    pub deadline: Duration,
    /// How long Podman may take for any later request, to the last byte of its answer, or to the next piece of a log;
    /// two minutes where nothing else is said.
    ///
    /// The time that a request waits for by its nature comes on top: the grace of a stop, say. The end of a container,
    /// the output of a command, new lines of a log and the next piece of an image are waited for without an end.
    pub request_deadline: Duration,
}

impl Connection {
    /// To the socket of this user's engine on this machine.
    ///
    /// That is `/run/podman/podman.sock` for root, else `podman/podman.sock` in `XDG_RUNTIME_DIR`, or where that is
    /// not set in `/run/user/UID`.
    pub fn local() -> Self {
        process().local()
    }

    /// To `address`, without TLS.
    pub fn new(address: Address) -> Self {
        Self { address, tls: None, deadline: Duration::from_secs(30), request_deadline: Duration::from_mins(2) }
    }

    /// To the engine that the podman command would talk to.
    ///
    /// That is `CONTAINER_HOST`, else [`Connection::local`]. Connections that `podman system connection` has stored are
    /// not read: where `CONTAINER_CONNECTION` names one, that is an error. There are no variables for TLS.
    pub fn from_env() -> Result<Self> {
        process().connection()
    }

    /// Whether the engine's machine is this one, so that its paths are paths here.
    pub fn is_local(&self) -> bool {
        matches!(self.address, Address::Unix(_))
    }

    /// Connects: what answers is Podman, and young enough.
    pub(crate) async fn open(&self) -> Result<Opened> {
        let failed = |failure: Failure| Error::new(failure.kind(), "connect to", &self.address).because(failure);
        let client = Client::new(Transport::new(self).map_err(failed)?, self.request_deadline);
        let late = |_| Failure::new(ErrorKind::TimedOut, format!("no answer within {:?}", self.deadline));
        let answer = tokio::time::timeout(self.deadline, ping::ping(&client)).await.map_err(late);
        let api = answer.flatten().map_err(failed)?;
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
    pub(crate) client: Client,
    /// The newest level of its own API.
    pub(crate) api: ApiLevel,
}

/// The environment of this process.
fn process() -> Environment<impl Fn(&str) -> Option<std::ffi::OsString>> {
    Environment { variables: |name: &str| std::env::var_os(name), user: rustix::process::geteuid().as_raw() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_was_put_in_by_hand_is_looked_at_before_it_is_used() {
        let socket = |path: &str| Connection::new(Address::Unix(path.into()));
        let rows = [
            (Connection { tls: Some(Tls::default()), ..socket("/p.sock") }, "TLS is for tcp:// only"),
            (socket(""), "no socket has such a path"),
            (socket(&format!("/{}", "p".repeat(200))), "path must be shorter than SUN_LEN"),
            (socket("/\0"), "paths must not contain interior null bytes"),
        ];

        for (connection, cause) in rows {
            let error = connection.open().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Rejected);
            assert!(error.report().ends_with(cause), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_socket_whose_path_is_no_text_is_never_taken_for_another() {
        use std::os::unix::ffi::OsStrExt;

        let path = std::ffi::OsStr::from_bytes(b"/\xff.sock");

        let error = Connection::new(Address::Unix(path.into())).open().await.unwrap_err();

        assert_eq!(error.kind(), ErrorKind::Rejected);
        assert!(error.report().ends_with("the path of the socket is no text in UTF-8"), "{error:?}");
    }

    #[cfg(feature = "tcp")]
    #[tokio::test]
    async fn a_password_that_was_put_in_by_hand_is_not_shown() {
        let error = Connection::new(Address::Tcp("me:hunter2@node1:8080".to_owned())).open().await.unwrap_err();

        assert_eq!(
            error.report(),
            "connect to tcp://me:(secret)@node1:8080: the request is not valid: \
             this is no address: neither a user nor a password has a place in it"
        );
    }

    #[cfg(not(feature = "tcp"))]
    #[tokio::test]
    async fn what_is_not_built_in_is_named() {
        let tcp = Connection::new(Address::Tcp("node1:8080".to_owned()));
        let tls = Connection { tls: Some(Tls::default()), ..tcp.clone() };

        for (connection, feature) in [(tcp, "tcp"), (tls, "tls")] {
            let error = connection.open().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            assert!(error.report().ends_with(&format!("was built without the feature \"{feature}\"")), "{error:?}");
        }
    }
}
