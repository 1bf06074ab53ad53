//! Which image shall be there, and what came of it.

use std::time::Duration;

use super::policy::PullPolicy;
use crate::image_ref::ImageRef;
use crate::name::ImageId;
use crate::spec::Platform;
use crate::state::Credentials;

/// An image that shall be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageRequest {
    /// Its name, or an id, which cannot be pulled.
    pub image: ImageRef,
    /// When it is pulled.
    pub policy: PullPolicy,
    /// What it has to run on; the engine's own platform unless stated. One that is there for another platform counts as
    /// absent.
    pub platform: Option<Platform>,
    /// Who asks for it: one after the other is tried until the registry lets one in. Where there is none, the manager's
    /// [`Keyring`](super::Keyring) is asked.
    pub credentials: Vec<Credentials>,
    /// How long its pull may take in all, not counting the time that it waits for others; as the manager has it unless
    /// stated. A pull that is shared has the time of whoever began it.
    pub deadline: Option<Duration>,
}

impl ImageRequest {
    /// An image that is pulled when it is missing.
    pub fn new(image: ImageRef) -> Self {
        Self { image, policy: PullPolicy::Missing, platform: None, credentials: Vec::new(), deadline: None }
    }

    /// With another policy.
    pub fn with_policy(mut self, policy: PullPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// For a platform.
    pub fn with_platform(mut self, platform: Option<Platform>) -> Self {
        self.platform = platform;
        self
    }

    /// With another time that its pull may take.
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// With credentials, tried in this order.
    pub fn with_credentials(mut self, credentials: impl IntoIterator<Item = Credentials>) -> Self {
        self.credentials = credentials.into_iter().collect();
        self
    }
}

/// An image that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ensured {
    /// Its id.
    pub id: ImageId,
    /// Whether that is another one than before, or there was none: a pull that finds everything up to date changes nothing.
    pub changed: bool,
    /// The pull, where there was one.
    pub pulled: Option<Pulled>,
}

/// A pull that has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// How long the pull itself took.
    pub took: Duration,
    /// How long it waited before for others, and for the rate limit.
    pub waited: Duration,
    /// The size of the image on the engine's disk, in bytes.
    pub size: u64,
}
