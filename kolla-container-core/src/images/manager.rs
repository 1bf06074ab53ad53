//! Sees to it that images are there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::backoff::{Backoff, BackoffLimits};
use super::event::{ImageEvent, ImageListener};
use super::in_flight::{InFlight, Key, Stage};
use super::keyring::Keyring;
use super::policy::{Decision, Presence};
use super::queue::{Concurrency, Queue, Rate};
use super::request::{Ensured, ImageRequest};
use super::why::EnsureError;
use crate::error::Error;
use crate::quantity::TimeSpan;
use crate::runtime::Runtime;
use crate::spec::Platform;
use crate::state::{ImageState, PullError};

/// Sees to it that images are there, as the kubelet's image manager does: by a policy, not more often than is good for
/// the registry, and once for all who ask at the same time.
///
/// Asking goes through these steps: is the image there; does its policy want it pulled; is it too early after a failure;
/// wait for a place and for the rate; pull, with each of the credentials until one is let in. A clone is another handle to
/// the same manager.
///
/// - **Sharing.** Those who ask at the same time for the same image, platform and credentials share one pull. It ends early
///   when nobody waits for it any more, and not before.
/// - **Back-off.** A pull that failed is not tried again at once: see [`BackoffLimits`]. An image that is there meanwhile is
///   used, where its policy is content with it.
/// - **Deadlines.** A pull of which nothing is heard for 2 minutes, or that takes longer than 30 in all, is ended. The time
///   that it waits for others does not count.
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
    pub(super) silence: Duration,
    pub(super) total: Duration,
}

/// What all handles share.
#[derive(Debug)]
struct State {
    queue: Queue,
    in_flight: InFlight,
    backoff: Option<Mutex<Backoff<Key, Error>>>,
    /// When images were last seen to be what the registry has.
    fresh: Mutex<BTreeMap<Key, Instant>>,
}

impl State {
    fn new(limits: &Limits) -> Self {
        Self {
            queue: Queue::new(limits.concurrency, limits.rate),
            in_flight: InFlight::default(),
            backoff: limits.backoff.map(|limits| Mutex::new(Backoff::new(limits))),
            fresh: Mutex::default(),
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

    /// With somebody who knows the credentials of images for which none are stated.
    pub fn with_keyring(mut self, keyring: Arc<dyn Keyring>) -> Self {
        self.keyring = keyring;
        self
    }

    /// With somebody who is told what happens, where the one who asks has nobody.
    pub fn with_listener(mut self, listener: Arc<dyn ImageListener>) -> Self {
        self.listener = listener;
        self
    }

    /// With so many pulls at the same time. Default: three. What handles shared before is theirs alone from now on, as with
    /// the other limits.
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
        let key = |only_newer| Key {
            image: image.clone(),
            platform: wanted.platform.clone(),
            credentials: wanted.credentials.clone(),
            only_newer,
        };
        let there = match self.runtime.image(image).await {
            Ok(there) => there.filter(|there| runs_on(there, wanted.platform.as_ref())),
            // What is there does not matter then, and the pull will show it.
            Err(_) if wanted.policy.is_always() => None,
            Err(error) => {
                listener.event(&ImageEvent::InspectFailed { image, error: &error });
                return Err(EnsureError::Inspect { image: image.clone(), error });
            }
        };
        let presence = there.as_ref().map_or(Presence::Absent, |_| Presence::Present(self.age(&key(false))));
        let only_newer = match wanted.policy.decide(presence) {
            Decision::Use => {
                let Some(ImageState { id, .. }) = there else {
                    return Err(EnsureError::NeverPull { image: image.clone() });
                };
                listener.event(&ImageEvent::Present { image, id: &id });
                return Ok(Ensured { id, changed: false, pulled: None });
            }
            Decision::Refuse => {
                listener.event(&ImageEvent::NeverPull { image });
                return Err(EnsureError::NeverPull { image: image.clone() });
            }
            Decision::PullIfNewer => true,
            Decision::Pull => false,
        };
        let kept = there.as_ref().filter(|_| only_newer).map(|there| there.id.clone());
        match (self.pull(key(only_newer), there, listener).await, kept) {
            // What is there is better than nothing; Podman does the same.
            (Err(_), Some(id)) => Ok(Ensured { id, changed: false, pulled: None }),
            (outcome, _) => outcome,
        }
    }

    async fn pull(
        &self,
        key: Key,
        there: Option<ImageState>,
        listener: &dyn ImageListener,
    ) -> Result<Ensured, EnsureError> {
        let image = &key.image;
        let waiting = self.state.backoff().and_then(|backoff| backoff.waiting(&key, Instant::now().into_std()));
        if let Some(waiting) = waiting {
            listener.event(&ImageEvent::BackOff { image, waiting: &waiting });
            return Err(EnsureError::BackOff { image: image.clone(), waiting });
        }
        let mut has_begun = false;
        let tell = |stage: &Stage| {
            match stage {
                Stage::Waiting => listener.event(&ImageEvent::Waiting { image }),
                Stage::Pulling(_) if !has_begun => listener.event(&ImageEvent::Pulling { image }),
                Stage::Pulling(_) => {}
            }
            if let Stage::Pulling(progress) = stage {
                has_begun = true;
                if progress.is_begun() {
                    listener.event(&ImageEvent::Progress { image, progress });
                }
            }
        };
        let this = self.clone();
        let share = self.state.in_flight.join(&key, |stage| Box::pin(this.carry_out(key.clone(), stage)));
        match share.outcome(tell).await {
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
    async fn carry_out(self, key: Key, stage: tokio::sync::watch::Sender<Stage>) -> super::in_flight::Outcome {
        let outcome = super::pull::pull(&self, &key, &stage).await;
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
            let key = Key { only_newer: false, ..key };
            self.state.fresh.lock().unwrap_or_else(PoisonError::into_inner).insert(key, now);
        }
        outcome
    }

    /// For how long the image has been what the registry had, as far as this manager knows.
    fn age(&self, key: &Key) -> Option<TimeSpan> {
        let fresh = self.state.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        fresh.get(key).map(|since| TimeSpan::from(since.elapsed()))
    }

    pub(super) fn queue(&self) -> &Queue {
        &self.state.queue
    }

    pub(super) fn keyring(&self) -> &dyn Keyring {
        self.keyring.as_ref()
    }

    /// How long a pull may be silent, and how long it may take.
    pub(super) fn deadlines(&self) -> (Duration, Duration) {
        (self.limits.silence, self.limits.total)
    }
}

/// Whether an image is for this platform, as far as it says. A variant counts where both sides have one.
pub(super) fn runs_on(image: &ImageState, platform: Option<&Platform>) -> bool {
    match (platform, &image.platform) {
        (Some(wanted), Some(actual)) => wanted.matches(actual),
        _ => true,
    }
}
