//! Pulls that are under way: all who ask for the same one share it.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Either, Shared, WeakShared, select};
use tokio::sync::watch;

use super::progress::Progress;
use super::request::Pulled;
use crate::error::Result;
use crate::image_ref::ImageRef;
use crate::name::ImageId;
use crate::spec::Platform;
use crate::state::Credentials;

/// What makes two pulls the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    pub(super) image: ImageRef,
    pub(super) platform: Option<Platform>,
    /// Those that were stated: what a keyring answers is the same for the same image.
    pub(super) credentials: Vec<Credentials>,
}

/// What a pull brings: which image, and how.
pub(super) type Outcome = Result<(ImageId, Pulled)>;

/// Where a pull is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Others come first.
    #[default]
    Waiting,
    Pulling(Progress),
}

/// Pulls that are under way.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<BTreeMap<Key, Entry>>);

#[derive(Debug)]
struct Entry {
    /// It ends when nobody waits for it any more.
    pull: WeakShared<BoxFuture<'static, Outcome>>,
    stage: watch::Receiver<Stage>,
}

impl Entry {
    /// The pull, while it goes on.
    fn under_way(&self) -> Option<Shared<BoxFuture<'static, Outcome>>> {
        self.pull.upgrade().filter(|pull| pull.peek().is_none())
    }
}

/// Somebody's share in a pull. It goes on as long as anybody has one.
pub(super) struct Share {
    pull: Shared<BoxFuture<'static, Outcome>>,
    stage: watch::Receiver<Stage>,
}

impl InFlight {
    /// A share in the pull of that key: the one that is under way, or else the one that `begin` makes, where `refusal` has
    /// nothing against it.
    ///
    /// A pull that fails is written down before it ends, so `refusal` knows of each that is not under way any more.
    pub(super) fn join<R>(
        &self,
        key: &Key,
        refusal: impl FnOnce() -> Option<R>,
        begin: impl FnOnce(watch::Sender<Stage>) -> BoxFuture<'static, Outcome>,
    ) -> std::result::Result<Share, R> {
        let mut entries = self.entries();
        if let Some((pull, entry)) = entries.get(key).and_then(|entry| Some((entry.under_way()?, entry))) {
            return Ok(Share { pull, stage: entry.stage.clone() });
        }
        if let Some(refusal) = refusal() {
            return Err(refusal);
        }
        let (sender, stage) = watch::channel(Stage::Waiting);
        let pull = begin(sender).shared();
        if let Some(weak) = pull.downgrade() {
            entries.insert(key.clone(), Entry { pull: weak, stage: stage.clone() });
        }
        Ok(Share { pull, stage })
    }

    /// Forgets those that have ended.
    pub(super) fn tidy(&self) {
        self.entries().retain(|_, entry| entry.under_way().is_some());
    }

    fn entries(&self) -> MutexGuard<'_, BTreeMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Share {
    /// The end of the pull. Tells where it is, from now on until then.
    pub(super) async fn outcome(mut self, mut tell: impl FnMut(&Stage)) -> Outcome {
        let mut told: Option<Stage> = None;
        // Not while it is held back by nothing but that nobody has looked yet.
        let mut outcome = match poll_fn(|cx| Poll::Ready(self.pull.poll_unpin(cx))).await {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        };
        loop {
            let now = self.stage.borrow_and_update().clone();
            let is_news = told.as_ref() != Some(&now) && (outcome.is_none() || now != Stage::Waiting);
            if is_news {
                tell(&now);
                told = Some(now);
            }
            if let Some(outcome) = outcome {
                return outcome;
            }
            let moved = std::pin::pin!(self.stage.changed());
            outcome = match select(&mut self.pull, moved).await {
                Either::Left((done, _)) => Some(done),
                Either::Right((Ok(()), _)) => None,
                // The pull has ended, and is about to say how.
                Either::Right((Err(_), pull)) => Some(pull.await),
            };
        }
    }
}
