//! Asks at an address whether an engine answers there.

use std::io;
use std::time::Duration;

use kolla_container_core::state::EngineKind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};

use crate::engine::{Address, Answer, Candidate};

/// How long an engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest first line that is waited for.
const LONGEST_LINE: usize = 512;

/// Connects, and asks the engine for a sign of life. Any HTTP answer counts as one.
pub(crate) async fn ask(candidate: &Candidate) -> Answer {
    match tokio::time::timeout(PATIENCE, status(candidate)).await {
        Ok(Ok(Some(status))) => Answer::Is(candidate.kind.unwrap_or({
            // Podman answers Docker's question too, but Docker does not know Podman's.
            if status == 200 { EngineKind::Podman } else { EngineKind::Docker }
        })),
        Ok(Ok(None)) => Answer::Silent("who answers there speaks no HTTP".to_owned()),
        Ok(Err(error)) => failed(&error, &candidate.address),
        Err(_) => Answer::Silent(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}

fn failed(error: &io::Error, address: &Address) -> Answer {
    let is_socket = matches!(address, Address::Unix(_));
    match error.kind() {
        io::ErrorKind::NotFound if is_socket => Answer::Absent,
        io::ErrorKind::PermissionDenied => Answer::Refused,
        io::ErrorKind::ConnectionRefused => Answer::Silent("nobody listens there".to_owned()),
        _ => Answer::Silent(error.to_string()),
    }
}

async fn status(candidate: &Candidate) -> io::Result<Option<u16>> {
    let path = match candidate.kind {
        Some(EngineKind::Docker) => "/_ping",
        _ => "/libpod/_ping",
    };
    match &candidate.address {
        Address::Unix(socket) => ping(UnixStream::connect(socket).await?, path).await,
        Address::Tcp(authority) => ping(TcpStream::connect(authority.as_str()).await?, path).await,
    }
}

/// The status of the answer; `None` where that is not HTTP.
async fn ping(mut stream: impl AsyncRead + AsyncWrite + Unpin, path: &str) -> io::Result<Option<u16>> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut line = Vec::new();
    while line.len() < LONGEST_LINE && !line.contains(&b'\n') && stream.read_buf(&mut line).await? > 0 {}
    Ok(status_of(&line))
}

fn status_of(line: &[u8]) -> Option<u16> {
    let line = String::from_utf8_lossy(line);
    let (version, rest) = line.lines().next()?.split_once(' ')?;
    if version.starts_with("HTTP/") { rest.split_whitespace().next()?.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tokio::net::UnixListener;

    use super::*;

    /// A socket in a folder of its own, which is removed when the test is over.
    struct Socket(PathBuf);

    impl Socket {
        fn new(test: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("reconcile-{test}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }

        fn path(&self) -> PathBuf {
            self.0.join("engine.sock")
        }

        async fn ask(&self, kind: Option<EngineKind>) -> Answer {
            ask(&Candidate { kind, address: Address::Unix(self.path()) }).await
        }

        /// Answers one question with `answer`; says which question it was.
        fn answering(&self, answer: &'static str) -> tokio::task::JoinHandle<String> {
            let listener = UnixListener::bind(self.path()).unwrap();
            tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut question = vec![0; 1024];
                let length = stream.read(&mut question).await.unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
                String::from_utf8_lossy(&question[..length]).lines().next().unwrap_or_default().to_owned()
            })
        }
    }

    impl Drop for Socket {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[tokio::test]
    async fn any_http_answer_is_a_sign_of_life() {
        let socket = Socket::new("alive");
        let question = socket.answering("HTTP/1.1 500 Internal Server Error\r\n\r\n");

        assert_eq!(socket.ask(Some(EngineKind::Docker)).await, Answer::Is(EngineKind::Docker));
        assert_eq!(question.await.unwrap(), "GET /_ping HTTP/1.1");
    }

    #[tokio::test]
    async fn who_knows_podmans_question_is_podman() {
        let podman = Socket::new("podman");
        let podmans = podman.answering("HTTP/1.1 200 OK\r\n\r\nOK");
        let docker = Socket::new("docker");
        let dockers = docker.answering("HTTP/1.1 404 Not Found\r\n\r\n");

        assert_eq!(podman.ask(None).await, Answer::Is(EngineKind::Podman));
        assert_eq!(docker.ask(None).await, Answer::Is(EngineKind::Docker));
        assert_eq!(podmans.await.unwrap(), "GET /libpod/_ping HTTP/1.1");
        assert_eq!(dockers.await.unwrap(), "GET /libpod/_ping HTTP/1.1");
    }

    #[tokio::test]
    async fn a_socket_without_a_listener_is_told_from_no_socket() {
        let socket = Socket::new("dead");
        assert_eq!(socket.ask(None).await, Answer::Absent);

        drop(UnixListener::bind(socket.path()).unwrap());

        assert_eq!(socket.ask(None).await, Answer::Silent("nobody listens there".to_owned()));
    }

    #[tokio::test]
    async fn who_says_something_else_or_hangs_up_speaks_no_http() {
        for (test, answer) in [("other", "220 ready\r\n"), ("nothing", ""), ("halved", "HTTP/1.1")] {
            let socket = Socket::new(test);
            let asked = socket.answering(answer);

            assert_eq!(socket.ask(None).await, Answer::Silent("who answers there speaks no HTTP".to_owned()));
            asked.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_listens_and_says_nothing_is_not_waited_for_for_long() {
        let socket = Socket::new("mute");
        let _listener = UnixListener::bind(socket.path()).unwrap();

        assert_eq!(socket.ask(None).await, Answer::Silent("no answer within 2 s".to_owned()));
    }
}
