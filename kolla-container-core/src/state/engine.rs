//! What is known of an engine: version, host, what it can do and what it does by default.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::additions::Additions;
use crate::spec::ContainerSpec;
use crate::text::{ParseError, debug_as_text, text_serde, words};

words! {
    /// Which engine it is.
    pub enum EngineKind ("engine") {
        /// Docker.
        Docker = "docker",
        /// Podman.
        Podman = "podman",
        /// The engine in memory that this crate brings.
        Memory = "memory",
    }
}

/// A level of an engine's API: `1.41`. Not a semantic version: 1.9 comes before 1.41.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiLevel {
    /// The number before the point.
    pub major: u32,
    /// The number after it.
    pub minor: u32,
}

impl ApiLevel {
    /// The level `major.minor`.
    pub const fn new(major: u32, minor: u32) -> Self {
        Self { major, minor }
    }
}

impl fmt::Display for ApiLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for ApiLevel {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let numbers: Option<Vec<u32>> = text.trim_start_matches('v').split('.').map(|part| part.parse().ok()).collect();
        match numbers.as_deref() {
            Some([major, minor] | [major, minor, _]) => Ok(Self::new(*major, *minor)),
            _ => Err(ParseError::new(format!("{text:?} is no API level such as 1.41"))),
        }
    }
}

debug_as_text!(ApiLevel);
text_serde!(ApiLevel);

/// What a connection has found out about its engine.
#[derive(Clone, Debug)]
pub struct EngineFacts {
    /// Which engine it is.
    pub kind: EngineKind,
    /// Its version.
    pub version: semver::Version,
    /// The level of its API.
    pub api: ApiLevel,
    /// The machine that it runs on.
    pub host: HostFacts,
    /// What it can do.
    pub features: Features,
    /// What it gives to each field that nobody states; `None` is "cannot be known".
    pub defaults: ContainerSpec,
    /// What it adds by itself to what is stated.
    pub additions: Additions,
}

/// The machine that an engine runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Its name, which tells two engines apart.
    pub name: String,
    /// The version of its control groups, 1 or 2.
    pub cgroup_version: u8,
    /// Whether the engine runs without root's privileges.
    pub rootless: bool,
    /// Whether the engine's machine is this one, so that paths can be looked at.
    pub local: bool,
}

/// What an engine can do, as data that the planner reads.
///
/// Names are those of fields (`network.links`), or of a certain value of a field (`mounts.devpts`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Features {
    refused: BTreeMap<String, String>,
    updated: Vec<String>,
    unreported: BTreeSet<String>,
    names_at_start: bool,
}

impl Features {
    /// All fields, each of which is reported, and none of which can be changed in place.
    pub fn all() -> Self {
        Self::default()
    }

    /// Without `feature`; `reason` is what the user is told.
    pub fn without(mut self, feature: &str, reason: &str) -> Self {
        self.refused.insert(feature.to_owned(), reason.to_owned());
        self
    }

    /// With `fields` that can be changed while a container runs.
    pub fn updating(mut self, fields: &[&str]) -> Self {
        self.updated.extend(fields.iter().map(|field| (*field).to_owned()));
        self
    }

    /// Without a word from the engine on `fields` of a container that is there.
    ///
    /// What we state of them is recorded when we make a container, and compared by that record: see
    /// [`Applied`](super::Applied).
    ///
    /// ```
    /// use kolla_container_core::state::Features;
    ///
    /// let features = Features::all().unreporting(&["resources.sysctls"]);
    /// assert!(!features.is_reported("resources.sysctls") && features.is_reported("resources.memory"));
    /// ```
    pub fn unreporting(mut self, fields: &[&str]) -> Self {
        self.unreported.extend(fields.iter().map(|field| (*field).to_owned()));
        self
    }

    /// With networks that know a container by the name that it was started with, whatever its name becomes.
    pub fn naming_at_start(self) -> Self {
        Self { names_at_start: true, ..self }
    }

    /// Whether networks know a container by the name that it was started with.
    pub fn names_at_start(&self) -> bool {
        self.names_at_start
    }

    /// Why the engine cannot do `feature`; `None` when it can.
    pub fn refusal(&self, feature: &str) -> Option<&str> {
        self.refused.get(feature).map(String::as_str)
    }

    /// Whether the field at `path` can be changed while a container runs.
    pub fn can_update(&self, path: &str) -> bool {
        self.updated.iter().any(|field| field == path)
    }

    /// Whether the engine says what the field at `path` of a container is.
    pub fn is_reported(&self, path: &str) -> bool {
        !self.unreported.contains(path)
    }

    /// The fields that it does not report.
    pub fn unreported(&self) -> impl Iterator<Item = &str> {
        self.unreported.iter().map(String::as_str)
    }

    /// Everything that it cannot do, with the reasons.
    pub fn refusals(&self) -> impl Iterator<Item = (&str, &str)> {
        self.refused.iter().map(|(feature, reason)| (feature.as_str(), reason.as_str()))
    }
}
