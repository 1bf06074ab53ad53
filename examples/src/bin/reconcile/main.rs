//! Brings containers to what files say they should be: `reconcile plan|apply|remove FILE...`.
//!
//! The whole job from files to report. Each module answers one question: [`cli`] what was asked for, [`document`] and
//! [`mod@file`] what the files say, [`engine`] and [`probe`] which engine it is about, [`progress`] and [`interrupt`]
//! what happens meanwhile, [`output`] what is printed. What to do is the library's to decide.

mod cli;
mod document;
mod engine;
mod file;
mod interrupt;
mod output;
mod probe;
mod progress;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind as UsageErrorKind;
use kolla_container_core::dialect::kolla::Host;
use kolla_container_core::memory::MemoryEngine;
use kolla_container_core::{ContainerSpec, Error, ErrorKind, Goal, Goals, Plan, Reconciler, Runtime, StopSignal};

use crate::cli::{Cli, Command, State, Wanted};
use crate::engine::{Memory, Surroundings};
use crate::file::Containers;
use crate::interrupt::Interrupts;
use crate::output::Failure;
use crate::progress::Progress;

/// What the program exits with when something is wrong.
const FAILED: u8 = 1;
/// What `plan` exits with when there is something to do.
const TO_DO: u8 = 2;
/// What the program exits with when it was interrupted twice.
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    // Wrong arguments may keep clap from seeing that JSON was asked for.
    let json = std::env::args_os().skip(1).take_while(|argument| argument != "--").any(|argument| argument == "--json");
    let failure = match Cli::try_parse() {
        Err(help) if matches!(help.kind(), UsageErrorKind::DisplayHelp | UsageErrorKind::DisplayVersion) => {
            output::print(help.render()).err()
        }
        Err(error) => Some(Failure::Usage(error.render().to_string())),
        Ok(cli) => match run(&cli.command).await {
            Ok(code) => return code,
            Err(failure) => Some(failure),
        },
    };
    let Some(failure) = failure else { return ExitCode::SUCCESS };
    if !json || failure.print_json().is_err() {
        output::say(&failure.to_string());
    }
    ExitCode::from(FAILED)
}

async fn run(command: &Command) -> Result<ExitCode, Failure> {
    let containers =
        file::read(&command.common().files, &mut std::io::stdin().lock(), &Host::local()).map_err(Failure::Mistakes)?;
    let runtime = runtime(command).await.map_err(Failure::Because)?;
    let goals = goals(command, &containers);
    let stop = StopSignal::new();
    let reconciler = reconciler(command, runtime).with_stop_signal(stop.clone());
    let plan = reconciler.plan(&goals).await.map_err(|error| failure(error, &containers))?;
    match command {
        Command::Plan { common, .. } => show(&plan, common.json, &reconciler),
        Command::Apply { .. } | Command::Remove { .. } => apply(&plan, command, reconciler, &stop).await,
    }
}

/// A spec that the engine cannot do is a mistake in a file.
fn failure(error: Error, containers: &Containers) -> Failure {
    let mistakes = containers.mistakes(&error);
    if mistakes.is_empty() { Failure::Because(error) } else { Failure::Mistakes(mistakes) }
}

/// The only engine that this version speaks to, where that is what was asked for.
async fn runtime(command: &Command) -> Result<Arc<dyn Runtime>, Error> {
    let common = command.common();
    let surroundings = Surroundings::of_process(common.host.clone());
    let may_pretend = matches!(command, Command::Plan { .. });
    let Memory { warning } = surroundings.select(common.engine, may_pretend, probe::ask).await?;
    if let Some(warning) = warning {
        output::say(&format!("warning: {warning}"));
    }
    Ok(Arc::new(MemoryEngine::new()))
}

fn goals(command: &Command, containers: &Containers) -> Goals {
    let goal = |spec: &ContainerSpec| match command {
        Command::Plan { wanted, .. } | Command::Apply { wanted, .. } => match wanted.goal {
            State::Running => Goal::running(spec.clone()),
            State::Healthy => Goal::healthy(spec.clone()),
        },
        Command::Remove { volumes, .. } => Goal::Absent { volumes: *volumes },
    };
    containers.specs.iter().map(|(name, spec)| (name.clone(), goal(spec))).collect()
}

fn reconciler(command: &Command, runtime: Arc<dyn Runtime>) -> Reconciler {
    let common = command.common();
    let reconciler = Reconciler::new(runtime).with_jobs(common.jobs.into()).taking_over(common.take_over);
    match command {
        Command::Plan { wanted: Wanted { policy, config_check, .. }, .. }
        | Command::Apply { wanted: Wanted { policy, config_check, .. }, .. } => {
            reconciler.with_comparison(policy.comparison()).checking_config(*config_check)
        }
        Command::Remove { .. } => reconciler,
    }
}

fn show(plan: &Plan, json: bool, reconciler: &Reconciler) -> Result<ExitCode, Failure> {
    output::plan(plan, reconciler.runtime().engine(), "plan", json)?;
    Ok(ExitCode::from(code(plan)))
}

/// What `plan` exits with.
fn code(plan: &Plan) -> u8 {
    if plan.refused().next().is_some() {
        FAILED
    } else if plan.is_empty() {
        0
    } else {
        TO_DO
    }
}

async fn apply(plan: &Plan, command: &Command, reconciler: Reconciler, stop: &StopSignal) -> Result<ExitCode, Failure> {
    let json = command.common().json;
    if !json && !plan.is_empty() {
        output::plan(plan, reconciler.runtime().engine(), command.name(), json)?;
        output::print("\n")?;
    }
    let progress = Arc::new(Progress::of(plan));
    let interrupts = Interrupts::listen().map_err(|error| {
        Failure::Because(Error::new(ErrorKind::EngineFailed, "listen for", "Ctrl-C").because(error))
    })?;
    let listener = Arc::clone(&progress);
    let reconciler = reconciler.with_listener(listener);
    let report = tokio::select! {
        report = reconciler.apply(plan) => Some(report),
        () = interrupts.twice(stop, &progress) => None,
    };
    progress.finish();
    let Some(report) = report else { return Ok(ExitCode::from(INTERRUPTED)) };
    output::report(&report, reconciler.runtime().engine(), command.name(), json)?;
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_plan_exits_with_what_there_is_to_do_and_with_1_where_somebody_may_not_be_touched() {
        let engine = MemoryEngine::new();
        let reconciler = Reconciler::new(Arc::new(engine.clone()));
        let spec = ContainerSpec::new("nginx".parse().unwrap());
        let goals = Goals::one("web".parse().unwrap(), Goal::running(spec.clone()));

        let before = code(&reconciler.plan(&goals).await.unwrap());
        reconciler.reconcile(&goals).await.unwrap();
        let after = code(&reconciler.plan(&goals).await.unwrap());
        engine.create_container(&"web.next".parse().unwrap(), &spec).await.unwrap();
        let foreign = code(&reconciler.plan(&goals).await.unwrap());

        assert_eq!((before, after, foreign), (2, 0, 1));
    }
}
