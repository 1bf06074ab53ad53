//! The port of core, over the command. Each method is the command of the same name, unless it says otherwise.

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use kolla_container_core::spec::{Endpoint, Signal};
use kolla_container_core::state::{
    Archive, ContainerFilter, ContainerState, ContainerSummary, ContainerUpdate, Created, EngineFacts, Exec,
    ExitStatus, ImageState, ImageToPull, LogChunk, LogOptions, NetworkState, NetworkToCreate, Output, PullProgress,
    Status, VolumeState, VolumeToCreate, Warning,
};
use kolla_container_core::{
    ContainerId, ContainerName, ContainerRef, ContainerSpec, Error, ErrorKind, ImageId, ImageRef, NetworkName, Result,
    Runtime, TimeSpan, VolumeName,
};

use super::arguments::{self, Join};
use super::process::{Printed, lossy};
use super::refusal::Refusal;
use super::words::Words;
use super::{CommandLine, place};

/// What becomes of the anonymous volumes of a container that is removed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Volumes {
    Stay,
    Go,
}

/// The long form of this flag has another name with each version of `docker`.
fn within(grace: Option<TimeSpan>) -> Option<String> {
    grace.map(|grace| format!("-t{}", grace.whole_seconds()))
}

/// A line of what a command says besides doing as it was asked.
fn warning(line: &str) -> Warning {
    Warning { field: None, message: line.trim_start_matches("WARNING: ").to_owned() }
}

fn not_there(what: &str) -> Refusal {
    Refusal::new(ErrorKind::NotFound, format_args!("there is no {what}"))
}

/// What is done with which container.
fn on(command: [&str; 2], id: &ContainerId) -> Words {
    Words::new(command).word(id)
}

/// What is not there need not be removed, or stopped.
fn where_there(done: Result<String, Refusal>) -> Result<(), Refusal> {
    match done {
        Err(refusal) if refusal.kind == ErrorKind::NotFound => Ok(()),
        done => done.map(drop),
    }
}

impl CommandLine {
    /// `docker` makes a container also in a network, or with the namespace of a container, that is not there.
    async fn check_references(&self, spec: &ContainerSpec) -> Result<(), Refusal> {
        for network in spec.network.networks.iter().flat_map(|networks| networks.keys()) {
            if self.inspect_one("network", network.as_str()).await?.is_none() {
                return Err(not_there(&format!("network {network}")));
            }
        }
        for container in spec.references() {
            let container = match container {
                ContainerRef::Name(name) => name.as_str(),
                ContainerRef::Id(id) => id.as_str(),
            };
            if self.inspect_one("container", container).await?.is_none() {
                return Err(not_there(&format!("container {container}")));
            }
        }
        Ok(())
    }

    async fn create(&self, name: &ContainerName, spec: &ContainerSpec) -> Result<Created> {
        let failed = |refusal: Refusal| refusal.into_error("create container", name);
        let creation = arguments::creation(spec, self.facts.kind).map_err(failed)?;
        if !self.is_podman() {
            self.check_references(spec).await.map_err(failed)?;
        }
        let words = Words::new(["container", "create", "--pull=never"]).flag("name", Some(name));
        let printed = self.print(words.words(creation.words.as_slice())).await.map_err(failed)?;
        if !printed.status.success() {
            return Err(failed(Refusal::said(&lossy(&printed.stderr))));
        }
        let strange = |error| failed(Refusal::new(ErrorKind::Undecodable, error));
        let id: ContainerId = lossy(&printed.stdout).trim().parse().map_err(strange)?;
        for Join { network, endpoint } in creation.joins {
            if let Err(error) = self.connect_network(&network, &id, &endpoint).await {
                // It is only half of what was asked for.
                self.discard_container(&id).await?;
                return Err(error);
            }
        }
        Ok(Created { id, warnings: lossy(&printed.stderr).lines().map(warning).collect() })
    }

    async fn remove(&self, id: &ContainerId, volumes: Volumes) -> Result<()> {
        let words = Words::new(["container", "rm", "--force"]).flag("volumes", Some(volumes == Volumes::Go));
        // `podman rm` asks it to stop, and waits, unless told otherwise.
        let removed = self.run(words.words(self.is_podman().then_some("-t0")).word(id)).await;
        match where_there(removed) {
            Err(refusal) if self.remains(id).await? => Err(refusal.into_error("remove container", id.short())),
            _ => Ok(()),
        }
    }

    /// Whether the command could not run a program in a container, and is not the program that failed.
    fn is_refused(&self, printed: &Printed) -> bool {
        let said = |words: &str| printed.stderr.starts_with(words.as_bytes());
        match printed.status.code() {
            Some(125) => self.is_podman(),
            Some(1) => said("Error response from daemon: ") || said("Error: No such container: "),
            code => code.is_none(),
        }
    }
}

#[async_trait]
impl Runtime for CommandLine {
    fn engine(&self) -> &EngineFacts {
        &self.facts
    }

    async fn container(&self, name: &ContainerName) -> Result<Option<ContainerState>> {
        // The beginning of an id is taken for a name, too.
        Ok(self.find_container(name.as_str()).await?.filter(|state| state.name == *name))
    }

    async fn container_by_id(&self, id: &ContainerId) -> Result<Option<ContainerState>> {
        self.find_container(id.as_str()).await
    }

    async fn containers(&self, filter: &ContainerFilter) -> Result<Vec<ContainerSummary>> {
        self.list(filter).await.map_err(|refusal| refusal.into_error("list", "containers"))
    }

    async fn create_container(&self, name: &ContainerName, spec: &ContainerSpec) -> Result<Created> {
        self.create(name, spec).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        match self.run(on(["container", "start"], id)).await {
            Ok(_) => Ok(()),
            Err(_) if self.status(id).await?.is_some_and(|status| status.is_up()) => Ok(()),
            Err(refusal) => Err(self.not_started(id, refusal, "start container").await),
        }
    }

    async fn stop_container(&self, id: &ContainerId, grace: Option<TimeSpan>) -> Result<()> {
        let Some(before) = self.container_by_id(id).await? else { return Ok(()) };
        if self.is_podman() && before.status == Status::Paused {
            // `podman stop` refuses a paused one.
            self.unpause_container(id).await?;
        }
        let words = Words::new(["container", "stop"]).words(within(grace)).word(id);
        where_there(self.run(words).await).map_err(|refusal| refusal.into_error("stop container", id.short()))?;
        if before.status.is_up() && before.config.auto_remove == Some(true) {
            self.wait_until_gone(id).await?;
        }
        Ok(())
    }

    async fn kill_container(&self, id: &ContainerId, signal: Signal) -> Result<()> {
        let words = Words::new(["container", "kill"]).flag("signal", Some(signal)).word(id);
        self.run(words).await.map(drop).map_err(|refusal| refusal.into_error("kill container", id.short()))
    }

    async fn pause_container(&self, id: &ContainerId) -> Result<()> {
        let paused = self.run(on(["container", "pause"], id)).await;
        self.unless(id, paused, "pause container", |status| status == Some(&Status::Paused)).await
    }

    async fn unpause_container(&self, id: &ContainerId) -> Result<()> {
        let unpaused = self.run(on(["container", "unpause"], id)).await;
        let is_fine = |status: Option<&Status>| status.is_some_and(|status| *status != Status::Paused);
        self.unless(id, unpaused, "unpause container", is_fine).await
    }

    async fn restart_container(&self, id: &ContainerId, grace: Option<TimeSpan>) -> Result<()> {
        let words = Words::new(["container", "restart"]).words(within(grace)).word(id);
        match self.run(words).await {
            Ok(_) => Ok(()),
            Err(refusal) => Err(self.not_started(id, refusal, "restart container").await),
        }
    }

    async fn rename_container(&self, id: &ContainerId, name: &ContainerName) -> Result<()> {
        match self.run(on(["container", "rename"], id).word(name)).await {
            Ok(_) => Ok(()),
            // The name that it has already is refused.
            Err(refusal) => match self.find_container(id.as_str()).await? {
                Some(state) if state.name == *name => Ok(()),
                _ => Err(refusal.into_error("rename container", id.short())),
            },
        }
    }

    /// What the command prints besides the container is what the engine did not do.
    async fn update_container(&self, id: &ContainerId, update: &ContainerUpdate) -> Result<Vec<Warning>> {
        let failed = |refusal: Refusal| refusal.into_error("update container", id.short());
        let words = arguments::update(update, self.facts.kind).map_err(failed)?;
        if words.as_slice().is_empty() {
            // The command refuses to change nothing.
            let there = self.container_by_id(id).await?;
            return there.map(|_| Vec::new()).ok_or_else(|| failed(not_there("such container")));
        }
        let printed = self.run(Words::new(["container", "update"]).words(words.as_slice()).word(id)).await;
        Ok(printed.map_err(failed)?.lines().filter(|line| *line != id.as_str()).map(warning).collect())
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        self.remove(id, Volumes::Stay).await
    }

    async fn discard_container(&self, id: &ContainerId) -> Result<()> {
        self.remove(id, Volumes::Go).await
    }

    /// The command answers nothing but the exit status.
    async fn wait_container(&self, id: &ContainerId) -> Result<ExitStatus> {
        let failed = |refusal: Refusal| refusal.into_error("wait for container", id.short());
        let printed = self.run(on(["container", "wait"], id)).await.map_err(failed)?;
        let strange = |error| failed(Refusal::new(ErrorKind::Undecodable, error));
        let code = printed.trim().parse().map_err(strange)?;
        let exit = self.container_by_id(id).await?.and_then(|state| state.exit).filter(|exit| exit.code == code);
        Ok(exit.unwrap_or(ExitStatus { code, oom_killed: false, error: None }))
    }

    /// The exit status of the command is that of the program, also where it says itself what is wrong.
    async fn exec(&self, id: &ContainerId, exec: &Exec) -> Result<Output> {
        let words = Words::new(["exec"]).flag("user", exec.user.as_ref()).word(id).words(exec.command.argv());
        let failed = |refusal: Refusal| refusal.into_error("run a command in container", id.short());
        let printed = self.print(words).await.map_err(failed)?;
        match printed.status.code() {
            Some(code) if !self.is_refused(&printed) => {
                Ok(Output { code: code.into(), stdout: printed.stdout, stderr: printed.stderr })
            }
            _ => Err(failed(Refusal::said(&lossy(&printed.stderr)))),
        }
    }

    /// Looks first: the command says on standard error, as if the container had, that there is none.
    fn logs(&self, id: &ContainerId, options: LogOptions) -> BoxStream<'static, Result<LogChunk>> {
        let LogOptions { follow, tail } = options;
        let words = Words::new(["container", "logs"]).flag("follow", Some(follow)).flag("tail", tail).word(id);
        let (command, id) = (self.clone(), id.clone());
        let subject = id.short().to_owned();
        let printed = async move {
            match command.inspect_one("container", id.as_str()).await? {
                Some(_) => Ok(command.follow(&words)),
                None => Err(not_there("such container")),
            }
        };
        let printed = stream::once(printed).try_flatten();
        printed.map_err(move |refusal| refusal.into_error("read logs of container", &subject)).boxed()
    }

    async fn image(&self, reference: &ImageRef) -> Result<Option<ImageState>> {
        self.find_image(&reference.to_string()).await
    }

    async fn image_by_id(&self, id: &ImageId) -> Result<Option<ImageState>> {
        self.find_image(&format!("sha256:{id}")).await
    }

    async fn images(&self) -> Result<Vec<ImageState>> {
        self.list_images().await.map_err(|refusal| refusal.into_error("list", "images"))
    }

    /// A line that the command prints is a piece of progress.
    fn pull_image(&self, pull: &ImageToPull) -> BoxStream<'static, Result<PullProgress>> {
        let words = Words::new(["image", "pull"]).flag("platform", pull.platform.as_ref()).word(&pull.image);
        let (command, pull) = (self.clone(), pull.clone());
        let pulled = async move {
            let printed = command.run(words).await;
            let failed = |refusal: Refusal| match refusal.kind {
                ErrorKind::Unreachable => refusal.into_error("pull image", pull.image.familiar()),
                _ => pull.failed(refusal.text()).into_error(&pull),
            };
            let printed = printed.map_err(failed)?;
            let progress =
                |status: &str| PullProgress { layer: None, status: status.to_owned(), current: None, total: None };
            let lines: Vec<Result<PullProgress>> = printed.lines().map(progress).map(Ok).collect();
            Ok::<_, Error>(stream::iter(lines))
        };
        stream::once(pulled).try_flatten().boxed()
    }

    async fn load_images(&self, _archive: Archive) -> Result<Vec<ImageRef>> {
        let why = "the commands are not used to load archives";
        Err(Error::new(ErrorKind::Unsupported, "load images", "").because(why))
    }

    async fn tag_image(&self, id: &ImageId, reference: &ImageRef) -> Result<()> {
        let tagged = self.run(Words::new(["image", "tag"]).word(format!("sha256:{id}")).word(reference)).await;
        tagged.map(drop).map_err(|refusal| refusal.into_error("tag image", id.short()))
    }

    async fn remove_image(&self, reference: &ImageRef) -> Result<()> {
        let removed = self.run(Words::new(["image", "rm"]).word(reference)).await;
        where_there(removed).map_err(|refusal| refusal.into_error("remove image", reference.familiar()))
    }

    async fn volume(&self, name: &VolumeName) -> Result<Option<VolumeState>> {
        let found = self.inspect_one("volume", name.as_str()).await;
        let found = found.map_err(|refusal| refusal.into_error("inspect volume", name))?;
        found.as_ref().map(place::volume).transpose()
    }

    async fn create_volume(&self, volume: &VolumeToCreate) -> Result<()> {
        let Err(refusal) = self.run(place::volume_to_create(volume)).await else { return Ok(()) };
        // `podman volume create` refuses a name that is taken.
        let there = self.volume(&volume.name).await?;
        let is_there = there.is_some_and(|there| there.driver == volume.driver);
        if is_there { Ok(()) } else { Err(refusal.into_error("create volume", &volume.name)) }
    }

    async fn remove_volume(&self, name: &VolumeName) -> Result<()> {
        let removed = self.run(Words::new(["volume", "rm"]).word(name)).await;
        where_there(removed).map_err(|refusal| refusal.into_error("remove volume", name))
    }

    async fn network(&self, name: &NetworkName) -> Result<Option<NetworkState>> {
        let found = self.inspect_one("network", name.as_str()).await;
        let found = found.map_err(|refusal| refusal.into_error("inspect network", name))?;
        let found = found.map(|document| place::network(&document, self.facts.kind)).transpose()?;
        // The beginning of an id is taken for a name, too.
        Ok(found.filter(|network| network.name == *name))
    }

    async fn create_network(&self, network: &NetworkToCreate) -> Result<()> {
        let created = self.run(place::network_to_create(network)).await;
        created.map(drop).map_err(|refusal| refusal.into_error("create network", &network.name))
    }

    async fn remove_network(&self, name: &NetworkName) -> Result<()> {
        let removed = self.run(Words::new(["network", "rm"]).word(name)).await;
        where_there(removed).map_err(|refusal| refusal.into_error("remove network", name))
    }

    async fn connect_network(&self, name: &NetworkName, id: &ContainerId, endpoint: &Endpoint) -> Result<()> {
        let failed = |refusal: Refusal| refusal.into_error("connect network", name);
        let options = arguments::joining(endpoint, self.facts.kind).map_err(failed)?;
        let words = Words::new(["network", "connect"]).words(options.as_slice()).word(name).word(id);
        match self.run(words).await {
            Ok(_) => Ok(()),
            Err(refusal) => {
                let there = self.container_by_id(id).await?;
                let joined = there.and_then(|state| state.config.network.networks);
                let is_in_it = joined.is_some_and(|joined| joined.contains_key(name));
                if is_in_it { Ok(()) } else { Err(failed(refusal)) }
            }
        }
    }

    async fn disconnect_network(&self, name: &NetworkName, id: &ContainerId) -> Result<()> {
        match self.run(Words::new(["network", "disconnect"]).word(name).word(id)).await {
            Ok(_) => Ok(()),
            Err(refusal) if refusal.said_that("is not connected to") => Ok(()),
            Err(refusal) => Err(refusal.into_error("disconnect network", name)),
        }
    }
}
