//! Which interrupted replacements are put back although the new container is well, and which are not although it is
//! not: containers that were replaced together stay or come back together.

use std::collections::BTreeSet;

use crate::name::{ContainerId, ContainerName, ContainerRef};
use crate::plan::Observation;
use crate::state::ContainerState;

/// Whoever stands on an old container needs it back, and who stands on a new one goes with it. When the old ones of
/// all who stand on a new one are gone, there is no way back for it either.
pub(super) fn put_back_together(seen: &mut Observation) {
    let replaced: BTreeSet<ContainerName> =
        seen.leftovers.iter().filter(|(_, left)| left.previous.is_some()).map(|(name, _)| name.clone()).collect();
    for name in &replaced {
        let stays = stands_on_new(name, seen) && !stands_on_old(name, seen);
        if let Some(left) = seen.leftovers.get_mut(name).filter(|_| stays) {
            left.verified = true;
        }
    }
    while let Some(name) = replaced.iter().find(|name| is_verified(name, seen) && has_to_go_back(name, seen)) {
        if let Some(left) = seen.leftovers.get_mut(name) {
            left.verified = false;
        }
    }
}

fn is_verified(name: &ContainerName, seen: &Observation) -> bool {
    seen.leftovers.get(name).is_some_and(|left| left.verified)
}

fn has_to_go_back(name: &ContainerName, seen: &Observation) -> bool {
    let put_back = || seen.leftovers.iter().filter(|(other, left)| *other != name && !left.verified);
    let previous = |name: &ContainerName| seen.leftovers.get(name)?.previous.as_ref();
    // Another old one comes back that stands on this old one.
    let takes_along = put_back().any(|(other, _)| {
        previous(other).zip(previous(name)).is_some_and(|(other, previous)| has_joined(other, &previous.id))
    });
    // What this new one stands on goes.
    let is_taken_along = put_back().filter(|(_, left)| left.previous.is_some()).any(|(other, _)| {
        seen.container(name).zip(seen.container(other)).is_some_and(|(new, other)| has_joined(new, &other.id))
    });
    takes_along || is_taken_along || stands_on_old(name, seen)
}

/// Whether somebody in place has joined the old one.
fn stands_on_old(name: &ContainerName, seen: &Observation) -> bool {
    let previous = seen.leftovers.get(name).and_then(|left| left.previous.as_ref());
    previous.is_some_and(|previous| {
        in_place(seen).any(|state| has_joined(state, &previous.id)) || has_others(&previous.id, seen)
    })
}

/// Whether somebody has joined the new one who has no old one any more.
fn stands_on_new(name: &ContainerName, seen: &Observation) -> bool {
    let settled = || in_place(seen).filter(|state| !seen.leftovers.contains_key(&state.name));
    seen.container(name)
        .is_some_and(|new| settled().any(|state| has_joined(state, &new.id)) || has_others(&new.id, seen))
}

fn in_place(seen: &Observation) -> impl Iterator<Item = &ContainerState> {
    seen.containers.values().filter_map(|state| state.as_ref().ok()?.as_ref())
}

fn has_others(id: &ContainerId, seen: &Observation) -> bool {
    seen.details.joined_by.as_ref().is_some_and(|joined_by| joined_by.contains_key(id))
}

fn has_joined(state: &ContainerState, id: &ContainerId) -> bool {
    let is_it = |joined: &ContainerRef| matches!(joined, ContainerRef::Id(joined) if joined == id);
    state.joined.iter().chain(state.config.references()).any(is_it)
}
