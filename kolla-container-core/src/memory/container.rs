//! One container: its record, and what its program has done by a certain moment.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::image::Behaviour;
use crate::name::{ContainerId, ContainerName, ContainerRef, ImageId, NetworkName, VolumeName};
use crate::spec::{CleanPath, ContainerSpec, Mounts, NetworkMode, Ports, RestartPolicy};
use crate::state::{ContainerState, ContainerSummary, ExitStatus, Health, Owner, Status};
use crate::timestamp::Timestamp;

/// How long the engine waits before it starts a container again.
const BACK_OFF: Duration = Duration::from_millis(100);

/// A container as the engine records it.
#[derive(Clone)]
pub(super) struct Container {
    pub(super) id: ContainerId,
    pub(super) name: ContainerName,
    pub(super) config: ContainerSpec,
    pub(super) image_id: ImageId,
    pub(super) behaviour: Behaviour,
    pub(super) owner: Owner,
    pub(super) status: Status,
    pub(super) exit: Option<ExitStatus>,
    pub(super) created: Timestamp,
    pub(super) started: Option<Timestamp>,
    pub(super) finished: Option<Timestamp>,
    /// When its present run began, the engine's own restarts aside; `None` while it does not run.
    pub(super) began: Option<Instant>,
    /// Restarts that are not part of its behaviour.
    pub(super) restarts: u64,
    pub(super) volumes: BTreeMap<CleanPath, VolumeName>,
    /// The anonymous ones among them that were made for it.
    pub(super) made_volumes: BTreeSet<VolumeName>,
    pub(super) addresses: BTreeMap<NetworkName, Vec<IpAddr>>,
    pub(super) published: Ports,
    pub(super) output: Output,
}

/// What a container has printed so far.
#[derive(Clone, Default)]
pub(super) struct Output {
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) starts: usize,
}

/// What the program of a container has done by a certain moment.
struct Progress {
    /// How often the engine has started it again.
    restarts: u64,
    /// How long after the first start its last one was.
    offset: Duration,
    /// Its exit status, where it ended for good.
    ended: Option<i64>,
    /// How long after the first start it ends for good, where it does.
    end: Option<Duration>,
}

impl Container {
    fn progress(&self, now: Instant) -> Progress {
        let quiet = Progress { restarts: 0, offset: Duration::ZERO, ended: None, end: None };
        let (Behaviour::Exits { after, code }, Some(began)) = (&self.behaviour, self.began) else { return quiet };
        let round = after.saturating_add(BACK_OFF);
        let rounds = |count: u64| round.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
        let elapsed = now.saturating_duration_since(began);
        let due = u64::try_from(elapsed.as_nanos() / round.as_nanos().max(1)).unwrap_or(u64::MAX);
        let allowed = match self.config.restart.unwrap_or_default() {
            RestartPolicy::Always | RestartPolicy::UnlessStopped => None,
            RestartPolicy::OnFailure(retries) if *code != 0 => retries.map(u64::from),
            RestartPolicy::OnFailure(_) | RestartPolicy::No => Some(0),
        };
        let restarts = allowed.map_or(due, |allowed| due.min(allowed));
        // What is frozen does not end.
        let end =
            allowed.filter(|_| self.status == Status::Running).map(|allowed| rounds(allowed).saturating_add(*after));
        let ended = end.filter(|end| elapsed >= *end).map(|_| *code);
        Progress { restarts, offset: rounds(restarts), ended, end }
    }

    /// Whether its program is there, frozen or not.
    pub(super) fn is_up(&self) -> bool {
        self.status.is_up()
    }

    /// Its exit status, where its program has ended for good by itself and the record does not say so yet.
    pub(super) fn has_ended(&self, now: Instant) -> Option<i64> {
        self.progress(now).ended
    }

    /// When its program will end for good by itself.
    pub(super) fn will_end(&self, now: Instant) -> Option<Instant> {
        self.began?.checked_add(self.progress(now).end?)
    }

    /// Its program is there from `now` on.
    pub(super) fn run(&mut self, now: Instant, at: Timestamp) {
        self.status = Status::Running;
        self.exit = None;
        self.began = Some(now);
        self.started = Some(at);
        self.finished = None;
        self.restarts = 0;
        self.output.starts += 1;
    }

    /// Its program is gone.
    pub(super) fn end(&mut self, now: Instant, at: Timestamp, code: i64) {
        let Progress { restarts, offset, .. } = self.progress(now);
        self.restarts += restarts;
        self.started = self.started.map(|started| started.after(offset));
        self.finished = Some(at);
        self.status = Status::Exited;
        self.exit = Some(ExitStatus { code, oom_killed: false, error: None });
        self.began = None;
        self.addresses.clear();
        self.published = Ports::default();
    }

    /// Its program ends out of turn: whether its restart policy has it started again, which is then done.
    pub(super) fn starts_again(&mut self, now: Instant, at: Timestamp, code: i64) -> bool {
        let done = self.restarts + self.progress(now).restarts;
        let again = match self.config.restart.unwrap_or_default() {
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
            RestartPolicy::OnFailure(retries) => code != 0 && retries.is_none_or(|retries| done < u64::from(retries)),
            RestartPolicy::No => false,
        };
        if again {
            self.run(now, at);
            self.restarts = done + 1;
        }
        again
    }

    fn health(&self, now: Instant) -> Option<Health> {
        if !self.config.healthcheck.is_active() {
            return None;
        }
        let Some(began) = self.began.filter(|_| self.is_up()) else {
            // Docker stops checking, and leaves it at that.
            return Some(if self.status == Status::Created { Health::Starting } else { Health::Unhealthy });
        };
        let elapsed = now.saturating_duration_since(began);
        Some(match &self.behaviour {
            Behaviour::BecomesHealthy(after) | Behaviour::BecomesUnhealthy(after) if elapsed < *after => {
                Health::Starting
            }
            Behaviour::BecomesUnhealthy(_) => Health::Unhealthy,
            _ => Health::Healthy,
        })
    }

    /// The containers whose namespaces it has joined: they must run when it starts.
    pub(super) fn namespaces_of(&self) -> BTreeSet<&ContainerRef> {
        let network = match &self.config.network.mode {
            Some(NetworkMode::Container(container)) => Some(container),
            _ => None,
        };
        let other = &self.config.namespaces;
        let others = [&other.ipc, &other.pid, &other.cgroup, &other.user, &other.uts];
        let others = others.into_iter().flatten().filter_map(|mode| mode.container());
        network.into_iter().chain(others).collect()
    }

    pub(super) fn state(&self, now: Instant) -> ContainerState {
        let Progress { restarts, offset, .. } = self.progress(now);
        let volumes_of = self.config.volumes_from.iter().flatten().map(|from| &from.container);
        ContainerState {
            id: self.id.clone(),
            name: self.name.clone(),
            config: self.config.clone(),
            image_id: self.image_id.clone(),
            status: self.status.clone(),
            health: self.health(now),
            exit: self.exit.clone(),
            restarts: self.restarts + restarts,
            created: self.created,
            started: self.started.map(|started| started.after(offset)),
            finished: self.finished,
            addresses: self.addresses.clone(),
            published_ports: self.published.clone(),
            volumes: self.volumes.clone(),
            joined: self.namespaces_of().into_iter().chain(volumes_of).cloned().collect(),
            borrowed: Mounts::default(),
            owner: self.owner.clone(),
        }
    }

    pub(super) fn summary(&self) -> ContainerSummary {
        ContainerSummary {
            id: self.id.clone(),
            name: self.name.clone(),
            image_id: Some(self.image_id.clone()),
            status: self.status.clone(),
            owner: self.owner.clone(),
        }
    }
}
