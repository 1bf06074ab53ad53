//! [`Layered`] as a supervisor: every method once, through the layer.

use async_trait::async_trait;

use super::{Call, Layer, Layered, runtime};
use crate::error::Result;
use crate::name::ContainerName;
use crate::supervisor::{Service, Supervisor, UnitState};

#[async_trait]
impl<L: Layer, P: Supervisor + ?Sized> Supervisor for Layered<L, P> {
    fn render(&self, service: &Service) -> String {
        self.inner.render(service)
    }

    fn starts_otherwise(&self, there: &str, wanted: &str) -> bool {
        self.inner.starts_otherwise(there, wanted)
    }

    async fn unit(&self, name: &ContainerName) -> Result<Option<UnitState>> {
        let call = Call::read("unit", "inspect unit", name);
        self.layer.call(&call, self.inner.unit(name)).await
    }

    async fn install(&self, name: &ContainerName, text: &str) -> Result<()> {
        let call = Call::write("install", "install unit", name);
        self.layer.call(&call, self.inner.install(name, text)).await
    }

    async fn remove(&self, name: &ContainerName) -> Result<()> {
        let call = Call::write("remove", "remove unit", name);
        self.layer.call(&call, self.inner.remove(name)).await
    }

    async fn start(&self, name: &ContainerName) -> Result<()> {
        let call = Call::write("start", "start unit", name);
        self.layer.call(&call, self.inner.start(name)).await
    }

    async fn stop(&self, name: &ContainerName) -> Result<()> {
        let call = Call::write("stop", "stop unit", name).at(runtime::grace(None));
        self.layer.call(&call, self.inner.stop(name)).await
    }

    async fn restart(&self, name: &ContainerName) -> Result<()> {
        let call = Call::write("restart", "restart unit", name).at(runtime::grace(None));
        self.layer.call(&call, self.inner.restart(name)).await
    }
}
