//! What a container comes to by a goal that has no spec: it is stopped, restarted, killed or removed.

use super::container::Subject;
use super::step::{Action, Cause, Steps, Target};
use super::{Effect, Goal};
use crate::error::ErrorKind;
use crate::quantity::TimeSpan;
use crate::state::{ContainerState, Status};

impl Subject<'_> {
    pub(super) fn without_spec(&mut self, there: Option<&ContainerState>) {
        match (self.goal, there) {
            (Goal::Absent { volumes, grace }, _) => self.remove(there, *volumes, *grace),
            (Goal::Stopped { grace }, Some(old)) => self.stop(old, *grace),
            (Goal::Restart { grace }, Some(old)) => {
                let mut steps = Steps::because(Cause::Asked);
                self.restart(old, *grace, &mut steps);
                self.take(steps, Effect::Restarted);
            }
            (Goal::Kill { signal }, Some(old)) => {
                let mut steps = Steps::because(Cause::Asked);
                steps.once(Action::Kill { target: Target::Existing(old.id.clone()), signal: *signal });
                self.take(steps, Effect::Killed);
            }
            (Goal::Restart { .. }, None) => {
                self.refuse(ErrorKind::NotFound, "restart container", "there is no such container");
            }
            (Goal::Kill { .. }, None) => {
                self.refuse(ErrorKind::NotFound, "kill container", "there is no such container");
            }
            _ => {}
        }
    }

    fn stop(&mut self, old: &ContainerState, grace: Option<TimeSpan>) {
        if removes_itself(old) {
            let volumes =
                old.anonymous_volumes().map(|(path, volume)| format!(", with the volume of {path}: {volume}"));
            let lost: String = volumes.collect();
            self.plan.notes.push(format!("the engine deletes it when it stops (auto_remove){lost}"));
        }
        let mut steps = Steps::because(Cause::Status(old.status.clone()));
        let name = self.name.clone();
        let unit = self.unit.is_active().then_some(Action::StopUnit { name });
        // A unit that is not active stops nothing, though its container may run.
        let is_down = matches!(old.status, Status::Created | Status::Exited | Status::Dead);
        let target = Target::Existing(old.id.clone());
        let engine = (!is_down).then(|| Action::Stop { target, grace: grace.or(old.config.stop_timeout) });
        self.thaw(old, &mut steps);
        in_time(unit, engine, grace).for_each(|action| steps.once(action));
        self.note_others();
        self.take(steps, Effect::Stopped);
    }

    fn remove(&mut self, there: Option<&ContainerState>, volumes: bool, grace: Option<TimeSpan>) {
        self.note_others();
        let mut steps = Steps::because(Cause::Asked);
        if let Some(old) = there {
            self.thaw(old, &mut steps);
        }
        let unit = self.unit.is_active().then(|| Action::StopUnit { name: self.name.clone() });
        let up = there.filter(|old| old.status.is_up() || old.status == Status::Restarting);
        let engine = up.map(|old| {
            let target = Target::Existing(old.id.clone());
            Action::Stop { target, grace: grace.or(old.config.stop_timeout) }
        });
        in_time(unit, engine, grace).for_each(|action| steps.once(action));
        if let Some(old) = there {
            steps.once(Action::Remove { target: Target::Existing(old.id.clone()), only_named: None });
            self.plan.ends = Some(old.id.clone());
            // Of one that is gone it cannot be told any more whether it has lent them.
            let may_be_lent = old.config.volumes_from.as_ref().is_some_and(|lenders| !lenders.is_empty());
            for (path, volume) in old.anonymous_volumes() {
                if volumes && may_be_lent {
                    self.plan.notes.push(format!(
                        "the anonymous volume of {path} stays, which may be another container's: {volume}"
                    ));
                } else if volumes {
                    steps.once(Action::RemoveVolume { volume: volume.clone() });
                } else if removes_itself(old) {
                    self.plan.notes.push(format!(
                        "the engine deletes the anonymous volume of {path} with it (auto_remove): {volume}"
                    ));
                } else {
                    self.plan.notes.push(format!("the anonymous volume of {path} stays: {volume}"));
                }
            }
        }
        if self.unit.there.is_some() {
            steps.once(Action::RemoveUnit { name: self.name.clone() });
        }
        self.take(steps, Effect::Removed);
    }
}

/// A unit knows one time in which to stop: another one that is asked for, the engine has to be told first, and the unit
/// then takes note of the end before it would start the container again.
fn in_time(unit: Option<Action>, engine: Option<Action>, grace: Option<TimeSpan>) -> impl Iterator<Item = Action> {
    let ordered = if grace.is_some() { [engine, unit] } else { [unit, engine] };
    ordered.into_iter().flatten()
}

/// Whether the engine removes it when it stops, and its anonymous volumes with it.
pub(super) fn removes_itself(old: &ContainerState) -> bool {
    old.config.auto_remove == Some(true) && (old.status.is_up() || old.status == Status::Restarting)
}
