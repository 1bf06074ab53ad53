//! Looking at containers and images.

use std::collections::HashMap;
use std::time::Duration;

use bollard::errors::Error as Failure;
use bollard::models::ContainerSummary as Listed;
use bollard::query_parameters::{InspectContainerOptions, ListContainersOptions, RemoveContainerOptions};
use kolla_container_core::state::{
    ContainerFilter, ContainerState, ContainerSummary, ImageState, NetworkState, Owner, Status,
};
use kolla_container_core::{ContainerId, ContainerName, ErrorKind, NetworkName, Result, Runtime};

use super::Docker;
use crate::decode;
use crate::error::{self, Asked};

/// What a container can be doing, for a list whose entries are not all understood.
const STATUSES: [&str; 8] = ["created", "running", "paused", "restarting", "removing", "stopping", "exited", "dead"];

impl Docker {
    pub(super) async fn inspect(&self, asked: &Asked, container: &str) -> Result<Option<ContainerState>> {
        match self.client.inspect_container(container, None::<InspectContainerOptions>).await {
            Ok(document) => decode::inspected(document).map(Some),
            Err(failure) if error::is_not_found(&failure) => Ok(None),
            Err(failure) => Err(asked.failed(&failure)),
        }
    }

    /// What a container is doing; `None` when it is gone.
    pub(super) async fn status(&self, asked: &Asked, id: &ContainerId) -> Result<Option<Status>> {
        match self.client.inspect_container(id.as_str(), None::<InspectContainerOptions>).await {
            Ok(document) => Ok(document.state.and_then(|state| state.status).map(decode::status)),
            Err(failure) if error::is_not_found(&failure) => Ok(None),
            Err(failure) => Err(asked.failed(&failure)),
        }
    }

    /// A failure is none where the container is, in the end, as it was asked to be.
    pub(super) async fn unless(
        &self,
        asked: &Asked,
        id: &ContainerId,
        failure: &Failure,
        is_fine: impl Fn(Option<&Status>) -> bool,
    ) -> Result<()> {
        let is_answer = error::status(failure).is_some();
        if is_answer && is_fine(self.status(asked, id).await?.as_ref()) { Ok(()) } else { Err(asked.failed(failure)) }
    }

    pub(super) async fn find_image(&self, name: &str) -> Result<Option<ImageState>> {
        let found = match self.client.inspect_image(name).await {
            // One that is removed meanwhile is gone by now; one that is broken stays so.
            Err(failure) if error::is_without_layers(&failure) => self.client.inspect_image(name).await,
            found => found,
        };
        match found {
            Ok(document) => decode::inspected_image(document).map(Some),
            Err(failure) if error::is_not_found(&failure) => Ok(None),
            Err(failure) => Err(Asked::new("inspect image", name).failed(&failure)),
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

    /// The network of that name, which has to be there.
    pub(super) async fn known_network(&self, asked: &Asked, name: &NetworkName) -> Result<NetworkState> {
        let missing = || asked.error(ErrorKind::NotFound).because(format!("there is no network {name}"));
        self.network(name).await?.ok_or_else(missing)
    }

    /// Removes a container, with the anonymous volumes of its own where they are in vain; Docker tells them from those
    /// that it has mounted by their names.
    pub(super) async fn remove(&self, id: &ContainerId, volumes: bool) -> Result<()> {
        let asked = Asked::new("remove container", id.short());
        let options = RemoveContainerOptions { force: true, v: volumes, link: false };
        let Err(failure) = self.client.remove_container(id.as_str(), Some(options)).await else { return Ok(()) };
        if error::status(&failure).is_none() {
            return Err(asked.failed(&failure));
        }
        // Somebody else may be removing it; and where it is gone in the end, the error does not matter.
        match self.gone(&asked, id, |status| *status == Status::Removing).await? {
            None => Ok(()),
            Some(_) => Err(asked.failed(&failure)),
        }
    }

    /// One request; a list with an entry that is not understood is asked for again by what the containers are doing, so
    /// that the others are not lost with it.
    pub(super) async fn list(&self, filter: &ContainerFilter) -> Result<Vec<ContainerSummary>> {
        let asked = Asked::new("list", "containers");
        let listed = match self.listed(filters(filter)).await {
            Ok(listed) => listed,
            Err(Failure::JsonDataError { .. }) => {
                let mut understood = Vec::new();
                for status in STATUSES {
                    let mut filters = filters(filter);
                    filters.insert("status".to_owned(), vec![status.to_owned()]);
                    match self.listed(filters).await {
                        Ok(listed) => understood.extend(listed),
                        // Not understood either, or a word that this engine does not know.
                        Err(Failure::JsonDataError { .. }) => {}
                        Err(failure) if error::status(&failure) == Some(400) => {}
                        Err(failure) => return Err(asked.failed(&failure)),
                    }
                }
                understood
            }
            Err(failure) => return Err(asked.failed(&failure)),
        };
        let suffixes = &filter.name_suffixes;
        let is_meant = |name: &ContainerName| {
            suffixes.is_empty() || suffixes.iter().any(|suffix| name.as_str().ends_with(suffix.as_str()))
        };
        Ok(listed.into_iter().filter_map(summary).filter(|summary| is_meant(&summary.name)).collect())
    }

    async fn listed(&self, filters: HashMap<String, Vec<String>>) -> Result<Vec<Listed>, Failure> {
        let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
        self.client.list_containers(Some(options)).await
    }
}

fn filters(filter: &ContainerFilter) -> HashMap<String, Vec<String>> {
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
    filters.into_iter().filter(|(_, values)| !values.is_empty()).map(|(key, values)| (key.to_owned(), values)).collect()
}

/// An entry of a list; `None` where it cannot be read.
fn summary(listed: Listed) -> Option<ContainerSummary> {
    // Links add names, which have two slashes.
    let names = listed.names.into_iter().flatten();
    let mut own = names.filter_map(|name| name.strip_prefix('/').filter(|name| !name.contains('/')).map(str::to_owned));
    let status: bollard::models::ContainerStateStatusEnum = listed.state?.as_ref().parse().ok()?;
    Some(ContainerSummary {
        id: listed.id?.parse().ok()?,
        name: own.next()?.parse().ok()?,
        image_id: listed.image_id.and_then(|id| id.parse().ok()),
        status: decode::status(status),
        owner: Owner::take_from(&mut listed.labels.unwrap_or_default().into_iter().collect()),
    })
}
