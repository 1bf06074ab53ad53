//! Stops that a dead run has asked for: the engine goes on with them when nobody waits for them any more, and Docker says
//! until the end that the container runs. They are waited for before it is decided what to do.

use std::time::Duration;

use futures_util::future::{join_all, select};
use tokio::time::Instant;

use super::Reconciler;
use crate::plan::{Goal, Goals, Leftovers, Observation};
use crate::runtime::Runtime;
use crate::state::{ContainerState, Status};
use crate::supervisor::{Active, UnitState};

/// How long an engine may take to end a container that has not ended in time, and to notice that.
const TO_KILL: Duration = Duration::from_secs(5);

/// How long a container that removes itself may take to be gone after it has ended.
const REMOVES_ITSELF: Duration = Duration::from_mins(1);

/// How often one is looked at that removes itself.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A stop that may be under way.
#[derive(Debug)]
pub(super) struct Stop<'a> {
    container: &'a ContainerState,
    /// When it is over, or was never asked for.
    at_most: Duration,
}

/// Those of interrupted replacements: of whatever is on its way to its end, and of old containers that may be.
pub(super) fn under_way<'a>(goals: &Goals, seen: &'a Observation, reconciler: &Reconciler) -> Vec<Stop<'a>> {
    let mut stops = Vec::new();
    for (name, goal) in goals {
        let Some(left) = seen.leftovers.get(name) else { continue };
        let there = seen.container(name);
        let all = there.into_iter().chain(&left.next).chain(&left.previous);
        stops.extend(all.filter(|container| is_going(container)).filter_map(|container| {
            let at_most = stop_time([container])?;
            Some(Stop { container, at_most })
        }));
        if reconciler.take_over && needs_it(goal) {
            let unit = seen.units.get(name).and_then(Option::as_ref);
            stops.extend(there.and_then(|old| of_old_one(old, left, goal, unit, seen, reconciler)));
        }
    }
    stops
}

/// Whether it will have ended in a moment, or be gone.
fn is_going(container: &ContainerState) -> bool {
    let removes_itself = container.config.auto_remove == Some(true) && container.status == Status::Exited;
    removes_itself || container.status == Status::Stopping
}

/// That of an old container in its place which was not stopped yet, as far as the engine says.
fn of_old_one<'a>(
    old: &'a ContainerState,
    left: &Leftovers,
    goal: &Goal,
    unit: Option<&UnitState>,
    seen: &Observation,
    reconciler: &Reconciler,
) -> Option<Stop<'a>> {
    let new = left.next.as_ref().filter(|new| new.owner.replaces.as_ref() == Some(&old.id))?;
    // It loses its policy before it is stopped.
    let has_policy = new.owner.restart.is_some() && new.owner.restart == old.config.restart;
    // A plan knows how to start by its unit what runs without it, on its way to an end or not.
    let is_supervised = reconciler.supervisor.is_some()
        && goal.spec().is_some_and(|spec| spec.deploy.is_supervised())
        && goal.wants_it_up()
        && old.config.auto_remove != Some(true);
    if old.status != Status::Running || has_policy || is_supervised || is_active(unit) {
        return None;
    }
    let run = new.owner.until.map(|until| until.since(seen.at)).unwrap_or_default();
    let at_most = stop_time([old, new]).map_or(run, |stop| stop.min(run));
    (!at_most.is_zero()).then_some(Stop { container: old, at_most })
}

/// Whether the container is not to be left to end: one that is not wanted may.
fn needs_it(goal: &Goal) -> bool {
    goal.wants_it_up() || matches!(goal, Goal::Created(_))
}

/// Its unit is stopped before a container is.
fn is_active(unit: Option<&UnitState>) -> bool {
    unit.is_some_and(|unit| unit.ours && unit.active == Active::Active)
}

/// How long a stop takes that is done by the stop timeout of one of `containers`; none where it may take for ever.
fn stop_time<'a>(containers: impl IntoIterator<Item = &'a ContainerState>) -> Option<Duration> {
    let timeouts: Option<Vec<_>> = containers.into_iter().map(|container| container.config.stop_timeout).collect();
    Some(timeouts?.into_iter().max()?.as_duration().saturating_add(TO_KILL))
}

/// Waits until all of them are over, or somebody asks to stop that.
pub(super) async fn are_over(stops: Vec<Stop<'_>>, reconciler: &Reconciler) {
    let begun = Instant::now();
    let all = join_all(stops.iter().map(|stop| stop.is_over(begun, reconciler.runtime.as_ref())));
    select(std::pin::pin!(all), std::pin::pin!(reconciler.stop.given())).await;
}

/// Whether a new container that was found well since `begun` ends all the same: whoever was putting the old one back was
/// stopping it. One that ends by itself, and runs again, is not being stopped.
pub(super) async fn ends(
    new: &ContainerState,
    goal: &Goal,
    unit: Option<&UnitState>,
    begun: Instant,
    reconciler: &Reconciler,
) -> bool {
    if !needs_it(goal) || is_active(unit) {
        return false;
    }
    let run = || new.owner.until.map(|until| until.since((reconciler.now)())).unwrap_or_default();
    let stop = Stop { container: new, at_most: stop_time([new]).unwrap_or_else(run) };
    let over = std::pin::pin!(stop.is_over(begun, reconciler.runtime.as_ref()));
    select(over, std::pin::pin!(reconciler.stop.given())).await;
    match super::observe::settled(&new.name, reconciler).await {
        Ok(Some(now)) => now.id == new.id && !now.status.is_up(),
        Ok(None) => true,
        // The plan will fail at it, too.
        Err(_) => false,
    }
}

impl Stop<'_> {
    /// Waits until it is over; what there is afterwards, the next look says, and why it could not be waited for.
    async fn is_over(&self, begun: Instant, runtime: &dyn Runtime) {
        let end = begun.checked_add(self.at_most).unwrap_or_else(|| begun + Duration::from_hours(24));
        let ended = tokio::time::timeout_at(end, runtime.wait_container(&self.container.id)).await;
        if matches!(ended, Ok(Ok(_))) && self.container.config.auto_remove == Some(true) {
            let is_gone = async {
                while let Ok(Some(_)) = runtime.container_by_id(&self.container.id).await {
                    tokio::time::sleep(BETWEEN_LOOKS).await;
                }
            };
            // One whose removal fails is there, and has stopped.
            let _ = tokio::time::timeout(REMOVES_ITSELF, is_gone).await;
        }
    }
}
