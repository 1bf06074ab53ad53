//! Sees to it that images are there.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use super::backoff::{Backoff, BackoffLimits};
use super::event::{ImageEvent, ImageListener};
use super::in_flight::{InFlight, Key, Outcome, Stage};
use super::keyring::Keyring;
use super::policy::{Decision, Presence};
use super::pull::pull;
use super::queue::{Concurrency, Queue, Rate};
use super::request::{Ensured, ImageRequest};
use super::why::EnsureError;
use crate::error::{Error, ErrorKind};
use crate::image_ref::ImageRef;
use crate::name::ImageId;
use crate::quantity::TimeSpan;
use crate::runtime::Runtime;
use crate::spec::Platform;
use crate::state::{ImageState, PullError, PullFailure};

/// How long a look at an image may take.
const LOOK: Duration = Duration::from_mins(2);

/// Of how many images it is remembered when they were pulled.
const REMEMBERED: usize = 10_000;

/// Sees to it that images are there, as the kubelet's image manager does: by a policy, not more often than is good for
/// the registry, and once for all who ask at the same time.
///
/// Asking goes through these steps: is the image there; does its policy want it pulled; is it too early after a failure;
/// wait for a place and for the rate; pull, with each of the credentials until one is let in. A clone is another handle to
/// the same manager.
///
/// - **Sharing.** Those who ask at the same time for the same image, platform and credentials share one pull. It ends early
///   when nobody waits for it any more, and not before.
/// - **Plans.** The pull step of a plan asks for an image that is missing. Who wants another policy there ensures the images
///   before the plan is made: it then names each container that differs by its image.
/// - **Back-off.** A pull that failed is not tried again at once: see [`BackoffLimits`]. An image that is there meanwhile is
///   used, where its policy is content with it.
/// - **Deadlines.** A pull of which nothing is heard for 2 minutes, or that takes longer than 30 in all, is ended. The time
///   that it waits for others does not count, nor does silence while an engine unpacks what has come. Docker sends three
///   layers at a time, whoever asks for them: a pull whose layers all wait for others is not silent while those move, as far
///   as they are of the same manager. A look at an image may take 2 minutes.
///
/// ```
/// use std::sync::Arc;
/// use kolla_container_core::images::{ImageManager, ImageRequest, PullPolicy};
/// use kolla_container_core::memory::MemoryEngine;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let images = ImageManager::new(Arc::new(MemoryEngine::new()));
/// let wanted = ImageRequest::new("nginx:1.27".parse()?).with_policy(PullPolicy::Always);
///
/// assert!(images.ensure(&wanted).await?.changed);
/// assert!(!images.ensure(&wanted).await?.changed, "the registry has nothing newer");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ImageManager {
    pub(super) runtime: Arc<dyn Runtime>,
    keyring: Arc<dyn Keyring>,
    listener: Arc<dyn ImageListener>,
    limits: Limits,
    state: Arc<State>,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    concurrency: Concurrency,
    rate: Option<Rate>,
    backoff: Option<BackoffLimits>,
    silence: Duration,
    total: Duration,
}

/// What all handles share.
#[derive(Debug)]
struct State {
    queue: Queue,
    in_flight: InFlight,
    backoff: Option<Mutex<Backoff<Key, Error>>>,
    /// When images were last seen to be what the registry has.
    fresh: Mutex<BTreeMap<(ImageRef, Option<Platform>), Instant>>,
    /// When anything came of any pull.
    moved: Mutex<Option<Instant>>,
}

impl State {
    fn new(limits: &Limits) -> Self {
        let seed = RandomState::new().hash_one(0);
        Self {
            queue: Queue::new(limits.concurrency, limits.rate),
            in_flight: InFlight::default(),
            backoff: limits.backoff.map(|limits| Mutex::new(Backoff::new(limits).with_seed(seed))),
            fresh: Mutex::default(),
            moved: Mutex::default(),
        }
    }

    fn backoff(&self) -> Option<MutexGuard<'_, Backoff<Key, Error>>> {
        self.backoff.as_ref().map(|backoff| backoff.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ImageManager {
    /// For the images of `runtime`, pulled as nobody in particular: three at the same time, without a rate limit, with the
    /// kubelet's back-off.
    pub fn new(runtime: Arc<dyn Runtime>) -> Self {
        let limits = Limits {
            concurrency: Concurrency::default(),
            rate: None,
            backoff: Some(BackoffLimits::default()),
            silence: Duration::from_mins(2),
            total: Duration::from_mins(30),
        };
        let state = Arc::new(State::new(&limits));
        Self { runtime, keyring: Arc::new(()), listener: Arc::new(()), limits, state }
    }

    /// With somebody who knows the credentials of images for which none are stated. Default: nobody does. What handles shared
    /// before is theirs alone from now on, as with all limits below: whoever asks as somebody else does not share a pull.
    pub fn with_keyring(mut self, keyring: Arc<dyn Keyring>) -> Self {
        self.keyring = keyring;
        self.limited(|_| {})
    }

    /// With somebody who is told what happens, where the one who asks has nobody.
    pub fn with_listener(mut self, listener: Arc<dyn ImageListener>) -> Self {
        self.listener = listener;
        self
    }

    /// With so many pulls at the same time. Default: three.
    pub fn with_concurrency(self, concurrency: Concurrency) -> Self {
        self.limited(|limits| limits.concurrency = concurrency)
    }

    /// With a limit to how fast pulls begin. Default: none.
    pub fn with_rate(self, rate: Option<Rate>) -> Self {
        self.limited(|limits| limits.rate = rate)
    }

    /// With another back-off, or with none: then each request is tried. Default: the kubelet's, 10 s to 300 s.
    pub fn with_backoff(self, backoff: Option<BackoffLimits>) -> Self {
        self.limited(|limits| limits.backoff = backoff)
    }

    /// With another time after which a pull is ended of which nothing is heard. Default: 2 minutes.
    pub fn with_silence(self, silence: Duration) -> Self {
        self.limited(|limits| limits.silence = silence)
    }

    /// With another time that a pull may take in all. Default: 30 minutes.
    pub fn with_deadline(self, total: Duration) -> Self {
        self.limited(|limits| limits.total = total)
    }

    fn limited(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self.state = Arc::new(State::new(&self.limits));
        self
    }

    /// Sees to it that an image is there; tells the manager's own listener.
    pub async fn ensure(&self, wanted: &ImageRequest) -> Result<Ensured, EnsureError> {
        self.ensure_telling(wanted, self.listener.as_ref()).await
    }

    /// Sees to it that an image is there; tells `listener`.
    ///
    /// Dropping the future leaves a pull to those who share it, and ends it where nobody does.
    pub async fn ensure_telling(
        &self,
        wanted: &ImageRequest,
        listener: &dyn ImageListener,
    ) -> Result<Ensured, EnsureError> {
        let image = &wanted.image;
        let there = match self.look(image).await {
            Ok(there) => there.filter(|there| fits(there, wanted.platform.as_ref())),
            // What is there does not matter then, and the pull will show it.
            Err(_) if wanted.policy.is_always() => None,
            Err(error) => {
                listener.event(&ImageEvent::InspectFailed { image, error: &error });
                return Err(EnsureError::Inspect { image: image.clone(), error });
            }
        };
        let presence = there.as_ref().map_or(Presence::Absent, |_| Presence::Present(self.age(wanted)));
        match (wanted.policy.decide(presence), there) {
            (Decision::Use, Some(ImageState { id, .. })) => {
                listener.event(&ImageEvent::Present { image, id: &id });
                Ok(Ensured { id, changed: false, pulled: None })
            }
            (Decision::Use | Decision::Refuse, _) => {
                listener.event(&ImageEvent::NeverPull { image });
                Err(EnsureError::NeverPull { image: image.clone() })
            }
            (Decision::Pull, there) => Box::pin(self.pull(wanted, false, there.as_ref(), listener)).await,
            (Decision::PullIfNewer, there) => match Box::pin(self.pull(wanted, true, there.as_ref(), listener)).await {
                Err(error) if error.failure().is_some_and(PullFailure::is_about_the_registry) => {
                    // What is there is better than nothing, if it still is.
                    let still = self.look(image).await.ok().flatten();
                    let still = still.filter(|still| fits(still, wanted.platform.as_ref()));
                    let is_same = |id: &ImageId| there.as_ref().is_some_and(|there| there.id == *id);
                    still.map(|still| Ensured { changed: !is_same(&still.id), id: still.id, pulled: None }).ok_or(error)
                }
                outcome => outcome,
            },
        }
    }

    async fn pull(
        &self,
        wanted: &ImageRequest,
        only_newer: bool,
        there: Option<&ImageState>,
        listener: &dyn ImageListener,
    ) -> Result<Ensured, EnsureError> {
        let image = &wanted.image;
        let key =
            Key { image: image.clone(), platform: wanted.platform.clone(), credentials: wanted.credentials.clone() };
        let this = self.clone();
        let total = wanted.deadline.unwrap_or(self.limits.total);
        let waiting = || self.state.backoff().and_then(|backoff| backoff.waiting(&key, Instant::now().into_std()));
        let begin = |stage| -> BoxFuture<'static, Outcome> {
            let pull = this.carry_out(key.clone(), only_newer, total, stage);
            // A keyring that panics must not take those with it who share the pull.
            let pull = AssertUnwindSafe(pull).catch_unwind();
            let image = image.clone();
            Box::pin(async move { pull.await.unwrap_or_else(|_| Err(panicked(&image))) })
        };
        let share = self.state.in_flight.join(&key, waiting, begin).map_err(|waiting| {
            listener.event(&ImageEvent::BackOff { image, waiting: &waiting });
            EnsureError::BackOff { image: image.clone(), waiting }
        })?;
        let mut has_begun = false;
        let tell = |stage: &Stage| match stage {
            Stage::Waiting => listener.event(&ImageEvent::Waiting { image }),
            Stage::Pulling(progress) => {
                if !std::mem::replace(&mut has_begun, true) {
                    listener.event(&ImageEvent::Pulling { image });
                }
                if progress.is_begun() {
                    listener.event(&ImageEvent::Progress { image, progress });
                }
            }
        };
        let outcome = share.outcome(tell).await;
        self.state.in_flight.tidy();
        match outcome {
            Ok((id, pulled)) => {
                let changed = there.is_none_or(|there| there.id != id);
                listener.event(&ImageEvent::Pulled { image, pulled: &pulled, changed });
                Ok(Ensured { id, changed, pulled: Some(pulled) })
            }
            Err(error) => {
                listener.event(&ImageEvent::Failed { image, error: &error });
                Err(EnsureError::Pull { image: image.clone(), error })
            }
        }
    }

    /// The pull that is shared: takes note of how it ends.
    async fn carry_out(self, key: Key, only_newer: bool, total: Duration, stage: watch::Sender<Stage>) -> Outcome {
        let outcome = pull(&self, &key, only_newer, total, &stage).await;
        let now = Instant::now();
        if let Some(mut backoff) = self.state.backoff() {
            match &outcome {
                Ok(_) => backoff.succeeded(&key),
                Err(error) => {
                    let retry_after = PullError::of(error).and_then(PullError::retry_after);
                    backoff.failed(key.clone(), now.into_std(), error.clone(), retry_after);
                }
            }
            backoff.forget_expired(now.into_std());
        }
        if outcome.is_ok() {
            let mut fresh = self.state.fresh.lock().unwrap_or_else(PoisonError::into_inner);
            fresh.insert((key.image, key.platform), now);
            if fresh.len() > REMEMBERED {
                let oldest = fresh.iter().min_by_key(|(_, since)| **since).map(|(image, _)| image.clone());
                oldest.map(|oldest| fresh.remove(&oldest));
            }
        }
        outcome
    }

    /// Looks whether an image is there. No engine needs that long, and one that hangs must not keep others from their turn.
    pub(super) async fn look(&self, image: &ImageRef) -> Result<Option<ImageState>, Error> {
        let late = || Error::new(ErrorKind::TimedOut, "inspect image", image.familiar()).because("no answer within 2m");
        tokio::time::timeout(LOOK, self.runtime.image(image)).await.unwrap_or_else(|_| Err(late()))
    }

    /// For how long the image has been what the registry had, as far as this manager knows.
    fn age(&self, wanted: &ImageRequest) -> Option<TimeSpan> {
        let fresh = self.state.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let since = fresh.get(&(wanted.image.clone(), wanted.platform.clone()));
        since.map(|since| TimeSpan::from(since.elapsed()))
    }

    /// Something has come of a pull.
    pub(super) fn has_moved(&self) {
        *self.state.moved.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// When something last came of any pull.
    pub(super) fn last_move(&self) -> Option<Instant> {
        *self.state.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.state.queue
    }

    pub(super) fn keyring(&self) -> &dyn Keyring {
        self.keyring.as_ref()
    }

    /// How long a pull may be silent.
    pub(super) fn silence(&self) -> Duration {
        self.limits.silence
    }
}

/// Whether an image that is there is for this platform, as far as it says.
fn fits(image: &ImageState, platform: Option<&Platform>) -> bool {
    platform.is_none() || image.platform.is_none() || image.platform.as_ref() == platform
}

fn panicked(image: &ImageRef) -> Error {
    Error::new(ErrorKind::EngineFailed, "pull image", image.familiar()).because("something has panicked meanwhile")
}
