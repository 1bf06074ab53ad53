//! One container: its steps in order, and their undo in reverse when one fails.

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use futures_util::future::Either;
use tokio::time::Instant;

use super::Means;
use super::part::Part;
use super::progress::Event;
use super::report::{ApplyError, ContainerReport, StepReport, Undone};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{ContainerId, VolumeName};
use crate::plan::{Action, Cause, ContainerPlan, Effect, Step, Target, Undo};
use crate::quantity::TimeSpan;
use crate::state::Owner;

/// A container that is being dealt with.
pub(super) struct Run<'a> {
    pub(super) plan: &'a ContainerPlan,
    pub(super) means: &'a Means<'a>,
    pub(super) report: ContainerReport,
    /// The container that this run has made.
    pub(super) new: Option<ContainerId>,
    /// What it was labelled with: how it is known when the answer to its creation was lost.
    pub(super) mark: Option<Owner>,
    /// The named volumes that this run has made.
    pub(super) made_volumes: BTreeSet<VolumeName>,
    /// The longest that this run and those together with it may take.
    pub(super) longest: Duration,
    /// How many steps were done.
    done: usize,
    /// The steps that were begun, without those of which certainly nothing was done.
    reached: &'a [Step],
    /// Which step failed, in words, and why.
    pub(super) failure: Option<(String, Error)>,
    /// What failed of putting back.
    errors: Vec<Error>,
    undid_something: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(plan: &'a ContainerPlan, longest: Duration, means: &'a Means<'a>) -> Self {
        Self {
            plan,
            means,
            report: ContainerReport::of(plan),
            new: None,
            mark: None,
            made_volumes: BTreeSet::new(),
            longest,
            done: 0,
            reached: &[],
            failure: None,
            errors: Vec::new(),
            undid_something: false,
        }
    }

    /// A part of what clears away after an interrupted run.
    pub(super) async fn recover(&mut self, part: Part) {
        let actions: Vec<&Action> = self.recovery().iter().map(|step| &step.action).collect();
        self.carry_out(part.of(&actions)).await;
    }

    /// Everything that can be undone.
    pub(super) async fn advance(&mut self) {
        self.carry_out(self.recovery().len()..self.committed()).await;
    }

    /// What is left, which cannot be undone.
    pub(super) async fn commit(&mut self) {
        self.carry_out(self.committed()..self.plan.steps.len()).await;
    }

    fn recovery(&self) -> &'a [Step] {
        let is_recovery = |step: &Step| step.cause == Cause::Interrupted && step.undo == Undo::Committed;
        let end = self.plan.steps.iter().position(|step| !is_recovery(step)).unwrap_or(self.plan.steps.len());
        self.plan.steps.get(..end).unwrap_or_default()
    }

    /// Where the steps begin that cannot be undone any more.
    fn committed(&self) -> usize {
        let last = self.plan.steps.iter().rposition(|step| step.undo != Undo::Committed);
        last.map_or(0, |last| last + 1).max(self.recovery().len())
    }

    async fn carry_out(&mut self, steps: Range<usize>) {
        let plan = self.plan;
        for (index, step) in plan.steps.iter().enumerate().take(steps.end).skip(steps.start) {
            if self.failure.is_some() {
                return;
            }
            let words = plan.describe(&step.action);
            let tell = |event: Event<'_>| self.means.listener.event(&event);
            let (container, of) = (&plan.name, plan.steps.len());
            tell(Event::StepStarted { container, step: &words, number: index + 1, of });
            let begun = Instant::now();
            if self.means.stop.is_given() && !self.is_through() {
                self.failure = Some((words, self.stopped()));
                return;
            }
            match self.step(step).await {
                Ok(()) => {
                    let took = begun.elapsed();
                    self.means.listener.event(&Event::StepDone { container, step: &words, took });
                    self.report.steps.push(StepReport { action: words, took });
                    self.reached = plan.steps.get(..=index).unwrap_or_default();
                    self.done = index + 1;
                }
                Err(error) => {
                    self.means.listener.event(&Event::StepFailed { container, step: &words, error: &error });
                    self.reached = reached(plan.steps.get(..=index).unwrap_or_default(), &error);
                    self.failure = Some((words, error));
                }
            }
        }
    }

    /// Whether all that can be undone is done.
    fn is_through(&self) -> bool {
        self.done >= self.committed() && self.committed() > self.recovery().len()
    }

    pub(super) fn stopped(&self) -> Error {
        Error::new(ErrorKind::Cancelled, "change container", &self.plan.name)
    }

    /// One step, within its deadline. Waiting ends when a stop is asked for; an act does not.
    async fn step(&mut self, step: &Step) -> Result<()> {
        let means = self.means;
        if step.action.can_be_left() {
            let stopped = self.stopped();
            let act = std::pin::pin!(self.act_in_time(&step.action));
            match futures_util::future::select(act, std::pin::pin!(means.stop.given())).await {
                Either::Left((outcome, _)) => outcome,
                Either::Right(_) => Err(stopped),
            }
        } else {
            self.act_in_time(&step.action).await
        }
    }

    async fn act_in_time(&mut self, action: &Action) -> Result<()> {
        if matches!(action, Action::PullImage { .. }) {
            // Its deadline begins when it is its turn.
            return self.act(action).await;
        }
        let deadline = self.plan.deadline(action);
        tokio::time::timeout(deadline, self.act(action)).await.unwrap_or_else(|_| Err(self.late(action, deadline)))
    }

    /// That an action was not done in time.
    pub(super) fn late(&self, action: &Action, deadline: Duration) -> Error {
        Error::new(ErrorKind::TimedOut, "change container", &self.plan.name).because(format!(
            "{} took longer than {}",
            self.plan.describe(action),
            TimeSpan::from(deadline)
        ))
    }

    /// What undoes all that was reached, the failed step included, in reverse, down to the last that cannot be undone.
    fn way_back(&self) -> Vec<&'a Action> {
        let revocable = self.reached.iter().rev().take_while(|step| step.undo != Undo::Committed);
        let actions =
            revocable.filter_map(|step| if let Undo::By(actions) = &step.undo { Some(actions) } else { None });
        actions.flatten().collect()
    }

    /// A part of the way back.
    pub(super) fn part_of_way_back(&self, part: Part) -> Vec<&'a Action> {
        let actions = self.way_back();
        actions.get(part.of(&actions)).unwrap_or_default().to_vec()
    }

    pub(super) async fn put_back(&mut self, actions: &[&Action]) {
        for action in actions {
            if !self.is_there_to_undo(action) {
                continue;
            }
            // The new container is the record of what is left to undo: it goes only when nothing is.
            if matches!(action, Action::Discard { .. }) && !self.errors.is_empty() {
                continue;
            }
            self.undid_something = true;
            let words = self.plan.describe(action);
            self.means.listener.event(&Event::Undoing { container: &self.plan.name, action: &words });
            let starts = matches!(action, Action::StartUnit { .. } | Action::RestartUnit { .. });
            let missing_is_fine = !starts && !matches!(target(action), Some(Target::Existing(_)));
            match self.act_in_time(action).await {
                Err(error) if error.kind() == ErrorKind::NotFound && missing_is_fine => {}
                Err(error) => self.errors.push(error),
                Ok(()) => {}
            }
        }
    }

    /// Takes what is left for stopped.
    pub(super) fn stop_before_commit(&mut self) {
        if let (None, Some(next)) = (&self.failure, self.plan.steps.get(self.done)) {
            self.failure = Some((self.plan.describe(&next.action), self.stopped()));
        }
    }

    /// Whether it has reached its goal, and has nothing to take back.
    pub(super) fn holds(&self) -> bool {
        self.failure.is_none() && self.done == self.plan.steps.len() && self.way_back().is_empty()
    }

    /// Says why it failed, and what became of what was done before.
    pub(super) fn conclude(&mut self) {
        let Some((step, error)) = self.failure.take() else { return };
        let undone = match self.reached.last() {
            // A replacement holds once it is verified, and a recovery goes on where it stopped.
            Some(Step { undo: Undo::Committed, .. }) => Undone::NotNeeded,
            _ => self.undone(),
        };
        let only_recovered = self.reached.iter().all(|step| step.cause == Cause::Interrupted);
        match undone {
            Undone::NothingToUndo | Undone::Completely => self.report.effect = Effect::Unchanged,
            Undone::NotNeeded if only_recovered => self.report.effect = Effect::Repaired,
            Undone::NotNeeded | Undone::NotPossible | Undone::Partly(_) => {}
        }
        self.report.outcome = Err(ApplyError { step, error, undone });
    }

    fn undone(&mut self) -> Undone {
        // Of the step that failed nobody knows how far it came; of those before, that they were done.
        let done = self.plan.steps.get(..self.done).unwrap_or_default();
        let remains = done.iter().any(|step| {
            step.undo == Undo::Nothing
                && !step.action.can_be_left()
                && !matches!(step.action, Action::CreateVolume { .. })
        });
        match (self.errors.is_empty(), remains, self.undid_something) {
            (false, ..) => Undone::Partly(std::mem::take(&mut self.errors)),
            (true, true, _) => Undone::NotPossible,
            (true, false, true) => Undone::Completely,
            (true, false, false) => Undone::NothingToUndo,
        }
    }

    /// Whether there is anything that `action` could take back.
    fn is_there_to_undo(&self, action: &Action) -> bool {
        let done = self.plan.steps.get(..self.done).unwrap_or_default();
        let is_removed = done.iter().any(|step| matches!(step.action, Action::Remove { .. }));
        match action {
            Action::RemoveVolume { volume } => self.made_volumes.contains(volume),
            // What made room for a run is gone, and its unit has nothing to start.
            Action::StartUnit { .. } if is_removed => false,
            action if is_removed && matches!(target(action), Some(Target::Existing(_))) => false,
            action => self.new.is_some() || target(action) != Some(&Target::New),
        }
    }
}

/// What was reached of `steps` when the last of them failed.
fn reached<'s>(steps: &'s [Step], error: &Error) -> &'s [Step] {
    match steps {
        // Somebody else's unit is in the way: there is nothing of ours to take back.
        [before @ .., Step { action: Action::InstallUnit { .. }, .. }] if error.kind() == ErrorKind::Conflict => before,
        // The container is gone: nothing of this step was done, and nothing of it can be taken back.
        [before @ .., Step { action, .. }]
            if error.kind() == ErrorKind::NotFound && matches!(target(action), Some(Target::Existing(_))) =>
        {
            before
        }
        steps => steps,
    }
}

/// The container that an action is about, where it is about one by id.
pub(super) fn target(action: &Action) -> Option<&Target> {
    match action {
        Action::Start { target }
        | Action::Stop { target, .. }
        | Action::Restart { target, .. }
        | Action::Kill { target, .. }
        | Action::Pause { target }
        | Action::Unpause { target }
        | Action::Rename { target, .. }
        | Action::Update { target, .. }
        | Action::Remove { target, .. }
        | Action::Revive { target }
        | Action::Verify { target, .. }
        | Action::WaitForExit { target, .. } => Some(target),
        Action::PullImage { .. }
        | Action::CreateVolume { .. }
        | Action::RemoveVolume { .. }
        | Action::Create { .. }
        | Action::Discard { .. }
        | Action::InstallUnit { .. }
        | Action::RemoveUnit { .. }
        | Action::StartUnit { .. }
        | Action::StopUnit { .. }
        | Action::RestartUnit { .. } => None,
    }
}
