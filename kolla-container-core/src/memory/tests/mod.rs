//! The engine in memory against the contract of the port, and against what Docker does.

mod controls;
mod creating;
mod places;
mod running;
mod supervising;
mod updating;

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};

use super::*;
use crate::error::{ErrorKind, Result};
use crate::name::{ContainerId, ContainerRef, VolumeName};
use crate::quantity::{ByteSize, Limit, TimeSpan};
use crate::runtime::Runtime;
use crate::spec::{Command, Endpoint, HealthTest, Healthcheck, NetworkMode, RestartPolicy, Signal, Variable};
use crate::state::{
    ContainerFilter, ContainerState, ContainerUpdate, Health, ImageToPull, LogChunk, LogOptions, NetworkToCreate,
    Owner, VolumeToCreate,
};

fn named(name: &str) -> ContainerName {
    name.parse().unwrap()
}

fn app() -> ContainerSpec {
    ContainerSpec::new("app".parse().unwrap())
}

fn checked() -> ContainerSpec {
    app().with_healthcheck(Healthcheck { test: Some(HealthTest::Shell("true".into())), ..Healthcheck::default() })
}

fn engine(template: ImageTemplate) -> MemoryEngine {
    let engine = MemoryEngine::new();
    engine.load(&"app".parse().unwrap(), template);
    engine
}

fn behaving(behaviour: Behaviour) -> MemoryEngine {
    engine(ImageTemplate::default().with_behaviour(behaviour))
}

fn plain() -> MemoryEngine {
    engine(ImageTemplate::default())
}

async fn create(engine: &MemoryEngine, name: &str, spec: &ContainerSpec) -> ContainerId {
    engine.create_container(&named(name), spec).await.unwrap().id
}

async fn run(engine: &MemoryEngine, name: &str, spec: &ContainerSpec) -> ContainerId {
    let id = create(engine, name, spec).await;
    engine.start_container(&id).await.unwrap();
    id
}

async fn look(engine: &MemoryEngine, id: &ContainerId) -> ContainerState {
    engine.container_by_id(id).await.unwrap().unwrap()
}

fn kind<T: fmt::Debug>(answer: Result<T>) -> ErrorKind {
    answer.unwrap_err().kind()
}

fn mib(count: u64) -> Limit<ByteSize> {
    Limit::At(ByteSize::mib(count))
}
