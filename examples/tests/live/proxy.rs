//! A proxy between the program and the engine, which can hold a request.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

/// When a request is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// Before the engine has got it.
    Before,
    /// When the engine has got it; where it is dropped then, nobody waits for the answer.
    Meanwhile,
    /// After the engine has answered, before the program has got the answer.
    After,
}

/// Which requests are held, by their first lines, in the order in which they come.
type Rule = dyn FnMut(&str) -> Option<Moment> + Send;

/// Holds the nth request that changes something.
pub(crate) fn nth_write(nth: usize, moment: Moment) -> impl FnMut(&str) -> Option<Moment> + Send {
    let mut writes = 0;
    move |request| {
        let is_write = !is_look(request);
        writes += usize::from(is_write);
        (is_write && writes == nth).then_some(moment)
    }
}

/// Holds the nth request that only looks, of those that come after the greeting: that is two requests, which do not wait
/// for long.
pub(crate) fn nth_look(nth: usize) -> impl FnMut(&str) -> Option<Moment> + Send {
    let mut looks = 0;
    move |request| {
        looks += usize::from(is_look(request));
        (is_look(request) && looks == nth + 2).then_some(Moment::Before)
    }
}

/// Holds the nth request that only looks, of those that come after the first one that changes something.
pub(crate) fn nth_later_look(nth: usize) -> impl FnMut(&str) -> Option<Moment> + Send {
    let (mut writes, mut looks) = (0, 0);
    move |request| {
        let counts = is_look(request) && writes > 0;
        writes += usize::from(!is_look(request));
        looks += usize::from(counts);
        (counts && looks == nth).then_some(Moment::Before)
    }
}

fn is_look(request: &str) -> bool {
    request.starts_with("GET ") || request.starts_with("HEAD ")
}

/// A proxy on a socket of its own.
#[derive(Debug)]
pub(crate) struct Proxy {
    folder: TempDir,
    held: mpsc::UnboundedReceiver<Held>,
    answers: Arc<Mutex<Vec<String>>>,
    accepting: AbortHandle,
}

/// A request that waits, until this is told to let it go; where it is dropped, so are the request and its answer.
#[derive(Debug)]
pub(crate) struct Held {
    /// Its first line.
    pub(crate) request: String,
    go: oneshot::Sender<()>,
}

impl Held {
    /// Lets it go.
    pub(crate) fn go(self) {
        // The proxy may have ended with its case.
        let _ = self.go.send(());
    }
}

impl Proxy {
    /// In front of the engine that listens at `engine`; holds the requests that `rule` names.
    pub(crate) fn start(engine: &Path, rule: impl FnMut(&str) -> Option<Moment> + Send + 'static) -> io::Result<Self> {
        let folder = TempDir::new()?;
        let listener = UnixListener::bind(folder.path().join("proxy.sock"))?;
        let (holding, held) = mpsc::unbounded_channel();
        let answers = Arc::default();
        let relay = Relay {
            engine: engine.to_owned(),
            rule: Arc::new(Mutex::new(rule)),
            holding,
            answers: Arc::clone(&answers),
        };
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Who is killed does not end a connection in order.
                tokio::spawn(relay.clone().connection(client));
            }
        });
        Ok(Self { folder, held, answers, accepting: accepting.abort_handle() })
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("proxy.sock").display())
    }

    /// The next request that is held.
    pub(crate) async fn held(&mut self) -> Held {
        self.held.recv().await.unwrap_or_else(|| panic!("the proxy has ended"))
    }

    /// What the engine has answered so far.
    pub(crate) fn answers(&self) -> Vec<String> {
        self.answers.lock().unwrap().clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What a connection needs.
#[derive(Clone)]
struct Relay {
    engine: PathBuf,
    rule: Arc<Mutex<Rule>>,
    holding: mpsc::UnboundedSender<Held>,
    answers: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    /// One connection, which is one request: the engine answers in HTTP 1.0, where the end of the connection is the
    /// end of the answer.
    async fn connection(self, mut client: UnixStream) -> io::Result<()> {
        let Some((line, request)) = read(&mut client).await? else { return Ok(()) };
        let moment = (*self.rule.lock().unwrap())(&line);
        if moment == Some(Moment::Before) && !self.held(&line).await {
            return Ok(());
        }
        let mut engine = UnixStream::connect(&self.engine).await?;
        engine.write_all(&request).await?;
        if moment == Some(Moment::Meanwhile) && !self.held(&line).await {
            return Ok(());
        }
        let mut answer = Vec::new();
        engine.read_to_end(&mut answer).await?;
        self.answers.lock().unwrap().push(String::from_utf8_lossy(&answer).into_owned());
        if moment == Some(Moment::After) && !self.held(&line).await {
            return Ok(());
        }
        client.write_all(&answer).await
    }

    /// Whether a request may go on, once somebody has said so.
    async fn held(&self, line: &str) -> bool {
        let (go, gone) = oneshot::channel();
        let _ = self.holding.send(Held { request: line.to_owned(), go });
        gone.await.is_ok()
    }
}

/// A request as it is passed on, and its first line; none where the connection was closed without one.
async fn read(client: &mut UnixStream) -> io::Result<Option<(String, Vec<u8>)>> {
    const END: &[u8] = b"\r\n\r\n";

    let mut request = Vec::new();
    let head = loop {
        if let Some(at) = request.windows(END.len()).position(|window| window == END) {
            break at;
        }
        if client.read_buf(&mut request).await? == 0 {
            return Ok(None);
        }
    };
    let body = request.split_off(head + END.len());
    let text = String::from_utf8(request).map_err(io::Error::other)?;
    let lower = text.to_ascii_lowercase();
    assert!(!lower.contains("transfer-encoding"), "a request whose length is not stated: {text}");
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok()).unwrap_or(0);
    let line = text.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let mut request = text.replacen("HTTP/1.1", "HTTP/1.0", 1).into_bytes();
    let missing = length - body.len();
    request.extend(body);
    client.take(u64::try_from(missing).map_err(io::Error::other)?).read_to_end(&mut request).await?;
    Ok(Some((line, request)))
}
