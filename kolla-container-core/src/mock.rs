//! Mocks of the two ports, for the tests of programs that use this crate; needs the feature `mock`.
//!
//! Most tests are better off with [`memory`](crate::memory), whose engine behaves; a mock is for the one
//! answer that a well-behaved engine never gives. Expectations are those of [`mockall`]; `engine()` answers
//! a reference, so its expectation takes the facts by value: `expect_engine().return_const(facts)`.
//!
//! ```
//! use kolla_container_core::mock::MockRuntime;
//! use kolla_container_core::{Error, ErrorKind, Runtime};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let mut runtime = MockRuntime::new();
//! runtime
//!     .expect_container()
//!     .withf(|name| name.as_str() == "db")
//!     .returning(|name| Err(Error::new(ErrorKind::Undecodable, "inspect container", name)));
//!
//! let error = runtime.container(&"db".parse().unwrap()).await.unwrap_err();
//!
//! assert_eq!(error.kind(), ErrorKind::Undecodable);
//! # }
//! ```

use std::fmt;

use async_trait::async_trait;
use futures_core::stream::BoxStream;

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
use crate::supervisor::{Service, Supervisor, UnitState};

mockall::mock! {
    /// A mock of [`Runtime`]: every method answers what the test says, and panics where it says nothing.
    pub Runtime {}

    #[async_trait]
    impl Runtime for Runtime {
        fn engine(&self) -> &EngineFacts;
        async fn container(&self, name: &ContainerName) -> Result<Option<ContainerState>>;
        async fn container_by_id(&self, id: &ContainerId) -> Result<Option<ContainerState>>;
        async fn containers(&self, filter: &ContainerFilter) -> Result<Vec<ContainerSummary>>;
        async fn create_container(&self, name: &ContainerName, spec: &ContainerSpec) -> Result<Created>;
        async fn start_container(&self, id: &ContainerId) -> Result<()>;
        async fn stop_container(&self, id: &ContainerId, grace: Option<TimeSpan>) -> Result<()>;
        async fn kill_container(&self, id: &ContainerId, signal: Signal) -> Result<()>;
        async fn pause_container(&self, id: &ContainerId) -> Result<()>;
        async fn unpause_container(&self, id: &ContainerId) -> Result<()>;
        async fn restart_container(&self, id: &ContainerId, grace: Option<TimeSpan>) -> Result<()>;
        async fn rename_container(&self, id: &ContainerId, name: &ContainerName) -> Result<()>;
        async fn update_container(&self, id: &ContainerId, update: &ContainerUpdate) -> Result<Vec<Warning>>;
        async fn remove_container(&self, id: &ContainerId) -> Result<()>;
        async fn discard_container(&self, id: &ContainerId) -> Result<()>;
        async fn wait_container(&self, id: &ContainerId) -> Result<ExitStatus>;
        async fn exec(&self, id: &ContainerId, exec: &Exec) -> Result<Output>;
        fn logs(&self, id: &ContainerId, options: LogOptions) -> BoxStream<'static, Result<LogChunk>>;
        async fn image(&self, reference: &ImageRef) -> Result<Option<ImageState>>;
        async fn image_by_id(&self, id: &ImageId) -> Result<Option<ImageState>>;
        async fn images(&self) -> Result<Vec<ImageState>>;
        fn pull_image(&self, pull: &ImageToPull) -> BoxStream<'static, Result<PullProgress>>;
        async fn load_images(&self, archive: Archive) -> Result<Vec<ImageRef>>;
        async fn tag_image(&self, id: &ImageId, reference: &ImageRef) -> Result<()>;
        async fn remove_image(&self, reference: &ImageRef) -> Result<()>;
        async fn volume(&self, name: &VolumeName) -> Result<Option<VolumeState>>;
        async fn create_volume(&self, volume: &VolumeToCreate) -> Result<()>;
        async fn remove_volume(&self, name: &VolumeName) -> Result<()>;
        async fn network(&self, name: &NetworkName) -> Result<Option<NetworkState>>;
        async fn create_network(&self, network: &NetworkToCreate) -> Result<()>;
        async fn remove_network(&self, name: &NetworkName) -> Result<()>;
        async fn connect_network(&self, name: &NetworkName, id: &ContainerId, endpoint: &Endpoint) -> Result<()>;
        async fn disconnect_network(&self, name: &NetworkName, id: &ContainerId) -> Result<()>;
    }
}

impl fmt::Debug for MockRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockRuntime")
    }
}

mockall::mock! {
    /// A mock of [`Supervisor`]: every method answers what the test says, and panics where it says nothing.
    pub Supervisor {}

    #[async_trait]
    impl Supervisor for Supervisor {
        fn render(&self, service: &Service) -> String;
        fn starts_otherwise(&self, there: &str, wanted: &str) -> bool;
        async fn unit(&self, name: &ContainerName) -> Result<Option<UnitState>>;
        async fn install(&self, name: &ContainerName, text: &str) -> Result<()>;
        async fn remove(&self, name: &ContainerName) -> Result<()>;
        async fn start(&self, name: &ContainerName) -> Result<()>;
        async fn stop(&self, name: &ContainerName) -> Result<()>;
        async fn restart(&self, name: &ContainerName) -> Result<()>;
    }
}

impl fmt::Debug for MockSupervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MockSupervisor")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::{StreamExt, stream};

    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::memory::MemoryEngine;
    use crate::state::EngineKind;

    #[tokio::test]
    async fn a_mock_answers_what_the_test_says() {
        let mut mock = MockRuntime::new();
        mock.expect_engine().return_const(MemoryEngine::new().engine().clone());
        mock.expect_start_container()
            .times(1)
            .returning(|id| Err(Error::new(ErrorKind::EngineFailed, "start container", id.short())));
        mock.expect_pull_image().returning(|_| stream::empty().boxed());
        let runtime: Arc<dyn Runtime> = Arc::new(mock);

        assert_eq!(runtime.engine().kind, EngineKind::Memory);
        assert!(runtime.start_container(&"ab".repeat(32).parse().unwrap()).await.is_err());
        assert!(runtime.pull_image(&ImageToPull::new("nginx".parse().unwrap())).next().await.is_none());
    }

    #[tokio::test]
    async fn a_supervisor_is_mocked_too() {
        let mut mock = MockSupervisor::new();
        mock.expect_unit().returning(|_| Ok(None));
        let supervisor: Arc<dyn Supervisor> = Arc::new(mock);

        assert!(supervisor.unit(&"db".parse().unwrap()).await.unwrap().is_none());
    }
}
