//! Who has joined whom: a container that is replaced takes its namespaces with it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Action, Cause, ContainerPlan, Goal, Goals, Observation, Target, Undo};
use crate::error::{Error, ErrorKind};
use crate::name::{ContainerId, ContainerName, ContainerRef};
use crate::state::{ContainerState, Status};
use crate::supervisor::Active;

/// Who has joined each container, as far as it was looked at.
pub(super) struct Joiners<'a> {
    observed: BTreeMap<ContainerRef, BTreeSet<&'a ContainerName>>,
    seen: &'a Observation,
    others: Option<&'a BTreeMap<ContainerId, BTreeSet<ContainerName>>>,
}

impl<'a> Joiners<'a> {
    pub(super) fn of(seen: &'a Observation) -> Self {
        let mut observed: BTreeMap<ContainerRef, BTreeSet<&ContainerName>> = BTreeMap::new();
        let states = seen.containers.iter().filter_map(|(name, state)| Some((name, state.as_ref().ok()?.as_ref()?)));
        for (name, state) in states.filter(|(_, state)| state.status != Status::Removing) {
            for joined in state.joined.iter().chain(state.config.references()) {
                observed.entry(joined.clone()).or_default().insert(name);
            }
        }
        Self { observed, seen, others: seen.details.joined_by.as_ref() }
    }

    fn joined(&self, name: &ContainerName, id: &ContainerId) -> BTreeSet<ContainerName> {
        let references = [ContainerRef::Name(name.clone()), ContainerRef::Id(id.clone())];
        let observed = references.iter().filter_map(|reference| self.observed.get(reference)).flatten().copied();
        let others = self.others.and_then(|others| others.get(id)).into_iter().flatten();
        observed.chain(others).filter(|joiner| *joiner != name).cloned().collect()
    }

    /// Whoever has joined a container that ends has to be replaced after it: answers why, for those
    /// who are not yet. Who is not ours to replace keeps it from ending.
    pub(super) fn follow(
        &self,
        plans: &mut [ContainerPlan],
        goals: &Goals,
        forced: &BTreeMap<ContainerName, Cause>,
    ) -> BTreeMap<ContainerName, Cause> {
        let mut more = BTreeMap::new();
        let ended: BTreeSet<ContainerName> =
            plans.iter().filter(|plan| plan.ends.is_some()).map(|plan| plan.name.clone()).collect();
        for plan in plans.iter_mut() {
            let Some(id) = plan.ends.clone() else { continue };
            let mut foreign = Vec::new();
            let mut ours = BTreeMap::new();
            for joiner in self.joined(&plan.name, &id) {
                match goals.get(&joiner) {
                    Some(Goal::Absent { .. }) => {}
                    Some(goal) if goal.spec().is_some() => {
                        let is_replaced =
                            forced.get(&joiner).is_some_and(|cause| !matches!(cause, Cause::JoinedAnew(_)));
                        if !ended.contains(&joiner) && !is_replaced {
                            ours.insert(joiner, Cause::Joined(plan.name.clone()));
                        }
                    }
                    _ => foreign.push(joiner),
                }
            }
            if foreign.is_empty() {
                more.extend(ours);
            } else {
                let names = crate::text::join(&foreign, ", ");
                let error = Error::new(ErrorKind::Conflict, "replace container", &plan.name)
                    .because(format!("{names} joined it and would lose it; give a goal for {names} too"));
                *plan = ContainerPlan::refused(plan.name.clone(), error);
            }
        }
        for plan in plans.iter().filter(|plan| plan.ends.is_none()) {
            let Some(id) = started_anew(plan) else { continue };
            for joiner in
                self.up_in_namespaces(&plan.name, &id).into_iter().filter(|joiner| !ended.contains(&joiner.name))
            {
                let has_spec = goals.get(&joiner.name).is_some_and(|goal| goal.spec().is_some());
                if has_spec && !forced.contains_key(&joiner.name) && !more.contains_key(&joiner.name) {
                    more.insert(joiner.name.clone(), Cause::JoinedAnew(plan.name.clone()));
                }
            }
        }
        more
    }

    /// Those that are up in namespaces of a container, and lose them when it is started anew.
    fn up_in_namespaces(&self, name: &ContainerName, id: &ContainerId) -> Vec<&'a ContainerState> {
        let is_it = |joined: &ContainerRef| match joined {
            ContainerRef::Name(joined) => joined == name,
            ContainerRef::Id(joined) => joined == id,
        };
        let states = self.seen.containers.values().filter_map(|state| state.as_ref().ok()?.as_ref());
        states.filter(|state| state.status.is_up() && state.config.joined_namespaces().any(is_it)).collect()
    }

    /// A container that is put back is started anew: who has joined it, and was not replaced yet, is restarted then.
    pub(super) fn revive(&self, plans: &mut [ContainerPlan]) {
        for plan in plans {
            let Some(id) = plan.ends.clone() else { continue };
            let joiners = self.up_in_namespaces(&plan.name, &id);
            let starts = |action: &Action| match action {
                Action::Start { target: Target::Existing(started) } => *started == id,
                Action::StartUnit { name } => *name == plan.name,
                _ => false,
            };
            let undos = plan.steps.iter_mut().filter_map(|step| match &mut step.undo {
                Undo::By(actions) if actions.iter().any(starts) => Some(actions),
                _ => None,
            });
            if let Some(actions) = undos.last() {
                actions.extend(joiners.into_iter().flat_map(|joiner| self.restart(joiner)));
            }
        }
    }

    /// Says of whom nobody knows whether it has joined a container that ends.
    pub(super) fn note_unread(&self, plans: &mut [ContainerPlan]) {
        for plan in plans.iter_mut().filter(|plan| plan.ends.is_some()) {
            let unread = self.seen.details.unread.iter();
            plan.notes.extend(unread.map(|error| {
                format!("{} cannot be read: nobody knows whether it has joined this one", error.subject())
            }));
        }
    }

    fn restart(&self, joiner: &ContainerState) -> Vec<Action> {
        let unit = self.seen.units.get(&joiner.name).and_then(Option::as_ref);
        let target = || Target::Existing(joiner.id.clone());
        let mut actions = vec![match unit {
            Some(unit) if unit.active == Active::Active => Action::RestartUnit { name: joiner.name.clone() },
            _ => Action::Restart { target: target(), grace: joiner.config.stop_timeout },
        }];
        if joiner.status == Status::Paused {
            actions.push(Action::Pause { target: target() });
        }
        actions
    }
}

/// The container that the plan starts anew as it is, with new namespaces.
fn started_anew(plan: &ContainerPlan) -> Option<ContainerId> {
    plan.steps.iter().find_map(|step| match &step.action {
        Action::Start { target: Target::Existing(id) }
        | Action::Restart { target: Target::Existing(id), .. }
        | Action::Revive { target: Target::Existing(id) } => Some(id.clone()),
        Action::StartUnit { .. } | Action::RestartUnit { .. } => plan.subject.clone(),
        _ => None,
    })
}
