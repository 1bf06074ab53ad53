//! The facade: observe, plan, apply.

mod checks;
mod lock;
mod observe;
mod stopping;
mod unfinished;

use std::sync::Arc;

use crate::apply::{self, Listener, Means, Report, Silent, StopSignal};
use crate::diff::{self, Comparison};
use crate::error::{Error, ErrorKind, Result};
use crate::images::ImageManager;
use crate::name::ContainerName;
use crate::plan::{Context, Goals, Observation, Plan};
use crate::runtime::Runtime;
use crate::spec::ContainerSpec;
use crate::supervisor::Supervisor;
use crate::timestamp::Timestamp;

/// Brings containers to their goals, and keeps them there run by run.
///
/// Clones share everything, the locks too: within one process, a container is dealt with by one call
/// at a time.
///
/// ```
/// use std::sync::Arc;
/// use kolla_container_core::{ContainerSpec, Goal, Goals, Reconciler, memory::MemoryEngine};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reconciler = Reconciler::new(Arc::new(MemoryEngine::new()));
/// let goals = Goals::one("web".parse()?, Goal::running(ContainerSpec::new("nginx:1.27".parse()?)));
///
/// println!("{}", reconciler.plan(&goals).await?);
/// let report = reconciler.reconcile(&goals).await?;
///
/// assert!(report.is_success());
/// assert!(reconciler.plan(&goals).await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Reconciler {
    runtime: Arc<dyn Runtime>,
    images: Option<ImageManager>,
    supervisor: Option<Arc<dyn Supervisor>>,
    comparison: Comparison,
    listener: Arc<dyn Listener>,
    stop: StopSignal,
    jobs: usize,
    take_over: bool,
    check_config: bool,
    look_once: bool,
    now: fn() -> Timestamp,
    locks: Arc<lock::Locks>,
}

impl Reconciler {
    /// How many requests, or containers, are under way at the same time unless stated.
    pub const JOBS: usize = 16;

    /// For containers of `runtime`, compared strictly, without a supervisor.
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self {
            runtime,
            images: None,
            supervisor: None,
            comparison: Comparison::strict(),
            listener: Arc::new(Silent),
            stop: StopSignal::new(),
            jobs: Self::JOBS,
            take_over: false,
            check_config: false,
            look_once: false,
            now: Timestamp::now,
            locks: Arc::default(),
        }
    }

    /// With somebody who pulls images: as whom, how many at a time, and not too soon after a failure. It has to be one for
    /// the same engine. Default: one for each apply, which pulls three at a time and as nobody in particular.
    ///
    /// A plan pulls what is missing. To see what a registry has by now, [ensure](ImageManager::ensure) the images before, by
    /// another policy.
    pub fn with_images(mut self, images: ImageManager) -> Self {
        self.images = Some(images);
        self
    }

    /// With a supervisor, which starts and stops all containers whose spec does not say otherwise.
    pub fn with_supervisor(mut self, supervisor: Arc<dyn Supervisor>) -> Self {
        self.supervisor = Some(supervisor);
        self
    }

    /// With another choice of what is compared. Default: [`Comparison::strict`].
    pub fn with_comparison(mut self, comparison: Comparison) -> Self {
        self.comparison = comparison;
        self
    }

    /// With somebody who is told how far an apply is.
    pub fn with_listener(mut self, listener: Arc<dyn Listener>) -> Self {
        self.listener = listener;
        self
    }

    /// With a signal that ends an apply early and orderly.
    pub fn with_stop_signal(mut self, stop: StopSignal) -> Self {
        self.stop = stop;
        self
    }

    /// With at most so many requests, or containers, under way at the same time. Default: 16.
    pub fn with_jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Taking over replacements that another run may still be at work on. Default: no, a conflict.
    ///
    /// That run must be dead. Its engine may still be stopping a container for it, and Docker does not say so: where that may be,
    /// each look waits until it is over, for the stop timeout and five seconds at most.
    pub fn taking_over(mut self, take_over: bool) -> Self {
        self.take_over = take_over;
        self
    }

    /// Running the config checks of containers that are otherwise as they should be, each for as long as a request may take
    /// (`deploy.deadlines.request`). Default: no.
    pub fn checking_config(mut self, check_config: bool) -> Self {
        self.check_config = check_config;
        self
    }

    /// Taking what a first look shows for the state of things, instead of waiting for what passes by itself:
    /// for a [recorded engine](crate::snapshot), on which nothing does. Default: no.
    pub fn looking_once(mut self, look_once: bool) -> Self {
        self.look_once = look_once;
        self
    }

    /// With another clock, for tests.
    pub fn with_clock(mut self, now: fn() -> Timestamp) -> Self {
        self.now = now;
        self
    }

    /// The engine.
    pub fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.runtime
    }

    /// Looks at everything that the goals are about. Nothing is changed.
    pub async fn observe(&self, goals: &Goals) -> Result<Observation> {
        observe::observe(goals, self).await
    }

    /// Decides what to do: the dry run. Nothing is changed.
    ///
    /// A goal with violations is an error that lists all violations of all goals. A container that may
    /// not be touched is refused in the plan, and the others are planned.
    pub async fn plan(&self, goals: &Goals) -> Result<Plan> {
        let mut seen = self.observe(goals).await?;
        loop {
            let (plan, needs) = crate::plan::plan(goals, &seen, &self.context())
                .map_err(|violations| Error::new(ErrorKind::Rejected, "plan", "containers").caused_by(violations))?;
            let due = if self.check_config { checks::due(&plan) } else { Vec::new() };
            if needs.is_empty() && due.is_empty() {
                return Ok(plan);
            }
            if needs.is_empty() {
                seen.config_checks.extend(checks::look(due, self).await);
            } else {
                observe::details(&needs, &mut seen, self).await?;
            }
        }
    }

    /// Carries out a plan. Each container is locked meanwhile.
    pub async fn apply(&self, plan: &Plan) -> Report {
        let _held = self.locks.hold(plan.containers.iter().map(|container| &container.name)).await;
        self.apply_locked(plan).await
    }

    /// Plans and applies, in one go: nobody else in this process can come between.
    pub async fn reconcile(&self, goals: &Goals) -> Result<Report> {
        let _held = self.locks.hold(goals.iter().map(|(name, _)| name)).await;
        let plan = self.plan(goals).await?;
        Ok(self.apply_locked(&plan).await)
    }

    /// The container `name` as a spec, without what its image and its engine imply; `None` when there is
    /// no such container. The values of secrets are in it.
    pub async fn export(&self, name: &ContainerName) -> Result<Option<ContainerSpec>> {
        let Some(container) = self.runtime.container(name).await? else { return Ok(None) };
        let image = self.runtime.image_by_id(&container.image_id).await?;
        let container = observe::with_names(container, self).await?;
        Ok(Some(diff::minimal(&container, image.as_ref(), self.runtime.engine())))
    }

    async fn apply_locked(&self, plan: &Plan) -> Report {
        let images = self.images.clone().unwrap_or_else(|| ImageManager::new(Arc::clone(&self.runtime)));
        let means = Means {
            runtime: self.runtime.as_ref(),
            images: &images,
            supervisor: self.supervisor.as_deref(),
            listener: self.listener.as_ref(),
            stop: &self.stop,
            jobs: self.jobs,
            now: self.now,
        };
        apply::apply(plan, &means).await
    }

    fn context(&self) -> Context<'_> {
        Context {
            engine: self.runtime.engine(),
            comparison: &self.comparison,
            supervisor: self.supervisor.as_deref(),
            take_over: self.take_over,
        }
    }
}
