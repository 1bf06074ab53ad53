//! Containers that are replaced together or not at all; one that has nobody is a group of its own.
//!
//! Who has joined another stands on it: it can only start while the other runs, and engines keep the other
//! from being removed while it is there. So whatever is stopped or removed begins at the top, with those who stand
//! on others, and whatever is started begins at the bottom. Old ones are removed when all new ones are well; when
//! one fails, all are put back.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};

use super::Means;
use super::part::{Part, whom};
use super::report::ContainerReport;
use super::run::Run;
use crate::error::{Error, ErrorKind};
use crate::name::ContainerName;
use crate::plan::{Action, ContainerPlan};

/// The containers outside of a group that its members come after.
pub(super) fn awaited<'a>(members: &[&'a ContainerPlan]) -> impl Iterator<Item = &'a ContainerName> {
    members.iter().flat_map(|member| member.after.iter().filter(|name| !member.together.contains(*name)))
}

/// Deals with the containers of a group; `failed` are those that it comes after, and that have failed.
pub(super) async fn deal_with<'a>(
    members: Vec<&'a ContainerPlan>,
    failed: BTreeSet<&ContainerName>,
    means: &Means<'_>,
) -> Vec<(&'a ContainerPlan, ContainerReport)> {
    if let Some(refused) = refused(&members, &failed) {
        return refused;
    }
    let longest = members.iter().map(|member| member.longest()).fold(Duration::ZERO, Duration::saturating_add);
    let runs = members.iter().map(|member| Run::new(member, longest, means)).collect();
    let mut group = Group { upwards: upwards(&members), runs, means };
    group.recover().await;
    group.advance().await;
    group.stop_if_asked();
    if group.has_failed() {
        group.put_back().await;
    } else {
        group.commit().await;
    }
    group.conclude();
    members.into_iter().zip(group.runs.into_iter().map(|run| run.report)).collect()
}

/// The reports of a group of which a member may not be touched.
fn refused<'a>(
    members: &[&'a ContainerPlan],
    failed: &BTreeSet<&ContainerName>,
) -> Option<Vec<(&'a ContainerPlan, ContainerReport)>> {
    let refusal =
        |member: &ContainerPlan| match (&member.refused, failed.iter().find(|name| member.after.contains(**name))) {
            (Some(error), _) => Some(error.clone()),
            (None, Some(other)) if !member.is_empty() => Some(
                Error::new(ErrorKind::Conflict, "change container", &member.name)
                    .because(format!("it refers to {other}, which failed")),
            ),
            _ => None,
        };
    let first = members.iter().find(|member| refusal(member).is_some())?;
    let report = |member: &ContainerPlan| match refusal(member) {
        None if member.is_empty() => ContainerReport::of(member),
        refusal => ContainerReport::refused(member, refusal.unwrap_or_else(|| not_without(member, &first.name))),
    };
    Some(members.iter().map(|member| (*member, report(member))).collect())
}

fn not_without(member: &ContainerPlan, failed: &ContainerName) -> Error {
    Error::new(ErrorKind::Conflict, "change container", &member.name)
        .because(format!("{failed} failed, and they are changed together or not at all"))
}

/// The members by their places, each after those that it stands on.
fn upwards(members: &[&ContainerPlan]) -> Vec<usize> {
    let mut left: Vec<usize> = (0..members.len()).collect();
    let mut order = Vec::with_capacity(left.len());
    let member = |place: usize| members.get(place);
    while !left.is_empty() {
        let stands_on = |place: usize, other: usize| {
            place != other
                && member(place).zip(member(other)).is_some_and(|(it, other)| it.joined.contains(&other.name))
        };
        let free = left.iter().position(|place| !left.iter().any(|other| stands_on(*place, *other)));
        order.push(left.remove(free.unwrap_or(0)));
    }
    order
}

struct Group<'a> {
    /// In the order of the plan: who joins another comes after it.
    runs: Vec<Run<'a>>,
    /// The places in `runs`, in the order of who had joined whom before.
    upwards: Vec<usize>,
    means: &'a Means<'a>,
}

impl<'a> Group<'a> {
    fn has_failed(&self) -> bool {
        self.runs.iter().any(|run| run.failure.is_some())
    }

    /// Who fails keeps nobody from coming back.
    async fn recover(&mut self) {
        for (part, order) in
            [(Part::Away, self.downwards()), (Part::Start, self.upwards.clone()), (Part::Remove, self.downwards())]
        {
            for place in order {
                if let Some(run) = self.runs.get_mut(place) {
                    run.recover(part).await;
                }
            }
        }
    }

    fn downwards(&self) -> Vec<usize> {
        self.upwards.iter().rev().copied().collect()
    }

    /// Each member as soon as those before it are through.
    async fn advance(&mut self) {
        let members: BTreeSet<&'a ContainerName> = self.runs.iter().map(|run| &run.plan.name).collect();
        let mut through: BTreeSet<&'a ContainerName> = BTreeSet::new();
        while !self.has_failed() {
            let is_ready = |run: &&mut Run<'a>| {
                let mut before = run.plan.after.iter().filter(|name| members.contains(name));
                !through.contains(&run.plan.name) && before.all(|name| through.contains(name))
            };
            let ready: Vec<&mut Run<'a>> = self.runs.iter_mut().filter(is_ready).collect();
            if ready.is_empty() {
                break;
            }
            let names: Vec<&'a ContainerName> = ready.iter().map(|run| &run.plan.name).collect();
            let jobs = self.means.jobs.max(1);
            stream::iter(ready.into_iter().map(Run::advance)).buffer_unordered(jobs).collect::<()>().await;
            through.extend(names);
        }
    }

    /// Once the old ones are being removed, there is no way back.
    fn stop_if_asked(&mut self) {
        if self.means.stop.is_given() {
            self.runs.iter_mut().for_each(Run::stop_before_commit);
        }
    }

    async fn commit(&mut self) {
        for place in self.downwards() {
            if let Some(run) = self.runs.get_mut(place) {
                run.commit().await;
            }
        }
    }

    async fn put_back(&mut self) {
        for run in self.runs.iter_mut().rev() {
            run.put_back(&run.part_of_way_back(Part::Away)).await;
        }
        for (place, actions) in self.starts() {
            if let Some(run) = self.runs.get_mut(place) {
                run.put_back(&actions).await;
            }
        }
        for run in self.runs.iter_mut().rev() {
            run.put_back(&run.part_of_way_back(Part::Remove)).await;
        }
        let failed = self.runs.iter().find(|run| run.failure.is_some()).map(|run| run.plan.name.clone());
        if let Some(failed) = failed {
            for run in self.runs.iter_mut().filter(|run| run.failure.is_none() && !run.holds()) {
                let stopped = self.means.stop.is_given().then(|| run.stopped());
                let error = stopped.unwrap_or_else(|| not_without(run.plan, &failed));
                run.failure = Some((format!("wait for {failed}"), error));
            }
        }
    }

    /// What starts the old ones, from the bottom. Whoever is put back takes along those who had joined it; each of
    /// them is started once, when all that it stands on runs.
    fn starts(&self) -> Vec<(usize, Vec<&'a Action>)> {
        let mut starts: Vec<(usize, Vec<&'a Action>)> = Vec::new();
        for place in &self.upwards {
            let Some(run) = self.runs.get(*place) else { continue };
            let actions = run.part_of_way_back(Part::Start);
            for (_, before) in &mut starts {
                before
                    .retain(|action| whom(action).is_none() || actions.iter().all(|later| whom(later) != whom(action)));
            }
            starts.push((*place, actions));
        }
        starts
    }

    fn conclude(&mut self) {
        self.runs.iter_mut().for_each(Run::conclude);
    }
}
