//! One pull: its turn, its credentials, and its deadlines.

use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::in_flight::{Key, Outcome, Stage};
use super::manager::{ImageManager, runs_on};
use super::progress::Progress;
use super::request::Pulled;
use crate::error::{Error, ErrorKind, Result};
use crate::state::{Credentials, ImageToPull, PullError, PullFailure};

/// Waits for its turn, pulls, and looks at what has come.
pub(super) async fn pull(manager: &ImageManager, key: &Key, stage: &watch::Sender<Stage>) -> Outcome {
    let asked = Instant::now();
    let wanted = ImageToPull {
        image: key.image.clone(),
        platform: key.platform.clone(),
        credentials: None,
        only_newer: key.only_newer,
    };
    if key.image.is_id() {
        return Err(PullError::known(&wanted, PullFailure::InvalidName).into_error(&wanted));
    }
    let Ok(_turn) = manager.queue().turn().await else {
        let why = "the rate limit of this program allows no pull: its burst is 0";
        return Err(Error::new(ErrorKind::Rejected, "pull image", key.image.familiar()).because(why));
    };
    let begun = Instant::now();
    stage.send_replace(Stage::Pulling(Progress::default()));

    let (_, total) = manager.deadlines();
    match timeout(total, pull_as_anybody(manager, key, &wanted, stage)).await {
        Ok(outcome) => outcome?,
        Err(_) => return Err(PullError::known(&wanted, PullFailure::TooSlow).into_error(&wanted)),
    }
    let took = begun.elapsed();

    let gone = || Error::new(ErrorKind::NotFound, "pull image", key.image.familiar()).because("it is gone again");
    let image = manager.runtime.image(&key.image).await?.ok_or_else(gone)?;
    if !runs_on(&image, key.platform.as_ref()) {
        // An engine takes the only image that there is, whatever it runs on.
        return Err(PullError::known(&wanted, PullFailure::NoPlatform).into_error(&wanted));
    }
    Ok((image.id, Pulled { took, waited: begun - asked, size: image.size }))
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
    let (silence, _) = manager.deadlines();
    let mut pieces = manager.runtime.pull_image(pull);
    let mut until = Instant::now() + silence;
    loop {
        match tokio::time::timeout_at(until, pieces.next()).await {
            Ok(None) => return Ok(()),
            Ok(Some(piece)) => {
                let piece = piece?;
                let mut moved = false;
                stage.send_if_modified(|stage| {
                    if let Stage::Pulling(progress) = stage {
                        moved = progress.take(&piece);
                    }
                    moved
                });
                // An engine may say the same over and over of what stands still.
                if moved {
                    until = Instant::now() + silence;
                }
            }
            Err(_) => return Err(PullError::known(pull, PullFailure::Stalled).into_error(pull)),
        }
    }
}
