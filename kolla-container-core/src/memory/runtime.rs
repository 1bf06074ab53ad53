//! The engine in memory as a [`Runtime`]: each method notes the request and hands it to the world.

use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::container::Container;
use super::create::without;
use super::lifecycle::Stop;
use super::world::{Answer, Effect, Then, World, no_such_container};
use super::{Journal, MemoryEngine};
use crate::error::{Error, ErrorKind, Result};
use crate::image_ref::ImageRef;
use crate::name::{ContainerId, ContainerName, ImageId, NetworkName, VolumeName};
use crate::quantity::TimeSpan;
use crate::runtime::Runtime;
use crate::spec::{ContainerSpec, Endpoint, Signal};
use crate::state::{
    Archive, ContainerFilter, ContainerState, ContainerSummary, ContainerUpdate, Created, EngineFacts, Exec,
    ExitStatus, ImageState, ImageToPull, LogChunk, LogOptions, NetworkState, NetworkToCreate, Output, PullError,
    PullProgress, VolumeState, VolumeToCreate, Warning,
};

/// The exit status of a program that was killed.
const KILLED: i64 = 137;

/// What is asked: the method, and the same in words for errors.
type Asked = (&'static str, &'static str);

impl MemoryEngine {
    fn read<T>(&self, method: &str, subject: &str, look: impl FnOnce(&World, Instant) -> T) -> T {
        let mut world = self.world();
        if self.journal == Journal::Kept {
            world.note(method, subject, Effect::Read);
        }
        look(&world, Instant::now())
    }

    fn write<T>(
        &self,
        (method, operation): Asked,
        subject: &str,
        change: impl FnOnce(&mut World, Instant) -> Answer<T>,
    ) -> Result<T> {
        let mut world = self.world();
        if self.journal == Journal::Kept {
            world.note(method, subject, Effect::Write);
        }
        let answer = change(&mut world, Instant::now());
        drop(world);
        self.shared.changed.notify_waiters();
        answer.map_err(|refusal| refusal.into_error(operation, subject))
    }

    fn write_on<T>(
        &self,
        asked: Asked,
        id: &ContainerId,
        change: impl FnOnce(&mut World, Instant) -> Answer<T>,
    ) -> Result<T> {
        let subject = self.world().subject(id);
        self.write(asked, &subject, change)
    }

    /// Stops it, and answers when it has stopped.
    async fn stop(&self, asked: Asked, id: &ContainerId, grace: Option<TimeSpan>, then: Then) -> Result<()> {
        let grace = grace.map(TimeSpan::as_duration);
        if let Stop::Ignored(grace) = self.write_on(asked, id, |world, now| Ok(world.stop(id, grace, then, now)))? {
            // A program that ends in the meantime does so by itself.
            drop(tokio::time::timeout(grace, self.ended(id)).await);
            let mut world = self.world();
            if world.running(id).is_ok() {
                world.end(id, then, Instant::now(), KILLED);
            }
            drop(world);
            self.shared.changed.notify_waiters();
        }
        Ok(())
    }

    /// Waits until a container does not run; `None` when it was not there to begin with.
    async fn ended(&self, id: &ContainerId) -> Option<ExitStatus> {
        let mut seen = false;
        loop {
            let changed = self.shared.changed.notified();
            let end = {
                let world = self.world();
                match world.containers.get(id) {
                    Some(container) if container.is_up() => container.will_end(Instant::now()),
                    Some(container) => {
                        let nothing = ExitStatus { code: 0, oom_killed: false, error: None };
                        return Some(container.exit.clone().unwrap_or(nothing));
                    }
                    None if seen => return world.gone.get(id).cloned(),
                    None => return None,
                }
            };
            seen = true;
            match end {
                Some(end) => drop(tokio::time::timeout_at(end, changed).await),
                None => changed.await,
            }
        }
    }

    /// A container without what this engine does not report of it.
    fn as_reported(&self, found: Option<ContainerState>) -> Result<Option<ContainerState>> {
        let Some(mut state) = found else { return Ok(None) };
        let (reported, _) = without(&state.config, self.facts.features.unreported())
            .map_err(|refusal| refusal.into_error("inspect container", state.name.as_str()))?;
        state.config = reported;
        Ok(Some(state))
    }

    /// What a container has printed so far, in the pieces that are asked for.
    fn printed(&self, id: &ContainerId, options: LogOptions) -> Result<Vec<LogChunk>> {
        let world = self.world();
        let subject = world.subject(id);
        let Some(container) = world.containers.get(id) else {
            return Err(no_such_container(id.short()).into_error("read logs of container", &subject));
        };
        let output = &container.output;
        let run = [LogChunk::Stdout(output.stdout.clone()), LogChunk::Stderr(output.stderr.clone())];
        let runs = std::iter::repeat_n(run, output.starts).flatten();
        let all: Vec<LogChunk> = runs.filter(|chunk| !text(chunk).is_empty()).collect();
        Ok(match options.tail {
            None => all,
            Some(count) => {
                let lines: Vec<LogChunk> = all.iter().flat_map(lines).collect();
                let before = lines.len().saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
                lines.into_iter().skip(before).collect()
            }
        })
    }
}

fn text(chunk: &LogChunk) -> &[u8] {
    match chunk {
        LogChunk::Stdout(text) | LogChunk::Stderr(text) => text,
    }
}

fn lines(chunk: &LogChunk) -> Vec<LogChunk> {
    text(chunk)
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| match chunk {
            LogChunk::Stdout(_) => LogChunk::Stdout(line.to_vec()),
            LogChunk::Stderr(_) => LogChunk::Stderr(line.to_vec()),
        })
        .collect()
}

fn matches(world: &World, id: &ContainerId, filter: &ContainerFilter) -> bool {
    let Some(container) = world.containers.get(id) else { return false };
    let name = container.name.as_str();
    let ours = container.owner.labels();
    let theirs = container.config.labels.as_ref().map(|labels| &labels.0);
    let value = |key: &String| ours.get(key).or_else(|| theirs.and_then(|labels| labels.get(key)));
    let suffixes = &filter.name_suffixes;
    (suffixes.is_empty() || suffixes.iter().any(|suffix| name.ends_with(suffix.as_str())))
        && filter.labels.iter().all(|(key, wanted)| match (value(key), wanted) {
            (Some(value), Some(wanted)) => value == wanted,
            (value, None) => value.is_some(),
            (None, Some(_)) => false,
        })
}

#[async_trait]
impl Runtime for MemoryEngine {
    fn engine(&self) -> &EngineFacts {
        &self.facts
    }

    async fn container(&self, name: &ContainerName) -> Result<Option<ContainerState>> {
        let found =
            self.read("container", name.as_str(), |world, now| world.by_name(name).map(|found| found.state(now)));
        self.as_reported(found)
    }

    async fn container_by_id(&self, id: &ContainerId) -> Result<Option<ContainerState>> {
        let subject = self.world().subject(id);
        let found = self.read("container_by_id", &subject, |world, now| {
            world.containers.get(id).map(|container| container.state(now))
        });
        self.as_reported(found)
    }

    async fn containers(&self, filter: &ContainerFilter) -> Result<Vec<ContainerSummary>> {
        Ok(self.read("containers", "", |world, _| {
            let containers = world.containers.values().filter(|container| matches(world, &container.id, filter));
            containers.map(Container::summary).collect()
        }))
    }

    async fn create_container(&self, name: &ContainerName, spec: &ContainerSpec) -> Result<Created> {
        self.write(("create_container", "create container"), name.as_str(), |world, _| {
            world.create(name, spec, &self.facts)
        })
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        self.write_on(("start_container", "start container"), id, |world, now| world.start(id, now))
    }

    async fn stop_container(&self, id: &ContainerId, grace: Option<TimeSpan>) -> Result<()> {
        self.stop(("stop_container", "stop container"), id, grace, Then::Stays).await
    }

    async fn kill_container(&self, id: &ContainerId, signal: Signal) -> Result<()> {
        self.write_on(("kill_container", "kill container"), id, |world, now| world.kill(id, signal, now))
    }

    async fn pause_container(&self, id: &ContainerId) -> Result<()> {
        self.write_on(("pause_container", "pause container"), id, |world, _| world.pause(id))
    }

    async fn unpause_container(&self, id: &ContainerId) -> Result<()> {
        self.write_on(("unpause_container", "unpause container"), id, |world, now| world.unpause(id, now))
    }

    async fn restart_container(&self, id: &ContainerId, grace: Option<TimeSpan>) -> Result<()> {
        let asked = ("restart_container", "restart container");
        let subject = self.world().subject(id);
        self.stop(asked, id, grace, Then::StartsAgain).await?;
        let started = self.world().start(id, Instant::now());
        self.shared.changed.notify_waiters();
        started.map_err(|refusal| refusal.into_error(asked.1, &subject))
    }

    async fn rename_container(&self, id: &ContainerId, name: &ContainerName) -> Result<()> {
        self.write_on(("rename_container", "rename container"), id, |world, _| world.rename(id, name))
    }

    async fn update_container(&self, id: &ContainerId, update: &ContainerUpdate) -> Result<Vec<Warning>> {
        self.write_on(("update_container", "update container"), id, |world, now| {
            let warnings = world.update(id, update);
            world.settle(now);
            warnings
        })
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        self.write_on(("remove_container", "remove container"), id, |world, now| world.remove(id, now))
    }

    async fn discard_container(&self, id: &ContainerId) -> Result<()> {
        self.write_on(("discard_container", "discard container"), id, |world, now| world.discard(id, now))
    }

    async fn wait_container(&self, id: &ContainerId) -> Result<ExitStatus> {
        let subject = self.world().subject(id);
        self.read("wait_container", &subject, |_, _| ());
        let gone = || no_such_container(id.short()).into_error("wait for container", &subject);
        self.ended(id).await.ok_or_else(gone)
    }

    async fn exec(&self, id: &ContainerId, exec: &Exec) -> Result<Output> {
        let subject = self.world().subject(id);
        self.read("exec", &subject, |_, _| ());
        self.world().exec(id, exec).map_err(|refusal| refusal.into_error("run a command in container", &subject))
    }

    fn logs(&self, id: &ContainerId, options: LogOptions) -> BoxStream<'static, Result<LogChunk>> {
        let (engine, id) = (self.clone(), id.clone());
        let begin = async move {
            let subject = engine.world().subject(&id);
            engine.read("logs", &subject, |_, _| ());
            let printed = engine.printed(&id, options);
            let chunks = match printed {
                Ok(chunks) => chunks.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error)],
            };
            let rest = stream::once(async move {
                if options.follow {
                    engine.ended(&id).await;
                }
            });
            stream::iter(chunks).chain(rest.filter_map(|()| async { None }))
        };
        stream::once(begin).flatten().boxed()
    }

    async fn image(&self, reference: &ImageRef) -> Result<Option<ImageState>> {
        Ok(self.read("image", &reference.familiar(), |world, _| world.images.state(reference)))
    }

    async fn image_by_id(&self, id: &ImageId) -> Result<Option<ImageState>> {
        Ok(self.read("image_by_id", id.short(), |world, _| world.images.state_by_id(id)))
    }

    async fn images(&self) -> Result<Vec<ImageState>> {
        Ok(self.read("images", "", |world, _| world.images.all()))
    }

    fn pull_image(&self, pull: &ImageToPull) -> BoxStream<'static, Result<PullProgress>> {
        let (engine, pull) = (self.clone(), pull.clone());
        let begin = async move {
            let asked = ("pull_image", "pull image");
            let failed = |failure| PullError::known(&pull, failure).into_error(&pull);
            let begun = engine.write(asked, &pull.image.familiar(), |world, _| {
                Ok((world.images.pull_begins(&pull), world.images.pace))
            });
            let (said, pulls, pace) = match begun {
                Ok((Ok(said), pace)) => (said.into_iter().map(Ok).collect(), true, pace),
                Ok((Err(failure), pace)) => (vec![Err(failed(failure))], false, pace),
                Err(error) => (vec![Err(error)], false, Duration::ZERO),
            };
            // The image is there with the last item, and not before: a pull can be dropped half-way.
            let end = stream::once(async move {
                let mut world = engine.world();
                let now = world.clock;
                let pulled = world.images.pulled(&pull, now);
                pulled.map_err(|failure| PullError::known(&pull, failure).into_error(&pull))
            });
            stream::iter(said).chain(end.take(usize::from(pulls))).then(move |piece| async move {
                if !pace.is_zero() {
                    tokio::time::sleep(pace).await;
                }
                piece
            })
        };
        stream::once(begin).flatten().boxed()
    }

    async fn load_images(&self, _archive: Archive) -> Result<Vec<ImageRef>> {
        let why = "an engine in memory reads no archives";
        Err(Error::new(ErrorKind::Unsupported, "load images", "").because(why))
    }

    async fn tag_image(&self, id: &ImageId, reference: &ImageRef) -> Result<()> {
        self.write(("tag_image", "tag image"), &reference.familiar(), |world, _| world.images.tag(id, reference))
    }

    async fn remove_image(&self, reference: &ImageRef) -> Result<()> {
        self.write(("remove_image", "remove image"), &reference.familiar(), |world, _| {
            let containers = &world.containers;
            let used = |id: &ImageId| {
                let user = containers.values().find(|container| container.image_id == *id);
                user.map(|container| container.name.to_string())
            };
            world.images.remove(reference, used)
        })
    }

    async fn volume(&self, name: &VolumeName) -> Result<Option<VolumeState>> {
        Ok(self.read("volume", name.as_str(), |world, _| world.volumes.get(name).cloned()))
    }

    async fn create_volume(&self, volume: &VolumeToCreate) -> Result<()> {
        let name = volume.name.as_str();
        self.write(("create_volume", "create volume"), name, |world, _| world.create_volume(volume))
    }

    async fn remove_volume(&self, name: &VolumeName) -> Result<()> {
        self.write(("remove_volume", "remove volume"), name.as_str(), |world, _| world.remove_volume(name))
    }

    async fn network(&self, name: &NetworkName) -> Result<Option<NetworkState>> {
        Ok(self.read("network", name.as_str(), |world, _| world.network(name)))
    }

    async fn create_network(&self, network: &NetworkToCreate) -> Result<()> {
        let name = network.name.as_str();
        self.write(("create_network", "create network"), name, |world, _| world.create_network(network))
    }

    async fn remove_network(&self, name: &NetworkName) -> Result<()> {
        self.write(("remove_network", "remove network"), name.as_str(), |world, _| world.remove_network(name))
    }

    async fn connect_network(&self, name: &NetworkName, id: &ContainerId, endpoint: &Endpoint) -> Result<()> {
        let operation = ("connect_network", "connect network");
        self.write(operation, name.as_str(), |world, _| world.connect(name, id, endpoint))
    }

    async fn disconnect_network(&self, name: &NetworkName, id: &ContainerId) -> Result<()> {
        let operation = ("disconnect_network", "disconnect network");
        self.write(operation, name.as_str(), |world, _| world.disconnect(name, id))
    }
}
