//! Looking at containers and images.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kolla_container_core::spec::{Bind, CleanPath, Mount, Mounts};
use kolla_container_core::state::{
    ContainerFilter, ContainerState, ContainerSummary, ImageState, NetworkState, Owner, Status,
};
use kolla_container_core::{ContainerId, ContainerName, ContainerRef, ErrorKind, NetworkName, Result, Runtime};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Podman;
use crate::decode;
use crate::error::{Asked, Failure};
use crate::wire::Call;

/// When the pause between two looks at images, each twice the one before, is too long for another one.
const LAST_LOOK: Duration = Duration::from_secs(3);

/// An entry of a list of containers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    #[serde(default)]
    names: Vec<String>,
    #[serde(default, rename = "ImageID")]
    image_id: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// The part of a document that says what a container is doing.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Doing {
    state: DoingState,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DoingState {
    status: String,
}

impl Podman {
    /// The document of a container; `None` when it is not there.
    async fn document(&self, asked: &Asked, container: &str) -> Result<Option<Value>> {
        match self.client.json(Call::get("containers").segment(container).path("json")).await {
            Ok(document) => Ok(Some(document)),
            Err(failure) if failure.is_gone() => Ok(None),
            Err(failure) => Err(asked.failed(&failure)),
        }
    }

    /// One request more for each container whose volumes it has too.
    pub(super) async fn inspect(&self, asked: &Asked, container: &str) -> Result<Option<ContainerState>> {
        let Some(document) = self.document(asked, container).await? else { return Ok(None) };
        let mut state = decode::container(&document)?;
        let donors: Vec<ContainerRef> =
            state.config.volumes_from.iter().flatten().map(|from| from.container.clone()).collect();
        for donor in donors {
            // One that is gone has left what it gave.
            if let Some(document) = self.document(asked, &donor.to_string()).await? {
                take_borrowed(&mut state, &decode::container(&document)?);
            }
        }
        Ok(Some(state))
    }

    /// What a container is doing; `None` when it is gone.
    pub(super) async fn status(&self, asked: &Asked, id: &ContainerId) -> Result<Option<Status>> {
        match self.client.json::<Doing>(Call::get("containers").segment(id).path("json")).await {
            Ok(document) => Ok(Some(decode::status(&document.state.status))),
            Err(failure) if failure.is_gone() => Ok(None),
            Err(failure) => Err(asked.failed(&failure)),
        }
    }

    /// A failure is none where the container is, in the end, as it was asked to be.
    pub(super) async fn unless(
        &self,
        asked: &Asked,
        id: &ContainerId,
        failure: &Failure,
        is_fine: impl Fn(&Status) -> bool,
    ) -> Result<()> {
        match failure.status() {
            Some(_) if self.status(asked, id).await?.as_ref().is_some_and(is_fine) => Ok(()),
            _ => Err(asked.failed(failure)),
        }
    }

    /// Waits until a container is gone; says what it is where it is not about to go.
    pub(super) async fn gone(
        &self,
        asked: &Asked,
        id: &ContainerId,
        is_going: impl Fn(&Status) -> bool,
    ) -> Result<Option<Status>> {
        let mut pause = Duration::from_millis(50);
        loop {
            match self.status(asked, id).await? {
                Some(status) if is_going(&status) => {}
                status => return Ok(status),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    pub(super) async fn find_image(&self, asked: &Asked, name: &str) -> Result<Option<ImageState>> {
        match self.look_at_images(|| Call::get("images").segment(name).path("json"), Failure::is_gone).await {
            Ok(document) => decode::image(&document).map(Some),
            Err(failure) if failure.is_gone() => Ok(None),
            Err(failure) => Err(asked.failed(&failure)),
        }
    }

    /// The ids of all images.
    pub(super) async fn image_ids(&self) -> Result<Vec<String>, Failure> {
        #[derive(Deserialize)]
        struct Listed {
            #[serde(rename = "Id")]
            id: String,
        }

        let listed: Option<Vec<Listed>> = self.look_at_images(|| Call::get("images").path("json"), |_| false).await?;
        Ok(listed.into_iter().flatten().map(|image| image.id).collect())
    }

    /// Podman fails to look at images, or panics, while some are stored or removed. What is a failure at one moment is none
    /// at the next. What stays one is returned, and at once what says enough.
    async fn look_at_images<T: DeserializeOwned>(
        &self,
        call: impl Fn() -> Call,
        says_enough: impl Fn(&Failure) -> bool,
    ) -> Result<T, Failure> {
        let mut pause = Duration::from_millis(20);
        loop {
            match self.client.json(call()).await {
                Err(failure) if failure.status() == Some(500) && !says_enough(&failure) && pause < LAST_LOOK => {}
                answer => return answer,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    /// The network of that name, which has to be there.
    pub(super) async fn known_network(&self, asked: &Asked, name: &NetworkName) -> Result<NetworkState> {
        let missing = || asked.error(ErrorKind::NotFound).because(format!("there is no network {name}"));
        self.network(name).await?.ok_or_else(missing)
    }

    pub(super) async fn list(&self, filter: &ContainerFilter) -> Result<Vec<ContainerSummary>> {
        let filters = serde_json::to_string(&filters(filter)).unwrap_or_default();
        let call = Call::get("containers").path("json").query("all", true).query("filters", filters);
        let listed = self.client.json::<Option<Vec<Value>>>(call).await;
        let listed = listed.map_err(|failure| Asked::new("list", "containers").failed(&failure))?;
        let suffixes = &filter.name_suffixes;
        let is_meant = |name: &ContainerName| {
            suffixes.is_empty() || suffixes.iter().any(|suffix| name.as_str().ends_with(suffix.as_str()))
        };
        let read = listed.into_iter().flatten().filter_map(summary);
        Ok(read.filter(|summary| is_meant(&summary.name)).collect())
    }

    /// Those that are in a network, or have mounted a volume.
    pub(super) async fn users(&self, asked: &Asked, key: &str, name: &str) -> Result<BTreeSet<ContainerId>> {
        let filters = serde_json::json!({ key: [name] }).to_string();
        let call = Call::get("containers").path("json").query("all", true).query("filters", filters);
        let listed = self.client.json::<Option<Vec<Value>>>(call).await.map_err(|failure| asked.failed(&failure))?;
        Ok(listed.into_iter().flatten().filter_map(summary).map(|summary| summary.id).collect())
    }
}

/// Takes the mounts out of a container's own that it has from another one.
fn take_borrowed(state: &mut ContainerState, donor: &ContainerState) {
    let (Some(Mounts(mounts)), Some(Mounts(theirs))) = (&mut state.config.mounts, &donor.config.mounts) else { return };
    let volumes = &state.volumes;
    let is_theirs = |target: &CleanPath, mount: &mut Mount| match (mount, theirs.get(target)) {
        (Mount::Volume(_), Some(Mount::Volume(_))) => volumes.get(target) == donor.volumes.get(target),
        (Mount::Bind(Bind { source, .. }), Some(Mount::Bind(their))) => *source == their.source,
        _ => false,
    };
    state.borrowed.0.extend(mounts.extract_if(.., is_theirs));
}

fn filters(filter: &ContainerFilter) -> BTreeMap<&'static str, Vec<String>> {
    // The filter is a regular expression.
    let suffix = |suffix: &String| format!("{}$", suffix.replace('.', "\\."));
    let label = |(key, value): (&String, &Option<String>)| match value {
        Some(value) => format!("{key}={value}"),
        None => key.clone(),
    };
    let filters = [
        ("name", filter.name_suffixes.iter().map(suffix).collect::<Vec<_>>()),
        ("label", filter.labels.iter().map(label).collect()),
    ];
    filters.into_iter().filter(|(_, values)| !values.is_empty()).collect()
}

/// An entry of a list; `None` where it cannot be read.
fn summary(listed: Value) -> Option<ContainerSummary> {
    let Listed { id, names, image_id, state, labels } = serde_json::from_value(listed).ok()?;
    Some(ContainerSummary {
        id: id.parse().ok()?,
        name: names.first()?.parse().ok()?,
        image_id: image_id.parse().ok(),
        status: decode::status(&state),
        owner: Owner::take_from(&mut labels.unwrap_or_default()),
    })
}
