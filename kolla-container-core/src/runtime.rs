//! PORT: what core asks of a container engine.

use std::fmt;

use async_trait::async_trait;
use futures_core::stream::BoxStream;

use crate::error::Result;
use crate::image_ref::ImageRef;
use crate::name::{ContainerId, ContainerName, ImageId, NetworkName, VolumeName};
use crate::quantity::TimeSpan;
use crate::spec::{ContainerSpec, Endpoint, Signal};
use crate::state::{
    Archive, ContainerFilter, ContainerState, ContainerSummary, ContainerUpdate, Created, EngineFacts, Exec,
    ExitStatus, ImageState, ImageToPull, LogChunk, LogOptions, NetworkState, NetworkToCreate, Output, PullProgress,
    VolumeState, VolumeToCreate, Warning,
};

/// A container engine, in the fewest words: the contract with those who write a backend.
///
/// Users call [`Reconciler`](crate::Reconciler). A backend translates and decides nothing.
///
/// - Reads take a name (or an id) and answer `None` for "not there"; they can be dropped at any time.
/// - Creating takes a name, and is a [`Conflict`](crate::ErrorKind::Conflict) when it is taken.
/// - Every other write on a container takes the id of an observation and is idempotent: stopping what
///   is stopped and removing what is gone succeed. On an id that is not there, all but `remove` and
///   `stop` are [`NotFound`](crate::ErrorKind::NotFound).
/// - A method does one thing and has no deadline of its own: see [`layer::deadline`](crate::layer).
#[async_trait]
pub trait Runtime: fmt::Debug + Send + Sync + 'static {
    /// What is known of the engine, found out when the connection was made.
    fn engine(&self) -> &EngineFacts;

    /// The container of that name.
    async fn container(&self, name: &ContainerName) -> Result<Option<ContainerState>>;

    /// The container of that id.
    async fn container_by_id(&self, id: &ContainerId) -> Result<Option<ContainerState>>;

    /// Containers in every state, one line each; an entry that cannot be read is left out.
    async fn containers(&self, filter: &ContainerFilter) -> Result<Vec<ContainerSummary>>;

    /// Makes a container without starting it; also joins it to each of its networks, and leaves nothing
    /// behind when any of that fails. The image must be there: nothing is pulled.
    async fn create_container(&self, name: &ContainerName, spec: &ContainerSpec) -> Result<Created>;

    /// Starts it; a paused one stays paused, a running one runs on.
    async fn start_container(&self, id: &ContainerId) -> Result<()>;

    /// Asks it to stop with its stop signal, and kills it after `grace` (its own stop timeout unless
    /// stated). A paused one is stopped too. One that removes itself is gone, and its name free, when this answers.
    async fn stop_container(&self, id: &ContainerId, grace: Option<TimeSpan>) -> Result<()>;

    /// Sends a signal; a [`Conflict`](crate::ErrorKind::Conflict) when it does not run.
    async fn kill_container(&self, id: &ContainerId, signal: Signal) -> Result<()>;

    /// Freezes it; a [`Conflict`](crate::ErrorKind::Conflict) when it does not run.
    async fn pause_container(&self, id: &ContainerId) -> Result<()>;

    /// Lets it go on; one that is not paused stays as it is.
    async fn unpause_container(&self, id: &ContainerId) -> Result<()>;

    /// Stops it as [`stop_container`](Self::stop_container) does, and starts it.
    async fn restart_container(&self, id: &ContainerId, grace: Option<TimeSpan>) -> Result<()>;

    /// Gives it another name, running or not; its own name is fine. A
    /// [`Conflict`](crate::ErrorKind::Conflict) when another container has that name.
    async fn rename_container(&self, id: &ContainerId, name: &ContainerName) -> Result<()>;

    /// Changes limits and restart policy in place; answers what the engine did not do.
    async fn update_container(&self, id: &ContainerId, update: &ContainerUpdate) -> Result<Vec<Warning>>;

    /// Removes it, killing it where it runs, and waits until it is gone. Its volumes stay, the
    /// anonymous ones too. An engine may refuse that with a [`Conflict`](crate::ErrorKind::Conflict) as long as others are
    /// there that have joined its namespaces.
    async fn remove_container(&self, id: &ContainerId) -> Result<()>;

    /// Removes one that was made in vain as [`remove_container`](Self::remove_container) does, and with it the anonymous
    /// volumes that were made for it, so that nothing is left of it at any moment. Volumes that it has mounted by their
    /// names stay, also where an engine made those names up.
    async fn discard_container(&self, id: &ContainerId) -> Result<()>;

    /// Waits until it does not run; answers at once when it does not.
    async fn wait_container(&self, id: &ContainerId) -> Result<ExitStatus>;

    /// Runs a command in it and waits for its end; a [`Conflict`](crate::ErrorKind::Conflict) when the
    /// container does not run, or is paused.
    async fn exec(&self, id: &ContainerId, exec: &Exec) -> Result<Output>;

    /// Its output so far, or until it ends.
    fn logs(&self, id: &ContainerId, options: LogOptions) -> BoxStream<'static, Result<LogChunk>>;

    /// The image of that name.
    async fn image(&self, reference: &ImageRef) -> Result<Option<ImageState>>;

    /// The image of that id.
    async fn image_by_id(&self, id: &ImageId) -> Result<Option<ImageState>>;

    /// All images.
    async fn images(&self) -> Result<Vec<ImageState>>;

    /// Pulls an image; the stream ends when it is there, or with an error whose cause is a
    /// [`PullError`](crate::state::PullError) where the registry or the way to it has failed. Dropping the stream ends the
    /// pull.
    fn pull_image(&self, pull: &ImageToPull) -> BoxStream<'static, Result<PullProgress>>;

    /// Puts the images of an archive (that of `docker save`, or of `podman save`) into the engine; answers their names, or
    /// their ids where they have none. An archive that cannot be read is [`Rejected`](crate::ErrorKind::Rejected).
    async fn load_images(&self, archive: Archive) -> Result<Vec<ImageRef>>;

    /// Gives an image one more name.
    async fn tag_image(&self, id: &ImageId, reference: &ImageRef) -> Result<()>;

    /// Takes a name from an image, and removes the image with its last name; fine when it is not there, a
    /// [`Conflict`](crate::ErrorKind::Conflict) when a container was made from it.
    async fn remove_image(&self, reference: &ImageRef) -> Result<()>;

    /// The volume of that name.
    async fn volume(&self, name: &VolumeName) -> Result<Option<VolumeState>>;

    /// Makes a volume; fine when one of that name and driver is there.
    async fn create_volume(&self, volume: &VolumeToCreate) -> Result<()>;

    /// Removes a volume; fine when it is not there, a [`Conflict`](crate::ErrorKind::Conflict) when a
    /// container has it mounted.
    async fn remove_volume(&self, name: &VolumeName) -> Result<()>;

    /// The network of that name.
    async fn network(&self, name: &NetworkName) -> Result<Option<NetworkState>>;

    /// Makes a network; a [`Conflict`](crate::ErrorKind::Conflict) when one of that name is there.
    async fn create_network(&self, network: &NetworkToCreate) -> Result<()>;

    /// Removes a network; fine when it is not there, a [`Conflict`](crate::ErrorKind::Conflict) when a
    /// container is in it.
    async fn remove_network(&self, name: &NetworkName) -> Result<()>;

    /// Joins a container to a network; fine when it is in it.
    async fn connect_network(&self, name: &NetworkName, id: &ContainerId, endpoint: &Endpoint) -> Result<()>;

    /// Takes a container out of a network; fine when it is not in it, [`NotFound`](crate::ErrorKind::NotFound)
    /// when there is no such network.
    async fn disconnect_network(&self, name: &NetworkName, id: &ContainerId) -> Result<()>;
}
