//! Who does what is asked for.

use std::path::PathBuf;
use std::sync::Arc;

use examples::engine::{self, Engine as Wanted, Surroundings, is_there};
use kolla_container_core::dialect::kolla::Engine;
use kolla_container_core::images::PullPolicy;
use kolla_container_core::{Error, Runtime, Supervisor};
use kolla_container_systemd::{Config, Dialect, Systemd};

use crate::answer::Answer;
use crate::call::{Call, ContainerCall};
use crate::container::Container;
use crate::failure::Failure;
use crate::{facts, image, volume};

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
    let engine = match call.engine() {
        Engine::Docker => Wanted::Docker,
        Engine::Podman => Wanted::Podman,
    };
    let runtime = Surroundings::of_process(None).select(engine, false, is_there)?.connect().await?;
    let images = image::manager(call, &runtime);
    match call.action.as_str() {
        "ensure_image" => image::pull(call, &images, PullPolicy::Missing).await,
        "pull_image" => image::pull(call, &images, PullPolicy::Always).await,
        "remove_image" => image::remove(call, &images).await,
        "compare_image" => image::compare(call, runtime.as_ref()).await,
        "create_volume" => volume::create(call, runtime.as_ref()).await,
        "remove_volume" => volume::remove(call, runtime.as_ref()).await,
        _ => {
            let supervisor = supervisor(call, &runtime).await?;
            Container::new(call, runtime, images, supervisor)?.act().await
        }
    }
}

/// Who runs the container. Without systemd, only one that it does not run can be dealt with.
async fn supervisor(call: &ContainerCall, runtime: &Arc<dyn Runtime>) -> Result<Option<Arc<dyn Supervisor>>, Error> {
    let address = engine::address(None, runtime.engine().kind);
    let config = Config {
        folder: std::env::var_os(UNIT_FOLDER).map(PathBuf::from),
        environment: address.into_iter().collect(),
        dialect: Dialect::KollaAnsible,
        ..Config::default()
    };
    match Systemd::connect(Arc::clone(runtime), config).await {
        Ok(systemd) => Ok(Some(Arc::new(systemd))),
        Err(_) if !call.is_supervised() => Ok(None),
        Err(error) => Err(error),
    }
}
