//! Who does what is asked for.

use std::path::PathBuf;
use std::sync::Arc;

use examples::engine;
use kolla_container_core::images::PullPolicy;
use kolla_container_core::{Error, Runtime, Supervisor};
use kolla_container_systemd::{Config, Dialect, Systemd};

use crate::answer::Answer;
use crate::call::{Action, Call, ContainerCall};
use crate::container::Container;
use crate::failure::Failure;
use crate::{connect, facts, image, volume};

/// Says where units are, where that is not `/etc/systemd/system`.
const UNIT_FOLDER: &str = "KOLLA_CONTAINER_UNIT_FOLDER";

/// Does what is asked for. What is secret is not in the answer, but in facts: who asks for these asks for all.
pub(crate) async fn act(call: &Call) -> Answer {
    match call {
        Call::Facts(call) => facts::gather(call).await.unwrap_or_else(Answer::from),
        Call::Container(call) => on_engine(call).await.unwrap_or_else(Answer::from).without(&call.secrets),
    }
}

async fn on_engine(call: &ContainerCall) -> Result<Answer, Failure> {
    let runtime = connect::choice(call.engine())?.connect().await?;
    let images = image::manager(call, &runtime);
    let container =
        async || Container::new(call, Arc::clone(&runtime), images.clone(), supervisor(call, &runtime).await?);
    match call.action {
        Action::EnsureImage => image::pull(call, &images, PullPolicy::Missing).await,
        Action::PullImage => image::pull(call, &images, PullPolicy::Always).await,
        Action::RemoveImage => image::remove(call, &images).await,
        Action::CompareImage => image::compare(call, runtime.as_ref()).await,
        Action::CreateVolume => volume::create(call, runtime.as_ref()).await,
        Action::RemoveVolume => volume::remove(call, runtime.as_ref()).await,
        Action::CompareContainer => container().await?.compare().await,
        Action::StartContainer => container().await?.start().await,
        Action::RecreateOrRestartContainer => container().await?.recreate_or_restart().await,
        Action::RestartContainer => container().await?.restart().await,
        Action::StopContainer => container().await?.stop().await,
        Action::RemoveContainer | Action::StopAndRemoveContainer => container().await?.remove().await,
    }
}

/// Who runs the container. Without systemd, only one that it does not run can be dealt with.
async fn supervisor(call: &ContainerCall, runtime: &Arc<dyn Runtime>) -> Result<Option<Arc<dyn Supervisor>>, Error> {
    let address = engine::address(None, runtime.engine().kind);
    let mut config = Config {
        folder: std::env::var_os(UNIT_FOLDER).map(PathBuf::from),
        environment: address.into_iter().collect(),
        dialect: Dialect::KollaAnsible,
        // The Python module takes whatever has the name of a unit for its own.
        adopt: true,
        ..Config::default()
    };
    // Less than a step of a plan may take, so that it ends with what systemd says of the unit.
    if let Some(timeout) = call.client_timeout() {
        config.deadline = timeout.as_duration() * 2 / 3;
    }
    match Systemd::connect(Arc::clone(runtime), config).await {
        Ok(systemd) => Ok(Some(Arc::new(systemd))),
        Err(_) if !call.is_supervised() => Ok(None),
        Err(error) => Err(error),
    }
}
