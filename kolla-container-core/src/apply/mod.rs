//! 5. Do it, or put it back: carries out a plan, step by step, and undoes what failed.
//!
//! Containers that do not wait for each other are dealt with at the same time. A failure of one does
//! not keep the others from their goals; who depends on it is left as it is.

mod act;
mod progress;
mod report;
mod run;
mod stop;
mod verify;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::OnceCell;

pub use self::progress::{Event, Listener, Silent};
pub use self::report::{ApplyError, ContainerReport, Report, RunOutput, StepReport, Undone};
pub use self::stop::StopSignal;
pub(crate) use self::verify::verify;
use crate::error::{Error, ErrorKind};
use crate::image_ref::ImageRef;
use crate::name::ContainerName;
use crate::plan::{ContainerPlan, Plan};
use crate::runtime::Runtime;
use crate::spec::Platform;
use crate::supervisor::Supervisor;
use crate::timestamp::Timestamp;

/// What carrying out a plan needs besides the plan.
#[derive(Clone, Copy, Debug)]
pub struct Means<'a> {
    /// The engine.
    pub runtime: &'a dyn Runtime,
    /// The supervisor, where there is one.
    pub supervisor: Option<&'a dyn Supervisor>,
    /// Who is told how far it is.
    pub listener: &'a dyn Listener,
    /// How to ask it to stop.
    pub stop: &'a StopSignal,
    /// How many containers are dealt with at the same time; at least one.
    pub jobs: usize,
    /// The moment that this machine's clock shows.
    pub now: fn() -> Timestamp,
}

/// Carries out `plan`.
///
/// Dropping the future is a crash: nothing more happens, and the next run recovers. To end early and
/// orderly, use the [`StopSignal`]: the steps under way end, and what was begun is undone.
pub async fn apply(plan: &Plan, means: &Means<'_>) -> Report {
    let pulls = Pulls::default();
    let mut waiting: Vec<&ContainerPlan> = plan.containers.iter().collect();
    let mut under_way = FuturesUnordered::new();
    let mut reports: BTreeMap<&ContainerName, ContainerReport> = BTreeMap::new();
    let names: BTreeSet<&ContainerName> = plan.containers.iter().map(|container| &container.name).collect();
    loop {
        let mut ready = Vec::new();
        waiting.retain(|container| {
            let has_room = under_way.len() + ready.len() < means.jobs.max(1);
            let waits_for = |name: &ContainerName| names.contains(name) && !reports.contains_key(name);
            let starts = has_room && !container.after.iter().any(waits_for);
            if starts {
                ready.push(*container);
            }
            !starts
        });
        let nothing_started = ready.is_empty();
        for container in ready {
            let failed: BTreeSet<&ContainerName> = container
                .after
                .iter()
                .filter(|name| reports.get(*name).is_some_and(|report| !report.is_success()))
                .collect();
            under_way.push(deal_with(container, failed.first().copied(), &pulls, means));
        }
        match under_way.next().await {
            Some((container, report)) => {
                means.listener.event(&Event::ContainerDone { report: &report });
                reports.insert(&container.name, report);
            }
            None if nothing_started => break,
            None => {}
        }
    }
    let containers = plan.containers.iter().filter_map(|container| reports.remove(&container.name)).collect();
    Report { containers }
}

async fn deal_with<'a>(
    container: &'a ContainerPlan,
    failed: Option<&ContainerName>,
    pulls: &Pulls,
    means: &Means<'_>,
) -> (&'a ContainerPlan, ContainerReport) {
    let refusal = match (&container.refused, failed) {
        (Some(error), _) => Some(error.clone()),
        (None, Some(other)) if !container.is_empty() => Some(
            Error::new(ErrorKind::Conflict, "change container", &container.name)
                .because(format!("it refers to {other}, which failed")),
        ),
        _ => None,
    };
    let report = match refusal {
        Some(error) => ContainerReport::refused(container, error),
        None => run::Run::new(container, pulls, means).finish().await,
    };
    (container, report)
}

/// Pulls under way and done: containers that need the same image share one.
#[derive(Debug, Default)]
struct Pulls(Mutex<BTreeMap<(ImageRef, Option<Platform>), SharedPull>>);

/// A pull, and its outcome for all who wait for it.
type SharedPull = Arc<OnceCell<Result<(), Error>>>;

impl Pulls {
    fn of(&self, image: &ImageRef, platform: Option<&Platform>) -> SharedPull {
        let mut pulls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pulls.entry((image.clone(), platform.cloned())).or_default())
    }
}
