//! Pulls that are under way: all who ask for the same one share it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

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
    pub(super) only_newer: bool,
}

/// What a pull brings: which image, and how.
pub(super) type Outcome = Result<(ImageId, Pulled)>;

/// Where a pull is.
#[derive(Debug, Default)]
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

/// Somebody's share in a pull. It goes on as long as anybody has one.
pub(super) struct Share {
    pull: Shared<BoxFuture<'static, Outcome>>,
    stage: watch::Receiver<Stage>,
}

impl InFlight {
    /// A share in the pull of that key: the one that is under way, or else the one that `begin` makes.
    pub(super) fn join(
        &self,
        key: &Key,
        begin: impl FnOnce(watch::Sender<Stage>) -> BoxFuture<'static, Outcome>,
    ) -> Share {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let under_way = entries.get(key).and_then(|entry| {
            let pull = entry.pull.upgrade().filter(|pull| pull.peek().is_none())?;
            Some(Share { pull, stage: entry.stage.clone() })
        });
        under_way.unwrap_or_else(|| {
            entries.retain(|_, entry| entry.pull.upgrade().is_some_and(|pull| pull.peek().is_none()));
            let (sender, stage) = watch::channel(Stage::Waiting);
            let pull = begin(sender).shared();
            if let Some(weak) = pull.downgrade() {
                entries.insert(key.clone(), Entry { pull: weak, stage: stage.clone() });
            }
            Share { pull, stage }
        })
    }
}

impl Share {
    /// The end of the pull. Tells where it is, from now on until then.
    pub(super) async fn outcome(mut self, mut tell: impl FnMut(&Stage)) -> Outcome {
        tell(&self.stage.borrow_and_update());
        let outcome = loop {
            let moved = {
                let moved = std::pin::pin!(self.stage.changed());
                match select(self.pull.clone(), moved).await {
                    Either::Left((outcome, _)) => break outcome,
                    Either::Right((moved, _)) => moved,
                }
            };
            if moved.is_err() {
                // The pull has ended, and is about to say how.
                break self.pull.clone().await;
            }
            tell(&self.stage.borrow_and_update());
        };
        if self.stage.has_changed().unwrap_or(true) {
            tell(&self.stage.borrow_and_update());
        }
        outcome
    }
}
