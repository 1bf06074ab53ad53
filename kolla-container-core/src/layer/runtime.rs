//! [`Layered`] as an engine: every method once, through the layer.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, stream};

use super::{Call, Layer, Layered, Pace};
use crate::error::Result;
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

/// How long engines wait before they kill, unless told otherwise.
const GRACE: Duration = Duration::from_secs(10);

pub(super) fn grace(stated: Option<TimeSpan>) -> Pace {
    Pace::Grace(stated.map_or(GRACE, TimeSpan::as_duration))
}

/// Where a stream is.
enum At<T, O> {
    Start(O),
    Open(BoxStream<'static, Result<T>>),
    End,
}

/// The stream that `open` makes, which it does inside the call: a layer may keep it from doing so.
fn pieces<L: Layer, T: Send + 'static>(
    layer: Arc<L>,
    call: Call,
    open: impl FnOnce() -> BoxStream<'static, Result<T>> + Send + 'static,
) -> BoxStream<'static, Result<T>> {
    stream::unfold((layer, call, At::Start(open)), |(layer, call, at)| async move {
        let (answer, stream) = match at {
            At::Start(open) => {
                let mut opened = None;
                let first = Box::pin(async { opened.insert(open()).next().await.transpose() });
                (layer.call(&call, first).await, opened)
            }
            At::Open(mut stream) => {
                let next = Box::pin(async { stream.next().await.transpose() });
                (layer.item(&call, next).await, Some(stream))
            }
            At::End => return None,
        };
        let at = match (&answer, stream) {
            (Ok(_), Some(stream)) => At::Open(stream),
            _ => At::End,
        };
        answer.transpose().map(|item| (item, (layer, call, at)))
    })
    .boxed()
}

#[async_trait]
impl<L: Layer, P: Runtime + ?Sized> Runtime for Layered<L, P> {
    fn engine(&self) -> &EngineFacts {
        self.inner.engine()
    }

    async fn container(&self, name: &ContainerName) -> Result<Option<ContainerState>> {
        let call = Call::read("container", "inspect container", name);
        self.layer.call(&call, self.inner.container(name)).await
    }

    async fn container_by_id(&self, id: &ContainerId) -> Result<Option<ContainerState>> {
        let call = Call::read("container_by_id", "inspect container", id.short());
        self.layer.call(&call, self.inner.container_by_id(id)).await
    }

    async fn containers(&self, filter: &ContainerFilter) -> Result<Vec<ContainerSummary>> {
        let call = Call::read("containers", "list containers", "");
        self.layer.call(&call, self.inner.containers(filter)).await
    }

    async fn create_container(&self, name: &ContainerName, spec: &ContainerSpec) -> Result<Created> {
        let call = Call::write("create_container", "create container", name);
        self.layer.call(&call, self.inner.create_container(name, spec)).await
    }

    async fn start_container(&self, id: &ContainerId) -> Result<()> {
        let call = Call::write("start_container", "start container", id.short());
        self.layer.call(&call, self.inner.start_container(id)).await
    }

    async fn stop_container(&self, id: &ContainerId, stated: Option<TimeSpan>) -> Result<()> {
        let call = Call::write("stop_container", "stop container", id.short()).at(grace(stated));
        self.layer.call(&call, self.inner.stop_container(id, stated)).await
    }

    async fn kill_container(&self, id: &ContainerId, signal: Signal) -> Result<()> {
        let call = Call::write("kill_container", "kill container", id.short());
        self.layer.call(&call, self.inner.kill_container(id, signal)).await
    }

    async fn pause_container(&self, id: &ContainerId) -> Result<()> {
        let call = Call::write("pause_container", "pause container", id.short());
        self.layer.call(&call, self.inner.pause_container(id)).await
    }

    async fn unpause_container(&self, id: &ContainerId) -> Result<()> {
        let call = Call::write("unpause_container", "unpause container", id.short());
        self.layer.call(&call, self.inner.unpause_container(id)).await
    }

    async fn restart_container(&self, id: &ContainerId, stated: Option<TimeSpan>) -> Result<()> {
        let call = Call::write("restart_container", "restart container", id.short()).at(grace(stated));
        self.layer.call(&call, self.inner.restart_container(id, stated)).await
    }

    async fn rename_container(&self, id: &ContainerId, name: &ContainerName) -> Result<()> {
        let call = Call::write("rename_container", "rename container", id.short());
        self.layer.call(&call, self.inner.rename_container(id, name)).await
    }

    async fn update_container(&self, id: &ContainerId, update: &ContainerUpdate) -> Result<Vec<Warning>> {
        let call = Call::write("update_container", "update container", id.short());
        self.layer.call(&call, self.inner.update_container(id, update)).await
    }

    async fn remove_container(&self, id: &ContainerId) -> Result<()> {
        let call = Call::write("remove_container", "remove container", id.short());
        self.layer.call(&call, self.inner.remove_container(id)).await
    }

    async fn discard_container(&self, id: &ContainerId) -> Result<()> {
        let call = Call::write("discard_container", "discard container", id.short());
        self.layer.call(&call, self.inner.discard_container(id)).await
    }

    async fn wait_container(&self, id: &ContainerId) -> Result<ExitStatus> {
        let call = Call::read("wait_container", "wait for container", id.short()).at(Pace::Endless);
        self.layer.call(&call, self.inner.wait_container(id)).await
    }

    async fn exec(&self, id: &ContainerId, exec: &Exec) -> Result<Output> {
        let call = Call::read("exec", "run a command in container", id.short());
        self.layer.call(&call, self.inner.exec(id, exec)).await
    }

    fn logs(&self, id: &ContainerId, options: LogOptions) -> BoxStream<'static, Result<LogChunk>> {
        let call = Call::read("logs", "read logs of container", id.short()).at(Pace::Endless);
        let (inner, id) = (Arc::clone(&self.inner), id.clone());
        pieces(Arc::clone(&self.layer), call, move || inner.logs(&id, options))
    }

    async fn image(&self, reference: &ImageRef) -> Result<Option<ImageState>> {
        let call = Call::read("image", "inspect image", reference.familiar());
        self.layer.call(&call, self.inner.image(reference)).await
    }

    async fn image_by_id(&self, id: &ImageId) -> Result<Option<ImageState>> {
        let call = Call::read("image_by_id", "inspect image", id.short());
        self.layer.call(&call, self.inner.image_by_id(id)).await
    }

    async fn images(&self) -> Result<Vec<ImageState>> {
        let call = Call::read("images", "list images", "");
        self.layer.call(&call, self.inner.images()).await
    }

    fn pull_image(&self, pull: &ImageToPull) -> BoxStream<'static, Result<PullProgress>> {
        let call = Call::write("pull_image", "pull image", pull.image.familiar());
        let (inner, pull) = (Arc::clone(&self.inner), pull.clone());
        pieces(Arc::clone(&self.layer), call, move || inner.pull_image(&pull))
    }

    async fn load_images(&self, archive: Archive) -> Result<Vec<ImageRef>> {
        let call = Call::write("load_images", "load images", "").at(Pace::Endless);
        self.layer.call(&call, self.inner.load_images(archive)).await
    }

    async fn tag_image(&self, id: &ImageId, reference: &ImageRef) -> Result<()> {
        let call = Call::write("tag_image", "tag image", reference.familiar());
        self.layer.call(&call, self.inner.tag_image(id, reference)).await
    }

    async fn remove_image(&self, reference: &ImageRef) -> Result<()> {
        let call = Call::write("remove_image", "remove image", reference.familiar());
        self.layer.call(&call, self.inner.remove_image(reference)).await
    }

    async fn volume(&self, name: &VolumeName) -> Result<Option<VolumeState>> {
        let call = Call::read("volume", "inspect volume", name);
        self.layer.call(&call, self.inner.volume(name)).await
    }

    async fn create_volume(&self, volume: &VolumeToCreate) -> Result<()> {
        let call = Call::write("create_volume", "create volume", &volume.name);
        self.layer.call(&call, self.inner.create_volume(volume)).await
    }

    async fn remove_volume(&self, name: &VolumeName) -> Result<()> {
        let call = Call::write("remove_volume", "remove volume", name);
        self.layer.call(&call, self.inner.remove_volume(name)).await
    }

    async fn network(&self, name: &NetworkName) -> Result<Option<NetworkState>> {
        let call = Call::read("network", "inspect network", name);
        self.layer.call(&call, self.inner.network(name)).await
    }

    async fn create_network(&self, network: &NetworkToCreate) -> Result<()> {
        let call = Call::write("create_network", "create network", &network.name);
        self.layer.call(&call, self.inner.create_network(network)).await
    }

    async fn remove_network(&self, name: &NetworkName) -> Result<()> {
        let call = Call::write("remove_network", "remove network", name);
        self.layer.call(&call, self.inner.remove_network(name)).await
    }

    async fn connect_network(&self, name: &NetworkName, id: &ContainerId, endpoint: &Endpoint) -> Result<()> {
        let call = Call::write("connect_network", "connect network", name);
        self.layer.call(&call, self.inner.connect_network(name, id, endpoint)).await
    }

    async fn disconnect_network(&self, name: &NetworkName, id: &ContainerId) -> Result<()> {
        let call = Call::write("disconnect_network", "disconnect network", name);
        self.layer.call(&call, self.inner.disconnect_network(name, id)).await
    }
}
