//! A supervisor in memory, with units that start and stop the containers of an engine in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::MemoryEngine;
use crate::error::{Error, ErrorKind, Result};
use crate::name::ContainerName;
use crate::quantity::TimeSpan;
use crate::runtime::Runtime;
use crate::spec::StartLimit;
use crate::supervisor::{Active, Service, Supervisor, UnitState};

/// A supervisor in memory; a clone is another handle to the same one.
///
/// - What it does to containers goes behind the engine's back: it is not among the engine's
///   [`requests`](MemoryEngine::requests), as what systemd does is no request of ours.
/// - A container that ends by itself stays ended; its unit is then failed, or inactive where it ended well.
#[derive(Clone)]
pub struct MemorySupervisor {
    engine: MemoryEngine,
    shared: Arc<Mutex<Units>>,
}

#[derive(Default)]
struct Units {
    units: BTreeMap<ContainerName, UnitState>,
    journal: Vec<(String, Kind)>,
}

/// What a request to the supervisor is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

impl MemorySupervisor {
    /// A supervisor without units, of the containers of `engine`.
    pub fn new(engine: &MemoryEngine) -> Self {
        Self { engine: engine.unrecorded(), shared: Arc::default() }
    }

    /// Puts a unit in place behind everybody's back: a foreign one, a masked one, one that somebody edited.
    pub fn put_unit(&self, name: &ContainerName, state: UnitState) {
        self.units().units.insert(name.clone(), state);
    }

    /// Changes a unit behind everybody's back; nothing happens when there is none.
    pub fn meddle(&self, name: &ContainerName, change: impl FnOnce(&mut UnitState)) {
        if let Some(unit) = self.units().units.get_mut(name) {
            change(unit);
        }
    }

    /// Every request so far, in order: the method with the name of the container, `start db`.
    pub fn requests(&self) -> Vec<String> {
        self.units().journal.iter().map(|(line, _)| line.clone()).collect()
    }

    /// Those of the requests that change something.
    pub fn writes(&self) -> Vec<String> {
        let units = self.units();
        units.journal.iter().filter(|(_, kind)| *kind == Kind::Write).map(|(line, _)| line.clone()).collect()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.units().journal.clear();
    }

    fn units(&self) -> MutexGuard<'_, Units> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, method: &str, name: &ContainerName, kind: Kind) {
        self.units().journal.push((format!("{method} {name}"), kind));
    }

    fn set_active(&self, name: &ContainerName, active: Active) {
        self.meddle(name, |unit| unit.active = active);
    }

    /// Starts the container of a unit, and sees whether it runs.
    async fn bring_up(&self, operation: &'static str, name: &ContainerName) -> Result<()> {
        let unit = self.units().units.get(name).cloned();
        let Some(unit) = unit else {
            return Err(Error::new(ErrorKind::NotFound, operation, name).because("no such unit"));
        };
        if unit.masked {
            return Err(Error::new(ErrorKind::Conflict, operation, name).because("the unit is masked"));
        }
        let started = self.start_container(operation, name).await;
        self.set_active(name, if started.is_ok() { Active::Active } else { Active::Failed });
        started.map_err(|error| {
            let because = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            Error::new(ErrorKind::EngineFailed, operation, name).because(format!("{because}\n{}", unit.text))
        })
    }

    async fn start_container(&self, operation: &'static str, name: &ContainerName) -> Result<()> {
        let failed = |why: String| Error::new(ErrorKind::EngineFailed, operation, name).because(why);
        let missing = || failed(format!("no such container: {name}"));
        let container = self.engine.container(name).await?.ok_or_else(missing)?;
        self.engine.start_container(&container.id).await?;
        match self.engine.container_by_id(&container.id).await? {
            Some(container) if container.status.is_up() => Ok(()),
            Some(container) => {
                let exit = container.exit.map_or_else(|| container.status.to_string(), |exit| exit.to_string());
                Err(failed(format!("the container ended at once: {exit}")))
            }
            None => Err(failed("the container ended at once, and was removed".to_owned())),
        }
    }

    /// Stops the container of a unit; one that is not there is stopped.
    async fn bring_down(&self, name: &ContainerName) -> Result<()> {
        let Some(timeout) = self.units().units.get(name).map(|unit| stop_timeout(&unit.text)) else { return Ok(()) };
        if let Some(container) = self.engine.container(name).await? {
            self.engine.stop_container(&container.id, timeout).await?;
        }
        self.set_active(name, Active::Inactive);
        Ok(())
    }
}

/// The stop timeout that the text of a unit has.
fn stop_timeout(text: &str) -> Option<TimeSpan> {
    text.lines().find_map(|line| line.strip_prefix("stop_timeout=")?.parse().ok())
}

#[async_trait]
impl Supervisor for MemorySupervisor {
    fn render(&self, service: &Service) -> String {
        let Service { container, engine, restart, start_limit, stop_timeout } = service;
        let StartLimit { burst, interval } = start_limit;
        let stop_timeout = stop_timeout.map_or_else(|| "default".to_owned(), |timeout| timeout.to_string());
        format!(
            "container={container}\nengine={engine}\nrestart={restart}\nburst={burst}\ninterval={interval}\n\
             stop_timeout={stop_timeout}\n"
        )
    }

    fn starts_otherwise(&self, there: &str, wanted: &str) -> bool {
        let engine = |text: &str| text.lines().find(|line| line.starts_with("engine=")).map(str::to_owned);
        engine(there) != engine(wanted)
    }

    async fn unit(&self, name: &ContainerName) -> Result<Option<UnitState>> {
        self.note("unit", name, Kind::Read);
        let Some(mut state) = self.units().units.get(name).cloned() else { return Ok(None) };
        if state.active == Active::Active {
            state.active = match self.engine.container(name).await? {
                Some(container) if container.status.is_up() => Active::Active,
                Some(container) if container.exit.as_ref().is_none_or(|exit| exit.code == 0) => Active::Inactive,
                Some(_) | None => Active::Failed,
            };
        }
        Ok(Some(state))
    }

    async fn install(&self, name: &ContainerName, text: &str) -> Result<()> {
        self.note("install", name, Kind::Write);
        let mut units = self.units();
        let inactive = UnitState {
            text: String::new(),
            ours: true,
            enabled: true,
            masked: false,
            loaded: true,
            active: Active::Inactive,
        };
        let unit = units.units.entry(name.clone()).or_insert(inactive);
        if !unit.ours || unit.masked {
            let conflict = Error::new(ErrorKind::Conflict, "install unit", name);
            return Err(conflict.because("a unit that is not ours, or that was masked, is in its place"));
        }
        text.clone_into(&mut unit.text);
        (unit.enabled, unit.loaded) = (true, true);
        Ok(())
    }

    async fn remove(&self, name: &ContainerName) -> Result<()> {
        self.note("remove", name, Kind::Write);
        let mut units = self.units();
        if units.units.get(name).is_some_and(|unit| !unit.ours) {
            return Err(Error::new(ErrorKind::Conflict, "remove unit", name).because("the unit is not ours"));
        }
        units.units.remove(name);
        Ok(())
    }

    async fn start(&self, name: &ContainerName) -> Result<()> {
        self.note("start", name, Kind::Write);
        self.bring_up("start unit", name).await
    }

    async fn stop(&self, name: &ContainerName) -> Result<()> {
        self.note("stop", name, Kind::Write);
        self.bring_down(name).await
    }

    async fn restart(&self, name: &ContainerName) -> Result<()> {
        self.note("restart", name, Kind::Write);
        self.bring_down(name).await?;
        self.bring_up("restart unit", name).await
    }
}

impl fmt::Debug for MemorySupervisor {
    /// The names of the units.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = self.units();
        f.debug_struct("MemorySupervisor").field("units", &units.units.keys()).finish_non_exhaustive()
    }
}
