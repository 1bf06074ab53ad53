//! A recorded engine: what `docker inspect` and `docker image inspect` have printed, here or elsewhere.

use std::io::Read;
use std::path::Path;

use kolla_container_core::snapshot::Snapshot;
use kolla_container_core::{ContainerId, ContainerName, FieldPath};
use kolla_container_docker::{decode, recorded_facts};
use serde_json::Value;

use crate::file::{self, Mistake};

/// A recorded engine, and what the user should know of it.
#[derive(Debug)]
pub(crate) struct Recording {
    pub(crate) snapshot: Snapshot,
    pub(crate) warnings: Vec<String>,
}

/// Reads the files of a recording.
///
/// A container that cannot be read is there, and fails alone. An image that cannot be read counts as not given.
pub(crate) fn read(path: &Path, images: Option<&Path>, input: &mut dyn Read) -> Result<Recording, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut warnings = Vec::new();
    let mut known = Vec::new();
    let mut unreadable = Vec::new();
    for (place, document) in documents(path, input, &mut mistakes) {
        let Some(name) = name(&document) else {
            mistakes.push(mistake(path, &place, "is no container as `docker inspect` prints it: it has no Name"));
            continue;
        };
        match (decode::container(&document), name.parse::<ContainerName>()) {
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
        for (place, document) in documents(path, input, &mut mistakes) {
            if name(&document).is_some() {
                mistakes.push(mistake(path, &place, "is a container, and here go images (`docker image inspect`)"));
                continue;
            }
            match decode::image(&document) {
                Ok(image) => given.push(image),
                Err(error) => {
                    warnings.push(format!("{}: {place}: counts as not given: {}", file::label(path), error.report()));
                }
            }
        }
    } else {
        warnings.push("without --images, what comes from the images cannot be told from what was stated".to_owned());
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let add = |snapshot: Snapshot, (name, id, error)| snapshot.with_unreadable(name, id, error);
    let snapshot = unreadable.into_iter().fold(Snapshot::new(recorded_facts(), known, given), add);
    Ok(Recording { snapshot, warnings })
}

/// The name of a container. Only that of a container begins with a slash.
fn name(document: &Value) -> Option<&str> {
    document.get("Name")?.as_str()?.strip_prefix('/')
}

fn id(document: &Value) -> Option<ContainerId> {
    document.get("Id")?.as_str()?.parse().ok()
}

/// The documents of a file, each with its place in it.
fn documents(path: &Path, input: &mut dyn Read, mistakes: &mut Vec<Mistake>) -> Vec<(FieldPath, Value)> {
    let root = FieldPath::root();
    // No value is in such an error.
    let read = file::text(path, input)
        .and_then(|text| serde_json::from_str(&text).map_err(|error| format!("is no JSON: {error}")));
    let wrong = match read {
        Ok(Value::Array(documents)) => {
            return documents.into_iter().enumerate().map(|(index, document)| (root.key(index), document)).collect();
        }
        Ok(document @ Value::Object(_)) => return vec![(root, document)],
        Ok(_) => "is not what `docker inspect NAME...` prints: a list of objects".to_owned(),
        Err(wrong) => wrong,
    };
    mistakes.push(mistake(path, &root, &wrong));
    Vec::new()
}

fn mistake(path: &Path, place: &FieldPath, message: &str) -> Mistake {
    Mistake { file: Some(file::label(path)), path: place.to_string(), message: message.to_owned() }
}
