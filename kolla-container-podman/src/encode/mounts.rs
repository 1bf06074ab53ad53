//! Mounts, and named volumes.

use kolla_container_core::spec::{Bind, CleanPath, Mount, Mounts, Volume};

use super::generator::{self, Generator, NamedVolume};

/// What a devpts of the container's own has; without them only root could open terminals in it.
const DEVPTS: [&str; 6] = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"];

pub(super) fn encode(mounts: Option<&Mounts>, generator: &mut Generator) {
    let Some(Mounts(stated)) = mounts else { return };
    let (mut mounts, mut volumes) = (Vec::new(), Vec::new());
    for (target, mount) in stated {
        match mount {
            Mount::Bind(bind) => mounts.push(mounted(target, "bind", bind.source.as_str(), options(bind))),
            Mount::Volume(volume) => volumes.push(named(target, volume)),
            Mount::Tmpfs(tmpfs) => {
                let text = tmpfs.options_text();
                let options = text.split(',').filter(|option| !option.is_empty()).map(str::to_owned).collect();
                mounts.push(mounted(target, "tmpfs", "tmpfs", options));
            }
            Mount::Devpts => mounts.push(mounted(target, "devpts", "devpts", super::texts(DEVPTS))),
        }
    }
    generator.mounts = Some(mounts);
    generator.volumes = Some(volumes);
}

fn mounted(target: &CleanPath, kind: &str, source: &str, options: Vec<String>) -> generator::Mount {
    generator::Mount {
        destination: Some(target.to_string()),
        r#type: Some(kind.to_owned()),
        source: Some(source.to_owned()),
        options: Some(options),
    }
}

fn options(bind: &Bind) -> Vec<String> {
    let Bind { source: _, read_only, propagation, relabel, non_recursive, flags } = bind;
    let access = if *read_only { "ro" } else { "rw" };
    let recursion = if *non_recursive { "bind" } else { "rbind" };
    let words = [access.to_owned(), propagation.to_string(), recursion.to_owned()];
    words.into_iter().chain(relabel.map(|relabel| relabel.to_string())).chain(super::texts(flags)).collect()
}

fn named(target: &CleanPath, volume: &Volume) -> NamedVolume {
    let Volume { name, read_only, no_copy, subpath, flags } = volume;
    let words = [read_only.then_some("ro"), no_copy.then_some("nocopy")];
    NamedVolume {
        name: name.as_ref().map(ToString::to_string),
        dest: Some(target.to_string()),
        options: Some(words.into_iter().flatten().map(str::to_owned).chain(super::texts(flags)).collect()),
        subpath: subpath.clone(),
    }
}
