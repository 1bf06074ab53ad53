//! 5. Do it, or put it back: carries out a plan, step by step, and undoes what failed.
//!
//! Containers that do not wait for each other are dealt with at the same time. A failure of one does
//! not keep the others from their goals; who depends on it is left as it is, and who is replaced together
//! with it is put back.

mod act;
mod group;
mod output;
mod part;
mod progress;
mod report;
mod run;
mod stop;
mod verify;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{FuturesUnordered, StreamExt};

pub use self::output::RunOutput;
pub use self::progress::{Event, Listener, Silent};
pub use self::report::{ApplyError, ContainerReport, Report, StepReport, Undone};
pub use self::stop::StopSignal;
pub(crate) use self::verify::verify;
use crate::images::ImageManager;
use crate::name::ContainerName;
use crate::plan::{ContainerPlan, Plan};
use crate::runtime::Runtime;
use crate::supervisor::Supervisor;
use crate::timestamp::Timestamp;

/// What carrying out a plan needs besides the plan.
#[derive(Clone, Copy, Debug)]
pub struct Means<'a> {
    /// The engine.
    pub runtime: &'a dyn Runtime,
    /// Who pulls images.
    pub images: &'a ImageManager,
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
    let mut waiting = groups(plan);
    let mut under_way = FuturesUnordered::new();
    let mut busy = 0;
    let mut reports: BTreeMap<&ContainerName, ContainerReport> = BTreeMap::new();
    let mut is_circle = false;
    let names: BTreeSet<&ContainerName> = plan.containers.iter().map(|container| &container.name).collect();
    loop {
        let mut ready = Vec::new();
        waiting.retain_mut(|group| {
            let has_room = busy == 0 || busy + group.len() <= means.jobs;
            let waits_for = |name: &ContainerName| names.contains(name) && !reports.contains_key(name);
            let starts = has_room && (!group::awaited(group).any(waits_for) || std::mem::take(&mut is_circle));
            if starts {
                busy += group.len();
                ready.push(std::mem::take(group));
            }
            !starts
        });
        for group in ready {
            let failed =
                group::awaited(&group).filter(|name| reports.get(name).is_some_and(|report| !report.is_success()));
            let failed: BTreeSet<&ContainerName> = failed.collect();
            under_way.push(group::deal_with(group, failed, means));
        }
        match under_way.next().await {
            Some(done) => {
                for (container, report) in done {
                    busy -= 1;
                    means.listener.event(&Event::ContainerDone { report: &report });
                    reports.insert(&container.name, report);
                }
            }
            None if waiting.is_empty() => break,
            // Groups that wait for each other would wait for ever: the first of them goes first.
            None => is_circle = true,
        }
    }
    let containers = plan.containers.iter().filter_map(|container| reports.remove(&container.name)).collect();
    Report { containers }
}

/// The containers, each with those that are replaced together with it.
fn groups(plan: &Plan) -> Vec<Vec<&ContainerPlan>> {
    let mut groups: Vec<Vec<&ContainerPlan>> = Vec::new();
    for container in &plan.containers {
        let is_with =
            |group: &&mut Vec<&ContainerPlan>| group.iter().any(|member| container.together.contains(&member.name));
        let with = groups.iter_mut().filter(|_| !container.together.is_empty()).find(is_with);
        match with {
            Some(group) => group.push(container),
            None => groups.push(vec![container]),
        }
    }
    groups
}
