//! The unit of a container: whether it is as it should be, and what differs.

use std::collections::BTreeMap;

use super::Context;
use crate::diff::{Change, Entry, Remedy};
use crate::error::{Error, ErrorKind};
use crate::name::ContainerName;
use crate::shown::Shown;
use crate::spec::ContainerSpec;
use crate::supervisor::{Active, Service, UnitState};

/// A unit as it is and as it should be.
#[derive(Debug)]
pub(super) struct Unit<'a> {
    /// As it is.
    pub(super) there: Option<&'a UnitState>,
    /// Its text as it should be; `None` where the container is not supervised.
    pub(super) wanted: Option<String>,
    /// Whether it was stopped to clear away what an interrupted run left behind.
    pub(super) was_stopped: bool,
}

impl<'a> Unit<'a> {
    /// The unit for `spec`, as its user wrote it.
    pub(super) fn new(
        name: &ContainerName,
        spec: Option<&ContainerSpec>,
        there: Option<&'a UnitState>,
        context: &Context<'_>,
    ) -> Self {
        let wanted =
            context.supervisor.zip(spec).filter(|(_, spec)| spec.deploy.is_supervised()).map(|(supervisor, spec)| {
                supervisor.render(&Service {
                    container: name.clone(),
                    engine: context.engine.kind,
                    restart: spec.restart.unwrap_or_default(),
                    start_limit: spec.deploy.start_limit.unwrap_or_default(),
                    stop_timeout: spec.stop_timeout,
                })
            });
        // A foreign unit of that name is nobody's business where no unit is wanted.
        let there = there.filter(|unit| unit.ours || wanted.is_some());
        Self { there, wanted, was_stopped: false }
    }

    /// Whether a supervisor starts and stops the container.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    /// Whether the container was started by its unit, or is being.
    pub(super) fn is_active(&self) -> bool {
        !self.was_stopped && self.there.is_some_and(|unit| matches!(unit.active, Active::Active | Active::Activating))
    }

    /// Why the unit may not be touched, if so.
    pub(super) fn refusal(&self, name: &ContainerName) -> Option<Error> {
        let unit = self.there?;
        let reason = match (unit.ours, unit.masked) {
            (false, _) => "a unit of that name is there that this library did not write; adopt or remove it",
            (true, true) => "the unit was masked: unmask it first",
            (true, false) => return None,
        };
        Some(Error::new(ErrorKind::Conflict, "install unit", name).because(reason))
    }

    /// What differs, line by line; `None` where the unit is as it should be.
    pub(super) fn change(&self) -> Option<Change> {
        let (wanted, there) = (self.wanted.as_deref()?, self.there?);
        let (desired, current) = (settings(wanted), settings(&there.text));
        let mut entries: Vec<Entry> = desired
            .keys()
            .chain(current.keys().filter(|key| !desired.contains_key(*key)))
            .filter(|key| desired.get(*key) != current.get(*key))
            .map(|key| {
                let shown = |side: &BTreeMap<String, Vec<&str>>| {
                    side.get(key).map_or_else(Shown::not_set, |values| Shown::named(key, values.join(", ")))
                };
                Entry { key: Some(key.clone()), current: shown(&current), desired: shown(&desired) }
            })
            .collect();
        if entries.is_empty() && wanted != there.text {
            entries.push(Entry { key: None, current: Shown::text("other text"), desired: Shown::text("our text") });
        }
        if !there.enabled {
            let key = Some("enabled".to_owned());
            entries.push(Entry { key, current: Shown::text("no"), desired: Shown::text("yes") });
        }
        (!entries.is_empty()).then(|| Change { field: "unit".into(), entries, remedy: Remedy::Update })
    }
}

/// The settings of a unit, by section and key; a key may stand several times.
fn settings(text: &str) -> BTreeMap<String, Vec<&str>> {
    let mut section = "";
    let mut settings: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', ';'])) {
        match (line.strip_prefix('[').and_then(|line| line.strip_suffix(']')), line.split_once('=')) {
            (Some(name), _) => section = name,
            (None, Some((key, value))) => {
                let key = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
                settings.entry(key).or_default().push(value);
            }
            (None, None) => settings.entry(line.to_owned()).or_default().push(""),
        }
    }
    settings
}
