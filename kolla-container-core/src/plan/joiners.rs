//! Who has joined whom: a container that is replaced takes its namespaces with it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Action, Cause, ContainerPlan, Goal, Goals, Observation, Target, Undo};
use crate::error::{Error, ErrorKind};
use crate::name::{ContainerId, ContainerName, ContainerRef};
use crate::state::{ContainerState, Status};
use crate::supervisor::Active;

/// Who has joined each container, as far as it was looked at.
pub(super) struct Joiners<'a> {
    /// The containers that are there once what an interrupted run left behind is cleared away, by whom they joined.
    joined: BTreeMap<ContainerRef, Vec<Arc<ContainerState>>>,
    seen: &'a Observation,
    others: Option<&'a BTreeMap<ContainerId, BTreeSet<ContainerName>>>,
}

impl<'a> Joiners<'a> {
    pub(super) fn of(plans: &[ContainerPlan], seen: &'a Observation) -> Self {
        let survivors: BTreeMap<&ContainerName, Arc<ContainerState>> =
            plans.iter().filter_map(|plan| Some((&plan.name, Arc::clone(plan.survivor.as_ref()?)))).collect();
        let rest = seen.containers.keys().filter(|name| !survivors.contains_key(name));
        let rest: Vec<Arc<ContainerState>> =
            rest.filter_map(|name| seen.container(name).cloned().map(Arc::new)).collect();
        let mut joined: BTreeMap<ContainerRef, Vec<Arc<ContainerState>>> = BTreeMap::new();
        for state in survivors.into_values().chain(rest).filter(|state| state.status != Status::Removing) {
            let references: BTreeSet<&ContainerRef> = state.joined.iter().chain(state.config.references()).collect();
            for reference in references {
                joined.entry(reference.clone()).or_default().push(Arc::clone(&state));
            }
        }
        Self { joined, seen, others: seen.details.joined_by.as_ref() }
    }

    /// Those who have joined a container, as far as they were looked at without being asked for.
    fn observed(&self, name: &ContainerName, id: &ContainerId) -> impl Iterator<Item = &Arc<ContainerState>> {
        let references = [ContainerRef::Name(name.clone()), ContainerRef::Id(id.clone())];
        references.into_iter().filter_map(|reference| self.joined.get(&reference)).flatten()
    }

    fn joined(&self, name: &ContainerName, id: &ContainerId) -> BTreeSet<ContainerName> {
        let observed = self.observed(name, id).map(|state| &state.name);
        observed.chain(self.others(id)).filter(|joiner| *joiner != name).cloned().collect()
    }

    /// Those that cannot do without a container: one that only has volumes of it keeps them.
    fn needing(&self, name: &ContainerName, id: &ContainerId) -> BTreeSet<ContainerName> {
        let observed = self.observed(name, id).filter(|state| state.config.needed().any(|it| is_it(it, name, id)));
        let all = observed.map(|state| &state.name).chain(self.others(id));
        all.filter(|joiner| *joiner != name).cloned().collect()
    }

    /// Whoever has joined a container that ends has to be replaced after it: answers why, for those
    /// who are not yet. Who cannot be replaced keeps it from ending.
    pub(super) fn follow(
        &self,
        plans: &mut [ContainerPlan],
        goals: &Goals,
        forced: &BTreeMap<ContainerName, Cause>,
    ) -> BTreeMap<ContainerName, Cause> {
        while self.refuse(plans, goals) {}
        let mut more = BTreeMap::new();
        let ended: BTreeSet<ContainerName> =
            plans.iter().filter(|plan| plan.ends.is_some()).map(|plan| plan.name.clone()).collect();
        for plan in plans.iter() {
            let Some(id) = &plan.ends else { continue };
            for joiner in self.joined(&plan.name, id) {
                let has_spec = goals.get(&joiner).is_some_and(|goal| goal.spec().is_some());
                let is_replaced = forced.get(&joiner).is_some_and(|cause| !matches!(cause, Cause::JoinedAnew(_)));
                if has_spec && !ended.contains(&joiner) && !is_replaced {
                    more.insert(joiner, Cause::Joined(plan.name.clone()));
                }
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

    /// Refuses the plans of containers that somebody has joined who is not replaced or removed too; answers whether
    /// there were any.
    fn refuse(&self, plans: &mut [ContainerPlan], goals: &Goals) -> bool {
        let is_ours = |goal: &Goal| matches!(goal, Goal::Absent { .. }) || goal.spec().is_some();
        let refused: Vec<ContainerName> =
            plans.iter().filter(|plan| plan.refused.is_some()).map(|plan| plan.name.clone()).collect();
        let mut any = false;
        for plan in plans.iter_mut().filter(|plan| plan.lost().next().is_some()) {
            let joined = plan.ends.iter().flat_map(|id| self.needing(&plan.name, id));
            let joined: BTreeSet<ContainerName> =
                joined.chain(plan.lost().flat_map(|id| self.others(id)).cloned()).collect();
            let foreign = joined.iter().filter(|joiner| !goals.get(joiner).is_some_and(is_ours));
            let foreign = crate::text::join(foreign, ", ");
            let stuck = refused.iter().filter(|joiner| joined.contains(*joiner));
            let stuck = crate::text::join(stuck, ", ");
            let reason = match (foreign.is_empty(), stuck.is_empty()) {
                (false, _) => {
                    format!("{foreign} joined it and would lose it; remove {foreign}, or give a goal for it too")
                }
                (true, false) => format!("{stuck} joined it and would lose it, and may not be touched"),
                (true, true) => continue,
            };
            let error = Error::new(ErrorKind::Conflict, "replace container", &plan.name).because(reason);
            *plan = ContainerPlan::refused(plan.name.clone(), error);
            any = true;
        }
        any
    }

    /// Those who have joined a container and are no goals, as far as they were looked for.
    fn others(&self, id: &ContainerId) -> impl Iterator<Item = &'a ContainerName> {
        self.others.and_then(|others| others.get(id)).into_iter().flatten()
    }

    /// Those that are up in namespaces of a container, and lose them when it is started anew.
    fn up_in_namespaces(&self, name: &ContainerName, id: &ContainerId) -> Vec<&ContainerState> {
        let loses = |state: &&Arc<ContainerState>| {
            state.status.is_up() && state.config.joined_namespaces().any(|joined| is_it(joined, name, id))
        };
        let found: BTreeMap<&ContainerName, &ContainerState> =
            self.observed(name, id).filter(loses).map(|state| (&state.name, state.as_ref())).collect();
        found.into_values().collect()
    }

    /// Adds those that are up in namespaces of a container, and those in theirs: each before those that it has joined.
    fn add_above<'s>(
        &'s self,
        name: &ContainerName,
        id: &ContainerId,
        visited: &mut BTreeSet<ContainerId>,
        found: &mut Vec<&'s ContainerState>,
    ) {
        for joiner in self.up_in_namespaces(name, id) {
            if visited.insert(joiner.id.clone()) {
                self.add_above(&joiner.name, &joiner.id, visited, found);
                found.push(joiner);
            }
        }
    }

    /// A container that is put back is started anew: who has joined it, and was not replaced yet, is restarted then.
    pub(super) fn revive(&self, plans: &mut [ContainerPlan]) {
        for plan in plans {
            let Some(id) = plan.ends.clone() else { continue };
            let mut joiners = Vec::new();
            self.add_above(&plan.name, &id, &mut BTreeSet::from([id.clone()]), &mut joiners);
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
                actions.extend(joiners.into_iter().rev().flat_map(|joiner| self.restart(joiner)));
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

fn is_it(reference: &ContainerRef, name: &ContainerName, id: &ContainerId) -> bool {
    match reference {
        ContainerRef::Name(referred) => referred == name,
        ContainerRef::Id(referred) => referred == id,
    }
}

/// The container that the plan starts anew as it is, with new namespaces.
fn started_anew(plan: &ContainerPlan) -> Option<ContainerId> {
    plan.steps.iter().find_map(|step| match &step.action {
        Action::Start { target: Target::Existing(id) }
        | Action::Restart { target: Target::Existing(id), .. }
        | Action::Revive { target: Target::Existing(id) } => Some(id.clone()),
        Action::StartUnit { .. } | Action::RestartUnit { .. } => plan.subject().cloned(),
        _ => None,
    })
}
