//! `volumes` and `tmpfs`: what is mounted where.

use std::collections::BTreeMap;

use super::words::Engine;
use crate::spec::{CleanPath, Mount, MountEntry, Mounts, Tmpfs};
use crate::text::ParseError;
use crate::violation::{FieldPath, Violations};

/// The mounts, and which entry each of them was written in.
#[derive(Default)]
pub(super) struct Read {
    pub(super) mounts: Mounts,
    pub(super) origins: BTreeMap<CleanPath, FieldPath>,
}

/// Reads both lists; null and empty entries are none. Of one that stands several times the last one counts, as of
/// kolla-ansible's own lists and those that operators add to them.
pub(super) fn read(
    volumes: &[Option<String>],
    tmpfs: &[Option<String>],
    engine: Engine,
    wrong: &mut Violations,
) -> Read {
    let mut read = Read::default();
    let volumes = entries("volumes", volumes).map(|(path, text)| (path, volume(text, engine)));
    let tmpfs = entries("tmpfs", tmpfs).map(|(path, text)| (path, file_system_in_memory(text)));
    for (path, entry) in volumes.chain(tmpfs) {
        let inserted = entry.and_then(|MountEntry { target, mount }| {
            if read.mounts.0.get(&target).is_some_and(|first| first.is_of_source(&mount)) {
                read.mounts.0.insert(target.clone(), mount);
            } else {
                read.mounts.insert(target.clone(), mount)?;
            }
            read.origins.insert(target, path.clone());
            Ok(())
        });
        if let Err(error) = inserted {
            wrong.add(path, error.to_string());
        }
    }
    read
}

fn entries<'a>(list: &str, texts: &'a [Option<String>]) -> impl Iterator<Item = (FieldPath, &'a str)> {
    texts.iter().enumerate().filter_map(move |(index, text)| {
        let text = text.as_deref().filter(|text| !text.trim().is_empty())?;
        Some((FieldPath::from(list).key(index), text))
    })
}

fn volume(text: &str, engine: Engine) -> Result<MountEntry, ParseError> {
    const FORM: &str = "a volume is SOURCE:TARGET[:MODE], NAME:TARGET[:MODE] or TARGET[:MODE]";

    let fields: Vec<&str> = text.split(':').collect();
    if fields.contains(&"") {
        return Err(ParseError::new(format!("{text:?} has an empty field: {FORM}")));
    }
    let (source, target, mode) = match fields.as_slice() {
        [target] => (None, *target, ""),
        [target, mode] if target.starts_with('/') && !mode.starts_with('/') => (None, *target, *mode),
        [source, target] => (Some(*source), *target, ""),
        [source, target, mode] => (Some(*source), *target, *mode),
        _ => return Err(ParseError::new(format!("{text:?} has {} fields: {FORM}", fields.len()))),
    };
    let target = target_of(text, target)?;
    let mount = match source {
        Some("devpts") if engine == Engine::Podman => {
            if !matches!(mode, "" | "rw") {
                return Err(ParseError::new(format!("{text:?}: devpts has no mode: write devpts:{target}")));
            }
            Mount::Devpts
        }
        source => Mount::from_short(source, mode)?,
    };
    Ok(MountEntry { target, mount })
}

fn file_system_in_memory(text: &str) -> Result<MountEntry, ParseError> {
    let (target, options) = text.split_once(':').unwrap_or((text, ""));
    Ok(MountEntry { target: target_of(text, target)?, mount: Mount::Tmpfs(Tmpfs::from_options(options)?) })
}

fn target_of(text: &str, target: &str) -> Result<CleanPath, ParseError> {
    let target: CleanPath =
        target.parse().map_err(|error| ParseError::new(format!("the target of {text:?}: {error}")))?;
    if target.as_str() == "/" {
        return Err(ParseError::new(format!("{text:?}: nothing can be mounted over the root of a container")));
    }
    Ok(target)
}
