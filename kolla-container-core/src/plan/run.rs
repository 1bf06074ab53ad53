//! Running a container to its end.

use super::container::Subject;
use super::step::{Action, Cause, Steps, Target};
use super::{Effect, RunOptions};
use crate::error::ErrorKind;
use crate::spec::ContainerSpec;
use crate::state::{ContainerState, Status};

impl Subject<'_> {
    pub(super) fn run(&mut self, wanted: &ContainerSpec, there: Option<&ContainerState>, options: RunOptions) {
        let mut steps = Steps::because(Cause::Asked);
        let removes_itself = wanted.auto_remove == Some(true);
        if let Some(old) = there {
            let is_busy = old.status.is_up() || old.status.is_passing();
            if is_busy && (!options.over_running || old.status == Status::Removing) {
                let reason = format!("a container of that name is {}; stop it first", old.status);
                return self.refuse(ErrorKind::Conflict, "run container", reason);
            }
            self.plan.ends = Some(old.id.clone());
        }
        // Whoever removes itself takes its exit status and its output along.
        let wanted = &ContainerSpec { auto_remove: Some(false), ..wanted.clone() };
        self.make(wanted, &self.name.clone(), None, &mut steps);
        // Only when everything that can be fetched is there.
        let creation = steps.steps.pop();
        self.make_room(there, &mut steps);
        steps.steps.extend(creation);
        steps.undone_by(
            Action::Start { target: Target::New },
            [Action::Stop { target: Target::New, grace: wanted.stop_timeout }],
        );
        steps.once(Action::WaitForExit { target: Target::New, deadline: options.deadline });
        if options.remove || removes_itself {
            steps.committed(Action::Discard { target: Target::New });
        }
        self.take(steps, Effect::Ran);
    }

    /// Takes away what has the name of a container that is to be run to its end, and the unit that would start it again.
    fn make_room(&mut self, there: Option<&ContainerState>, steps: &mut Steps) {
        let name = self.name.clone();
        if self.unit.there.is_some() {
            if let Some(old) = there {
                self.thaw(old, steps);
            }
            let start = self.unit.is_active().then(|| Action::StartUnit { name: name.clone() });
            steps.undone_by(Action::StopUnit { name: name.clone() }, start);
        }
        if let Some(old) = there {
            let target = Target::Existing(old.id.clone());
            if old.status.is_up() || old.status.is_passing() {
                let stop = Action::Stop { target: target.clone(), grace: self.grace(old) };
                steps.undone_by(stop, [Action::Start { target: target.clone() }]);
            }
            steps.once(Action::Remove { target, only_named: Some(name.clone()) });
        }
        // Last: until the old container is gone, its unit may have to start it again.
        if self.unit.there.is_some() {
            steps.once(Action::RemoveUnit { name });
        }
        self.note_others();
    }
}
