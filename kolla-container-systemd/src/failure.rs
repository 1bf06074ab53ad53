//! Why a unit did not do what it was asked to.

use std::fmt;

use kolla_container_core::ErrorKind;

/// How a job of systemd ended, in systemd's words.
///
/// A source of the [`Error`](kolla_container_core::Error) of a failed start, stop or restart, inside its [`UnitFailure`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobResult {
    /// It was done.
    Done,
    /// Somebody asked for the opposite meanwhile.
    Canceled,
    /// It took longer than the unit allows.
    Timeout,
    /// It failed.
    Failed,
    /// A unit that it needs failed.
    Dependency,
    /// It does not apply to what the unit is doing.
    Skipped,
    /// It did not end as long as it was waited for.
    Unfinished,
    /// Any other.
    Other(String),
}

impl JobResult {
    pub(crate) fn new(word: &str) -> Self {
        match word {
            "done" => Self::Done,
            "canceled" => Self::Canceled,
            "timeout" => Self::Timeout,
            "failed" => Self::Failed,
            "dependency" => Self::Dependency,
            "skipped" => Self::Skipped,
            other => Self::Other(other.to_owned()),
        }
    }

    /// What that means for whoever asked.
    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Timeout | Self::Unfinished => ErrorKind::TimedOut,
            Self::Canceled => ErrorKind::Conflict,
            _ => ErrorKind::EngineFailed,
        }
    }
}

impl fmt::Display for JobResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "done",
            Self::Canceled => "canceled",
            Self::Timeout => "timeout",
            Self::Failed => "failed",
            Self::Dependency => "dependency",
            Self::Skipped => "skipped",
            Self::Unfinished => "unfinished",
            Self::Other(word) => word,
        })
    }
}

/// What a unit was doing when it did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnitFailure {
    /// The unit.
    pub unit: String,
    /// How the job ended; `None` where it was done, and the container ended all the same.
    pub job: Option<JobResult>,
    /// systemd's `Result` of the service: `exit-code`, `start-limit-hit`, `timeout`.
    pub result: String,
    /// What the unit was doing: `failed`, `auto-restart`.
    pub sub_state: String,
    /// How the engine's command ended, which is how the container did: `exit status 3`, `signal 9`.
    pub ending: Option<String>,
    /// The last lines of that run in the journal, where it can be read.
    pub lines: Vec<String>,
}

impl std::error::Error for UnitFailure {}

impl fmt::Display for UnitFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unit, job, result, sub_state, ending, lines } = self;
        match job {
            Some(JobResult::Unfinished) => write!(f, "the job of {unit} has not ended in time")?,
            Some(job) => write!(f, "the job of {unit} ended with {job}")?,
            None => write!(f, "{unit} did not keep its container running")?,
        }
        if let Some(ending) = ending {
            write!(f, ": {ending}")?;
        }
        write!(f, " (result {result}, {sub_state})")?;
        if !lines.is_empty() {
            f.write_str("; its last lines:")?;
        }
        lines.iter().try_for_each(|line| write!(f, "\n    {line}"))
    }
}
