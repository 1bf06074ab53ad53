//! The steps of a plan: what is done, why, and how it is undone.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::image_ref::ImageRef;
use crate::name::{ContainerId, ContainerName, VolumeName};
use crate::quantity::TimeSpan;
use crate::spec::{CleanPath, ContainerSpec, Platform, RestartPolicy, Signal};
use crate::state::{ContainerUpdate, Status};
use crate::supervisor::UnitText;
use crate::violation::FieldPath;

/// One step: what is done, why, and how it is undone.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is done.
    pub action: Action,
    /// Why.
    pub cause: Cause,
    /// How it is undone when a later step fails, or this one.
    pub undo: Undo,
}

/// How a step is undone.
#[derive(Clone, Debug, PartialEq)]
pub enum Undo {
    /// There is nothing to undo.
    Nothing,
    /// By these actions, in this order.
    By(Vec<Action>),
    /// It is not, and neither is anything before it: what was reached holds, and the next run
    /// finishes what this step could not.
    Committed,
}

/// Which container an action is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// One that was observed.
    Existing(ContainerId),
    /// The one that this plan makes.
    New,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Existing(id) => f.write_str(id.short()),
            Self::New => f.write_str("the new container"),
        }
    }
}

/// What a step does. Containers are named by id, so a plan never touches one that it did not see.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Fetches an image.
    PullImage {
        /// Which one.
        image: ImageRef,
        /// For which platform.
        platform: Option<Platform>,
    },
    /// Makes a named volume.
    CreateVolume {
        /// Its name.
        volume: VolumeName,
    },
    /// Removes a volume; one that is in use stays.
    RemoveVolume {
        /// Its name.
        volume: VolumeName,
    },
    /// Makes a container without starting it.
    Create {
        /// The name that it gets.
        name: ContainerName,
        /// What it should be.
        spec: Box<ContainerSpec>,
        /// The container whose place it will take.
        replaces: Option<Replaced>,
        /// Anonymous volumes of that container, by target, which the new one mounts where its image turns
        /// out to declare a volume. Those that it certainly mounts are in `spec`.
        inherits: BTreeMap<CleanPath, VolumeName>,
    },
    /// Starts a container.
    Start {
        /// Which one.
        target: Target,
    },
    /// Stops a container.
    Stop {
        /// Which one.
        target: Target,
        /// How long it may take before it is killed; its own stop timeout unless stated.
        grace: Option<TimeSpan>,
    },
    /// Restarts a container.
    Restart {
        /// Which one.
        target: Target,
        /// How long it may take to stop before it is killed; its own stop timeout unless stated.
        grace: Option<TimeSpan>,
    },
    /// Sends a signal to a container.
    Kill {
        /// Which one.
        target: Target,
        /// Which signal.
        signal: Signal,
    },
    /// Freezes a container.
    Pause {
        /// Which one.
        target: Target,
    },
    /// Lets a frozen container go on.
    Unpause {
        /// Which one.
        target: Target,
    },
    /// Gives a container another name.
    Rename {
        /// Which one.
        target: Target,
        /// The new name.
        to: ContainerName,
    },
    /// Changes a container while it runs.
    Update {
        /// Which one.
        target: Target,
        /// What changes.
        update: Box<ContainerUpdate>,
    },
    /// Starts a container that an interrupted run has stopped, if it can be started.
    Revive {
        /// Which one.
        target: Target,
    },
    /// Removes a container; its volumes stay.
    Remove {
        /// Which one.
        target: Target,
        /// Only while it has this name: another run may have put it back.
        only_named: Option<ContainerName>,
    },
    /// Removes a container that was made in vain, with the anonymous volumes that were made for it.
    Discard {
        /// Which one.
        target: Target,
    },
    /// Watches whether a container runs, goes on running, and is well.
    Verify {
        /// Which one.
        target: Target,
        /// Whether it has to become healthy, where it has a check.
        healthy: bool,
        /// How long it has to go on running.
        settle: Duration,
    },
    /// Waits until a container has ended, and collects its output.
    WaitForExit {
        /// Which one.
        target: Target,
        /// How long it may run.
        deadline: Option<TimeSpan>,
    },
    /// Writes and enables the unit of a container.
    InstallUnit {
        /// Whose unit.
        name: ContainerName,
        /// Its text.
        text: UnitText,
    },
    /// Disables the unit of a container and takes it away.
    RemoveUnit {
        /// Whose unit.
        name: ContainerName,
    },
    /// Starts the unit of a container.
    StartUnit {
        /// Whose unit.
        name: ContainerName,
    },
    /// Stops the unit of a container.
    StopUnit {
        /// Whose unit.
        name: ContainerName,
    },
    /// Restarts the unit of a container.
    RestartUnit {
        /// Whose unit.
        name: ContainerName,
    },
}

/// What a new container remembers of the one that it replaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replaced {
    /// Its id.
    pub id: ContainerId,
    /// The restart policy that it loses while it is set aside.
    pub restart: Option<RestartPolicy>,
}

impl Action {
    /// Whether it can be left at any moment: it only looks and waits, or fetches what nobody uses yet.
    pub fn can_be_left(&self) -> bool {
        matches!(self, Self::Verify { .. } | Self::WaitForExit { .. } | Self::PullImage { .. })
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PullImage { image, .. } => write!(f, "pull image {}", image.familiar()),
            Self::CreateVolume { volume } => write!(f, "create volume {volume}"),
            Self::RemoveVolume { volume } => write!(f, "remove volume {volume}"),
            Self::Create { name, .. } => write!(f, "create container {name}"),
            Self::Start { target } => write!(f, "start {target}"),
            Self::Stop { target, .. } => write!(f, "stop {target}"),
            Self::Restart { target, .. } => write!(f, "restart {target}"),
            Self::Kill { target, signal } => write!(f, "send {signal} to {target}"),
            Self::Pause { target } => write!(f, "pause {target}"),
            Self::Unpause { target } => write!(f, "unpause {target}"),
            Self::Rename { target, to } => write!(f, "rename {target} to {to}"),
            Self::Update { target, update } => {
                let fields = crate::diff::stated_fields(&update.as_spec());
                write!(f, "update {} of {target} in place", fields.join(" and "))
            }
            Self::Revive { target } => write!(f, "start {target} again"),
            Self::Remove { target, .. } | Self::Discard { target } => write!(f, "remove {target}"),
            Self::Verify { target, healthy: true, .. } => write!(f, "verify that {target} stays up and well"),
            Self::Verify { target, healthy: false, .. } => write!(f, "verify that {target} stays up"),
            Self::WaitForExit { target, .. } => write!(f, "wait until {target} has ended"),
            Self::InstallUnit { name, .. } => write!(f, "install the unit of {name}"),
            Self::RemoveUnit { name } => write!(f, "remove the unit of {name}"),
            Self::StartUnit { name } => write!(f, "start the unit of {name}"),
            Self::StopUnit { name } => write!(f, "stop the unit of {name}"),
            Self::RestartUnit { name } => write!(f, "restart the unit of {name}"),
        }
    }
}

/// Why a step is in a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// There is no such container.
    Missing,
    /// These fields differ.
    Differs(Vec<FieldPath>),
    /// The configuration is right, the state is not.
    Status(Status),
    /// It is unhealthy.
    Unhealthy,
    /// Its configuration files have changed since it started.
    StaleConfig,
    /// Its unit is missing, differs, or is not enabled.
    Unit,
    /// It runs, but its supervisor did not start it.
    OutsideUnit,
    /// A container that it has joined gets replaced.
    Joined(ContainerName),
    /// A container whose namespaces it has joined is started anew, with new ones.
    JoinedAnew(ContainerName),
    /// An earlier run was interrupted.
    Interrupted,
    /// It was asked for.
    Asked,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no such container"),
            Self::Differs(fields) if fields.len() == 1 => write!(f, "{} differs", crate::text::join(fields, ", ")),
            Self::Differs(fields) => write!(f, "{} differ", crate::text::join(fields, ", ")),
            Self::Status(status) => write!(f, "it is {status}"),
            Self::Unhealthy => f.write_str("it is unhealthy"),
            Self::StaleConfig => f.write_str("its configuration files have changed since it started"),
            Self::Unit => f.write_str("its unit is not as it should be"),
            Self::OutsideUnit => f.write_str("it runs outside its unit"),
            Self::Joined(name) => write!(f, "it has joined {name}, which gets replaced"),
            Self::JoinedAnew(name) => write!(f, "it has joined {name}, which is started anew"),
            Self::Interrupted => f.write_str("an earlier run was interrupted"),
            Self::Asked => f.write_str("asked for"),
        }
    }
}

/// Actions with one cause, gathered in their order.
#[derive(Debug)]
pub(super) struct Steps {
    cause: Cause,
    pub(super) steps: Vec<Step>,
}

impl Steps {
    pub(super) fn because(cause: Cause) -> Self {
        Self { cause, steps: Vec::new() }
    }

    fn add(&mut self, action: Action, undo: Undo) {
        self.steps.push(Step { action, cause: self.cause.clone(), undo });
    }

    /// A step with nothing to undo.
    pub(super) fn once(&mut self, action: Action) {
        self.add(action, Undo::Nothing);
    }

    /// A step that is undone by `undo`, in its order.
    pub(super) fn undone_by(&mut self, action: Action, undo: impl IntoIterator<Item = Action>) {
        self.add(action, Undo::By(undo.into_iter().collect()));
    }

    /// A step after which nothing is undone any more.
    pub(super) fn committed(&mut self, action: Action) {
        self.add(action, Undo::Committed);
    }
}
