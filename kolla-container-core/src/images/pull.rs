//! One pull: its turn, its credentials, and its deadlines.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::in_flight::{Key, Outcome, Stage};
use super::manager::ImageManager;
use super::progress::Progress;
use super::request::Pulled;
use crate::error::{Error, ErrorKind, Result};
use crate::state::{Credentials, ImageToPull, PullError, PullFailure, PullProgress};

/// Waits for its turn, pulls, and looks at what has come.
pub(super) async fn pull(
    manager: &ImageManager,
    key: &Key,
    only_newer: bool,
    total: Duration,
    stage: &watch::Sender<Stage>,
) -> Outcome {
    let asked = Instant::now();
    let wanted =
        ImageToPull { image: key.image.clone(), platform: key.platform.clone(), credentials: None, only_newer };
    let failed = |failure| PullError::known(&wanted, failure).into_error(&wanted);
    if key.image.is_id() {
        return Err(failed(PullFailure::InvalidName));
    }
    let Ok(turn) = manager.queue().turn().await else {
        let why = "the rate limit of this program allows no pull: its burst is 0";
        return Err(Error::new(ErrorKind::Rejected, "pull image", key.image.familiar()).because(why));
    };
    let begun = Instant::now();
    stage.send_replace(Stage::Pulling(Progress::default()));
    match timeout(total, pull_as_anybody(manager, key, &wanted, stage)).await {
        Ok(outcome) => outcome?,
        Err(_) => return Err(failed(PullFailure::TooSlow)),
    }
    let took = begun.elapsed();
    drop(turn);

    let gone = || Error::new(ErrorKind::NotFound, "pull image", key.image.familiar()).because("it is gone again");
    let image = manager.look(&key.image).await?.ok_or_else(gone)?;
    match (&key.platform, &image.platform) {
        // An engine takes the only image that there is, whatever it runs on.
        (Some(wanted), Some(actual)) if !wanted.is_akin(actual) => Err(failed(PullFailure::NoPlatform)),
        _ => Ok((image.id, Pulled { took, waited: begun - asked, size: image.size })),
    }
}

/// Tries each of the credentials until one is let in.
async fn pull_as_anybody(
    manager: &ImageManager,
    key: &Key,
    wanted: &ImageToPull,
    stage: &watch::Sender<Stage>,
) -> Result<()> {
    let candidates = if key.credentials.is_empty() {
        manager.keyring().credentials(&key.image).await?
    } else {
        key.credentials.clone()
    };
    let mut candidates: Vec<Option<Credentials>> = candidates.into_iter().map(Some).collect();
    if candidates.is_empty() {
        candidates.push(None);
    }
    let mut refusals = Vec::new();
    for credentials in candidates {
        let pull = ImageToPull { credentials, ..wanted.clone() };
        match pull_as(manager, &pull, stage).await {
            Ok(()) => return Ok(()),
            Err(error) => match PullError::of(&error) {
                Some(refusal) if refusal.failure().is_about_credentials() => refusals.push(refusal.clone()),
                _ => return Err(error),
            },
        }
    }
    Err(PullError::all_of(refusals).into_error(wanted))
}

async fn pull_as(manager: &ImageManager, pull: &ImageToPull, stage: &watch::Sender<Stage>) -> Result<()> {
    let silence = manager.silence();
    let mut pieces = manager.runtime.pull_image(pull);
    let mut moved = Instant::now();
    loop {
        let left = silence.saturating_sub(moved.elapsed());
        match timeout(left, pieces.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(piece)) => {
                // An engine may say the same over and over of what stands still.
                if take(stage, &piece?) {
                    moved = Instant::now();
                    manager.has_moved();
                }
            }
            Err(_) => match &*stage.borrow() {
                // It has all of it, and unpacks it.
                Stage::Pulling(progress) if progress.is_here() => moved = Instant::now(),
                // It is the turn of others, who may be moving.
                Stage::Pulling(progress) if progress.is_waiting() => match manager.last_move() {
                    Some(last) if last.elapsed() < silence => moved = last,
                    _ => return Err(PullError::known(pull, PullFailure::Stalled).into_error(pull)),
                },
                _ => return Err(PullError::known(pull, PullFailure::Stalled).into_error(pull)),
            },
        }
    }
}

/// Takes note of a piece of progress; answers whether it is any.
fn take(stage: &watch::Sender<Stage>, piece: &PullProgress) -> bool {
    stage.send_if_modified(|stage| match stage {
        Stage::Pulling(progress) => progress.take(piece),
        Stage::Waiting => false,
    })
}
