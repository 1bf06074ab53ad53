//! The unit of a container: whether it is as it should be, and what differs.

use std::collections::BTreeMap;

use super::Context;
use crate::diff::{Change, Entry, Remedy};
use crate::error::{Error, ErrorKind};
use crate::name::ContainerName;
use crate::shown::Shown;
use crate::spec::{ContainerSpec, StartLimit};
use crate::supervisor::{Active, Service, UnitState};

/// A unit as it is and as it should be.
#[derive(Debug)]
pub(super) struct Unit<'a> {
    /// As it is.
    pub(super) there: Option<&'a UnitState>,
    /// Its text as it should be; `None` where the container is not supervised.
    pub(super) wanted: Option<String>,
    /// Why there cannot be such a unit, if so.
    impossible: Option<String>,
    /// Whether what the unit has started has to be started again once it is as it should be.
    pub(super) starts_otherwise: bool,
    /// Whether a unit that is not ours keeps the container running.
    pub(super) is_kept_by_others: bool,
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
        let supervised = context.supervisor.zip(spec).filter(|(_, spec)| spec.deploy.is_supervised());
        let service = supervised.map(|(_, spec)| Service::new(name.clone(), context.engine.kind, spec));
        let wanted = context.supervisor.zip(service.as_ref()).map(|(supervisor, service)| supervisor.render(service));
        let impossible = service.filter(|service| service.restart_delay().is_none()).map(|service| {
            let StartLimit { burst, interval } = service.start_limit;
            format!("deploy.start_limit: {burst} starts do not fit into {interval}: each takes at least 2 s")
        });
        let runs = |unit: &UnitState| matches!(unit.active, Active::Active | Active::Activating);
        let is_kept_by_others = there.is_some_and(|unit| !unit.ours && runs(unit));
        // One that is foreign, or that somebody made impossible to start, is nobody's business where none is wanted.
        let there = there.filter(|unit| unit.ours && !unit.masked || wanted.is_some());
        let texts = there.map(|unit| unit.text.as_str()).zip(wanted.as_deref());
        let starts_otherwise = context
            .supervisor
            .zip(texts)
            .is_some_and(|(supervisor, (there, wanted))| supervisor.starts_otherwise(there, wanted));
        Self { there, wanted, impossible, starts_otherwise, is_kept_by_others, was_stopped: false }
    }

    /// Whether a supervisor starts and stops the container.
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    /// Whether the container was started by its unit, or is being.
    pub(super) fn is_active(&self) -> bool {
        !self.was_stopped && self.there.is_some_and(|unit| matches!(unit.active, Active::Active | Active::Activating))
    }

    /// Whether it may start the container at some moment, if it is not stopped: it may be about to, or somebody may start it
    /// while a plan is carried out.
    pub(super) fn may_start(&self) -> bool {
        self.there.is_some()
    }

    /// Why the unit may not be touched, if so.
    pub(super) fn refusal(&self, name: &ContainerName) -> Option<Error> {
        if let Some(reason) = &self.impossible {
            return Some(Error::new(ErrorKind::Rejected, "install unit", name).because(reason));
        }
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
        let wanted = self.wanted.as_deref()?;
        let Some(there) = self.there else {
            let entry = Entry { key: None, current: Shown::not_set(), desired: Shown::text("installed") };
            return Some(Change { field: "unit".into(), entries: vec![entry], remedy: Remedy::Update });
        };
        let (desired, current) = (settings(wanted), settings(&there.text));
        let mut entries: Vec<Entry> = desired
            .keys()
            .chain(current.keys().filter(|key| !desired.contains_key(*key)))
            .filter(|key| desired.get(*key) != current.get(*key))
            .map(|key| {
                let shown = |side: &BTreeMap<String, Vec<&str>>| {
                    side.get(key).map_or_else(Shown::not_set, |values| setting(key, values))
                };
                Entry { key: Some(key.clone()), current: shown(&current), desired: shown(&desired) }
            })
            .collect();
        if entries.is_empty() && wanted != there.text {
            entries.push(Entry { key: None, current: Shown::text("other text"), desired: Shown::text("our text") });
        }
        for (key, is_so) in [("enabled", there.enabled), ("loaded", there.loaded)] {
            if !is_so {
                let key = Some(key.to_owned());
                entries.push(Entry { key, current: Shown::text("no"), desired: Shown::text("yes") });
            }
        }
        (!entries.is_empty()).then(|| Change { field: "unit".into(), entries, remedy: Remedy::Update })
    }
}

/// The values of a setting. A variable whose name says that it is secret is not shown.
fn setting(key: &str, values: &[&str]) -> Shown {
    if !key.ends_with("Environment") {
        return Shown::named(key, values.join(", "));
    }
    let shown = values.iter().map(|value| match value.trim_matches('"').split_once('=') {
        Some((name, value)) => format!("{name}={}", Shown::named(name, value)),
        None => (*value).to_owned(),
    });
    Shown::text(crate::text::join(shown, ", "))
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
