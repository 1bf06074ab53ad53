//! What makes goals impossible before anything is planned: every violation of every goal at once.

use super::{Context, Goal, Goals, Observation};
use crate::diff::unsupported;
use crate::name::ContainerName;
use crate::spec::ContainerSpec;
use crate::violation::{FieldPath, Violations};

pub(super) fn check(goals: &Goals, seen: &Observation, context: &Context<'_>) -> Violations {
    let mut wrong = Violations::none();
    for (name, goal) in goals {
        let path = FieldPath::from("containers").key(name);
        if let Some(suffix) = name.reserved_suffix() {
            wrong.add(path.clone(), format!("names that end in {suffix} are reserved for replacements"));
        }
        if let Some(spec) = goal.spec() {
            wrong.add_below(&path, spec.validate());
            wrong.add_below(&path, unsupported(spec, &context.engine.features));
            wrong.add_below(&path, references(name, spec, goals, seen));
            wrong.add_below(&path, networks(spec, seen));
        }
    }
    if let Some(cycle) = super::order::cycle(goals) {
        let names = crate::text::join(&cycle, " -> ");
        wrong.add("containers", format!("{names}: these containers refer to each other in a circle"));
    }
    wrong
}

/// Whom a container refers to has to be there, or to be made by the same plan.
fn references(name: &ContainerName, spec: &ContainerSpec, goals: &Goals, seen: &Observation) -> Violations {
    let mut wrong = Violations::none();
    for referenced in spec.referenced_names() {
        if referenced == name {
            wrong.add(FieldPath::root(), format!("{name} refers to itself"));
            continue;
        }
        let is_made = goals.get(referenced).is_some_and(|goal| goal.spec().is_some());
        let is_removed = matches!(goals.get(referenced), Some(Goal::Absent { .. }));
        let is_there = !matches!(seen.containers.get(referenced), Some(Ok(None)) | None);
        if is_removed {
            wrong.add(FieldPath::root(), format!("refers to {referenced}, which is to be removed"));
        } else if !is_made && !is_there {
            wrong.add(
                FieldPath::root(),
                format!("refers to {referenced}: there is no such container, and no goal for one"),
            );
        }
    }
    wrong
}

fn networks(spec: &ContainerSpec, seen: &Observation) -> Violations {
    let mut wrong = Violations::none();
    for network in spec.network.networks.iter().flat_map(|networks| networks.keys()) {
        if seen.details.networks.get(network) == Some(&false) {
            wrong.add(FieldPath::from("network.networks").key(network), "there is no such network");
        }
    }
    wrong
}
