//! Stops that a dead run has asked for: the engine goes on with them when nobody waits for them any more, and Docker says
//! until the end that the container runs. Who takes over waits for them before it looks.

use std::time::Duration;

use futures_util::future::{join_all, select};
use tokio::time::Instant;

use super::Reconciler;
use crate::plan::{Goal, Goals, Observation};
use crate::runtime::Runtime;
use crate::state::{ContainerState, Status};
use crate::supervisor::Active;
use crate::timestamp::Timestamp;

/// How long an engine may take to end a container that has not ended in time.
const TO_KILL: Duration = Duration::from_secs(2);

/// How often one is looked at that will remove itself.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// A stop that may be under way.
#[derive(Debug)]
pub(super) struct MaybeStopping<'a> {
    container: &'a ContainerState,
    /// When it is over, or was never asked for.
    at_most: Duration,
}

/// The old containers that an interrupted run may have asked the engine to stop, and that are not to be left to end.
pub(super) fn old_ones<'a>(goals: &Goals, seen: &'a Observation) -> Vec<MaybeStopping<'a>> {
    let may_be_up = goals.iter().filter(|(_, goal)| goal.wants_it_up() || matches!(goal, Goal::Created(_)));
    let maybe = may_be_up.filter_map(|(name, _)| {
        let old = seen.container(name).filter(|old| matches!(old.status, Status::Running | Status::Stopping))?;
        let new = seen.leftovers.get(name)?.next.as_ref()?;
        // Before a container is stopped, it loses its policy, and its unit is stopped.
        let has_policy = new.owner.restart.is_some() && new.owner.restart == old.config.restart;
        let unit = seen.units.get(name).and_then(Option::as_ref);
        let has_unit = unit.is_some_and(|unit| unit.ours && unit.active == Active::Active);
        let at_most = rest([old, new], new, seen.at);
        let is_maybe = new.owner.replaces.as_ref() == Some(&old.id) && !has_policy && !has_unit && !at_most.is_zero();
        is_maybe.then_some(MaybeStopping { container: old, at_most })
    });
    maybe.collect()
}

/// How long a stop may still take that the run of `record` has asked for; `known` are the containers by whose stop timeouts it
/// is done, each of which has one unless its stop may take for ever.
pub(super) fn rest<'a>(
    known: impl IntoIterator<Item = &'a ContainerState>,
    record: &ContainerState,
    now: Timestamp,
) -> Duration {
    let run = record.owner.until.map(|until| until.since(now)).unwrap_or_default();
    let timeouts = known.into_iter().map(|container| container.config.stop_timeout).collect::<Option<Vec<_>>>();
    let stop = timeouts.and_then(|timeouts| timeouts.into_iter().max());
    stop.map_or(run, |stop| stop.as_duration().saturating_add(TO_KILL).min(run))
}

/// Waits until all of them are over, or somebody asks to stop that.
pub(super) async fn are_over(stops: Vec<MaybeStopping<'_>>, reconciler: &Reconciler) {
    let begun = Instant::now();
    let runtime = reconciler.runtime.as_ref();
    let all = join_all(stops.iter().map(|stop| async move {
        let end = begun.checked_add(stop.at_most);
        let is_over = has_ended(stop.container, runtime);
        match end {
            Some(end) => drop(tokio::time::timeout_at(end, is_over).await),
            None => is_over.await,
        }
    }));
    select(std::pin::pin!(all), std::pin::pin!(reconciler.stop.given())).await;
}

/// Waits for the end of a container; what there is afterwards, the next look says, and why it could not be waited for.
async fn has_ended(container: &ContainerState, runtime: &dyn Runtime) {
    let ended = runtime.wait_container(&container.id).await;
    if ended.is_ok() && container.config.auto_remove == Some(true) {
        while let Ok(Some(_)) = runtime.container_by_id(&container.id).await {
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
    }
}
