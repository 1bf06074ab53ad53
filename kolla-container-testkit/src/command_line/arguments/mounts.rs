//! Mounts: `--volume` where it can say them, else `--mount`; `--tmpfs`.

use std::collections::BTreeSet;

use kolla_container_core::FieldPath;
use kolla_container_core::spec::{Bind, CleanPath, Mount, MountFlag, Mounts, Propagation, Volume};

use super::Writer;

impl Writer {
    pub(super) fn mounts(&mut self, mounts: Option<&Mounts>, create_missing_sources: bool) {
        for (target, mount) in mounts.iter().flat_map(|Mounts(mounts)| mounts) {
            match mount {
                // The short form makes a folder of a source that is missing, and alone can relabel.
                Mount::Bind(bind) if create_missing_sources || bind.relabel.is_some() => self.short_bind(target, bind),
                Mount::Bind(bind) => self.long_bind(target, bind),
                Mount::Volume(volume) => self.volume(target, volume),
                Mount::Tmpfs(tmpfs) => {
                    let options = Some(tmpfs.options_text()).filter(|options| !options.is_empty());
                    let options = options.map(|options| format!(":{options}")).unwrap_or_default();
                    self.flag("tmpfs", Some(format!("{target}{options}")));
                }
                Mount::Devpts if self.is_podman() => {
                    self.mount(&["type=devpts".to_owned(), format!("target={target}")]);
                }
                Mount::Devpts => self.refuse_mount(target, "devpts"),
            }
        }
    }

    fn short_bind(&mut self, target: &CleanPath, bind: &Bind) {
        let Bind { source, read_only, propagation, relabel, non_recursive, flags } = bind;
        let options = [
            read_only.then(|| "ro".to_owned()),
            (*propagation != Propagation::RPrivate).then(|| propagation.to_string()),
            relabel.map(|relabel| relabel.to_string()),
        ];
        self.short(
            &format!("{source}:{target}"),
            options.into_iter().flatten().chain(flags.iter().map(ToString::to_string)),
        );
        if *non_recursive {
            self.refuse_mount(target, "non_recursive beside relabel or create_missing_sources");
        }
    }

    fn long_bind(&mut self, target: &CleanPath, bind: &Bind) {
        let Bind { source, read_only, propagation, relabel: _, non_recursive, flags } = bind;
        let mut fields = vec!["type=bind".to_owned(), format!("source={source}"), format!("target={target}")];
        fields.extend(read_only.then(|| "readonly".to_owned()));
        fields.extend((*propagation != Propagation::RPrivate).then(|| format!("bind-propagation={propagation}")));
        fields.extend(non_recursive.then(|| "bind-nonrecursive=true".to_owned()));
        self.mount(&fields);
        self.no_flags(target, flags);
    }

    fn volume(&mut self, target: &CleanPath, volume: &Volume) {
        let Volume { name, read_only, no_copy, subpath, flags } = volume;
        let mut options: Vec<String> = flags.iter().map(ToString::to_string).collect();
        options.extend(read_only.then(|| "ro".to_owned()));
        options.extend(no_copy.then(|| "nocopy".to_owned()));
        match name {
            Some(name) => self.short(&format!("{name}:{target}"), options),
            None if options.is_empty() => self.short(target.as_str(), options),
            None => {
                let mut fields = vec!["type=volume".to_owned(), format!("target={target}")];
                fields.extend(read_only.then(|| "readonly".to_owned()));
                fields.extend(no_copy.then(|| "volume-nocopy".to_owned()));
                self.mount(&fields);
                self.no_flags(target, flags);
            }
        }
        if subpath.is_some() {
            self.refuse_mount(target, "subpath");
        }
    }

    fn short(&mut self, mount: &str, options: impl IntoIterator<Item = String>) {
        let options: Vec<String> = options.into_iter().collect();
        let colon = if options.is_empty() { "" } else { ":" };
        self.flag("volume", Some(format!("{mount}{colon}{}", options.join(","))));
    }

    /// The fields of a line of CSV, which is where a comma in a path goes into quotes.
    fn mount(&mut self, fields: &[String]) {
        let quoted = |field: &String| {
            if field.contains([',', '"']) { format!("\"{}\"", field.replace('"', "\"\"")) } else { field.clone() }
        };
        self.flag("mount", Some(fields.iter().map(quoted).collect::<Vec<_>>().join(",")));
    }

    fn no_flags(&mut self, target: &CleanPath, flags: &BTreeSet<MountFlag>) {
        if !flags.is_empty() {
            self.refuse_mount(target, "flags");
        }
    }

    fn refuse_mount(&mut self, target: &CleanPath, what: &str) {
        let field = FieldPath::from("mounts").key(target);
        self.wrong.add(field, format!("`{} create` has no argument for {what}", self.engine));
    }
}
