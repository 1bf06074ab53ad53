//! The actions on containers.

use std::sync::Arc;
use std::time::Duration;

use kolla_container_core::apply::RunOutput;
use kolla_container_core::dialect::kolla::State;
use kolla_container_core::diff::Comparison;
use kolla_container_core::images::{ImageManager, PullPolicy};
use kolla_container_core::plan::{Action, Cause, ContainerPlan, Effect, RunOptions};
use kolla_container_core::spec::Stale;
use kolla_container_core::state::{ContainerState, Status};
use kolla_container_core::{
    ContainerName, ContainerSpec, Goal, Goals, Plan, Reconciler, Runtime, StopSignal, Supervisor, VolumeName,
};

use crate::answer::{Answer, Ended};
use crate::call::ContainerCall;
use crate::config::{self, Checked};
use crate::differences::{Difference, Differences, sides};
use crate::failure::{self, Failure};
use crate::{image, interrupt, volume};

/// How long the output of a container that has ended may take.
const OUTPUT_PATIENCE: Duration = Duration::from_mins(2);

/// A container, and everybody who has to do with it.
pub(crate) struct Container<'a> {
    pub(crate) call: &'a ContainerCall,
    pub(crate) name: ContainerName,
    pub(crate) runtime: Arc<dyn Runtime>,
    images: ImageManager,
    supervisor: Option<Arc<dyn Supervisor>>,
    reconciler: Reconciler,
}

impl<'a> Container<'a> {
    pub(crate) fn new(
        call: &'a ContainerCall,
        runtime: Arc<dyn Runtime>,
        images: ImageManager,
        supervisor: Option<Arc<dyn Supervisor>>,
    ) -> Result<Self, Failure> {
        // Ansible does one task at a time on a host: what is half done there, somebody has left behind.
        let reconciler = Reconciler::new(Arc::clone(&runtime)).with_comparison(Comparison::kolla()).taking_over(true);
        let reconciler = reconciler.with_images(images.clone());
        let reconciler = supervisor.clone().into_iter().fold(reconciler, Reconciler::with_supervisor);
        Ok(Self { call, name: call.name()?, runtime, images, supervisor, reconciler })
    }

    /// The unit goes with it, and goes also where only that is left.
    pub(crate) async fn remove(&self) -> Result<Answer, Failure> {
        self.reach(Goal::Absent { volumes: false, grace: self.call.grace() }).await
    }

    async fn there(&self) -> Result<Option<ContainerState>, Failure> {
        Ok(self.runtime.container(&self.name).await?)
    }

    pub(crate) async fn compare(&self) -> Result<Answer, Failure> {
        let Some(mut there) = self.there().await? else {
            let missing = Difference::new("container_missing", serde_json::Value::Null, self.name.as_str());
            let diff = self.call.diff.then(|| sides("absent", "running", None));
            return Ok(compared(vec![missing], diff));
        };
        let spec = self.call.spec()?;
        // All of them only look, and the check takes longer than the rest.
        let (plan, is_without_image, checked) = tokio::join!(
            self.plan(self.goal(spec.clone())),
            self.image_is_missing(&spec),
            config::check(&spec, &there, self.runtime.as_ref()),
        );
        let plan = plan?;
        let mut found = Differences::default();
        if let Some(plan) = plan.containers.first() {
            if plan.steps.iter().any(|step| step.cause == Cause::Interrupted) {
                // What had begun to stop it has been waited for.
                there = self.there().await?.unwrap_or(there);
            }
            found = Differences::of(plan, &there, self.call);
        }
        if is_without_image? {
            found.add_image(&there.image_id, self.call);
        }
        match checked? {
            Checked::UpToDate => {}
            Checked::OutOfDate(said) => found.add(Difference::new("config", said, "up_to_date")),
        }
        let found = found.in_order();
        let diff = self.call.diff.then(|| {
            let desired =
                if found.is_empty() { there.status.to_string() } else { self.call.wanted_status().to_string() };
            sides(&there.status.to_string(), &desired, plan.containers.first())
        });
        Ok(compared(found, diff))
    }

    pub(crate) async fn start(&self) -> Result<Answer, Failure> {
        let spec = self.call.spec()?;
        let pulled = match &spec.image {
            Some(image) => image::pulled(self.call, &self.images, image, PullPolicy::Missing).await?,
            None => false,
        };
        let answer = if self.call.parameters.detach == Some(false) {
            self.run(spec).await
        } else {
            self.reach_state(spec).await
        };
        Ok(answer.unwrap_or_else(Answer::from).after(pulled))
    }

    /// One that is to have ended may wait for its first start, but may not run.
    async fn reach_state(&self, spec: ContainerSpec) -> Result<Answer, Failure> {
        let answer = self.reach(self.goal(spec)).await?;
        let wants_exit = self.call.parameters.state == Some(State::Exited) && !answer.failed;
        if wants_exit && self.there().await?.is_some_and(|there| there.status.is_up()) {
            let stopped = self.reach(Goal::Stopped { grace: self.call.grace() }).await;
            return Ok(stopped.unwrap_or_else(Answer::from).after(answer.changed));
        }
        Ok(answer)
    }

    /// Runs it to its end. One that is at it already is waited for, one that is another one makes room.
    async fn run(&self, spec: ContainerSpec) -> Result<Answer, Failure> {
        let remove = self.removes_on_exit();
        if let Some(there) = self.there().await?.filter(|there| there.status.is_up() || there.status.is_passing()) {
            let differs = self.plan(Goal::Created(Box::new(spec.clone()))).await?;
            let differs =
                differs.containers.iter().any(|plan| plan.changes.iter().any(|one| one.field.as_str() != "unit"));
            if !differs && there.status == Status::Running {
                if self.call.check {
                    let removed = if remove { self.remove().await? } else { Answer::of(false) };
                    return Ok(Answer { ended: Some(Ended::default()), ..removed });
                }
                let exit = self.runtime.wait_container(&there.id).await?;
                let (output, warnings) =
                    RunOutput::read(self.runtime.as_ref(), &there.id, exit.code, OUTPUT_PATIENCE).await;
                let removed = if remove { self.remove().await.unwrap_or_else(Answer::from) } else { Answer::of(false) };
                return Ok(finished(Answer { warnings, ..removed }, output));
            }
        }
        self.reach(self.run_to_its_end(spec)).await
    }

    fn run_to_its_end(&self, spec: ContainerSpec) -> Goal {
        let options = RunOptions { remove: self.removes_on_exit(), over_running: true, ..RunOptions::default() };
        Goal::Run(Box::new(spec), options)
    }

    fn removes_on_exit(&self) -> bool {
        self.call.parameters.remove_on_exit.unwrap_or(true)
    }

    pub(crate) async fn recreate_or_restart(&self) -> Result<Answer, Failure> {
        let spec = self.call.spec()?;
        let stale = spec.deploy.config_check.as_ref().map(|check| check.stale);
        let is_there = self.there().await?.is_some();
        let is_waited_for = self.call.parameters.detach == Some(false);
        // Nobody can say that it has the image that is asked for.
        if is_there && (stale == Some(Stale::Recreate) || self.image_is_missing(&spec).await?) {
            let goal = if is_waited_for { self.run_to_its_end(spec) } else { Goal::Replace(Box::new(spec)) };
            return self.reach(goal).await;
        }
        let plan = self.plan(self.goal(spec.clone())).await?;
        if is_waited_for && plan.containers.iter().any(is_change) {
            return self.run(spec).await;
        }
        let is_started_anew = plan.containers.first().is_some_and(|plan| {
            matches!(plan.effect, Effect::Created | Effect::Started | Effect::Restarted | Effect::Replaced)
        });
        let answer = self.reach_state(spec).await?;
        let is_to_run = self.call.wanted_status() == Status::Running;
        if is_started_anew || stale != Some(Stale::Restart) || answer.failed || !is_to_run {
            return Ok(answer);
        }
        // It copies its configuration when it starts, whatever was to be done besides.
        let restarted = self.reach(Goal::Restart { grace: self.call.grace() }).await;
        Ok(restarted.unwrap_or_else(Answer::from).after(answer.changed))
    }

    pub(crate) async fn restart(&self) -> Result<Answer, Failure> {
        if self.there().await?.is_none() {
            return Ok(Answer::failed(format!("No such container: {}", self.name)));
        }
        let is_installed = self.install_unit().await?;
        let restarted = self.reach(Goal::Restart { grace: self.call.grace() }).await;
        Ok(restarted.unwrap_or_else(Answer::from).after(is_installed))
    }

    /// Writes the unit where it is not as it should be, as a restart does; answers whether it was not.
    async fn install_unit(&self) -> Result<bool, Failure> {
        let supervisor = self.supervisor.as_ref().filter(|_| self.call.is_supervised() && !self.call.check);
        let Some(supervisor) = supervisor else { return Ok(false) };
        let text = supervisor.render(&self.call.service(self.runtime.engine().kind)?);
        let there = supervisor.unit(&self.name).await?;
        if there.is_some_and(|unit| unit.text == text && unit.enabled && unit.loaded) {
            return Ok(false);
        }
        supervisor.install(&self.name, &text).await?;
        Ok(true)
    }

    pub(crate) async fn stop(&self) -> Result<Answer, Failure> {
        if self.there().await?.is_none() {
            return Ok(match self.call.parameters.ignore_missing {
                Some(true) => Answer::of(false),
                _ => Answer::failed(format!("No such container: {} to stop", self.name)),
            });
        }
        self.reach(Goal::Stopped { grace: self.call.grace() }).await
    }

    async fn image_is_missing(&self, spec: &ContainerSpec) -> Result<bool, Failure> {
        match &spec.image {
            Some(image) => Ok(self.runtime.image(image).await?.is_none()),
            None => Ok(false),
        }
    }

    /// What the parameters want of the container.
    fn goal(&self, spec: ContainerSpec) -> Goal {
        match self.call.parameters.state {
            Some(State::Exited) => Goal::Created(Box::new(spec)),
            Some(State::Paused) => Goal::Paused(Box::new(spec)),
            None | Some(State::Running) => Goal::running(spec),
        }
    }

    async fn plan(&self, goal: Goal) -> Result<Plan, Failure> {
        let mut plan = self.reconciler.plan(&Goals::one(self.name.clone(), goal)).await?;
        // A goal without a spec says nothing of it.
        for container in &mut plan.containers {
            container.deadlines.request = container.deadlines.request.or_else(|| self.call.client_timeout());
        }
        let refused = plan.refused().next().map(|(_, error)| error.clone());
        match refused {
            Some(error) => Err(error.into()),
            None => Ok(plan),
        }
    }

    /// Brings the container to its goal; where that is only to be checked, says what would be done.
    async fn reach(&self, goal: Goal) -> Result<Answer, Failure> {
        let waits = matches!(goal, Goal::Run(..));
        let after = match &goal {
            Goal::Absent { .. } => "absent",
            Goal::Stopped { .. } | Goal::Created(_) => "exited",
            Goal::Paused(_) => "paused",
            Goal::Run(_, options) if options.remove => "run to its end, and removed",
            Goal::Run(..) => "run to its end",
            Goal::Restart { .. } => "running, started anew",
            _ => "running",
        };
        let before = match (self.call.diff, self.there().await?) {
            (false, _) => String::new(),
            (true, Some(there)) => there.status.to_string(),
            (true, None) => "absent".to_owned(),
        };
        let plan = self.plan(goal).await?;
        let changes = plan.containers.iter().any(is_change);
        let after = if changes { after } else { &before };
        let diff = self.call.diff.then(|| sides(&before, after, plan.containers.first()));
        if self.call.check {
            // Roles look at what a container that is waited for has printed.
            let ended = waits.then(Ended::default);
            return Ok(Answer { ended, diff, ..Answer::of(changes) });
        }
        let made = self.make_volumes(&plan).await?;
        let stop = StopSignal::new();
        let reconciler = self.reconciler.clone().with_stop_signal(stop.clone());
        let report = interrupt::during(reconciler.apply(&plan), &stop).await;
        let answer = Answer { diff, ..Answer::of(report.is_changed()) };
        let Some(container) = report.containers.into_iter().next() else { return Ok(answer) };
        let answer = Answer { warnings: container.warnings, ..answer };
        if let Err(failed) = container.outcome {
            // A container that has run may have written something into them.
            let mut steps = container.steps.iter().map(|step| &step.action).chain([&failed.step]);
            let has_run = steps.any(|step| step.starts_with("start"));
            let stays = if has_run { !made.is_empty() } else { self.unmake_volumes(made).await };
            return Ok(answer.but_failed(failure::of_step(self.call, &failed)).after(stays));
        }
        let Some(output) = container.output else { return Ok(answer) };
        Ok(finished(answer, output))
    }

    /// Volumes that a plan would make get the module's mark.
    async fn make_volumes(&self, plan: &Plan) -> Result<Vec<VolumeName>, Failure> {
        let mut made = Vec::new();
        for step in plan.containers.iter().flat_map(|plan| &plan.steps) {
            if let Action::CreateVolume { volume } = &step.action
                && self.runtime.volume(volume).await?.is_none()
            {
                match volume::make(volume, self.runtime.as_ref()).await {
                    Ok(()) => made.push(volume.clone()),
                    Err(error) => {
                        self.unmake_volumes(made).await;
                        return Err(error);
                    }
                }
            }
        }
        Ok(made)
    }

    /// Takes away what was made for nothing; answers whether some of it stays.
    async fn unmake_volumes(&self, made: Vec<VolumeName>) -> bool {
        let mut stays = false;
        for volume in made {
            stays |= self.runtime.remove_volume(&volume).await.is_err();
        }
        stays
    }
}

/// Whether it does more than to watch.
fn is_change(plan: &ContainerPlan) -> bool {
    !matches!(plan.effect, Effect::Unchanged | Effect::Verified)
}

fn compared(found: Vec<Difference>, diff: Option<serde_json::Value>) -> Answer {
    let differs = !found.is_empty();
    Answer { result: Some(differs), comparison_failures: found, diff, ..Answer::of(differs) }
}

/// The answer of a run that has ended.
fn finished(answer: Answer, output: RunOutput) -> Answer {
    let code = output.code;
    let answer = Answer { ended: Some(output.into()), ..answer };
    if code == 0 || answer.failed {
        return answer;
    }
    answer.but_failed(format!("Container exited with non-zero return code {code}"))
}
