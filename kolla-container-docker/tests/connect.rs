//! Connecting, on sockets behind which is no engine: what answers is scripted, and what is asked is recorded.

#![expect(clippy::expect_used, reason = "what fails to be prepared fails the test")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kolla_container_core::{Error, ErrorKind, Runtime};
use kolla_container_docker::{Address, Connection, Docker};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixListener;

/// Each request, up to the empty line.
type Asked = Arc<Mutex<Vec<String>>>;

/// Reads a request, answers it with the bytes that `answer` has for its path, and hangs up.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, asked: Asked, answer: impl Fn(&str) -> String) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let request = String::from_utf8(request).expect("the head of a request is text");
    let answer = answer(request.split(' ').nth(1).unwrap_or_default());
    asked.lock().expect("no test has panicked").push(request);
    // The other side may have had enough.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// A socket in a folder of its own.
struct Socket {
    _folder: TempDir,
    listener: Option<UnixListener>,
    connection: Connection,
    asked: Asked,
}

impl Socket {
    fn bind() -> Self {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).expect("the socket is new");
        let connection = Connection::new(Address::Unix(path));
        Self { _folder: folder, listener: Some(listener), connection, asked: Asked::default() }
    }

    fn answering(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> Self {
        let mut socket = Self::bind();
        let (listener, asked) = (socket.listener.take().expect("it was just bound"), Arc::clone(&socket.asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&asked), answer.clone()));
            }
        });
        socket
    }

    async fn connect(&self) -> Result<Docker, Error> {
        Docker::connect(&self.connection).await
    }

    /// The error of connecting: its kind, and its report without the address.
    async fn error(&self) -> (ErrorKind, String) {
        told(&self.connect().await.expect_err("nothing there is an engine"), &self.connection)
    }
}

fn told(error: &Error, connection: &Connection) -> (ErrorKind, String) {
    let report = error.report();
    let rest = report.strip_prefix(&format!("connect to {}: ", connection.address));
    (error.kind(), rest.expect("the report begins with what was done").to_owned())
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// As Docker 20.10 answers, in what matters.
fn docker(path: &str) -> String {
    match path {
        "/_ping" => pong("Docker/20.10.24 (linux)", "1.41"),
        path if path.ends_with("/info") => answer("200 OK", r#"{"Name": "node1", "ServerVersion": "20.10.24"}"#),
        _ => answer("404 Not Found", r#"{"message": "page not found"}"#),
    }
}

fn pong(server: &str, api: &str) -> String {
    let head = format!("Server: {server}\r\nApi-Version: {api}\r\nContent-Type");
    answer("200 OK", "OK").replace("Content-Type", &head)
}

/// bollard 0.21 leaves the negotiated level out of the path, so that an engine answers with its newest. That is said
/// here, for an upgrade of bollard to be noticed.
#[tokio::test]
async fn an_engine_is_pinged_and_asked_for_its_facts_and_for_nothing_else() {
    let engine = Socket::answering(docker);

    let docker = engine.connect().await.expect("this is an engine");

    assert_eq!(docker.engine().version.to_string(), "20.10.24");
    let asked = engine.asked.lock().expect("no test has panicked");
    let lines: Vec<&str> = asked.iter().filter_map(|request| request.lines().next()).collect();
    assert_eq!(lines, ["GET /_ping HTTP/1.1", "GET /info HTTP/1.1"]);
    assert!(asked.iter().all(|request| request.contains("\r\nhost: localhost\r\n")), "{asked:?}");
}

#[tokio::test]
async fn a_socket_that_is_not_there_is_not_found() {
    let connection: Connection = "unix:///nonexistent/docker.sock".parse().expect("this is an address");

    let error = Docker::connect(&connection).await.expect_err("nothing is there");

    assert_eq!(told(&error, &connection), (ErrorKind::NotFound, "not found: there is no such socket".to_owned()));
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_rejected() {
    let folder = tempfile::tempdir().expect("there is room for a folder");

    let connection = Connection::new(Address::Unix(folder.path().to_owned()));
    let error = Docker::connect(&connection).await.expect_err("nobody is there");

    let report = "the request is not valid: this is a file, and no socket";
    assert_eq!(told(&error, &connection), (ErrorKind::Rejected, report.to_owned()));
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_not_reachable() {
    let mut socket = Socket::bind();
    socket.listener = None;

    assert_eq!(socket.error().await, (ErrorKind::Unreachable, "not reachable: nobody listens there".to_owned()));
}

#[tokio::test]
async fn who_never_answers_is_given_up_at_the_deadline() {
    let mut silent = Socket::bind();
    silent.connection.deadline = Duration::from_millis(50);
    let begin = Instant::now();

    let error = silent.error().await;

    assert_eq!(error, (ErrorKind::TimedOut, "timed out: no answer within 50ms".to_owned()));
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn who_hangs_up_is_not_reachable() {
    let socket = Socket::answering(|_| String::new());

    let report = "not reachable: it hung up before it answered (connection closed before message completed)";
    assert_eq!(socket.error().await, (ErrorKind::Unreachable, report.to_owned()));
}

#[tokio::test]
async fn an_answer_that_is_no_http_is_not_understood() {
    let socket = Socket::answering(|_| "SSH-2.0-OpenSSH_9.2\r\n".to_owned());

    let (kind, report) = socket.error().await;

    assert_eq!(kind, ErrorKind::Undecodable);
    assert!(report.starts_with("the answer is not understood: what listens there does not speak HTTP ("), "{report}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_does_not_end_is_none() {
    let broken = Socket::answering(|_| "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned());
    let endless = Socket::answering(|_| answer("200 OK", &" ".repeat(2 << 20)));

    let broken = broken.error().await;
    let endless = endless.error().await;

    assert_eq!(broken.0, ErrorKind::Unreachable, "{}", broken.1);
    assert_eq!(endless.0, ErrorKind::Undecodable, "{}", endless.1);
}

#[tokio::test]
async fn podman_on_the_same_socket_is_refused_by_name() {
    let podman = Socket::answering(|_| pong("Libpod/4.3.1 (linux)", "1.41"));

    let report = "not supported: Podman answers (Libpod/4.3.1 (linux)), whose imitation of Docker is not enough: \
                  use kolla-container-podman";
    assert_eq!(podman.error().await, (ErrorKind::Unsupported, report.to_owned()));
    assert_eq!(podman.asked.lock().expect("no test has panicked").len(), 1);
}

#[tokio::test]
async fn an_engine_that_is_too_old_is_refused() {
    let old = Socket::answering(|_| pong("Docker/18.09.1 (linux)", "1.39"));

    let report =
        "not supported: Docker/18.09.1 (linux) speaks API 1.39; 1.41, that of Docker 20.10, is the oldest that works";
    assert_eq!(old.error().await, (ErrorKind::Unsupported, report.to_owned()));
}

#[cfg(feature = "tcp")]
#[tokio::test]
async fn tcp_goes_to_the_host_that_is_named() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let authority = listener.local_addr().expect("it is bound").to_string();
    let asked = Asked::default();
    let remembered = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream, Arc::clone(&remembered), docker).await;
        }
    });

    let connection: Connection = format!("tcp://{authority}").parse().expect("this is an address");
    Docker::connect(&connection).await.expect("this is an engine");

    let asked = asked.lock().expect("no test has panicked");
    assert!(asked.iter().all(|request| request.contains(&format!("\r\nhost: {authority}\r\n"))), "{asked:?}");
}

#[cfg(feature = "tls")]
mod tls {
    use std::fs;
    use std::path::PathBuf;

    use kolla_container_docker::Tls;
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::server::WebPkiClientVerifier;
    use tokio_rustls::rustls::{RootCertStore, ServerConfig};

    use super::*;

    /// An authority, and a folder for what it signs.
    struct Authority {
        folder: TempDir,
        certificate: CertificateDer<'static>,
        issuer: Issuer<'static, KeyPair>,
    }

    impl Authority {
        fn new(name: &str) -> Self {
            let folder = tempfile::tempdir().expect("there is room for a folder");
            let mut params = CertificateParams::new([]).expect("no name is wrong");
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            let key = KeyPair::generate().expect("there is randomness");
            let certificate = params.self_signed(&key).expect("the key can sign");
            fs::write(folder.path().join("ca.pem"), certificate.pem()).expect("there is room for a file");
            Self { folder, certificate: certificate.der().clone(), issuer: Issuer::new(params, key) }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn sign(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
            let key = KeyPair::generate().expect("there is randomness");
            let params = CertificateParams::new([name.to_owned()]).expect("the name is right");
            (params.signed_by(&key, &self.issuer).expect("the key can sign"), key)
        }

        /// What a client needs that this authority knows.
        fn client(&self) -> Tls {
            let (certificate, key) = self.sign("client");
            fs::write(self.path("cert.pem"), certificate.pem()).expect("there is room for a file");
            fs::write(self.path("key.pem"), key.serialize_pem()).expect("there is room for a file");
            Tls {
                ca: Some(self.path("ca.pem")),
                certificate: Some(self.path("cert.pem")),
                key: Some(self.path("key.pem")),
            }
        }

        /// What a client needs that only trusts.
        fn trust(&self) -> Tls {
            Tls { ca: Some(self.path("ca.pem")), ..Tls::default() }
        }

        /// An engine with a certificate of this authority for `name`, which demands one of its clients where it `asks`.
        async fn engine(&self, name: &str, asks: bool) -> Connection {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate.clone()).expect("it is a certificate");
            let provider = Arc::new(ring::default_provider());
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            let (certificate, key) = self.sign(name);
            let builder = ServerConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("the provider has them");
            let builder = if asks {
                builder.with_client_cert_verifier(verifier.build().expect("there is a root"))
            } else {
                builder.with_no_client_auth()
            };
            let key = PrivateKeyDer::try_from(key.serialize_der()).expect("it is a key");
            let config = builder.with_single_cert(vec![certificate.der().clone()], key).expect("they fit");
            let acceptor = TlsAcceptor::from(Arc::new(config));
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
            let port = listener.local_addr().expect("it is bound").port();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    // A handshake that fails is the client's to tell.
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, Asked::default(), docker).await;
                    }
                }
            });
            Connection::new(Address::Tcp(format!("localhost:{port}")))
        }
    }

    async fn error(connection: Connection, tls: Tls) -> (ErrorKind, String) {
        let connection = Connection { tls: Some(tls), ..connection };
        told(&Docker::connect(&connection).await.expect_err("this cannot work"), &connection)
    }

    #[tokio::test]
    async fn an_engine_that_the_stated_authority_vouches_for_is_trusted() {
        let authority = Authority::new("ours");
        let engine = authority.engine("localhost", false).await;

        let connected = Docker::connect(&Connection { tls: Some(authority.trust()), ..engine }).await;

        assert!(connected.is_ok(), "{connected:?}");
    }

    #[tokio::test]
    async fn an_engine_of_another_authority_is_not_trusted_whoever_is_stated() {
        let engine = Authority::new("theirs").engine("localhost", false).await;

        let other = error(engine.clone(), Authority::new("ours").trust()).await;
        let namesake = error(engine.clone(), Authority::new("theirs").trust()).await;
        let system = error(engine, Tls::default()).await;

        let report = "not reachable: no authority (CA) that we trust has signed its certificate: \
                      name the one that has, it is the ca.pem of the engine's certificates";
        assert_eq!(other, (ErrorKind::Unreachable, report.to_owned()));
        assert_eq!(namesake, other);
        // A system without any authority says that instead.
        assert!(system == other || system.1.contains("this system has none"), "{}", system.1);
    }

    #[tokio::test]
    async fn an_engine_with_the_name_of_another_is_not_trusted() {
        let authority = Authority::new("ours");
        let engine = authority.engine("node1", false).await;

        let (kind, report) = error(engine, authority.trust()).await;

        assert_eq!(kind, ErrorKind::Unreachable);
        assert!(report.contains(r#"certificate not valid for name "localhost""#), "{report}");
    }

    #[tokio::test]
    async fn the_client_certificate_is_presented() {
        let authority = Authority::new("ours");
        let engine = authority.engine("localhost", true).await;

        let connected = Docker::connect(&Connection { tls: Some(authority.client()), ..engine }).await;

        assert!(connected.is_ok(), "{connected:?}");
    }

    #[tokio::test]
    async fn a_client_that_the_engine_does_not_know_is_denied() {
        let authority = Authority::new("ours");
        let engine = authority.engine("localhost", true).await;
        let (stranger, namesake) = (Authority::new("theirs"), Authority::new("ours"));
        let with_ca = |tls: Tls| Tls { ca: authority.trust().ca, ..tls };

        let nobody = error(engine.clone(), authority.trust()).await;
        let unknown = error(engine.clone(), with_ca(stranger.client())).await;
        let forged = error(engine, with_ca(namesake.client())).await;

        let report =
            "not allowed: it demands a client certificate that it trusts, and said CertificateRequired to ours";
        assert_eq!(nobody, (ErrorKind::Denied, report.to_owned()));
        assert_eq!(unknown.0, ErrorKind::Denied, "{}", unknown.1);
        assert_eq!(forged.0, ErrorKind::Denied, "{}", forged.1);
    }

    #[tokio::test]
    async fn a_missing_key_is_named_before_anybody_is_asked() {
        let authority = Authority::new("ours");
        let tls = authority.client();
        fs::remove_file(authority.path("key.pem")).expect("it was written");

        let (kind, report) = error(Connection::new(Address::Tcp("localhost:1".to_owned())), tls).await;

        assert_eq!(kind, ErrorKind::Rejected);
        let key = authority.path("key.pem");
        let why = format!("the private key of the client certificate {} cannot be read", key.display());
        assert!(report.contains(&why), "{report}");
    }

    #[tokio::test]
    async fn an_engine_without_tls_is_said_to_speak_none() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let authority = listener.local_addr().expect("it is bound").to_string();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                // What a server of HTTP says to the greeting of TLS.
                let _ = stream.write_all(answer("400 Bad Request", "").as_bytes()).await;
            }
        });

        let (kind, report) = error(Connection::new(Address::Tcp(authority)), Authority::new("ours").trust()).await;

        assert_eq!(kind, ErrorKind::Unreachable);
        assert_eq!(report, "not reachable: what listens there does not speak TLS");
    }
}
