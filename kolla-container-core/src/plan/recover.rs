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
//! | anything else | | | a conflict: nothing is touched |

use super::step::{Action, Cause, Steps, Target};
use super::{Context, Leftovers, Step};
use crate::error::{Error, ErrorKind};
use crate::name::{ContainerName, VolumeName};
use crate::state::{ContainerState, Status};
use crate::timestamp::Timestamp;

/// What is done first, and the container that is there afterwards.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    pub(super) steps: Vec<Step>,
    pub(super) survivor: Option<ContainerState>,
}

pub(super) fn recover(
    name: &ContainerName,
    there: Option<&ContainerState>,
    leftovers: Option<&Leftovers>,
    wants_it_up: bool,
    now: Timestamp,
    context: &Context<'_>,
) -> Result<Recovery, Error> {
    let none = Leftovers::default();
    let Leftovers { next, previous, verified, replaced_is_gone } = leftovers.unwrap_or(&none);
    if next.is_none() && previous.is_none() {
        return Ok(Recovery { steps: Vec::new(), survivor: there.cloned() });
    }
    let record = next.as_ref().or(there);
    let replaces = record.and_then(|record| record.owner.replaces.as_ref());
    let is_replaced = |container: &ContainerState| Some(&container.id) == replaces;

    let mut steps = Steps::because(Cause::Interrupted);
    let survivor = match (there, next, previous) {
        (Some(old), Some(new), None) if is_replaced(old) => {
            still_at_work(name, new, now, context)?;
            let started = start_if_wanted(old.clone(), wants_it_up, &mut steps);
            remove(new, old, &mut steps);
            Some(started)
        }
        (None, Some(new), Some(old)) if is_replaced(old) => {
            still_at_work(name, new, now, context)?;
            let back = put_back(old, name, wants_it_up, &mut steps);
            remove(new, old, &mut steps);
            Some(back)
        }
        (None, Some(new), None) if replaces.is_some() && *replaced_is_gone => {
            still_at_work(name, new, now, context)?;
            // It has the data of the one that is gone.
            steps.committed(Action::Rename { target: Target::Existing(new.id.clone()), to: name.clone() });
            Some(ContainerState { name: name.clone(), ..new.clone() })
        }
        (Some(new), None, Some(old)) if is_replaced(old) => {
            still_at_work(name, new, now, context)?;
            if *verified {
                steps.committed(Action::Remove { target: Target::Existing(old.id.clone()) });
                Some(new.clone())
            } else {
                let target = Target::Existing(new.id.clone());
                if new.status.is_up() || new.status == Status::Restarting {
                    steps.committed(Action::Stop { target: target.clone(), grace: new.config.stop_timeout });
                }
                steps.committed(Action::Rename { target, to: name.next() });
                let back = put_back(old, name, wants_it_up, &mut steps);
                remove(new, old, &mut steps);
                Some(back)
            }
        }
        _ => return Err(unexplained(name, there, next.as_ref(), previous.as_ref())),
    };
    Ok(Recovery { steps: steps.steps, survivor })
}

/// A run that may still be alive must not be disturbed.
fn still_at_work(
    name: &ContainerName,
    record: &ContainerState,
    now: Timestamp,
    context: &Context<'_>,
) -> Result<(), Error> {
    match record.owner.until {
        Some(until) if until > now && !context.take_over => {
            Err(Error::new(ErrorKind::Conflict, "replace container", name).because(format!(
                "it is being replaced by another run since {}, until {until} at the latest; \
                 if that run is dead, take it over or wait",
                record.created.whole_seconds(),
            )))
        }
        _ => Ok(()),
    }
}

fn start_if_wanted(mut old: ContainerState, wants_it_up: bool, steps: &mut Steps) -> ContainerState {
    if wants_it_up && !old.status.is_up() {
        steps.committed(Action::Start { target: Target::Existing(old.id.clone()) });
        old.status = Status::Running;
        old.exit = None;
    }
    old
}

fn put_back(old: &ContainerState, name: &ContainerName, wants_it_up: bool, steps: &mut Steps) -> ContainerState {
    steps.committed(Action::Rename { target: Target::Existing(old.id.clone()), to: name.clone() });
    start_if_wanted(ContainerState { name: name.clone(), ..old.clone() }, wants_it_up, steps)
}

/// Removes the new container, and the anonymous volumes that are not the old one's.
fn remove(new: &ContainerState, old: &ContainerState, steps: &mut Steps) {
    let is_kept = |volume: &VolumeName| old.volumes.values().any(|kept| kept == volume);
    steps.committed(Action::Remove { target: Target::Existing(new.id.clone()) });
    for (_, volume) in new.anonymous_volumes().filter(|(_, volume)| !is_kept(volume)) {
        steps.committed(Action::RemoveVolume { volume: volume.clone() });
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
