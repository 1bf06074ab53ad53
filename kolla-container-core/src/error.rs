//! What can go wrong with an engine or a supervisor, in few kinds that name meanings.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The answer of everything that talks to an engine or to a supervisor.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a failure means, whichever engine said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The container, image, volume, network or unit is not there.
    NotFound,
    /// It is in the way of something else: a name or a port taken, a volume in use, a container that
    /// another run is replacing, something foreign under a name of ours.
    Conflict,
    /// The request is wrong in itself: a spec with violations, a value that the engine refuses.
    Rejected,
    /// We may not: no permission on the socket, wrong credentials.
    Denied,
    /// This engine, or this version of it, cannot do that.
    Unsupported,
    /// There is nobody to talk to: no socket, connection refused, connection lost.
    Unreachable,
    /// It took longer than its deadline.
    TimedOut,
    /// It was asked to stop.
    Cancelled,
    /// The answer is none that we understand.
    Undecodable,
    /// The engine tried and failed: the program cannot be started, the disk is full.
    EngineFailed,
}

impl ErrorKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::Conflict => "in conflict with something else",
            Self::Rejected => "the request is not valid",
            Self::Denied => "not allowed",
            Self::Unsupported => "not supported",
            Self::Unreachable => "not reachable",
            Self::TimedOut => "timed out",
            Self::Cancelled => "stopped on request",
            Self::Undecodable => "the answer is not understood",
            Self::EngineFailed => "the engine failed",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A failure: its kind, what was being done, to what, and why.
///
/// `Display` prints its own level only ("start container db: the engine failed"); the cause is
/// [`source`](StdError::source), and [`Error::report`] prints both on one line.
///
/// ```
/// use kolla_container_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::NotFound, "start container", "db").because("no such container");
///
/// assert_eq!(error.to_string(), "start container db: not found");
/// assert_eq!(error.report(), "start container db: not found: no such container");
/// ```
#[derive(Clone)]
pub struct Error {
    kind: ErrorKind,
    operation: &'static str,
    subject: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure of `kind` while doing `operation` (a verb and what kind of thing: "start container")
    /// to `subject` (which one).
    pub fn new(kind: ErrorKind, operation: &'static str, subject: impl fmt::Display) -> Self {
        Self { kind, operation, subject: subject.to_string(), source: None }
    }

    /// With the cause in words: what the engine said, or what would be right. Passwords in URLs and
    /// values assigned to secret names are taken out of it.
    #[must_use]
    pub fn because(self, cause: impl fmt::Display) -> Self {
        self.caused_by(Cause(crate::secret::redact(&cause.to_string())))
    }

    /// With the error that caused it.
    #[must_use]
    pub fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What it means.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What was being done.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// To what.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The whole story on one line, from this level down to the first cause.
    pub fn report(&self) -> String {
        let mut line = self.to_string();
        let mut cause = StdError::source(self);
        while let Some(error) = cause {
            line.push_str(": ");
            line.push_str(&error.to_string());
            cause = error.source();
        }
        line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.operation)?;
        if !self.subject.is_empty() {
            write!(f, " {}", self.subject)?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({})", self.report())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// A cause that is only words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);
