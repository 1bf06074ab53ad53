//! What is wanted of a container: a state that holds from then on, or a deed that is done once.

use std::collections::BTreeMap;

use crate::name::ContainerName;
use crate::quantity::TimeSpan;
use crate::spec::{ContainerSpec, Signal};

/// What is wanted of a container.
///
/// The first six are states: when they hold already, nothing is done. The others are deeds: they are
/// done each time.
#[derive(Clone, Debug, PartialEq)]
pub enum Goal {
    /// It is not there.
    Absent {
        /// Whether its anonymous volumes go with it.
        volumes: bool,
        /// How long it may take to stop before it is killed; its own stop timeout unless stated.
        grace: Option<TimeSpan>,
    },
    /// It does not run; fine when it is not there.
    Stopped {
        /// How long it may take before it is killed; its own stop timeout unless stated.
        grace: Option<TimeSpan>,
    },
    /// It is there as specified, in whatever state.
    Created(Box<ContainerSpec>),
    /// It runs as specified.
    Running(Box<ContainerSpec>),
    /// It runs as specified, and is healthy where it has a health check. An unhealthy one is restarted.
    Healthy(Box<ContainerSpec>),
    /// It is there as specified, and frozen.
    Paused(Box<ContainerSpec>),
    /// It is restarted; started where it does not run.
    Restart {
        /// How long it may take to stop before it is killed; its own stop timeout unless stated.
        grace: Option<TimeSpan>,
    },
    /// It is replaced by a new one, whether it differs or not, and runs.
    Replace(Box<ContainerSpec>),
    /// It gets a signal.
    Kill {
        /// Which one.
        signal: Signal,
    },
    /// A container of its name is made, run to its end, and removed. It has no unit; one that is there is taken away.
    Run(Box<ContainerSpec>, RunOptions),
}

/// How a container is run to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// How long it may run; as long as it takes unless stated. Its output is read afterwards, within the time of a request.
    pub deadline: Option<TimeSpan>,
    /// Whether it is removed when it has ended.
    pub remove: bool,
    /// Whether a container of its name that is up is stopped and removed first, when all is there that the new one
    /// needs; without, it is a conflict. One that has ended is removed in any case.
    pub over_running: bool,
}

impl Default for RunOptions {
    /// As long as it takes, removed afterwards, and not over one that is up.
    fn default() -> Self {
        Self { deadline: None, remove: true, over_running: false }
    }
}

impl Goal {
    /// The goal that a container runs as specified.
    pub fn running(spec: ContainerSpec) -> Self {
        Self::Running(Box::new(spec))
    }

    /// The goal that a container runs as specified and is healthy.
    pub fn healthy(spec: ContainerSpec) -> Self {
        Self::Healthy(Box::new(spec))
    }

    /// The spec, where the goal has one.
    pub fn spec(&self) -> Option<&ContainerSpec> {
        match self {
            Self::Created(spec)
            | Self::Running(spec)
            | Self::Healthy(spec)
            | Self::Paused(spec)
            | Self::Replace(spec)
            | Self::Run(spec, _) => Some(spec),
            Self::Absent { .. } | Self::Stopped { .. } | Self::Restart { .. } | Self::Kill { .. } => None,
        }
    }

    /// Whether the container should be up when the goal is reached.
    pub(crate) fn wants_it_up(&self) -> bool {
        !matches!(self, Self::Absent { .. } | Self::Stopped { .. } | Self::Created(_) | Self::Run(..))
    }
}

/// Goals for containers, each with its name.
///
/// ```
/// use kolla_container_core::{ContainerSpec, Goal, Goals};
///
/// let goals: Goals = [("web".parse()?, Goal::running(ContainerSpec::new("nginx".parse()?)))].into_iter().collect();
/// assert_eq!(goals.len(), 1);
/// # Ok::<(), kolla_container_core::ParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Goals(BTreeMap<ContainerName, Goal>);

impl Goals {
    /// One goal.
    pub fn one(name: ContainerName, goal: Goal) -> Self {
        Self(BTreeMap::from([(name, goal)]))
    }

    /// The goal for the container `name`, if there is one.
    pub fn get(&self, name: &ContainerName) -> Option<&Goal> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn iter(&self) -> std::collections::btree_map::Iter<'_, ContainerName, Goal> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(ContainerName, Goal)> for Goals {
    fn from_iter<I: IntoIterator<Item = (ContainerName, Goal)>>(goals: I) -> Self {
        Self(goals.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a Goals {
    type Item = (&'a ContainerName, &'a Goal);
    type IntoIter = std::collections::btree_map::Iter<'a, ContainerName, Goal>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}
