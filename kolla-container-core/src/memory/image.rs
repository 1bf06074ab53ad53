//! Images: what a registry has, what the engine has, and how the programs in them behave.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::facts::platform;
use super::world::{Answer, hexadecimal, refusal};
use crate::error::ErrorKind;
use crate::image_ref::ImageRef;
use crate::name::ImageId;
use crate::spec::{ContainerSpec, Deploy, Platform};
use crate::state::{Credentials, ImageState, ImageToPull, PullFailure, PullProgress};
use crate::timestamp::Timestamp;

/// The size of every image.
const SIZE: u64 = 4 << 20;

/// What the program in a container does once it was started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Behaviour {
    /// It runs until it is stopped, and is healthy at once where it has a check.
    #[default]
    Runs,
    /// It ends by itself. A restart policy that covers `code` starts it again a tenth of a second later,
    /// again and again: a crash loop, which shows as running whenever one looks.
    Exits {
        /// How long after its start.
        after: Duration,
        /// Its exit status.
        code: i64,
    },
    /// It cannot be started, for this reason.
    FailsToStart(String),
    /// Where it has a check: it is starting, and healthy this long after its start.
    BecomesHealthy(Duration),
    /// Where it has a check: it is starting, and unhealthy this long after its start.
    BecomesUnhealthy(Duration),
    /// It runs, and ends by nothing but SIGKILL.
    IgnoresStop,
}

impl Behaviour {
    /// Ends right after its start: a job that is done, or the first round of a crash loop.
    pub const fn exits(code: i64) -> Self {
        Self::Exits { after: Duration::ZERO, code }
    }

    /// Ends `after` its start.
    pub const fn exits_after(after: Duration, code: i64) -> Self {
        Self::Exits { after, code }
    }
}

/// An image for the engine in memory: what it implies, and how its program behaves.
///
/// Of `config` the fields count that an image has: command, entrypoint, environment, labels, user,
/// working directory, stop signal, stop timeout, anonymous volumes, exposed ports, health check, platform.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImageTemplate {
    /// What it implies for a container made from it.
    pub config: ContainerSpec,
    /// What its program does.
    pub behaviour: Behaviour,
    /// What its program prints to standard output, each time it is started.
    pub stdout: Vec<u8>,
    /// What its program prints to standard error, each time it is started.
    pub stderr: Vec<u8>,
}

impl ImageTemplate {
    /// An image that implies `config`.
    pub fn new(config: ContainerSpec) -> Self {
        Self { config, ..Self::default() }
    }

    /// With a program that behaves like this.
    pub fn with_behaviour(mut self, behaviour: Behaviour) -> Self {
        self.behaviour = behaviour;
        self
    }

    /// With a program that prints this.
    pub fn with_output(mut self, stdout: impl Into<Vec<u8>>, stderr: impl Into<Vec<u8>>) -> Self {
        self.stdout = stdout.into();
        self.stderr = stderr.into();
        self
    }
}

/// An image that the engine has.
#[derive(Clone)]
pub(super) struct Image {
    pub(super) template: ImageTemplate,
    pub(super) platform: Option<Platform>,
    names: BTreeSet<ImageRef>,
    digests: BTreeSet<ImageRef>,
    created: Timestamp,
}

impl Image {
    fn state(&self, id: &ImageId) -> ImageState {
        let mut config = self.template.config.clone();
        config.image = None;
        config.platform = None;
        config.deploy = Deploy::default();
        ImageState {
            id: id.clone(),
            names: self.names.iter().chain(&self.digests).cloned().collect(),
            config,
            platform: self.platform.clone(),
            size: SIZE,
            created: Some(self.created),
        }
    }
}

/// What a registry answers for a name; one that nobody published is made up.
#[derive(Clone)]
enum Offer {
    Image(ImageId, Box<ImageTemplate>),
    Fails(PullFailure),
}

/// The images of the engine and of the one registry behind every name.
#[derive(Default)]
pub(super) struct Images {
    present: BTreeMap<ImageId, Image>,
    offers: BTreeMap<ImageRef, Offer>,
    /// Who may pull from a registry; anybody from one that is not here.
    users: BTreeMap<String, Credentials>,
    /// How long each piece of a pull takes.
    pub(super) pace: Duration,
}

impl Images {
    pub(super) fn publish(&mut self, reference: &ImageRef, id: ImageId, template: ImageTemplate) {
        self.offers.insert(reference.clone(), Offer::Image(id, Box::new(template)));
    }

    pub(super) fn fail(&mut self, reference: &ImageRef, failure: PullFailure) {
        self.offers.insert(reference.clone(), Offer::Fails(failure));
    }

    pub(super) fn ask_for(&mut self, registry: &str, credentials: Credentials) {
        self.users.insert(registry.to_owned(), credentials);
    }

    /// Puts an image into the engine, and gives it the name that another one may have had.
    pub(super) fn load(&mut self, reference: &ImageRef, id: &ImageId, template: ImageTemplate, now: Timestamp) {
        let platform = template.config.platform.clone().or_else(platform);
        self.present.entry(id.clone()).or_insert(Image {
            template,
            platform,
            names: BTreeSet::new(),
            digests: BTreeSet::new(),
            created: now,
        });
        self.name(id, reference);
    }

    fn name(&mut self, id: &ImageId, reference: &ImageRef) {
        if reference.is_id() {
            return;
        }
        for image in self.present.values_mut() {
            image.names.remove(reference);
        }
        if let Some(image) = self.present.get_mut(id) {
            image.names.insert(reference.clone());
        }
    }

    /// What a pull would bring: the id, and what the program is like.
    pub(super) fn offered(&self, pull: &ImageToPull) -> Result<(ImageId, ImageTemplate), PullFailure> {
        let reference = &pull.image;
        if reference.is_id() {
            return Err(PullFailure::InvalidName);
        }
        match (reference.registry().and_then(|registry| self.users.get(registry)), &pull.credentials) {
            (Some(_), None) => return Err(PullFailure::NoCredentials),
            (Some(user), Some(given)) if user != given => return Err(PullFailure::WrongCredentials),
            _ => {}
        }
        match self.offers.get(reference) {
            Some(Offer::Image(id, template)) => Ok((id.clone(), template.as_ref().clone())),
            Some(Offer::Fails(failure)) => Err(*failure),
            None => self.made_up(reference),
        }
    }

    /// An image that nobody published: the digest says which one it is, else its name does.
    fn made_up(&self, reference: &ImageRef) -> Result<(ImageId, ImageTemplate), PullFailure> {
        let by_digest = reference.digest().and_then(|digest| digest.parse::<ImageId>().ok());
        let published = self.offers.iter().find_map(|(name, offer)| match offer {
            Offer::Image(id, template) if by_digest.as_ref() == Some(id) && name.name() == reference.name() => {
                Some((id.clone(), template.as_ref().clone()))
            }
            _ => None,
        });
        if let Some(published) = published {
            return Ok(published);
        }
        let id = by_digest.map_or_else(|| id_of_name(reference), Ok).map_err(|_| PullFailure::Other)?;
        Ok((id, ImageTemplate::default()))
    }

    /// What a pull says before its end.
    pub(super) fn pull_begins(&self, pull: &ImageToPull) -> Result<Vec<PullProgress>, PullFailure> {
        let (id, _) = self.offered(pull)?;
        let layer = Some(id.short().to_owned());
        let downloading = |current| PullProgress {
            layer: layer.clone(),
            status: "Downloading".to_owned(),
            current: Some(current),
            total: Some(SIZE),
        };
        let begun = progress(None, &format!("Pulling from {}", pull.image.repository().unwrap_or_default()));
        Ok(if self.present.contains_key(&id) {
            vec![begun, progress(layer, "Already exists")]
        } else {
            let complete = progress(layer.clone(), "Pull complete");
            vec![begun, downloading(SIZE / 2), downloading(SIZE), complete]
        })
    }

    /// The end of a pull: the image is there, and has its name and its digest.
    pub(super) fn pulled(&mut self, pull: &ImageToPull, now: Timestamp) -> Result<PullProgress, PullFailure> {
        let reference = &pull.image;
        let (id, mut template) = self.offered(pull)?;
        let up_to_date = self.find_id(reference).is_some_and(|present| *present == id);
        if let Some(platform) = &pull.platform {
            template.config.platform = Some(platform.clone());
        }
        self.load(reference, &id, template, now);
        let digest = reference.name().and_then(|name| format!("{name}@sha256:{id}").parse().ok());
        if let Some(image) = self.present.get_mut(&id) {
            image.digests.extend(digest);
        }
        Ok(progress(
            None,
            &if up_to_date {
                format!("Status: Image is up to date for {}", reference.familiar())
            } else {
                format!("Status: Downloaded newer image for {}", reference.familiar())
            },
        ))
    }

    fn find_id(&self, reference: &ImageRef) -> Option<&ImageId> {
        let with_digest = |image: &Image, id: &ImageId| {
            let is_this = reference.digest().and_then(|digest| digest.parse().ok()).as_ref() == Some(id);
            is_this && image.digests.iter().any(|digest| digest.name() == reference.name())
        };
        self.present
            .iter()
            .find(|(id, image)| {
                reference.id() == Some(id.as_str()) || image.names.contains(reference) || with_digest(image, id)
            })
            .map(|(id, _)| id)
    }

    pub(super) fn find(&self, reference: &ImageRef) -> Option<(ImageId, Image)> {
        let id = self.find_id(reference)?;
        Some((id.clone(), self.present.get(id)?.clone()))
    }

    pub(super) fn state(&self, reference: &ImageRef) -> Option<ImageState> {
        self.state_by_id(self.find_id(reference)?)
    }

    pub(super) fn state_by_id(&self, id: &ImageId) -> Option<ImageState> {
        self.present.get(id).map(|image| image.state(id))
    }

    pub(super) fn all(&self) -> Vec<ImageState> {
        self.present.iter().map(|(id, image)| image.state(id)).collect()
    }

    pub(super) fn tag(&mut self, id: &ImageId, reference: &ImageRef) -> Answer<()> {
        if !self.present.contains_key(id) {
            return Err(refusal(ErrorKind::NotFound, format!("no such image: {}", id.short())));
        }
        if reference.is_id() || reference.digest().is_some() {
            return Err(refusal(ErrorKind::Rejected, "a tag is a name without a digest"));
        }
        self.name(id, reference);
        Ok(())
    }

    /// Takes a name away, and the image with its last one; `used` says whether a container was made from it.
    pub(super) fn remove(&mut self, reference: &ImageRef, used: impl Fn(&ImageId) -> Option<String>) -> Answer<()> {
        let Some(id) = self.find_id(reference).cloned() else { return Ok(()) };
        let Some(image) = self.present.get_mut(&id) else { return Ok(()) };
        let others = image.names.iter().filter(|name| *name != reference).count();
        if others > 0 {
            if !image.names.remove(reference) {
                return Err(refusal(ErrorKind::Conflict, "the image has several names: remove each of them"));
            }
            return Ok(());
        }
        if let Some(container) = used(&id) {
            return Err(refusal(ErrorKind::Conflict, format!("container {container} was made from it")));
        }
        self.present.remove(&id);
        Ok(())
    }
}

fn progress(layer: Option<String>, status: &str) -> PullProgress {
    PullProgress { layer, status: status.to_owned(), current: None, total: None }
}

/// The id of an image that was made up: the same name has the same id in every engine.
fn id_of_name(reference: &ImageRef) -> Answer<ImageId> {
    let fnv = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = reference.to_string().bytes().fold(0xcbf2_9ce4_8422_2325, fnv);
    hexadecimal(hash >> 16, hash)
}
