//! The supervisor suite on a real systemd with Docker and Podman: `testbed/run` starts them, and sets
//! `KOLLA_TEST_SYSTEMD` to the folder of their sockets, units and journal.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails to be prepared fails the test")]

mod elsewhere;
mod machine;
mod stories;

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use kolla_container_core::Supervisor;
use kolla_container_core::state::EngineKind;
use kolla_container_systemd::{Config, Scope, Systemd};
use kolla_container_testkit::{Live, Subject, Supervise, cases, trials};

/// Cases wait for the machine most of the time.
const THREADS: usize = 8;

/// The units of a user.
fn of_user(folder: &Path, engine: EngineKind) -> Config {
    Config {
        scope: Scope::User,
        bus: Some(machine::bus(&folder.join("user-bus/bus"))),
        folder: Some(folder.join("user-units")),
        ..machine::config(folder, engine)
    }
}

/// Docker, with the service manager of a user.
fn user() -> Arc<dyn Subject> {
    let supervise: Supervise = |runtime, folder| {
        Box::pin(async move {
            let folder = Path::new(&folder);
            let config = of_user(folder, runtime.engine().kind);
            Ok(Arc::new(Systemd::connect(runtime, config).await?) as Arc<dyn Supervisor>)
        })
    };
    Arc::new(Live { name: "systemd-user", supervise: Some(supervise), ..machine::docker_there() })
}

fn main() -> ExitCode {
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let subjects = [machine::docker(), machine::podman()];
    let suite = || cases::supervised::cases().into_iter().chain(stories::cases()).collect();
    let machine = subjects.iter().flat_map(|subject| trials(subject, suite()));
    let of_user = cases::supervised::cases().into_iter().chain(elsewhere::cases()).collect();
    let all = machine.chain(trials(&user(), of_user)).collect();
    libtest_mimic::run(&arguments, all).exit_code()
}
