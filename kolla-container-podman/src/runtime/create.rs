//! Making a container, and taking back one that was made in vain.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use kolla_container_core::spec::{Bind, HealthTest, Healthcheck, Mount, Mounts, Volume};
use kolla_container_core::state::{ContainerState, Created, Status, Warning};
use kolla_container_core::{
    ContainerId, ContainerName, ContainerSpec, ErrorKind, FieldPath, Result, Runtime, Violations, VolumeName,
};
use semver::Version;
use serde::{Deserialize, Serialize};
use tokio::sync::MutexGuard;

use super::{Podman, warning};
use crate::decode;
use crate::encode;
use crate::error::{Asked, Failure};
use crate::wire::Call;

/// The first version that does not hold the locks of several volumes at the same time.
const LOCKS_ONE_BY_ONE: Version = Version::new(4, 8, 0);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    id: String,
    #[serde(default)]
    warnings: Option<Vec<String>>,
}

/// How often a removal is tried again that has met the end of its container.
const TRIES: usize = 10;

/// How long is waited before that.
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

impl Podman {
    pub(super) async fn create(&self, name: &ContainerName, spec: &ContainerSpec) -> Result<Created> {
        let asked = Asked::new("create container", name);
        let rejected = |wrong: Violations| asked.error(ErrorKind::Rejected).caused_by(wrong);
        let spec = self.with_whole_healthcheck(&asked, spec).await?;
        let body = encode::creation(name, &spec).map_err(rejected)?;
        if self.facts.host.local {
            // A dead network file system may hold it up, and must not hold up others.
            let there = spec.clone();
            let looked = tokio::task::spawn_blocking(move || sources(&there)).await;
            looked.map_err(|lost| asked.error(ErrorKind::EngineFailed).because(lost))?.map_err(rejected)?;
        }
        let volumes = spec.mounts.as_ref().map_or(0, |Mounts(mounts)| mounts.len());
        let turn = self.turn(&spec).await;
        let answer = self.made(&body, volumes).await.map_err(|failure| asked.failed(&failure))?;
        drop(turn);
        let id = answer.id.parse().map_err(|error| decode::undecodable("create container", name, error))?;
        let warnings = answer.warnings.unwrap_or_default();
        Ok(Created { id, warnings: warnings.into_iter().map(warning::read).collect::<Vec<Warning>>() })
    }

    /// Waits until no other container is made, where that may block the whole engine for ever: below 4.8 it locks all
    /// volumes of a new container, in no order, so that two of them that share two wait for each other
    /// (containers/podman#20329).
    async fn turn(&self, spec: &ContainerSpec) -> Option<MutexGuard<'_, ()>> {
        let mounts = spec.mounts.iter().flat_map(|Mounts(mounts)| mounts.values());
        let volumes = mounts.filter(|mount| matches!(mount, Mount::Volume(Volume { name: Some(_), .. }))).count();
        let may_share = volumes > 1 || spec.volumes_from.as_ref().is_some_and(|others| !others.is_empty());
        let blocks = may_share && self.facts.version < LOCKS_ONE_BY_ONE;
        if blocks { Some(self.making.lock().await) } else { None }
    }

    /// Podman makes missing volumes with the container, and fails when somebody else makes one at the same moment. It is
    /// there for the next attempt, so that each volume takes one more at most.
    async fn made(&self, body: &impl Serialize, volumes: usize) -> Result<Answer, Failure> {
        let call = || Call::post("containers").path("create").body(body);
        for _ in 0..volumes {
            match self.client.json(call()).await {
                Err(failure) if failure.is_volume_of_another() => {}
                made => return made,
            }
        }
        self.client.json(call()).await
    }

    /// Podman takes the image's health check, or the one that is stated: a key that is left out of a stated one is the
    /// image's here. One request for the image then.
    async fn with_whole_healthcheck(&self, asked: &Asked, spec: &ContainerSpec) -> Result<ContainerSpec> {
        let mut spec = spec.clone();
        let Healthcheck { test, interval, timeout, retries, start_period, start_interval: _ } = &spec.healthcheck;
        let is_whole =
            test.is_some() && interval.is_some() && timeout.is_some() && retries.is_some() && start_period.is_some();
        if spec.healthcheck.is_empty() || is_whole || *test == Some(HealthTest::None) {
            return Ok(spec);
        }
        let Some(image) = &spec.image else { return Ok(spec) };
        if let Some(image) = self.find_image(asked, &image.to_string()).await? {
            let (stated, implied) = (&mut spec.healthcheck, image.config.healthcheck);
            stated.test = stated.test.take().or(implied.test);
            stated.interval = stated.interval.or(implied.interval);
            stated.timeout = stated.timeout.or(implied.timeout);
            stated.retries = stated.retries.or(implied.retries);
            stated.start_period = stated.start_period.or(implied.start_period);
        }
        Ok(spec)
    }

    /// Removes a container, with the anonymous volumes in it where they are in vain. Stopping is not waited for.
    pub(super) async fn remove(&self, id: &ContainerId, volumes: bool) -> Result<()> {
        let asked = Asked::new("remove container", id.short());
        let mut tries = 0..TRIES;
        loop {
            let call = Call::delete("containers").segment(id);
            let call = call.query("force", true).query("timeout", 0).query("v", volumes).query("volumes", volumes);
            let failure = match self.remove_one(call).await {
                Ok(()) => return Ok(()),
                Err(failure @ Failure::Lost { .. }) => return Err(asked.failed(&failure)),
                Err(failure) => failure,
            };
            // Somebody else may be removing it; and where it is gone in the end, the error does not matter.
            match self.gone(&asked, id, |status| *status == Status::Removing).await? {
                None => return Ok(()),
                Some(_) if failure.is_ended_meanwhile() && tries.next().is_some() => {
                    tokio::time::sleep(BETWEEN_TRIES).await;
                }
                Some(_) => return Err(asked.failed(&failure)),
            }
        }
    }

    /// Podman removes each anonymous volume that nobody else uses, also one that was there before and is mounted by its
    /// name: such a one is kept. Where another container uses it, Podman keeps it by itself, and everything goes in one
    /// request, which cannot be interrupted in between.
    ///
    /// Requests: an inspection, one or two for each anonymous volume, and the removal; else one more for each of its own.
    pub(super) async fn discard(&self, id: &ContainerId) -> Result<()> {
        let asked = Asked::new("remove container", id.short());
        let Some(state) = self.inspect(&asked, id.as_str()).await? else { return Ok(()) };
        let anonymous: BTreeSet<&VolumeName> = state.anonymous_volumes().map(|(_, name)| name).collect();
        let mut own = Vec::new();
        let mut others_are_kept = true;
        for name in anonymous {
            if self.is_made_for(&state, name).await? {
                own.push(name.clone());
            } else {
                others_are_kept &= self.users(&asked, "volume", name.as_str()).await?.len() > 1;
            }
        }
        if others_are_kept {
            return self.remove(id, !own.is_empty()).await;
        }
        self.remove(id, false).await?;
        for name in own {
            self.remove_volume(&name).await?;
        }
        Ok(())
    }

    /// Whether a volume was made together with the container, and not before.
    async fn is_made_for(&self, state: &ContainerState, name: &VolumeName) -> Result<bool> {
        let volume = self.volume(name).await?;
        Ok(volume.and_then(|volume| volume.created).is_some_and(|created| created >= state.created))
    }
}

/// Podman finds out about a missing source of a bind mount only at the start; on this machine it can be looked at, or
/// made, before.
fn sources(spec: &ContainerSpec) -> Result<(), Violations> {
    let makes = spec.deploy.create_missing_sources == Some(true);
    let mut wrong = Violations::none();
    for (target, mount) in spec.mounts.iter().flat_map(|Mounts(mounts)| mounts) {
        let Mount::Bind(Bind { source, .. }) = mount else { continue };
        let source = Path::new(source.as_str());
        let missing = matches!(source.symlink_metadata(), Err(error) if error.kind() == std::io::ErrorKind::NotFound);
        let outcome = match (missing, makes) {
            (false, _) => continue,
            (true, false) => "it is not there".to_owned(),
            (true, true) => match std::fs::create_dir_all(source) {
                Ok(()) => continue,
                Err(error) => format!("it is not there, and cannot be made: {error}"),
            },
        };
        wrong.add(FieldPath::from("mounts").key(target), format!("the source is {}: {outcome}", source.display()));
    }
    wrong.into_result()
}
