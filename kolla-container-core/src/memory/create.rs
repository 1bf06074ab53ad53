//! Making a container: what Docker checks before, what it makes on the way, and what it leaves out.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::config::{Given, configure};
use super::container::{Container, Output};
use super::world::{Answer, World, no_such_container, refusal};
use crate::error::ErrorKind;
use crate::name::{ContainerId, ContainerName, ContainerRef, VolumeName};
use crate::spec::{CleanPath, ContainerSpec, Mount, MountFlag, Mounts, NamespaceMode, NetworkMode, Ports, TextMap};
use crate::state::{Created, EngineFacts, Features, Owner, Status, VolumeState, Warning};
use crate::violation::FieldPath;

impl World {
    /// Makes a container, and the volumes that it needs; nothing is left behind when it is refused.
    pub(super) fn create(
        &mut self,
        name: &ContainerName,
        spec: &ContainerSpec,
        facts: &EngineFacts,
    ) -> Answer<Created> {
        if let Some(reason) = refused(spec, &facts.features) {
            return Err(refusal(ErrorKind::Unsupported, reason));
        }
        if let Some(other) = self.by_name(name) {
            let why = format!("the name {name} is in use by container {}", other.id.short());
            return Err(refusal(ErrorKind::Conflict, why));
        }
        let (spec, warnings) = self.without_discarded(spec)?;
        let reference = spec.image.as_ref().ok_or_else(|| refusal(ErrorKind::Rejected, "no image is stated"))?;
        let (image_id, image) = self
            .images
            .find(reference)
            .ok_or_else(|| refusal(ErrorKind::NotFound, format!("no such image: {}", reference.familiar())))?;
        self.check_networks(&spec)?;
        let ids = self.resolve(&spec)?;
        self.check_sources(&spec)?;

        let id: ContainerId = self.next_id();
        let joined_host = match &spec.network.mode {
            Some(NetworkMode::Container(other)) => self.by_reference(other).and_then(|it| it.config.hostname.clone()),
            _ => None,
        };
        let given = Given {
            id: &id,
            image: &image,
            defaults: &facts.defaults,
            host: &facts.host.name,
            joined_host: joined_host.as_deref(),
            ids: &ids,
        };
        let mut config = configure(&spec, &given);
        let owner = config.labels.as_mut().map_or_else(Owner::default, |TextMap(labels)| Owner::take_from(labels));
        let there: BTreeSet<VolumeName> = self.volumes.keys().cloned().collect();
        let volumes = self.mount(&spec, &config);
        let made = volumes.values().filter(|name| name.is_anonymous() && !there.contains(*name));
        let made_volumes = made.cloned().collect();
        self.containers.insert(
            id.clone(),
            Container {
                id: id.clone(),
                name: name.clone(),
                config,
                image_id,
                behaviour: image.template.behaviour.clone(),
                owner,
                status: Status::Created,
                exit: None,
                created: self.clock,
                started: None,
                finished: None,
                began: None,
                restarts: 0,
                volumes,
                made_volumes,
                addresses: BTreeMap::new(),
                published: Ports::default(),
                output: Output { stdout: image.template.stdout, stderr: image.template.stderr, starts: 0 },
            },
        );
        Ok(Created { id, warnings })
    }

    /// `spec` without the stated fields that this engine discards, and a warning for each of them.
    pub(super) fn without_discarded(&self, spec: &ContainerSpec) -> Answer<(ContainerSpec, Vec<Warning>)> {
        let (left, taken) = without(spec, self.controls.discarded.iter().map(String::as_str))?;
        let warnings = taken
            .into_iter()
            .map(|path| Warning {
                field: Some(FieldPath::from(path)),
                message: format!("Your kernel does not support {path}. It was discarded."),
            })
            .collect();
        Ok((left, warnings))
    }

    fn check_networks(&self, spec: &ContainerSpec) -> Answer<()> {
        match spec.network.networks.iter().flatten().find(|(name, _)| !self.networks.contains_key(name)) {
            Some((name, _)) => Err(refusal(ErrorKind::NotFound, format!("network {name} not found"))),
            None => Ok(()),
        }
    }

    /// The ids of the containers that `spec` refers to; all of them must be there.
    fn resolve(&self, spec: &ContainerSpec) -> Answer<BTreeMap<ContainerRef, ContainerId>> {
        spec.references()
            .into_iter()
            .map(|reference| {
                let found = self.by_reference(reference).ok_or_else(|| no_such_container(reference))?;
                Ok((reference.clone(), found.id.clone()))
            })
            .collect()
    }

    fn check_sources(&mut self, spec: &ContainerSpec) -> Answer<()> {
        let sources = spec.mounts.iter().flat_map(|mounts| mounts.0.values()).filter_map(|mount| match mount {
            Mount::Bind(bind) => Some(&bind.source),
            Mount::Volume(_) | Mount::Tmpfs(_) | Mount::Devpts => None,
        });
        for source in sources {
            if spec.deploy.create_missing_sources == Some(true) {
                self.controls.missing_paths.remove(source);
            } else if self.controls.missing_paths.contains(source) {
                let why = format!("bind source path does not exist: {source}");
                return Err(refusal(ErrorKind::Rejected, why));
            }
        }
        Ok(())
    }

    /// The volumes of a new container by target: those of other containers, those with a name, and new
    /// ones with a name of the engine's making.
    fn mount(&mut self, spec: &ContainerSpec, config: &ContainerSpec) -> BTreeMap<CleanPath, VolumeName> {
        let mut volumes = BTreeMap::new();
        for from in config.volumes_from.iter().flatten() {
            if let Some(other) = self.by_reference(&from.container) {
                volumes.extend(other.volumes.clone());
            }
        }
        for (target, mount) in config.mounts.iter().flat_map(|mounts| &mounts.0) {
            let stated = spec.mounts.as_ref().and_then(|Mounts(stated)| stated.get(target));
            match (stated, mount) {
                (Some(Mount::Volume(volume)), _) => {
                    let name = volume.name.clone().unwrap_or_else(|| self.next_id());
                    self.ensure_volume(&name);
                    volumes.insert(target.clone(), name);
                }
                // Of the image, where no other container's volume is mounted already.
                (None, Mount::Volume(_)) if !volumes.contains_key(target) => {
                    let name: VolumeName = self.next_id();
                    self.ensure_volume(&name);
                    volumes.insert(target.clone(), name);
                }
                (Some(_), _) => {
                    volumes.remove(target);
                }
                (None, _) => {}
            }
        }
        volumes
    }

    fn ensure_volume(&mut self, name: &VolumeName) {
        let now = self.clock;
        self.volumes.entry(name.clone()).or_insert_with(|| VolumeState {
            name: name.clone(),
            driver: "local".to_owned(),
            labels: TextMap::default(),
            options: TextMap::default(),
            created: Some(now),
        });
    }
}

/// `spec` without the fields at `paths`, and which of them were there.
pub(super) fn without<'a>(
    spec: &ContainerSpec,
    paths: impl Iterator<Item = &'a str>,
) -> Answer<(ContainerSpec, Vec<&'a str>)> {
    let undone = |error: &dyn std::fmt::Display| refusal(ErrorKind::EngineFailed, error.to_string());
    let mut paths = paths.peekable();
    if paths.peek().is_none() {
        return Ok((spec.clone(), Vec::new()));
    }
    let mut tree = serde_json::to_value(spec).map_err(|error| undone(&error))?;
    let taken = paths.filter(|path| take(&mut tree, path).is_some()).collect();
    Ok((ContainerSpec::from_value(tree).map_err(|violations| undone(&violations))?, taken))
}

/// Takes the field at a dotted path out of a document.
fn take(tree: &mut Value, path: &str) -> Option<Value> {
    match path.split_once('.') {
        Some((group, rest)) => take(tree.get_mut(group)?, rest),
        None => tree.as_object_mut()?.remove(path),
    }
}

/// Why this engine cannot make such a container.
fn refused(spec: &ContainerSpec, features: &Features) -> Option<String> {
    let mounts = || spec.mounts.iter().flat_map(|mounts| mounts.0.values());
    let flags = |mount: &Mount| match mount {
        Mount::Bind(bind) => bind.flags.first().copied(),
        Mount::Volume(volume) => volume.flags.first().copied(),
        Mount::Tmpfs(_) | Mount::Devpts => None,
    };
    let has_flag = |mount| flags(mount).is_some_and(|_: MountFlag| true);
    let podman_user =
        matches!(spec.namespaces.user, Some(NamespaceMode::KeepId | NamespaceMode::Auto | NamespaceMode::NoMap));
    let podman_network = matches!(spec.network.mode, Some(NetworkMode::Pasta | NetworkMode::Slirp4netns));
    let mut tree = serde_json::to_value(spec).unwrap_or_default();
    features.refusals().find_map(|(feature, reason)| {
        let asked = match feature {
            "mounts.devpts" => mounts().any(|mount| *mount == Mount::Devpts),
            "mounts.flags" => mounts().any(has_flag),
            "namespaces.user.podman" => podman_user,
            "network.mode.podman" => podman_network,
            path => take(&mut tree, path).is_some(),
        };
        asked.then(|| format!("{feature}: {reason}"))
    })
}
