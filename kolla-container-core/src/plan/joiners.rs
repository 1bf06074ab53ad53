//! Who has joined whom: a container that is replaced takes its namespaces with it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cause, ContainerPlan, Goal, Goals, Observation};
use crate::error::{Error, ErrorKind};
use crate::name::{ContainerId, ContainerName, ContainerRef};
use crate::state::Status;

/// Who has joined each container, as far as it was looked at.
pub(super) struct Joiners<'a> {
    observed: BTreeMap<ContainerRef, BTreeSet<&'a ContainerName>>,
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
        Self { observed, others: seen.details.joined_by.as_ref() }
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
        for plan in plans {
            let Some(id) = plan.ends.clone() else { continue };
            let mut foreign = Vec::new();
            let mut ours = BTreeMap::new();
            for joiner in self.joined(&plan.name, &id) {
                match goals.get(&joiner) {
                    Some(Goal::Absent { .. }) => {}
                    Some(goal) if goal.spec().is_some() => {
                        if !ended.contains(&joiner) && !forced.contains_key(&joiner) {
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
        more
    }
}
