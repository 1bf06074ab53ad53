//! Garbage collection: images that nobody uses go when they are old, or when the disk is full.

mod plan;
#[cfg(test)]
mod tests;
mod usage;

use std::collections::BTreeSet;

pub use self::plan::{CollectPlan, CollectPolicy, Deletion, Disk, Inventory, Kept, Reason, Stock};
pub use self::usage::{Seen, Usage};

use super::manager::ImageManager;
use crate::error::{Error, Result};
use crate::image_ref::ImageRef;
use crate::name::{ContainerName, ImageId};
use crate::state::ContainerFilter;
use crate::timestamp::Timestamp;

/// What came of a collection.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// The images that were removed; one that was gone already is not among them.
    pub removed: Vec<Deletion>,
    /// Those that are not, each with the reason: in use meanwhile, for one.
    pub failed: Vec<(Deletion, Error)>,
    /// How many bytes became free, as far as the sizes tell.
    pub freed: u64,
}

impl ImageManager {
    /// Looks at all images and their users, brings `usage` up to date, and says what is here. `pinned` has the images that
    /// stay whatever happens, by name or by id.
    ///
    /// Two requests, and what a list of images takes: see [`Runtime::images`](crate::Runtime::images).
    pub async fn survey(
        &self,
        usage: &mut Usage,
        pinned: &BTreeSet<ImageRef>,
        disk: Option<Disk>,
        now: Timestamp,
    ) -> Result<Inventory> {
        // Containers second: one that is made in between is in use in both.
        let images = self.runtime.images().await?;
        let containers = self.runtime.containers(&ContainerFilter::default()).await?;
        let users = |id: &ImageId| -> Vec<ContainerName> {
            let uses = containers.iter().filter(|container| container.image_id.as_ref() == Some(id));
            uses.map(|container| container.name.clone()).collect()
        };
        let here = images.iter().map(|image| image.id.clone()).collect();
        let used = containers.iter().filter_map(|container| container.image_id.clone()).collect();
        usage.look(&here, &used, now);
        let stock = images.into_iter().map(|image| {
            let Seen { first, used } = usage.seen(&image.id);
            let is_pinned = |name: &ImageRef| pinned.contains(name);
            let by_id = pinned.iter().any(|name| name.id() == Some(image.id.as_str()));
            Stock {
                users: users(&image.id),
                pinned: by_id || image.names.iter().any(is_pinned),
                id: image.id,
                names: image.names.into_iter().filter(|name| name.digest().is_none()).collect(),
                size: image.size,
                first_seen: first,
                last_used: used,
            }
        });
        Ok(Inventory { images: stock.collect(), disk, now, since: usage.since().unwrap_or(now) })
    }

    /// Removes the images of a plan, in its order. Nothing is forced: one that is in use meanwhile stays, and so do those
    /// that fail; the others go.
    pub async fn collect(&self, plan: &CollectPlan) -> Collected {
        let mut collected = Collected::default();
        for deletion in &plan.deletions {
            let outcome = match format!("sha256:{}", deletion.id).parse::<ImageRef>() {
                Ok(image) => self.remove(&image).await,
                Err(error) => {
                    Err(Error::new(crate::ErrorKind::Rejected, "remove image", &deletion.id).caused_by(error))
                }
            };
            match outcome {
                // Somebody else was first.
                Ok(false) => {}
                Ok(true) => {
                    collected.freed = collected.freed.saturating_add(deletion.size);
                    collected.removed.push(deletion.clone());
                }
                Err(error) => collected.failed.push((deletion.clone(), error)),
            }
        }
        collected
    }
}
