//! How Podman is asked: what a request says, how long it may take, and what its answer is worth.
//!
//! Nothing of a body is logged, nor shown by `Debug`.

mod call;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, BoxStream};
use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode};
use kolla_container_core::ErrorKind;
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(crate) use self::call::{Body, Call};
use crate::connect::{Answer, Transport};
use crate::error::Failure;

/// More than any document of Podman.
const LONGEST: usize = 64 << 20;

/// What is told of a text that says why something failed.
const LONGEST_TEXT: usize = 2000;

/// Asks, each request on a connection of its own. Clones are cheap.
#[derive(Clone)]
pub(crate) struct Client {
    transport: Arc<Transport>,
    /// How long a request may take, beside what it waits for by its nature.
    deadline: Duration,
}

/// A whole answer, whatever it says.
pub(crate) struct Whole {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    pub(crate) fn new(transport: Transport, deadline: Duration) -> Self {
        Self { transport: Arc::new(transport), deadline }
    }

    /// Asks for a document.
    pub(crate) async fn json<T: DeserializeOwned>(&self, call: Call) -> Result<T, Failure> {
        let body = self.bytes(call).await?;
        serde_json::from_slice(&body).map_err(|error| Failure::undecodable(&error))
    }

    /// Asks for something to be done; the status says whether there was anything to do (204) or not (304).
    pub(crate) async fn send(&self, call: Call) -> Result<u16, Failure> {
        let done = self.whole(call).await.and_then(|answer| match answer.status {
            StatusCode::NOT_MODIFIED => Ok(answer),
            _ => good(answer),
        });
        done.map(|answer| answer.status.as_u16()).map_err(Failure::of_an_engine)
    }

    /// Asks for something that is no document.
    pub(crate) async fn bytes(&self, call: Call) -> Result<Bytes, Failure> {
        self.whole(call).await.and_then(good).map(|answer| answer.body).map_err(Failure::of_an_engine)
    }

    /// Asks for what comes piece by piece: output, progress. Each piece is waited for as long as the beginning is, where
    /// the call does not say otherwise.
    pub(crate) async fn stream(&self, call: Call) -> Result<BoxStream<'static, Result<Bytes, Failure>>, Failure> {
        let wait = call.patience().rest(self.deadline);
        let mut answer = self.begin(call).await.map_err(Failure::of_an_engine)?;
        if !answer.status.is_success() {
            let body = within(Some(self.deadline), rest(&mut answer)).await?;
            return Err(refusal(answer.status, &body));
        }
        Ok(Box::pin(stream::try_unfold(answer, move |mut answer| async move {
            let piece = within(wait, async { answer.next().await.transpose() }).await?;
            Ok(piece.map(|piece| (piece, answer)))
        })))
    }

    /// Asks, and reads the answer to its end, whatever it says.
    pub(crate) async fn whole(&self, call: Call) -> Result<Whole, Failure> {
        let wait = call.patience().rest(self.deadline);
        within(wait, async {
            let mut answer = self.begin(call).await?;
            let body = rest(&mut answer).await?;
            Ok(Whole { status: answer.status, headers: answer.headers, body })
        })
        .await
    }

    async fn begin(&self, call: Call) -> Result<Answer, Failure> {
        let wait = call.patience().beginning(self.deadline);
        let request = call.request()?;
        within(wait, self.transport.send(request)).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Failure {
    /// The same of an engine that has answered before: what is missing now is the socket, and not what was asked for.
    fn of_an_engine(self) -> Self {
        match self {
            Self::Lost { kind: ErrorKind::NotFound, cause } => Self::new(ErrorKind::Unreachable, cause),
            failure => failure,
        }
    }
}

async fn within<T>(wait: Option<Duration>, asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let Some(wait) = wait else { return asked.await };
    match tokio::time::timeout(wait, asked).await {
        Ok(answer) => answer,
        Err(_) => Err(Failure::new(ErrorKind::TimedOut, format!("no answer within {wait:?}"))),
    }
}

async fn rest(answer: &mut Answer) -> Result<Bytes, Failure> {
    let mut body = Vec::new();
    while let Some(piece) = answer.next().await {
        body.extend_from_slice(&piece?);
        if body.len() > LONGEST {
            return Err(Failure::new(ErrorKind::Undecodable, format!("the answer is longer than {LONGEST} bytes")));
        }
    }
    Ok(body.into())
}

fn good(answer: Whole) -> Result<Whole, Failure> {
    if answer.status.is_success() { Ok(answer) } else { Err(refusal(answer.status, &answer.body)) }
}

fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    let said = message(body);
    if status == StatusCode::NOT_FOUND && !body.starts_with(b"{") {
        // It would say in JSON that there is no such container; and that is to be said of nothing else.
        return Failure::new(ErrorKind::Unsupported, "this Podman does not know such a request");
    }
    let message = if said.is_empty() { status.to_string() } else { said };
    Failure::Answered { status: status.as_u16(), message }
}

/// As many whole words as there is room for: half of a URL would show half of its password.
fn beginning(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        None => text.to_owned(),
        Some((end, _)) => text
            .get(..end)
            .and_then(|text| text.rsplit_once(char::is_whitespace))
            .map_or("", |(words, _)| words)
            .to_owned(),
    }
}

/// The beginning of what an error of Podman says, or of any other text.
pub(crate) fn message(body: &[u8]) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Said {
        message: String,
        cause: String,
    }
    let text = match serde_json::from_slice(body) {
        Ok(Said { message, cause }) if message.trim().is_empty() => cause,
        Ok(Said { message, .. }) => message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    beginning(text.trim())
}
