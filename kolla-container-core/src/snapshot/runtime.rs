//! A recorded engine as a [`Runtime`]: reads answer from the recording, and nothing else is possible.

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};

use super::Snapshot;
use crate::error::{Error, ErrorKind, Result};
use crate::image_ref::ImageRef;
use crate::name::{ContainerId, ContainerName, ImageId, NetworkName, VolumeName};
use crate::quantity::TimeSpan;
use crate::runtime::Runtime;
use crate::spec::{ContainerSpec, Endpoint, Signal};
use crate::state::{
    Archive, ContainerFilter, ContainerState, ContainerSummary, ContainerUpdate, Created, EngineFacts, Exec,
    ExitStatus, ImageState, ImageToPull, LogChunk, LogOptions, NetworkState, NetworkToCreate, Output, PullProgress,
    VolumeState, VolumeToCreate, Warning,
};

/// That it cannot be done.
fn refused<T>(operation: &'static str, subject: impl std::fmt::Display) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, operation, subject)
        .because("this is a recorded engine: nothing can be done with it"))
}

#[async_trait]
impl Runtime for Snapshot {
    fn engine(&self) -> &EngineFacts {
        &self.facts
    }

    async fn container(&self, name: &ContainerName) -> Result<Option<ContainerState>> {
        match self.unreadable.iter().find(|unreadable| unreadable.name == *name) {
            Some(unreadable) => Err(unreadable.error.clone()),
            None => Ok(self.containers.iter().find(|container| container.name == *name).cloned()),
        }
    }

    async fn container_by_id(&self, id: &ContainerId) -> Result<Option<ContainerState>> {
        match self.unreadable.iter().find(|unreadable| unreadable.id.as_ref() == Some(id)) {
            Some(unreadable) => Err(unreadable.error.clone()),
            None => Ok(self.containers.iter().find(|container| container.id == *id).cloned()),
        }
    }

    async fn containers(&self, filter: &ContainerFilter) -> Result<Vec<ContainerSummary>> {
        Ok(self.summaries(filter))
    }

    async fn create_container(&self, name: &ContainerName, _spec: &ContainerSpec) -> Result<Created> {
        refused("create container", name)
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        refused("start container", id.short())
    }

    async fn stop_container(&self, id: &ContainerId, _grace: Option<TimeSpan>) -> Result<()> {
        refused("stop container", id.short())
    }

    async fn kill_container(&self, id: &ContainerId, _signal: Signal) -> Result<()> {
        refused("kill container", id.short())
    }

    async fn pause_container(&self, id: &ContainerId) -> Result<()> {
        refused("pause container", id.short())
    }

    async fn unpause_container(&self, id: &ContainerId) -> Result<()> {
        refused("unpause container", id.short())
    }

    async fn restart_container(&self, id: &ContainerId, _grace: Option<TimeSpan>) -> Result<()> {
        refused("restart container", id.short())
    }

    async fn rename_container(&self, id: &ContainerId, _name: &ContainerName) -> Result<()> {
        refused("rename container", id.short())
    }

    async fn update_container(&self, id: &ContainerId, _update: &ContainerUpdate) -> Result<Vec<Warning>> {
        refused("update container", id.short())
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        refused("remove container", id.short())
    }

    async fn discard_container(&self, id: &ContainerId) -> Result<()> {
        refused("discard container", id.short())
    }

    async fn wait_container(&self, id: &ContainerId) -> Result<ExitStatus> {
        refused("wait for container", id.short())
    }

    async fn exec(&self, id: &ContainerId, _exec: &Exec) -> Result<Output> {
        refused("run a command in container", id.short())
    }

    fn logs(&self, id: &ContainerId, _options: LogOptions) -> BoxStream<'static, Result<LogChunk>> {
        stream::iter([refused("read logs of container", id.short())]).boxed()
    }

    async fn image(&self, reference: &ImageRef) -> Result<Option<ImageState>> {
        Ok(self.image_of(reference))
    }

    async fn image_by_id(&self, id: &ImageId) -> Result<Option<ImageState>> {
        Ok(self.images.iter().find(|image| image.id == *id).cloned())
    }

    async fn images(&self) -> Result<Vec<ImageState>> {
        Ok(self.images.clone())
    }

    fn pull_image(&self, pull: &ImageToPull) -> BoxStream<'static, Result<PullProgress>> {
        stream::iter([refused("pull image", pull.image.familiar())]).boxed()
    }

    async fn load_images(&self, _archive: Archive) -> Result<Vec<ImageRef>> {
        refused("load images", "")
    }

    async fn tag_image(&self, id: &ImageId, _reference: &ImageRef) -> Result<()> {
        refused("tag image", id.short())
    }

    async fn remove_image(&self, reference: &ImageRef) -> Result<()> {
        refused("remove image", reference.familiar())
    }

    async fn volume(&self, name: &VolumeName) -> Result<Option<VolumeState>> {
        Ok(self.volumes.get(name).cloned())
    }

    async fn create_volume(&self, volume: &VolumeToCreate) -> Result<()> {
        refused("create volume", &volume.name)
    }

    async fn remove_volume(&self, name: &VolumeName) -> Result<()> {
        refused("remove volume", name)
    }

    async fn network(&self, name: &NetworkName) -> Result<Option<NetworkState>> {
        Ok(self.networks.get(name).cloned())
    }

    async fn create_network(&self, network: &NetworkToCreate) -> Result<()> {
        refused("create network", &network.name)
    }

    async fn remove_network(&self, name: &NetworkName) -> Result<()> {
        refused("remove network", name)
    }

    async fn connect_network(&self, name: &NetworkName, _id: &ContainerId, _endpoint: &Endpoint) -> Result<()> {
        refused("connect network", name)
    }

    async fn disconnect_network(&self, name: &NetworkName, _id: &ContainerId) -> Result<()> {
        refused("disconnect network", name)
    }
}
