//! Plans on recordings of the engine in memory.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::json;
use tokio::time::Instant;

use super::*;
use crate::error::{ErrorKind, Result};
use crate::memory::{ImageTemplate, MemoryEngine};
use crate::plan::{Effect, Goal, Goals, Plan};
use crate::reconcile::Reconciler;
use crate::runtime::Runtime;
use crate::spec::{ContainerSpec, Variable};
use crate::state::{ContainerUpdate, ImageToPull, LogOptions};

fn named(text: &str) -> ContainerName {
    text.parse().unwrap()
}

fn image(text: &str) -> ImageRef {
    text.parse().unwrap()
}

fn spec(json: serde_json::Value) -> ContainerSpec {
    ContainerSpec::from_value(json).unwrap()
}

fn one(name: &str, json: serde_json::Value) -> Goals {
    Goals::one(named(name), Goal::running(spec(json)))
}

/// An image that implies as much as images do.
fn rich() -> ImageTemplate {
    ImageTemplate::new(spec(json!({
        "command": ["serve", "-p", "80"],
        "environment": {"PATH": "/bin", "VERSION": "1"},
        "labels": {"vendor": "us"},
        "user": "www",
        "working_dir": "/srv",
        "mounts": ["/data"],
        "network": {"expose": ["80"]},
        "healthcheck": {"test": "true", "retries": 7},
    })))
}

/// An engine on which `goals` are met.
async fn engine(goals: &Goals) -> MemoryEngine {
    let engine = MemoryEngine::new();
    engine.publish(&image("app:1"), rich());
    engine.publish(&image("app:2"), rich());
    assert!(Reconciler::new(Arc::new(engine.clone())).reconcile(goals).await.unwrap().is_success());
    engine
}

async fn containers(engine: &MemoryEngine) -> Vec<ContainerState> {
    let mut states = Vec::new();
    for summary in engine.containers(&ContainerFilter::default()).await.unwrap() {
        states.extend(engine.container(&summary.name).await.unwrap());
    }
    states
}

async fn with_images(engine: &MemoryEngine) -> Snapshot {
    Snapshot::new(engine.engine().clone(), containers(engine).await, engine.images().await.unwrap())
}

async fn without_images(engine: &MemoryEngine) -> Snapshot {
    Snapshot::new(engine.engine().clone(), containers(engine).await, Vec::new())
}

async fn try_plan(snapshot: &Snapshot, goals: &Goals) -> Result<Plan> {
    Reconciler::new(Arc::new(snapshot.clone())).looking_once(true).plan(goals).await
}

async fn plan(snapshot: &Snapshot, goals: &Goals) -> Plan {
    try_plan(snapshot, goals).await.unwrap()
}

fn actions(plan: &Plan, name: &str) -> Vec<String> {
    plan.container(&named(name)).unwrap().steps.iter().map(|step| step.action.to_string()).collect()
}

fn unreadable() -> Error {
    Error::new(ErrorKind::Undecodable, "decode container", "side").because("nobody understands it")
}

#[tokio::test(start_paused = true)]
async fn a_plan_on_a_recording_is_the_plan_on_the_engine() {
    let wanted = one("web", json!({"image": "app:1", "environment": {"MODE": "fast"}, "mounts": ["cache:/cache"]}));
    let engine = engine(&wanted).await;
    let recorded = with_images(&engine).await;

    for goals in [
        wanted,
        one("web", json!({"image": "app:2", "mounts": ["cache:/cache"]})),
        one("web", json!({"image": "app:1", "resources": {"memory": "1g"}})),
        one("other", json!({"image": "app:1", "mounts": ["cache:/cache", "new:/new"]})),
        Goals::one(named("web"), Goal::Absent { volumes: true, grace: None }),
    ] {
        let live = Reconciler::new(Arc::new(engine.clone())).plan(&goals).await.unwrap();

        assert_eq!(plan(&recorded, &goals).await, live);
    }
}

#[tokio::test(start_paused = true)]
async fn without_images_nothing_is_claimed_of_what_only_an_image_could_tell() {
    let wanted = one("web", json!({"image": "app:1", "environment": {"MODE": "fast"}, "platform": "linux/amd64"}));
    let recorded = without_images(&engine(&wanted).await).await;
    assert!(plan(&recorded, &wanted).await.is_empty(), "{}", plan(&recorded, &wanted).await);

    let other = one("web", json!({"image": "app:1", "environment": {"MODE": "slow"}, "platform": "linux/amd64"}));
    let planned = plan(&recorded, &other).await;

    let web = planned.container(&named("web")).unwrap();
    assert_eq!(web.changes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["environment[MODE]: fast -> slow"]);
    assert_eq!(web.effect, Effect::Replaced);
    assert!(!actions(&planned, "web").iter().any(|action| action.starts_with("pull")), "{planned}");
    assert!(web.notes.iter().any(|note| note.contains("if the new image declares one there")), "{:?}", web.notes);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_no_recorded_container_was_made_from_is_not_here() {
    let recorded = without_images(&engine(&one("web", json!({"image": "app:1"}))).await).await;

    let planned = plan(&recorded, &one("web", json!({"image": "app:2"}))).await;

    assert_eq!(actions(&planned, "web")[0], "pull image app:2");
}

#[tokio::test(start_paused = true)]
async fn a_given_image_that_has_the_name_now_is_another_one() {
    let wanted = one("web", json!({"image": "app:1"}));
    let engine = engine(&wanted).await;
    engine.load(&image("app:1"), rich());

    let known = plan(&with_images(&engine).await, &wanted).await;
    let unknown = plan(&without_images(&engine).await, &wanted).await;

    assert_eq!(known.container(&named("web")).unwrap().changes[0].field.as_str(), "image");
    assert!(unknown.is_empty(), "{unknown}");
}

#[tokio::test(start_paused = true)]
async fn of_two_images_that_had_the_same_name_none_is_claimed_to_have_it_now() {
    let old = one("old", json!({"image": "app:1"}));
    let engine = engine(&old).await;
    engine.load(&image("app:1"), rich());
    let new = one("new", json!({"image": "app:1"}));
    assert!(Reconciler::new(Arc::new(engine.clone())).reconcile(&new).await.unwrap().is_success());
    let recorded = without_images(&engine).await;

    assert_eq!(recorded.image(&image("app:1")).await.unwrap(), None);
    for goals in [old, new] {
        assert!(plan(&recorded, &goals).await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_is_found_by_name_digest_and_id_and_one_that_is_not_given_by_its_id_alone() {
    let wanted = one("web", json!({"image": "app:1"}));
    let engine = engine(&wanted).await;
    let web = engine.container(&named("web")).await.unwrap().unwrap();
    let (given, not_given) = (with_images(&engine).await, without_images(&engine).await);
    let full = engine.image_by_id(&web.image_id).await.unwrap().unwrap();
    let by_id: ImageRef = format!("sha256:{}", web.image_id).parse().unwrap();
    let digest = full.names.iter().find_map(ImageRef::digest).unwrap();

    for reference in [image("app:1"), by_id.clone(), image(&format!("app:7@{digest}"))] {
        assert_eq!(given.image(&reference).await.unwrap().as_ref(), Some(&full), "{reference}");
    }
    for reference in [image("app:1"), by_id] {
        let found = not_given.image(&reference).await.unwrap().unwrap();
        assert_eq!((&found.id, found.is_unread()), (&web.image_id, true), "{reference}");
    }
    assert_eq!(given.image_by_id(&web.image_id).await.unwrap(), Some(full));
    assert_eq!(not_given.image_by_id(&web.image_id).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_cannot_be_read_is_refused_alone() {
    let wanted: Goals =
        ["web", "side"].map(|name| (named(name), Goal::running(spec(json!({"image": "app:1"}))))).into_iter().collect();
    let engine = engine(&wanted).await;
    let all = containers(&engine).await;
    let (side, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|container| container.name == named("side"));
    let recorded = Snapshot::new(engine.engine().clone(), others, Vec::new());
    let recorded = recorded.with_unreadable(named("side"), Some(side[0].id.clone()), unreadable());

    let planned = plan(&recorded, &wanted).await;

    let refused: Vec<_> = planned.refused().map(|(name, error)| (name.as_str(), error.report())).collect();
    assert_eq!(refused, [("side", unreadable().report())]);
    assert!(planned.container(&named("web")).unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_has_joined_a_container_that_cannot_be_read_is_refused_and_the_others_are_not() {
    let goal = |json| Goal::running(spec(json));
    let wanted: Goals = [
        (named("side"), goal(json!({"image": "app:1"}))),
        (named("joined"), goal(json!({"image": "app:1", "network": {"mode": "container:side"}}))),
        (named("web"), goal(json!({"image": "app:1"}))),
    ]
    .into_iter()
    .collect();
    let engine = engine(&wanted).await;
    let side = engine.container(&named("side")).await.unwrap().unwrap();
    let others = containers(&engine).await.into_iter().filter(|container| container.name != named("side")).collect();
    let recorded = Snapshot::new(engine.engine().clone(), others, Vec::new());
    let recorded = recorded.with_unreadable(named("side"), Some(side.id), unreadable());
    let goals: Goals =
        wanted.iter().filter(|(name, _)| name.as_str() != "side").map(|(n, g)| (n.clone(), g.clone())).collect();

    let planned = plan(&recorded, &goals).await;

    let refused: Vec<_> = planned.refused().map(|(name, error)| (name.as_str(), error.report())).collect();
    let report =
        format!("look up the references of container joined: {}: {}", ErrorKind::Undecodable, unreadable().report());
    assert_eq!(refused, [("joined", report)]);
    assert!(planned.container(&named("web")).unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_an_interrupted_run_left_behind_is_not_overlooked_because_it_cannot_be_read() {
    let wanted = one("web", json!({"image": "app:1"}));
    let recorded = without_images(&engine(&wanted).await).await;
    let id = "ab".repeat(32).parse().unwrap();
    let recorded = recorded.with_unreadable(named("web.next"), Some(id), unreadable());

    assert_eq!(plan(&recorded, &wanted).await.refused().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_on_a_recording() {
    let wanted = one("web", json!({"image": "app:1", "deploy": {"settle": "1h"}}));
    let engine = engine(&wanted).await;
    let mut web = engine.container(&named("web")).await.unwrap().unwrap();
    let mut previous = web.clone();
    previous.name = named("web.previous");
    previous.id = "ab".repeat(32).parse().unwrap();
    let record = |web: &ContainerState, others: &[&ContainerState]| {
        let states = [web].into_iter().chain(others.iter().copied()).cloned().collect();
        Snapshot::new(engine.engine().clone(), states, Vec::new())
    };
    let begun = Instant::now();

    let mut passing = web.clone();
    passing.status = Status::Restarting;
    let restarting = plan(&record(&passing, &[]), &wanted).await;
    web.owner.replaces = Some(previous.id.clone());
    let replaced = plan(&record(&web, &[&previous]), &wanted).await;

    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(restarting.containers[0].effect, Effect::Verified);
    assert_eq!(actions(&replaced, "web"), [format!("remove {}", previous.id.short())]);
}

#[tokio::test(start_paused = true)]
async fn volumes_and_networks_are_there_that_containers_use_or_that_were_given() {
    let recorded = {
        let engine = MemoryEngine::new();
        engine.create_network(&NetworkToCreate::bridge("back".parse().unwrap())).await.unwrap();
        let goals = one("web", json!({"image": "x", "mounts": ["cache:/c"], "network": {"networks": {"back": {}}}}));
        assert!(Reconciler::new(Arc::new(engine.clone())).reconcile(&goals).await.unwrap().is_success());
        without_images(&engine).await
    };
    let given = recorded
        .clone()
        .with_volumes([volume("data".parse().unwrap())])
        .with_networks([network("front".parse().unwrap(), "bridge")]);

    for (name, recorded_only, with_given) in [("cache", true, true), ("data", false, true), ("other", false, false)] {
        let name = name.parse().unwrap();
        assert_eq!(recorded.volume(&name).await.unwrap().is_some(), recorded_only, "{name}");
        assert_eq!(given.volume(&name).await.unwrap().is_some(), with_given, "{name}");
    }
    for (name, recorded_only, with_given) in
        [("back", true, true), ("host", true, true), ("front", false, true), ("other", false, false)]
    {
        let name = name.parse().unwrap();
        assert_eq!(recorded.network(&name).await.unwrap().is_some(), recorded_only, "{name}");
        assert_eq!(given.network(&name).await.unwrap().is_some(), with_given, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn lists_have_what_the_filter_wants() {
    let wanted: Goals = ["web", "web.x"]
        .map(|name| (named(name), Goal::running(spec(json!({"image": "app:1", "labels": {"of": name}})))))
        .into_iter()
        .collect();
    let recorded = without_images(&engine(&wanted).await).await;
    let recorded = recorded.with_unreadable(named("side"), Some("ab".repeat(32).parse().unwrap()), unreadable());
    let list = async |suffixes: &[&str], labels: &[(&str, Option<&str>)]| -> Vec<String> {
        let filter = ContainerFilter {
            name_suffixes: suffixes.iter().map(ToString::to_string).collect(),
            labels: labels.iter().map(|(key, value)| ((*key).to_owned(), value.map(str::to_owned))).collect(),
        };
        recorded.containers(&filter).await.unwrap().into_iter().map(|summary| summary.name.to_string()).collect()
    };

    assert_eq!(list(&[], &[]).await, ["web", "web.x", "side"]);
    assert_eq!(list(&[".x", ".y"], &[]).await, ["web.x"]);
    assert_eq!(list(&[], &[("of", Some("web"))]).await, ["web"]);
    assert_eq!(list(&[], &[("of", None), ("vendor", None)]).await, ["web", "web.x"]);
    assert_eq!(list(&[], &[("by", None)]).await, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_recording_can_be_exported() {
    let json = json!({"image": "app:1", "environment": {"DB_PASSWORD": "hunter2"}});
    let engine = engine(&one("web", json.clone())).await;
    let export =
        async |recorded: Snapshot| Reconciler::new(Arc::new(recorded)).export(&named("web")).await.unwrap().unwrap();

    assert_eq!(export(with_images(&engine).await).await, spec(json));
    let whole = export(without_images(&engine).await).await;
    assert!(whole.validate().is_empty(), "{}", whole.validate());
    assert_eq!(whole.environment.unwrap().0.get("VERSION").and_then(Variable::value), Some("1"));
}

#[tokio::test(start_paused = true)]
async fn what_is_exported_without_a_plain_image_can_be_read_and_fits() {
    let engine = MemoryEngine::new();
    let goals = one("web", json!({"image": "plain"}));
    assert!(Reconciler::new(Arc::new(engine.clone())).reconcile(&goals).await.unwrap().is_success());
    let recorded = without_images(&engine).await;

    let exported = Reconciler::new(Arc::new(recorded.clone())).export(&named("web")).await.unwrap().unwrap();

    assert!(exported.validate().is_empty(), "{}", exported.validate());
    assert!(plan(&recorded, &Goals::one(named("web"), Goal::running(exported))).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_can_be_done_with_it() {
    let engine = engine(&one("web", json!({"image": "app:1"}))).await;
    let web = engine.container(&named("web")).await.unwrap().unwrap();
    let recorded = with_images(&engine).await;
    let (id, image) = (&web.id, &image("app:1"));

    let errors = [
        recorded.create_container(&named("new"), &web.config).await.err(),
        recorded.start_container(id).await.err(),
        recorded.stop_container(id, None).await.err(),
        recorded.update_container(id, &ContainerUpdate::default()).await.err(),
        recorded.remove_container(id).await.err(),
        recorded.discard_container(id).await.err(),
        recorded.wait_container(id).await.err(),
        recorded.logs(id, LogOptions { follow: false, tail: None }).next().await.unwrap().err(),
        recorded.pull_image(&ImageToPull::new(image.clone())).next().await.unwrap().err(),
        recorded.create_volume(&VolumeToCreate::local("data".parse().unwrap())).await.err(),
    ];

    for error in errors {
        let error = error.unwrap();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.report().ends_with("this is a recorded engine: nothing can be done with it"), "{error:?}");
    }
}
