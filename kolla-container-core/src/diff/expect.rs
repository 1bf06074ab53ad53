//! What is expected of a container: what is stated, else what its image implies, else what its engine
//! does by default.
//!
//! Values that an engine derives from another field are expected from the OBSERVED value of that
//! field, so that a change of one field never shows as a change of two.

use std::collections::BTreeMap;

use super::comparison::Mode;
use super::fields::{Field, Visitor, visit};
use super::value::Value;
use super::{Surroundings, added, comparison::Comparison};
use crate::name::ImageId;
use crate::quantity::{ByteSize, Limit};
use crate::spec::{
    Command, ContainerSpec, Environment, ExposedPorts, HealthTest, Healthcheck, LABEL_NAMESPACE, Mounts, NamespaceMode,
    NetworkMode, SecurityOpt, TextMap,
};
use crate::state::{ContainerState, EngineFacts};

/// What is expected of `container`; `None` in a field is "any value will do".
pub(super) fn expect(wanted: &ContainerSpec, container: &ContainerState, around: &Surroundings<'_>) -> ContainerSpec {
    // An empty command is none.
    let stated;
    let wanted = if wanted.command.as_ref().is_some_and(Command::is_empty) {
        stated = ContainerSpec { command: None, ..wanted.clone() };
        &stated
    } else {
        wanted
    };
    let nothing = ContainerSpec::default();
    let implied = around.image.map_or(&nothing, |image| &image.config);
    let defaults = &around.engine.defaults;
    let observed = &container.config;

    let mut expected = ContainerSpec::default();
    visit(&mut FirstStated { sources: [wanted, implied, defaults], expected: &mut expected });

    image(&mut expected, container);
    command(&mut expected, wanted, implied);
    environment(&mut expected, wanted, implied, defaults);
    mounts(&mut expected, wanted, implied);
    network(&mut expected, wanted, implied, container);
    namespaces(&mut expected, observed);
    security(&mut expected, wanted, observed);
    resources(&mut expected, wanted, observed, around.engine);
    healthcheck(&mut expected.healthcheck, &observed.healthcheck);
    logging(&mut expected, wanted, defaults);
    added::add(&mut expected, wanted, container, around.engine);
    // The platform of a container is that of its image, which is compared by itself.
    expected.platform.clone_from(&wanted.platform);
    if around.image.is_none() {
        visit(&mut Forgetting { wanted, expected: &mut expected });
    }

    visit(&mut Restricting { comparison: around.comparison, wanted, expected: &mut expected });
    expected
}

/// Takes each field from the first source that states it.
struct FirstStated<'a> {
    sources: [&'a ContainerSpec; 3],
    expected: &'a mut ContainerSpec,
}

impl Visitor for FirstStated<'_> {
    fn field<T: Value>(&mut self, field: &Field<T>) {
        let first = self.sources.into_iter().find_map(|source| (field.get)(source).as_ref());
        *(field.get_mut)(self.expected) = first.cloned();
    }
}

/// The fields that an image can imply.
pub(super) const FROM_IMAGES: [&str; 15] = [
    "command",
    "entrypoint",
    "environment",
    "labels",
    "user",
    "working_dir",
    "stop_signal",
    "mounts",
    "network.expose",
    "healthcheck.test",
    "healthcheck.interval",
    "healthcheck.timeout",
    "healthcheck.retries",
    "healthcheck.start_period",
    "healthcheck.start_interval",
];

/// Expects nothing of what only an image that is gone could tell.
struct Forgetting<'a> {
    wanted: &'a ContainerSpec,
    expected: &'a mut ContainerSpec,
}

impl Visitor for Forgetting<'_> {
    fn field<T: Value>(&mut self, field: &Field<T>) {
        if FROM_IMAGES.contains(&field.path) && (field.get)(self.wanted).is_none() {
            *(field.get_mut)(self.expected) = None;
        }
    }
}

/// Leaves only what the mode of each field wants compared.
struct Restricting<'a> {
    comparison: &'a Comparison,
    wanted: &'a ContainerSpec,
    expected: &'a mut ContainerSpec,
}

impl Visitor for Restricting<'_> {
    fn field<T: Value>(&mut self, field: &Field<T>) {
        let stated = (field.get)(self.wanted);
        let expected = (field.get_mut)(self.expected);
        match self.comparison.mode(field.path) {
            Mode::Strict => {}
            Mode::Stated if stated.is_some() => {}
            Mode::AllowExtra => expected.clone_from(stated),
            Mode::Stated | Mode::Ignore => *expected = None,
        }
    }
}

/// An image that is wanted by its id has no name to compare.
fn image(expected: &mut ContainerSpec, container: &ContainerState) {
    let wanted_id = expected.image.as_ref().and_then(|image| image.id()).map(str::parse::<ImageId>);
    if wanted_id.is_some_and(|id| id.as_ref() == Ok(&container.image_id)) {
        expected.image.clone_from(&container.config.image);
    }
}

/// An entrypoint that is stated takes the image's command away, a cleared one does not; an empty command is none.
fn command(expected: &mut ContainerSpec, wanted: &ContainerSpec, implied: &ContainerSpec) {
    if wanted.command.is_none() {
        let takes_it_away = wanted.entrypoint.as_ref().is_some_and(|entrypoint| !entrypoint.is_empty());
        expected.command = match &implied.command {
            Some(command) if !takes_it_away => Some(command.clone()),
            _ => Some(Command::default()),
        };
    }
}

/// Maps that the image and the engine fill, and the user adds to.
fn environment(
    expected: &mut ContainerSpec,
    wanted: &ContainerSpec,
    implied: &ContainerSpec,
    defaults: &ContainerSpec,
) {
    if let Some(Environment(variables)) = &mut expected.environment {
        *variables = merged([defaults, implied, wanted].map(|spec| spec.environment.as_ref().map(|map| &map.0)));
    }
    if let Some(TextMap(labels)) = &mut expected.labels {
        *labels = merged([defaults, implied, wanted].map(|spec| spec.labels.as_ref().map(|map| &map.0)));
        // An image that was made from a container of ours has its labels: they are no part of a configuration.
        labels.retain(|key, _| !key.starts_with(LABEL_NAMESPACE));
    }
    if let Some(TextMap(annotations)) = &mut expected.annotations {
        *annotations = merged([defaults, implied, wanted].map(|spec| spec.annotations.as_ref().map(|map| &map.0)));
    }
    if let Some(ulimits) = &mut expected.resources.ulimits {
        *ulimits = merged([defaults, implied, wanted].map(|spec| spec.resources.ulimits.as_ref()));
    }
}

/// All entries; a later map wins.
fn merged<K: Clone + Ord, V: Clone, const N: usize>(maps: [Option<&BTreeMap<K, V>>; N]) -> BTreeMap<K, V> {
    maps.into_iter().flatten().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The image's volumes are mounted where the user mounts nothing else.
fn mounts(expected: &mut ContainerSpec, wanted: &ContainerSpec, implied: &ContainerSpec) {
    if let Some(Mounts(mounts)) = &mut expected.mounts {
        *mounts = merged([implied, wanted].map(|spec| spec.mounts.as_ref().map(|mounts| &mounts.0)));
    }
}

fn network(expected: &mut ContainerSpec, wanted: &ContainerSpec, implied: &ContainerSpec, container: &ContainerState) {
    let observed = &container.config;
    for (name, endpoint) in expected.network.networks.iter_mut().flatten() {
        let there = observed.network.networks.as_ref().and_then(|networks| networks.get(name));
        let aliases = there.iter().flat_map(|endpoint| &endpoint.aliases);
        endpoint.aliases.extend(aliases.filter(|alias| is_given_by_engine(alias, container)).cloned());
    }
    if wanted.network.mode.is_none() && wanted.network.networks.as_ref().is_some_and(|networks| !networks.is_empty()) {
        expected.network.mode = Some(NetworkMode::Named);
    }
    if let Some(ExposedPorts(ports)) = &mut expected.network.expose {
        let stated = [implied, wanted].into_iter().filter_map(|spec| spec.network.expose.as_ref());
        ports.extend(stated.flat_map(|ports| &ports.0));
        // Some clients and engines expose what they publish.
        let published = observed.network.ports.iter().flat_map(|ports| ports.0.keys());
        let exposed = observed.network.expose.iter().flat_map(|exposed| &exposed.0);
        ports.extend(exposed.filter(|port| published.clone().any(|published| published == *port)));
    }
}

/// Whether an engine makes this an alias of the container by itself: the beginning of its id, and its host name.
pub(super) fn is_given_by_engine(alias: &str, container: &ContainerState) -> bool {
    alias == container.id.short() || container.config.hostname.as_deref() == Some(alias)
}

/// Whichever kind of its own an engine gives to a container, it never shares the ipc of another by itself.
fn namespaces(expected: &mut ContainerSpec, observed: &ContainerSpec) {
    if expected.namespaces.ipc.is_none() && !owns_shared_memory(observed) {
        expected.namespaces.ipc = Some(NamespaceMode::Private);
    }
}

/// Engines switch SELinux labels off for containers that share too much with the host, and take over those of a container
/// that is joined.
fn security(expected: &mut ContainerSpec, wanted: &ContainerSpec, observed: &ContainerSpec) {
    let shares = |mode: &Option<NamespaceMode>| matches!(mode, Some(NamespaceMode::Host | NamespaceMode::Container(_)));
    let switched_off = observed.security.privileged == Some(true)
        || shares(&observed.namespaces.ipc)
        || shares(&observed.namespaces.pid);
    let is_label = |option: &&SecurityOpt| option.module() == "label";
    let stated = wanted.security.security_opt.iter().flatten().any(|option| is_label(&option));
    if switched_off && !stated {
        let generated = observed.security.security_opt.iter().flatten().filter(is_label).cloned();
        if let Some(options) = &mut expected.security.security_opt {
            options.extend(generated);
        }
    }
}

fn resources(expected: &mut ContainerSpec, wanted: &ContainerSpec, observed: &ContainerSpec, engine: &EngineFacts) {
    if wanted.resources.memory_swap.is_none()
        && let Some(memory) = observed.resources.memory
        && let Some(derived) = derived_swap(memory, engine)
    {
        // Without swap accounting an engine leaves it unlimited.
        let acceptable = [Some(derived), Some(Limit::Unlimited)];
        let there = observed.resources.memory_swap;
        let after_a_change = || expected.resources.memory.and_then(|memory| derived_swap(memory, engine));
        expected.resources.memory_swap = if acceptable.contains(&there) { there } else { after_a_change() };
    }
    if wanted.resources.shm_size.is_none() && !owns_shared_memory(observed) {
        expected.resources.shm_size = None;
    }
}

/// Whether its /dev/shm is one of its own, whose size means something.
pub(super) fn owns_shared_memory(observed: &ContainerSpec) -> bool {
    !matches!(observed.namespaces.ipc, Some(NamespaceMode::Host | NamespaceMode::None | NamespaceMode::Container(_)))
}

/// What an engine makes of a memory limit where swap is not stated: the same again.
pub(super) fn derived_swap(memory: Limit<ByteSize>, engine: &EngineFacts) -> Option<Limit<ByteSize>> {
    match memory {
        Limit::At(size) => Some(Limit::At(ByteSize::from_bytes(size.bytes().saturating_mul(2)))),
        Limit::Unlimited => engine.defaults.resources.memory_swap,
    }
}

/// Where there is no check, its other keys mean nothing.
fn healthcheck(expected: &mut Healthcheck, observed: &Healthcheck) {
    let no_check = |test: &Option<HealthTest>| *test == Some(HealthTest::None);
    if no_check(&expected.test) || no_check(&observed.test) {
        *expected = Healthcheck { test: expected.test.take(), ..Healthcheck::default() };
    }
}

/// The engine's default options are those of its default driver.
fn logging(expected: &mut ContainerSpec, wanted: &ContainerSpec, defaults: &ContainerSpec) {
    if wanted.logging.options.is_none() && expected.logging.driver != defaults.logging.driver {
        expected.logging.options = Some(TextMap::default());
    }
}
