//! The way to an engine: one connection for each request, which ends with its answer.
//!
//! What is dropped, a request or an answer that is not read to its end, ends its connection too: nothing stays behind
//! for those who ask later.

use std::fmt::Write as _;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderValue};
use hyper::{HeaderMap, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use hyperlocal::UnixConnector;
use kolla_container_core::ErrorKind;
use tokio::io::{AsyncRead, AsyncWrite};
use tower_service::Service;

#[cfg(feature = "tcp")]
use super::address;
use super::{Address, Connection};
use crate::error::Failure;
use crate::wire::Body;

/// How an engine is reached, with everything prepared that does not change.
pub(crate) struct Transport {
    way: Way,
    host: HeaderValue,
    /// How long it may take until somebody is there to be asked.
    deadline: Duration,
}

impl Transport {
    /// Prepares; nobody is asked yet.
    pub(crate) fn new(connection: &Connection) -> Result<Self, Failure> {
        let host = match &connection.address {
            Address::Unix(_) => "localhost",
            Address::Tcp(authority) => authority,
        };
        let way = Way::new(connection)?;
        let host = HeaderValue::from_str(host).map_err(|error| Failure::new(ErrorKind::Rejected, error))?;
        Ok(Self { way, host, deadline: connection.deadline })
    }

    /// Asks on a new connection, and waits until the answer begins, for ever if need be.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Result<Answer, Failure> {
        request.headers_mut().insert(HOST, self.host.clone());
        let late = |_| Failure::new(ErrorKind::TimedOut, format!("no connection within {:?}", self.deadline));
        let stream = tokio::time::timeout(self.deadline, self.way.dial()).await.map_err(late)?;
        let stream = stream.map_err(|error| Failure::of_io(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| Failure::unanswered(&error))?;
        // The request is handed over before the connection is driven, so that nothing can fail without an asker.
        let answer = sender.send_request(request);
        tokio::spawn(connection);
        let answer = answer.await.map_err(|error| Failure::unanswered(&error))?;
        let (head, body) = answer.into_parts();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// An answer that has begun.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Incoming,
}

impl Answer {
    /// The next piece of the body.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        loop {
            match self.body.frame().await? {
                Ok(frame) => {
                    if let Ok(piece) = frame.into_data() {
                        return Some(Ok(piece));
                    }
                }
                Err(error) => return Some(Err(Failure::cut_off(&error))),
            }
        }
    }
}

/// What bytes go through, in both directions.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

enum Way {
    /// The path, and the same as hyperlocal wants it.
    Unix(PathBuf, Uri),
    #[cfg(feature = "tcp")]
    Tcp(String),
    #[cfg(feature = "tls")]
    Tls {
        authority: String,
        name: tokio_rustls::rustls::pki_types::ServerName<'static>,
        connector: tokio_rustls::TlsConnector,
    },
}

impl Way {
    fn new(connection: &Connection) -> Result<Self, Failure> {
        match (&connection.address, &connection.tls) {
            (Address::Unix(path), None) => Ok(Self::Unix(path.clone(), unix(path)?)),
            (Address::Unix(_), Some(_)) => Err(Failure::new(ErrorKind::Rejected, "TLS is for tcp:// only")),
            #[cfg(feature = "tcp")]
            (Address::Tcp(authority), None) => {
                address::host(authority).map_err(no_address)?;
                Ok(Self::Tcp(authority.clone()))
            }
            #[cfg(feature = "tls")]
            (Address::Tcp(authority), Some(tls)) => {
                let host = address::host(authority).map_err(no_address)?.to_owned();
                let name = host.try_into().map_err(|_| no_address("no certificate can be for that name"))?;
                Ok(Self::Tls { authority: authority.clone(), name, connector: tls.connector()? })
            }
            #[cfg(not(feature = "tcp"))]
            (Address::Tcp(_), None) => Err(Failure::without_feature("tcp")),
            #[cfg(not(feature = "tls"))]
            (Address::Tcp(_), Some(_)) => Err(Failure::without_feature("tls")),
        }
    }

    async fn dial(&self) -> io::Result<Box<dyn Stream>> {
        match self {
            Self::Unix(path, url) => match UnixConnector.call(url.clone()).await {
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
        }
    }
}

/// A path in the host of a URL, as hyperlocal wants it. Its own `Uri` panics where a path is unusual, and its connector
/// would go elsewhere where one is no text.
fn unix(path: &Path) -> Result<Uri, Failure> {
    let no_path = || Failure::new(ErrorKind::Rejected, "the path of the socket is no text in UTF-8");
    let host = path.to_str().ok_or_else(no_path)?.bytes().fold(String::new(), |mut host, byte| {
        // Writing into a text does not fail.
        let _ = write!(host, "{byte:02x}");
        host
    });
    let url = Uri::builder().scheme("unix").authority(host).path_and_query("/").build();
    url.map_err(|_| Failure::new(ErrorKind::Rejected, "no socket has such a path"))
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
#[cfg(feature = "tcp")]
fn no_address(why: &str) -> Failure {
    Failure::new(ErrorKind::Rejected, format!("this is no address: {why}"))
}
