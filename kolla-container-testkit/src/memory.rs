//! The engine in memory as a subject.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kolla_container_core::layer::{Deadline, Layered};
use kolla_container_core::memory::{Behaviour, ImageTemplate, MemoryEngine, MemorySupervisor};
use kolla_container_core::state::{Features, Output};
use kolla_container_core::{ContainerSpec, ImageRef, Runtime, Supervisor};
use serde_json::{Value, json};

use crate::images::{Images, Program};
use crate::runner::{Clock, Ground, Subject, Unavailable};

/// The engine in memory; a new one for each case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Behind a pointer.
    Plain,
    /// Behind a pointer, with a deadline around it.
    Layered,
    /// With a supervisor in memory, too.
    Supervised,
}

#[async_trait]
impl Subject for Memory {
    fn name(&self) -> String {
        match self {
            Self::Plain => "memory".to_owned(),
            Self::Layered => "layered".to_owned(),
            Self::Supervised => "supervised".to_owned(),
        }
    }

    fn clock(&self) -> Clock {
        Clock::Paused
    }

    async fn open(&self) -> Result<Ground, Unavailable> {
        let engine = MemoryEngine::new();
        let images = furnish(&engine);
        let supervisor =
            (*self == Self::Supervised).then(|| Arc::new(MemorySupervisor::new(&engine)) as Arc<dyn Supervisor>);
        let engine: Arc<dyn Runtime> = Arc::new(engine);
        let runtime = match self {
            Self::Plain | Self::Supervised => engine,
            Self::Layered => Arc::new(Layered::new(engine, Arc::new(Deadline::new(Duration::from_mins(1))))),
        };
        let lacks = Features::all()
            .without("supervisor.restarts", "it starts nothing again by itself")
            .without("supervisor.time", "its clock does not show which start came first");
        Ok(Ground { runtime, supervisor, images, lacks })
    }
}

/// Loads the test images into an engine, and scripts the programs that cases run.
pub fn furnish(engine: &MemoryEngine) -> Images {
    let image = |name: &str| -> ImageRef { format!("localhost/kit/{name}:1").parse().unwrap() };
    let load = |name: &str, config: Value, behaviour: Behaviour| {
        let mut written = json!({"command": ["sleep", "1000000"]});
        crate::matrix::merge(&mut written, config);
        let template = ImageTemplate::new(ContainerSpec::from_value(written).unwrap()).with_behaviour(behaviour);
        let template = match name {
            "prints" | "done" => template.with_output(Images::STDOUT, Images::STDERR),
            _ => template,
        };
        engine.load(&image(name), template);
        image(name)
    };
    let check = || json!({"healthcheck": {"test": "true"}});
    for program in Program::ALL {
        let (code, stdout, stderr) = match program {
            Program::Succeeds => (0, "", ""),
            Program::Fails => (7, "out\n", "err\n"),
            Program::SaysStale => (1, "", ""),
            Program::Missing => (127, "", "not found"),
        };
        engine.on_exec(program.argv().iter().copied(), Output { code, stdout: stdout.into(), stderr: stderr.into() });
    }
    engine.unpublish(&image("absent"));
    engine.publish(&image("remote"), ImageTemplate::default());
    Images {
        plain: load("plain", json!({}), Behaviour::Runs),
        other: load("other", json!({}), Behaviour::Runs),
        furnished: load("furnished", serde_json::from_str(Images::FURNITURE).unwrap(), Behaviour::Runs),
        prints: load("prints", json!({}), Behaviour::Runs),
        done: load("done", json!({}), Behaviour::exits(0)),
        exits: load("exits", json!({}), Behaviour::exits(3)),
        exits_later: load("exits-later", json!({}), Behaviour::exits_after(Duration::from_secs(1), 3)),
        healthy: load("healthy", check(), Behaviour::BecomesHealthy(Duration::from_secs(2))),
        unhealthy: load("unhealthy", check(), Behaviour::BecomesUnhealthy(Duration::from_secs(2))),
        never_healthy: load("never-healthy", check(), Behaviour::BecomesHealthy(Duration::from_hours(1))),
        fails_to_start: load("fails-to-start", json!({}), Behaviour::FailsToStart("no such program: /no".to_owned())),
        stubborn: load("stubborn", json!({}), Behaviour::IgnoresStop),
        exits_with_volume: load("exits-with-volume", json!({"mounts": ["/data"]}), Behaviour::exits(3)),
        remote: image("remote"),
        absent: image("absent"),
    }
}
