//! Export: what remains to be stated of a container after everything implied is taken away.
//!
//! The inverse of `expect`: comparing a container with its own minimal spec finds nothing.

use super::fields::{Field, Visitor, visit};
use super::value::Value;
use super::{Comparison, Surroundings, expect::expect, expect::is_given_by_engine, expect::owns_shared_memory};
use crate::spec::{
    Command, ContainerSpec, Environment, HealthTest, Healthcheck, Mount, NamespaceMode, NetworkMode, TextMap, Variable,
};
use crate::state::{ContainerState, EngineFacts, ImageState};

/// The spec of a container as a user would have written it: without what its image and its engine
/// imply.
///
/// - Values of secrets are in it: it is meant to be a file that runs the same container elsewhere.
/// - What the engine does not report is not in it: a record of ours says that there was something, and not what.
pub fn minimal(container: &ContainerState, image: Option<&ImageState>, engine: &EngineFacts) -> ContainerSpec {
    let comparison = Comparison::strict();
    let around = Surroundings { image, wanted_image: None, engine, comparison: &comparison };
    let observed = &container.config;
    let mut stated = ContainerSpec { image: observed.image.clone(), ..ContainerSpec::default() };
    let implied = expect(&stated, container, &around);
    visit(&mut Subtracting { observed, implied: &implied, stated: &mut stated });

    stated.image.clone_from(&observed.image);
    name_of_its_own(&mut stated, container);
    // What an image's entrypoint gets depends on whether one is stated.
    if stated.entrypoint.is_some() {
        stated.command.clone_from(&observed.command);
    }
    if stated.command.as_ref().is_some_and(Command::is_empty) {
        // No command is what an entrypoint of one's own implies, and nothing else does.
        stated.command = None;
        stated.entrypoint.clone_from(&observed.entrypoint);
    }
    subtract_keys(&mut stated, observed, &implied);
    stated.healthcheck = healthcheck(&stated, observed, &implied, engine);
    stated.platform = None;
    without_added_options(&mut stated, engine);
    capabilities(&mut stated, observed, engine);
    // What is shared with others is not its own to state.
    if !owns_shared_memory(observed) {
        stated.resources.shm_size = None;
    }
    // Stating none adds nothing to what the engine may add by itself.
    stated.resources.ulimits = stated.resources.ulimits.filter(|ulimits| !ulimits.is_empty());
    stated.logging.options = stated.logging.options.filter(|options| !options.0.is_empty());
    stated.labels = stated.labels.filter(|labels| !labels.0.is_empty());
    stated.network.expose = stated.network.expose.filter(|ports| !ports.0.is_empty());
    stated.user = stated.user.filter(|user| !user.is_empty());
    for endpoint in stated.network.networks.iter_mut().flat_map(|networks| networks.values_mut()) {
        endpoint.aliases.retain(|alias| !is_given_by_engine(alias, container));
    }
    // That is what stating networks means, and leaving all of them cannot be stated.
    if stated.network.mode == Some(NetworkMode::Named) {
        stated.network.mode = None;
    }
    if stated.resources.memory_swap.is_some_and(|swap| swap.is_unlimited())
        && observed.resources.memory.is_none_or(|memory| memory.is_unlimited())
    {
        stated.resources.memory_swap = None;
    }
    stated
}

/// Options of mounts that the engine adds by itself were stated by nobody.
fn without_added_options(stated: &mut ContainerSpec, engine: &EngineFacts) {
    let is_stated = |option: &str| !engine.additions.mount_options.contains(option);
    for mount in stated.mounts.iter_mut().flat_map(|mounts| mounts.0.values_mut()) {
        match mount {
            Mount::Bind(bind) => bind.flags.retain(|flag| is_stated(&flag.to_string())),
            Mount::Volume(volume) => volume.flags.retain(|flag| is_stated(&flag.to_string())),
            Mount::Tmpfs(tmpfs) => tmpfs.options.retain(|option| is_stated(option)),
            Mount::Devpts => {}
        }
    }
}

/// What was asked for, where the engine compares the capabilities that there are with others than it gives.
fn capabilities(stated: &mut ContainerSpec, observed: &ContainerSpec, engine: &EngineFacts) {
    let Some(sets) = &engine.additions.capabilities else { return };
    let security = &mut stated.security;
    if security.cap_add.is_some() || security.cap_drop.is_some() {
        let (added, dropped) = sets.asked(&observed.security);
        security.cap_add = Some(added).filter(|added| !added.is_empty());
        security.cap_drop = Some(dropped).filter(|dropped| !dropped.is_empty());
    }
}

/// Keeps each field that is not as it would be by itself.
struct Subtracting<'a> {
    observed: &'a ContainerSpec,
    implied: &'a ContainerSpec,
    stated: &'a mut ContainerSpec,
}

impl Visitor for Subtracting<'_> {
    fn field<T: Value>(&mut self, field: &Field<T>) {
        let observed = (field.get)(self.observed);
        let differs = match (observed, (field.get)(self.implied)) {
            (None, _) => false,
            (Some(_), None) => true,
            (Some(observed), Some(implied)) => !T::differences(implied, observed, false).is_empty(),
        };
        *(field.get_mut)(self.stated) = if differs { observed.clone() } else { None };
    }
}

/// The host name that every container gets is the beginning of its id; others are not its own.
fn name_of_its_own(stated: &mut ContainerSpec, container: &ContainerState) {
    let given = stated.hostname.as_deref().is_some_and(|name| container.id.as_str().starts_with(name));
    let network = &container.config.network.mode;
    let uts = &container.config.namespaces.uts;
    let shared = matches!(network, Some(NetworkMode::Host | NetworkMode::Container(_)))
        || matches!(uts, Some(NamespaceMode::Host | NamespaceMode::Container(_)));
    if given || shared {
        stated.hostname = None;
    }
}

/// Of maps that the image fills, only what is not the image's.
fn subtract_keys(stated: &mut ContainerSpec, observed: &ContainerSpec, implied: &ContainerSpec) {
    if let (Some(Environment(variables)), Some(Environment(theirs))) = (&mut stated.environment, &implied.environment) {
        variables.retain(|name, variable| theirs.get(name) != Some(&*variable));
        let missing = theirs.keys().filter(|name| {
            observed.environment.as_ref().is_none_or(|there| there.0.get(*name).and_then(Variable::value).is_none())
        });
        variables.extend(missing.map(|name| (name.clone(), Variable::Unset)));
    }
    for (ours, theirs) in [(&mut stated.labels, &implied.labels), (&mut stated.annotations, &implied.annotations)] {
        if let (Some(TextMap(ours)), Some(TextMap(theirs))) = (ours, theirs) {
            ours.retain(|key, value| theirs.get(key) != Some(&*value));
        }
    }
    if let (Some(ours), Some(theirs)) = (&mut stated.mounts, &implied.mounts) {
        ours.0.retain(|target, mount| theirs.0.get(target) != Some(&*mount));
    }
    if let (Some(ours), Some(theirs)) = (&mut stated.network.expose, &implied.network.expose) {
        ours.0.retain(|port| !theirs.0.contains(port));
    }
}

fn healthcheck(
    stated: &ContainerSpec,
    observed: &ContainerSpec,
    implied: &ContainerSpec,
    engine: &EngineFacts,
) -> Healthcheck {
    let is_none = |test: &Option<HealthTest>| *test == Some(HealthTest::None);
    match (is_none(&observed.healthcheck.test), is_none(&implied.healthcheck.test)) {
        (true, true) => Healthcheck::default(),
        (true, false) => Healthcheck::none(),
        // The keys were not compared with anything, and the image has none.
        (false, true) => unlike_defaults(observed.healthcheck.clone(), &engine.defaults.healthcheck),
        (false, false) => stated.healthcheck.clone(),
    }
}

fn unlike_defaults(check: Healthcheck, defaults: &Healthcheck) -> Healthcheck {
    fn unlike<T: PartialEq>(value: Option<T>, default: Option<&T>) -> Option<T> {
        value.filter(|value| Some(value) != default)
    }
    Healthcheck {
        test: check.test,
        interval: unlike(check.interval, defaults.interval.as_ref()),
        timeout: unlike(check.timeout, defaults.timeout.as_ref()),
        retries: unlike(check.retries, defaults.retries.as_ref()),
        start_period: unlike(check.start_period, defaults.start_period.as_ref()),
        start_interval: unlike(check.start_interval, defaults.start_interval.as_ref()),
    }
}
