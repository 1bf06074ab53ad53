//! What is mounted where: as it was asked for, and as it is.

use std::collections::BTreeMap;

use bollard::models::{HostConfig, Mount as Long, MountBindOptionsPropagationEnum, MountPoint, MountType};
use kolla_container_core::ByteSize;
use kolla_container_core::VolumeName;
use kolla_container_core::spec::{Bind, CleanPath, Mount, Mounts, Propagation, Tmpfs, Volume};

use super::{Wrong, filled, read};

/// Takes the mounts out of a host configuration; `mounts` has the anonymous volumes already.
pub(super) fn decode(mounts: &mut Mounts, host: &mut HostConfig) -> Result<(), Wrong> {
    for bind in host.binds.take().into_iter().flatten() {
        let (target, mount) = short(&bind)?;
        mounts.0.insert(target, mount);
    }
    for (target, options) in host.tmpfs.take().into_iter().flatten() {
        let tmpfs = Tmpfs::from_options(&options).map_err(|error| Wrong::new("HostConfig.Tmpfs", error))?;
        mounts.0.insert(read("HostConfig.Tmpfs", &target)?, Mount::Tmpfs(tmpfs));
    }
    for mount in host.mounts.take().into_iter().flatten() {
        let target = read("HostConfig.Mounts", mount.target.as_deref().unwrap_or_default())?;
        mounts.0.insert(target, long(mount)?);
    }
    Ok(())
}

/// The volumes that are mounted, by target; anonymous ones too.
pub(super) fn volumes(points: Option<Vec<MountPoint>>) -> BTreeMap<CleanPath, VolumeName> {
    let volume = |point: MountPoint| {
        let is_volume = point.typ.as_deref() == Some("volume");
        is_volume.then(|| Some((point.destination?.parse().ok()?, point.name?.parse().ok()?))).flatten()
    };
    points.into_iter().flatten().filter_map(volume).collect()
}

/// `SOURCE:TARGET[:OPTIONS]`
fn short(text: &str) -> Result<(CleanPath, Mount), Wrong> {
    const KEY: &str = "HostConfig.Binds";
    let mut parts = text.splitn(3, ':');
    let source = parts.next().unwrap_or_default();
    let Some(target) = parts.next() else {
        // A target alone is an anonymous volume.
        return Ok((read(KEY, source)?, Mount::Volume(Volume::default())));
    };
    let options: Vec<&str> = parts.next().unwrap_or_default().split(',').filter(|word| *word != "default").collect();
    let mount = Mount::from_short(Some(source), &options.join(",")).map_err(|error| Wrong::new(KEY, error))?;
    Ok((read(KEY, target)?, anonymous_by_name(mount)))
}

/// A volume that Docker named is an anonymous one, also where it is mounted by that name.
fn anonymous_by_name(mount: Mount) -> Mount {
    match mount {
        Mount::Volume(volume) if volume.name.as_ref().is_some_and(VolumeName::is_anonymous) => {
            Mount::Volume(Volume { name: None, ..volume })
        }
        mount => mount,
    }
}

fn long(mount: Long) -> Result<Mount, Wrong> {
    const KEY: &str = "HostConfig.Mounts";
    let read_only = mount.read_only.unwrap_or_default();
    match mount.typ {
        Some(MountType::BIND) => {
            let options = mount.bind_options.unwrap_or_default();
            Ok(Mount::Bind(Bind {
                read_only,
                propagation: propagation(options.propagation),
                non_recursive: options.non_recursive.unwrap_or_default(),
                ..Bind::new(read(KEY, mount.source.as_deref().unwrap_or_default())?)
            }))
        }
        Some(MountType::VOLUME) => {
            let options = mount.volume_options.unwrap_or_default();
            let name = filled(mount.source).map(|name| read(KEY, &name)).transpose()?;
            let volume = Volume {
                name,
                read_only,
                no_copy: options.no_copy.unwrap_or_default(),
                subpath: filled(options.subpath),
                ..Volume::default()
            };
            Ok(anonymous_by_name(Mount::Volume(volume)))
        }
        Some(MountType::TMPFS) => {
            let options = mount.tmpfs_options.unwrap_or_default();
            let flags = options.options.into_iter().flatten().map(|option| option.join("="));
            let size = options.size_bytes.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0);
            let mode = options.mode.and_then(|mode| u32::try_from(mode).ok()).filter(|mode| *mode > 0);
            let read_only = read_only.then(|| "ro".to_owned());
            Ok(Mount::Tmpfs(Tmpfs {
                size: size.map(ByteSize::from_bytes),
                mode,
                options: flags.chain(read_only).collect(),
            }))
        }
        Some(other) => Err(Wrong::new(KEY, format!("a mount of type {other} is not known"))),
        None => Err(Wrong::new(KEY, "a mount has no type")),
    }
}

fn propagation(stated: Option<MountBindOptionsPropagationEnum>) -> Propagation {
    use MountBindOptionsPropagationEnum as Stated;
    match stated {
        None | Some(Stated::EMPTY | Stated::RPRIVATE) => Propagation::RPrivate,
        Some(Stated::PRIVATE) => Propagation::Private,
        Some(Stated::RSHARED) => Propagation::RShared,
        Some(Stated::SHARED) => Propagation::Shared,
        Some(Stated::RSLAVE) => Propagation::RSlave,
        Some(Stated::SLAVE) => Propagation::Slave,
    }
}
