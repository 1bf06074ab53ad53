//! An engine and a supervisor in memory, which behave as Docker and systemd do: for tests, and for trying
//! a plan without a machine.
//!
//! The engine refuses what Docker refuses, and what only Podman does: to remove a container that others have
//! joined. It derives what Docker derives, and answers what Docker's inspect decodes to. Its clock moves a
//! second with each write and with nothing else; what programs do by themselves (become healthy, end, crash in a
//! loop) follows tokio's clock, so that a paused one works.
//!
//! ```
//! use kolla_container_core::memory::{Behaviour, ImageTemplate, MemoryEngine};
//! use kolla_container_core::{ContainerSpec, Runtime};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = MemoryEngine::new();
//! engine.load(&"job:1".parse()?, ImageTemplate::default().with_behaviour(Behaviour::exits(3)));
//!
//! let job = ContainerSpec::new("job:1".parse()?);
//! let created = engine.create_container(&"job".parse()?, &job).await?;
//! engine.start_container(&created.id).await?;
//!
//! assert_eq!(engine.wait_container(&created.id).await?.code, 3);
//! assert_eq!(engine.writes(), ["create_container job", "start_container job"]);
//! # Ok(())
//! # }
//! ```

mod config;
mod container;
mod create;
mod facts;
mod image;
mod lifecycle;
mod place;
mod runtime;
mod supervisor;
#[cfg(test)]
mod tests;
mod update;
mod world;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

pub use self::image::{Behaviour, ImageTemplate};
pub use self::supervisor::MemorySupervisor;

use self::world::{Effect, Then, World};
use crate::image_ref::ImageRef;
use crate::name::{ContainerName, ImageId};
use crate::spec::{CleanPath, ContainerSpec};
use crate::state::{Credentials, EngineFacts, Exec, Output, PullFailure, Status};

/// A container engine in memory; a clone is another handle to the same engine.
///
/// - It has every image that a spec can name, once that was pulled; [`publish`](Self::publish) says what
///   an image is like, [`unpublish`](Self::unpublish) and [`deny`](Self::deny) take it away from the registry.
/// - Every request through [`Runtime`](crate::Runtime) is written down: see [`requests`](Self::requests)
///   and [`writes`](Self::writes).
/// - Nothing that a program would do is done: what it does is the [`Behaviour`] of its image.
#[derive(Clone)]
pub struct MemoryEngine {
    facts: Arc<EngineFacts>,
    shared: Arc<Shared>,
    journal: Journal,
}

/// Whether the requests of a handle are written down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Journal {
    Kept,
    Off,
}

struct Shared {
    world: Mutex<World>,
    /// Wakes those who wait for a container.
    changed: Notify,
}

impl MemoryEngine {
    /// An engine without containers and images, whose host has a name that no other engine's has.
    pub fn new() -> Self {
        let mut world = World::new();
        world.furnish();
        Self {
            facts: Arc::new(facts::facts()),
            shared: Arc::new(Shared { world: Mutex::new(world), changed: Notify::new() }),
            journal: Journal::Kept,
        }
    }

    /// One that cannot do `feature`: a field, or one of the names in [`Features`](crate::state::Features).
    ///
    /// Handles cloned before do not know of it.
    pub fn without(mut self, feature: &str, reason: &str) -> Self {
        let facts = Arc::make_mut(&mut self.facts);
        facts.features = std::mem::take(&mut facts.features).without(feature, reason);
        self
    }

    /// One that does not report `fields` of the containers that it has.
    ///
    /// Handles cloned before report them.
    pub fn not_reporting(mut self, fields: &[&str]) -> Self {
        let facts = Arc::make_mut(&mut self.facts);
        facts.features = std::mem::take(&mut facts.features).unreporting(fields);
        self
    }

    /// One of which other facts are known: `change` is given those of this one.
    ///
    /// Handles cloned before do not know of it.
    pub fn with_facts(mut self, change: impl FnOnce(&mut EngineFacts)) -> Self {
        change(Arc::make_mut(&mut self.facts));
        self
    }

    /// Puts an image into the registry, or a new one in its place; answers the id that it will have.
    pub fn publish(&self, reference: &ImageRef, template: ImageTemplate) -> ImageId {
        let mut world = self.world();
        let id = world.next_id::<ImageId>();
        world.images.publish(reference, id.clone(), template);
        id
    }

    /// Takes an image out of the registry: a pull of it is [`NotFound`](crate::ErrorKind::NotFound).
    pub fn unpublish(&self, reference: &ImageRef) {
        self.fail_pulls(reference, PullFailure::NoManifest);
    }

    /// Makes the registry refuse an image: a pull of it is [`Denied`](crate::ErrorKind::Denied).
    pub fn deny(&self, reference: &ImageRef) {
        self.fail_pulls(reference, PullFailure::Denied);
    }

    /// Makes each pull of an image fail for this reason, until it is [published](Self::publish) again.
    pub fn fail_pulls(&self, reference: &ImageRef, failure: PullFailure) {
        self.world().images.fail(reference, failure);
    }

    /// Makes a registry (`quay.io`) ask everybody for these credentials.
    pub fn ask_for(&self, registry: &str, credentials: Credentials) {
        self.world().images.ask_for(registry, credentials);
    }

    /// Makes each piece of a pull, of which there are five, take this long by tokio's clock. Default: no time.
    pub fn slow_pulls(&self, piece: Duration) {
        self.world().images.pace = piece;
    }

    /// Puts an image into the engine without a pull; answers its id.
    pub fn load(&self, reference: &ImageRef, template: ImageTemplate) -> ImageId {
        let mut world = self.world();
        let id = world.next_id::<ImageId>();
        let now = world.clock;
        world.images.load(reference, &id, template, now);
        id
    }

    /// Makes `path` one that the host has not: a bind mount of it is refused when a container is created,
    /// unless missing sources are created.
    pub fn missing_path(&self, path: &CleanPath) {
        self.world().controls.missing_paths.insert(path.clone());
    }

    /// Makes the engine discard the field at `path` (`resources.blkio_weight`) wherever it is stated, and say
    /// so in a warning, as Docker does with what the kernel cannot do.
    pub fn discards(&self, path: &str) {
        self.world().controls.discarded.insert(path.to_owned());
    }

    /// Scripts what a command answers that is run in a container; any other ends well and prints nothing.
    pub fn on_exec<W: Into<String>>(&self, argv: impl IntoIterator<Item = W>, output: Output) {
        self.world().controls.answers.insert(argv.into_iter().map(Into::into).collect(), output);
    }

    /// The commands that were run in containers, in order.
    pub fn executed(&self) -> Vec<(ContainerName, Exec)> {
        self.world().controls.executed.clone()
    }

    /// Every request so far, in order: the method with its subject, `start_container db`.
    pub fn requests(&self) -> Vec<String> {
        self.lines(|_| true)
    }

    /// Those of the requests that change something; running a command in a container is none of them.
    pub fn writes(&self) -> Vec<String> {
        self.lines(|effect| effect == Effect::Write)
    }

    fn lines(&self, wanted: impl Fn(Effect) -> bool) -> Vec<String> {
        let world = self.world();
        world.journal.iter().filter(|entry| wanted(entry.effect)).map(|entry| entry.line.clone()).collect()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.world().journal.clear();
    }

    /// Changes the recorded configuration of a container behind everybody's back; nothing happens when
    /// there is no such container.
    pub fn meddle(&self, name: &ContainerName, change: impl FnOnce(&mut ContainerSpec)) {
        if let Some(container) = self.world().by_name_mut(name) {
            change(&mut container.config);
        }
    }

    /// Makes the program of a container behave otherwise, as from its last start on.
    pub fn set_behaviour(&self, name: &ContainerName, behaviour: Behaviour) {
        if let Some(container) = self.world().by_name_mut(name) {
            container.behaviour = behaviour;
        }
        self.shared.changed.notify_waiters();
    }

    /// Puts a container into a state that it does not come to by itself: dead, being removed, restarting.
    pub fn set_status(&self, name: &ContainerName, status: Status) {
        if let Some(container) = self.world().by_name_mut(name) {
            container.status = status;
        }
        self.shared.changed.notify_waiters();
    }

    /// Ends the program of a container, as a crash would; its restart policy may start it again.
    pub fn crash(&self, name: &ContainerName, code: i64) {
        let now = Instant::now();
        let mut world = self.world();
        let at = world.clock;
        let Some(container) = world.by_name_mut(name).filter(|container| container.is_up()) else { return };
        let id = container.id.clone();
        if !container.starts_again(now, at, code) {
            world.end(&id, Then::Stays, now, code);
        }
        drop(world);
        self.shared.changed.notify_waiters();
    }

    /// Another handle to this engine, whose requests are not written down.
    fn unrecorded(&self) -> Self {
        Self { journal: Journal::Off, ..self.clone() }
    }

    /// What the engine holds, brought up to date.
    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.shared.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.settle(Instant::now());
        world
    }
}

impl Default for MemoryEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryEngine {
    /// The host and the names of the containers; nothing of their configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let world = self.world();
        let containers: Vec<&ContainerName> = world.containers.values().map(|container| &container.name).collect();
        f.debug_struct("MemoryEngine")
            .field("host", &self.facts.host.name)
            .field("containers", &containers)
            .finish_non_exhaustive()
    }
}
