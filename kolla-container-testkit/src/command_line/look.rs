//! Looking at containers and images: what `inspect` prints, decoded by the backend under test.

use std::collections::BTreeSet;
use std::time::Duration;

use kolla_container_core::state::{ContainerFilter, ContainerState, ContainerSummary, ImageState, Status};
use kolla_container_core::{ContainerId, Error, ErrorKind, Result};
use serde_json::Value;

use super::CommandLine;
use super::process::lossy;
use super::refusal::Refusal;
use super::words::Words;

impl CommandLine {
    /// What `inspect` prints of those of `subjects` that are there.
    pub(super) async fn inspect(&self, kind: &str, subjects: &[&str]) -> Result<Vec<Value>, Refusal> {
        if subjects.is_empty() {
            return Ok(Vec::new());
        }
        let printed = self.print(Words::new([kind, "inspect"]).words(subjects)).await?;
        if !printed.status.success() {
            let refusal = Refusal::said(&lossy(&printed.stderr));
            if refusal.kind != ErrorKind::NotFound {
                return Err(refusal);
            }
        }
        let strange = |error| Refusal::new(ErrorKind::Undecodable, error);
        if printed.stdout.trim_ascii().is_empty() {
            Ok(Vec::new())
        } else {
            serde_json::from_slice(&printed.stdout).map_err(strange)
        }
    }

    /// As [`inspect`](Self::inspect), also where one that goes at that moment makes it fail for all of them.
    async fn inspect_listed(&self, kind: &str, listed: &str) -> Result<Vec<Value>, Refusal> {
        let ids: BTreeSet<&str> = listed.split_whitespace().collect();
        let ids: Vec<&str> = ids.into_iter().collect();
        let mut documents = self.inspect(kind, &ids).await?;
        if documents.is_empty() {
            for id in ids {
                documents.extend(self.inspect_one(kind, id).await?);
            }
        }
        Ok(documents)
    }

    /// What `inspect` prints of one.
    pub(super) async fn inspect_one(&self, kind: &str, subject: &str) -> Result<Option<Value>, Refusal> {
        Ok(self.inspect(kind, &[subject]).await?.pop())
    }

    pub(super) async fn find_container(&self, container: &str) -> Result<Option<ContainerState>> {
        let found = self.inspect_one("container", container).await;
        let found = found.map_err(|refusal| refusal.into_error("inspect container", container))?;
        found.as_ref().map(self.container).transpose()
    }

    pub(super) async fn find_image(&self, image: &str) -> Result<Option<ImageState>> {
        let found = self.inspect_one("image", image).await;
        let found = found.map_err(|refusal| refusal.into_error("inspect image", image))?;
        found.as_ref().map(self.image).transpose()
    }

    /// What is there of the container that a refusal was about.
    pub(super) async fn status(&self, id: &ContainerId) -> Result<Option<Status>> {
        Ok(self.find_container(id.as_str()).await?.map(|state| state.status))
    }

    /// A refusal is none where the container is, in the end, as it was asked to be.
    pub(super) async fn unless(
        &self,
        id: &ContainerId,
        refused: Result<String, Refusal>,
        operation: &'static str,
        is_fine: impl Fn(Option<&Status>) -> bool,
    ) -> Result<()> {
        let Err(refusal) = refused else { return Ok(()) };
        if is_fine(self.status(id).await?.as_ref()) { Ok(()) } else { Err(refusal.into_error(operation, id.short())) }
    }

    /// Starting fails for want of other things than the container, also where they are "not found".
    pub(super) async fn not_started(&self, id: &ContainerId, refusal: Refusal, operation: &'static str) -> Error {
        let is_there = matches!(self.status(id).await, Ok(Some(_)));
        let missing = is_there && refusal.kind == ErrorKind::NotFound;
        let refusal = if missing { refusal.meaning(ErrorKind::EngineFailed) } else { refusal };
        refusal.into_error(operation, id.short())
    }

    /// Waits while a container is about to go; says whether it is there after that.
    pub(super) async fn remains(&self, id: &ContainerId) -> Result<bool> {
        while let Some(status) = self.status(id).await? {
            if status != Status::Removing {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(false)
    }

    pub(super) async fn wait_until_gone(&self, id: &ContainerId) -> Result<()> {
        while self.status(id).await?.is_some() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    /// Two commands: a list has no ids of images, and labels that cannot be told apart.
    pub(super) async fn list(&self, filter: &ContainerFilter) -> Result<Vec<ContainerSummary>, Refusal> {
        let ContainerFilter { name_suffixes, labels } = filter;
        let suffix = |suffix: &String| format!("name={}$", suffix.replace('.', "\\."));
        let label = |(key, value): (&String, &Option<String>)| match value {
            Some(value) => format!("label={key}={value}"),
            None => format!("label={key}"),
        };
        let words = Words::new(["ps", "--all", "--quiet", "--no-trunc"])
            .flags("filter", name_suffixes.iter().map(suffix))
            .flags("filter", labels.iter().map(label));
        let listed = self.run(words).await?;
        let documents = self.inspect_listed("container", &listed).await?;
        let summary = |state: ContainerState| ContainerSummary {
            id: state.id,
            name: state.name,
            image_id: Some(state.image_id),
            status: state.status,
            owner: state.owner,
        };
        Ok(documents.iter().filter_map(|document| (self.container)(document).ok()).map(summary).collect())
    }

    pub(super) async fn list_images(&self) -> Result<Vec<ImageState>, Refusal> {
        let listed = self.run(Words::new(["image", "ls", "--quiet", "--no-trunc"])).await?;
        let documents = self.inspect_listed("image", &listed).await?;
        Ok(documents.iter().filter_map(|document| (self.image)(document).ok()).collect())
    }
}
