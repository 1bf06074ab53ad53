//! Looking: everything that a plan needs, each thing once, and nothing twice.
//!
//! Known names are asked for directly. For N containers over I images a look takes N + I requests, and
//! one list for leftovers; what a plan needs besides is looked at only when it turns out to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use super::{Reconciler, stopping};
use crate::error::{Error, ErrorKind, Result};
use crate::image_ref::ImageRef;
use crate::name::{ContainerId, ContainerName, ContainerRef, ImageId};
use crate::plan::{Goal, Goals, Leftovers, Needs, Observation};
use crate::runtime::Runtime;
use crate::spec::{ContainerSpec, Deploy};
use crate::state::{ContainerFilter, ContainerState, ContainerSummary, ImageState, Status};
use crate::supervisor::UnitState;
use crate::timestamp::Timestamp;

/// How long something that passes by itself is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) async fn observe(goals: &Goals, reconciler: &Reconciler) -> Result<Observation> {
    let mut waits_for_stops = !reconciler.look_once;
    let (mut seen, listed) = loop {
        let (seen, listed) = look(goals, reconciler).await?;
        let stops = if waits_for_stops { stopping::under_way(goals, &seen, reconciler) } else { Vec::new() };
        if stops.is_empty() {
            break (seen, listed);
        }
        stopping::are_over(stops, reconciler).await;
        waits_for_stops = false;
    };
    judge_leftovers(goals, &mut seen, reconciler).await?;
    look_at_used_images(&mut seen, reconciler).await?;
    give_names(&mut seen, &listed, reconciler).await?;
    Ok(seen)
}

/// What there is: containers, what was left of replacements, wanted images, units.
async fn look(goals: &Goals, reconciler: &Reconciler) -> Result<(Observation, Vec<ContainerSummary>)> {
    let runtime = reconciler.runtime.as_ref();
    let mut seen = Observation::empty((reconciler.now)());
    if goals.is_empty() {
        return Ok((seen, Vec::new()));
    }
    let names = goals.iter().map(|(name, _)| name.clone());
    let referenced =
        goals.iter().filter_map(|(_, goal)| goal.spec()).flat_map(ContainerSpec::referenced_names).cloned();
    let names: BTreeSet<ContainerName> = names.chain(referenced).collect();
    let wanted_images: BTreeSet<ImageRef> = goals.iter().filter_map(|(_, goal)| goal.spec()?.image.clone()).collect();

    let (containers, leftovers, images) = futures_util::future::try_join3(
        containers(names, reconciler),
        list_leftovers(runtime),
        wanted(wanted_images, reconciler),
    )
    .await?;
    seen.containers = containers;
    for (image, found) in images {
        match found {
            Ok(found) => {
                seen.images.insert(image, found);
            }
            // Only those who want this image cannot be planned.
            Err(error) => {
                let is_wanted = |goal: &Goal| goal.spec().is_some_and(|spec| spec.image.as_ref() == Some(&image));
                for (name, _) in goals.iter().filter(|(_, goal)| is_wanted(goal)) {
                    seen.containers.insert(name.clone(), Err(error.clone()));
                }
            }
        }
    }
    look_at_leftovers(&leftovers, goals, &mut seen, reconciler).await?;
    look_at_units(goals, &mut seen, reconciler).await?;
    Ok((seen, leftovers))
}

/// Runs `look` for each item, some at a time.
pub(super) async fn each<T, O, F>(items: impl IntoIterator<Item = T>, jobs: usize, look: impl Fn(T) -> F) -> Vec<O>
where
    F: Future<Output = O>,
{
    stream::iter(items.into_iter().map(look)).buffer_unordered(jobs).collect().await
}

async fn containers(
    names: BTreeSet<ContainerName>,
    reconciler: &Reconciler,
) -> Result<BTreeMap<ContainerName, Result<Option<ContainerState>>>> {
    let looks = each(names, reconciler.jobs, async |name| {
        let state = settled(&name, reconciler).await;
        (name, state)
    });
    looks.await.into_iter().map(|(name, state)| Ok((name, alone(state)?))).collect()
}

/// A container once it is not on its way to another state.
pub(super) async fn settled(name: &ContainerName, reconciler: &Reconciler) -> Result<Option<ContainerState>> {
    let patience = if reconciler.look_once { Duration::ZERO } else { PATIENCE };
    let begun = Instant::now();
    let mut pause = Duration::from_millis(50);
    loop {
        match reconciler.runtime.container(name).await? {
            Some(state) if state.status.is_passing() && begun.elapsed() < patience => {}
            settled => return Ok(settled),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(1));
    }
}

/// The images that names stand for. One that cannot be looked at fails alone, nobody to talk to all.
async fn wanted(
    images: BTreeSet<ImageRef>,
    reconciler: &Reconciler,
) -> Result<Vec<(ImageRef, Result<Option<ImageState>>)>> {
    let runtime = reconciler.runtime.as_ref();
    let looks = each(images, reconciler.jobs, async |image| {
        let found = runtime.image(&image).await;
        (image, found)
    });
    looks.await.into_iter().map(|(image, found)| Ok((image, alone(found)?))).collect()
}

/// A failure that concerns one thing only; one that concerns all is an error for all.
fn alone<T>(outcome: Result<T>) -> Result<Result<T>> {
    match outcome {
        Err(error) if matches!(error.kind(), ErrorKind::Unreachable | ErrorKind::Denied) => Err(error),
        outcome => Ok(outcome),
    }
}

/// Everything that a replacement could have left behind, of whichever container: one request.
async fn list_leftovers(runtime: &dyn Runtime) -> Result<Vec<ContainerSummary>> {
    let suffixes = vec![".next".to_owned(), ".previous".to_owned()];
    runtime.containers(&ContainerFilter { name_suffixes: suffixes, ..ContainerFilter::default() }).await
}

async fn look_at_leftovers(
    listed: &[ContainerSummary],
    goals: &Goals,
    seen: &mut Observation,
    reconciler: &Reconciler,
) -> Result<()> {
    let listed: BTreeSet<&ContainerName> = listed.iter().map(|summary| &summary.name).collect();
    let interrupted =
        goals.iter().filter(|(name, _)| listed.contains(&name.next()) || listed.contains(&name.previous()));
    let looks = each(interrupted, reconciler.jobs, async |(name, _)| {
        (name.clone(), leftovers(name, reconciler.runtime.as_ref()).await)
    });
    for (name, look) in looks.await {
        match alone(look)? {
            Ok(leftovers) => {
                seen.leftovers.insert(name, leftovers);
            }
            Err(error) => {
                seen.containers.insert(name, Err(error));
            }
        }
    }
    Ok(())
}

/// Whether the new containers that are in place already are well, and stay.
async fn judge_leftovers(goals: &Goals, seen: &mut Observation, reconciler: &Reconciler) -> Result<()> {
    let in_place = goals.iter().filter_map(|(name, goal)| match seen.leftovers.get(name)? {
        Leftovers { next: None, previous: Some(_), .. } => Some((name, goal, seen.container(name)?)),
        _ => None,
    });
    let looks = each(in_place, reconciler.jobs, async |(name, goal, new)| {
        let unit = seen.units.get(name).and_then(Option::as_ref);
        (name.clone(), verifies(new, goal, unit, reconciler).await)
    });
    for (name, verified) in looks.await {
        if let Some(left) = seen.leftovers.get_mut(&name) {
            left.verified = verified;
        }
    }
    if seen.leftovers.values().any(|leftovers| leftovers.previous.is_some()) {
        look_for_joiners(seen, reconciler).await?;
        super::unfinished::put_back_together(seen);
    }
    Ok(())
}

async fn leftovers(name: &ContainerName, runtime: &dyn Runtime) -> Result<Leftovers> {
    let next = runtime.container(&name.next()).await?;
    let previous = runtime.container(&name.previous()).await?;
    let mut leftovers = Leftovers { next, previous, ..Leftovers::default() };
    if let (Some(next), None) = (&leftovers.next, &leftovers.previous)
        && let Some(replaced) = &next.owner.replaces
    {
        leftovers.replaced_is_gone = runtime.container_by_id(replaced).await?.is_none();
    }
    Ok(leftovers)
}

/// Whether a new container that is in place already is as well as its own run would have wanted it.
async fn verifies(new: &ContainerState, goal: &Goal, unit: Option<&UnitState>, reconciler: &Reconciler) -> bool {
    let is_at_work = new.owner.until.is_some_and(|until| until > (reconciler.now)());
    match &new.status {
        // That run freezes it last of all.
        Status::Paused => return true,
        Status::Exited if has_outlived_its_run(new) => return true,
        // What was never started, or has ended, needs no watching; what nobody may touch, neither.
        Status::Running if reconciler.take_over || !is_at_work => {}
        _ => return false,
    }
    let default = Deploy::default();
    let deploy = goal.spec().map_or(&default, |spec| &spec.deploy);
    let healthy = deploy.waits_for_health() || matches!(goal, Goal::Healthy(_));
    let (settle, deadline) = if reconciler.look_once {
        (Duration::ZERO, Duration::ZERO)
    } else {
        let waits = healthy && new.config.healthcheck.is_active();
        let patience = if waits { deploy.deadlines.healthy() } else { Duration::ZERO };
        let settle = deploy.settle_time();
        (settle, settle.saturating_add(deploy.deadlines.request()).saturating_add(patience))
    };
    let verification = crate::apply::verify(reconciler.runtime.as_ref(), &new.id, healthy, settle);
    let begun = Instant::now();
    let is_well = matches!(tokio::time::timeout(deadline, verification).await, Ok(Ok(())));
    is_well && (reconciler.look_once || !stopping::ends(new, goal, unit, begun, reconciler).await)
}

/// Whether it ran, in one go, for longer than the run could take that made it: others have relied on it since, and on what
/// it has done with its data.
fn has_outlived_its_run(new: &ContainerState) -> bool {
    let span = |from: Option<Timestamp>, to: Option<Timestamp>| to.zip(from).map(|(to, from)| to.since(from));
    // A clock of another machine may have said that it was over before it began.
    let watched = span(Some(new.created), new.owner.until).filter(|watched| !watched.is_zero());
    watched.is_some_and(|watched| span(new.started, new.finished).is_some_and(|ran| ran > watched))
}

async fn look_at_used_images(seen: &mut Observation, reconciler: &Reconciler) -> Result<()> {
    let runtime = reconciler.runtime.as_ref();
    // One that came without what it implies is asked for by its id, too.
    let read = seen.images.values().flatten().filter(|image| !image.is_unread());
    let known: BTreeMap<ImageId, _> = read.map(|image| (image.id.clone(), Some(image.clone()))).collect();
    let leftovers = seen.leftovers.values().flat_map(|leftovers| [&leftovers.next, &leftovers.previous]).flatten();
    let used: BTreeSet<ImageId> = seen
        .containers
        .values()
        .filter_map(|state| state.as_ref().ok()?.as_ref())
        .chain(leftovers)
        .map(|state| state.image_id.clone())
        .filter(|id| !known.contains_key(id))
        .collect();
    seen.used_images = known;
    let looks = each(used, reconciler.jobs, async |id| {
        let image = runtime.image_by_id(&id).await;
        (id, image)
    });
    for (id, look) in looks.await {
        match alone(look)? {
            Ok(image) => {
                seen.used_images.insert(id, image);
            }
            Err(error) => {
                for state in seen.containers.values_mut() {
                    if matches!(state, Ok(Some(container)) if container.image_id == id) {
                        *state = Err(error.clone());
                    }
                }
            }
        }
    }
    Ok(())
}

async fn look_at_units(goals: &Goals, seen: &mut Observation, reconciler: &Reconciler) -> Result<()> {
    let Some(supervisor) = reconciler.supervisor.as_deref() else { return Ok(()) };
    let looks = each(goals.iter(), reconciler.jobs, async |(name, _)| (name.clone(), supervisor.unit(name).await));
    for (name, look) in looks.await {
        match alone(look)? {
            Ok(unit) => {
                seen.units.insert(name, unit);
            }
            Err(error) => {
                seen.containers.insert(name, Err(error));
            }
        }
    }
    Ok(())
}

/// Engines refer to other containers by their ids, users by their names.
async fn give_names(seen: &mut Observation, leftovers: &[ContainerSummary], reconciler: &Reconciler) -> Result<()> {
    let states = seen.containers.iter().filter_map(|(name, state)| Some((name, state.as_ref().ok()?.as_ref()?)));
    let mut names: BTreeMap<ContainerId, ContainerName> =
        states.clone().map(|(name, state)| (state.id.clone(), name.clone())).collect();
    names.extend(leftovers.iter().map(|summary| {
        // A container that was set aside and will be put back is, to who has joined it, what it was.
        let base = seen.leftovers.iter().find(|(name, leftovers)| {
            name.previous() == summary.name && !leftovers.verified && leftovers.previous.is_some()
        });
        (summary.id.clone(), base.map_or_else(|| summary.name.clone(), |(name, _)| name.clone()))
    }));
    let unknown: BTreeSet<ContainerId> =
        states.flat_map(|(_, state)| ids_in(state)).filter(|id| !names.contains_key(id)).collect();
    let mut unreadable: BTreeMap<ContainerId, Error> = BTreeMap::new();
    for (id, look) in look_up(unknown, reconciler).await? {
        match look {
            Ok(name) => names.extend(name.map(|name| (id, name))),
            Err(error) => {
                unreadable.insert(id, error);
            }
        }
    }
    // Only those who refer to it cannot be compared.
    for (name, state) in &mut seen.containers {
        let Ok(Some(container)) = state else { continue };
        if let Some(error) = ids_in(container).iter().find_map(|id| unreadable.get(id)) {
            let refused = Error::new(error.kind(), "look up the references of container", name);
            *state = Err(refused.caused_by(error.clone()));
        }
    }
    let containers = seen.containers.values_mut().filter_map(|state| state.as_mut().ok()?.as_mut());
    let leftovers = seen.leftovers.values_mut().flat_map(|leftovers| [&mut leftovers.next, &mut leftovers.previous]);
    for state in containers.chain(leftovers.flatten()) {
        state.name_references(&names);
        state.conceal_declared_secrets();
        // Engines say it of images; of a container Docker says no more than the operating system.
        if state.config.platform.is_none()
            && let Some(Some(image)) = seen.used_images.get(&state.image_id)
        {
            state.config.platform.clone_from(&image.platform);
        }
    }
    Ok(())
}

fn ids_in(state: &ContainerState) -> Vec<ContainerId> {
    let references = state.joined.iter().chain(state.config.references());
    references
        .filter_map(|reference| if let ContainerRef::Id(id) = reference { Some(id.clone()) } else { None })
        .collect()
}

/// The names of containers by their ids; those that are gone have none. One that cannot be read fails alone.
async fn look_up(
    ids: BTreeSet<ContainerId>,
    reconciler: &Reconciler,
) -> Result<Vec<(ContainerId, Result<Option<ContainerName>>)>> {
    let runtime = reconciler.runtime.as_ref();
    let looks = each(ids, reconciler.jobs, async |id| {
        let name = runtime.container_by_id(&id).await.map(|state| state.map(|state| state.name));
        (id, name)
    });
    looks.await.into_iter().map(|(id, name)| Ok((id, alone(name)?))).collect()
}

/// A container with the names of those that it refers to.
pub(super) async fn with_names(mut container: ContainerState, reconciler: &Reconciler) -> Result<ContainerState> {
    let looks = look_up(ids_in(&container).into_iter().collect(), reconciler).await?.into_iter();
    let names = looks.filter_map(|(id, name)| name.transpose().map(|name| Ok((id, name?)))).collect::<Result<_>>()?;
    container.name_references(&names);
    container.conceal_declared_secrets();
    Ok(container)
}

/// Looks at what a first plan turned out to need.
pub(super) async fn details(needs: &Needs, seen: &mut Observation, reconciler: &Reconciler) -> Result<()> {
    let runtime = reconciler.runtime.as_ref();
    let volumes = each(needs.volumes.iter(), reconciler.jobs, async |name| {
        Ok::<_, Error>((name.clone(), runtime.volume(name).await?.is_some()))
    });
    let networks = each(needs.networks.iter(), reconciler.jobs, async |name| {
        Ok::<_, Error>((name.clone(), runtime.network(name).await?.is_some()))
    });
    let (volumes, networks) = futures_util::future::join(volumes, networks).await;
    seen.details.volumes.extend(volumes.into_iter().collect::<Result<Vec<_>>>()?);
    seen.details.networks.extend(networks.into_iter().collect::<Result<Vec<_>>>()?);
    if needs.joined_by {
        look_for_joiners(seen, reconciler).await?;
    }
    Ok(())
}

async fn look_for_joiners(seen: &mut Observation, reconciler: &Reconciler) -> Result<()> {
    let mut unread = Vec::new();
    seen.details.joined_by = Some(joined_by(seen, &mut unread, reconciler).await?);
    seen.details.unread = unread;
    Ok(())
}

/// Who cannot do without whom, of all containers: engines answer that only one by one.
async fn joined_by(
    seen: &Observation,
    unread: &mut Vec<Error>,
    reconciler: &Reconciler,
) -> Result<BTreeMap<ContainerId, BTreeSet<ContainerName>>> {
    let runtime = reconciler.runtime.as_ref();
    let all = runtime.containers(&ContainerFilter::default()).await?;
    let ids: BTreeMap<&ContainerName, &ContainerId> = all.iter().map(|summary| (&summary.name, &summary.id)).collect();
    // What is left of an interrupted run is in the way, too.
    let others = all.iter().filter(|summary| {
        !seen.containers.contains_key(&summary.name) && !seen.leftovers.contains_key(&summary.name.stem())
    });
    let looks = each(others, reconciler.jobs, async |summary| runtime.container_by_id(&summary.id).await);
    let mut joined_by: BTreeMap<ContainerId, BTreeSet<ContainerName>> = BTreeMap::new();
    let mut states = Vec::new();
    for look in looks.await {
        match look {
            Ok(state) => states.extend(state),
            // It may have joined anybody, but must not keep all others from their goals: the plan says so.
            Err(error) if error.kind() == ErrorKind::Undecodable => unread.push(error),
            Err(error) => return Err(error),
        }
    }
    for state in states.into_iter().filter(|state| state.status != Status::Removing) {
        for joined in state.config.needed() {
            let id = match joined {
                ContainerRef::Id(id) => Some(id),
                ContainerRef::Name(name) => ids.get(name).copied(),
            };
            if let Some(id) = id {
                joined_by.entry(id.clone()).or_default().insert(state.name.stem());
            }
        }
    }
    Ok(joined_by)
}
