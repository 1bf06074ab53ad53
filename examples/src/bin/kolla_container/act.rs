//! The actions, each by what the library does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use examples::engine::{self, Engine as Wanted, Surroundings, is_there};
use kolla_container_core::dialect::kolla::{Engine, State};
use kolla_container_core::diff::Comparison;
use kolla_container_core::images::{ImageManager, ImageRequest, Known, PullPolicy};
use kolla_container_core::plan::RunOptions;
use kolla_container_core::spec::{Stale, TextMap};
use kolla_container_core::state::VolumeToCreate;
use kolla_container_core::{
    ContainerName, ContainerSpec, Error, ErrorKind, Goal, Goals, Plan, Reconciler, Runtime, Supervisor, TimeSpan,
};
use kolla_container_systemd::{Config, Systemd};
use serde_json::{Value, json};

use crate::answer::{Answer, Ended};
use crate::call::{Action, Call};
use crate::names::{self, Difference};

/// What the module marks the volumes with that it makes.
const MANAGED: (&str, &str) = ("kolla_managed", "true");

/// Says where units are, where that is not `/etc/systemd/system`.
const UNIT_FOLDER: &str = "KOLLA_CONTAINER_UNIT_FOLDER";

/// Does what is asked for.
pub(crate) async fn act(call: &Call) -> Result<Answer, Error> {
    let engine = match call.engine() {
        Engine::Docker => Wanted::Docker,
        Engine::Podman => Wanted::Podman,
    };
    let runtime = Surroundings::of_process(None).select(engine, false, is_there)?.connect().await?;
    let images = images(call, &runtime);
    match call.action {
        Action::EnsureImage => pull(call, &images, PullPolicy::Missing).await,
        Action::PullImage => pull(call, &images, PullPolicy::Always).await,
        Action::RemoveImage => remove_image(call, &images).await,
        Action::CreateVolume => create_volume(call, runtime.as_ref()).await,
        Action::RemoveVolume => remove_volume(call, runtime.as_ref()).await,
        Action::CompareImage => compare_image(call, runtime.as_ref()).await,
        _ => {
            let supervisor = supervisor(call, &runtime).await?;
            let reconciler = Reconciler::new(runtime).with_images(images).with_comparison(Comparison::kolla());
            let reconciler = supervisor.into_iter().fold(reconciler, Reconciler::with_supervisor);
            on_container(call, &reconciler).await
        }
    }
}

async fn on_container(call: &Call, reconciler: &Reconciler) -> Result<Answer, Error> {
    let name = call.name().map_err(wrong)?;
    match call.action {
        Action::CompareContainer => {
            let (name, spec) = call.spec().map_err(wrong)?;
            let plan = planned(reconciler.clone().checking_config(true), name, goal(call, spec)).await?;
            let differences = differences(&plan);
            let answer = Answer { diff: diff(call, &differences), ..Answer::of(!plan.is_empty()) };
            Ok(Answer { comparison_failures: Some(differences), ..answer })
        }
        Action::StartContainer => {
            let (name, spec) = call.spec().map_err(wrong)?;
            let goal = if call.parameters.detach == Some(false) {
                let remove = call.parameters.remove_on_exit.unwrap_or(true);
                Goal::Run(Box::new(spec), RunOptions { deadline: None, remove })
            } else {
                goal(call, spec)
            };
            reach(call, reconciler, name, goal).await
        }
        Action::RecreateOrRestartContainer => {
            let (name, spec) = call.spec().map_err(wrong)?;
            let stale = spec.deploy.config_check.as_ref().map(|check| check.stale);
            if stale == Some(Stale::Recreate) {
                return reach(call, reconciler, name, Goal::Replace(Box::new(spec))).await;
            }
            let plan = planned(reconciler.clone(), name.clone(), goal(call, spec.clone())).await?;
            let is_as_it_should_be = plan.is_empty();
            if is_as_it_should_be && stale == Some(Stale::Restart) {
                return reach(call, reconciler, name, Goal::Restart { grace: grace(call) }).await;
            }
            reach(call, reconciler, name, goal(call, spec)).await
        }
        Action::RestartContainer => {
            if reconciler.runtime().container(&name).await?.is_none() {
                return Ok(Answer::failed(format!("No such container: {name}")));
            }
            reach(call, reconciler, name, Goal::Restart { grace: grace(call) }).await
        }
        Action::StopContainer => {
            if reconciler.runtime().container(&name).await?.is_none() {
                return Ok(match call.parameters.ignore_missing {
                    Some(true) => Answer::of(false),
                    _ => Answer::failed(format!("No such container: {name} to stop")),
                });
            }
            reach(call, reconciler, name, Goal::Stopped { grace: grace(call) }).await
        }
        _ => reach(call, reconciler, name, Goal::Absent { volumes: false }).await,
    }
}

/// What the parameters want of the container.
fn goal(call: &Call, spec: ContainerSpec) -> Goal {
    match call.parameters.state {
        Some(State::Exited) => Goal::Created(Box::new(spec)),
        Some(State::Paused) => Goal::Paused(Box::new(spec)),
        None | Some(State::Running) => Goal::running(spec),
    }
}

fn grace(call: &Call) -> Option<TimeSpan> {
    call.parameters.graceful_timeout.map(|seconds| TimeSpan::from_secs(seconds.into()))
}

async fn planned(reconciler: Reconciler, name: ContainerName, goal: Goal) -> Result<Plan, Error> {
    let plan = reconciler.plan(&Goals::one(name, goal)).await?;
    let refused = plan.refused().next().map(|(_, error)| error.clone());
    refused.map_or(Ok(plan), Err)
}

/// Brings the container to its goal; where that is only to be checked, says what would be done.
async fn reach(call: &Call, reconciler: &Reconciler, name: ContainerName, goal: Goal) -> Result<Answer, Error> {
    let plan = planned(reconciler.clone(), name, goal).await?;
    let differences = differences(&plan);
    let diff = diff(call, &differences);
    if call.check {
        return Ok(Answer { diff, ..Answer::of(!plan.is_empty()) });
    }
    let report = reconciler.apply(&plan).await;
    let answer = Answer { diff, ..Answer::of(report.is_changed()) };
    let Some(container) = report.containers.into_iter().next() else { return Ok(answer) };
    let answer = Answer { warnings: container.warnings, ..answer };
    if let Err(failure) = container.outcome {
        return Ok(answer.but_failed(failure.to_string()));
    }
    let Some(output) = container.output else { return Ok(answer) };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let code = output.code;
    let ended = Ended { rc: code, stdout: text(output.stdout), stderr: text(output.stderr) };
    let answer = Answer { ended: Some(ended), ..answer };
    Ok(if code == 0 { answer } else { answer.but_failed(format!("Container exited with non-zero return code {code}")) })
}

fn differences(plan: &Plan) -> Vec<Difference> {
    plan.containers.iter().flat_map(names::differences).collect()
}

/// What Ansible shows of them.
fn diff(call: &Call, differences: &[Difference]) -> Option<Value> {
    let side = |of: fn(&Difference) -> &String| -> String {
        differences.iter().map(|difference| format!("{}\n", of(difference))).collect::<Vec<_>>().concat()
    };
    call.diff.then(|| json!({"before": side(|one| &one.current), "after": side(|one| &one.desired)}))
}

async fn pull(call: &Call, images: &ImageManager, policy: PullPolicy) -> Result<Answer, Error> {
    let request = ImageRequest::new(call.image().map_err(wrong)?).with_policy(policy);
    if call.check {
        let there = images.ensure(&request.with_policy(PullPolicy::Never)).await;
        return Ok(Answer::of(there.is_err() || policy == PullPolicy::Always));
    }
    Ok(Answer::of(images.ensure(&request).await?.changed))
}

async fn remove_image(call: &Call, images: &ImageManager) -> Result<Answer, Error> {
    let image = call.image().map_err(wrong)?;
    if call.check {
        let there = images.ensure(&ImageRequest::new(image).with_policy(PullPolicy::Never)).await;
        return Ok(Answer::of(there.is_ok()));
    }
    images.remove(&image).await.map(Answer::of)
}

async fn compare_image(call: &Call, runtime: &dyn Runtime) -> Result<Answer, Error> {
    let name = call.name().map_err(wrong)?;
    let wanted = match &call.parameters.image {
        Some(image) => runtime.image(image).await?,
        None => None,
    };
    let there = runtime.container(&name).await?;
    let is_same = match (&there, &wanted) {
        (Some(there), Some(wanted)) => there.image_id == wanted.id && there.config.image == call.parameters.image,
        _ => false,
    };
    Ok(Answer { result: Some(!is_same), ..Answer::default() })
}

async fn create_volume(call: &Call, runtime: &dyn Runtime) -> Result<Answer, Error> {
    let name = call.volume().map_err(wrong)?;
    if runtime.volume(&name).await?.is_some() {
        return Ok(Answer::of(false));
    }
    if !call.check {
        let labels = TextMap(BTreeMap::from([(MANAGED.0.to_owned(), MANAGED.1.to_owned())]));
        runtime.create_volume(&VolumeToCreate { labels, ..VolumeToCreate::local(name) }).await?;
    }
    Ok(Answer::of(true))
}

async fn remove_volume(call: &Call, runtime: &dyn Runtime) -> Result<Answer, Error> {
    let name = call.volume().map_err(wrong)?;
    if runtime.volume(&name).await?.is_none() {
        return Ok(Answer::of(false));
    }
    if !call.check {
        match runtime.remove_volume(&name).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                return Ok(Answer::failed(format!("Volume named '{name}' is currently in-use")));
            }
            removed => removed?,
        }
    }
    Ok(Answer::of(true))
}

/// As whom images are pulled.
fn images(call: &Call, runtime: &Arc<dyn Runtime>) -> ImageManager {
    let known =
        call.parameters.credentials().map(|(registry, credentials)| Known::default().with(&registry, credentials));
    ImageManager::new(Arc::clone(runtime)).with_keyring(Arc::new(known.unwrap_or_default()))
}

/// Who runs the container. Without systemd, only one that it does not run can be dealt with.
async fn supervisor(call: &Call, runtime: &Arc<dyn Runtime>) -> Result<Option<Arc<dyn Supervisor>>, Error> {
    let address = engine::address(None, runtime.engine().kind);
    let config = Config {
        folder: std::env::var_os(UNIT_FOLDER).map(PathBuf::from),
        environment: address.into_iter().collect(),
        ..Config::default()
    };
    match Systemd::connect(Arc::clone(runtime), config).await {
        Ok(systemd) => Ok(Some(Arc::new(systemd))),
        Err(_) if !call.is_supervised() => Ok(None),
        Err(error) => Err(error),
    }
}

fn wrong(why: String) -> Error {
    Error::new(ErrorKind::Rejected, "read", "the parameters").because(why)
}
