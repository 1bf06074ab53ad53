//! Why an image is not there.

use super::backoff::Waiting;
use crate::error::{Error, ErrorKind};
use crate::image_ref::ImageRef;
use crate::quantity::TimeSpan;
use crate::state::{PullError, PullFailure};

/// Why an image that was asked for is not there.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnsureError {
    /// It is not there, and its policy is to pull nothing.
    #[error("image {} is not here, and its pull policy is never: load or pull it, or choose another policy", image.familiar())]
    NeverPull {
        /// The image.
        image: ImageRef,
    },
    /// Nobody knows whether it is there.
    #[error("whether image {} is here cannot be found out", image.familiar())]
    Inspect {
        /// The image.
        image: ImageRef,
        /// Why.
        #[source]
        error: Error,
    },
    /// Its last pull failed, and it is too early for another one.
    #[error("back-off pulling image {} for another {}: {}", image.familiar(), TimeSpan::from(waiting.left), waiting.last_error.report())]
    BackOff {
        /// The image.
        image: ImageRef,
        /// How long, and what went wrong before.
        waiting: Waiting<Error>,
    },
    /// Its pull failed.
    #[error("{}", error.report())]
    Pull {
        /// The image.
        image: ImageRef,
        /// Why.
        error: Error,
    },
}

impl EnsureError {
    /// The word that Kubernetes has for it where a container waits.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NeverPull { .. } => "ErrImageNeverPull",
            Self::Inspect { .. } => "ImageInspectError",
            Self::BackOff { .. } => "ImagePullBackOff",
            Self::Pull { .. } if self.failure() == Some(PullFailure::Unreachable) => "RegistryUnavailable",
            Self::Pull { .. } if self.failure() == Some(PullFailure::Refused) => "SignatureValidationFailed",
            Self::Pull { .. } if self.failure() == Some(PullFailure::InvalidName) => "InvalidImageName",
            Self::Pull { .. } => "ErrImagePull",
        }
    }

    /// What the pull failed of, the last one where it is too early for another.
    pub fn failure(&self) -> Option<PullFailure> {
        match self {
            Self::NeverPull { .. } | Self::Inspect { .. } => None,
            Self::BackOff { waiting, .. } => PullError::of(&waiting.last_error).map(PullError::failure),
            Self::Pull { error, .. } => PullError::of(error).map(PullError::failure),
        }
    }
}

/// The same as the error of a step.
impl From<EnsureError> for Error {
    fn from(error: EnsureError) -> Self {
        match error {
            EnsureError::Pull { error, .. } | EnsureError::Inspect { error, .. } => error,
            EnsureError::NeverPull { ref image } => {
                Self::new(ErrorKind::NotFound, "pull image", image.familiar()).because(error)
            }
            EnsureError::BackOff { image, waiting: Waiting { left, last_error } } => {
                let why = TooEarly { left: left.into(), last_error };
                Self::new(why.last_error.kind(), "pull image", image.familiar()).caused_by(why)
            }
        }
    }
}

/// Why nothing was tried.
#[derive(Debug, thiserror::Error)]
#[error("back-off for another {left} after a pull that failed")]
struct TooEarly {
    left: TimeSpan,
    #[source]
    last_error: Error,
}
