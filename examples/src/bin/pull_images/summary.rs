//! What is said at the end: what became of each image.

use std::fmt;

use kolla_container_core::images::{EnsureError, Ensured};
use kolla_container_core::state::{EngineFacts, EngineKind, PullFailure};
use kolla_container_core::{ByteSize, Error, ErrorKind, ImageId, ImageRef};
use serde::Serialize;

/// The version of the JSON document.
const FORMAT: u32 = 1;

/// What became of all images.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    format: u32,
    engine: Facts,
    images: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Facts {
    kind: EngineKind,
    version: String,
}

/// What became of an image.
#[derive(Debug, Serialize)]
struct Line {
    image: ImageRef,
    outcome: Outcome,
    id: Option<ImageId>,
    /// Whether it is another one than before, or was not there.
    changed: bool,
    /// How long the pull took, and how long it waited before.
    seconds: Option<f64>,
    waited_seconds: Option<f64>,
    size: Option<u64>,
    error: Option<Said>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Pulled,
    UpToDate,
    Present,
    Failed,
}

/// Why it is not there.
#[derive(Debug, Serialize)]
struct Said {
    /// In the words of Kubernetes.
    reason: &'static str,
    /// What the pull failed of.
    failure: Option<PullFailure>,
    message: String,
}

impl Summary {
    pub(crate) fn new(
        engine: &EngineFacts,
        outcomes: impl IntoIterator<Item = (ImageRef, Result<Ensured, EnsureError>)>,
    ) -> Self {
        let engine = Facts { kind: engine.kind, version: engine.version.to_string() };
        Self {
            format: FORMAT,
            engine,
            images: outcomes.into_iter().map(|(image, done)| Line::of(image, done)).collect(),
        }
    }

    /// Whether all images are there.
    pub(crate) fn is_success(&self) -> bool {
        self.count(Outcome::Failed) == 0
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.images.iter().filter(|line| line.outcome == outcome).count()
    }
}

impl Line {
    fn of(image: ImageRef, done: Result<Ensured, EnsureError>) -> Self {
        match done {
            Ok(Ensured { id, changed, pulled }) => Self {
                image,
                outcome: match (&pulled, changed) {
                    (None, _) => Outcome::Present,
                    (Some(_), true) => Outcome::Pulled,
                    (Some(_), false) => Outcome::UpToDate,
                },
                id: Some(id),
                changed,
                seconds: pulled.map(|pulled| pulled.took.as_secs_f64()),
                waited_seconds: pulled.map(|pulled| pulled.waited.as_secs_f64()),
                size: pulled.map(|pulled| pulled.size),
                error: None,
            },
            Err(error) => Self {
                image,
                outcome: Outcome::Failed,
                id: None,
                changed: false,
                seconds: None,
                waited_seconds: None,
                size: None,
                error: Some(Said {
                    reason: error.reason(),
                    failure: error.failure(),
                    message: Error::from(error).report(),
                }),
            },
        }
    }
}

/// A line for each image that failed, and one for all.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in self.images.iter().filter_map(|line| line.error.as_ref()) {
            writeln!(f, "{}: {}", error.reason, error.message)?;
        }
        let words = [
            (Outcome::Pulled, "pulled"),
            (Outcome::UpToDate, "up to date"),
            (Outcome::Present, "already here"),
            (Outcome::Failed, "failed"),
        ];
        let counts = words.map(|(outcome, word)| (self.count(outcome), word));
        let counts: Vec<String> =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        let bytes: u64 = self.images.iter().filter(|line| line.changed).filter_map(|line| line.size).sum();
        let size = if bytes == 0 { String::new() } else { format!("; {} new", ByteSize::from_bytes(bytes).rounded()) };
        let noun = if self.images.len() == 1 { "image" } else { "images" };
        writeln!(f, "{} {noun}: {}{size}.", self.images.len(), counts.join(", "))
    }
}

/// The document where nothing could be done.
#[derive(Debug, Serialize)]
pub(crate) struct Refused {
    format: u32,
    error: Why,
}

#[derive(Debug, Serialize)]
struct Why {
    kind: ErrorKind,
    message: String,
}

impl Refused {
    pub(crate) fn of(error: &Error) -> Self {
        Self { format: FORMAT, error: Why { kind: error.kind(), message: error.report() } }
    }
}
