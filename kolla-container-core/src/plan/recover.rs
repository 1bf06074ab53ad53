//! Finishing or reverting a replacement that was interrupted: the table of what can be left behind.
//!
//! The label `io.kolla-container.replaces` of the new container is the record; it is made first and
//! removed last, so what is found tells how far the interrupted run came:
//!
//! | `name` | `.next` | `.previous` | |
//! |---|---|---|---|
//! | any | none | none | nothing was interrupted |
//! | id = replaces of next | labelled | none | start `name` if it is wanted up, remove next |
//! | none | labelled | id = replaces of next | rename previous to name, start, remove next |
//! | none | labelled, what it replaces is gone | none | rename next to name |
//! | labelled, verifies | none | id = replaces of name | remove previous |
//! | labelled, does not verify | none | id = replaces of name | name to next, previous to name, start, remove next |
//! | labelled | none | id = replaces of name, half removed | remove previous |
//! | anything else | | | a conflict: nothing is touched |
//!
//! Of containers that were replaced together, all or none verify in this sense: those are put back whose
//! old one is still needed by another (`reconcile/unfinished.rs`).

use super::step::{Action, Cause, Steps, Target};
use super::unit::Unit;
use super::{Context, Goal, Leftovers, Observation, Step};
use crate::error::{Error, ErrorKind};
use crate::name::ContainerName;
use crate::state::{ContainerState, ContainerUpdate, Status};
use crate::timestamp::Timestamp;

/// What is done first, and the container that is there afterwards.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    pub(super) steps: Vec<Step>,
    pub(super) survivor: Option<ContainerState>,
    /// Whether the survivor was started again, if it could be.
    pub(super) revived: bool,
    /// Whether the unit of the container was stopped for it.
    pub(super) unit_stopped: bool,
}

pub(super) fn recover(
    name: &ContainerName,
    goal: &Goal,
    seen: &Observation,
    unit: &Unit<'_>,
    context: &Context<'_>,
) -> Result<Recovery, Error> {
    let there = seen.container(name);
    let none = Leftovers::default();
    let Leftovers { next, previous, verified, replaced_is_gone } = seen.leftovers.get(name).unwrap_or(&none);
    if next.is_none() && previous.is_none() {
        return Ok(Recovery { survivor: there.cloned(), ..Recovery::default() });
    }
    let record = next.as_ref().or(there);
    let replaces = record.and_then(|record| record.owner.replaces.as_ref());
    let is_replaced = |container: &ContainerState| Some(&container.id) == replaces;
    let mut way = Way {
        name,
        wants_it_up: goal.wants_it_up(),
        may_be_up: matches!(goal, Goal::Created(_)),
        unit,
        context,
        steps: Steps::because(Cause::Interrupted),
        revived: false,
    };
    let mut unit_stopped = false;
    let survivor = match (there, next, previous) {
        (Some(old), Some(new), None) if is_replaced(old) => {
            way.still_at_work(new, seen.at)?;
            way.stop(new);
            let old = way.revive(old.clone(), new);
            way.remove(new);
            Some(old)
        }
        (None, Some(new), Some(old)) if is_replaced(old) => {
            way.still_at_work(new, seen.at)?;
            unit_stopped = way.stop_unit();
            way.stop(new);
            let old = way.put_back(old, new);
            way.remove(new);
            Some(old)
        }
        (None, Some(new), None) if replaces.is_some() && *replaced_is_gone => {
            way.still_at_work(new, seen.at)?;
            // It has the data of the one that is gone.
            way.steps.committed(Action::Rename { target: Target::Existing(new.id.clone()), to: name.clone() });
            Some(ContainerState { name: name.clone(), ..new.clone() })
        }
        (Some(new), None, Some(old)) if is_replaced(old) => {
            way.still_at_work(new, seen.at)?;
            if *verified || is_half_removed(old) {
                let target = Target::Existing(old.id.clone());
                way.steps.committed(Action::Remove { target, only_named: Some(name.previous()) });
                Some(new.clone())
            } else {
                unit_stopped = way.stop_unit();
                way.stop(new);
                way.steps.committed(Action::Rename { target: Target::Existing(new.id.clone()), to: name.next() });
                let old = way.put_back(old, new);
                way.remove(new);
                Some(old)
            }
        }
        _ => return Err(unexplained(name, there, next.as_ref(), previous.as_ref())),
    };
    Ok(Recovery { steps: way.steps.steps, survivor, revived: way.revived, unit_stopped })
}

/// Whether its removal has begun, which it does when the new one has proved itself: it cannot come back.
fn is_half_removed(old: &ContainerState) -> bool {
    matches!(old.status, Status::Removing | Status::Dead)
}

/// That another run is at work on a container; `record` is the one that it has made.
pub(crate) fn being_replaced(name: &ContainerName, record: &ContainerState) -> Error {
    let until = record.owner.until.map(|until| format!(", until {until} at the latest")).unwrap_or_default();
    Error::new(ErrorKind::Conflict, "replace container", name).because(format!(
        "it is being replaced by another run since {}{until}; if that run is dead, take it over or wait",
        record.created.whole_seconds(),
    ))
}

/// The way back.
struct Way<'a> {
    name: &'a ContainerName,
    wants_it_up: bool,
    /// Whether it is to be up where it was before.
    may_be_up: bool,
    unit: &'a Unit<'a>,
    context: &'a Context<'a>,
    steps: Steps,
    revived: bool,
}

impl Way<'_> {
    /// A run that may still be alive must not be disturbed.
    fn still_at_work(&self, record: &ContainerState, now: Timestamp) -> Result<(), Error> {
        match record.owner.until {
            Some(until) if until > now && !self.context.take_over => Err(being_replaced(self.name, record)),
            _ => Ok(()),
        }
    }

    /// A unit would start whatever has the name, at any moment.
    fn stop_unit(&mut self) -> bool {
        let stops = self.unit.may_start();
        if stops {
            self.steps.committed(Action::StopUnit { name: self.name.clone() });
        }
        stops
    }

    /// The old one cannot start while the new one has its ports and its data.
    fn stop(&mut self, new: &ContainerState) {
        if new.status.is_up() || matches!(new.status, Status::Restarting | Status::Stopping) {
            let target = Target::Existing(new.id.clone());
            self.steps.committed(Action::Stop { target, grace: new.config.stop_timeout });
        }
    }

    fn put_back(&mut self, old: &ContainerState, new: &ContainerState) -> ContainerState {
        self.steps.committed(Action::Rename { target: Target::Existing(old.id.clone()), to: self.name.clone() });
        self.revive(ContainerState { name: self.name.clone(), ..old.clone() }, new)
    }

    /// Gives the old one back the restart policy that it lost while it was set aside, and starts it where
    /// it is wanted up, or was stopped for the new one. One that cannot start any more must not keep a better one from
    /// being made.
    fn revive(&mut self, mut old: ContainerState, new: &ContainerState) -> ContainerState {
        let target = Target::Existing(old.id.clone());
        let lost = new.owner.restart.filter(|policy| Some(*policy) != old.config.restart);
        if let Some(policy) = lost.filter(|_| self.context.engine.features.can_update("restart")) {
            let update = ContainerUpdate { restart: Some(policy), ..ContainerUpdate::default() };
            self.steps.committed(Action::Update { target: target.clone(), update: Box::new(update) });
            old.config.restart = Some(policy);
        }
        let was_up = || old.finished.is_some_and(|finished| finished >= new.created);
        if (self.wants_it_up || (self.may_be_up && was_up())) && !old.status.is_up() {
            self.steps.committed(Action::Revive { target });
            self.revived = true;
            old.status = Status::Running;
            (old.exit, old.finished) = (None, None);
        }
        old
    }

    /// Removes the new container with its own anonymous volumes; those of the old one it has mounted by their names.
    fn remove(&mut self, new: &ContainerState) {
        self.steps.committed(Action::Discard { target: Target::Existing(new.id.clone()) });
    }
}

fn unexplained(
    name: &ContainerName,
    there: Option<&ContainerState>,
    next: Option<&ContainerState>,
    previous: Option<&ContainerState>,
) -> Error {
    let found = [there, next, previous].into_iter().flatten().map(|container| {
        let replaces = container.owner.replaces.as_ref().map(|id| format!(", made to replace {}", id.short()));
        format!("{} ({}{})", container.name, container.id.short(), replaces.unwrap_or_default())
    });
    Error::new(ErrorKind::Conflict, "recover container", name).because(format!(
        "what is there cannot be explained by an interrupted replacement: {}; rename or remove what is not yours",
        crate::text::join(found, ", "),
    ))
}
