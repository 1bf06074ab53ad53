//! In which order containers are dealt with: whom others refer to, first.

use std::collections::{BTreeMap, BTreeSet};

use super::together::has_joined;
use super::{ContainerPlan, Goal, Goals, Observation};
use crate::error::{Error, ErrorKind};
use crate::name::{ContainerName, ContainerRef};

/// Sorts the plans and notes for each which others come before it: all of those are before it in the list, too.
pub(super) fn order(plans: &mut Vec<ContainerPlan>, goals: &Goals, seen: &Observation) {
    let before = edges(goals, seen);
    let mut after: BTreeMap<ContainerName, Vec<ContainerName>> = BTreeMap::new();
    let mut waiting: BTreeMap<ContainerName, (usize, ContainerPlan)> = BTreeMap::new();
    let mut ready: BTreeSet<ContainerName> = BTreeSet::new();
    for mut plan in std::mem::take(plans) {
        plan.after = before.get(&plan.name).cloned().unwrap_or_default();
        for other in &plan.after {
            after.entry(other.clone()).or_default().push(plan.name.clone());
        }
        if plan.after.is_empty() {
            ready.insert(plan.name.clone());
        }
        waiting.insert(plan.name.clone(), (plan.after.len(), plan));
    }
    // The first, by name, that waits for nobody.
    while let Some(name) = ready.pop_first().or_else(|| first_of_circle(&waiting, goals)) {
        let Some((_, plan)) = waiting.remove(&name) else { continue };
        plans.push(without(plan, |other| waiting.contains_key(other)));
        for next in after.remove(&name).unwrap_or_default() {
            if let Some((left, _)) = waiting.get_mut(&next) {
                *left = left.saturating_sub(1);
                if *left == 0 {
                    ready.insert(next);
                }
            }
        }
    }
}

/// Who goes first of those that wait for each other, as when somebody moves from one that is to be removed to one that
/// this has joined: one whose container stays, and best one that refers to nobody else who waits.
fn first_of_circle(waiting: &BTreeMap<ContainerName, (usize, ContainerPlan)>, goals: &Goals) -> Option<ContainerName> {
    let refers_to_none = |name: &ContainerName| {
        let spec = goals.get(name).and_then(Goal::spec);
        spec.is_some_and(|spec| spec.referenced_names().into_iter().all(|other| !waiting.contains_key(other)))
    };
    let staying = || waiting.iter().filter(|(_, (_, plan))| plan.ends.is_none()).map(|(name, _)| name);
    staying().find(|name| refers_to_none(name)).or_else(|| staying().next()).or_else(|| waiting.keys().next()).cloned()
}

/// The plan of one that does not wait for those who come later. Its container cannot go while they stand on it.
fn without(mut plan: ContainerPlan, comes_later: impl Fn(&ContainerName) -> bool) -> ContainerPlan {
    let (later, after): (BTreeSet<_>, BTreeSet<_>) = plan.after.into_iter().partition(comes_later);
    plan.after = after;
    if let (Some(_), Some(other)) = (&plan.ends, later.first()) {
        let why = format!(
            "it has to wait for {other}, and that for it, by what they have joined: \
             leave it as it is in one run, and change it in the next"
        );
        let error = Error::new(ErrorKind::Conflict, "change container", &plan.name).because(why);
        plan = ContainerPlan { after: plan.after, ..ContainerPlan::refused(plan.name, error) };
    }
    plan
}

/// For each container, which ones come before it.
fn edges(goals: &Goals, seen: &Observation) -> BTreeMap<ContainerName, BTreeSet<ContainerName>> {
    let mut before: BTreeMap<ContainerName, BTreeSet<ContainerName>> = BTreeMap::new();
    for (name, goal) in goals {
        for referenced in goal.spec().map(|spec| spec.referenced_names()).unwrap_or_default() {
            if goals.get(referenced).is_some() {
                before.entry(name.clone()).or_default().insert(referenced.clone());
            }
        }
        // Whom it has joined, and will not join any more, is removed when it does without.
        if goal.spec().is_some() {
            for joined in has_joined(name, seen) {
                if matches!(goals.get(&joined), Some(Goal::Absent { .. })) {
                    before.entry(joined).or_default().insert(name.clone());
                }
            }
        }
        // Who is removed goes before those whom it has joined.
        if matches!(goal, Goal::Absent { .. })
            && let Some(state) = seen.container(name)
        {
            let joined = state.joined.iter().chain(state.config.references()).filter_map(ContainerRef::name);
            for joined in joined.filter(|joined| goals.get(joined).is_some()) {
                before.entry(joined.clone()).or_default().insert(name.clone());
            }
        }
    }
    before
}

/// A circle of goals that refer to each other, if there is one.
pub(super) fn cycle(goals: &Goals) -> Option<Vec<ContainerName>> {
    let refers_to = |name: &ContainerName| -> BTreeSet<ContainerName> {
        let references = goals.get(name).and_then(Goal::spec).map(|spec| spec.referenced_names()).unwrap_or_default();
        // A container that refers to itself is another violation.
        references.into_iter().filter(|other| *other != name && goals.get(other).is_some()).cloned().collect()
    };
    let mut left: BTreeMap<ContainerName, BTreeSet<ContainerName>> =
        goals.iter().map(|(name, _)| (name.clone(), refers_to(name))).collect();
    let mut referred_by: BTreeMap<ContainerName, Vec<ContainerName>> = BTreeMap::new();
    for (name, others) in &left {
        for other in others {
            referred_by.entry(other.clone()).or_default().push(name.clone());
        }
    }
    // Whoever refers to nobody is in no circle; without him, neither is who referred to him only.
    let mut free: Vec<ContainerName> =
        left.iter().filter(|(_, others)| others.is_empty()).map(|(name, _)| name.clone()).collect();
    while let Some(name) = free.pop() {
        left.remove(&name);
        for by in referred_by.remove(&name).unwrap_or_default() {
            if let Some(others) = left.get_mut(&by) {
                others.remove(&name);
                if others.is_empty() {
                    free.push(by);
                }
            }
        }
    }
    // Each of the rest refers to one of the rest: going on, somebody comes again.
    let mut way: Vec<ContainerName> = vec![left.keys().next()?.clone()];
    loop {
        let next = left.get(way.last()?)?.first()?.clone();
        if let Some(start) = way.iter().position(|seen| *seen == next) {
            return Some(way.into_iter().skip(start).chain([next]).collect());
        }
        way.push(next);
    }
}
