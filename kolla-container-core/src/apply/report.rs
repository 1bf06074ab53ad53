//! What was done, what failed, and whether it was put back.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::output::RunOutput;
use crate::diff::Change;
use crate::error::Error;
use crate::name::ContainerName;
use crate::plan::{ContainerPlan, Effect};

/// What became of each container of a plan.
///
/// Printed, it is a summary for people. Serialised, it is an object with `containers`; see
/// [`ContainerReport`].
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Report {
    /// The containers, in the order of the plan.
    pub containers: Vec<ContainerReport>,
}

impl Report {
    /// Whether everything worked.
    pub fn is_success(&self) -> bool {
        self.containers.iter().all(ContainerReport::is_success)
    }

    /// Whether anything was changed.
    pub fn is_changed(&self) -> bool {
        self.containers.iter().any(ContainerReport::is_changed)
    }

    /// The report about the container `name`.
    pub fn container(&self, name: &ContainerName) -> Option<&ContainerReport> {
        self.containers.iter().find(|report| report.name == *name)
    }

    /// Those that failed.
    pub fn failures(&self) -> impl Iterator<Item = (&ContainerName, &ApplyError)> {
        self.containers.iter().filter_map(|report| report.outcome.as_ref().err().map(|error| (&report.name, error)))
    }

    /// How many containers there are with each effect; those that failed count for none.
    pub fn counts(&self) -> BTreeMap<Effect, usize> {
        let mut counts = BTreeMap::new();
        for report in self.containers.iter().filter(|report| report.is_success()) {
            *counts.entry(report.effect).or_default() += 1;
        }
        counts
    }
}

/// What became of one container.
///
/// Serialised as an object with `name`, `effect`, `changes`, `steps` (`action`, `seconds`), `warnings`,
/// `notes`, `output` (`code`, `stdout`, `stderr`) where it was run to its end, and `failure` (`step`,
/// `kind`, `error`, `undone`) where it failed. Secrets are hidden in all but the output.
#[derive(Clone, Debug)]
pub struct ContainerReport {
    /// Its name.
    pub name: ContainerName,
    /// What became of it; [`Effect::Unchanged`] also where all that was done was undone.
    pub effect: Effect,
    /// Why: the fields that differed.
    pub changes: Vec<Change>,
    /// The steps that were done.
    pub steps: Vec<StepReport>,
    /// What the engine did not do as asked.
    pub warnings: Vec<String>,
    /// What the plan had to say.
    pub notes: Vec<String>,
    /// How it ended, where it was run to its end.
    pub output: Option<RunOutput>,
    /// Whether it worked.
    pub outcome: Result<(), ApplyError>,
}

impl ContainerReport {
    pub(super) fn of(plan: &ContainerPlan) -> Self {
        Self {
            name: plan.name.clone(),
            effect: plan.effect,
            changes: plan.changes.clone(),
            steps: Vec::new(),
            warnings: Vec::new(),
            notes: plan.notes.clone(),
            output: None,
            outcome: Ok(()),
        }
    }

    pub(super) fn refused(plan: &ContainerPlan, error: Error) -> Self {
        let failure = ApplyError { step: "plan".to_owned(), error, undone: Undone::NothingToUndo };
        Self { effect: Effect::Unchanged, outcome: Err(failure), ..Self::of(plan) }
    }

    /// Whether it worked.
    pub fn is_success(&self) -> bool {
        self.outcome.is_ok()
    }

    /// Whether anything was changed, and stayed so.
    pub fn is_changed(&self) -> bool {
        !matches!(self.effect, Effect::Unchanged | Effect::Verified)
    }
}

/// A step that was done.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// What was done, in words.
    pub action: String,
    /// How long it took.
    pub took: Duration,
}

/// Why a container did not reach its goal, and whether what was done before was put back.
#[derive(Clone, Debug)]
pub struct ApplyError {
    /// The step that failed, in words.
    pub step: String,
    /// Why.
    pub error: Error,
    /// How putting back went.
    pub undone: Undone,
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.step, self.error.report(), self.undone)
    }
}

impl std::error::Error for ApplyError {}

/// How putting back went after a failure.
#[derive(Clone, Debug)]
pub enum Undone {
    /// Nothing had been done yet.
    NothingToUndo,
    /// Everything is as it was before.
    Completely,
    /// What was done before the failing step cannot be put back, and stays.
    NotPossible,
    /// What was reached before the failing step holds, and stays; the next run finishes the rest.
    NotNeeded,
    /// Something could not be put back; the next run tries again.
    Partly(Vec<Error>),
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingToUndo => f.write_str("nothing was changed"),
            Self::Completely => f.write_str("everything was put back"),
            Self::NotPossible => f.write_str("what was done before stays"),
            Self::NotNeeded => f.write_str("what was reached before stays, the next run finishes the rest"),
            Self::Partly(errors) => {
                let errors = errors.iter().map(Error::report);
                write!(f, "putting back failed too, the next run tries again: {}", crate::text::join(errors, "; "))
            }
        }
    }
}

impl fmt::Display for Report {
    /// A line per container that was changed or failed, and a summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for report in self.containers.iter().filter(|report| report.is_changed() || !report.is_success()) {
            let fields = crate::text::join(report.changes.iter().map(|change| &change.field), ", ");
            match &report.outcome {
                Err(error) => writeln!(f, "{} failed: {error}", report.name)?,
                Ok(()) if fields.is_empty() => writeln!(f, "{} {}", report.name, report.effect)?,
                Ok(()) => writeln!(f, "{} {} ({fields})", report.name, report.effect)?,
            }
            for warning in &report.warnings {
                writeln!(f, "    warning: {warning}")?;
            }
        }
        let mut parts: Vec<String> =
            self.counts().into_iter().map(|(effect, count)| format!("{count} {effect}")).collect();
        let failed = self.failures().count();
        if failed > 0 {
            parts.push(format!("{failed} failed"));
        }
        writeln!(f, "{}.", if parts.is_empty() { "no containers".to_owned() } else { parts.join(", ") })
    }
}

impl Serialize for StepReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut step = serializer.serialize_struct("StepReport", 2)?;
        step.serialize_field("action", &self.action)?;
        step.serialize_field("seconds", &self.took.as_secs_f64())?;
        step.end()
    }
}

impl Serialize for ApplyError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut failure = serializer.serialize_struct("ApplyError", 4)?;
        failure.serialize_field("step", &self.step)?;
        failure.serialize_field("kind", &self.error.kind())?;
        failure.serialize_field("error", &self.error.report())?;
        failure.serialize_field("undone", &self.undone.to_string())?;
        failure.end()
    }
}

impl Serialize for ContainerReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut report = serializer.serialize_struct("ContainerReport", 8)?;
        report.serialize_field("name", &self.name)?;
        report.serialize_field("effect", &self.effect)?;
        report.serialize_field("changes", &self.changes)?;
        report.serialize_field("steps", &self.steps)?;
        report.serialize_field("warnings", &self.warnings)?;
        report.serialize_field("notes", &self.notes)?;
        report.serialize_field("output", &self.output)?;
        report.serialize_field("failure", &self.outcome.as_ref().err())?;
        report.end()
    }
}
