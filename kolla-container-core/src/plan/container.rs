//! One container: from its goal and what is there to the steps between them.

use std::borrow::Cow;
use std::sync::Arc;

use super::step::{Action, Cause, Steps, Target};
use super::unit::Unit;
use super::{ContainerPlan, Context, Effect, Freshness, Goal, Needs, Observation};
use crate::diff::{self, Comparison, Diff, Mode, Remedy, Surroundings};
use crate::error::{Error, ErrorKind};
use crate::name::ContainerName;
use crate::quantity::TimeSpan;
use crate::spec::{ContainerSpec, Stale};
use crate::state::{ContainerState, Health, Status};
use crate::supervisor::{UnitState, UnitText};

/// Plans one container. `forced` is why it has to be replaced whatever the comparison says.
pub(super) fn plan(
    name: &ContainerName,
    goal: &Goal,
    seen: &Observation,
    context: &Context<'_>,
    forced: Option<&Cause>,
    needs: &mut Needs,
) -> ContainerPlan {
    if let Some(Err(error)) = seen.containers.get(name) {
        return ContainerPlan::refused(name.clone(), error.clone());
    }
    let mut unit = Unit::new(name, goal.spec(), seen.units.get(name).and_then(Option::as_ref), context);
    if let Some(error) = unit.refusal(name) {
        return ContainerPlan::refused(name.clone(), error);
    }
    let recovery = match super::recover::recover(name, goal, seen, &unit, context) {
        Ok(recovery) => recovery,
        Err(error) => return ContainerPlan::refused(name.clone(), error),
    };
    unit.was_stopped = recovery.unit_stopped;

    let mut plan = ContainerPlan::new(name.clone());
    let survivor = recovery.survivor.map(Arc::new);
    plan.survivor.clone_from(&survivor);
    if let Some(spec) = goal.spec() {
        plan.deadlines = spec.deploy.deadlines;
    }
    let configs = [goal.spec(), survivor.as_deref().map(|survivor| &survivor.config)];
    let stop_times = configs.into_iter().flatten().filter_map(|config| config.stop_timeout);
    plan.stop_time = stop_times.map(TimeSpan::as_duration).chain([plan.stop_time]).max().unwrap_or_default();
    if !recovery.steps.is_empty() {
        plan.effect = Effect::Repaired;
        plan.steps = recovery.steps;
        plan.notes.push("an earlier run was interrupted; what it left behind is cleared away first".to_owned());
    }
    // To its engine, a supervised container is one that the engine itself never restarts.
    let wanted = goal
        .spec()
        .map(|spec| if unit.is_wanted() { diff::without_engine_restart(spec.clone()) } else { spec.clone() });
    let mut subject = Subject { name, goal, seen, context, unit: &unit, revived: recovery.revived, needs, plan };
    match wanted {
        Some(wanted) => subject.towards(&wanted, survivor.as_deref(), forced),
        None => subject.without_spec(survivor.as_deref()),
    }
    subject.note_hidden_unit();
    subject.plan
}

/// A container that is being planned.
pub(super) struct Subject<'a> {
    pub(super) name: &'a ContainerName,
    pub(super) goal: &'a Goal,
    pub(super) seen: &'a Observation,
    pub(super) context: &'a Context<'a>,
    pub(super) unit: &'a Unit<'a>,
    /// Whether the container was started again, if it could be.
    pub(super) revived: bool,
    pub(super) needs: &'a mut Needs,
    pub(super) plan: ContainerPlan,
}

impl Subject<'_> {
    pub(super) fn take(&mut self, steps: Steps, effect: Effect) {
        if !steps.steps.is_empty() {
            self.plan.steps.extend(steps.steps);
            self.plan.effect = effect;
        }
    }

    pub(super) fn refuse(&mut self, kind: ErrorKind, operation: &'static str, reason: impl std::fmt::Display) {
        let error = Error::new(kind, operation, self.name).because(reason);
        self.plan = ContainerPlan::refused(self.name.clone(), error);
    }

    fn towards(&mut self, wanted: &ContainerSpec, there: Option<&ContainerState>, forced: Option<&Cause>) {
        if let Goal::Run(_, options) = self.goal {
            return self.run(wanted, there, *options);
        }
        let Some(old) = there else { return self.create(wanted) };
        if old.status == Status::Removing {
            return self.refuse(ErrorKind::Conflict, "plan container", "it is being removed, and that takes long");
        }
        let found = self.compare(wanted, old);
        self.note_unreported(&found);
        let unit_change = self.unit.change();
        self.plan.changes.clone_from(&found.changes);
        self.plan.changes.extend(unit_change);

        let differs = || Cause::Differs(found.changes.iter().map(|change| change.field.clone()).collect());
        let cause = match (self.goal, forced, found.remedy()) {
            (Goal::Replace(_), ..) => Some(Cause::Asked),
            (.., Some(Remedy::Recreate)) => Some(differs()),
            (_, Some(cause), _) if !matches!(cause, Cause::JoinedAnew(_)) => Some(cause.clone()),
            _ if old.status == Status::Dead => Some(Cause::Status(Status::Dead)),
            _ => None,
        };
        if let Some(cause) = cause {
            return self.replace(wanted, old, cause);
        }
        if found.remedy() == Some(Remedy::Update) {
            let update = {
                let comparison = self.comparison();
                diff::update_for(&found.changes, wanted, old, &self.surroundings(wanted, old, &comparison))
            };
            let reverse = diff::reverse_update(&update, old);
            let target = Target::Existing(old.id.clone());
            let mut steps = Steps::because(differs());
            steps.undone_by(
                Action::Update { target: target.clone(), update: Box::new(update) },
                [Action::Update { target, update: Box::new(reverse) }],
            );
            self.note_limits_that_were_not_set(&found, old);
            self.take(steps, Effect::Updated);
        }
        self.reach_state(old, forced);
        self.check_config(wanted, old);
    }

    pub(super) fn surroundings<'s>(
        &'s self,
        wanted: &ContainerSpec,
        old: &ContainerState,
        comparison: &'s Comparison,
    ) -> Surroundings<'s> {
        Surroundings {
            image: self.seen.used_images.get(&old.image_id).and_then(Option::as_ref),
            wanted_image: wanted.image.as_ref().and_then(|image| self.seen.images.get(image)?.as_ref()),
            engine: self.context.engine,
            comparison,
        }
    }

    fn compare(&self, wanted: &ContainerSpec, old: &ContainerState) -> Diff {
        let comparison = self.comparison();
        diff::diff(wanted, old, &self.surroundings(wanted, old, &comparison))
    }

    /// That the engine leaves the restarting to the supervisor is compared in any case.
    fn comparison(&self) -> Cow<'_, Comparison> {
        let supervised = self.unit.is_wanted().then(|| self.context.comparison.clone().with("restart", Mode::Strict));
        supervised.and_then(Result::ok).map_or(Cow::Borrowed(self.context.comparison), Cow::Owned)
    }

    fn note_unreported(&mut self, found: &Diff) {
        if !found.unreported.is_empty() {
            let fields = crate::text::join(&found.unreported, ", ");
            self.plan.notes.push(format!("not compared, because this engine does not report it: {fields}"));
        }
    }

    fn note_limits_that_were_not_set(&mut self, found: &Diff, old: &ContainerState) {
        let fields = diff::limits_that_were_not_set(&found.changes, old).join(", ");
        if !fields.is_empty() {
            self.plan.notes.push(format!("cannot be undone in place, because it was not limited before: {fields}"));
        }
    }

    /// From a container that is configured as it should be to the state that is wanted. `forced` is why it has to be
    /// restarted although it runs.
    fn reach_state(&mut self, old: &ContainerState, forced: Option<&Cause>) {
        let target = Target::Existing(old.id.clone());
        if matches!(self.goal, Goal::Created(_)) && !self.revived {
            return;
        }
        let wants_pause = matches!(self.goal, Goal::Paused(_));
        if self.unit.starts_otherwise && self.unit.is_active() {
            return self.start_otherwise(old, wants_pause);
        }
        self.mend_unit();
        let wants_health = matches!(self.goal, Goal::Healthy(_)) && old.config.healthcheck.is_active();
        let mut steps = Steps::because(Cause::Status(old.status.clone()));
        match &old.status {
            Status::Running | Status::Paused if self.unit.is_wanted() && !self.unit.is_active() => {
                let mut steps = Steps::because(Cause::OutsideUnit);
                let freeze = (old.status == Status::Paused).then(|| Action::Pause { target: target.clone() });
                let undo = [Action::Start { target: target.clone() }].into_iter().chain(freeze);
                steps.undone_by(Action::Stop { target: target.clone(), grace: self.grace(old) }, undo);
                self.start(&target, &mut steps);
                if wants_pause {
                    steps.once(Action::Pause { target });
                }
                self.take(steps, Effect::Restarted);
            }
            Status::Running | Status::Paused if forced.is_some() => {
                let mut steps = Steps::because(forced.cloned().unwrap_or(Cause::Asked));
                self.restart(old, None, &mut steps);
                if wants_pause {
                    steps.once(Action::Pause { target });
                }
                self.take(steps, Effect::Restarted);
            }
            Status::Running if wants_pause => {
                steps.undone_by(Action::Pause { target: target.clone() }, [Action::Unpause { target }]);
                self.take(steps, Effect::Paused);
            }
            Status::Running if wants_health && old.health == Some(Health::Unhealthy) => {
                let mut steps = Steps::because(Cause::Unhealthy);
                self.restart(old, None, &mut steps);
                self.take(steps, Effect::Restarted);
            }
            Status::Running if wants_health && old.health != Some(Health::Healthy) => {
                steps.once(self.verify(&target));
                self.take(steps, Effect::Verified);
            }
            Status::Running if self.revived => {
                let mut steps = Steps::because(Cause::Interrupted);
                steps.once(self.verify(&target));
                self.take(steps, Effect::Repaired);
            }
            Status::Running => {}
            Status::Paused if wants_pause => {}
            Status::Paused => {
                steps.undone_by(Action::Unpause { target: target.clone() }, [Action::Pause { target: target.clone() }]);
                if wants_health {
                    steps.once(self.verify(&target));
                }
                self.take(steps, Effect::Unpaused);
            }
            Status::Created | Status::Exited => {
                self.start(&target, &mut steps);
                if wants_pause {
                    steps.once(Action::Pause { target });
                }
                self.take(steps, Effect::Started);
            }
            Status::Restarting | Status::Stopping | Status::Removing | Status::Dead | Status::Unrecognised(_) => {
                steps.once(self.verify(&target));
                self.take(steps, Effect::Verified);
            }
        }
    }

    /// A unit that started something by another program: it stops that as it knows how to, and starts the container anew.
    fn start_otherwise(&mut self, old: &ContainerState, wants_pause: bool) {
        let (target, name) = (Target::Existing(old.id.clone()), self.name.clone());
        let mut steps = Steps::because(Cause::Unit);
        self.thaw(old, &mut steps);
        steps.undone_by(Action::StopUnit { name: name.clone() }, [Action::StartUnit { name }]);
        if old.status.is_up() {
            let stop = Action::Stop { target: target.clone(), grace: self.grace(old) };
            steps.undone_by(stop, [Action::Start { target: target.clone() }]);
        }
        steps.steps.extend(self.unit_steps().steps);
        self.start(&target, &mut steps);
        if wants_pause {
            steps.once(Action::Pause { target });
        }
        self.take(steps, Effect::Restarted);
    }

    /// Writes the unit where it is not as it should be, and takes it away where none is wanted.
    pub(super) fn mend_unit(&mut self) {
        let steps = self.unit_steps();
        self.take(steps, Effect::Repaired);
    }

    pub(super) fn unit_steps(&self) -> Steps {
        let name = self.name.clone();
        // One that is in another place has no text: ours hides it, and nothing of it has to be written again.
        let written_before = |there: &UnitState| {
            let text = UnitText::from(there.text.as_str());
            (!there.text.is_empty()).then(|| Action::InstallUnit { name: self.name.clone(), text })
        };
        let mut steps = Steps::because(Cause::Unit);
        match (&self.unit.wanted, self.unit.there) {
            (Some(text), None) => steps.undone_by(
                Action::InstallUnit { name: name.clone(), text: text.as_str().into() },
                [Action::RemoveUnit { name }],
            ),
            (Some(text), Some(there)) if self.unit.change().is_some() => steps.undone_by(
                Action::InstallUnit { name: name.clone(), text: text.as_str().into() },
                [written_before(there).unwrap_or(Action::RemoveUnit { name })],
            ),
            (None, Some(there)) if self.context.supervisor.is_some() => {
                steps.undone_by(Action::RemoveUnit { name }, written_before(there));
            }
            _ => {}
        }
        steps
    }

    /// Starts a container, by its unit where it has one, and watches it.
    pub(super) fn start(&self, target: &Target, steps: &mut Steps) {
        if self.unit.is_wanted() {
            let name = self.name.clone();
            steps.undone_by(Action::StartUnit { name: name.clone() }, [Action::StopUnit { name }]);
        } else {
            steps.undone_by(
                Action::Start { target: target.clone() },
                [Action::Stop { target: target.clone(), grace: self.goal.spec().and_then(|spec| spec.stop_timeout) }],
            );
        }
        steps.once(self.verify(target));
    }

    /// By its unit, where it has one. A unit knows one time in which to stop: another one that is asked for, the engine
    /// has to be told, and the unit then takes note that its container has ended before it would start it again.
    pub(super) fn restart(&self, old: &ContainerState, grace: Option<TimeSpan>, steps: &mut Steps) {
        let (target, name) = (Target::Existing(old.id.clone()), self.name.clone());
        // One that is taken away starts nothing any more.
        let has_unit = self.unit.is_wanted() || self.goal.spec().is_none();
        if has_unit && self.unit.is_active() && grace.is_none() {
            self.thaw(old, steps);
            steps.once(Action::RestartUnit { name });
        } else if has_unit && self.unit.may_start() {
            if old.status.is_up() {
                steps.once(Action::Stop { target: target.clone(), grace: grace.or_else(|| self.grace(old)) });
            }
            steps.once(Action::StopUnit { name: name.clone() });
            steps.once(Action::StartUnit { name });
        } else {
            steps.once(Action::Restart { target: target.clone(), grace: grace.or_else(|| self.grace(old)) });
        }
        steps.once(self.verify(&target));
    }

    /// How long a container may take that the engine stops, and that was made with another spec, or by somebody who stated no
    /// time: none is killed before both the times have passed that were stated.
    pub(super) fn grace(&self, old: &ContainerState) -> Option<TimeSpan> {
        let wanted = self.goal.spec().and_then(|spec| spec.stop_timeout);
        [wanted, old.config.stop_timeout].into_iter().flatten().max()
    }

    /// The command by which a unit stops its container cannot stop one that is paused.
    pub(super) fn thaw(&self, old: &ContainerState, steps: &mut Steps) {
        if old.status == Status::Paused && self.unit.is_active() {
            let target = Target::Existing(old.id.clone());
            steps.undone_by(Action::Unpause { target: target.clone() }, [Action::Pause { target }]);
        }
    }

    /// Says so where somebody else's unit would start the container again.
    pub(super) fn note_others(&mut self) {
        if self.unit.is_kept_by_others {
            let note = "a unit of its name that this library did not write may start it again: adopt or stop that unit";
            self.plan.notes.push(note.to_owned());
        }
    }

    /// A unit of another folder is enabled by the same link as ours, which goes when ours is taken away again.
    fn note_hidden_unit(&mut self) {
        let is_hidden = self.unit.there.is_some_and(|there| there.text.is_empty() && there.enabled && !there.masked);
        if is_hidden && self.plan.steps.iter().any(|step| matches!(step.action, Action::InstallUnit { .. })) {
            let note = "its unit in another folder is hidden by ours; taken back, that one has to be enabled again";
            self.plan.notes.push(note.to_owned());
        }
    }

    fn verify(&self, target: &Target) -> Action {
        let settle = self
            .goal
            .spec()
            .map_or_else(|| crate::spec::Deploy::default().settle_time(), |spec| spec.deploy.settle_time());
        Action::Verify { target: target.clone(), healthy: matches!(self.goal, Goal::Healthy(_)), settle }
    }

    /// The config check comes last, and only where nothing else is to do.
    fn check_config(&mut self, wanted: &ContainerSpec, old: &ContainerState) {
        let Some(check) = &wanted.deploy.config_check else { return };
        let is_up = old.status == Status::Running && matches!(self.goal, Goal::Running(_) | Goal::Healthy(_));
        if !is_up || !self.plan.steps.is_empty() {
            return;
        }
        match self.seen.config_checks.get(self.name) {
            None => self.plan.config_check = Some((old.id.clone(), check.clone())),
            Some(Ok(Freshness::Fresh)) => {}
            Some(Ok(Freshness::Stale)) if check.stale == Stale::Recreate => {
                self.replace(wanted, old, Cause::StaleConfig);
            }
            Some(Ok(Freshness::Stale)) => {
                let mut steps = Steps::because(Cause::StaleConfig);
                self.restart(old, None, &mut steps);
                self.take(steps, Effect::Restarted);
            }
            Some(Err(error)) => self.plan = ContainerPlan::refused(self.name.clone(), error.clone()),
        }
    }
}
