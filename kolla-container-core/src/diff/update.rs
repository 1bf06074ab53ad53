//! What is changed in place: the update that closes differences, and the one that takes it back.

use super::fields::{Cure, Field, Visitor, visit};
use super::value::Value;
use super::{Change, Comparison, Remedy, Surroundings, diff, expect};
use crate::spec::{ContainerSpec, RestartPolicy};
use crate::state::{ContainerState, ContainerUpdate, EngineFacts, Warning};

/// The one update that closes `changes`, and carries what the engine would otherwise refuse.
pub(crate) fn update_for(
    changes: &[Change],
    wanted: &ContainerSpec,
    container: &ContainerState,
    surroundings: &Surroundings<'_>,
) -> ContainerUpdate {
    let expected = expect::expect(wanted, container, surroundings);
    let mut update = ContainerUpdate::default();
    for change in changes.iter().filter(|change| change.remedy == Remedy::Update) {
        visit(&mut Copying { path: change.field.as_str(), from: &expected, to: &mut update });
    }
    // The engine derives swap from memory once, when the container is made: it has to go along.
    if let Some(memory) = update.resources.memory {
        update.resources.memory_swap =
            wanted.resources.memory_swap.or_else(|| expect::derived_swap(memory, surroundings.engine));
    }
    update
}

/// The fields among `changes` that are changed in place and were not limited before: an update cannot take
/// a limit away again.
pub(crate) fn limits_that_were_not_set(changes: &[Change], container: &ContainerState) -> Vec<&'static str> {
    struct Unlimited<'a>(&'a ContainerSpec, Vec<&'static str>);

    impl Visitor for Unlimited<'_> {
        fn field<T: Value>(&mut self, field: &Field<T>) {
            if field.cure == Cure::Update && (field.get)(self.0).as_ref().is_some_and(Value::is_no_limit) {
                self.1.push(field.path);
            }
        }
    }

    let mut unlimited = Unlimited(&container.config, Vec::new());
    visit(&mut unlimited);
    let is_updated = |path: &&'static str| {
        changes.iter().any(|change| change.remedy == Remedy::Update && change.field.as_str() == *path)
    };
    unlimited.1.into_iter().filter(is_updated).collect()
}

/// What of `update` is not there in `updated`, the same container afterwards: what an engine did not do, and did not say.
///
/// For backends. That an update takes no limit away is known without looking.
pub fn discarded(update: &ContainerUpdate, updated: &ContainerState, engine: &EngineFacts) -> Vec<Warning> {
    let wanted = update.as_spec();
    let comparison = Comparison::stated();
    let around = Surroundings { image: None, wanted_image: None, engine, comparison: &comparison };
    let differing = diff(&wanted, updated, &around).changes.into_iter();
    let differing = differing.filter(|change| change.remedy == Remedy::Update);
    differing
        .map(|change| Warning { message: format!("the engine did not change {change}"), field: Some(change.field) })
        .collect()
}

/// The update that takes `update` back: the values of the same fields as they are now.
pub(crate) fn reverse_update(update: &ContainerUpdate, container: &ContainerState) -> ContainerUpdate {
    let stated = update.as_spec();
    let mut reverse = ContainerUpdate::default();
    let mut visitor = Reversing { stated: &stated, from: &container.config, to: &mut reverse };
    visit(&mut visitor);
    reverse
}

struct Copying<'a> {
    path: &'a str,
    from: &'a ContainerSpec,
    to: &'a mut ContainerUpdate,
}

impl Visitor for Copying<'_> {
    fn field<T: Value>(&mut self, field: &Field<T>) {
        if field.path == self.path {
            copy(field, self.from, self.to);
        }
    }
}

struct Reversing<'a> {
    stated: &'a ContainerSpec,
    from: &'a ContainerSpec,
    to: &'a mut ContainerUpdate,
}

impl Visitor for Reversing<'_> {
    fn field<T: Value>(&mut self, field: &Field<T>) {
        if (field.get)(self.stated).is_some() {
            copy(field, self.from, self.to);
        }
    }
}

/// Copies one field into an update, by way of a spec: an update has the same groups.
fn copy<T: Value>(field: &Field<T>, from: &ContainerSpec, to: &mut ContainerUpdate) {
    let mut spec = to.as_spec();
    (field.get_mut)(&mut spec).clone_from((field.get)(from));
    to.resources = spec.resources;
    to.restart = spec.restart;
}

/// What a supervised container is to its engine: one that the engine itself never restarts.
pub(crate) fn without_engine_restart(mut spec: ContainerSpec) -> ContainerSpec {
    spec.restart = Some(RestartPolicy::No);
    spec
}
