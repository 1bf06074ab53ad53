//! One container: its steps in order, and their undo in reverse when one fails.

use std::collections::BTreeSet;

use futures_util::future::Either;
use tokio::time::Instant;

use super::progress::Event;
use super::report::{ApplyError, ContainerReport, StepReport, Undone};
use super::{Means, Pulls};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{ContainerId, VolumeName};
use crate::plan::{Action, Cause, ContainerPlan, Effect, Step, Target, Undo};
use crate::state::Owner;

/// A container that is being dealt with.
pub(super) struct Run<'a> {
    pub(super) plan: &'a ContainerPlan,
    pub(super) pulls: &'a Pulls,
    pub(super) means: &'a Means<'a>,
    pub(super) report: ContainerReport,
    /// The container that this run has made.
    pub(super) new: Option<ContainerId>,
    /// What it was labelled with: how it is known when the answer to its creation was lost.
    pub(super) mark: Option<Owner>,
    /// The named volumes that this run has made.
    pub(super) made_volumes: BTreeSet<VolumeName>,
}

impl<'a> Run<'a> {
    pub(super) fn new(plan: &'a ContainerPlan, pulls: &'a Pulls, means: &'a Means<'a>) -> Self {
        Self {
            plan,
            pulls,
            means,
            report: ContainerReport::of(plan),
            new: None,
            mark: None,
            made_volumes: BTreeSet::new(),
        }
    }

    pub(super) async fn finish(mut self) -> ContainerReport {
        for (index, step) in self.plan.steps.iter().enumerate() {
            let words = self.plan.describe(&step.action);
            let tell = |event: Event<'_>| self.means.listener.event(&event);
            let (container, of) = (&self.plan.name, self.plan.steps.len());
            tell(Event::StepStarted { container, step: &words, number: index + 1, of });
            let begun = Instant::now();
            if self.means.stop.is_given() {
                let error = self.stopped();
                self.fail(self.plan.steps.get(..index).unwrap_or_default(), words, error).await;
                break;
            }
            match self.step(step).await {
                Ok(()) => {
                    let took = begun.elapsed();
                    self.means.listener.event(&Event::StepDone { container, step: &words, took });
                    self.report.steps.push(StepReport { action: words, took });
                }
                Err(error) => {
                    self.means.listener.event(&Event::StepFailed { container, step: &words, error: &error });
                    self.fail(self.plan.steps.get(..=index).unwrap_or_default(), words, error).await;
                    break;
                }
            }
        }
        self.report
    }

    fn stopped(&self) -> Error {
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
        let deadline = self.plan.deadline(action);
        let late = Error::new(ErrorKind::TimedOut, "change container", &self.plan.name).because(format!(
            "{} took longer than {}",
            self.plan.describe(action),
            crate::quantity::TimeSpan::from(deadline)
        ));
        tokio::time::timeout(deadline, self.act(action)).await.unwrap_or(Err(late))
    }

    /// Undoes what was reached, the failed step included, in reverse, down to the last that cannot be undone.
    async fn fail(&mut self, reached: &[Step], words: String, error: Error) {
        let reached = match reached {
            // Somebody else's unit is in the way: there is nothing of ours to take back.
            [before @ .., Step { action: Action::InstallUnit { .. }, .. }] if error.kind() == ErrorKind::Conflict => {
                before
            }
            // The container is gone: nothing of this step was done, and nothing of it can be taken back.
            [before @ .., Step { action, .. }]
                if error.kind() == ErrorKind::NotFound && matches!(target(action), Some(Target::Existing(_))) =>
            {
                before
            }
            reached => reached,
        };
        let undone = match reached.last() {
            // A replacement holds once it is verified, and a recovery goes on where it stopped.
            Some(Step { undo: Undo::Committed, .. }) => Undone::NotNeeded,
            _ => self.undo(reached).await,
        };
        let only_recovered = reached.iter().all(|step| step.cause == Cause::Interrupted);
        match undone {
            Undone::NothingToUndo | Undone::Completely => self.report.effect = Effect::Unchanged,
            Undone::NotNeeded if only_recovered => self.report.effect = Effect::Repaired,
            Undone::NotNeeded | Undone::NotPossible | Undone::Partly(_) => {}
        }
        self.report.outcome = Err(ApplyError { step: words, error, undone });
    }

    async fn undo(&mut self, steps: &[Step]) -> Undone {
        let mut errors: Vec<Error> = Vec::new();
        let mut did_something = false;
        // Of the step that failed nobody knows how far it came; of those before, that they were done.
        let done = steps.split_last().map_or(&[] as &[Step], |(_, done)| done);
        let remains = done.iter().any(|step| {
            step.undo == Undo::Nothing
                && !step.action.can_be_left()
                && !matches!(step.action, Action::CreateVolume { .. })
        });
        for step in steps.iter().rev() {
            let actions = match &step.undo {
                Undo::Committed => break,
                Undo::Nothing => continue,
                Undo::By(actions) => actions,
            };
            for action in actions {
                if !self.is_there_to_undo(action) {
                    continue;
                }
                // The new container is the record of what is left to undo: it goes only when nothing is.
                if matches!(action, Action::Discard { .. }) && !errors.is_empty() {
                    continue;
                }
                did_something = true;
                let words = self.plan.describe(action);
                self.means.listener.event(&Event::Undoing { container: &self.plan.name, action: &words });
                let missing_is_fine = !matches!(target(action), Some(Target::Existing(_)));
                match self.act_in_time(action).await {
                    Err(error) if error.kind() == ErrorKind::NotFound && missing_is_fine => {}
                    Err(error) => errors.push(error),
                    Ok(()) => {}
                }
            }
        }
        match (errors.is_empty(), remains, did_something) {
            (false, ..) => Undone::Partly(errors),
            (true, true, _) => Undone::NotPossible,
            (true, false, true) => Undone::Completely,
            (true, false, false) => Undone::NothingToUndo,
        }
    }

    /// Whether there is anything that `action` could take back.
    fn is_there_to_undo(&self, action: &Action) -> bool {
        match action {
            Action::RemoveVolume { volume } => self.made_volumes.contains(volume),
            action => self.new.is_some() || target(action) != Some(&Target::New),
        }
    }
}

/// The container that an action is about, where it is about one by id.
fn target(action: &Action) -> Option<&Target> {
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
