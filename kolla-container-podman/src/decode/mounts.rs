//! What is mounted where.

use std::collections::{BTreeMap, BTreeSet};

use kolla_container_core::VolumeName;
use kolla_container_core::spec::{Bind, CleanPath, Mount, MountFlag, Mounts, Propagation, Relabel, Tmpfs, Volume};

use super::document::{HostConfig, MountPoint};
use super::{Wrong, filled, read};

/// Where Podman mounts its init program, where one is asked for.
const INIT: [&str; 2] = ["/run/podman-init", "/dev/init"];

pub(super) fn decode(points: &[MountPoint], host: &HostConfig) -> Result<Mounts, Wrong> {
    let mut mounts = BTreeMap::new();
    for point in points.iter().filter(|point| !INIT.contains(&point.destination.as_str())) {
        let target = read("Mounts", &point.destination)?;
        if let Some(mount) = mount(point)? {
            mounts.insert(target, mount);
        }
    }
    for (target, options) in &host.tmpfs {
        let tmpfs = Tmpfs::from_options(options).map_err(|error| Wrong::new("HostConfig.Tmpfs", error))?;
        mounts.insert(read("HostConfig.Tmpfs", target)?, Mount::Tmpfs(tmpfs));
    }
    Ok(Mounts(mounts))
}

/// The volumes that are mounted, by target; anonymous ones too.
pub(super) fn volumes(points: &[MountPoint]) -> BTreeMap<CleanPath, VolumeName> {
    let volume = |point: &MountPoint| Some((point.destination.parse().ok()?, point.name.parse().ok()?));
    points.iter().filter(|point| point.r#type == "volume").filter_map(volume).collect()
}

/// `None` for what no spec has words for: an image that is mounted, and what a later Podman may mount.
fn mount(point: &MountPoint) -> Result<Option<Mount>, Wrong> {
    let has = |word: &str| point.options.iter().any(|option| option == word);
    let flags: BTreeSet<MountFlag> = point.options.iter().filter_map(|option| option.parse().ok()).collect();
    Ok(match point.r#type.as_str() {
        "volume" => {
            let name = filled(point.name.clone()).map(|name| read::<VolumeName>("Mounts", &name)).transpose()?;
            Some(Mount::Volume(Volume {
                // One that the engine named is an anonymous one.
                name: name.filter(|name| !name.is_anonymous()),
                read_only: !point.writable,
                no_copy: has("nocopy"),
                subpath: filled(point.sub_path.clone()),
                flags,
            }))
        }
        "bind" if point.source == "devpts" => Some(Mount::Devpts),
        "bind" => Some(Mount::Bind(Bind {
            source: read("Mounts", &point.source)?,
            read_only: !point.writable,
            propagation: filled(point.propagation.clone())
                .map_or(Ok(Propagation::RPrivate), |propagation| read("Mounts", &propagation))?,
            relabel: filled(point.mode.clone()).map(|mode| read::<Relabel>("Mounts", &mode)).transpose()?,
            non_recursive: has("bind") && !has("rbind"),
            flags,
        })),
        _ => None,
    })
}
