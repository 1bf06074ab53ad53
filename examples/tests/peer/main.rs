//! kolla-ansible's module and ours do the same tasks on the same engine, from the same start, and are compared:
//! `testbed/run testbed/peer/run cargo test -p examples --test peer`.
//!
//! [`scene`] is what is done, [`play`] does it and holds what came of it side by side, [`known`] are the differences
//! that are meant. What is left over is a mistake, and so is a meant difference that does not show.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "these are tests: what is not as it should be fails them"
)]

mod document;
mod engine;
mod known;
mod modules;
mod play;
mod report;
mod scene;
mod world;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::engine::Engine;
use crate::modules::Modules;
use crate::report::Report;
use crate::scene::Scene;

/// More than there are processors: the modules wait for the engine and for systemd most of the time.
const THREADS: usize = 16;

/// A scene may take so long, with all of its tasks.
const PATIENCE: Duration = Duration::from_mins(10);

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(THREADS);
    let report = Arc::new(Report::default());
    let modules = Arc::new(Modules::default());
    let mut trials = Vec::new();
    for engine in Engine::ALL {
        for scene in scene::all().into_iter().filter(|scene| scene.is_for(engine)) {
            let (report, modules) = (Arc::clone(&report), Arc::clone(&modules));
            let name = format!("{engine}::{}", scene.name);
            trials.push(Trial::ignorable_test(name, move || trial(engine, &scene, &modules, &report)));
        }
    }
    let is_whole = arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.list;
    let conclusion = libtest_mimic::run(&arguments, trials);
    modules.end();
    if !report.is_empty() {
        report.print();
        let left_over = report.left_over();
        if is_whole && !left_over.is_empty() {
            report::print_left_over(&left_over);
            return ExitCode::FAILURE;
        }
    }
    conclusion.exit_code()
}

fn trial(engine: Engine, scene: &Scene, modules: &Modules, report: &Report) -> Result<Completion, Failed> {
    static ALONE: Mutex<()> = Mutex::new(());

    let machine = match modules.machine() {
        Ok(Some(machine)) => machine,
        Ok(None) => {
            return Ok(Completion::ignored_with("KOLLA_TEST_PEER is not set: testbed/peer/run installs kolla-ansible"));
        }
        Err(why) => return Err(Failed::from(why)),
    };
    let _alone = scene.alone.then(|| ALONE.lock().unwrap_or_else(PoisonError::into_inner));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mistakes = runtime.block_on(async {
        let played = tokio::time::timeout(PATIENCE, play::play(engine, scene, &machine, report)).await;
        let cleaned = tokio::time::timeout(PATIENCE, play::clean_up(engine, scene, &machine)).await;
        let mut mistakes = played.unwrap_or_else(|_| vec![format!("it took longer than {PATIENCE:?}")]);
        match cleaned {
            Ok(Ok(())) => {}
            Ok(Err(why)) => mistakes.push(format!("it could not be cleaned up: {why}")),
            Err(_) => mistakes.push(format!("it could not be cleaned up within {PATIENCE:?}")),
        }
        mistakes
    });
    if mistakes.is_empty() { Ok(Completion::Completed) } else { Err(Failed::from(mistakes.join("\n"))) }
}
