//! Brings containers to what files say they should be: `reconcile plan|apply|remove FILE...`, and the other way round:
//! `reconcile export NAME...`.
//!
//! The whole job from files to report. Each module answers one question: [`cli`] what was asked for, [`document`] and
//! [`mod@file`] what the files say, [`examples::engine`] and [`recorded`] which engine it is about, [`progress`] and
//! [`interrupt`] what happens meanwhile, [`mod@export`] what a file would say, [`output`] what is printed. What to do is
//! the library's to decide.

mod cli;
mod document;
mod export;
mod file;
mod interrupt;
mod output;
mod progress;
mod recorded;

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use clap::error::ErrorKind as UsageErrorKind;
use examples::console;
use examples::engine::{self, Choice, Engine, Surroundings};
use examples::images::Login;
use futures_util::future::join_all;
use kolla_container_core::dialect::kolla::Host;
use kolla_container_core::images::{ImageRequest, PullPolicy};
use kolla_container_core::{
    ContainerName, ContainerSpec, Error, ErrorKind, Goal, Goals, Plan, Reconciler, Runtime, StopSignal, Supervisor,
};
use kolla_container_docker::Address;
use kolla_container_systemd::{Config, Scope, Systemd};

use crate::cli::{Cli, Command, Export, Job, Pulling, Recorded, State, Supervision, Wanted};
use crate::file::Containers;
use crate::interrupt::Interrupts;
use crate::output::Failure;
use crate::progress::Progress;
use crate::recorded::Words;

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
        console::say(&failure.to_string());
    }
    ExitCode::from(FAILED)
}

async fn run(command: &Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Job(job) => reconcile(job, command).await,
        Command::Export(Export { names, common, .. }) => {
            let reconciler = Reconciler::new(runtime(command).await?);
            export(names, common.json, &reconciler).await
        }
    }
}

async fn reconcile(job: &Job, command: &Command) -> Result<ExitCode, Failure> {
    let files = &job.described().files;
    let containers = file::read(files, &mut std::io::stdin().lock(), &Host::local()).map_err(Failure::Mistakes)?;
    let goals = goals(job, &containers);
    let stop = StopSignal::new();
    let runtime = runtime(command).await?;
    let supervisor =
        supervisor(job.supervision(), job.common().at.host.as_ref(), &runtime).await.map_err(Failure::Because)?;
    let reconciler = reconciler(job, runtime).with_stop_signal(stop.clone());
    let reconciler = supervisor.into_iter().fold(reconciler, Reconciler::with_supervisor);
    let reconciler = match job {
        Job::Apply { pulling, .. } => pull(pulling, &containers, reconciler).await?,
        Job::Plan { .. } | Job::Remove { .. } => reconciler,
    };
    let plan = reconciler.plan(&goals).await.map_err(|error| failure(error, &containers))?;
    match job {
        Job::Plan { common, .. } => show(&plan, common.json, &reconciler),
        Job::Apply { .. } | Job::Remove { .. } => apply(&plan, job, reconciler, &stop).await,
    }
}

/// Sees to it that the images are there that the policy wants to be there before the plan; the rest is a part of it.
async fn pull(pulling: &Pulling, containers: &Containers, reconciler: Reconciler) -> Result<Reconciler, Failure> {
    let login = Login { authfile: pulling.authfile.clone(), ..Login::default() };
    let images = login.manager(reconciler.runtime()).map_err(Failure::Because)?;
    if pulling.pull != PullPolicy::Missing {
        let wanted: BTreeSet<_> = containers.specs.values().map(|spec| (&spec.image, &spec.platform)).collect();
        let pulls = wanted.into_iter().filter_map(|(image, platform)| {
            let request = ImageRequest::new(image.clone()?).with_policy(pulling.pull).with_platform(platform.clone());
            let images = &images;
            Some(async move { (request.image.familiar(), images.ensure(&request).await) })
        });
        let mut failures = Vec::new();
        for (image, outcome) in join_all(pulls).await {
            match outcome {
                Ok(ensured) if ensured.changed => console::say(&format!("pulled {image}")),
                Ok(_) => {}
                Err(error) => failures.push(Error::from(error)),
            }
        }
        let mut failures = failures.into_iter();
        if let Some(first) = failures.next() {
            for error in failures {
                console::say(&format!("error: {}", error.report()));
            }
            return Err(Failure::Because(first));
        }
    }
    Ok(reconciler.with_images(images))
}

/// A spec that the engine cannot do is a mistake in a file.
fn failure(error: Error, containers: &Containers) -> Failure {
    let mistakes = containers.mistakes(&error);
    if mistakes.is_empty() { Failure::Because(error) } else { Failure::Mistakes(mistakes) }
}

/// The engine that was asked for: a recorded one, or one that has answered.
async fn runtime(command: &Command) -> Result<Arc<dyn Runtime>, Failure> {
    let common = command.common();
    if let Some(Recorded { containers: Some(containers), images }) = command.recorded() {
        let words = words(command).map_err(Failure::Because)?;
        let recording = words.read(containers, images.as_deref(), &mut std::io::stdin().lock());
        let recording = recording.map_err(Failure::Mistakes)?;
        warn(&recording.warnings);
        return Ok(Arc::new(recording.snapshot));
    }
    let surroundings = Surroundings::of_process(common.at.host.clone());
    let may_pretend = matches!(command, Command::Job(Job::Plan { .. }));
    let choice = surroundings.select(common.at.engine, may_pretend, engine::is_there).map_err(Failure::Because)?;
    if let Choice::Memory { warning } = &choice {
        warn(warning);
    }
    choice.connect().await.map_err(Failure::Because)
}

/// Who starts the containers, where it is not the engine.
async fn supervisor(
    wanted: &Supervision,
    host: Option<&Address>,
    runtime: &Arc<dyn Runtime>,
) -> Result<Option<Arc<dyn Supervisor>>, Error> {
    let Supervision { supervisor, unit_prefix, unit_folder, user_units, unit_environment, adopt_units } = wanted;
    if *supervisor == cli::Supervisor::None {
        return Ok(None);
    }
    let config = Config {
        scope: if *user_units { Scope::User } else { Scope::System },
        prefix: unit_prefix.clone(),
        folder: unit_folder.clone(),
        adopt: *adopt_units,
        environment: engine::address(host, runtime.engine().kind).into_iter().chain(unit_environment.clone()).collect(),
        ..Config::default()
    };
    Ok(Some(Arc::new(Systemd::connect(Arc::clone(runtime), config).await?)))
}

/// Whose words a recording is in, where there can be one.
fn words(command: &Command) -> Result<Words, Error> {
    let refused = |why: &str| Err(Error::new(ErrorKind::Rejected, "use", "--recorded").because(why));
    if let Command::Job(Job::Plan { wanted: Wanted { config_check: true, .. }, .. }) = command {
        return refused("nothing can be asked in a recorded container: leave --config-check out");
    }
    if let Command::Job(job) = command
        && job.supervision().supervisor != cli::Supervisor::None
    {
        return refused("the units are not in it: leave --supervisor out");
    }
    match command.common().at.engine {
        Engine::Auto => refused("say whose answers are recorded: `--engine docker` or `--engine podman`"),
        Engine::Memory => refused("the engine in memory has no recordings"),
        Engine::Docker => Ok(Words::docker()),
        Engine::Podman => Ok(Words::podman()),
    }
}

fn warn<'a>(warnings: impl IntoIterator<Item = &'a String>) {
    for warning in warnings {
        console::say(&format!("warning: {warning}"));
    }
}

/// Prints the containers `names`, or all of them where none is named.
async fn export(names: &[ContainerName], json: bool, reconciler: &Reconciler) -> Result<ExitCode, Failure> {
    let (file, errors) = if names.is_empty() {
        export::all(reconciler).await.map_err(Failure::Because)?
    } else {
        (export::named(names, reconciler).await.map_err(Failure::Because)?, Vec::new())
    };
    output::file(&file, json)?;
    warn(&file.warnings());
    for error in &errors {
        console::say(&format!("error: {}", error.report()));
    }
    Ok(if errors.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

fn goals(job: &Job, containers: &Containers) -> Goals {
    let goal = |spec: &ContainerSpec| match job {
        Job::Plan { wanted, .. } | Job::Apply { wanted, .. } => match wanted.goal {
            State::Running => Goal::running(spec.clone()),
            State::Healthy => Goal::healthy(spec.clone()),
        },
        Job::Remove { volumes, .. } => Goal::Absent { volumes: *volumes, grace: None },
    };
    containers.specs.iter().map(|(name, spec)| (name.clone(), goal(spec))).collect()
}

fn reconciler(job: &Job, runtime: Arc<dyn Runtime>) -> Reconciler {
    let described = job.described();
    let reconciler = Reconciler::new(runtime).with_jobs(described.jobs.into()).taking_over(described.take_over);
    match job {
        Job::Plan { wanted, recorded, .. } => {
            let is_recorded = recorded.containers.is_some();
            comparing(wanted, reconciler).looking_once(is_recorded)
        }
        Job::Apply { wanted, .. } => comparing(wanted, reconciler),
        Job::Remove { .. } => reconciler,
    }
}

fn comparing(wanted: &Wanted, reconciler: Reconciler) -> Reconciler {
    reconciler.with_comparison(wanted.policy.comparison()).checking_config(wanted.config_check)
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

async fn apply(plan: &Plan, job: &Job, reconciler: Reconciler, stop: &StopSignal) -> Result<ExitCode, Failure> {
    let json = job.common().json;
    if !json && !plan.is_empty() {
        output::plan(plan, reconciler.runtime().engine(), job.name(), json)?;
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
    output::report(&report, reconciler.runtime().engine(), job.name(), json)?;
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

#[cfg(test)]
mod tests {
    use kolla_container_core::memory::MemoryEngine;

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
