//! Is it the engine that the cases test, or only our client? The `docker` and `podman` commands as a runtime.
//!
//! An engine's own command is the reference: the contract asks what the engine does, so another client of it keeps the
//! contract, too. A case that it fails asks for a habit of ours. Arguments, and the meaning of what the command says,
//! are written here from its manual pages, and share nothing with a backend. Only the documents that `inspect` prints
//! are decoded by the backend, which hands its decoder in, for this crate knows none.

mod arguments;
mod look;
mod place;
mod process;
mod refusal;
mod runtime;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;

use async_trait::async_trait;
use kolla_container_core::state::{ContainerState, EngineFacts, EngineKind, ImageState};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::cases;
use crate::runner::{self, Case, Clock, Ground, Outcome, Subject, Unavailable};

/// An engine, reached by its own command.
#[derive(Clone, Debug)]
pub struct CommandLine {
    /// The command: `docker`, `podman`.
    pub program: &'static str,
    /// Its first arguments, which say where the engine listens.
    pub arguments: Vec<String>,
    /// What a backend found out about the engine.
    pub facts: EngineFacts,
    /// Reads a container from an element of what `container inspect` prints.
    pub container: fn(&Value) -> kolla_container_core::Result<ContainerState>,
    /// Reads an image from an element of what `image inspect` prints.
    pub image: fn(&Value) -> kolla_container_core::Result<ImageState>,
}

impl CommandLine {
    fn is_podman(&self) -> bool {
        self.facts.kind == EngineKind::Podman
    }
}

/// The groups that ask for what the port promises, and nothing above it.
const OF_THE_PORT: [&str; 6] = ["containers", "images", "volumes", "networks", "exec", "logs"];

/// The cases on the engine of `backend`, with `command` in the place of the backend.
///
/// A case in `cannot` is ignored for the reason there: what it asks for cannot be said on the command line, or is more
/// than the engine does. Those that go through core take minutes, as each step of theirs is some commands: they run when
/// they are asked for (`--include-ignored`).
pub fn trials(
    backend: Arc<dyn Subject>,
    command: fn(EngineFacts) -> CommandLine,
    cannot: &[(&str, &'static str)],
) -> Vec<Trial> {
    let subject: Arc<dyn Subject> = Arc::new(Instead { backend, command });
    let mut cases = cases::all();
    for (name, reason) in cannot {
        let case = cases.iter_mut().find(|case| case.name() == *name);
        *case.unwrap_or_else(|| panic!("there is no case {name}")) = ignored(name, reason);
    }
    let is_of_the_port = |case: &Case| OF_THE_PORT.iter().any(|group| case.name().split("::").next() == Some(group));
    let (port, above): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(is_of_the_port);
    let above = runner::trials(&subject, above).into_iter().map(|trial| trial.with_ignored_flag(true));
    runner::trials(&subject, port).into_iter().chain(above).collect()
}

fn ignored(name: &str, reason: &'static str) -> Case {
    Case::new(name, move |_| Box::pin(async move { Outcome::Ignored(reason.to_owned()) }))
}

/// The engine of a backend, with the command in the place of the backend.
#[derive(Debug)]
struct Instead {
    backend: Arc<dyn Subject>,
    command: fn(EngineFacts) -> CommandLine,
}

#[async_trait]
impl Subject for Instead {
    fn name(&self) -> String {
        format!("{}-command", self.backend.name())
    }

    fn clock(&self) -> Clock {
        self.backend.clock()
    }

    async fn open(&self) -> Result<Ground, Unavailable> {
        let ground = self.backend.open().await?;
        let command = (self.command)(ground.runtime.engine().clone());
        Ok(Ground { runtime: Arc::new(command), ..ground })
    }
}
