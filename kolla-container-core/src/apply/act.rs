//! One action: which request of the engine or of the supervisor it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::output::RunOutput;
use super::progress::{Event, Listener};
use super::run::Run;
use crate::diff::{record, stated_fields};
use crate::error::{Error, ErrorKind, Result};
use crate::image_ref::ImageRef;
use crate::images::{ImageEvent, ImageListener, ImageRequest};
use crate::name::{ContainerId, ContainerName, VolumeName};
use crate::plan::{Action, Replaced, Target};
use crate::quantity::TimeSpan;
use crate::spec::{CleanPath, ContainerSpec, Mount, Mounts, Platform, Variable, Volume};
use crate::state::{Owner, VolumeToCreate, Warning};
use crate::supervisor::Supervisor;

/// How long a container that is being made may have its name already without being there.
const NAMED_BEFORE_THERE: Duration = Duration::from_secs(10);

impl Run<'_> {
    pub(super) async fn act(&mut self, action: &Action) -> Result<()> {
        let runtime = self.means.runtime;
        match action {
            Action::PullImage { image, platform } => self.pull(image, platform.as_ref()).await,
            Action::CreateVolume { volume } => self.create_volume(volume).await,
            Action::RemoveVolume { volume } => self.remove_volume(volume).await,
            Action::Create { name, spec, replaces, inherits } => {
                self.create(name, spec, replaces.as_ref(), inherits).await
            }
            Action::Start { target } => runtime.start_container(&self.id(target)?).await,
            Action::Stop { target, grace } => runtime.stop_container(&self.id(target)?, *grace).await,
            Action::Restart { target, grace } => runtime.restart_container(&self.id(target)?, *grace).await,
            Action::Kill { target, signal } => runtime.kill_container(&self.id(target)?, *signal).await,
            Action::Pause { target } => runtime.pause_container(&self.id(target)?).await,
            Action::Unpause { target } => runtime.unpause_container(&self.id(target)?).await,
            Action::Rename { target, to } => runtime.rename_container(&self.id(target)?, to).await,
            Action::Update { target, update } => {
                let warnings = runtime.update_container(&self.id(target)?, update).await?;
                self.heed(warnings, &stated_fields(&update.as_spec()), "update container")
            }
            Action::Revive { target } => {
                if let Err(error) = runtime.start_container(&self.id(target)?).await {
                    self.report.warnings.push(format!("it could not be started again: {}", error.report()));
                }
                Ok(())
            }
            Action::Remove { target, only_named } => self.remove(&self.id(target)?, only_named.as_ref()).await,
            Action::Discard { target: Target::New } => self.discard().await,
            Action::Discard { target: Target::Existing(id) } => runtime.discard_container(id).await,
            Action::Verify { target, healthy, settle } => {
                super::verify(runtime, &self.id(target)?, *healthy, *settle).await
            }
            Action::WaitForExit { target, deadline } => self.wait_for_exit(action, &self.id(target)?, *deadline).await,
            Action::InstallUnit { name, text } => self.supervisor(name)?.install(name, text.as_str()).await,
            Action::RemoveUnit { name } => self.supervisor(name)?.remove(name).await,
            Action::StartUnit { name } => self.supervisor(name)?.start(name).await,
            Action::StopUnit { name } => self.supervisor(name)?.stop(name).await,
            Action::RestartUnit { name } => self.supervisor(name)?.restart(name).await,
        }
    }

    fn id(&self, target: &Target) -> Result<ContainerId> {
        match target {
            Target::Existing(id) => Ok(id.clone()),
            Target::New => self.new.clone().ok_or_else(|| {
                Error::new(ErrorKind::NotFound, "change container", &self.plan.name).because("it was not made")
            }),
        }
    }

    fn supervisor(&self, name: &ContainerName) -> Result<&dyn Supervisor> {
        self.means.supervisor.ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "change unit", name)
                .because("the plan was made with a supervisor, and there is none")
        })
    }

    async fn pull(&self, image: &ImageRef, platform: Option<&Platform>) -> Result<()> {
        let wanted = ImageRequest::new(image.clone()).with_platform(platform.cloned());
        let wanted = wanted.with_deadline(self.plan.deadlines.pull());
        let tell = TellPull { container: &self.plan.name, listener: self.means.listener };
        self.means.images.ensure_telling(&wanted, &tell).await.map(drop).map_err(Error::from)
    }

    async fn create(
        &mut self,
        name: &ContainerName,
        spec: &ContainerSpec,
        replaces: Option<&Replaced>,
        inherits: &BTreeMap<CleanPath, VolumeName>,
    ) -> Result<()> {
        let mut spec = spec.clone();
        if !inherits.is_empty() {
            self.inherit(&mut spec, inherits).await?;
        }
        let stated = stated_fields(&spec);
        let engine = self.means.runtime.engine();
        let applied = Some(record(&spec, &engine.features, &engine.defaults));
        let mut mark = Owner { secrets: declared_secrets(&spec), applied, ..Owner::default() };
        if let Some(Replaced { id, restart }) = replaces {
            // To the nanosecond: it also tells this run's container from that of another run.
            let until = (self.means.now)().after(self.longest);
            mark = Owner { replaces: Some(id.clone()), until: Some(until), restart: *restart, ..mark };
            self.mark = Some(mark.clone());
        }
        let created = match self.means.runtime.create_container(name, &mark.mark(spec)).await {
            Ok(created) => created,
            Err(error) if error.kind() == ErrorKind::Conflict => {
                // The name was taken: what is there is somebody else's, whatever its labels say.
                self.mark = None;
                return Err(self.who_was_first(name).await.unwrap_or(error));
            }
            Err(error) => return Err(error),
        };
        self.new = Some(created.id);
        if let Some(Replaced { id, .. }) = replaces {
            self.still_in_place(id).await?;
        }
        self.heed(created.warnings, &stated, "create container")
    }

    /// What is to be said where another run has made its `<name>.next` first; an engine would advise to remove it.
    async fn who_was_first(&self, name: &ContainerName) -> Option<Error> {
        let deadline = Instant::now() + NAMED_BEFORE_THERE;
        loop {
            match self.means.runtime.container(name).await.ok()? {
                Some(there) => {
                    let is_record = there.owner.replaces.is_some();
                    return is_record.then(|| crate::plan::being_replaced(&self.plan.name, &there));
                }
                // An engine takes the name before the container can be looked at.
                None if Instant::now() < deadline => tokio::time::sleep(NAMED_BEFORE_THERE / 100).await,
                None => return None,
            }
        }
    }

    /// Whoever has made `<name>.next` is alone with the container, from then on; but another run may have
    /// replaced it since it was observed.
    async fn still_in_place(&self, id: &ContainerId) -> Result<()> {
        let name = &self.plan.name;
        match self.means.runtime.container(name).await? {
            Some(found) if found.id == *id => Ok(()),
            _ => Err(Error::new(ErrorKind::Conflict, "replace container", name)
                .because("it is not the one that was planned for any more: another run has dealt with it")),
        }
    }

    /// What an engine does not do as stated is an error; what else it has to say is told.
    fn heed(&mut self, warnings: Vec<Warning>, stated: &[&str], operation: &'static str) -> Result<()> {
        for Warning { field, message } in warnings {
            match field.filter(|field| stated.contains(&field.as_str())) {
                Some(field) => {
                    return Err(Error::new(ErrorKind::Unsupported, operation, &self.plan.name)
                        .because(format!("{field} would not be as stated: {message}")));
                }
                None => self.report.warnings.push(message),
            }
        }
        Ok(())
    }

    /// Only what this run has made is its own to remove again.
    async fn create_volume(&mut self, volume: &VolumeName) -> Result<()> {
        if self.means.runtime.volume(volume).await?.is_none() {
            self.made_volumes.insert(volume.clone());
            self.means.runtime.create_volume(&VolumeToCreate::local(volume.clone())).await?;
        }
        Ok(())
    }

    /// One that somebody else has mounted stays.
    async fn remove_volume(&mut self, volume: &VolumeName) -> Result<()> {
        match self.means.runtime.remove_volume(volume).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.report.warnings.push(format!("the volume stays, as it is in use: {volume}"));
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Another run may have put it back into its place meanwhile; then it is not ours to remove.
    async fn remove(&self, id: &ContainerId, only_named: Option<&ContainerName>) -> Result<()> {
        let runtime = self.means.runtime;
        if let Some(name) = only_named {
            match runtime.container_by_id(id).await? {
                Some(found) if found.name != *name => {
                    return Err(Error::new(ErrorKind::Conflict, "remove container", id.short()).because(format!(
                        "it is called {} now, not {name}: another run has dealt with it",
                        found.name
                    )));
                }
                _ => {}
            }
        }
        runtime.remove_container(id).await
    }

    /// Now that the image is here, it can be asked which volumes it declares.
    async fn inherit(&self, spec: &mut ContainerSpec, inherits: &BTreeMap<CleanPath, VolumeName>) -> Result<()> {
        let Some(reference) = &spec.image else { return Ok(()) };
        let image = self.means.runtime.image(reference).await?;
        let declared = image.and_then(|image| image.config.mounts).unwrap_or_default();
        let Mounts(mounts) = spec.mounts.get_or_insert_default();
        for (target, volume) in inherits.iter().filter(|(target, _)| declared.0.contains_key(*target)) {
            let mount = Volume { name: Some(volume.clone()), ..Volume::default() };
            mounts.entry(target.clone()).or_insert(Mount::Volume(mount));
        }
        Ok(())
    }

    /// Removes what this run has made, also where the answer to its creation was lost.
    async fn discard(&mut self) -> Result<()> {
        let runtime = self.means.runtime;
        let made = match (&self.new, &self.mark) {
            (Some(id), _) => Some(id.clone()),
            (None, Some(mark)) => {
                let found = runtime.container(&self.plan.name.next()).await?;
                let is_own = |owner: &Owner| owner.replaces == mark.replaces && owner.until == mark.until;
                found.filter(|found| is_own(&found.owner)).map(|found| found.id)
            }
            (None, None) => None,
        };
        match made {
            Some(id) => runtime.discard_container(&id).await,
            None => Ok(()),
        }
    }

    /// One that has ended in time has, however long its output takes to read.
    async fn wait_for_exit(&mut self, action: &Action, id: &ContainerId, deadline: Option<TimeSpan>) -> Result<()> {
        let runtime = self.means.runtime;
        let deadline = deadline.map_or(Duration::MAX, TimeSpan::as_duration);
        let exit = tokio::time::timeout(deadline, runtime.wait_container(id)).await;
        let exit = exit.unwrap_or_else(|_| Err(self.late(action, deadline)))?;
        let (output, warnings) = RunOutput::read(runtime, id, exit.code, self.plan.deadlines.request()).await;
        self.report.warnings.extend(warnings);
        self.report.output = Some(output);
        Ok(())
    }
}

/// Tells the listener of an apply how far the pull of an image is.
#[derive(Debug)]
struct TellPull<'a> {
    container: &'a ContainerName,
    listener: &'a dyn Listener,
}

impl ImageListener for TellPull<'_> {
    fn event(&self, event: &ImageEvent<'_>) {
        if let ImageEvent::Progress { image, progress } = event {
            self.listener.event(&Event::Pull { container: self.container, image, progress });
        }
    }
}

/// The variables whose values are declared secret.
fn declared_secrets(spec: &ContainerSpec) -> BTreeSet<String> {
    let variables = spec.environment.iter().flat_map(|environment| &environment.0);
    variables.filter(|(_, variable)| matches!(variable, Variable::Secret(_))).map(|(name, _)| name.clone()).collect()
}
