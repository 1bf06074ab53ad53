//! A recorded engine: what `docker inspect` and `docker image inspect` have printed, or `podman`'s, here or elsewhere.

use std::io::Read;
use std::path::Path;

use kolla_container_core::snapshot::Snapshot;
use kolla_container_core::state::{ContainerState, EngineFacts, EngineKind, ImageState};
use kolla_container_core::{ContainerId, ContainerName, Error, FieldPath};
use kolla_container_docker as docker;
use kolla_container_podman as podman;
use serde_json::Value;

use crate::file::{self, Mistake};

/// A recorded engine, and what the user should know of it.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) snapshot: Snapshot,
    pub(crate) warnings: Vec<String>,
}

/// The words in which an engine prints its documents.
#[derive(Debug)]
pub(crate) struct Words {
    engine: EngineKind,
    container: fn(&Value) -> Result<ContainerState, Error>,
    image: fn(&Value) -> Result<ImageState, Error>,
    facts: fn() -> EngineFacts,
}

impl Words {
    pub(crate) fn docker() -> Self {
        let (container, image) = (docker::decode::container, docker::decode::image);
        Self { engine: EngineKind::Docker, container, image, facts: docker::recorded_facts }
    }

    pub(crate) fn podman() -> Self {
        let (container, image) = (podman::decode::container, podman::decode::image);
        Self { engine: EngineKind::Podman, container, image, facts: podman::recorded_facts }
    }

    /// Reads the files of a recording.
    ///
    /// A container that cannot be read is there, and fails alone. An image that cannot be read counts as not given.
    pub(crate) fn read(
        &self,
        path: &Path,
        images: Option<&Path>,
        input: &mut dyn Read,
    ) -> Result<Recording, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut warnings = Vec::new();
        let mut known = Vec::new();
        let mut unreadable = Vec::new();
        for (place, document) in self.documents(path, input, &mut mistakes) {
            let name = match self.name(&document) {
                Ok(name) => name,
                Err(wrong) => {
                    mistakes.push(mistake(path, &place, &wrong));
                    continue;
                }
            };
            match ((self.container)(&document), name.parse::<ContainerName>()) {
                (Ok(container), _) => known.push(container),
                (Err(error), Ok(name)) => unreadable.push((name, id(&document), error)),
                // Nobody can ask for it.
                (Err(error), Err(_)) => {
                    warnings.push(format!("{}: {place}: is left out: {}", file::label(path), error.report()));
                }
            }
        }
        let mut given = Vec::new();
        if let Some(path) = images {
            for (place, document) in self.documents(path, input, &mut mistakes) {
                if container(&document).is_some() {
                    let wrong = format!("is a container, and here go images (`{} image inspect`)", self.engine);
                    mistakes.push(mistake(path, &place, &wrong));
                    continue;
                }
                match (self.image)(&document) {
                    Ok(image) => given.push(image),
                    Err(error) => {
                        let why = error.report();
                        warnings.push(format!("{}: {place}: counts as not given: {why}", file::label(path)));
                    }
                }
            }
        } else {
            warnings
                .push("without --images, what comes from the images cannot be told from what was stated".to_owned());
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let add = |snapshot: Snapshot, (name, id, error)| snapshot.with_unreadable(name, id, error);
        let snapshot = unreadable.into_iter().fold(Snapshot::new((self.facts)(), known, given), add);
        Ok(Recording { snapshot, warnings })
    }

    /// The name of a container; or what is wrong with the document.
    fn name<'a>(&self, document: &'a Value) -> Result<&'a str, String> {
        let engine = self.engine;
        match container(document) {
            Some((whose, name)) if whose == engine => Ok(name),
            Some((whose, _)) => Err(format!("is a container of {whose}, and --engine says {engine}")),
            None => Err(format!("is no container as `{engine} inspect` prints it: it has no Name, or no State")),
        }
    }

    /// The documents of a file, each with its place in it.
    fn documents(&self, path: &Path, input: &mut dyn Read, mistakes: &mut Vec<Mistake>) -> Vec<(FieldPath, Value)> {
        let root = FieldPath::root();
        // No value is in such an error.
        let read = file::text(path, input)
            .and_then(|text| serde_json::from_str(&text).map_err(|error| format!("is no JSON: {error}")));
        let wrong = match read {
            Ok(Value::Array(documents)) => {
                return documents
                    .into_iter()
                    .enumerate()
                    .map(|(index, document)| (root.key(index), document))
                    .collect();
            }
            Ok(document @ Value::Object(_)) => return vec![(root, document)],
            Ok(_) => format!("is not what `{} inspect NAME...` prints: a list of objects", self.engine),
            Err(wrong) => wrong,
        };
        mistakes.push(mistake(path, &root, &wrong));
        Vec::new()
    }
}

/// Whose container a document is, and its name, which begins with a slash only on Docker. What has no state is none.
fn container(document: &Value) -> Option<(EngineKind, &str)> {
    document.get("State")?.as_object()?;
    let name = document.get("Name")?.as_str()?;
    Some(match name.strip_prefix('/') {
        Some(name) => (EngineKind::Docker, name),
        None => (EngineKind::Podman, name),
    })
}

fn id(document: &Value) -> Option<ContainerId> {
    document.get("Id")?.as_str()?.parse().ok()
}

fn mistake(path: &Path, place: &FieldPath, message: &str) -> Mistake {
    Mistake { file: Some(file::label(path)), path: place.to_string(), message: message.to_owned() }
}
