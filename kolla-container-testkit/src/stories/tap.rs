//! What is said on the wire: a socket before that of an engine, on which requests are counted.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// The lines with which requests began.
type Lines = Arc<Mutex<Vec<String>>>;

/// A way to the engine on which requests are counted.
#[derive(Debug)]
pub struct Tap {
    lines: Lines,
    folder: TempDir,
}

impl Tap {
    /// Before the engine that listens on a socket.
    pub fn before(engine: PathBuf) -> Self {
        let tap = Self { lines: Lines::default(), folder: tempfile::tempdir().unwrap() };
        let listener = UnixListener::bind(tap.socket()).unwrap();
        let lines = Arc::clone(&tap.lines);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, engine.clone(), Arc::clone(&lines)));
            }
        });
        tap
    }

    /// Where a client connects instead.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("engine.sock")
    }

    /// The requests since it was asked last, each by its first line.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn forward(client: UnixStream, engine: PathBuf, lines: Lines) -> io::Result<()> {
    let (from_client, mut to_client) = client.into_split();
    let (mut from_engine, to_engine) = UnixStream::connect(engine).await?.into_split();
    let answers = async {
        tokio::io::copy(&mut from_engine, &mut to_client).await?;
        to_client.shutdown().await
    };
    future::try_join(requests(BufReader::new(from_client), to_engine, lines), answers).await.map(drop)
}

/// Passes requests on one after another, and writes down how each began.
async fn requests(
    mut from: impl AsyncBufReadExt + AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    lines: Lines,
) -> io::Result<()> {
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if from.read_line(&mut head).await? == 0 {
                return to.shutdown().await;
            }
        }
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(head.lines().next().unwrap_or_default().to_owned());
        to.write_all(head.as_bytes()).await?;
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        tokio::io::copy(&mut (&mut from).take(length.unwrap_or(0)), &mut to).await?;
        if head.contains("\r\nupgrade: ") {
            // From here on it is no HTTP any more.
            tokio::io::copy(&mut from, &mut to).await?;
        }
    }
}
