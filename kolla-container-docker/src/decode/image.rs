//! Images.

use bollard::models::ImageInspect;
use kolla_container_core::ContainerSpec;
use kolla_container_core::spec::Platform;
use kolla_container_core::state::ImageState;

use super::config::Shared;
use super::{Wrong, read};

pub(super) fn decode(document: ImageInspect) -> Result<ImageState, Wrong> {
    let names = document.repo_tags.into_iter().chain(document.repo_digests).flatten();
    Ok(ImageState {
        id: read("Id", &document.id.unwrap_or_default())?,
        // An untagged one is called `<none>:<none>`, which is no name.
        names: names.filter_map(|name| name.parse().ok()).collect(),
        config: match document.config {
            Some(config) => Shared::of_image(config).into_spec()?,
            None => ContainerSpec::default(),
        },
        platform: platform(document.os, document.architecture, document.variant),
        size: document.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
        created: document.created.and_then(|created| created.parse().ok()),
    })
}

fn platform(os: Option<String>, architecture: Option<String>, variant: Option<String>) -> Option<Platform> {
    let parts = [super::filled(os)?, super::filled(architecture)?];
    let text: Vec<String> = parts.into_iter().chain(super::filled(variant)).collect();
    text.join("/").parse().ok()
}
