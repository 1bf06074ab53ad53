//! Whether a container runs, goes on running, and is well.
//!
//! A container in a crash loop LOOKS running whenever one looks; only its restart count and its start
//! time move.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::name::ContainerId;
use crate::runtime::Runtime;
use crate::state::{ContainerState, Health, Status};

const FIRST_LOOK: Duration = Duration::from_millis(50);
const SLOWEST_LOOK: Duration = Duration::from_secs(1);

/// Watches a container: fine when it has run for `settle` without a restart and, if `healthy`, its
/// health check says so. Waits for that as long as it is allowed to; whoever calls sets the deadline.
pub(crate) async fn verify(runtime: &dyn Runtime, id: &ContainerId, healthy: bool, settle: Duration) -> Result<()> {
    let mut first: Option<(ContainerState, Instant)> = None;
    let mut pause = FIRST_LOOK;
    loop {
        let Some(state) = runtime.container_by_id(id).await? else {
            return Err(failure(id.short(), "it is gone: it ended, and removed itself"));
        };
        let has_settled = match (&state.status, &first) {
            (Status::Running, None) => {
                first = Some((state.clone(), Instant::now()));
                settle.is_zero()
            }
            (Status::Running, Some((before, since))) => {
                if (before.restarts, before.started) != (state.restarts, state.started) {
                    return Err(failure(
                        &state.name,
                        format!("it was restarted while it was watched{}", ending(&state)),
                    ));
                }
                since.elapsed() >= settle
            }
            // A supervisor's start may come a moment later.
            (Status::Created | Status::Unrecognised(_), _) => false,
            (Status::Restarting, _) => {
                return Err(failure(&state.name, format!("it keeps restarting{}", ending(&state))));
            }
            (Status::Exited | Status::Dead | Status::Stopping | Status::Removing | Status::Paused, _) => {
                return Err(failure(&state.name, format!("it is {}{}", state.status, ending(&state))));
            }
        };
        let waits_for_health = healthy && state.config.healthcheck.is_active() && state.health.is_some();
        match &state.health {
            Some(Health::Unhealthy) if waits_for_health => {
                return Err(failure(&state.name, "its health check fails"));
            }
            Some(Health::Healthy) if has_settled => return Ok(()),
            _ if has_settled && !waits_for_health => return Ok(()),
            _ => {}
        }
        // The last look is the one at the end of the time, not somewhat later.
        let left = first.as_ref().map_or(settle, |(_, since)| settle.saturating_sub(since.elapsed()));
        tokio::time::sleep(if left.is_zero() { pause } else { pause.min(left) }).await;
        pause = (pause * 2).min(SLOWEST_LOOK);
    }
}

fn failure(subject: impl std::fmt::Display, reason: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::EngineFailed, "verify container", subject).because(reason)
}

fn ending(state: &ContainerState) -> String {
    state.exit.as_ref().map(|exit| format!(" ({exit})")).unwrap_or_default()
}
