//! Mounts: `Binds`, `Mounts`, `Tmpfs` of the host configuration, and anonymous `Volumes`.

use std::collections::HashMap;

use bollard::models::{
    HostConfig, Mount as Long, MountBindOptions, MountBindOptionsPropagationEnum, MountType, MountVolumeOptions,
};
use kolla_container_core::spec::{Bind, CleanPath, Mount, Mounts, Propagation, Volume};
use kolla_container_core::{FieldPath, Violations};

/// Writes the mounts; answers the targets of the plain anonymous volumes.
///
/// The long form of a bind mount refuses a source that is not there, the short one makes a folder of it. Relabelling
/// is known to the short form only.
pub(super) fn encode(
    mounts: Option<&Mounts>,
    create_missing_sources: bool,
    host: &mut HostConfig,
    wrong: &mut Violations,
) -> Option<Vec<String>> {
    let mut anonymous = Vec::new();
    let (mut binds, mut long, mut tmpfs) = (Vec::new(), Vec::new(), HashMap::new());
    for (target, mount) in mounts.iter().flat_map(|mounts| &mounts.0) {
        match mount {
            Mount::Bind(bind) if create_missing_sources || bind.relabel.is_some() => {
                binds.push(short(target, bind, wrong));
            }
            Mount::Bind(bind) => long.push(long_bind(target, bind)),
            Mount::Volume(Volume { name: None, read_only: false, no_copy: false, subpath: None, flags: _ }) => {
                anonymous.push(target.to_string());
            }
            Mount::Volume(volume) => long.push(long_volume(target, volume)),
            Mount::Tmpfs(options) => {
                tmpfs.insert(target.to_string(), options.options_text());
            }
            Mount::Devpts => wrong.add(FieldPath::from("mounts").key(target), "Docker mounts no devpts"),
        }
    }
    host.binds = Some(binds).filter(|binds| !binds.is_empty());
    host.mounts = Some(long).filter(|long| !long.is_empty());
    host.tmpfs = Some(tmpfs).filter(|tmpfs| !tmpfs.is_empty());
    Some(anonymous).filter(|anonymous| !anonymous.is_empty())
}

/// `SOURCE:TARGET[:OPTIONS]`, which has no way to write a path with a colon in it.
fn short(target: &CleanPath, bind: &Bind, wrong: &mut Violations) -> String {
    let Bind { source, read_only, propagation, relabel, non_recursive, flags: _ } = bind;
    let path = || FieldPath::from("mounts").key(target);
    let why = if relabel.is_some() { "relabelled" } else { "made where it is missing" };
    if [source, target].into_iter().any(|path| path.as_str().contains(':')) {
        wrong.add(path(), format!("a path with a colon in it cannot be {why}: Docker splits its text at colons"));
    }
    if *non_recursive {
        wrong.add(path(), format!("a bind mount that is {why} cannot be non_recursive as well on Docker"));
    }
    let options = [
        read_only.then(|| "ro".to_owned()),
        (*propagation != Propagation::RPrivate).then(|| propagation.to_string()),
        relabel.map(|relabel| relabel.to_string()),
    ];
    let options: Vec<String> = options.into_iter().flatten().collect();
    let colon = if options.is_empty() { "" } else { ":" };
    format!("{source}:{target}{colon}{}", options.join(","))
}

fn long_bind(target: &CleanPath, bind: &Bind) -> Long {
    let Bind { source, read_only, propagation, relabel: _, non_recursive, flags: _ } = bind;
    let stated = (*propagation != Propagation::RPrivate).then_some(match propagation {
        Propagation::RPrivate => MountBindOptionsPropagationEnum::RPRIVATE,
        Propagation::Private => MountBindOptionsPropagationEnum::PRIVATE,
        Propagation::RShared => MountBindOptionsPropagationEnum::RSHARED,
        Propagation::Shared => MountBindOptionsPropagationEnum::SHARED,
        Propagation::RSlave => MountBindOptionsPropagationEnum::RSLAVE,
        Propagation::Slave => MountBindOptionsPropagationEnum::SLAVE,
    });
    let options = MountBindOptions {
        propagation: stated,
        non_recursive: non_recursive.then_some(true),
        ..MountBindOptions::default()
    };
    Long {
        typ: Some(MountType::BIND),
        source: Some(source.to_string()),
        target: Some(target.to_string()),
        read_only: Some(*read_only),
        bind_options: (options != MountBindOptions::default()).then_some(options),
        ..Long::default()
    }
}

fn long_volume(target: &CleanPath, volume: &Volume) -> Long {
    let Volume { name, read_only, no_copy, subpath, flags: _ } = volume;
    let options = MountVolumeOptions {
        no_copy: no_copy.then_some(true),
        subpath: subpath.clone(),
        ..MountVolumeOptions::default()
    };
    Long {
        typ: Some(MountType::VOLUME),
        source: name.as_ref().map(ToString::to_string),
        target: Some(target.to_string()),
        read_only: Some(*read_only),
        volume_options: (options != MountVolumeOptions::default()).then_some(options),
        ..Long::default()
    }
}
