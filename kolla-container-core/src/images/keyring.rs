//! Who knows the credentials for an image.

use std::fmt;

use async_trait::async_trait;

use crate::error::Result;
use crate::image_ref::ImageRef;
use crate::state::Credentials;

/// Knows credentials by the images that they are for (the kubelet's keyring, the `auths` of Docker and Podman).
///
/// It is asked when an image is about to be pulled, and not before.
#[async_trait]
pub trait Keyring: fmt::Debug + Send + Sync + 'static {
    /// The credentials for an image, the best first; none where it is pulled as nobody in particular.
    async fn credentials(&self, image: &ImageRef) -> Result<Vec<Credentials>>;
}

#[async_trait]
impl Keyring for () {
    /// None for any image.
    async fn credentials(&self, _: &ImageRef) -> Result<Vec<Credentials>> {
        Ok(Vec::new())
    }
}

/// Credentials that are known from the beginning, each for a registry or for all.
///
/// ```
/// use kolla_container_core::images::{Keyring, Known};
/// use kolla_container_core::state::Credentials;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let known = Known::default().with("quay.io", Credentials::password("robot", "s3cret"));
///
/// assert_eq!(known.credentials(&"quay.io/team/app:1".parse()?).await?.len(), 1);
/// assert!(known.credentials(&"nginx".parse()?).await?.is_empty());
/// assert!(!format!("{known:?}").contains("s3cret"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Known(Vec<(Option<String>, Credentials)>);

impl Known {
    /// With credentials for a registry, as references have it: `quay.io`, `localhost:5000`, `docker.io`. Addresses of Docker
    /// Hub that `docker login` uses (`https://index.docker.io/v1/`) mean `docker.io`; of others, scheme and path do not
    /// count.
    #[must_use]
    pub fn with(mut self, registry: &str, credentials: Credentials) -> Self {
        self.0.push((Some(host(registry)), credentials));
        self
    }

    /// With credentials for all registries: whichever an image names gets to see them.
    #[must_use]
    pub fn with_any(mut self, credentials: Credentials) -> Self {
        self.0.push((None, credentials));
        self
    }
}

#[async_trait]
impl Keyring for Known {
    async fn credentials(&self, image: &ImageRef) -> Result<Vec<Credentials>> {
        let wanted = image.registry().map(host);
        let is_for = |registry: &Option<String>| registry.is_none() || *registry == wanted;
        Ok(self.0.iter().filter(|(registry, _)| is_for(registry)).map(|(_, credentials)| credentials.clone()).collect())
    }
}

/// The registry, as references have it.
pub(super) fn host(registry: &str) -> String {
    let bare = registry.split_once("://").map_or(registry, |(_, rest)| rest);
    let host = bare.split('/').next().unwrap_or_default();
    match host {
        "index.docker.io" | "registry-1.docker.io" => "docker.io".to_owned(),
        host => host.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn credentials_are_for_their_registry_however_it_is_written() {
        let who = |name: &str| Credentials::password(name, "x");
        let known = Known::default()
            .with("https://index.docker.io/v1/", who("hub"))
            .with("node1:5000", who("node"))
            .with_any(who("any"));
        let of = async |image: &str| known.credentials(&image.parse().unwrap()).await.unwrap();

        assert_eq!(of("nginx").await, [who("hub"), who("any")]);
        assert_eq!(of("node1:5000/app").await, [who("node"), who("any")]);
        assert_eq!(of("node1:5001/app").await, [who("any")]);
        assert_eq!(of("registry-1.docker.io/library/nginx").await, [who("hub"), who("any")]);
        assert_eq!(().credentials(&"nginx".parse().unwrap()).await.unwrap(), []);
    }
}
