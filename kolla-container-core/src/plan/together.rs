//! Who is replaced together or not at all: those who have joined each other.
//!
//! A container waits for those that it has joined, and those can only give up their old ones when it is through.
//! Whoever waits for each other, directly or by way of others, belongs together.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cause, ContainerPlan, Effect, Observation, Undo};
use crate::name::ContainerName;
use crate::state::ContainerState;

type Graph = BTreeMap<ContainerName, BTreeSet<ContainerName>>;

/// Notes for each plan which others it is carried out together with.
pub(super) fn together(plans: &mut [ContainerPlan], seen: &Observation) {
    let names = |is_one: fn(&ContainerPlan) -> bool| -> BTreeSet<ContainerName> {
        plans.iter().filter(|plan| is_one(plan)).map(|plan| plan.name.clone()).collect()
    };
    let (bases, joiners) = (names(can_be_kept), names(loses_what_it_joined));
    let mut waits: Graph = plans.iter().map(|plan| (plan.name.clone(), plan.after.clone())).collect();
    let mut tied: BTreeSet<ContainerName> = BTreeSet::new();
    for plan in plans.iter_mut().filter(|plan| joiners.contains(&plan.name)) {
        plan.joined = stands_on(&plan.name, seen).intersection(&bases).cloned().collect();
        for joined in has_joined(&plan.name, seen).intersection(&bases) {
            waits.entry(plan.name.clone()).or_default().insert(joined.clone());
            waits.entry(joined.clone()).or_default().insert(plan.name.clone());
            tied.insert(joined.clone());
        }
    }
    let awaited = reversed(&waits);
    let mut groups: BTreeMap<ContainerName, BTreeSet<ContainerName>> = BTreeMap::new();
    while let Some(name) = tied.pop_first() {
        let group: BTreeSet<ContainerName> =
            reach(&name, &waits).intersection(&reach(&name, &awaited)).cloned().collect();
        for member in &group {
            tied.remove(member);
            groups.insert(member.clone(), group.iter().filter(|other| *other != member).cloned().collect());
        }
    }
    for plan in plans {
        plan.together = groups.remove(&plan.name).unwrap_or_default();
    }
}

fn is_interrupted(plan: &ContainerPlan) -> bool {
    plan.steps.first().is_some_and(|step| step.cause == Cause::Interrupted)
}

/// Whether its old one is kept until the end, or something is left of an interrupted run.
fn can_be_kept(plan: &ContainerPlan) -> bool {
    let commits = plan.steps.last().is_some_and(|step| step.undo == Undo::Committed);
    is_interrupted(plan) || (plan.effect == Effect::Replaced && commits)
}

/// Whether a new one takes its place, which has joined what is there then.
fn loses_what_it_joined(plan: &ContainerPlan) -> bool {
    is_interrupted(plan) || (plan.ends.is_some() && plan.effect != Effect::Removed)
}

/// Whom the container, or what is left of it, has joined: by the names that they have when nothing is interrupted.
pub(super) fn has_joined(name: &ContainerName, seen: &Observation) -> BTreeSet<ContainerName> {
    let left = seen.leftovers.get(name).into_iter().flat_map(|left| [&left.next, &left.previous]).flatten();
    joined(seen.container(name).into_iter().chain(left), name)
}

/// As `has_joined`; where only the old one is left to remove, whom that has joined.
fn stands_on(name: &ContainerName, seen: &Observation) -> BTreeSet<ContainerName> {
    match seen.leftovers.get(name).and_then(|left| left.previous.as_ref().filter(|_| left.verified)) {
        Some(previous) => joined([previous], name),
        None => has_joined(name, seen),
    }
}

fn joined<'s>(states: impl IntoIterator<Item = &'s ContainerState>, own: &ContainerName) -> BTreeSet<ContainerName> {
    let references = states.into_iter().flat_map(|state| state.joined.iter().chain(state.config.references()));
    let names = references.filter_map(|reference| reference.name().map(ContainerName::stem));
    names.filter(|joined| joined != own).collect()
}

fn reversed(graph: &Graph) -> Graph {
    let mut reversed = Graph::new();
    for (from, to) in graph {
        for to in to {
            reversed.entry(to.clone()).or_default().insert(from.clone());
        }
    }
    reversed
}

/// `from`, and all that can be reached from it.
fn reach(from: &ContainerName, graph: &Graph) -> BTreeSet<ContainerName> {
    let mut reached = BTreeSet::from([from.clone()]);
    let mut new = vec![from];
    while let Some(name) = new.pop() {
        for next in graph.get(name).into_iter().flatten() {
            if reached.insert(next.clone()) {
                new.push(next);
            }
        }
    }
    reached
}
