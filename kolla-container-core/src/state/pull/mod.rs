//! Images on their way from a registry: what is asked for, how far it is, and why it did not arrive.

mod words;

use std::fmt;
use std::time::Duration;

use crate::error::{Error, ErrorKind};
use crate::image_ref::ImageRef;
use crate::secret::{HIDDEN, redact};
use crate::spec::Platform;

/// What is asked of an engine that shall pull an image.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageToPull {
    /// Its name.
    pub image: ImageRef,
    /// What it has to run on; the engine's own platform unless stated.
    pub platform: Option<Platform>,
    /// Who asks for it at the registry; nobody in particular unless stated.
    pub credentials: Option<Credentials>,
    /// Whether it is left alone where the engine has what the registry has. Docker is asked for both digests first; Podman
    /// finds out while it pulls, and fetches nothing then.
    pub only_newer: bool,
}

impl ImageToPull {
    /// An image as anybody gets it.
    pub fn new(image: ImageRef) -> Self {
        Self { image, platform: None, credentials: None, only_newer: false }
    }

    /// The pull has failed, and the engine says this.
    pub fn failed(&self, said: &str) -> PullError {
        PullError::new(self, said)
    }
}

/// Who somebody is at a registry. Neither the name nor the secret is ever shown.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Credentials {
    /// A user and a password, or an access token in its place.
    Password {
        /// The user's name.
        username: String,
        /// The password.
        password: String,
        /// The e-mail address, which some registries of old ask for.
        email: Option<String>,
    },
    /// An identity token, as a registry gives it out at a login.
    IdentityToken(String),
}

impl Credentials {
    /// A user and a password.
    pub fn password(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self::Password { username: username.into(), password: password.into(), email: None }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// How far the pull of an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullProgress {
    /// The layer, as the engine names it; `None` for the image as a whole.
    pub layer: Option<String>,
    /// What is being done, in the engine's words.
    pub status: String,
    /// Bytes done.
    pub current: Option<u64>,
    /// Bytes to do.
    pub total: Option<u64>,
}

/// What the failure of a pull means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PullFailure {
    /// Nothing can have such a name: an id, for one.
    InvalidName,
    /// The registry has no such repository.
    NoRepository,
    /// The registry has the repository, and no such tag or digest in it.
    NoManifest,
    /// There is such an image, for other platforms only.
    NoPlatform,
    /// The registry asks who we are, and it was not told.
    NoCredentials,
    /// The registry does not know who we say we are.
    WrongCredentials,
    /// The registry knows who we are, and we may not; some say so of a repository that there is not.
    Denied,
    /// It was asked too often.
    RateLimited,
    /// Nobody answers: no such host, connection refused, connection lost.
    Unreachable,
    /// It has an error of its own: a status of 500 and above, a body that ends early.
    RegistryFailed,
    /// Its certificate was not signed by anybody whom the engine trusts, or is somebody else's.
    Untrusted,
    /// It speaks HTTP where the engine expects TLS.
    NotTls,
    /// Nothing arrived for too long.
    Stalled,
    /// Something arrived all the time, and for too long.
    TooSlow,
    /// There is no room for it on the engine's disk.
    NoSpace,
    /// The engine's policy refuses it: a signature is missing or wrong.
    Refused,
    /// Something else; the engine's own words say what.
    Other,
}

impl PullFailure {
    /// Whether another try may go better without anybody doing anything.
    pub fn is_transient(self) -> bool {
        self.is_about_the_registry() || self == Self::Other
    }

    /// Whether the registry could not be asked, or not to the end: nobody knows what it has.
    pub fn is_about_the_registry(self) -> bool {
        matches!(self, Self::RateLimited | Self::Unreachable | Self::RegistryFailed | Self::Stalled | Self::TooSlow)
    }

    /// Whether other credentials might help.
    pub fn is_about_credentials(self) -> bool {
        matches!(self, Self::NoCredentials | Self::WrongCredentials | Self::Denied)
    }

    /// The same in the few kinds that all errors have.
    pub fn kind(self) -> ErrorKind {
        match self {
            Self::InvalidName => ErrorKind::Rejected,
            Self::NoRepository | Self::NoManifest | Self::NoPlatform => ErrorKind::NotFound,
            Self::NoCredentials | Self::WrongCredentials | Self::Denied | Self::Refused => ErrorKind::Denied,
            Self::RateLimited | Self::Unreachable | Self::RegistryFailed | Self::Untrusted | Self::NotTls => {
                ErrorKind::Unreachable
            }
            Self::Stalled | Self::TooSlow => ErrorKind::TimedOut,
            Self::NoSpace | Self::Other => ErrorKind::EngineFailed,
        }
    }

    /// What to do about it.
    fn advice(self, pull: &ImageToPull) -> String {
        let registry = pull.image.registry().unwrap_or_default();
        let name = pull.image.familiar();
        match self {
            Self::InvalidName => format!("{name} is nothing that can be pulled: write a name such as `nginx:1.27`"),
            Self::NoRepository => format!("{registry} has no such repository: check its name"),
            Self::NoManifest => {
                format!("{registry} has no such image: check name and tag, and whether it was pushed")
            }
            Self::NoPlatform => match &pull.platform {
                Some(platform) => format!("there is no such image for {platform}: ask for another platform"),
                None => "there is no such image for the platform of this engine".to_owned(),
            },
            Self::NoCredentials => {
                format!("{registry} asks for a password, and none was given: log in to it, or pass credentials")
            }
            Self::WrongCredentials => format!("{registry} does not accept the credentials: check user and password"),
            Self::Denied => format!("{registry} refuses it: check the name, and whether this user may pull it"),
            Self::RateLimited => format!("{registry} was asked too often: wait, or log in for a higher limit"),
            Self::Unreachable => format!("{registry} cannot be reached: check its name, port and network"),
            Self::RegistryFailed => format!("{registry} has failed: try again, and look at its log"),
            Self::Untrusted => {
                format!("the engine does not trust the certificate of {registry}: give the engine its CA")
            }
            Self::NotTls => {
                format!("{registry} speaks HTTP, not TLS: declare it as insecure to the engine, if it has to be")
            }
            Self::Stalled => format!("nothing came from {registry} any more: check the network, and try again"),
            Self::TooSlow => format!("{registry} did not send it in time: allow more, or check the network"),
            Self::NoSpace => "the engine's disk is full: remove what is not needed".to_owned(),
            Self::Refused => "the engine's policy does not accept it: check its signature, and the policy".to_owned(),
            Self::Other => "it failed".to_owned(),
        }
    }
}

/// Why a pull failed: what that means, what to do about it, and the engine's own words.
///
/// It is the cause of the [`Error`] that a pull ends with: [`PullError::of`] finds it there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{advice}{}{said}", if said.is_empty() { "" } else { "; the engine says: " })]
pub struct PullError {
    failure: PullFailure,
    retry_after: Option<Duration>,
    advice: String,
    said: String,
}

impl PullError {
    /// A pull for which the engine says this. Secrets are taken out of its words.
    fn new(pull: &ImageToPull, said: &str) -> Self {
        let failure = words::meaning(said, pull);
        let said = redact(&words::without_identity(said.trim(), pull.credentials.as_ref()));
        Self { retry_after: words::retry_after(&said), said, ..Self::known(pull, failure) }
    }

    /// One that failed for this reason, of which the engine says nothing.
    pub fn known(pull: &ImageToPull, failure: PullFailure) -> Self {
        Self { failure, retry_after: None, advice: failure.advice(pull), said: String::new() }
    }

    /// Several refusals of the same pull, as whoever was tried last.
    pub(crate) fn all_of(refusals: Vec<Self>) -> Self {
        let count = refusals.len();
        let said: Vec<String> =
            refusals.iter().enumerate().map(|(index, refusal)| format!("({}) {}", index + 1, refusal.said)).collect();
        match refusals.into_iter().next_back() {
            Some(last) if count > 1 => {
                let advice = format!("none of {count} credentials was let in; {}", last.advice);
                Self { advice, said: said.join("; "), ..last }
            }
            Some(last) => last,
            None => Self { failure: PullFailure::Other, retry_after: None, advice: String::new(), said: String::new() },
        }
    }

    /// The reason why a pull failed, where the engine said one, or it is known otherwise.
    pub fn of(error: &Error) -> Option<&Self> {
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }

    /// What it means.
    pub fn failure(&self) -> PullFailure {
        self.failure
    }

    /// When the registry wants to be asked again, where the engine tells: an hour at most.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// As the error of the pull.
    pub fn into_error(self, pull: &ImageToPull) -> Error {
        Error::new(self.failure.kind(), "pull image", pull.image.familiar()).caused_by(self)
    }
}
