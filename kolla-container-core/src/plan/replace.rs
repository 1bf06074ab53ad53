//! Making a container, and putting a new one in the place of an old one.
//!
//! Everything that can fail happens before the old one is touched. Afterwards each step knows its
//! undo; undone in reverse, the new container is removed LAST, for its label is the only record.

use std::collections::{BTreeMap, BTreeSet};

use super::container::Subject;
use super::end::removes_itself;
use super::step::{Action, Cause, Replaced, Steps, Target};
use super::{Effect, Goal};
use crate::name::{ContainerName, VolumeName};
use crate::spec::{
    CleanPath, ContainerSpec, Endpoint, Mount, Mounts, NetworkMode, ReplaceOrder, RestartPolicy, Volume,
};
use crate::state::{ContainerState, ContainerUpdate, ImageState, Status};

impl Subject<'_> {
    /// A container that is not there yet.
    pub(super) fn create(&mut self, wanted: &ContainerSpec) {
        let mut steps = Steps::because(Cause::Missing);
        self.make(wanted, &self.name.clone(), None, &mut steps);
        if !matches!(self.goal, Goal::Created(_)) {
            steps.steps.extend(self.unit_steps().steps);
            self.start(&Target::New, &mut steps);
            if matches!(self.goal, Goal::Paused(_)) {
                steps.once(Action::Pause { target: Target::New });
            }
        }
        self.take(steps, Effect::Created);
    }

    /// Image, volumes, container: nothing that is there is touched by that.
    pub(super) fn make(
        &mut self,
        wanted: &ContainerSpec,
        name: &ContainerName,
        old: Option<&ContainerState>,
        steps: &mut Steps,
    ) {
        if let Some(image) = &wanted.image {
            let there = self.seen.images.get(image).and_then(Option::as_ref);
            // The same name stands for an image of each platform, and an engine has one of them at a time.
            let fits = |there: &ImageState| {
                wanted.platform.is_none() || wanted.platform == there.platform || there.is_unread()
            };
            if !there.is_some_and(fits) {
                steps.once(Action::PullImage { image: image.clone(), platform: wanted.platform.clone() });
            }
        }
        for volume in wanted.mounts.iter().flat_map(Mounts::volume_names) {
            let is_mounted = old.is_some_and(|old| old.volumes.values().any(|mounted| mounted == volume));
            match self.seen.details.volumes.get(volume) {
                _ if is_mounted => {}
                Some(true) => {}
                known => {
                    if known.is_none() {
                        self.needs.volumes.insert(volume.clone());
                    }
                    steps.undone_by(
                        Action::CreateVolume { volume: volume.clone() },
                        [Action::RemoveVolume { volume: volume.clone() }],
                    );
                }
            }
        }
        for network in wanted.network.networks.iter().flat_map(|networks| networks.keys()) {
            if !self.seen.details.networks.contains_key(network) {
                self.needs.networks.insert(network.clone());
            }
        }
        let mut spec = wanted.clone();
        let inherits = old.map(|old| self.inherit(&mut spec, old)).unwrap_or_default();
        steps.undone_by(
            Action::Create {
                name: name.clone(),
                spec: Box::new(spec),
                replaces: old.map(|old| Replaced { id: old.id.clone(), restart: self.policy_to_lose(old) }),
                inherits,
            },
            [Action::Discard { target: Target::New }],
        );
    }

    /// Data in anonymous volumes stays where it was: the new container mounts them by their names.
    /// Answers those of which only the image, once it is here, can tell whether they are still wanted.
    fn inherit(&mut self, spec: &mut ContainerSpec, old: &ContainerState) -> BTreeMap<CleanPath, VolumeName> {
        let image_declares = |target: &CleanPath| {
            let image = self.seen.images.get(spec.image.as_ref()?)?.as_ref().filter(|image| !image.is_unread())?;
            Some(image.config.mounts.as_ref().is_some_and(|mounts| mounts.0.contains_key(target)))
        };
        let mut undecided = BTreeMap::new();
        let mut certain = Vec::new();
        for (target, volume) in old.anonymous_volumes() {
            let stated = spec.mounts.as_ref().and_then(|mounts| mounts.0.get(target));
            match (stated, image_declares(target)) {
                (Some(Mount::Volume(Volume { name: None, .. })), _) | (None, Some(true)) => {
                    certain.push((target.clone(), volume.clone()));
                }
                (None, None) => {
                    self.plan.notes.push(format!(
                        "the anonymous volume of {target} is mounted again if the new image declares one there; \
                         its data stays in volume {volume}"
                    ));
                    undecided.insert(target.clone(), volume.clone());
                }
                (Some(_), _) | (None, Some(false)) if removes_itself(old) => self.plan.notes.push(format!(
                    "the anonymous volume of {target} is not mounted any more, and the engine deletes it with the old \
                     container (auto_remove): {volume}"
                )),
                (Some(_), _) | (None, Some(false)) => self.plan.notes.push(format!(
                    "the anonymous volume of {target} is not mounted any more; its data stays in volume {volume}"
                )),
            }
        }
        for (target, volume) in certain {
            let Mounts(mounts) = spec.mounts.get_or_insert_default();
            let mount = mounts.entry(target).or_insert_with(|| Mount::Volume(Volume::default()));
            if let Mount::Volume(anonymous) = mount {
                anonymous.name = Some(volume);
            }
        }
        undecided
    }

    /// A new container in the place of `old`.
    pub(super) fn replace(&mut self, wanted: &ContainerSpec, old: &ContainerState, cause: Cause) {
        self.plan.ends = Some(old.id.clone());
        let ends_up = !matches!(self.goal, Goal::Created(_)) || old.status.is_up();
        let start_first = self.can_start_first(wanted, old);
        let mut steps = Steps::because(cause);
        self.make(wanted, &self.name.next(), Some(old), &mut steps);
        if start_first && ends_up {
            self.start_new(wanted, &mut steps);
        }
        self.set_aside(old, &mut steps);
        steps.undone_by(
            Action::Rename { target: Target::New, to: self.name.clone() },
            [Action::Rename { target: Target::New, to: self.name.next() }],
        );
        if ends_up {
            steps.steps.extend(self.unit_steps().steps);
            if !start_first {
                self.start_new(wanted, &mut steps);
            }
            if matches!(self.goal, Goal::Paused(_)) {
                steps.once(Action::Pause { target: Target::New });
            }
        }
        if old.config.auto_remove != Some(true) || !is_up(old) {
            let target = Target::Existing(old.id.clone());
            steps.committed(Action::Remove { target, only_named: Some(self.name.previous()) });
        }
        self.take(steps, Effect::Replaced);
    }

    /// Starts the new container and watches it as long as the old one is still there to go back to.
    fn start_new(&self, wanted: &ContainerSpec, steps: &mut Steps) {
        self.start(&Target::New, steps);
        if let Some(Action::Verify { healthy, settle, .. }) = steps.steps.last_mut().map(|step| &mut step.action) {
            *healthy |= wanted.deploy.waits_for_health();
            *settle = wanted.deploy.settle_time();
        }
    }

    /// Stops the old container and gives it the name under which it can be brought back.
    fn set_aside(&mut self, old: &ContainerState, steps: &mut Steps) {
        let target = || Target::Existing(old.id.clone());
        let vanishes = is_up(old) && old.config.auto_remove == Some(true);
        if vanishes {
            let note = "cannot be undone: the old container removes itself when it stops (auto_remove)";
            self.plan.notes.push(note.to_owned());
        }
        if let Some(policy) = self.policy_to_lose(old) {
            let update = |restart| {
                let update = ContainerUpdate { restart: Some(restart), ..ContainerUpdate::default() };
                Action::Update { target: target(), update: Box::new(update) }
            };
            steps.undone_by(update(RestartPolicy::No), [update(policy)]);
        }
        let freeze = || (old.status == Status::Paused).then(|| Action::Pause { target: target() });
        let has_unit = self.unit.is_active();
        self.thaw(old, steps);
        if self.unit.may_start() {
            let name = self.name.clone();
            let start = has_unit.then(|| Action::StartUnit { name: name.clone() });
            steps.undone_by(Action::StopUnit { name: name.clone() }, start);
        }
        if is_up(old) {
            let start = (!has_unit).then(|| Action::Start { target: target() });
            let undo = start.into_iter().chain(freeze().filter(|_| !has_unit));
            steps.undone_by(Action::Stop { target: target(), grace: self.grace(old) }, undo);
        }
        self.note_others();
        if !vanishes {
            steps.undone_by(
                Action::Rename { target: target(), to: self.name.previous() },
                [Action::Rename { target: target(), to: self.name.clone() }],
            );
        }
    }

    /// The restart policy that the old container must not have while it is set aside.
    fn policy_to_lose(&self, old: &ContainerState) -> Option<RestartPolicy> {
        let can_lose = is_up(old) && old.config.auto_remove != Some(true);
        let policy = old.config.restart.filter(|policy| *policy != RestartPolicy::No)?;
        (can_lose && self.context.engine.features.can_update("restart")).then_some(policy)
    }

    /// Whether old and new can run side by side; says why not where that was asked for.
    fn can_start_first(&mut self, wanted: &ContainerSpec, old: &ContainerState) -> bool {
        if wanted.deploy.replace != Some(ReplaceOrder::StartFirst) {
            return false;
        }
        let has_fixed_ports =
            |spec: &ContainerSpec| spec.network.ports.as_ref().is_some_and(crate::spec::Ports::has_fixed);
        let has_fixed_addresses = |spec: &ContainerSpec| {
            let endpoints = spec.network.networks.iter().flat_map(|networks| networks.values());
            endpoints
                .into_iter()
                .any(|endpoint| endpoint.ipv4.is_some() || endpoint.ipv6.is_some() || endpoint.mac.is_some())
        };
        let reason = if self.unit.is_wanted() {
            "its unit starts one container at a time"
        } else if [wanted, &old.config].iter().any(|spec| spec.network.mode == Some(NetworkMode::Host)) {
            "both would use the host's network"
        } else if has_fixed_ports(wanted) && has_fixed_ports(&old.config) {
            "both would publish fixed ports of the host"
        } else if matches!(wanted.network.mode, Some(NetworkMode::Container(_))) {
            "both would use the network of the same container"
        } else if self.loses_its_name(wanted) {
            "its network would go on knowing it by the name that it was started with"
        } else if has_fixed_addresses(wanted) && has_fixed_addresses(&old.config) {
            "both would have fixed addresses"
        } else {
            let is_shared = |name: &&VolumeName| old.volumes.values().any(|there| there == *name);
            let named = wanted.mounts.iter().flat_map(Mounts::volume_names).filter(is_shared);
            let shared: BTreeSet<&VolumeName> =
                named.chain(old.anonymous_volumes().map(|(_, volume)| volume)).collect();
            if !shared.is_empty() {
                let shared = crate::text::join(shared, ", ");
                self.plan.notes.push(format!("for a moment, both the old one and the new one have mounted: {shared}"));
            }
            return true;
        };
        self.plan.notes.push(format!("the old one is stopped first, although start-first was asked for: {reason}"));
        false
    }

    /// Whether nobody in a network of its own would find it, which it was started in under another name.
    fn loses_its_name(&self, wanted: &ContainerSpec) -> bool {
        let is_called_so = |endpoint: &Endpoint| endpoint.aliases.contains(self.name.as_str());
        let default = self.context.engine.additions.default_network.as_ref();
        let mut networks = wanted.network.networks.iter().flatten();
        self.context.engine.features.names_at_start()
            && networks.any(|(name, endpoint)| Some(name) != default && !is_called_so(endpoint))
    }
}

fn is_up(old: &ContainerState) -> bool {
    old.status.is_up() || matches!(old.status, Status::Restarting | Status::Stopping)
}
