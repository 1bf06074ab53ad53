//! One container: its steps in order, and their undo in reverse when one fails.

use futures_util::future::Either;
use tokio::time::Instant;

use super::progress::Event;
use super::report::{ApplyError, ContainerReport, StepReport, Undone};
use super::{Means, Pulls};
use crate::error::{Error, ErrorKind, Result};
use crate::name::ContainerId;
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
}

impl<'a> Run<'a> {
    pub(super) fn new(plan: &'a ContainerPlan, pulls: &'a Pulls, means: &'a Means<'a>) -> Self {
        Self { plan, pulls, means, report: ContainerReport::of(plan), new: None, mark: None }
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
        if step.action.is_read() {
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
        let undone = match reached.last() {
            // A replacement holds once it is verified, and a recovery goes on where it stopped.
            Some(Step { undo: Undo::Committed, .. }) => Undone::NotNeeded,
            _ => self.undo(reached).await,
        };
        let only_recovered = reached.iter().all(|step| step.cause == Cause::Interrupted);
        match undone {
            Undone::NothingToUndo | Undone::Completely => self.report.effect = Effect::Unchanged,
            Undone::NotNeeded if only_recovered => self.report.effect = Effect::Repaired,
            Undone::NotNeeded | Undone::Partly(_) => {}
        }
        self.report.outcome = Err(ApplyError { step: words, error, undone });
    }

    async fn undo(&mut self, steps: &[Step]) -> Undone {
        let mut errors: Vec<Error> = Vec::new();
        let mut did_something = false;
        for step in steps.iter().rev() {
            let actions = match &step.undo {
                Undo::Committed => break,
                Undo::Nothing => continue,
                Undo::By(actions) => actions,
            };
            for action in actions {
                // The new container is the record of what is left to undo: it goes only when nothing is.
                let is_record = matches!(action, Action::Discard { .. });
                if is_record && !errors.is_empty() {
                    continue;
                }
                if self.new.is_none() && target(action) == Some(&Target::New) {
                    continue;
                }
                did_something = true;
                let words = self.plan.describe(action);
                self.means.listener.event(&Event::Undoing { container: &self.plan.name, action: &words });
                match self.act_in_time(action).await {
                    Err(error) if error.kind() != ErrorKind::NotFound => errors.push(error),
                    _ => {}
                }
            }
        }
        match (errors.is_empty(), did_something) {
            (false, _) => Undone::Partly(errors),
            (true, true) => Undone::Completely,
            (true, false) => Undone::NothingToUndo,
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
        | Action::Remove { target }
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
