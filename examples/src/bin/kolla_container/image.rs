//! The actions on images.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kolla_container_core::dialect::kolla::Engine;
use kolla_container_core::images::{AuthFiles, ImageManager, ImageRequest, Keyring, Known, PullPolicy};
use kolla_container_core::state::Credentials;
use kolla_container_core::{Error, ErrorKind, ImageRef, Runtime};
use serde_json::json;

use crate::answer::Answer;
use crate::call::ContainerCall;
use crate::failure::{self, Failure};

/// A pull that goes on may take as long as it takes: one of which nothing is heard is ended long before.
const PULL: Duration = Duration::from_hours(24);

/// Who pulls, and as whom.
pub(crate) fn manager(call: &ContainerCall, runtime: &Arc<dyn Runtime>) -> ImageManager {
    let login = call.parameters.credentials();
    let login = login.map(|(registry, credentials)| Known::default().with(&registry, credentials));
    let files = (call.engine() == Engine::Docker).then(AuthFiles::of_docker);
    let logins = Logins { login: login.unwrap_or_default(), files };
    ImageManager::new(Arc::clone(runtime)).with_keyring(Arc::new(logins)).with_deadline(PULL)
}

/// The login of the call; at other registries, for Docker, that of whoever has logged in on this host. Podman's service
/// knows those by itself.
#[derive(Debug)]
struct Logins {
    login: Known,
    files: Option<AuthFiles>,
}

#[async_trait]
impl Keyring for Logins {
    async fn credentials(&self, image: &ImageRef) -> Result<Vec<Credentials>, Error> {
        let login = self.login.credentials(image).await?;
        match &self.files {
            Some(files) if login.is_empty() => files.credentials(image).await,
            _ => Ok(login),
        }
    }
}

/// Sees to it that the image is there, or is what the registry has.
pub(crate) async fn pull(call: &ContainerCall, images: &ImageManager, policy: PullPolicy) -> Result<Answer, Failure> {
    let image = call.image()?;
    let changed = pulled(call, images, &image, policy).await?;
    let before = if changed && policy == PullPolicy::Missing { "absent" } else { "present" };
    let after = if policy == PullPolicy::Missing { "present" } else { "pulled" };
    Ok(Answer { diff: sides(call, before, after), ..Answer::of(changed) })
}

/// Whether another image has come, or would come: one that is there may be what the registry has, and nobody asks it.
pub(crate) async fn pulled(
    call: &ContainerCall,
    images: &ImageManager,
    image: &ImageRef,
    policy: PullPolicy,
) -> Result<bool, Failure> {
    let request = ImageRequest::new(image.clone());
    if call.check {
        return Ok(!is_there(images, image).await);
    }
    match images.ensure(&request.with_policy(policy)).await {
        Ok(ensured) => Ok(ensured.changed),
        Err(error) => Err(Failure::said(failure::of_pull(call, &error))),
    }
}

async fn is_there(images: &ImageManager, image: &ImageRef) -> bool {
    images.ensure(&ImageRequest::new(image.clone()).with_policy(PullPolicy::Never)).await.is_ok()
}

pub(crate) async fn remove(call: &ContainerCall, images: &ImageManager) -> Result<Answer, Failure> {
    let image = call.image()?;
    let changed = if call.check {
        is_there(images, &image).await
    } else {
        match images.remove(&image).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                return Err(Failure::said(format!("Image '{}' is currently in-use", call.image)));
            }
            removed => removed?,
        }
    };
    Ok(Answer { diff: sides(call, if changed { "present" } else { "absent" }, "absent"), ..Answer::of(changed) })
}

/// Whether the container has another image than the one that is asked for: one that is not here is another one.
pub(crate) async fn compare(call: &ContainerCall, runtime: &dyn Runtime) -> Result<Answer, Failure> {
    let differs = |differs| Answer { result: Some(differs), ..Answer::default() };
    let Some(there) = runtime.container(&call.name()?).await? else { return Ok(differs(true)) };
    let wanted = call.image()?;
    let is_same = runtime.image(&wanted).await?.is_some_and(|image| {
        there.image_id == image.id && there.config.image.as_ref().is_none_or(|name| *name == wanted)
    });
    Ok(differs(!is_same))
}

fn sides(call: &ContainerCall, before: &str, after: &str) -> Option<serde_json::Value> {
    let line = |state: &str| format!("image {}: {state}\n", call.image);
    call.diff.then(|| json!({"before": line(before), "after": line(after)}))
}
