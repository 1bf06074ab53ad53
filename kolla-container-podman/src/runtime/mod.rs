//! The port of core, over the libpod API of Podman. Each method is one request, unless it says otherwise.

mod create;
mod exec;
mod look;
mod pull;
mod warning;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use kolla_container_core::diff::discarded;
use kolla_container_core::spec::{Endpoint, Signal};
use kolla_container_core::state::{
    Archive, ContainerFilter, ContainerState, ContainerSummary, ContainerUpdate, Created, EngineFacts, Exec,
    ExitStatus, ImageState, ImageToPull, LogChunk, LogOptions, NetworkState, NetworkToCreate, Output, PullProgress,
    Status, VolumeState, VolumeToCreate, Warning,
};
use kolla_container_core::{
    ContainerId, ContainerName, ContainerSpec, Error, ErrorKind, ImageId, ImageRef, NetworkName, Result, Runtime,
    TimeSpan, VolumeName,
};
use semver::Version;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::connect::Connection;
use crate::decode::Info;
use crate::defaults;
use crate::encode;
use crate::error::{Asked, Failure};
use crate::wire::{Call, Client};
use crate::{frames, place};

/// How many images are looked at at the same time, to list them.
const AT_ONCE: usize = 16;

/// How long a container that removes itself may take to be gone after it has ended.
const REMOVES_ITSELF: Duration = Duration::from_mins(1);

/// A Podman engine.
///
/// Cheap to clone; connections are made as requests need them. How long a request may take is part of the
/// [`Connection`]; a container's own grace comes on top.
///
/// ```no_run
/// use std::sync::Arc;
/// use kolla_container_core::{ContainerSpec, Goal, Goals, Reconciler};
/// use kolla_container_podman::Podman;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let podman = Podman::from_env().await?;
/// let goals = Goals::one("web".parse()?, Goal::running(ContainerSpec::new("docker.io/library/nginx:1.27".parse()?)));
///
/// let report = Reconciler::new(Arc::new(podman)).reconcile(&goals).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Podman {
    client: Client,
    facts: Arc<EngineFacts>,
    /// Held while a container is made of which two at the same time would block the engine.
    making: Arc<Mutex<()>>,
}

impl fmt::Debug for Podman {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Podman").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl Podman {
    /// Connects to the engine that the environment names, as the `podman` command does; see
    /// [`Connection::from_env`].
    pub async fn from_env() -> Result<Self> {
        Self::connect(&Connection::from_env()?).await
    }

    /// Connects, and finds out what the engine is and can do.
    ///
    /// An engine below Podman 4.0 is [`Unsupported`](ErrorKind::Unsupported).
    pub async fn connect(connection: &Connection) -> Result<Self> {
        let opened = connection.open().await?;
        let asked = Asked::new("ask for the facts of", &connection.address);
        let late = |_| asked.error(ErrorKind::TimedOut).because(format!("no answer within {:?}", connection.deadline));
        let info = opened.client.json::<Info>(Call::get("info"));
        let info = tokio::time::timeout(connection.deadline, info).await.map_err(late)?;
        let info = info.map_err(|failure| asked.failed(&failure))?;
        let level = opened.api;
        let fallback = || Version::new(u64::from(level.major), u64::from(level.minor), 0);
        let version = info.version.version.parse().unwrap_or_else(|_| fallback());
        let facts = EngineFacts { api: level, ..defaults::facts(version, &info, connection.is_local()) };
        Ok(Self { client: opened.client, facts: Arc::new(facts), making: Arc::default() })
    }

    /// What may happen to a container: `POST /containers/{id}/{act}`.
    fn act(id: &ContainerId, act: &'static str) -> Call {
        Call::post("containers").segment(id).path(act)
    }

    /// How long Podman waits before it kills, which is on top of what a request may take.
    fn graceful(call: Call, grace: Option<TimeSpan>) -> Call {
        match grace {
            Some(grace) => call.query("timeout", seconds(grace)).patient(grace.as_duration()),
            None => call.endless(),
        }
    }

    /// What is removed of several things, each with its own error.
    async fn remove_one(&self, call: Call) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Removed {
            #[serde(default, rename = "Err")]
            error: Value,
        }

        let answer = self.client.bytes(call).await?;
        let reports: Vec<Removed> = serde_json::from_slice(&answer).unwrap_or_default();
        match reports.into_iter().map(|removed| removed.error).find(|error| !error.is_null()) {
            Some(Value::String(error)) if !error.is_empty() => Err(Failure::Said(error)),
            Some(Value::Object(_)) => Err(Failure::Said("it could not be removed".to_owned())),
            _ => Ok(()),
        }
    }
}

/// Whole seconds, as Podman counts a grace.
fn seconds(span: TimeSpan) -> u64 {
    u64::try_from(span.as_duration().as_nanos().div_ceil(1_000_000_000)).unwrap_or(u64::MAX).min(u64::from(u32::MAX))
}

#[async_trait]
impl Runtime for Podman {
    fn engine(&self) -> &EngineFacts {
        &self.facts
    }

    /// One request more for each container whose volumes it has too.
    async fn container(&self, name: &ContainerName) -> Result<Option<ContainerState>> {
        let found = self.inspect(&Asked::new("inspect container", name), name.as_str()).await?;
        // Podman takes the beginning of an id for a name, too.
        Ok(found.filter(|state| state.name == *name))
    }

    /// One request more for each container whose volumes it has too.
    async fn container_by_id(&self, id: &ContainerId) -> Result<Option<ContainerState>> {
        self.inspect(&Asked::new("inspect container", id.short()), id.as_str()).await
    }

    async fn containers(&self, filter: &ContainerFilter) -> Result<Vec<ContainerSummary>> {
        self.list(filter).await
    }

    /// One request more where a health check is stated in part: the rest is that of the image.
    async fn create_container(&self, name: &ContainerName, spec: &ContainerSpec) -> Result<Created> {
        self.create(name, spec).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        let asked = Asked::new("start container", id.short());
        match self.client.send(Self::act(id, "start")).await {
            Ok(_) => Ok(()),
            Err(failure) => match self.status(&asked, id).await {
                Ok(Some(status)) if status.is_up() && failure.status().is_some() => Ok(()),
                Ok(Some(_)) if failure.is_not_found() || failure.kind() == ErrorKind::Rejected => {
                    Err(asked.error(ErrorKind::EngineFailed).because(failure))
                }
                _ => Err(asked.failed(&failure)),
            },
        }
    }

    /// Two requests, and more for a container that is paused, or removes itself: its name is free only when it is gone.
    async fn stop_container(&self, id: &ContainerId, grace: Option<TimeSpan>) -> Result<()> {
        let asked = Asked::new("stop container", id.short());
        let stop = || Self::graceful(Self::act(id, "stop"), grace);
        match self.client.send(stop()).await {
            Ok(_) => {}
            Err(failure) if failure.is_not_found() => return Ok(()),
            // A paused one hears no signal.
            Err(failure) => match self.status(&asked, id).await? {
                None | Some(Status::Exited) => {}
                Some(Status::Paused) => {
                    self.unpause_container(id).await?;
                    self.client.send(stop()).await.map_err(|failure| asked.failed(&failure))?;
                }
                Some(_) => return Err(asked.failed(&failure)),
            },
        }
        // It has stopped: what cannot be found out afterwards does not change that.
        match self.inspect(&asked, id.as_str()).await.ok().flatten() {
            Some(state) if state.config.auto_remove == Some(true) && !state.status.is_up() => {
                // Its removal begins a moment after its end; one that fails leaves a container that has stopped.
                let is_going = |status: &Status| matches!(status, Status::Exited | Status::Removing | Status::Stopping);
                match tokio::time::timeout(REMOVES_ITSELF, self.gone(&asked, id, is_going)).await {
                    Ok(gone) => gone.map(drop),
                    Err(_) => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    async fn kill_container(&self, id: &ContainerId, signal: Signal) -> Result<()> {
        let killed = self.client.send(Self::act(id, "kill").query("signal", signal.number())).await;
        killed.map(drop).map_err(|failure| Asked::new("kill container", id.short()).failed(&failure))
    }

    async fn pause_container(&self, id: &ContainerId) -> Result<()> {
        let asked = Asked::new("pause container", id.short());
        match self.client.send(Self::act(id, "pause")).await {
            Ok(_) => Ok(()),
            Err(failure) => self.unless(&asked, id, &failure, |status| *status == Status::Paused).await,
        }
    }

    async fn unpause_container(&self, id: &ContainerId) -> Result<()> {
        let asked = Asked::new("unpause container", id.short());
        match self.client.send(Self::act(id, "unpause")).await {
            Ok(_) => Ok(()),
            Err(failure) => self.unless(&asked, id, &failure, |status| *status != Status::Paused).await,
        }
    }

    async fn restart_container(&self, id: &ContainerId, grace: Option<TimeSpan>) -> Result<()> {
        let restarted = self.client.send(Self::graceful(Self::act(id, "restart"), grace)).await;
        restarted.map(drop).map_err(|failure| Asked::new("restart container", id.short()).failed(&failure))
    }

    async fn rename_container(&self, id: &ContainerId, name: &ContainerName) -> Result<()> {
        let renamed = self.client.send(Self::act(id, "rename").query("name", name)).await;
        renamed.map(drop).map_err(|failure| Asked::new("rename container", id.short()).failed(&failure))
    }

    /// Two requests: what Podman discards of an update shows only in what it says of the container afterwards.
    async fn update_container(&self, id: &ContainerId, update: &ContainerUpdate) -> Result<Vec<Warning>> {
        let asked = Asked::new("update container", id.short());
        let body = encode::update(update).map_err(|wrong| asked.error(ErrorKind::Rejected).caused_by(wrong))?;
        let mut call = Self::act(id, "update").body(&body);
        if let Some((policy, retries)) = update.restart.map(encode::policy) {
            call = call.query("restartPolicy", policy);
            if let Some(retries) = retries {
                call = call.query("restartRetries", retries);
            }
        }
        self.client.send(call).await.map_err(|failure| asked.failed(&failure))?;
        let updated = self.inspect(&asked, id.as_str()).await?;
        Ok(updated.map(|updated| discarded(update, &updated, &self.facts)).unwrap_or_default())
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        self.remove(id, false).await
    }

    /// Two requests, and one more for each anonymous volume.
    async fn discard_container(&self, id: &ContainerId) -> Result<()> {
        self.discard(id).await
    }

    /// Three requests: before, whether it runs; afterwards, whether memory ran out.
    async fn wait_container(&self, id: &ContainerId) -> Result<ExitStatus> {
        let asked = Asked::new("wait for container", id.short());
        let before = self.inspect(&asked, id.as_str()).await?;
        let before = before.ok_or_else(|| asked.error(ErrorKind::NotFound).because("it is not there"))?;
        let never = ExitStatus { code: 0, oom_killed: false, error: None };
        if matches!(before.status, Status::Created | Status::Exited | Status::Dead) {
            return Ok(before.exit.unwrap_or(never));
        }
        let call = Self::act(id, "wait").query("condition", "stopped").query("condition", "exited").endless();
        let code: i64 = self.client.json(call).await.map_err(|failure| asked.failed(&failure))?;
        // One that removed itself, or cannot be read, has an exit status all the same.
        let ended = self.inspect(&asked, id.as_str()).await.ok().flatten().and_then(|state| state.exit);
        Ok(ended.filter(|exit| exit.code == code).unwrap_or(ExitStatus { code, ..never }))
    }

    /// Three requests.
    async fn exec(&self, id: &ContainerId, exec: &Exec) -> Result<Output> {
        self.run(id, exec).await
    }

    fn logs(&self, id: &ContainerId, options: LogOptions) -> BoxStream<'static, Result<LogChunk>> {
        let asked = Asked::new("read logs of container", id.short());
        let call = Call::get("containers").segment(id).path("logs");
        let call = call.query("stdout", true).query("stderr", true).query("follow", options.follow);
        let call = match options.tail {
            Some(lines) => call.query("tail", lines),
            None => call,
        };
        // Before 5.3 the answer begins with the first line, whenever that comes.
        let call = if options.follow { call.endless() } else { call };
        let client = self.client.clone();
        let failed = asked.clone();
        let output = async move {
            let bytes = client.stream(call).await.map_err(|failure| failed.failed(&failure))?;
            Ok::<_, Error>(frames::framed(bytes).map(move |chunk| chunk.map_err(|failure| asked.failed(&failure))))
        };
        Box::pin(stream::once(output).try_flatten())
    }

    async fn image(&self, reference: &ImageRef) -> Result<Option<ImageState>> {
        self.find_image(&Asked::new("inspect image", reference.familiar()), &reference.to_string()).await
    }

    async fn image_by_id(&self, id: &ImageId) -> Result<Option<ImageState>> {
        self.find_image(&Asked::new("inspect image", id.short()), id.as_str()).await
    }

    /// One request for the list, more where images are removed meanwhile, and one for each image: a list does not say what
    /// an image implies.
    async fn images(&self) -> Result<Vec<ImageState>> {
        let asked = &Asked::new("list", "images");
        let listed = self.image_ids().await.map_err(|failure| asked.failed(&failure))?;
        let looks = stream::iter(listed).map(async |id| self.find_image(asked, &id).await);
        // One that is gone meanwhile is not there; one that cannot be read is left out.
        let looks = looks.buffer_unordered(AT_ONCE).filter_map(async |image| match image {
            Err(error) if error.kind() == ErrorKind::Undecodable => None,
            image => image.transpose(),
        });
        looks.try_collect().await
    }

    /// Whether a registry is asked without TLS is for the engine's registries.conf to say. Where no credentials are given,
    /// those are used that the engine itself was logged in with.
    fn pull_image(&self, pull: &ImageToPull) -> BoxStream<'static, Result<PullProgress>> {
        self.pull(pull)
    }

    async fn load_images(&self, archive: Archive) -> Result<Vec<ImageRef>> {
        self.load(archive).await
    }

    async fn tag_image(&self, id: &ImageId, reference: &ImageRef) -> Result<()> {
        let call = Call::post("images").segment(id).path("tag").query("repo", reference.name().unwrap_or_default());
        let tagged = self.client.send(call.query("tag", reference.tag().unwrap_or("latest"))).await;
        tagged.map(drop).map_err(|failure| Asked::new("tag image", id.short()).failed(&failure))
    }

    async fn remove_image(&self, reference: &ImageRef) -> Result<()> {
        match self.client.send(Call::delete("images").segment(reference)).await {
            Err(failure) if !failure.is_not_found() => {
                Err(Asked::new("remove image", reference.familiar()).failed(&failure))
            }
            _ => Ok(()),
        }
    }

    async fn volume(&self, name: &VolumeName) -> Result<Option<VolumeState>> {
        match self.client.json(Call::get("volumes").segment(name).path("json")).await {
            // Podman takes the beginning of a name for it, too.
            Ok(volume) => place::volume(volume).map(|volume| Some(volume).filter(|volume| volume.name == *name)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(Asked::new("inspect volume", name).failed(&failure)),
        }
    }

    /// Two requests where one of that name is there.
    async fn create_volume(&self, volume: &VolumeToCreate) -> Result<()> {
        let asked = Asked::new("create volume", &volume.name);
        let call = Call::post("volumes").path("create").body(&place::volume_to_create(volume));
        let Err(failure) = self.client.send(call).await else { return Ok(()) };
        match self.volume(&volume.name).await? {
            Some(there) if there.driver == volume.driver => Ok(()),
            Some(there) => Err(asked
                .error(ErrorKind::Conflict)
                .because(format!("a volume of that name is there already, of driver {}", there.driver))),
            None => Err(asked.failed(&failure)),
        }
    }

    /// Two requests: Podman takes the beginning of a name for it, too, and would remove another volume.
    async fn remove_volume(&self, name: &VolumeName) -> Result<()> {
        if self.volume(name).await?.is_none() {
            return Ok(());
        }
        match self.client.send(Call::delete("volumes").segment(name)).await {
            Err(failure) if !failure.is_not_found() => Err(Asked::new("remove volume", name).failed(&failure)),
            _ => Ok(()),
        }
    }

    /// Two requests: which containers are in it is asked for by itself.
    async fn network(&self, name: &NetworkName) -> Result<Option<NetworkState>> {
        let asked = Asked::new("inspect network", name);
        let network = match self.client.json(Call::get("networks").segment(name).path("json")).await {
            Ok(network) => place::network(network, self.users(&asked, "network", name.as_str()).await?)?,
            Err(failure) if failure.is_not_found() => return Ok(None),
            Err(failure) => return Err(asked.failed(&failure)),
        };
        // Podman takes the beginning of an id for a name, too.
        Ok(Some(network).filter(|network| network.name == *name))
    }

    async fn create_network(&self, network: &NetworkToCreate) -> Result<()> {
        let call = Call::post("networks").path("create").body(&place::network_to_create(network));
        let created = self.client.send(call).await;
        created.map(drop).map_err(|failure| Asked::new("create network", &network.name).failed(&failure))
    }

    /// Three requests: Podman takes the beginning of an id for a name, too, and would remove another network.
    async fn remove_network(&self, name: &NetworkName) -> Result<()> {
        let asked = Asked::new("remove network", name);
        let Some(network) = self.network(name).await? else { return Ok(()) };
        if !network.containers.is_empty() {
            return Err(asked.error(ErrorKind::Conflict).because("containers are in it"));
        }
        match self.remove_one(Call::delete("networks").segment(name)).await {
            Err(failure) if !failure.is_not_found() => Err(asked.failed(&failure)),
            _ => Ok(()),
        }
    }

    /// Three requests.
    async fn connect_network(&self, name: &NetworkName, id: &ContainerId, endpoint: &Endpoint) -> Result<()> {
        let asked = Asked::new("connect network", name);
        let network = self.known_network(&asked, name).await?;
        if network.containers.contains(id) {
            return Ok(());
        }
        let mut body = serde_json::to_value(encode::endpoint(endpoint)).unwrap_or_else(|_| json!({}));
        if let Some(keys) = body.as_object_mut() {
            keys.insert("container".to_owned(), json!(id));
        }
        let connected = self.client.send(Call::post("networks").segment(name).path("connect").body(&body)).await;
        connected.map(drop).map_err(|failure| asked.failed(&failure))
    }

    /// Three requests.
    async fn disconnect_network(&self, name: &NetworkName, id: &ContainerId) -> Result<()> {
        let asked = Asked::new("disconnect network", name);
        let network = self.known_network(&asked, name).await?;
        if !network.containers.contains(id) {
            return Ok(());
        }
        let call = Call::post("networks").segment(name).path("disconnect").body(&json!({"Container": id}));
        self.client.send(call).await.map(drop).map_err(|failure| asked.failed(&failure))
    }
}
