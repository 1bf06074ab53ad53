//! The kubelet's cases, on the engine in memory: which requests are made, what is answered, what is told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::{join_all, select};
use tokio::time::{Instant, sleep};

use super::*;
use crate::error::ErrorKind;
use crate::image_ref::ImageRef;
use crate::layer::{Fault, Layered};
use crate::memory::{ImageTemplate, MemoryEngine};
use crate::runtime::Runtime;
use crate::state::{Credentials, ImageToPull, PullError, PullFailure};

const SECOND: Duration = Duration::from_secs(1);

/// Writes down what it is told, without the progress.
#[derive(Debug, Default)]
struct Heard(Mutex<Vec<String>>);

impl ImageListener for Heard {
    fn event(&self, event: &ImageEvent<'_>) {
        if !matches!(event, ImageEvent::Progress { .. }) {
            self.0.lock().unwrap().push(event.reason().to_owned());
        }
    }
}

struct World {
    engine: MemoryEngine,
    images: ImageManager,
    heard: Arc<Heard>,
    image: ImageRef,
}

impl World {
    /// A registry with the image; the engine may have it too.
    fn new(is_present: bool, limit: impl FnOnce(ImageManager) -> ImageManager) -> Self {
        let engine = MemoryEngine::new();
        let image: ImageRef = "registry.example/app:1".parse().unwrap();
        engine.publish(&image, ImageTemplate::default());
        if is_present {
            engine.load(&image, ImageTemplate::default());
        }
        Self::on(engine.clone(), Arc::new(engine), image, limit)
    }

    fn on(
        engine: MemoryEngine,
        runtime: Arc<dyn Runtime>,
        image: ImageRef,
        limit: impl FnOnce(ImageManager) -> ImageManager,
    ) -> Self {
        let heard = Arc::new(Heard::default());
        let images = limit(ImageManager::new(runtime)).with_listener(Arc::clone(&heard) as Arc<dyn ImageListener>);
        Self { engine, images, heard, image }
    }

    fn wanted(&self, policy: PullPolicy) -> ImageRequest {
        ImageRequest::new(self.image.clone()).with_policy(policy)
    }

    /// Asks a second later, and answers: what came of it, the requests, the events.
    async fn step(&self, policy: PullPolicy) -> (String, Vec<String>, Vec<String>) {
        sleep(SECOND).await;
        self.engine.clear_requests();
        self.heard.0.lock().unwrap().clear();
        let outcome = self.images.ensure(&self.wanted(policy)).await;
        let said = outcome.map_or_else(|error| error.reason().to_owned(), |done| format!("changed: {}", done.changed));
        let requests = self.engine.requests().into_iter();
        let methods = requests.map(|line| line.split(' ').next().unwrap_or_default().to_owned()).collect();
        (said, methods, self.heard.0.lock().unwrap().clone())
    }

    async fn expect(&self, policy: PullPolicy, said: &str, requests: &[&str], events: &[&str]) {
        let (actual, methods, heard) = self.step(policy).await;
        assert_eq!(actual, said);
        assert_eq!(methods, requests, "requests");
        assert_eq!(heard, events, "events");
    }
}

/// As the kubelet pulls: one after the other, or all at once.
const WAYS: [Concurrency; 2] = [Concurrency::Serial, Concurrency::Unlimited];

/// Looks, pulls, and looks what has come.
const PULLS: &[&str] = &["image", "pull_image", "image"];

#[tokio::test(start_paused = true)]
async fn an_image_that_is_missing_is_pulled_and_then_used() {
    for way in WAYS {
        let world = World::new(false, |images| images.with_concurrency(way));

        world.expect(PullPolicy::Missing, "changed: true", PULLS, &["Pulling", "Pulled"]).await;
        world.expect(PullPolicy::Missing, "changed: false", &["image"], &["Pulled"]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_there_is_not_pulled() {
    for way in WAYS {
        let world = World::new(true, |images| images.with_concurrency(way));

        for policy in [PullPolicy::Missing, PullPolicy::Missing, PullPolicy::Missing, PullPolicy::Never] {
            world.expect(policy, "changed: false", &["image"], &["Pulled"]).await;
        }
    }
}

/// The kubelet does not look before; we do, to say whether anything is new.
#[tokio::test(start_paused = true)]
async fn an_image_that_is_always_pulled_is_pulled_each_time() {
    for way in WAYS {
        let world = World::new(true, |images| images.with_concurrency(way));

        world.expect(PullPolicy::Always, "changed: true", PULLS, &["Pulling", "Pulled"]).await;
        world.expect(PullPolicy::Always, "changed: false", PULLS, &["Pulling", "Pulled"]).await;
        world.expect(PullPolicy::Always, "changed: false", PULLS, &["Pulling", "Pulled"]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_never_pulled_has_to_be_there() {
    for way in WAYS {
        let world = World::new(false, |images| images.with_concurrency(way));

        for _ in 0..3 {
            world.expect(PullPolicy::Never, "ErrImageNeverPull", &["image"], &["ErrImageNeverPull"]).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_looked_at_is_not_pulled_unless_it_always_is() {
    for way in WAYS {
        let engine = MemoryEngine::new();
        let fault = Fault::fail_nth(1, ErrorKind::EngineFailed).on("image");
        let runtime = Layered::new(Arc::new(engine.clone()), Arc::new(fault));
        let image = "registry.example/app:1".parse().unwrap();
        let world = World::on(engine, Arc::new(runtime), image, |images| images.with_concurrency(way));

        world.expect(PullPolicy::Missing, "ImageInspectError", &[], &["InspectFailed"]).await;
        world.expect(PullPolicy::Missing, "changed: true", PULLS, &["Pulling", "Pulled"]).await;
    }
    let engine = MemoryEngine::new();
    let fault = Fault::fail_nth(1, ErrorKind::EngineFailed).on("image");
    let runtime = Layered::new(Arc::new(engine.clone()), Arc::new(fault));
    let world = World::on(engine, Arc::new(runtime), "registry.example/app:1".parse().unwrap(), |images| images);
    world.expect(PullPolicy::Always, "changed: true", &["pull_image", "image"], &["Pulling", "Pulled"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_fails_backs_off_as_the_kubelet_does() {
    for way in WAYS {
        let limits = BackoffLimits { initial: SECOND, max: SECOND * 60, jitter: 0 };
        let world = World::new(false, |images| images.with_concurrency(way).with_backoff(Some(limits)));
        world.engine.unpublish(&world.image);

        let failed = (&["image", "pull_image"][..], &["Pulling", "Failed"][..], "ErrImagePull");
        let waits = (&["image"][..], &["BackOff"][..], "ImagePullBackOff");
        for (requests, events, said) in [failed, failed, waits, failed, waits, waits] {
            world.expect(PullPolicy::Missing, said, requests, events).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_to_wait_is_told_for_how_long_and_what_went_wrong() {
    let world = World::new(false, |images| images);
    world.engine.fail_pulls(&world.image, PullFailure::Refused);

    let first = world.images.ensure(&world.wanted(PullPolicy::Missing)).await.unwrap_err();
    sleep(SECOND * 4).await;
    let second = world.images.ensure(&world.wanted(PullPolicy::Always)).await.unwrap_err();

    assert_eq!((first.reason(), first.failure()), ("SignatureValidationFailed", Some(PullFailure::Refused)));
    assert_eq!((second.reason(), second.failure()), ("ImagePullBackOff", Some(PullFailure::Refused)));
    let said = second.to_string();
    assert!(said.starts_with("back-off pulling image registry.example/app:1 for another 6s: "), "{said}");
    assert!(said.contains("policy does not accept it"), "{said}");
    let error = crate::Error::from(second);
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert_eq!(PullError::of(&error).map(PullError::failure), Some(PullFailure::Refused));
    assert!(
        error.report().contains("back-off for another 6s after a pull that failed: pull image"),
        "{}",
        error.report()
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_that_comes_by_itself_ends_the_waiting() {
    let world = World::new(false, |images| images);
    world.engine.unpublish(&world.image);
    world.expect(PullPolicy::Missing, "ErrImagePull", &["image", "pull_image"], &["Pulling", "Failed"]).await;

    world.engine.load(&world.image, ImageTemplate::default());

    world.expect(PullPolicy::Missing, "changed: false", &["image"], &["Pulled"]).await;
    world.expect(PullPolicy::Always, "ImagePullBackOff", &["image"], &["BackOff"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_success_ends_the_back_off() {
    let world = World::new(false, |images| images);
    world.engine.unpublish(&world.image);
    for _ in 0..3 {
        let _ = world.images.ensure(&world.wanted(PullPolicy::Always)).await;
        sleep(SECOND * 40).await;
    }
    world.engine.publish(&world.image, ImageTemplate::default());
    world.images.ensure(&world.wanted(PullPolicy::Always)).await.unwrap();
    world.engine.unpublish(&world.image);
    world.images.ensure(&world.wanted(PullPolicy::Always)).await.unwrap_err();

    let waits = world.images.ensure(&world.wanted(PullPolicy::Always)).await.unwrap_err();

    assert!(waits.to_string().contains("for another 10s"), "{waits}");
}

#[tokio::test(start_paused = true)]
async fn a_generous_rate_lets_pulls_through_and_no_burst_lets_none() {
    let generous = World::new(false, |images| images.with_rate(Some(Rate::per_second(400, 1))));
    generous.expect(PullPolicy::Missing, "changed: true", PULLS, &["Pulling", "Pulled"]).await;

    let none = World::new(false, |images| images.with_rate(Some(Rate::per_second(5, 0))));
    none.expect(PullPolicy::Missing, "ErrImagePull", &["image"], &["Failed"]).await;
    none.expect(PullPolicy::Missing, "ImagePullBackOff", &["image"], &["BackOff"]).await;
}

#[tokio::test(start_paused = true)]
async fn names_that_are_none_are_refused_before_any_request() {
    for wrong in ["FooBar", "http://foobar.example/app", "foo:bar:baz", "a b"] {
        assert!(wrong.parse::<ImageRef>().is_err(), "{wrong}");
    }
    // A text of 64 hexadecimal digits is an id: nothing that a registry has.
    let engine = MemoryEngine::new();
    let id: ImageRef = "ab".repeat(32).parse().unwrap();
    let world = World::on(engine.clone(), Arc::new(engine), id, |images| images);

    world.expect(PullPolicy::Missing, "InvalidImageName", &["image"], &["Failed"]).await;
}

#[test]
fn a_name_without_a_tag_is_that_of_the_latest() {
    for (written, meant) in
        [("registry.example/app", "registry.example/app:latest"), ("registry.example/app:1", "registry.example/app:1")]
    {
        assert_eq!(written.parse::<ImageRef>().unwrap().to_string(), meant);
    }
    let digest = format!("registry.example/app@sha256:{}", "ab".repeat(32));
    let both = format!("registry.example/app:1@sha256:{}", "ab".repeat(32));
    for name in [digest, both] {
        assert_eq!(name.parse::<ImageRef>().unwrap().to_string(), name);
    }
}

/// How many pulls are under way, and how many there were at most.
#[derive(Debug, Default)]
struct Crowd(Mutex<(usize, usize)>);

impl ImageListener for Crowd {
    fn event(&self, event: &ImageEvent<'_>) {
        let mut crowd = self.0.lock().unwrap();
        match event {
            ImageEvent::Pulling { .. } => crowd.0 += 1,
            ImageEvent::Pulled { .. } | ImageEvent::Failed { .. } => crowd.0 -= 1,
            _ => {}
        }
        crowd.1 = crowd.1.max(crowd.0);
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_pulls_than_allowed_are_under_way() {
    for (way, expected, rounds) in [
        (Concurrency::Serial, 1, 7),
        (Concurrency::Parallel(5), 5, 2),
        (Concurrency::Parallel(0), 1, 7),
        (Concurrency::Unlimited, 7, 1),
    ] {
        let engine = MemoryEngine::new();
        engine.slow_pulls(SECOND);
        let images = ImageManager::new(Arc::new(engine)).with_concurrency(way);
        let crowd = Crowd::default();
        let begun = Instant::now();

        let pulls = (0..7).map(|number| format!("registry.example/app:{number}").parse().unwrap());
        let done = join_all(pulls.map(async |image| {
            images.ensure_telling(&ImageRequest::new(image), &crowd).await.unwrap().pulled.unwrap()
        }))
        .await;

        assert_eq!(crowd.0.lock().unwrap().1, expected, "{way:?}");
        assert_eq!(begun.elapsed(), SECOND * 5 * rounds, "{way:?}");
        assert!(done.iter().all(|pulled| pulled.took == SECOND * 5), "{done:?}");
        assert_eq!(done.iter().map(|pulled| pulled.waited).max(), Some(SECOND * 5 * (rounds - 1)));
    }
}

#[tokio::test(start_paused = true)]
async fn all_who_ask_for_the_same_share_one_pull() {
    let world = World::new(false, |images| images);
    world.engine.slow_pulls(SECOND);
    let wanted = world.wanted(PullPolicy::Always);

    let answers = join_all((0..20).map(|_| world.images.ensure(&wanted))).await;

    let ids: std::collections::BTreeSet<_> = answers.into_iter().map(|answer| answer.unwrap().id).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(world.engine.writes(), ["pull_image registry.example/app:1"]);
    // A later one is another one.
    world.images.ensure(&wanted).await.unwrap();
    assert_eq!(world.engine.writes().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn those_who_are_somebody_else_do_not_share() {
    let world = World::new(false, |images| images.with_concurrency(Concurrency::Unlimited));
    world.engine.slow_pulls(SECOND);
    let wanted = world.wanted(PullPolicy::Missing);
    let somebody = wanted.clone().with_credentials([Credentials::password("kit", "one")]);
    let for_arm = wanted.clone().with_platform(Some("linux/arm64".parse().unwrap()));

    join_all([&wanted, &somebody, &for_arm, &wanted].map(|wanted| world.images.ensure(wanted))).await;

    assert_eq!(world.engine.writes().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_does_not_end_the_pull_of_the_others_and_the_last_one_does() {
    let world = World::new(false, |images| images);
    world.engine.slow_pulls(SECOND);
    let wanted = world.wanted(PullPolicy::Missing);

    // The first one drives the pull, and goes first.
    let mut first = Box::pin(world.images.ensure(&wanted));
    select(&mut first, Box::pin(sleep(SECOND * 2))).await;
    let second = world.images.ensure(&wanted);
    let second = async {
        let mut second = Box::pin(second);
        select(&mut second, Box::pin(sleep(SECOND))).await;
        drop(first);
        second.await
    };
    assert!(second.await.unwrap().changed);
    assert_eq!(world.engine.writes(), ["pull_image registry.example/app:1"]);

    let other = ImageRequest::new("registry.example/other:1".parse().unwrap());
    let alone = Box::pin(world.images.ensure(&other));
    drop(select(alone, Box::pin(sleep(SECOND * 2))).await);
    sleep(SECOND * 60).await;
    assert!(world.engine.image(&other.image).await.unwrap().is_none());
    // It has left nothing behind: the next one begins anew.
    assert!(world.images.ensure(&other).await.unwrap().changed);
}

#[tokio::test(start_paused = true)]
async fn a_shared_pull_that_fails_counts_once() {
    let world = World::new(false, |images| images);
    world.engine.slow_pulls(SECOND);
    world.engine.unpublish(&world.image);
    let wanted = world.wanted(PullPolicy::Missing);

    let answers = join_all((0..5).map(|_| world.images.ensure(&wanted))).await;

    assert!(answers.iter().all(|answer| answer.as_ref().is_err_and(|error| error.reason() == "ErrImagePull")));
    let waits = world.images.ensure(&wanted).await.unwrap_err();
    assert!(waits.to_string().contains("for another 10s"), "{waits}");
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_falls_silent_or_takes_too_long_is_ended() {
    let world = World::new(false, |images| images);
    world.engine.slow_pulls(SECOND * 121);
    let begun = Instant::now();
    let stalled = world.images.ensure(&world.wanted(PullPolicy::Missing)).await.unwrap_err();
    assert_eq!((stalled.failure(), begun.elapsed()), (Some(PullFailure::Stalled), SECOND * 120));

    let world = World::new(false, |images| images.with_deadline(SECOND * 200));
    world.engine.slow_pulls(SECOND * 90);
    let begun = Instant::now();
    let slow = world.images.ensure(&world.wanted(PullPolicy::Missing)).await.unwrap_err();
    assert_eq!((slow.failure(), begun.elapsed()), (Some(PullFailure::TooSlow), SECOND * 200));
    assert!(world.engine.image(&world.image).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn credentials_are_tried_in_their_order() {
    let world = World::new(false, |images| images.with_backoff(None));
    let (wrong, right) = (Credentials::password("kit", "wrong"), Credentials::password("kit", "right"));
    world.engine.ask_for("registry.example", right.clone());
    let ask = async |credentials: &[&Credentials]| {
        let credentials: Vec<_> = credentials.iter().copied().cloned().collect();
        world.engine.clear_requests();
        let outcome = world.images.ensure(&world.wanted(PullPolicy::Always).with_credentials(credentials)).await;
        (outcome, world.engine.writes().len())
    };

    let (nobody, _) = ask(&[]).await;
    assert_eq!(nobody.unwrap_err().failure(), Some(PullFailure::NoCredentials));
    let (both, pulls) = ask(&[&wrong, &right]).await;
    assert_eq!((both.unwrap().changed, pulls), (true, 2));
    let (refused, pulls) = ask(&[&wrong, &wrong]).await;
    let refused = refused.unwrap_err();
    assert_eq!((refused.failure(), pulls), (Some(PullFailure::WrongCredentials), 2));
    assert!(refused.to_string().contains("none of 2 credentials was let in"), "{refused}");

    // What has nothing to do with credentials is not tried again with others.
    world.engine.unpublish(&world.image);
    let (absent, pulls) = ask(&[&right, &right]).await;
    assert_eq!((absent.unwrap_err().failure(), pulls), (Some(PullFailure::NoManifest), 1));
}

#[tokio::test(start_paused = true)]
async fn a_keyring_is_asked_only_for_a_pull() {
    #[derive(Debug, Default)]
    struct Counted(Mutex<usize>);

    #[async_trait::async_trait]
    impl Keyring for Counted {
        async fn credentials(&self, _: &ImageRef) -> crate::Result<Vec<Credentials>> {
            *self.0.lock().unwrap() += 1;
            Ok(vec![Credentials::password("kit", "right")])
        }
    }

    let keyring = Arc::new(Counted::default());
    let world = World::new(false, |images| images.with_keyring(Arc::clone(&keyring) as Arc<dyn Keyring>));
    world.engine.ask_for("registry.example", Credentials::password("kit", "right"));
    for _ in 0..3 {
        world.images.ensure(&world.wanted(PullPolicy::Missing)).await.unwrap();
    }

    assert_eq!(*keyring.0.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_version_under_the_same_name_is_seen_by_those_policies_that_look() {
    let world = World::new(false, |images| images);
    let asks = async |policy| world.images.ensure(&world.wanted(policy)).await.unwrap().changed;
    let hour = crate::TimeSpan::from_secs(3600);
    assert!(asks(PullPolicy::Missing).await);
    world.engine.publish(&world.image, ImageTemplate::default());

    assert!(!asks(PullPolicy::Missing).await);
    assert!(!asks(PullPolicy::Never).await);
    assert!(!asks(PullPolicy::After(hour)).await);
    assert!(asks(PullPolicy::Newer).await);
    assert!(!asks(PullPolicy::Newer).await);
    world.engine.publish(&world.image, ImageTemplate::default());
    assert!(asks(PullPolicy::Always).await);
    world.engine.publish(&world.image, ImageTemplate::default());
    sleep(SECOND * 3600).await;
    assert!(asks(PullPolicy::After(hour)).await);
    assert!(!asks(PullPolicy::After(hour)).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_there_is_kept_where_the_registry_cannot_be_asked() {
    let world = World::new(true, |images| images);
    world.engine.fail_pulls(&world.image, PullFailure::Unreachable);

    let (said, _, heard) = world.step(PullPolicy::Newer).await;
    assert_eq!((said.as_str(), heard), ("changed: false", vec!["Pulling".to_owned(), "Failed".to_owned()]));
    // Also while it is too early to ask again.
    let (said, _, heard) = world.step(PullPolicy::Newer).await;
    assert_eq!((said.as_str(), heard), ("changed: false", vec!["BackOff".to_owned()]));

    // What the registry says, or the engine, is not hidden.
    for failure in [PullFailure::WrongCredentials, PullFailure::NoManifest, PullFailure::Refused, PullFailure::NoSpace]
    {
        let world = World::new(true, |images| images);
        world.engine.fail_pulls(&world.image, failure);
        let error = world.images.ensure(&world.wanted(PullPolicy::Newer)).await.unwrap_err();
        assert_eq!(error.failure(), Some(failure));
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_as_somebody_else_shares_nothing() {
    let world = World::new(false, |images| images);
    let (wrong, right) = (Credentials::password("kit", "wrong"), Credentials::password("kit", "right"));
    world.engine.ask_for("registry.example", right.clone());
    let as_one =
        |who: &Credentials| world.images.clone().with_keyring(Arc::new(Known::default().with_any(who.clone())));
    let (wrong, right) = (as_one(&wrong), as_one(&right));
    let wanted = world.wanted(PullPolicy::Missing);

    let refused = wrong.ensure(&wanted).await.unwrap_err();

    assert_eq!(refused.failure(), Some(PullFailure::WrongCredentials));
    assert!(right.ensure(&wanted).await.unwrap().changed);
}

#[tokio::test(start_paused = true)]
async fn newer_shares_a_pull_with_always() {
    let world = World::new(true, |images| images);
    world.engine.slow_pulls(SECOND);
    let (newer, always) = (world.wanted(PullPolicy::Newer), world.wanted(PullPolicy::Always));

    join_all([world.images.ensure(&newer), world.images.ensure(&always)]).await;

    assert_eq!(world.engine.writes().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn only_who_waits_is_told_so() {
    let world = World::new(false, |images| images.with_concurrency(Concurrency::Serial));
    world.engine.slow_pulls(SECOND);
    let second = ImageRequest::new("registry.example/second:1".parse().unwrap());
    let (first_heard, second_heard) = (Heard::default(), Heard::default());

    let first = world.wanted(PullPolicy::Missing);
    let first = world.images.ensure_telling(&first, &first_heard);
    let (first, second) = futures_util::future::join(first, world.images.ensure_telling(&second, &second_heard)).await;

    assert!(first.is_ok() && second.is_ok());
    assert_eq!(first_heard.0.into_inner().unwrap(), ["Pulling", "Pulled"]);
    assert_eq!(second_heard.0.into_inner().unwrap(), ["Waiting", "Pulling", "Pulled"]);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_pull_begins_with_its_turn_and_is_that_of_who_asks() {
    let world = World::new(false, |images| images.with_concurrency(Concurrency::Serial).with_silence(Duration::MAX));
    world.engine.slow_pulls(SECOND * 200);
    let requests = (0..4).map(|number| ImageRequest::new(format!("registry.example/app:{number}").parse().unwrap()));
    let requests: Vec<_> = requests.collect();

    let all = join_all(requests.iter().map(|request| world.images.ensure(request))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");

    world.engine.slow_pulls(SECOND * 600);
    let wanted = ImageRequest::new("registry.example/slow:1".parse().unwrap());
    let slow = world.images.ensure(&wanted).await.unwrap_err();
    assert_eq!(slow.failure(), Some(PullFailure::TooSlow));
    let images = world.images.clone().with_backoff(None);
    assert!(images.ensure(&wanted.with_deadline(SECOND * 3600)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_keyring_that_panics_fails_its_pull_and_nothing_else() {
    #[derive(Debug)]
    struct Broken;

    #[async_trait::async_trait]
    impl Keyring for Broken {
        async fn credentials(&self, image: &ImageRef) -> crate::Result<Vec<Credentials>> {
            assert!(!image.familiar().contains("bad"));
            Ok(Vec::new())
        }
    }

    let world = World::new(false, |images| images.with_keyring(Arc::new(Broken)));
    let bad = ImageRequest::new("registry.example/bad:1".parse().unwrap());
    let good = world.wanted(PullPolicy::Missing);

    let outcomes = join_all(vec![&bad, &bad, &good].into_iter().map(|wanted| world.images.ensure(wanted))).await;

    assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!(world.images.ensure(&bad).await.unwrap_err().reason(), "ErrImagePull");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_does_not_answer_a_look_ends_the_asking() {
    let engine = MemoryEngine::new();
    let runtime = Layered::new(Arc::new(engine.clone()), Arc::new(Fault::hang_nth(1).on("image")));
    let world = World::on(engine, Arc::new(runtime), "registry.example/app:1".parse().unwrap(), |images| images);

    let error = world.images.ensure(&world.wanted(PullPolicy::Missing)).await.unwrap_err();

    assert_eq!(error.reason(), "ImageInspectError");
    assert_eq!(crate::Error::from(error).kind(), ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn an_image_for_another_platform_is_not_there() {
    let world = World::new(false, |images| images);
    world.images.ensure(&world.wanted(PullPolicy::Missing)).await.unwrap();
    let arm = |policy| world.wanted(policy).with_platform(Some("linux/arm64".parse().unwrap()));

    let never = world.images.ensure(&arm(PullPolicy::Never)).await.unwrap_err();

    assert_eq!(never.reason(), "ErrImageNeverPull");
}

#[tokio::test(start_paused = true)]
async fn progress_is_told_for_each_layer_and_for_the_whole() {
    #[derive(Debug, Default)]
    struct Bytes(Mutex<Vec<(u64, u64)>>);

    impl ImageListener for Bytes {
        fn event(&self, event: &ImageEvent<'_>) {
            if let ImageEvent::Progress { progress, .. } = event {
                self.0.lock().unwrap().push((progress.current(), progress.total()));
            }
        }
    }

    let world = World::new(false, |images| images);
    world.engine.slow_pulls(SECOND);
    let bytes = Bytes::default();

    let done = world.images.ensure_telling(&world.wanted(PullPolicy::Missing), &bytes).await.unwrap();

    let size = done.pulled.unwrap().size;
    let heard = bytes.0.into_inner().unwrap();
    assert_eq!(heard, [(0, 0), (size / 2, size), (size, size), (size, size), (size, size)]);
}

#[test]
fn what_is_known_of_a_failed_pull_is_found_in_its_error() {
    let pull = ImageToPull::new("registry.example/app:1".parse().unwrap());

    let error = PullError::known(&pull, PullFailure::Stalled).into_error(&pull);

    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(PullError::of(&error).map(PullError::failure), Some(PullFailure::Stalled));
    assert!(PullError::of(&crate::Error::new(ErrorKind::TimedOut, "pull image", "x")).is_none());
}
