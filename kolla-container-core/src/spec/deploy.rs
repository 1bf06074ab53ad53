//! How a container is put in place: what no engine records, and what is never compared.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::command::Command;
use crate::quantity::TimeSpan;
use crate::text::words;

/// How the container is put in place. Nothing here is part of what runs, so nothing is compared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deploy {
    /// How to find out whether the program in the container uses its present configuration files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config_check: Option<ConfigCheck>,
    /// Whether a supervisor, where there is one, starts and stops the container. Default: true.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supervised: Option<bool>,
    /// How often and how fast a supervisor starts it again. Default: 10 times in 120 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_limit: Option<StartLimit>,
    /// Whether sources of bind mounts that do not exist are created as folders. Default: false, an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_missing_sources: Option<bool>,
    /// The order of a replacement. Default: stop first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replace: Option<ReplaceOrder>,
    /// How long a new container is watched before the old one is removed. Default: 3 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settle: Option<TimeSpan>,
    /// Whether the old one is removed only when the health check of the new one, where it has one, says that it is
    /// well; without, it only has to go on running. Default: true.
    ///
    /// For services that get healthy only by what is done after their replacement.
    /// [`Goal::Healthy`](crate::Goal::Healthy) waits for health in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// How long each kind of step may take.
    #[serde(skip_serializing_if = "Deadlines::is_default")]
    pub deadlines: Deadlines,
}

impl Deploy {
    /// How long a new container is watched.
    pub fn settle_time(&self) -> Duration {
        self.settle.map_or(Duration::from_secs(3), TimeSpan::as_duration)
    }

    /// Whether a new container has to be healthy before the old one is removed.
    pub fn waits_for_health(&self) -> bool {
        self.healthy.unwrap_or(true)
    }

    /// Whether a supervisor, where there is one, is in charge.
    pub fn is_supervised(&self) -> bool {
        self.supervised.unwrap_or(true)
    }
}

words! {
    /// The order of a replacement.
    pub enum ReplaceOrder ("order of replacement") {
        /// The old container is stopped before the new one starts: ports, volumes and names are never
        /// in use twice.
        StopFirst = "stop-first",
        /// The new one is started and verified before the old one is stopped, where nothing of theirs
        /// clashes (host network, fixed ports of the host, on Podman the name in a network); stop-first where something does.
        StartFirst = "start-first",
    }
}

words! {
    /// What a configuration that is stale calls for.
    pub enum Stale ("answer to a stale configuration") {
        /// Restart the container.
        Restart = "restart",
        /// Replace it by a new one.
        Recreate = "recreate",
    }
}

/// A command that finds out, inside the running container, whether its configuration is fresh.
///
/// Exit status 0 is fresh; 1 and 137 are stale; any other is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigCheck {
    /// What is run in the container.
    pub command: Command,
    /// As which user; the container's unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What is done when it is stale.
    pub stale: Stale,
}

/// How often a supervisor starts a container again before it gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartLimit {
    /// How many starts are tried; at least 1.
    pub burst: u32,
    /// In which time.
    pub interval: TimeSpan,
}

impl Default for StartLimit {
    fn default() -> Self {
        Self { burst: 10, interval: TimeSpan::from_secs(120) }
    }
}

/// How long each kind of step may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Deadlines {
    /// One request to the engine; a stop has its grace time on top. Default: 120 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request: Option<TimeSpan>,
    /// The pull of an image. Default: 30 min.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull: Option<TimeSpan>,
    /// How long a container may take to become healthy. Default: 5 min.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<TimeSpan>,
}

impl Deadlines {
    /// How long one request may take.
    pub fn request(&self) -> Duration {
        self.request.map_or(Duration::from_mins(2), TimeSpan::as_duration)
    }

    /// How long a pull may take.
    pub fn pull(&self) -> Duration {
        self.pull.map_or(Duration::from_mins(30), TimeSpan::as_duration)
    }

    /// How long it may take to become healthy.
    pub fn healthy(&self) -> Duration {
        self.healthy.map_or(Duration::from_mins(5), TimeSpan::as_duration)
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
