//! 4. What to do: the smallest safe way from what is there to what is wanted, as data to read first.
//!
//! Pure: [`plan`] decides from goals and an [`Observation`]; nothing here talks to an engine. A dry run
//! is a plan that nobody applies.

mod check;
mod container;
mod end;
mod goal;
mod joiners;
mod observation;
mod order;
mod recover;
mod replace;
mod run;
mod step;
mod text;
mod together;
mod unit;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

pub use self::goal::{Goal, Goals, RunOptions};
use self::joiners::Joiners;
pub use self::observation::{Details, Freshness, Leftovers, Needs, Observation};
pub(crate) use self::recover::being_replaced;
pub use self::step::{Action, Cause, Replaced, Step, Target, Undo};
use crate::diff::{Change, Comparison};
use crate::error::Error;
use crate::name::{ContainerId, ContainerName, VolumeName};
use crate::quantity::TimeSpan;
use crate::spec::{ConfigCheck, Deadlines};
use crate::state::{ContainerState, EngineFacts};
use crate::supervisor::Supervisor;
use crate::text::words;
use crate::violation::Violations;

words! {
    /// What becomes of a container.
    pub enum Effect ("effect") {
        /// Nothing.
        Unchanged = "unchanged",
        /// It is made.
        Created = "created",
        /// It is started.
        Started = "started",
        /// It is changed while it runs.
        Updated = "updated",
        /// It is restarted.
        Restarted = "restarted",
        /// A new one takes its place.
        Replaced = "replaced",
        /// It is stopped.
        Stopped = "stopped",
        /// It is frozen.
        Paused = "paused",
        /// It goes on after it was frozen.
        Unpaused = "unpaused",
        /// It gets a signal.
        Killed = "killed",
        /// It is run to its end.
        Ran = "ran",
        /// It is removed.
        Removed = "removed",
        /// Its unit is changed, or what an interrupted run left behind is cleared away.
        Repaired = "repaired",
        /// It is only watched until it is well.
        Verified = "verified",
    }
}

/// What a plan needs to know besides goals and observation.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The engine.
    pub engine: &'a EngineFacts,
    /// Which fields are compared, and how.
    pub comparison: &'a Comparison,
    /// The supervisor, where there is one: it renders the units that a plan compares and installs.
    pub supervisor: Option<&'a dyn Supervisor>,
    /// Whether to take over replacements that another run may still be at work on.
    pub take_over: bool,
}

/// What to do, container by container, in an order that respects who refers to whom.
///
/// Printed, it is for people: stable, and without secrets. Serialised, it is for programs; see
/// [`ContainerPlan`].
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Plan {
    /// The containers, in an order in which they can be dealt with.
    pub containers: Vec<ContainerPlan>,
}

impl Plan {
    /// Whether nothing is to do, and nothing is refused.
    pub fn is_empty(&self) -> bool {
        self.containers.iter().all(ContainerPlan::is_empty)
    }

    /// The plan for the container `name`.
    pub fn container(&self, name: &ContainerName) -> Option<&ContainerPlan> {
        self.containers.iter().find(|plan| plan.name == *name)
    }

    /// How many containers there are with each effect; those that are refused count for none.
    pub fn counts(&self) -> BTreeMap<Effect, usize> {
        let mut counts = BTreeMap::new();
        for container in self.containers.iter().filter(|container| container.refused.is_none()) {
            *counts.entry(container.effect).or_default() += 1;
        }
        counts
    }

    /// The containers that may not be touched, each with the reason.
    pub fn refused(&self) -> impl Iterator<Item = (&ContainerName, &Error)> {
        self.containers.iter().filter_map(|plan| plan.refused.as_ref().map(|error| (&plan.name, error)))
    }
}

/// What to do about one container.
///
/// Serialised as an object with `name`, `effect`, `changes` (`field`, `entries` with `key`, `current` and
/// `desired`, `remedy`), `steps` (`action`, `cause`, `undo`), `notes`, `after`, `together`, and `refused`
/// (the reason) where it may not be touched. Secrets are hidden in all of them.
#[derive(Clone, Debug)]
pub struct ContainerPlan {
    /// Its name.
    pub name: ContainerName,
    /// What becomes of it.
    pub effect: Effect,
    /// The fields that differ.
    pub changes: Vec<Change>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// What the user should know: what cannot be undone, what cannot be compared.
    pub notes: Vec<String>,
    /// The containers of the same plan that are dealt with before.
    pub after: BTreeSet<ContainerName>,
    /// The containers of the same plan that are replaced together with it or not at all: the old ones are removed
    /// when all new ones are well, and when one fails, all are put back.
    pub together: BTreeSet<ContainerName>,
    /// Why it may not be touched. The others of the plan may.
    pub refused: Option<Error>,
    /// How long each kind of step may take.
    pub deadlines: Deadlines,
    /// How long the containers that it stops may take to stop.
    pub(crate) stop_time: Duration,
    /// The existing container that it is about, once what an interrupted run left behind is cleared away.
    pub(crate) survivor: Option<Arc<ContainerState>>,
    /// The existing container that is replaced or removed.
    pub(crate) ends: Option<ContainerId>,
    /// Those of `together` that the existing container, or what is left of it, has joined.
    pub(crate) joined: BTreeSet<ContainerName>,
    /// What would be asked in the running container if nothing else is to do.
    pub(crate) config_check: Option<(ContainerId, ConfigCheck)>,
}

impl ContainerPlan {
    fn new(name: ContainerName) -> Self {
        Self {
            name,
            effect: Effect::Unchanged,
            changes: Vec::new(),
            steps: Vec::new(),
            notes: Vec::new(),
            after: BTreeSet::new(),
            together: BTreeSet::new(),
            refused: None,
            deadlines: Deadlines::default(),
            stop_time: Duration::from_secs(10),
            survivor: None,
            ends: None,
            joined: BTreeSet::new(),
            config_check: None,
        }
    }

    fn refused(name: ContainerName, error: Error) -> Self {
        Self { refused: Some(error), ..Self::new(name) }
    }

    /// The existing container that it is about, as it is once what an interrupted run left behind is cleared away: what
    /// it is doing. What differs in its configuration is in `changes`, whatever it is doing.
    pub fn existing(&self) -> Option<&ContainerState> {
        self.survivor.as_deref()
    }

    /// The id of the existing container that it is about.
    pub(crate) fn subject(&self) -> Option<&ContainerId> {
        self.survivor.as_ref().map(|survivor| &survivor.id)
    }

    /// The existing containers that are not there any more afterwards.
    pub(crate) fn lost(&self) -> impl Iterator<Item = &ContainerId> {
        let removed = self.steps.iter().filter_map(|step| match &step.action {
            Action::Remove { target: Target::Existing(id), .. } | Action::Discard { target: Target::Existing(id) } => {
                Some(id)
            }
            _ => None,
        });
        let ends = self.ends.iter();
        ends.chain(removed.filter(|id| self.ends.as_ref() != Some(*id)))
    }

    /// Whether nothing is to do, and nothing is refused.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.refused.is_none()
    }

    /// The longest that this may take: the sum of the deadlines of its steps, and of their undo.
    pub fn longest(&self) -> Duration {
        let undo = self.steps.iter().flat_map(|step| match &step.undo {
            Undo::By(actions) => actions.as_slice(),
            Undo::Nothing | Undo::Committed => &[],
        });
        let actions = self.steps.iter().map(|step| &step.action).chain(undo);
        actions.map(|action| self.deadline(action)).fold(Duration::ZERO, Duration::saturating_add)
    }

    /// How long an action of this plan may take.
    pub fn deadline(&self, action: &Action) -> Duration {
        let request = self.deadlines.request();
        match action {
            Action::PullImage { .. } => self.deadlines.pull(),
            Action::Stop { grace, .. } | Action::Restart { grace, .. } => {
                request.saturating_add(grace.map_or(self.stop_time, TimeSpan::as_duration))
            }
            Action::StopUnit { .. } | Action::RestartUnit { .. } => request.saturating_add(self.stop_time),
            Action::Verify { settle, healthy, .. } => {
                let health = if *healthy { self.deadlines.healthy() } else { Duration::ZERO };
                request.saturating_add(*settle).saturating_add(health)
            }
            // Its output is read afterwards.
            Action::WaitForExit { deadline, .. } => {
                deadline.map_or(Duration::MAX, |deadline| deadline.as_duration().saturating_add(request))
            }
            _ => request,
        }
    }
}

/// Errors are compared by what they say.
impl PartialEq for ContainerPlan {
    fn eq(&self, other: &Self) -> bool {
        let refusal = |plan: &Self| plan.refused.as_ref().map(Error::report);
        self.name == other.name
            && self.effect == other.effect
            && self.changes == other.changes
            && self.steps == other.steps
            && self.notes == other.notes
            && self.after == other.after
            && self.together == other.together
            && refusal(self) == refusal(other)
    }
}

/// Decides what to do. Also says what else has to be looked at before the plan is final; a plan that
/// needs nothing more can be applied.
///
/// # Errors
///
/// All violations of all goals at once, by container and field; then nothing may be touched.
pub fn plan(goals: &Goals, seen: &Observation, context: &Context<'_>) -> Result<(Plan, Needs), Violations> {
    check::check(goals, seen, context).into_result()?;
    let mut forced: BTreeMap<ContainerName, Cause> = BTreeMap::new();
    loop {
        let mut needs = Needs::default();
        let mut plans: Vec<ContainerPlan> = goals
            .iter()
            .map(|(name, goal)| container::plan(name, goal, seen, context, forced.get(name), &mut needs))
            .collect();
        needs.joined_by = seen.details.joined_by.is_none() && plans.iter().any(|plan| plan.lost().next().is_some());
        let joiners = Joiners::of(&plans, seen);
        let more = joiners.follow(&mut plans, goals, &forced);
        if more.is_empty() {
            joiners.revive(&mut plans);
            joiners.note_unread(&mut plans);
            order::order(&mut plans, goals, seen);
            together::together(&mut plans, seen);
            make_volumes_once(&mut plans);
            return Ok((Plan { containers: plans }, needs));
        }
        forced.extend(more);
    }
}

/// A volume that several containers mount is made for the first of them, and stays when that one fails.
/// (Should it fail before, the engine makes the volume with the next container.)
fn make_volumes_once(plans: &mut [ContainerPlan]) {
    let mut makers: BTreeMap<VolumeName, usize> = BTreeMap::new();
    let volume = |step: &Step| match &step.action {
        Action::CreateVolume { volume } => Some(volume.clone()),
        _ => None,
    };
    for name in plans.iter().flat_map(|plan| plan.steps.iter().filter_map(volume)) {
        *makers.entry(name).or_default() += 1;
    }
    let mut made: BTreeSet<VolumeName> = BTreeSet::new();
    for plan in plans {
        plan.steps.retain(|step| volume(step).is_none_or(|name| made.insert(name)));
        let shared =
            |step: &&mut Step| volume(step).is_some_and(|name| makers.get(&name).is_some_and(|makers| *makers > 1));
        plan.steps.iter_mut().filter(shared).for_each(|step| step.undo = Undo::Nothing);
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::plan(self, f)
    }
}
