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
    /// One that containers were made from is a [`Conflict`](ErrorKind::Conflict) that says which they are.
    pub async fn remove(&self, image: &ImageRef) -> Result<bool> {
        let Some(there) = self.runtime.image(image).await? else { return Ok(false) };
        let tags: Vec<&ImageRef> = there.names.iter().filter(|name| name.digest().is_none()).collect();
        // An engine refuses an id with several names, and would have to be forced, which also takes it from containers.
        let names = if image.is_id() && !tags.is_empty() { tags } else { vec![image] };
        for name in names {
            match self.runtime.remove_image(name).await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    let users = self.users(&there.id).await.unwrap_or_default();
                    return Err(if users.is_empty() { error } else { in_use(image, &users) });
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
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

fn in_use(image: &ImageRef, users: &[ContainerName]) -> Error {
    let names: Vec<&str> = users.iter().map(ContainerName::as_str).collect();
    Error::new(ErrorKind::Conflict, "remove image", image.familiar())
        .because(format!("it is in use by {}", names.join(", ")))
}
