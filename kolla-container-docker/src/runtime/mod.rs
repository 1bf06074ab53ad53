//! The port of core, over the API of Docker. Each method is one request, unless it says otherwise.

mod create;
mod exec;
mod look;
mod pull;
mod warning;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bollard::errors::Error as Failure;
use bollard::models::{NetworkConnectRequest, NetworkDisconnectRequest, VolumeCreateRequest};
use bollard::query_parameters::{
    InspectNetworkOptions, KillContainerOptions, ListImagesOptions, LogsOptions, RemoveImageOptions,
    RemoveVolumeOptions, RenameContainerOptions, RestartContainerOptions, StopContainerOptions, TagImageOptions,
    WaitContainerOptions,
};
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

use crate::connect::Connection;
use crate::encode;
use crate::error::{self, Asked};
use crate::{defaults, place, stream as pieces};

/// How many images are looked at at the same time, to list them.
const AT_ONCE: usize = 16;

/// How long a container that removes itself may take to be gone after it has ended.
const REMOVES_ITSELF: Duration = Duration::from_mins(1);

/// A Docker engine.
///
/// Cheap to clone; connections are made as requests need them. A request has no deadline of its own: wrap it into a
/// [`layer::Deadline`](kolla_container_core::layer::Deadline) where one is needed; what a
/// [`Reconciler`](kolla_container_core::Reconciler) applies has the deadlines of its spec.
///
/// ```no_run
/// use std::sync::Arc;
/// use kolla_container_core::{ContainerSpec, Goal, Goals, Reconciler};
/// use kolla_container_docker::Docker;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let docker = Docker::from_env().await?;
/// let goals = Goals::one("web".parse()?, Goal::running(ContainerSpec::new("nginx:1.27".parse()?)));
///
/// let report = Reconciler::new(Arc::new(docker)).reconcile(&goals).await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Docker {
    client: bollard::Docker,
    facts: Arc<EngineFacts>,
}

impl fmt::Debug for Docker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Docker").field("facts", &self.facts).finish_non_exhaustive()
    }
}

impl Docker {
    /// Connects to the engine that the environment names, as the `docker` command does; see
    /// [`Connection::from_env`].
    pub async fn from_env() -> Result<Self> {
        Self::connect(&Connection::from_env()?).await
    }

    /// Connects, and finds out what the engine is and can do.
    ///
    /// An engine below API 1.41 (Docker 20.10) is [`Unsupported`](ErrorKind::Unsupported).
    pub async fn connect(connection: &Connection) -> Result<Self> {
        let opened = connection.open().await?;
        let asked = Asked::new("ask for the facts of", &connection.address);
        let late = |_| asked.error(ErrorKind::TimedOut).because(format!("no answer within {:?}", connection.deadline));
        let info = tokio::time::timeout(connection.deadline, opened.client.info()).await.map_err(late)?;
        let info = info.map_err(|failure| asked.failed(&failure))?;
        let facts = defaults::facts(opened.api, &info, connection.is_local());
        Ok(Self { client: opened.client, facts: Arc::new(facts) })
    }
}

/// Whole seconds, as Docker counts a grace; what is longer than it can count is for ever.
fn seconds(span: TimeSpan) -> i32 {
    i32::try_from(span.as_duration().as_nanos().div_ceil(1_000_000_000)).unwrap_or(i32::MAX)
}

/// Why a container was not started. That its program is missing is a 400 or a 404, as if the request were wrong.
fn not_started(asked: &Asked, failure: &Failure, is_there: bool) -> Error {
    match asked.failed(failure) {
        error if is_there && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Rejected) => {
            asked.error(ErrorKind::EngineFailed).because(error::text(failure))
        }
        error => error,
    }
}

#[async_trait]
impl Runtime for Docker {
    fn engine(&self) -> &EngineFacts {
        &self.facts
    }

    async fn container(&self, name: &ContainerName) -> Result<Option<ContainerState>> {
        let found = self.inspect(&Asked::new("inspect container", name), name.as_str()).await?;
        // Docker takes the beginning of an id for a name, too.
        Ok(found.filter(|state| state.name == *name))
    }

    async fn container_by_id(&self, id: &ContainerId) -> Result<Option<ContainerState>> {
        self.inspect(&Asked::new("inspect container", id.short()), id.as_str()).await
    }

    async fn containers(&self, filter: &ContainerFilter) -> Result<Vec<ContainerSummary>> {
        self.list(filter).await
    }

    /// One request more for each network and each container that the spec names, and for each network after the first
    /// below API 1.44.
    async fn create_container(&self, name: &ContainerName, spec: &ContainerSpec) -> Result<Created> {
        self.create(name, spec).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        let asked = Asked::new("start container", id.short());
        match self.client.start_container(id.as_str(), None).await {
            Ok(()) => Ok(()),
            Err(failure) => match self.status(&asked, id).await {
                Ok(Some(status)) if status.is_up() && error::status(&failure).is_some() => Ok(()),
                there => Err(not_started(&asked, &failure, matches!(there, Ok(Some(_))))),
            },
        }
    }

    /// Two requests, and more for a container that removes itself: Docker answers before it is gone, and its name is
    /// free only then.
    async fn stop_container(&self, id: &ContainerId, grace: Option<TimeSpan>) -> Result<()> {
        let asked = Asked::new("stop container", id.short());
        let options = StopContainerOptions { t: grace.map(seconds), ..Default::default() };
        match self.client.stop_container(id.as_str(), Some(options)).await {
            Ok(()) => {}
            Err(failure) if error::is_not_found(&failure) => return Ok(()),
            Err(failure) => return Err(asked.failed(&failure)),
        }
        // It has stopped: what cannot be found out afterwards does not change that.
        match self.inspect(&asked, id.as_str()).await.ok().flatten() {
            Some(state) if state.config.auto_remove == Some(true) && state.exit.is_some() => {
                // Its removal begins a moment after its end; one that fails leaves a container that has stopped.
                let is_going = |status: &Status| matches!(status, Status::Exited | Status::Removing);
                match tokio::time::timeout(REMOVES_ITSELF, self.gone(&asked, id, is_going)).await {
                    Ok(gone) => gone.map(drop),
                    Err(_) => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    async fn kill_container(&self, id: &ContainerId, signal: Signal) -> Result<()> {
        let options = KillContainerOptions { signal: signal.number().to_string() };
        let killed = self.client.kill_container(id.as_str(), Some(options)).await;
        killed.map_err(|failure| match Asked::new("kill container", id.short()) {
            // Older engines say it with a 500.
            asked if error::text(&failure).contains("is not running") => {
                asked.error(ErrorKind::Conflict).because(error::text(&failure))
            }
            asked => asked.failed(&failure),
        })
    }

    async fn pause_container(&self, id: &ContainerId) -> Result<()> {
        let asked = Asked::new("pause container", id.short());
        match self.client.pause_container(id.as_str()).await {
            Ok(()) => Ok(()),
            Err(failure) => self.unless(&asked, id, &failure, |status| status == Some(&Status::Paused)).await,
        }
    }

    async fn unpause_container(&self, id: &ContainerId) -> Result<()> {
        let asked = Asked::new("unpause container", id.short());
        match self.client.unpause_container(id.as_str()).await {
            Ok(()) => Ok(()),
            Err(failure) => {
                let is_fine = |status: Option<&Status>| status.is_some_and(|status| *status != Status::Paused);
                self.unless(&asked, id, &failure, is_fine).await
            }
        }
    }

    async fn restart_container(&self, id: &ContainerId, grace: Option<TimeSpan>) -> Result<()> {
        let asked = Asked::new("restart container", id.short());
        let options = RestartContainerOptions { t: grace.map(seconds), ..Default::default() };
        match self.client.restart_container(id.as_str(), Some(options)).await {
            Ok(()) => Ok(()),
            Err(failure) => {
                let is_there = matches!(self.status(&asked, id).await, Ok(Some(_)));
                Err(not_started(&asked, &failure, is_there))
            }
        }
    }

    async fn rename_container(&self, id: &ContainerId, name: &ContainerName) -> Result<()> {
        let asked = Asked::new("rename container", id.short());
        match self.client.rename_container(id.as_str(), RenameContainerOptions { name: name.to_string() }).await {
            Ok(()) => Ok(()),
            // Docker refuses the name that it has already.
            Err(failure) if error::status(&failure) == Some(400) => match self.inspect(&asked, id.as_str()).await? {
                Some(state) if state.name == *name => Ok(()),
                _ => Err(asked.failed(&failure)),
            },
            Err(failure) => Err(asked.failed(&failure)),
        }
    }

    /// Two requests: what Docker discards of an update shows only in what it says of the container afterwards.
    async fn update_container(&self, id: &ContainerId, update: &ContainerUpdate) -> Result<Vec<Warning>> {
        let asked = Asked::new("update container", id.short());
        let body = encode::update(update).map_err(|wrong| asked.error(ErrorKind::Rejected).caused_by(wrong))?;
        self.client.update_container(id.as_str(), body).await.map_err(|failure| asked.failed(&failure))?;
        let updated = self.inspect(&asked, id.as_str()).await?;
        Ok(updated.map(|updated| discarded(update, &updated, &self.facts)).unwrap_or_default())
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        self.remove(id, false).await
    }

    async fn discard_container(&self, id: &ContainerId) -> Result<()> {
        self.remove(id, true).await
    }

    /// Two requests: what Docker answers to the wait does not say whether memory ran out.
    async fn wait_container(&self, id: &ContainerId) -> Result<ExitStatus> {
        let asked = Asked::new("wait for container", id.short());
        let mut answers = Box::pin(self.client.wait_container(id.as_str(), None::<WaitContainerOptions>));
        let (code, error) = match answers.next().await {
            Some(Ok(answer)) => (answer.status_code, answer.error.and_then(|error| error.message)),
            // An exit status is no failure of the wait.
            Some(Err(Failure::DockerContainerWaitError { code, error })) => (code, Some(error)),
            Some(Err(failure)) => return Err(asked.failed(&failure)),
            None => return Err(asked.error(ErrorKind::Unreachable).because("the connection was closed")),
        };
        // One that removed itself, or cannot be read, has an exit status all the same.
        let ended = self.inspect(&asked, id.as_str()).await.ok().flatten().and_then(|state| state.exit);
        let oom_killed = ended.as_ref().is_some_and(|exit| exit.code == code && exit.oom_killed);
        Ok(ExitStatus { code, oom_killed, error: error.filter(|text| !text.is_empty()) })
    }

    /// Three requests.
    async fn exec(&self, id: &ContainerId, exec: &Exec) -> Result<Output> {
        self.run(id, exec).await
    }

    fn logs(&self, id: &ContainerId, options: LogOptions) -> BoxStream<'static, Result<LogChunk>> {
        let asked = Asked::new("read logs of container", id.short());
        let options = LogsOptions {
            follow: options.follow,
            stdout: true,
            stderr: true,
            tail: options.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
            ..Default::default()
        };
        let (client, id) = (self.client.clone(), id.clone());
        let output = async move { client.logs(id.as_str(), Some(options)) };
        let output = stream::once(output).flatten();
        Box::pin(output.map(move |piece| piece.map(pieces::chunk).map_err(|failure| asked.failed(&failure))))
    }

    async fn image(&self, reference: &ImageRef) -> Result<Option<ImageState>> {
        self.find_image(&reference.to_string()).await
    }

    async fn image_by_id(&self, id: &ImageId) -> Result<Option<ImageState>> {
        self.find_image(&format!("sha256:{id}")).await
    }

    /// One request for the list, and one for each image: a list does not say what an image implies.
    async fn images(&self) -> Result<Vec<ImageState>> {
        let asked = Asked::new("list", "images");
        let listed =
            self.client.list_images(None::<ListImagesOptions>).await.map_err(|failure| asked.failed(&failure))?;
        let looks = stream::iter(listed).map(async |image| self.find_image(&image.id).await);
        // One that is gone meanwhile is not there; one that cannot be read is left out.
        let looks = looks.buffer_unordered(AT_ONCE).filter_map(async |image| match image {
            Err(error) if error.kind() == ErrorKind::Undecodable => None,
            image => image.transpose(),
        });
        looks.try_collect().await
    }

    /// Two requests more where it is pulled only if it is newer: for the digest of what the registry has, and those of what
    /// is here.
    fn pull_image(&self, pull: &ImageToPull) -> BoxStream<'static, Result<PullProgress>> {
        self.pull(pull)
    }

    async fn load_images(&self, archive: Archive) -> Result<Vec<ImageRef>> {
        self.load(archive).await
    }

    async fn tag_image(&self, id: &ImageId, reference: &ImageRef) -> Result<()> {
        let options = TagImageOptions { repo: reference.name(), tag: reference.tag().map(str::to_owned) };
        let tagged = self.client.tag_image(&format!("sha256:{id}"), Some(options)).await;
        tagged.map_err(|failure| Asked::new("tag image", id.short()).failed(&failure))
    }

    async fn remove_image(&self, reference: &ImageRef) -> Result<()> {
        match self.client.remove_image(&reference.to_string(), None::<RemoveImageOptions>, None).await {
            Err(failure) if !error::is_not_found(&failure) => {
                Err(Asked::new("remove image", reference.familiar()).failed(&failure))
            }
            _ => Ok(()),
        }
    }

    async fn volume(&self, name: &VolumeName) -> Result<Option<VolumeState>> {
        match self.client.inspect_volume(name.as_str()).await {
            Ok(volume) => place::volume(volume).map(Some),
            Err(failure) if error::is_not_found(&failure) => Ok(None),
            Err(failure) => Err(Asked::new("inspect volume", name).failed(&failure)),
        }
    }

    async fn create_volume(&self, volume: &VolumeToCreate) -> Result<()> {
        let VolumeToCreate { name, driver, labels, options } = volume;
        let request = VolumeCreateRequest {
            name: Some(name.to_string()),
            driver: Some(driver.clone()),
            labels: Some(encode::text_map(labels)),
            driver_opts: Some(encode::text_map(options)),
            ..Default::default()
        };
        let created = self.client.create_volume(request).await;
        created.map(drop).map_err(|failure| Asked::new("create volume", name).failed(&failure))
    }

    async fn remove_volume(&self, name: &VolumeName) -> Result<()> {
        match self.client.remove_volume(name.as_str(), None::<RemoveVolumeOptions>).await {
            Err(failure) if !error::is_not_found(&failure) => Err(Asked::new("remove volume", name).failed(&failure)),
            _ => Ok(()),
        }
    }

    async fn network(&self, name: &NetworkName) -> Result<Option<NetworkState>> {
        match self.client.inspect_network(name.as_str(), None::<InspectNetworkOptions>).await {
            // Docker takes the beginning of an id for a name, too.
            Ok(network) => place::network(network).map(|network| Some(network).filter(|network| network.name == *name)),
            Err(failure) if error::is_not_found(&failure) => Ok(None),
            Err(failure) => Err(Asked::new("inspect network", name).failed(&failure)),
        }
    }

    /// Two requests: below API 1.44 Docker makes a second network of the same name, unless it is asked first.
    async fn create_network(&self, network: &NetworkToCreate) -> Result<()> {
        let asked = Asked::new("create network", &network.name);
        if self.network(&network.name).await?.is_some() {
            return Err(asked.error(ErrorKind::Conflict).because("a network of that name is there already"));
        }
        let created = self.client.create_network(place::network_to_create(network)).await;
        created.map(drop).map_err(|failure| asked.failed(&failure))
    }

    /// Two requests: Docker takes the beginning of an id for a name, too, and would remove another network.
    async fn remove_network(&self, name: &NetworkName) -> Result<()> {
        let asked = Asked::new("remove network", name);
        let Some(network) = self.network(name).await? else { return Ok(()) };
        match self.client.remove_network(&network.id).await {
            Err(failure) if error::is_not_found(&failure) => Ok(()),
            // That it is in use is a 403.
            Err(failure) if error::text(&failure).contains("has active endpoints") => {
                Err(asked.error(ErrorKind::Conflict).because(error::text(&failure)))
            }
            outcome => outcome.map_err(|failure| asked.failed(&failure)),
        }
    }

    /// Two requests.
    async fn connect_network(&self, name: &NetworkName, id: &ContainerId, endpoint: &Endpoint) -> Result<()> {
        let asked = Asked::new("connect network", name);
        let network = self.known_network(&asked, name).await?;
        let request =
            NetworkConnectRequest { container: id.to_string(), endpoint_config: Some(encode::endpoint(endpoint)) };
        match self.client.connect_network(&network.id, request).await {
            // The same is said of an endpoint that another container has left behind.
            Err(failure) if error::text(&failure).contains("already exists in network") => {
                let there = self.inspect(&asked, id.as_str()).await?;
                let joined = there.and_then(|state| state.config.network.networks);
                let is_in_it = joined.is_some_and(|joined| joined.contains_key(name));
                if is_in_it { Ok(()) } else { Err(asked.error(ErrorKind::Conflict).because(error::text(&failure))) }
            }
            outcome => outcome.map_err(|failure| asked.failed(&failure)),
        }
    }

    /// Two requests.
    async fn disconnect_network(&self, name: &NetworkName, id: &ContainerId) -> Result<()> {
        let asked = Asked::new("disconnect network", name);
        let network = self.known_network(&asked, name).await?;
        let request = NetworkDisconnectRequest { container: id.to_string(), force: None };
        match self.client.disconnect_network(&network.id, request).await {
            Err(failure) if error::text(&failure).contains("is not connected to") => Ok(()),
            outcome => outcome.map_err(|failure| asked.failed(&failure)),
        }
    }
}
