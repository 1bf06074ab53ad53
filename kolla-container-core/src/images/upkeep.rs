//! What is done with images that are there: listed, named, removed, and loaded from archives.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use futures_core::Stream;
use futures_util::TryStreamExt;

use super::manager::ImageManager;
use crate::error::{Error, ErrorKind, Result};
use crate::image_ref::ImageRef;
use crate::name::{ContainerName, ImageId};
use crate::state::{ContainerFilter, ImageState};

impl ImageManager {
    /// All images of the engine.
    pub async fn list(&self) -> Result<Vec<ImageState>> {
        self.runtime.images().await
    }

    /// Gives an image one more name; answers whether it did not have it. Another image that has the name loses it.
    pub async fn tag(&self, image: &ImageRef, name: &ImageRef) -> Result<bool> {
        let absent = || Error::new(ErrorKind::NotFound, "tag image", image.familiar()).because("it is not here");
        let there = self.runtime.image(image).await?.ok_or_else(absent)?;
        if there.names.contains(name) {
            return Ok(false);
        }
        self.runtime.tag_image(&there.id, name).await?;
        Ok(true)
    }

    /// Takes a name from an image, and removes the image with its last name; by its id, the image with all of its names.
    /// Answers whether anything was there.
    ///
    /// One that containers were made from is a [`Conflict`](ErrorKind::Conflict) that says which they are; then it has all
    /// its names still.
    pub async fn remove(&self, image: &ImageRef) -> Result<bool> {
        let Some(there) = self.runtime.image(image).await? else { return Ok(false) };
        if !image.is_id() {
            return match self.runtime.remove_image(image).await {
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    Err(self.in_use(image, &there.id).await.unwrap_or(error))
                }
                removed => removed.map(|()| true),
            };
        }
        if let Some(in_use) = self.in_use(image, &there.id).await {
            return Err(in_use);
        }
        // An engine refuses an id with several names, and would have to be forced, which also takes it from containers.
        let (tags, digests): (Vec<_>, Vec<_>) = there.names.iter().partition(|name| name.digest().is_none());
        let mut taken = Vec::new();
        for name in tags.into_iter().chain(digests).chain([image]) {
            match self.runtime.remove_image(name).await {
                Ok(()) => taken.push(name),
                Err(error) => {
                    // Somebody has come to use it meanwhile.
                    for name in taken.into_iter().filter(|name| name.digest().is_none()) {
                        self.runtime.tag_image(&there.id, name).await?;
                    }
                    return Err(self.in_use(image, &there.id).await.unwrap_or(error));
                }
            }
        }
        Ok(true)
    }

    /// That an image is in use, where it is.
    async fn in_use(&self, image: &ImageRef, id: &ImageId) -> Option<Error> {
        let users = self.users(id).await.ok().filter(|users| !users.is_empty())?;
        let names: Vec<&str> = users.iter().map(ContainerName::as_str).collect();
        let why = format!("it is in use by {}", names.join(", "));
        Some(Error::new(ErrorKind::Conflict, "remove image", image.familiar()).because(why))
    }

    /// The containers that were made from an image, running or not.
    pub async fn users(&self, image: &ImageId) -> Result<Vec<ContainerName>> {
        let containers = self.runtime.containers(&ContainerFilter::default()).await?;
        let uses = containers.into_iter().filter(|container| container.image_id.as_ref() == Some(image));
        let mut names: Vec<ContainerName> = uses.map(|container| container.name).collect();
        names.sort();
        Ok(names)
    }

    /// Puts the images of an archive into the engine, which is read piece by piece; answers their names, or their ids where
    /// they have none.
    ///
    /// Archives are those of `docker save` and `podman save`. One that cannot be read, or is none, is
    /// [`Rejected`](ErrorKind::Rejected).
    pub async fn load(
        &self,
        archive: impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static,
    ) -> Result<Vec<ImageRef>> {
        let unread = Arc::new(Mutex::new(None));
        let note = Arc::clone(&unread);
        // What an engine's client makes of it would not say why.
        let archive = archive.inspect_err(move |error| {
            *note.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        });
        let loaded = self.runtime.load_images(Box::pin(archive)).await;
        match unread.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => Err(Error::new(ErrorKind::Rejected, "load images", "")
                .because(format!("the archive cannot be read: {error}"))),
            None => loaded,
        }
    }
}
