//! PORT: what core asks of an init system that supervises containers, one unit each.

use std::fmt;

use async_trait::async_trait;

use crate::error::Result;
use crate::name::ContainerName;
use crate::quantity::TimeSpan;
use crate::shown::Shown;
use crate::spec::{ContainerSpec, RestartPolicy, StartLimit};
use crate::state::EngineKind;
use crate::text::words;

/// A supervisor of containers: the contract with those who write one.
///
/// The planner decides what is supervised; a supervisor renders, installs and starts units.
///
/// - A unit has the name of its container; installing it writes, reloads and enables it.
/// - Starting, stopping and restarting wait until that is done or has failed, and say why it failed.
/// - All are idempotent: stopping what is stopped and removing what is not there succeed.
#[async_trait]
pub trait Supervisor: fmt::Debug + Send + Sync + 'static {
    /// The text of the unit for `service`; comparing it with what is installed is all there is to drift.
    fn render(&self, service: &Service) -> String;

    /// Whether what runs by the text `there` has to be stopped and started again for the text `wanted` to hold, as when
    /// it was started by another program. No unless this says so.
    fn starts_otherwise(&self, _there: &str, _wanted: &str) -> bool {
        false
    }

    /// The unit of a container; `None` when there is none.
    async fn unit(&self, name: &ContainerName) -> Result<Option<UnitState>>;

    /// Writes the unit with this text ([`render`](Self::render) makes it), in one step, and enables it; a
    /// [`Conflict`](crate::ErrorKind::Conflict) when a unit that is not ours is in its place. What runs
    /// goes on running.
    async fn install(&self, name: &ContainerName, text: &str) -> Result<()>;

    /// Disables the unit and takes it away; fine when it is not there. What runs goes on running.
    async fn remove(&self, name: &ContainerName) -> Result<()>;

    /// Starts the unit and waits until its container was started.
    async fn start(&self, name: &ContainerName) -> Result<()>;

    /// Stops the unit and waits until its container has stopped.
    async fn stop(&self, name: &ContainerName) -> Result<()>;

    /// Stops and starts the unit.
    async fn restart(&self, name: &ContainerName) -> Result<()>;
}

/// What a unit is rendered from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// The container that the unit starts.
    pub container: ContainerName,
    /// The engine that has it.
    pub engine: EngineKind,
    /// When the supervisor starts it again; `unless-stopped` is the same as `always` here.
    pub restart: RestartPolicy,
    /// How often at most, and in which time.
    pub start_limit: StartLimit,
    /// How long it may take to stop; the engine's default unless stated.
    pub stop_timeout: Option<TimeSpan>,
}

impl Service {
    /// What a supervisor has to know of a container that is made from `spec`.
    ///
    /// Where the restart policy counts (`on-failure:3`) and no start limit is stated, the count is the limit: the first
    /// start, and that many more.
    pub fn new(container: ContainerName, engine: EngineKind, spec: &ContainerSpec) -> Self {
        let restart = spec.restart.unwrap_or_default();
        let default = match restart {
            RestartPolicy::OnFailure(Some(retries)) => {
                StartLimit { burst: retries.saturating_add(1), ..StartLimit::default() }
            }
            _ => StartLimit::default(),
        };
        let start_limit = spec.deploy.start_limit.unwrap_or(default);
        Self { container, engine, restart, start_limit, stop_timeout: spec.stop_timeout }
    }

    /// How long a supervisor waits before it starts the container again, in whole seconds: half of the time that each of
    /// the starts of the limit has. The other half is for the container to run, and to fail: one that fails sooner than that
    /// reaches the limit. `None` where they do not fit into it, so that the limit would never be reached.
    ///
    /// ```
    /// use kolla_container_core::{ContainerSpec, Service, state::EngineKind};
    ///
    /// let spec = ContainerSpec::default();
    /// let service = Service::new("db".parse()?, EngineKind::Docker, &spec);
    ///
    /// assert_eq!(service.restart_delay(), Some("6s".parse()?)); // 10 starts in 120 s: 12 s for each
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn restart_delay(&self) -> Option<TimeSpan> {
        let each = self.start_limit.interval.as_duration().as_secs().checked_div(self.start_limit.burst.into())?;
        Some(each / 2).filter(|delay| *delay > 0).map(TimeSpan::from_secs)
    }
}

/// The text of a unit. Somebody else's may hold passwords: what is assigned to a secret name is not in its `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct UnitText(String);

impl UnitText {
    /// The text, with all that is in it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for UnitText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for UnitText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&Shown::text(&self.0), f)
    }
}

/// A unit as observed.
#[derive(Clone, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any of them goes with any other")]
pub struct UnitState {
    /// Its text as installed.
    pub text: String,
    /// Whether a unit of ours: one that is not is never overwritten.
    pub ours: bool,
    /// Whether it starts with the machine.
    pub enabled: bool,
    /// Whether it was made impossible to start.
    pub masked: bool,
    /// Whether the supervisor goes by this text: what was written and not reloaded is not in force.
    pub loaded: bool,
    /// What it is doing.
    pub active: Active,
}

impl fmt::Debug for UnitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, ours, enabled, masked, loaded, active } = self;
        let mut shown = f.debug_struct("UnitState");
        shown.field("text", &UnitText::from(text.as_str())).field("ours", ours).field("enabled", enabled);
        shown.field("masked", masked).field("loaded", loaded).field("active", active).finish()
    }
}

words! {
    /// What a unit is doing, in systemd's words.
    pub enum Active ("state of a unit") {
        /// Started.
        Active = "active",
        /// On its way there.
        Activating = "activating",
        /// On its way to an end.
        Deactivating = "deactivating",
        /// Stopped.
        Inactive = "inactive",
        /// Ended badly.
        Failed = "failed",
    }
}
