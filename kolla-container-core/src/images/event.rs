//! What an observer of images is told.

use std::fmt;

use super::backoff::Waiting;
use super::progress::Progress;
use super::request::Pulled;
use crate::error::Error;
use crate::image_ref::ImageRef;
use crate::name::ImageId;

/// Something that happened to an image that was asked for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ImageEvent<'a> {
    /// It is there, and not pulled.
    Present {
        /// The image.
        image: &'a ImageRef,
        /// Which one it is.
        id: &'a ImageId,
    },
    /// It is not there, and may not be pulled.
    NeverPull {
        /// The image.
        image: &'a ImageRef,
    },
    /// Nobody knows whether it is there.
    InspectFailed {
        /// The image.
        image: &'a ImageRef,
        /// Why.
        error: &'a Error,
    },
    /// It is too early to try again.
    BackOff {
        /// The image.
        image: &'a ImageRef,
        /// How long, and what went wrong before.
        waiting: &'a Waiting<Error>,
    },
    /// Its pull waits for others to end, or for the rate limit.
    Waiting {
        /// The image.
        image: &'a ImageRef,
    },
    /// Its pull has begun.
    Pulling {
        /// The image.
        image: &'a ImageRef,
    },
    /// Its pull goes on. Not every piece is told where they come fast, but the last is, and each tells the whole.
    Progress {
        /// The image.
        image: &'a ImageRef,
        /// How far it is.
        progress: &'a Progress,
    },
    /// Its pull has succeeded.
    Pulled {
        /// The image.
        image: &'a ImageRef,
        /// How long it took.
        pulled: &'a Pulled,
        /// Whether it brought another image than was there before.
        changed: bool,
    },
    /// Its pull has failed.
    Failed {
        /// The image.
        image: &'a ImageRef,
        /// Why.
        error: &'a Error,
    },
}

impl ImageEvent<'_> {
    /// The word that the kubelet has for it in its events; those that it does not have are called as they are here.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Present { .. } | Self::Pulled { .. } => "Pulled",
            Self::NeverPull { .. } => "ErrImageNeverPull",
            Self::InspectFailed { .. } => "InspectFailed",
            Self::BackOff { .. } => "BackOff",
            Self::Waiting { .. } => "Waiting",
            Self::Pulling { .. } => "Pulling",
            Self::Progress { .. } => "Progress",
            Self::Failed { .. } => "Failed",
        }
    }
}

/// Somebody who wants to know what happens to images. Called from the task that asked for the image: be quick.
pub trait ImageListener: fmt::Debug + Send + Sync {
    /// Something happened.
    fn event(&self, event: &ImageEvent<'_>);
}

impl ImageListener for () {
    fn event(&self, _: &ImageEvent<'_>) {}
}
