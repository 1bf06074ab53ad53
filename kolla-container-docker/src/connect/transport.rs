//! The way to an engine: one connection for each request, and those that cost much are used again.
//!
//! bollard's own connectors are not used. Its ssh connector loses the port, accepts the key of any new host and leaves
//! processes behind; its TLS connector trusts the system's authorities beside the one that is named, goes on without
//! the client certificate when the key is broken, and panics in a program with two providers of cryptography; its unix
//! connector calls a socket missing that may not be looked at. Here all ways are the same, but for how they are
//! dialled.

use std::error::Error as StdError;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bollard::BollardRequest;
use bollard::errors::Error;
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use kolla_container_core::ErrorKind;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

#[cfg(any(feature = "tcp", feature = "ssh"))]
use super::address::Authority;
use super::failure::Failure;
#[cfg(feature = "ssh")]
use super::ssh::Ssh;
use super::{Address, Connection};

/// How an engine is reached, with everything prepared that does not change.
pub(super) struct Transport {
    way: Way,
    idle: Arc<Mutex<Vec<SendRequest<Body>>>>,
}

type Body = UnsyncBoxBody<Bytes, Box<dyn StdError + Send + Sync>>;

enum Way {
    Unix(PathBuf),
    #[cfg(feature = "tcp")]
    Tcp(String),
    #[cfg(feature = "tls")]
    Tls {
        authority: String,
        name: tokio_rustls::rustls::pki_types::ServerName<'static>,
        connector: tokio_rustls::TlsConnector,
    },
    #[cfg(feature = "ssh")]
    Ssh(Ssh),
}

/// What bytes go through, in both directions.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Transport {
    /// Prepares; nobody is asked yet.
    pub(super) fn new(connection: &Connection) -> Result<Self, Failure> {
        Ok(Self { way: Way::new(connection)?, idle: Arc::default() })
    }

    /// The URL of the engine: what a request names, and says in its `Host`.
    pub(super) fn url(&self) -> String {
        let host = match &self.way {
            Way::Unix(_) => "localhost",
            #[cfg(feature = "tcp")]
            Way::Tcp(authority) => authority,
            #[cfg(feature = "tls")]
            Way::Tls { authority, .. } => authority,
            #[cfg(feature = "ssh")]
            Way::Ssh(_) => "localhost",
        };
        format!("http://{host}")
    }

    /// Asks, on an idle connection or on a new one.
    pub(super) async fn send(&self, request: BollardRequest) -> Result<Response<Incoming>, Error> {
        let mut request = on_the_wire(request);
        while let Some(mut sender) = self.pick() {
            match sender.try_send_request(request).await {
                Ok(answer) => {
                    self.keep(sender);
                    return Ok(answer);
                }
                Err(mut error) => match error.take_message() {
                    // The connection had ended and nothing was sent: the next one will do.
                    Some(unsent) => request = unsent,
                    None => return Err(error.into_error().into()),
                },
            }
        }
        let stream = self.way.dial().await?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // The request is handed over before the connection is driven, so that nothing can fail without an asker.
        let answer = sender.send_request(request);
        tokio::spawn(connection.with_upgrades());
        let answer = answer.await?;
        self.keep(sender);
        Ok(answer)
    }

    fn pick(&self) -> Option<SendRequest<Body>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps what costs a login until it is needed again; any other connection ends with its answer.
    fn keep(&self, mut sender: SendRequest<Body>) {
        if self.way.is_costly() {
            let idle = Arc::clone(&self.idle);
            tokio::spawn(async move {
                // When the answer is read to its end. One that is not, or that became a stream, ends the connection.
                if sender.ready().await.is_ok() {
                    idle.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
                }
            });
        }
    }
}

/// bollard's request as a connection takes it: with its host in a header, and no more than the path in its URL.
fn on_the_wire(request: BollardRequest) -> Request<Body> {
    let mut request = request.map(BodyExt::boxed_unsync);
    if let Some(host) = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        request.headers_mut().insert(HOST, host);
    }
    if let Some(path) = request.uri().path_and_query() {
        *request.uri_mut() = Uri::from(path.clone());
    }
    request
}

impl Way {
    fn new(connection: &Connection) -> Result<Self, Failure> {
        match (&connection.address, &connection.tls) {
            (Address::Unix(path), None) => Ok(Self::Unix(path.clone())),
            #[cfg(feature = "tcp")]
            (Address::Tcp(authority), None) => {
                Authority::of_tcp(authority).map_err(no_address)?;
                Ok(Self::Tcp(authority.clone()))
            }
            #[cfg(feature = "tls")]
            (Address::Tcp(authority), Some(tls)) => {
                let host = Authority::of_tcp(authority).map_err(no_address)?.host.to_owned();
                let name = host.try_into().map_err(|_| no_address("no certificate can be for that name"))?;
                Ok(Self::Tls { authority: authority.clone(), name, connector: tls.connector()? })
            }
            #[cfg(feature = "ssh")]
            (Address::Ssh(authority), None) => Ok(Self::Ssh(Ssh::new(Authority::of(authority).map_err(no_address)?))),
            (Address::Unix(_) | Address::Ssh(_), Some(_)) => {
                Err(Failure::new(ErrorKind::Rejected, "TLS is for tcp:// only"))
            }
            #[cfg(not(feature = "tcp"))]
            (Address::Tcp(_), None) => Err(Failure::without_feature("tcp")),
            #[cfg(not(feature = "tls"))]
            (Address::Tcp(_), Some(_)) => Err(Failure::without_feature("tls")),
            #[cfg(not(feature = "ssh"))]
            (Address::Ssh(_), None) => Err(Failure::without_feature("ssh")),
        }
    }

    fn is_costly(&self) -> bool {
        match self {
            #[cfg(feature = "ssh")]
            Self::Ssh(_) => true,
            _ => false,
        }
    }

    async fn dial(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Unix(path) => match UnixStream::connect(path).await {
                // A file without a listener, whatever it is, refuses.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused && !is_socket(path) => {
                    Err(io::Error::new(io::ErrorKind::InvalidInput, "this is a file, and no socket"))
                }
                connected => Ok(Box::new(connected?)),
            },
            #[cfg(feature = "tcp")]
            Self::Tcp(authority) => Ok(Box::new(tcp(authority).await?)),
            #[cfg(feature = "tls")]
            Self::Tls { authority, name, connector } => {
                Ok(Box::new(connector.connect(name.clone(), tcp(authority).await?).await?))
            }
            #[cfg(feature = "ssh")]
            Self::Ssh(ssh) => Ok(Box::new(ssh.dial().await?)),
        }
    }
}

fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

#[cfg(feature = "tcp")]
async fn tcp(authority: &str) -> io::Result<tokio::net::TcpStream> {
    let stream = tokio::net::TcpStream::connect(authority).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// For addresses that were not read from text.
#[cfg(any(feature = "tcp", feature = "ssh"))]
fn no_address(why: &str) -> Failure {
    Failure::new(ErrorKind::Rejected, format!("this is no address: {why}"))
}

#[cfg(test)]
#[cfg(feature = "ssh")]
mod tests {
    use std::fs;

    use super::*;

    /// A transport over a shell in place of `ssh`, and a folder in which the script finds `$0`.
    fn over(script: &str) -> (tempfile::TempDir, Transport) {
        let folder = tempfile::tempdir().unwrap();
        let mut ssh = Ssh::new(Authority::of("root@node1:2222").unwrap());
        let log = folder.path().join("log").to_str().unwrap().to_owned();
        ssh.program = "sh".into();
        ssh.arguments.splice(0..0, ["-c".to_owned(), script.to_owned(), log]);
        (folder, Transport { way: Way::Ssh(ssh), idle: Arc::default() })
    }

    /// Until a connection is kept that is as it should be.
    async fn kept(transport: &Transport, is_right: impl Fn(&SendRequest<Body>) -> bool) {
        while !transport.idle.lock().unwrap().last().is_some_and(&is_right) {
            tokio::task::yield_now().await;
        }
    }

    async fn ask(transport: &Transport) -> Result<String, Failure> {
        let request = Request::get(transport.url() + "/version").body(bollard::body_full(Bytes::new())).unwrap();
        let answer = transport.send(request).await.map_err(|error| Failure::of(&error))?;
        Ok(String::from_utf8(answer.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap())
    }

    /// Answers each request with its first line.
    const ECHO: &str = r#"
        echo "$@" >> "$0"
        while read -r first; do
            read -r host; read -r empty
            body=$(printf '%s|%s' "$first" "$host" | tr -d '\r')
            printf 'HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s' "${#body}" "$body"
        done"#;

    #[tokio::test]
    async fn a_request_goes_over_ssh_and_the_next_one_over_the_same() {
        let (folder, transport) = over(ECHO);

        let first = ask(&transport).await.unwrap();
        kept(&transport, |_| true).await;
        let second = ask(&transport).await.unwrap();

        assert_eq!(first, "GET /version HTTP/1.1|host: localhost");
        assert_eq!(second, first);
        assert_eq!(
            fs::read_to_string(folder.path().join("log")).unwrap(),
            "-T -o BatchMode=yes -o ConnectTimeout=30 -l root -p 2222 -- node1 docker system dial-stdio\n"
        );
    }

    #[tokio::test]
    async fn an_idle_connection_that_has_ended_is_replaced() {
        let (folder, transport) = over(
            r#"read -r first; read -r host; read -r empty
            printf 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
            until [ -e "$0" ]; do sleep 0.01; done"#,
        );

        let first = ask(&transport).await.unwrap();
        kept(&transport, |_| true).await;
        fs::write(folder.path().join("log"), "").unwrap();
        kept(&transport, SendRequest::is_closed).await;
        let second = ask(&transport).await.unwrap();

        assert_eq!((first, second), ("ok".to_owned(), "ok".to_owned()));
    }

    #[tokio::test]
    async fn ssh_that_gives_up_is_the_reason_of_the_failure() {
        let (_folder, transport) = over("echo 'root@node1: Permission denied (publickey).' >&2; exit 255");

        let failure = ask(&transport).await.unwrap_err();

        assert_eq!(failure.kind, ErrorKind::Denied, "{}", failure.cause);
        assert_eq!(failure.cause, "ssh gave up and said: root@node1: Permission denied (publickey).");
    }

    #[tokio::test]
    async fn without_the_program_there_is_no_way() {
        let mut ssh = Ssh::new(Authority::of("node1").unwrap());
        ssh.program = "/nonexistent/ssh".into();
        let transport = Transport { way: Way::Ssh(ssh), idle: Arc::default() };

        let failure = ask(&transport).await.unwrap_err();

        assert_eq!(failure.kind, ErrorKind::Unreachable);
        assert_eq!(failure.cause, "the program ssh cannot be started (No such file or directory (os error 2))");
    }

    #[tokio::test]
    async fn more_logins_than_a_server_takes_wait_for_each_other() {
        let (folder, transport) = over(r#"echo in >> "$0"; sleep 0.05; echo out >> "$0"; exit 255"#);

        let asked = futures_util::future::join_all((0..20).map(|_| ask(&transport))).await;

        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        let depth = log.lines().scan(0, |depth, line| {
            *depth += if line == "in" { 1 } else { -1 };
            Some(*depth)
        });
        assert!(asked.iter().all(Result::is_err));
        assert!(depth.max().unwrap() <= 8, "{log}");
    }
}
