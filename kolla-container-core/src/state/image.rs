//! Images as observed, and as archives.

use std::io;

use futures_core::stream::BoxStream;

use crate::image_ref::ImageRef;
use crate::name::ImageId;
use crate::spec::{ContainerSpec, Platform};
use crate::timestamp::Timestamp;

/// An image that the engine has.
#[derive(Clone, Debug, PartialEq)]
pub struct ImageState {
    /// Its id.
    pub id: ImageId,
    /// Its names with tags, and with digests.
    pub names: Vec<ImageRef>,
    /// What it implies for a container made from it: command, entrypoint, environment, labels, user,
    /// working directory, anonymous volumes, exposed ports, health check, stop signal.
    pub config: ContainerSpec,
    /// What it runs on.
    pub platform: Option<Platform>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was built.
    pub created: Option<Timestamp>,
}

impl ImageState {
    /// An image that is there, and of which only the id is known.
    pub(crate) fn unread(id: ImageId) -> Self {
        Self { id, names: Vec::new(), config: ContainerSpec::default(), platform: None, size: 0, created: None }
    }

    /// Whether only its id is known: then nobody can tell what it implies.
    pub(crate) fn is_unread(&self) -> bool {
        self.names.is_empty() && self.platform.is_none() && self.config == ContainerSpec::default()
    }
}

/// The bytes of an archive with images in it, piece by piece.
pub type Archive = BoxStream<'static, io::Result<Vec<u8>>>;
