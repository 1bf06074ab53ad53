//! Images that come from real registries: what each policy sees, what each failure is called, and who shares what.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::{self, Either, join_all};
use futures_util::stream;
use kolla_container_core::images::{
    CollectPolicy, Concurrency, EnsureError, Ensured, ImageEvent, ImageListener, ImageManager, ImageRequest, Known,
    PullPolicy, Usage,
};
use kolla_container_core::state::{Credentials, PullError, PullFailure};
use kolla_container_core::{ErrorKind, Goal, Goals, ImageRef, Reconciler, Timestamp};
use serde_json::json;
use tokio::time::sleep;

use super::changed;
use crate::cases;
use crate::harness::Harness;
use crate::registry::{Registry, Rule};

cases! { "pulling";
    a_new_version_under_the_same_tag_is_seen_by_those_policies_that_look;
    what_is_there_is_kept_where_a_registry_cannot_say_whether_there_is_something_newer;
    a_running_container_differs_by_its_image_and_is_replaced;
    who_is_let_in_gets_the_image_over_tls;
    each_failure_has_its_own_name_and_leaves_what_runs_alone;
    a_registry_that_stalls_in_the_middle_of_a_layer_is_given_up;
    an_image_for_another_platform_is_not_taken;
    twenty_askers_cause_one_pull;
    no_more_than_three_are_pulled_at_the_same_time;
    who_gives_up_leaves_the_pull_to_the_others;
    progress_tells_the_bytes_of_each_layer;
    an_image_that_is_in_use_says_by_whom;
    an_archive_brings_its_images;
    images_that_nobody_uses_are_collected_and_those_in_use_stay;
    images_are_surveyed_while_others_come_and_go;
}

const PLAIN: &str = "localhost:5000";
const WITH_PASSWORD: &str = "registry.test:5001";
const UNTRUSTED: &str = "other.test:5001";
const PLAYED: &str = "localhost:5002";
const NOBODY: &str = "localhost:5003";

/// Enough for a layer to be held or stalled.
const LARGE: usize = 400_000;

fn manager(h: &Harness) -> ImageManager {
    ImageManager::new(Arc::clone(h.runtime())).with_backoff(None)
}

async fn ensure(h: &Harness, image: &ImageRef, policy: PullPolicy) -> Result<Ensured, EnsureError> {
    manager(h).ensure(&ImageRequest::new(image.clone()).with_policy(policy)).await
}

async fn a_new_version_under_the_same_tag_is_seen_by_those_policies_that_look(h: &Harness) {
    let registry = Registry::of(h);
    let image = registry.image(h, PLAIN, "app", "1");
    let changes = async |policy| ensure(h, &image, policy).await.unwrap().changed;
    registry.publish("app", "1", "one", 100);

    assert!(changes(PullPolicy::Missing).await);
    for policy in [PullPolicy::Missing, PullPolicy::Never, PullPolicy::Newer, PullPolicy::Always] {
        assert!(!changes(policy).await, "{policy}");
    }

    registry.publish("app", "1", "two", 100);
    assert!(!changes(PullPolicy::Missing).await);
    assert!(!changes(PullPolicy::Never).await);
    assert!(changes(PullPolicy::Newer).await);
    assert!(!changes(PullPolicy::Newer).await);

    registry.publish("app", "1", "three", 100);
    assert!(changes(PullPolicy::Always).await);
    assert!(!changes(PullPolicy::Always).await);
    let labels = h.see_image(&image).await.config.labels.unwrap();
    assert_eq!(labels.0.get("kit.mark").map(String::as_str), Some("three"));
}

async fn what_is_there_is_kept_where_a_registry_cannot_say_whether_there_is_something_newer(h: &Harness) {
    let registry = Registry::of(h);
    let image = registry.image(h, PLAYED, "app", "1");
    registry.publish("app", "1", "one", 100);
    let id = ensure(h, &image, PullPolicy::Missing).await.unwrap().id;
    registry.publish("app", "1", "two", 100);
    registry.way().rule(&registry.repository("app"), Rule::Refuse(503, vec![], "busy"));
    let heard = Heard::default();

    let newer = ImageRequest::new(image.clone()).with_policy(PullPolicy::Newer);
    let kept = manager(h).ensure_telling(&newer, &heard).await.unwrap();

    assert_eq!((kept.id, kept.changed, kept.pulled), (id, false, None));
    assert_eq!(heard.0.into_inner().unwrap_or_else(PoisonError::into_inner), ["Pulling", "Failed"]);
    registry.way().rule(&registry.repository("app"), Rule::Through);
    assert!(manager(h).ensure(&newer).await.unwrap().changed);
}

/// What happens, in the words of the kubelet.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<&'static str>>);

impl ImageListener for Heard {
    fn event(&self, event: &ImageEvent<'_>) {
        if !matches!(event, ImageEvent::Progress { .. }) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(event.reason());
        }
    }
}

async fn a_running_container_differs_by_its_image_and_is_replaced(h: &Harness) {
    let registry = Registry::of(h);
    let image = registry.image(h, PLAIN, "app", "1");
    let name = h.name("web");
    let goal = || Goal::running(h.spec(json!({"image": image.to_string()})));
    registry.publish("app", "1", "one", 100);
    h.reach(&name, goal()).await;
    let before = h.see(&name).await;
    registry.publish("app", "1", "two", 100);
    h.assert_reached(&name, goal()).await;

    let new = ensure(h, &image, PullPolicy::Always).await.unwrap();
    let plan = h.plan(&name, goal()).await;
    h.reach(&name, goal()).await;

    assert!(new.changed && new.id != before.image_id);
    assert_eq!(changed(&plan.containers[0]), ["image[id]"]);
    let entry = &plan.containers[0].changes[0].entries[0];
    let (current, desired) = (entry.current.to_string(), entry.desired.to_string());
    assert!(current.contains(before.image_id.short()) && desired.contains(new.id.short()), "{current} {desired}");
    let after = h.see(&name).await;
    assert_eq!(after.image_id, new.id);
    assert_ne!(after.id, before.id);
    h.assert_reached(&name, goal()).await;
}

async fn who_is_let_in_gets_the_image_over_tls(h: &Harness) {
    let registry = Registry::of(h);
    let image = registry.image(h, WITH_PASSWORD, "app", "1");
    registry.publish("app", "1", "one", 100);
    let wrong = Credentials::password("kit", "wrong");
    let always = ImageRequest::new(image.clone()).with_policy(PullPolicy::Always);

    let stated = manager(h).ensure(&always.clone().with_credentials([wrong.clone(), Registry::credentials()])).await;
    let keyring = Known::default().with(NOBODY, wrong).with(WITH_PASSWORD, Registry::credentials());
    let known = manager(h).with_keyring(Arc::new(keyring.clone())).ensure(&always).await;
    let newer = manager(h).with_keyring(Arc::new(keyring.clone()));
    let newer = newer.ensure(&always.with_policy(PullPolicy::Newer)).await;

    assert!(stated.unwrap().changed);
    assert!(!known.unwrap().changed);
    assert!(!newer.unwrap().changed);

    // What is newer is found also by who is not let in at first, and who never is hears of it.
    registry.publish("app", "1", "two", 100);
    let newer = ImageRequest::new(image.clone()).with_policy(PullPolicy::Newer);
    let wrong = Credentials::password("kit", "wrong");
    let refused = manager(h).ensure(&newer.clone().with_credentials([wrong.clone()])).await.unwrap_err();
    assert_eq!(refused.failure(), Some(PullFailure::WrongCredentials));
    let second = manager(h).ensure(&newer.with_credentials([wrong, Registry::credentials()])).await;
    assert!(second.unwrap().changed);

    // The same for the plan of a container.
    h.runtime().remove_image(&image).await.unwrap();
    let goals = Goals::one(h.name("web"), Goal::running(h.spec(json!({"image": image.to_string()}))));
    let reconciler = Reconciler::new(Arc::clone(h.runtime()));
    let refused = reconciler.reconcile(&goals).await.unwrap();
    let made = reconciler.with_images(manager(h).with_keyring(Arc::new(keyring))).reconcile(&goals).await.unwrap();
    assert!(!refused.is_success() && made.is_success(), "{refused} {made}");
}

/// A pull that fails: of what, as whom, what that means, and what is said to do.
struct Row {
    image: ImageRef,
    credentials: Option<Credentials>,
    failure: PullFailure,
    advice: &'static str,
}

async fn each_failure_has_its_own_name_and_leaves_what_runs_alone(h: &Harness) {
    use PullFailure::{
        Denied, NoCredentials, NoManifest, NoRepository, RateLimited, RegistryFailed, Unreachable, Untrusted,
        WrongCredentials,
    };

    let registry = Registry::of(h);
    registry.publish("app", "1", "one", 100);
    let image = |host: &str, what: &str, tag: &str| registry.image(h, host, what, tag);
    let refuse = |what: &str, status, headers, body| {
        registry.way().rule(&registry.repository(what), Rule::Refuse(status, headers, body));
        image(PLAYED, what, "1")
    };
    let limited = refuse(
        "limited",
        429,
        vec![("Retry-After", "0")],
        r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"retry-after: 7s, allowed: 1/minute"}]}"#,
    );
    let unknown = refuse(
        "unknown",
        404,
        vec![],
        r#"{"errors":[{"code":"NAME_UNKNOWN","message":"repository name not known to registry"}]}"#,
    );
    let denied = refuse(
        "denied",
        403,
        vec![],
        r#"{"errors":[{"code":"DENIED","message":"requested access to the resource is denied"}]}"#,
    );
    let broken = refuse("broken", 500, vec![], "it broke");
    let wrong = || Some(Credentials::password("kit", "Wr0ngPassw0rd"));
    let row = |image: ImageRef, credentials, failure, advice| Row { image, credentials, failure, advice };
    let rows = [
        row(image(WITH_PASSWORD, "app", "1"), None, NoCredentials, "registry.test:5001 asks for a password"),
        row(image(WITH_PASSWORD, "app", "1"), wrong(), WrongCredentials, "check user and password"),
        row(image(PLAIN, "app", "9"), None, NoManifest, "check name and tag"),
        row(image(PLAIN, "nothing", "1"), None, NoManifest, "check name and tag"),
        row(unknown, None, NoRepository, "has no such repository"),
        row(denied, None, Denied, "whether this user may pull it"),
        row(image(UNTRUSTED, "app", "1"), Some(Registry::credentials()), Untrusted, "give the engine its CA"),
        row(image(NOBODY, "app", "1"), None, Unreachable, "check its name, port and network"),
        row(broken, None, RegistryFailed, "look at its log"),
        row(limited, None, RateLimited, "was asked too often"),
    ];
    let name = h.name("web");
    h.reach(&name, Goal::running(h.spec(json!({})))).await;
    let before = h.see(&name).await;

    for Row { image, credentials, failure, advice } in rows {
        let images = manager(h);
        let request = ImageRequest::new(image.clone()).with_credentials(credentials.clone());
        let error = images.ensure(&request).await.unwrap_err();

        let said = error.to_string();
        assert_eq!(error.failure(), Some(failure), "{said}");
        assert!(said.contains(advice) && said.contains(&image.familiar()), "{said}");
        assert!(!said.contains("Wr0ng"), "{said}");
        assert_eq!(failure.is_transient(), matches!(failure, RateLimited | Unreachable | RegistryFailed));
        if failure == RateLimited {
            let EnsureError::Pull { error, .. } = &error else { panic!("{error}") };
            assert_eq!(PullError::of(error).and_then(PullError::retry_after), Some(Duration::from_secs(7)));
        }

        let keyring = credentials.into_iter().fold(Known::default(), Known::with_any);
        let reconciler = Reconciler::new(Arc::clone(h.runtime())).with_images(images.with_keyring(Arc::new(keyring)));
        let goal = Goal::running(h.spec(json!({"image": image.to_string()})));
        let report = reconciler.reconcile(&Goals::one(name.clone(), goal)).await.unwrap();
        let failed = &report.failures().next().unwrap().1.error;
        assert_eq!(PullError::of(failed).map(PullError::failure), Some(failure), "{report}");
        assert_eq!(h.see(&name).await, before, "{failure:?}");
    }
}

async fn a_registry_that_stalls_in_the_middle_of_a_layer_is_given_up(h: &Harness) {
    let registry = Registry::of(h);
    registry.publish("app", "1", "one", LARGE);
    let image = registry.image(h, PLAYED, "app", "1");
    registry.way().rule(&registry.repository("app"), Rule::Stall);

    let silence = manager(h).with_silence(Duration::from_secs(2));
    let stalled = silence.ensure(&ImageRequest::new(image.clone())).await.unwrap_err();
    let total = manager(h).with_deadline(Duration::from_secs(2));
    let slow = total.ensure(&ImageRequest::new(image.clone())).await.unwrap_err();

    assert_eq!((stalled.failure(), slow.failure()), (Some(PullFailure::Stalled), Some(PullFailure::TooSlow)));
    assert!(stalled.to_string().contains("check the network, and try again"), "{stalled}");
    assert_eq!(h.runtime().image(&image).await.unwrap(), None);
    // What was given up is in nobody's way.
    registry.way().rule(&registry.repository("app"), Rule::Through);
    assert!(ensure(h, &image, PullPolicy::Missing).await.unwrap().changed);
}

async fn an_image_for_another_platform_is_not_taken(h: &Harness) {
    let registry = Registry::of(h);
    registry.publish_for("list", "1", "s390x");
    registry.publish("single", "1", "one", 100);
    let (list, single) = (registry.image(h, PLAIN, "list", "1"), registry.image(h, PLAIN, "single", "1"));

    let of_list = ensure(h, &list, PullPolicy::Missing).await.unwrap_err();
    let arm = ImageRequest::new(single).with_platform(Some("linux/arm64".parse().unwrap()));
    let of_single = manager(h).ensure(&arm).await.unwrap_err();

    assert_eq!(of_list.failure(), Some(PullFailure::NoPlatform), "{of_list}");
    assert_eq!(of_single.failure(), Some(PullFailure::NoPlatform), "{of_single}");
    assert!(of_single.to_string().contains("for linux/arm64"), "{of_single}");
}

async fn twenty_askers_cause_one_pull(h: &Harness) {
    let registry = Registry::of(h);
    registry.publish("app", "1", "one", LARGE);
    let image = registry.image(h, PLAYED, "app", "1");
    let images = manager(h);
    let request = ImageRequest::new(image.clone()).with_policy(PullPolicy::Always);

    let answers = join_all((0..20).map(|_| images.ensure(&request))).await;

    let ids: BTreeSet<_> = answers.into_iter().map(|answer| answer.unwrap().id).collect();
    assert_eq!(ids.len(), 1);
    let requests = registry.way().requests(&registry.repository("app"));
    let count = |what: &str| requests.iter().filter(|line| line.starts_with(what)).count();
    let heads = count("HEAD manifests/1");
    // Docker asks for the digest first, Podman for the manifest at once.
    assert_eq!(if heads == 0 { count("GET manifests/1") } else { heads }, 1, "{requests:?}");
    let blobs: BTreeSet<&String> = requests.iter().filter(|line| line.starts_with("GET blobs/")).collect();
    assert_eq!(count("GET blobs/"), blobs.len(), "{requests:?}");
}

async fn no_more_than_three_are_pulled_at_the_same_time(h: &Harness) {
    let registry = Registry::of(h);
    let way = registry.way();
    let names: Vec<String> = (0..8).map(|number| format!("app{number}")).collect();
    let mut requests = Vec::new();
    for name in &names {
        registry.publish(name, "1", name, LARGE);
        way.rule(&registry.repository(name), Rule::Hold);
        requests.push(ImageRequest::new(registry.image(h, PLAYED, name, "1")));
    }
    let images = manager(h).with_concurrency(Concurrency::Parallel(3));
    let under_way = registry.repository("");

    let all = join_all(requests.iter().map(|request| images.ensure(request)));
    let play = async {
        for left in (1..=names.len()).rev() {
            let expected = left.min(3);
            let held = h.until(|| Some(way.held(&under_way)).filter(|held| held.len() >= expected)).await;
            // Whoever were to begin besides would be here a moment later.
            sleep(Duration::from_millis(200)).await;
            assert_eq!(way.held(&under_way).len(), expected, "{held:?}");
            way.let_go(&held[0]);
            h.until(|| (!way.held(&under_way).contains(&held[0])).then_some(())).await;
        }
    };
    let (answers, ()) = future::join(all, play).await;

    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|ensured| ensured.changed)), "{answers:?}");
}

async fn who_gives_up_leaves_the_pull_to_the_others(h: &Harness) {
    let registry = Registry::of(h);
    let (way, repository) = (registry.way(), registry.repository("app"));
    registry.publish("app", "1", "one", LARGE);
    way.rule(&repository, Rule::Hold);
    let images = manager(h);
    let request = ImageRequest::new(registry.image(h, PLAYED, "app", "1"));

    let until_held = async || {
        h.until(|| Some(way.held(&repository)).filter(|held| !held.is_empty())).await;
    };
    let first = Box::pin(images.ensure(&request));
    let second = images.ensure(&request);
    let others = async {
        let give_up = async {
            let held = Box::pin(until_held());
            // Whichever ends, the first asker is gone then.
            future::select(first, held).await;
            way.let_go(&repository);
        };
        future::join(second, give_up).await.0
    };

    assert!(others.await.unwrap().changed);
    let requests = way.requests(&repository);
    let blobs: BTreeSet<&String> = requests.iter().filter(|line| line.starts_with("GET blobs/")).collect();
    assert_eq!(requests.iter().filter(|line| line.starts_with("GET blobs/")).count(), blobs.len(), "{requests:?}");
}

/// The bytes of a pull, as they were told.
#[derive(Debug, Default)]
struct Bytes(Mutex<Vec<(u64, u64)>>);

impl ImageListener for Bytes {
    fn event(&self, event: &ImageEvent<'_>) {
        if let ImageEvent::Progress { progress, .. } = event {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push((progress.current(), progress.total()));
        }
    }
}

async fn progress_tells_the_bytes_of_each_layer(h: &Harness) {
    const SIZE: u64 = 3_000_000;

    let registry = Registry::of(h);
    let (way, repository) = (registry.way(), registry.repository("app"));
    registry.publish("app", "1", "one", usize::try_from(SIZE).unwrap());
    way.rule(&repository, Rule::Trickle);
    let request = ImageRequest::new(registry.image(h, PLAYED, "app", "1"));
    let (images, bytes) = (manager(h), Bytes::default());
    let heard = || bytes.0.lock().unwrap_or_else(PoisonError::into_inner).clone();

    let play = async {
        // Some of it is there, and the engine says so by and by.
        h.until(|| heard().iter().any(|(current, total)| (1..*total).contains(current)).then_some(())).await;
        way.let_go(&repository);
    };
    let (pulled, ()) = future::join(images.ensure_telling(&request, &bytes), play).await;

    assert!(pulled.unwrap().pulled.unwrap().size > SIZE);
    let heard = heard();
    assert!(heard.iter().all(|(current, total)| current <= total), "{heard:?}");
    assert!(heard.iter().any(|(_, total)| *total >= SIZE), "{heard:?}");
}

async fn an_image_that_is_in_use_says_by_whom(h: &Harness) {
    let registry = Registry::of(h);
    registry.publish("app", "1", "one", 100);
    let (image, other) = (registry.image(h, PLAIN, "app", "1"), h.image_name("other"));
    let images = manager(h);
    images.ensure(&ImageRequest::new(image.clone())).await.unwrap();
    let (web, db) = (h.name("web"), h.name("db"));
    h.create(&web, &h.spec(json!({"image": image.to_string()}))).await;
    h.start(&db, &h.spec(json!({"image": image.to_string()}))).await;

    let refused = images.remove(&image).await.unwrap_err();

    assert_eq!(refused.kind(), ErrorKind::Conflict);
    assert!(refused.report().ends_with(&format!("it is in use by {db}, {web}")), "{}", refused.report());
    // One of several names may go.
    assert!(images.tag(&image, &other).await.unwrap());
    assert!(!images.tag(&image, &other).await.unwrap());
    assert!(images.remove(&image).await.unwrap());
    assert!(!images.remove(&image).await.unwrap());
    let id: ImageRef = format!("sha256:{}", h.see_image(&other).await.id).parse().unwrap();
    assert_eq!(images.remove(&id).await.unwrap_err().kind(), ErrorKind::Conflict);

    for name in [&web, &db] {
        h.runtime().remove_container(&h.see(name).await.id).await.unwrap();
    }
    images.tag(&other, &image).await.unwrap();
    assert!(images.remove(&id).await.unwrap());
    assert_eq!(h.runtime().image(&id).await.unwrap(), None);
}

async fn images_that_nobody_uses_are_collected_and_those_in_use_stay(h: &Harness) {
    let registry = Registry::of(h);
    let images = manager(h);
    let mut names = Vec::new();
    for what in ["used", "late", "pinned", "unused"] {
        registry.publish(what, "1", what, 100);
        let image = registry.image(h, PLAIN, what, "1");
        images.ensure(&ImageRequest::new(image.clone())).await.unwrap();
        names.push(image);
    }
    let [used, late, pinned, unused] = names.try_into().unwrap();
    images.tag(&unused, &h.image_name("alias")).await.unwrap();
    images.tag(&late, &h.image_name("late")).await.unwrap();
    h.create(&h.name("web"), &h.spec(json!({"image": used.to_string()}))).await;
    let mut ids = Vec::new();
    for image in [&used, &late, &pinned, &unused] {
        ids.push(h.see_image(image).await.id);
    }

    let mut usage = Usage::default();
    let keep = BTreeSet::from([pinned.clone()]);
    let inventory = images.survey(&mut usage, &keep, None, Timestamp::now()).await.unwrap();
    let mut plan = CollectPolicy::default().plan_all(&inventory);
    // The images of other cases are not ours to remove.
    plan.deletions.retain(|deletion| ids.contains(&deletion.id));
    let deleted: BTreeSet<_> = plan.deletions.iter().map(|deletion| deletion.id.clone()).collect();
    assert_eq!(deleted, BTreeSet::from([ids[1].clone(), ids[3].clone()]));
    // Somebody comes to use one of them after the plan was made.
    let web = h.name("late");
    h.create(&web, &h.spec(json!({"image": late.to_string()}))).await;
    let collected = images.collect(&plan).await;

    assert_eq!(collected.removed.iter().map(|gone| &gone.id).collect::<Vec<_>>(), [&ids[3]], "{collected:?}");
    assert!(collected.failed[0].1.report().ends_with(&format!("it is in use by {web}")), "{collected:?}");
    assert_eq!(h.runtime().image_by_id(&ids[3]).await.unwrap(), None);
    for name in [&used, &late, &h.image_name("late"), &pinned] {
        assert!(h.runtime().image(name).await.unwrap().is_some(), "{name}");
    }
}

async fn an_archive_brings_its_images(h: &Harness) {
    let registry = Registry::of(h);
    let name = h.image_name("archive");
    let archive = registry.archive(&name, "one");
    let images = manager(h);
    let pieces = |bytes: &[u8]| stream::iter(bytes.chunks(60_000).map(|piece| Ok(piece.to_vec())).collect::<Vec<_>>());

    let loaded = images.load(pieces(&archive)).await.unwrap();

    assert_eq!(loaded, std::slice::from_ref(&name));
    assert!(h.see_image(&name).await.config.labels.is_some_and(|labels| labels.0.contains_key("kit.mark")));

    let garbage = images.load(pieces(&[7; 5000])).await.unwrap_err();
    let broken = [Ok(archive[..2000].to_vec()), Err(std::io::Error::other("the disk is gone"))];
    let broken = images.load(stream::iter(broken)).await.unwrap_err();
    assert_eq!((garbage.kind(), broken.kind()), (ErrorKind::Rejected, ErrorKind::Rejected), "{garbage} {broken}");
    assert!(broken.report().ends_with("the archive cannot be read: the disk is gone"), "{}", broken.report());
}

async fn images_are_surveyed_while_others_come_and_go(h: &Harness) {
    let registry = Registry::of(h);
    let images = manager(h);
    let stays = h.image_name("stays");
    let archive = registry.archive(&stays, "stays");
    images.load(stream::iter([Ok(archive)])).await.unwrap();
    let come_and_go = join_all(["a", "b"].map(async |what| {
        let name = h.image_name(what);
        let archive = registry.archive(&name, what);
        loop {
            images.load(stream::iter([Ok(archive.clone())])).await.unwrap();
            images.remove(&name).await.unwrap();
        }
    }));
    let look = async {
        for _ in 0..10 {
            let all = h.runtime().images().await.unwrap();
            assert!(all.iter().any(|image| image.names.contains(&stays)), "{all:?}");
        }
    };

    let (come_and_go, look) = (pin!(come_and_go), pin!(look));
    let ended = future::select(come_and_go, look).await;

    assert!(matches!(ended, Either::Right(_)), "they come and go for ever");
}
