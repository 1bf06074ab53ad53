//! Everything that an engine in memory holds, and what its operations have in common.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use tokio::time::Instant;

use super::container::Container;
use super::image::Images;
use crate::error::{Error, ErrorKind};
use crate::name::{ContainerId, ContainerName, ContainerRef, NetworkName, VolumeName};
use crate::spec::CleanPath;
use crate::state::{Exec, ExitStatus, NetworkState, Output, Status, VolumeState};
use crate::timestamp::Timestamp;

/// Midnight of 2026-01-01, when every engine begins, in the days since 1970.
const BEGINNING: Duration = Duration::from_hours(20454 * 24);

/// What an operation on the world answers; the shell around it knows what was asked of whom.
pub(super) type Answer<T> = Result<T, Refusal>;

/// Why the engine does not do it.
#[derive(Debug)]
pub(super) struct Refusal {
    kind: ErrorKind,
    why: String,
}

impl Refusal {
    pub(super) fn into_error(self, operation: &'static str, subject: &str) -> Error {
        Error::new(self.kind, operation, subject).because(self.why)
    }
}

pub(super) fn refusal(kind: ErrorKind, why: impl Into<String>) -> Refusal {
    Refusal { kind, why: why.into() }
}

/// The state of an engine.
pub(super) struct World {
    /// Moves with each write, and with nothing else.
    pub(super) clock: Timestamp,
    serial: u64,
    pub(super) containers: BTreeMap<ContainerId, Container>,
    /// How the containers ended that are gone, for those who wait for them.
    pub(super) gone: BTreeMap<ContainerId, ExitStatus>,
    pub(super) images: Images,
    pub(super) volumes: BTreeMap<VolumeName, VolumeState>,
    pub(super) networks: BTreeMap<NetworkName, NetworkState>,
    pub(super) controls: Controls,
    pub(super) journal: Vec<Entry>,
}

/// What tests have arranged.
#[derive(Default)]
pub(super) struct Controls {
    pub(super) missing_paths: BTreeSet<CleanPath>,
    pub(super) discarded: BTreeSet<String>,
    pub(super) answers: BTreeMap<Vec<String>, Output>,
    pub(super) executed: Vec<(ContainerName, Exec)>,
}

/// One request, as tests read it.
pub(super) struct Entry {
    pub(super) line: String,
    pub(super) effect: Effect,
}

/// What becomes of a container whose program has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// It stays ended, or is removed where it asked for that.
    Stays,
    /// It is started again at once.
    StartsAgain,
}

/// Whether a request changes anything.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Read,
    Write,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            clock: Timestamp::from(UNIX_EPOCH + BEGINNING),
            serial: 0,
            containers: BTreeMap::new(),
            gone: BTreeMap::new(),
            images: Images::default(),
            volumes: BTreeMap::new(),
            networks: BTreeMap::new(),
            controls: Controls::default(),
            journal: Vec::new(),
        }
    }

    /// Brings the record up to date with what programs have done by themselves.
    pub(super) fn settle(&mut self, now: Instant) {
        let ended: Vec<_> = self
            .containers
            .values()
            .filter_map(|container| Some((container.id.clone(), container.has_ended(now)?)))
            .collect();
        for (id, code) in ended {
            self.end(&id, Then::Stays, now, code);
        }
    }

    /// Ends the program of a container, and removes the container where it asked for that.
    pub(super) fn end(&mut self, id: &ContainerId, then: Then, now: Instant, code: i64) {
        let Some(container) = self.containers.get_mut(id) else { return };
        container.end(now, self.clock, code);
        if then == Then::Stays && container.config.auto_remove == Some(true) {
            self.forget(id, code);
        }
    }

    /// Takes a container out; its volumes stay.
    pub(super) fn forget(&mut self, id: &ContainerId, code: i64) {
        if let Some(container) = self.containers.remove(id) {
            let status = ExitStatus { code, oom_killed: false, error: None };
            self.gone.insert(id.clone(), container.exit.unwrap_or(status));
        }
    }

    pub(super) fn note(&mut self, method: &str, subject: &str, effect: Effect) {
        let line = if subject.is_empty() { method.to_owned() } else { format!("{method} {subject}") };
        self.journal.push(Entry { line, effect });
        if effect == Effect::Write {
            self.clock = self.clock.after(Duration::from_secs(1));
        }
    }

    /// A new id, which no other has, and whose first digits no other has either.
    pub(super) fn next_id<T: FromStr>(&mut self) -> T {
        loop {
            self.serial += 1;
            // An odd factor makes this a permutation of the numbers of 48 bits.
            if let Ok(id) = hexadecimal(self.serial.wrapping_mul(0x9e37_79b9_7f4b), self.serial) {
                return id;
            }
        }
    }

    pub(super) fn by_name(&self, name: &ContainerName) -> Option<&Container> {
        self.containers.values().find(|container| container.name == *name)
    }

    pub(super) fn by_name_mut(&mut self, name: &ContainerName) -> Option<&mut Container> {
        self.containers.values_mut().find(|container| container.name == *name)
    }

    pub(super) fn by_reference(&self, reference: &ContainerRef) -> Option<&Container> {
        match reference {
            ContainerRef::Name(name) => self.by_name(name),
            ContainerRef::Id(id) => self.containers.get(id),
        }
    }

    /// What a container is called in the journal and in errors.
    pub(super) fn subject(&self, id: &ContainerId) -> String {
        self.containers.get(id).map_or_else(|| id.short().to_owned(), |container| container.name.to_string())
    }

    pub(super) fn container(&mut self, id: &ContainerId) -> Answer<&mut Container> {
        self.containers.get_mut(id).ok_or_else(|| no_such_container(id))
    }

    /// A container whose program is there.
    pub(super) fn running(&mut self, id: &ContainerId) -> Answer<&mut Container> {
        let container = self.container(id)?;
        if container.is_up() {
            Ok(container)
        } else {
            Err(refusal(ErrorKind::Conflict, format!("container {} is not running", container.name)))
        }
    }

    pub(super) fn exec(&mut self, id: &ContainerId, exec: &Exec) -> Answer<Output> {
        let container = self.running(id)?;
        let name = container.name.clone();
        if container.status == Status::Paused {
            return Err(refusal(ErrorKind::Conflict, format!("container {name} is paused")));
        }
        self.controls.executed.push((name, exec.clone()));
        let nothing = || Output { code: 0, stdout: Vec::new(), stderr: Vec::new() };
        Ok(self.controls.answers.get(exec.command.argv()).cloned().unwrap_or_else(nothing))
    }
}

pub(super) fn no_such_container(reference: impl std::fmt::Display) -> Refusal {
    refusal(ErrorKind::NotFound, format!("no such container: {reference}"))
}

/// Sixty-four hexadecimal digits, twelve of them from `first`, as whatever has such a text.
pub(super) fn hexadecimal<T: FromStr>(first: u64, rest: u64) -> Answer<T> {
    let text = format!("{:012x}{rest:052x}", first & 0xffff_ffff_ffff);
    text.parse().map_err(|_| refusal(ErrorKind::EngineFailed, format!("{text} is no id")))
}
