//! Images that come from a registry, or from an archive.

use bollard::auth::DockerCredentials;
use bollard::errors::Error as Failure;
use bollard::query_parameters::{CreateImageOptions, ImportImageOptions};
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use hyper::body::Bytes;
use kolla_container_core::state::{Archive, Credentials, ImageToPull, PullProgress};
use kolla_container_core::{Error, ErrorKind, ImageRef, Result};

use super::Docker;
use crate::error::{self, Asked};
use crate::stream as pieces;

impl Docker {
    pub(super) fn pull(&self, pull: &ImageToPull) -> BoxStream<'static, Result<PullProgress>> {
        if !pull.only_newer {
            return self.pull_anyway(pull);
        }
        let (docker, pull) = (self.clone(), pull.clone());
        let begin = async move {
            if docker.is_up_to_date(&pull).await? {
                let status = format!("Status: Image is up to date for {}", pull.image.familiar());
                let line = PullProgress { layer: None, status, current: None, total: None };
                return Ok(stream::iter([Ok(line)]).boxed());
            }
            Ok::<_, Error>(docker.pull_anyway(&pull))
        };
        stream::once(begin).try_flatten().boxed()
    }

    fn pull_anyway(&self, pull: &ImageToPull) -> BoxStream<'static, Result<PullProgress>> {
        let options = CreateImageOptions {
            from_image: Some(pull.image.to_string()),
            platform: pull.platform.as_ref().map(ToString::to_string).unwrap_or_default(),
            ..Default::default()
        };
        let lines = self.client.create_image(Some(options), None, credentials(pull));
        let pull = pull.clone();
        lines
            .map(move |line| line.and_then(pieces::progress).map_err(|failure| error::of_pull(&pull, &failure)))
            .boxed()
    }

    /// Whether the digest that the registry has under the name is one of those that the image here has.
    async fn is_up_to_date(&self, pull: &ImageToPull) -> Result<bool> {
        let Some(here) = self.find_image(&pull.image.to_string()).await? else { return Ok(false) };
        let there = self.client.inspect_registry_image(&pull.image.to_string(), credentials(pull)).await;
        let there = there.map_err(|failure| error::of_pull(pull, &failure))?.descriptor.digest;
        let name = pull.image.name();
        Ok(here.names.iter().any(|known| known.name() == name && known.digest() == there.as_deref()))
    }

    /// Docker answers in a stream that it has taken the archive, and which images were in it.
    pub(super) async fn load(&self, archive: Archive) -> Result<Vec<ImageRef>> {
        let asked = Asked::new("load", "images");
        let options = ImportImageOptions { quiet: true, ..Default::default() };
        let lines = self.client.import_image_stream(options, archive.map_ok(Bytes::from), None);
        let lines: Vec<_> = lines.try_collect().await.map_err(|failure| not_loaded(&asked, &failure))?;
        let mut loaded = Vec::new();
        for line in lines {
            let said = line.stream.unwrap_or_default();
            let name =
                said.trim().strip_prefix("Loaded image: ").or_else(|| said.trim().strip_prefix("Loaded image ID: "));
            loaded.extend(name.and_then(|name| name.parse().ok()));
        }
        Ok(loaded)
    }
}

/// Why an archive was not taken. Docker says the same way that it is none, and that there is no room for it.
fn not_loaded(asked: &Asked, failure: &Failure) -> Error {
    const NO_ARCHIVE: [&str; 4] =
        ["invalid tar header", "unexpected EOF", "repositories: no such file", "manifest.json"];

    match failure {
        Failure::DockerStreamError { error } if NO_ARCHIVE.iter().any(|words| error.contains(words)) => {
            asked.error(ErrorKind::Rejected).because(format!("it is no archive of images: {error}"))
        }
        failure => asked.failed(failure),
    }
}

fn credentials(pull: &ImageToPull) -> Option<DockerCredentials> {
    let credentials = pull.credentials.clone()?;
    let serveraddress = pull.image.registry().map(str::to_owned);
    Some(match credentials {
        Credentials::Password { username, password, email } => DockerCredentials {
            username: Some(username),
            password: Some(password),
            email,
            serveraddress,
            ..Default::default()
        },
        Credentials::IdentityToken(token) => {
            DockerCredentials { identitytoken: Some(token), serveraddress, ..Default::default() }
        }
    })
}
