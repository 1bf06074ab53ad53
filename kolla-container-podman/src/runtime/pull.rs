//! Images that come from a registry, or from an archive.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use futures_core::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt, stream};
use kolla_container_core::state::{Archive, Credentials, ImageToPull, PullProgress};
use kolla_container_core::{ErrorKind, ImageRef, Result};
use semver::Version;
use serde::Deserialize;
use serde_json::json;

use super::Podman;
use crate::error::{self, Asked, Failure};
use crate::stream as lines;
use crate::wire::Call;

/// The first Podman whose own API tells the bytes of a pull (`compatMode`).
const TELLS_BYTES: Version = Version::new(4, 8, 0);

/// How often a pull is tried again that has lost a layer to somebody who removed an image: one that Podman had already
/// counted on is fetched then.
const TRIES: usize = 2;

impl Podman {
    /// What is pulled has no name until all of it is there, and who removes an image in that time takes a layer along that
    /// the other one has as well; so it is where an image is built (containers/podman#18659).
    pub(super) fn pull(&self, pull: &ImageToPull) -> BoxStream<'static, Result<PullProgress>> {
        let (engine, pull) = (self.clone(), pull.clone());
        let begun = (engine.pull_once(&pull), 0..TRIES);
        let asked = pull.clone();
        let progress = stream::unfold(begun, move |(mut progress, mut tries)| {
            let (engine, pull) = (engine.clone(), pull.clone());
            async move {
                loop {
                    match progress.next().await? {
                        Err(failure) if failure.is_layer_removed_meanwhile() && tries.next().is_some() => {
                            progress = engine.pull_once(&pull);
                        }
                        line => return Some((line, (progress, tries))),
                    }
                }
            }
        });
        Box::pin(progress.map(move |line| line.map_err(|failure| error::of_pull(&asked, &failure))))
    }

    fn pull_once(&self, pull: &ImageToPull) -> BoxStream<'static, Result<PullProgress, Failure>> {
        let (client, call) = (self.client.clone(), self.pull_call(pull));
        let progress = async move { client.stream(call).await.map(lines::progress) };
        Box::pin(stream::once(progress).try_flatten())
    }

    /// Without its bytes nobody could tell a pull that goes on from one that does not. Before 4.8 only the API that is
    /// Docker's tells them.
    ///
    /// What is the same is not sent again in any case. The policy `newer` is not asked for: it takes every failure for "not
    /// newer", wrong credentials too.
    fn pull_call(&self, pull: &ImageToPull) -> Call {
        let call = if self.facts.version >= TELLS_BYTES {
            let call = Call::post("images").path("pull").query("reference", &pull.image).query("compatMode", true);
            let parts = pull.platform.iter().flat_map(|platform| platform.as_str().split('/'));
            ["OS", "Arch", "Variant"].into_iter().zip(parts).fold(call, |call, (key, part)| call.query(key, part))
        } else {
            let call = Call::of_docker("images/create").query("fromImage", &pull.image);
            match &pull.platform {
                Some(platform) => call.query("platform", platform),
                None => call,
            }
        };
        // How long it may take, and how long it may be silent, is for those to say who pull.
        let call = call.endless();
        match &pull.credentials {
            Some(credentials) => call.secret_header("x-registry-auth", &header(pull, credentials)),
            None => call,
        }
    }

    pub(super) async fn load(&self, archive: Archive) -> Result<Vec<ImageRef>> {
        #[derive(Deserialize)]
        struct Loaded {
            #[serde(rename = "Names", default)]
            names: Vec<String>,
        }

        let asked = Asked::new("load", "images");
        let call = Call::post("images").path("load").archive(archive).endless();
        let loaded: Loaded = self.client.json(call).await.map_err(|failure| match &failure {
            Failure::Answered { status: 400 | 500, message } if message.contains("payload does not match") => {
                let why = "it is no archive of images: neither that of `docker save`, nor one of OCI";
                asked.error(ErrorKind::Rejected).because(why)
            }
            failure => asked.failed(failure),
        })?;
        Ok(loaded.names.iter().filter_map(|name| name.parse().ok()).collect())
    }
}

/// What a registry is told of who asks.
fn header(pull: &ImageToPull, credentials: &Credentials) -> String {
    let registry = pull.image.registry();
    let document = match credentials {
        Credentials::Password { username, password, email } => {
            json!({"username": username, "password": password, "email": email, "serveraddress": registry})
        }
        Credentials::IdentityToken(token) => json!({"identitytoken": token, "serveraddress": registry}),
    };
    URL_SAFE.encode(document.to_string())
}
