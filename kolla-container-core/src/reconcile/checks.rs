//! Config checks: whether containers use the configuration that is there now, as a command in them says.

use std::time::Duration;

use super::Reconciler;
use super::observe::each;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{ContainerId, ContainerName};
use crate::plan::{Freshness, Plan};
use crate::quantity::TimeSpan;
use crate::runtime::Runtime;
use crate::spec::ConfigCheck;
use crate::state::Exec;

/// A container whose configuration is to be checked.
pub(super) struct ToCheck {
    name: ContainerName,
    id: ContainerId,
    check: ConfigCheck,
    deadline: Duration,
}

/// The config checks that a plan would like to know the result of.
pub(super) fn due(plan: &Plan) -> Vec<ToCheck> {
    plan.containers
        .iter()
        .filter_map(|container| {
            let (id, check) = container.config_check.clone()?;
            Some(ToCheck { name: container.name.clone(), id, check, deadline: container.deadlines.request() })
        })
        .collect()
}

/// Runs the config checks in their containers; one that hangs is an error, and holds up nobody.
pub(super) async fn look(checks: Vec<ToCheck>, reconciler: &Reconciler) -> Vec<(ContainerName, Result<Freshness>)> {
    let runtime = reconciler.runtime.as_ref();
    each(checks, reconciler.jobs, async |ToCheck { name, id, check, deadline }| {
        let checked = tokio::time::timeout(deadline, check_config(&name, &id, check, runtime)).await;
        let late = |_| {
            let why = format!("the check has not ended within {}", TimeSpan::from(deadline));
            Error::new(ErrorKind::TimedOut, "check the configuration of", &name).because(why)
        };
        let freshness = checked.map_err(late).flatten();
        (name, freshness)
    })
    .await
}

async fn check_config(
    name: &ContainerName,
    id: &ContainerId,
    check: ConfigCheck,
    runtime: &dyn Runtime,
) -> Result<Freshness> {
    let exec = Exec { command: check.command, user: check.user };
    match runtime.exec(id, &exec).await {
        // It stopped meanwhile: whatever it used, it does not use it any more.
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => Ok(Freshness::Stale),
        Err(error) => Err(error),
        Ok(output) => match output.code {
            0 => Ok(Freshness::Fresh),
            1 | 137 => Ok(Freshness::Stale),
            code => {
                let said = [output.stdout, output.stderr].concat();
                Err(Error::new(ErrorKind::EngineFailed, "check the configuration of", name).because(format!(
                    "the check ended with exit status {code}, which is neither fresh (0) nor stale (1, 137): {}",
                    String::from_utf8_lossy(&said).trim(),
                )))
            }
        },
    }
}
