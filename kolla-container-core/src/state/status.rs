//! What a container is doing, how well, and how its last run ended.

use std::fmt;

use serde::Serialize;

/// What a container is doing, in Docker's words; Podman's `configured` is `created`, `stopped` is `exited`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Made, and never started.
    Created,
    /// Running.
    Running,
    /// Frozen.
    Paused,
    /// Ended, and about to be started again by the engine.
    Restarting,
    /// On its way to an end.
    Stopping,
    /// Being removed.
    Removing,
    /// Ended.
    Exited,
    /// Could not be removed, and cannot be used any more.
    Dead,
    /// Something that we do not know, as the engine says it.
    Unrecognised(String),
}

impl Status {
    /// Whether its program is there, frozen or not.
    pub fn is_up(&self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }

    /// Whether it will be something else in a moment, without anybody doing anything.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Restarting | Self::Stopping | Self::Removing)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Stopping => "stopping",
            Self::Removing => "removing",
            Self::Exited => "exited",
            Self::Dead => "dead",
            Self::Unrecognised(text) => text,
        })
    }
}

/// What the health check of a container says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It has not said anything yet.
    Starting,
    /// The last check was fine.
    Healthy,
    /// The last checks failed.
    Unhealthy,
    /// Something that we do not know, as the engine says it.
    Unrecognised(String),
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Unrecognised(text) => text,
        })
    }
}

/// How the last run of a container ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExitStatus {
    /// The exit status of its program; 128 + N when signal N ended it.
    pub code: i64,
    /// Whether the kernel ended it for want of memory.
    pub oom_killed: bool,
    /// Why it could not be started, where it could not.
    pub error: Option<String>,
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit status {}", self.code)?;
        if self.oom_killed {
            f.write_str(", out of memory")?;
        }
        match &self.error {
            Some(error) => write!(f, ", {error}"),
            None => Ok(()),
        }
    }
}
