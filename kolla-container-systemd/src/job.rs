//! Starting, stopping and restarting a unit: until it is done, and not only asked for.

use std::time::Duration;

use futures_util::StreamExt;
use kolla_container_core::{ContainerName, Error, ErrorKind, Result, Timestamp};
use tokio::time::{Instant, sleep, timeout_at};
use zbus::OwnedObjectPath;

use crate::bus::{self, Meaning, failed, meaning};
use crate::failure::{JobResult, UnitFailure};
use crate::journal;
use crate::supervisor::Systemd;

const FIRST_LOOK: Duration = Duration::from_millis(20);
const SLOWEST_LOOK: Duration = Duration::from_millis(500);
/// How long a container has to run to have been started: one that ends at once runs for a moment, too.
const STEADY: Duration = Duration::from_secs(1);

/// What systemd is asked to do with a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    Start,
    Stop,
    Restart,
}

impl Job {
    fn operation(self) -> &'static str {
        match self {
            Self::Start => "start unit",
            Self::Stop => "stop unit",
            Self::Restart => "restart unit",
        }
    }
}

impl Systemd {
    /// Starts or restarts the unit, and waits until its container has run for a moment.
    pub(crate) async fn bring_up(&self, job: Job, name: &ContainerName) -> Result<()> {
        let unit = self.config.unit_name(name);
        let deadline = Instant::now() + self.patience(job, &unit).await;
        self.forget_failures(&unit).await.map_err(|error| failed(job.operation(), &unit, error))?;
        let before = self.runtime.container(name).await?.filter(|there| there.status.is_up() && job == Job::Restart);
        let started_before = before.as_ref().map(|there| there.started);
        // What waits for its next try would be started only then, and does not stop a container that runs meanwhile.
        let waits = self.doing(job, &unit).await.is_ok_and(|doing| doing.waits());
        if let Some(there) = before.filter(|_| waits) {
            self.runtime.stop_container(&there.id, None).await?;
        }
        self.run(if waits { Job::Restart } else { job }, &unit, deadline).await?;
        let mut pause = FIRST_LOOK;
        let mut up: Option<(Instant, Option<Timestamp>)> = None;
        loop {
            let doing = self.doing(job, &unit).await?;
            let container = self.runtime.container(name).await?.filter(|container| container.status.is_up());
            let container = container.filter(|there| Some(there.started) != started_before);
            up = match (container, up) {
                (Some(now), Some((since, started))) if now.started == started => Some((since, started)),
                (Some(now), _) => Some((Instant::now(), now.started)),
                (None, _) => None,
            };
            if doing.may_come_up() && up.is_some_and(|(since, _)| since.elapsed() >= STEADY) {
                return Ok(());
            }
            if doing.is_over() {
                let failure = self.failure(&unit, None).await;
                return Err(Error::new(ErrorKind::EngineFailed, job.operation(), &unit).caused_by(failure));
            }
            if Instant::now() >= deadline {
                let failure = self.failure(&unit, None).await;
                return Err(Error::new(ErrorKind::TimedOut, job.operation(), &unit).caused_by(failure));
            }
            sleep(pause).await;
            pause = (pause * 2).min(SLOWEST_LOOK);
        }
    }

    /// Stops the unit, and waits until it has stopped; fine where systemd knows none.
    pub(crate) async fn bring_down(&self, name: &ContainerName) -> Result<()> {
        let unit = self.config.unit_name(name);
        let deadline = Instant::now() + self.patience(Job::Stop, &unit).await;
        // What waits for its next try does not stop a container that runs meanwhile, just as what has ended.
        let ran_nothing = self.doing(Job::Stop, &unit).await.is_ok_and(|doing| doing.is_over());
        match self.run(Job::Stop, &unit, deadline).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            done => done?,
        }
        let mut pause = FIRST_LOOK;
        while !self.doing(Job::Stop, &unit).await?.has_ended() {
            if Instant::now() >= deadline {
                let failure = self.failure(&unit, None).await;
                return Err(Error::new(ErrorKind::TimedOut, "stop unit", &unit).caused_by(failure));
            }
            sleep(pause).await;
            pause = (pause * 2).min(SLOWEST_LOOK);
        }
        let container = self.runtime.container(name).await?;
        if !ran_nothing && container.is_some_and(|container| container.status.is_up()) {
            let failure = self.failure(&unit, None).await;
            let reason = format!("its container goes on running; {failure}");
            return Err(Error::new(ErrorKind::EngineFailed, "stop unit", &unit).because(reason));
        }
        // A container that had to be killed leaves its unit failed, though all went as it was asked for.
        self.forget_failures(&unit).await.map_err(|error| failed("stop unit", &unit, error))
    }

    /// Has systemd do it, and waits for what became of that job.
    async fn run(&self, job: Job, unit: &str, deadline: Instant) -> Result<()> {
        let wrong = |error| failed(job.operation(), unit, error);
        // First listen, then ask: the job may be done before the answer is here.
        let mut removed = self.manager.receive_job_removed().await.map_err(wrong)?;
        let asked = match job {
            Job::Start => self.manager.start_unit(unit, "replace").await,
            Job::Stop => self.manager.stop_unit(unit, "replace").await,
            Job::Restart => self.manager.restart_unit(unit, "replace").await,
        };
        let asked = asked.map_err(wrong)?;
        loop {
            let lost = || Error::new(ErrorKind::Unreachable, job.operation(), unit).because("the bus hung up");
            let Ok(signal) = timeout_at(deadline, removed.next()).await else {
                drop(removed);
                let failure = self.failure(unit, Some(JobResult::Unfinished)).await;
                return Err(Error::new(ErrorKind::TimedOut, job.operation(), unit).caused_by(failure));
            };
            let signal = signal.ok_or_else(lost)?;
            let ended = signal.args().map_err(wrong)?;
            if ended.job.as_str() != asked.as_str() {
                continue;
            }
            let result = JobResult::new(ended.result);
            // Signals that nobody takes would hold up all answers.
            drop((signal, removed));
            return match result {
                JobResult::Done | JobResult::Skipped => Ok(()),
                result => {
                    let kind = result.kind();
                    let failure = self.failure(unit, Some(result)).await;
                    Err(Error::new(kind, job.operation(), unit).caused_by(failure))
                }
            };
        }
    }

    /// How long it may take: a stop, and the one that is part of a restart, as long as the unit says on top.
    async fn patience(&self, job: Job, unit: &str) -> Duration {
        let to_stop = match job {
            Job::Start => None,
            Job::Stop | Job::Restart => self.stop_time(unit).await.ok(),
        };
        // What may take for ever is `infinity` to systemd, and not to us.
        let to_stop = to_stop.filter(|micros| *micros != u64::MAX).map(Duration::from_micros);
        self.config.deadline.saturating_add(to_stop.unwrap_or_default()).min(Duration::from_hours(24))
    }

    async fn stop_time(&self, unit: &str) -> zbus::Result<u64> {
        let path = self.manager.load_unit(unit).await?;
        bus::service(self.manager.inner().connection(), path).await?.timeout_stop_usec().await
    }

    /// A start that somebody asks for is not refused for those that failed before.
    async fn forget_failures(&self, unit: &str) -> zbus::Result<()> {
        match self.manager.reset_failed_unit(unit).await {
            Err(error) if meaning(&error) == Meaning::NoSuchUnit => Ok(()),
            done => done,
        }
    }

    async fn doing(&self, job: Job, unit: &str) -> Result<Doing> {
        let doing = async {
            let path: OwnedObjectPath = self.manager.load_unit(unit).await?;
            let there = bus::unit(self.manager.inner().connection(), path).await?;
            Ok(Doing { active: there.active_state().await?, sub: there.sub_state().await? })
        };
        doing.await.map_err(|error| failed(job.operation(), unit, error))
    }

    /// What is known of a unit that failed; what cannot be found out is left out.
    pub(crate) async fn failure(&self, unit: &str, job: Option<JobResult>) -> UnitFailure {
        let unknown = || "unknown".to_owned();
        let mut failure = UnitFailure {
            unit: unit.to_owned(),
            job,
            result: unknown(),
            sub_state: unknown(),
            ending: None,
            lines: Vec::new(),
        };
        let connection = self.manager.inner().connection();
        let Ok(path) = self.manager.load_unit(unit).await else { return failure };
        if let Ok(there) = bus::unit(connection, path.clone()).await {
            failure.sub_state = there.sub_state().await.unwrap_or_else(|_| unknown());
            failure.lines = journal::last_lines(&self.config, &there.invocation_id().await.unwrap_or_default()).await;
        }
        if let Ok(service) = bus::service(connection, path).await {
            failure.result = service.result().await.unwrap_or_else(|_| unknown());
            let (code, status) = (service.exec_main_code().await, service.exec_main_status().await);
            failure.ending = code.ok().zip(status.ok()).and_then(ending);
        }
        failure
    }
}

/// How a process ended, from `si_code` and `si_status` of `waitid(2)`.
fn ending((code, status): (i32, i32)) -> Option<String> {
    match code {
        1 => Some(format!("exit status {status}")),
        2 | 3 => Some(format!("signal {status}")),
        _ => None,
    }
}

/// What a unit is doing, in systemd's words.
struct Doing {
    active: String,
    sub: String,
}

impl Doing {
    /// Whether the container is being started, or runs.
    fn may_come_up(&self) -> bool {
        matches!(self.active.as_str(), "active" | "activating" | "reloading") && !self.waits()
    }

    /// Whether this try is over, and it is known how; another one may follow.
    fn is_over(&self) -> bool {
        self.has_ended() || self.waits()
    }

    fn has_ended(&self) -> bool {
        matches!(self.active.as_str(), "inactive" | "failed")
    }

    /// For the next try.
    fn waits(&self) -> bool {
        self.sub.starts_with("auto-restart")
    }
}
