//! What is mounted where: bind mounts, volumes, tmpfs and devpts, keyed by their target.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use crate::name::VolumeName;
use crate::quantity::ByteSize;
use crate::text::{ParseError, debug_as_text, text_serde, words};

/// An absolute path in its one spelling: no `.`, no `..`, no doubled and no trailing slash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CleanPath(String);

impl CleanPath {
    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is in the folder `other`, at whatever depth.
    pub(crate) fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with('/') || other.as_str() == "/")
    }
}

impl fmt::Display for CleanPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CleanPath {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if !text.starts_with('/') {
            return Err(ParseError::new(format!("{text:?} is no absolute path: it begins with `/`")));
        }
        if text.contains('\0') {
            return Err(ParseError::new("a path has no NUL byte in it"));
        }
        let mut parts = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                _ => parts.push(part),
            }
        }
        Ok(Self(format!("/{}", parts.join("/"))))
    }
}

debug_as_text!(CleanPath);
text_serde!(CleanPath);

words! {
    /// How mounts made on one side of a bind mount appear on the other (mount_namespaces(7)).
    pub enum Propagation ("mount propagation") {
        /// In neither direction: what engines do unless told otherwise.
        RPrivate = "rprivate",
        /// In neither direction, this mount alone.
        Private = "private",
        /// In both directions.
        RShared = "rshared",
        /// In both directions, this mount alone.
        Shared = "shared",
        /// From the host into the container.
        RSlave = "rslave",
        /// From the host into the container, this mount alone.
        Slave = "slave",
    }
}

words! {
    /// How the engine labels the source of a bind mount for SELinux.
    pub enum Relabel ("SELinux relabelling") {
        /// For this container alone (`Z`).
        Private = "Z",
        /// For all containers (`z`).
        Shared = "z",
    }
}

words! {
    /// A flag of the mount itself, where a user asks for one. Podman only.
    pub enum MountFlag ("mount flag") {
        /// Programs on it cannot be run.
        NoExec = "noexec",
        /// Programs on it can be run.
        Exec = "exec",
        /// Set-user-id bits have no effect.
        NoSuid = "nosuid",
        /// Set-user-id bits have their effect.
        Suid = "suid",
        /// Device files on it cannot be used.
        NoDev = "nodev",
        /// Device files on it can be used.
        Dev = "dev",
    }
}

/// What is mounted at a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mount {
    /// A path of the host.
    Bind(Bind),
    /// A volume of the engine.
    Volume(Volume),
    /// A file system in memory.
    Tmpfs(Tmpfs),
    /// A devpts file system of the container's own. Podman only.
    Devpts,
}

/// A path of the host, mounted into the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bind {
    /// The path on the host.
    pub source: CleanPath,
    /// Whether it cannot be written through this mount.
    pub read_only: bool,
    /// How later mounts below it propagate; [`Propagation::RPrivate`] unless stated.
    pub propagation: Propagation,
    /// SELinux relabelling, where asked for.
    pub relabel: Option<Relabel>,
    /// Whether mounts below the source stay out (`bind` instead of `rbind`).
    pub non_recursive: bool,
    /// Further flags, where asked for.
    pub flags: BTreeSet<MountFlag>,
}

impl Bind {
    /// A writable, recursive, private bind mount of `source`.
    pub fn new(source: CleanPath) -> Self {
        Self {
            source,
            read_only: false,
            propagation: Propagation::RPrivate,
            relabel: None,
            non_recursive: false,
            flags: BTreeSet::new(),
        }
    }
}

/// A volume of the engine, mounted into the container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Volume {
    /// Its name; `None` is an anonymous volume, whose name the engine makes up.
    pub name: Option<VolumeName>,
    /// Whether it cannot be written through this mount.
    pub read_only: bool,
    /// Whether a new volume stays empty instead of getting the image's files at the target.
    pub no_copy: bool,
    /// The folder of the volume that is mounted, instead of all of it; relative.
    pub subpath: Option<String>,
    /// Further flags, where asked for.
    pub flags: BTreeSet<MountFlag>,
}

/// A file system in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tmpfs {
    /// Its size; the kernel's default (half of the memory) unless stated.
    pub size: Option<ByteSize>,
    /// The permissions of its root; 1777 unless stated.
    pub mode: Option<u32>,
    /// Other mount options, as the engine takes them.
    pub options: BTreeSet<String>,
}

impl Tmpfs {
    /// The options as one text: `size=64m,mode=1777,noexec`; empty when none is stated.
    pub fn options_text(&self) -> String {
        let size = self.size.map(|size| format!("size={size}"));
        let mode = self.mode.map(|mode| format!("mode={mode:o}"));
        crate::text::join(size.into_iter().chain(mode).chain(self.options.iter().cloned()), ",")
    }

    /// Reads what [`options_text`](Self::options_text) writes; `rw` says nothing and is dropped.
    pub fn from_options(text: &str) -> Result<Self, ParseError> {
        let mut tmpfs = Self::default();
        for option in text.split(',').filter(|option| !option.is_empty() && *option != "rw") {
            match option.split_once('=') {
                // A part of the memory is a size, too, but none in bytes.
                Some(("size", size)) if !size.ends_with('%') => tmpfs.size = Some(size.parse()?),
                Some(("mode", mode)) => {
                    let mode = u32::from_str_radix(mode, 8).ok().filter(|mode| *mode <= 0o7777);
                    tmpfs.mode = Some(mode.ok_or_else(|| {
                        ParseError::new(format!("{option:?}: the mode of a tmpfs is octal, such as mode=1777"))
                    })?);
                }
                _ => {
                    tmpfs.options.insert(option.to_owned());
                }
            }
        }
        Ok(tmpfs)
    }
}

/// The mounts of a container, keyed by target; one target has one mount.
///
/// Written as a list of short forms (`/source:/target:ro,rslave`, `name:/target`, `/target` for an
/// anonymous volume) or of objects (`{type: tmpfs, target: /run, size: 64m}`). `HostConfig.Binds`
/// and `HostConfig.Mounts` on Docker, `mounts` and `volumes` on Podman.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts(pub BTreeMap<CleanPath, Mount>);

impl Mounts {
    /// The named volumes among them.
    pub fn volume_names(&self) -> impl Iterator<Item = &VolumeName> {
        self.0.values().filter_map(|mount| match mount {
            Mount::Volume(volume) => volume.name.as_ref(),
            Mount::Bind(_) | Mount::Tmpfs(_) | Mount::Devpts => None,
        })
    }

    /// Adds a mount; an error where the target has one already.
    pub fn insert(&mut self, target: CleanPath, mount: Mount) -> Result<(), ParseError> {
        if let Some(first) = self.0.get(&target) {
            return Err(ParseError::new(format!(
                "two mounts at {target}: {} and {}; a target has one mount",
                first.source_text(),
                mount.source_text(),
            )));
        }
        self.0.insert(target, mount);
        Ok(())
    }
}

impl Mount {
    /// Whether it mounts the same thing as another one, with whatever options.
    pub(crate) fn is_of_source(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Bind(bind), Self::Bind(other)) => bind.source == other.source,
            (Self::Volume(volume), Self::Volume(other)) => volume.name == other.name,
            (Self::Tmpfs(_), Self::Tmpfs(_)) | (Self::Devpts, Self::Devpts) => true,
            _ => false,
        }
    }

    /// Whether it is a volume without a name of its own.
    pub(crate) fn is_anonymous(&self) -> bool {
        matches!(self, Self::Volume(Volume { name: None, .. }))
    }

    fn source_text(&self) -> String {
        match self {
            Self::Bind(bind) => bind.source.to_string(),
            Self::Volume(Volume { name: Some(name), .. }) => name.to_string(),
            Self::Volume(_) => "an anonymous volume".to_owned(),
            Self::Tmpfs(_) => "tmpfs".to_owned(),
            Self::Devpts => "devpts".to_owned(),
        }
    }

    /// The options of the short form, without those that say nothing.
    fn option_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        match self {
            Self::Bind(bind) => {
                words.extend(bind.read_only.then(|| "ro".to_owned()));
                words.extend((bind.propagation != Propagation::RPrivate).then(|| bind.propagation.to_string()));
                words.extend(bind.relabel.map(|relabel| relabel.to_string()));
                words.extend(bind.non_recursive.then(|| "bind".to_owned()));
                words.extend(bind.flags.iter().map(ToString::to_string));
            }
            Self::Volume(volume) => {
                words.extend(volume.read_only.then(|| "ro".to_owned()));
                words.extend(volume.no_copy.then(|| "nocopy".to_owned()));
                words.extend(volume.subpath.as_ref().map(|subpath| format!("subpath={subpath}")));
                words.extend(volume.flags.iter().map(ToString::to_string));
            }
            Self::Tmpfs(tmpfs) => words.extend(Some(tmpfs.options_text()).filter(|text| !text.is_empty())),
            Self::Devpts => {}
        }
        words
    }

    /// This mount as a plan shows it: its source and its options.
    pub fn describe(&self) -> String {
        let options = self.option_words();
        let source = self.source_text();
        if options.is_empty() { source } else { format!("{source} ({})", options.join(",")) }
    }

    /// A mount in its short form; `source` is `None` for an anonymous volume.
    ///
    /// A source with a slash at its beginning is a path of the host, any other is a volume. `cached`, `delegated` and
    /// `consistent`, which speed up Docker on a Mac, say nothing elsewhere.
    pub fn from_short(source: Option<&str>, options: &str) -> Result<Self, ParseError> {
        let says_nothing = |word: &&str| matches!(*word, "" | "cached" | "delegated" | "consistent");
        let words = options.split(',').filter(|word| !says_nothing(word));
        match source {
            Some(source) if source.starts_with('/') => bind(source.parse()?, words).map(Self::Bind),
            Some(name) => volume(Some(name.parse()?), words).map(Self::Volume),
            None => volume(None, words).map(Self::Volume),
        }
    }
}

fn bind<'a>(source: CleanPath, words: impl Iterator<Item = &'a str>) -> Result<Bind, ParseError> {
    let mut bind = Bind::new(source);
    for word in words {
        match word {
            "ro" => bind.read_only = true,
            "rw" => bind.read_only = false,
            "bind" => bind.non_recursive = true,
            "rbind" => bind.non_recursive = false,
            "z" => bind.relabel = Some(Relabel::Shared),
            "Z" => bind.relabel = Some(Relabel::Private),
            _ => match (word.parse(), word.parse()) {
                (Ok(propagation), _) => bind.propagation = propagation,
                (_, Ok(flag)) => {
                    bind.flags.insert(flag);
                }
                (Err(_), Err(_)) => {
                    return Err(ParseError::new(format!(
                        "{word:?} is no option of a bind mount: those are ro, rw, z, Z, bind, rbind, \
                         private, rprivate, shared, rshared, slave, rslave, exec, noexec, suid, nosuid, dev, nodev"
                    )));
                }
            },
        }
    }
    Ok(bind)
}

fn volume<'a>(name: Option<VolumeName>, words: impl Iterator<Item = &'a str>) -> Result<Volume, ParseError> {
    let mut volume = Volume { name, ..Volume::default() };
    for word in words {
        if let Ok(flag) = word.parse() {
            volume.flags.insert(flag);
        } else {
            match word.split_once('=') {
                Some(("subpath", subpath)) => volume.subpath = Some(subpath.to_owned()),
                None if word == "ro" => volume.read_only = true,
                None if matches!(word, "rw" | "z" | "Z") => {}
                None if word == "nocopy" => volume.no_copy = true,
                _ => {
                    return Err(ParseError::new(format!(
                        "{word:?} is no option of a volume: those are ro, rw, nocopy, subpath=PATH, \
                         exec, noexec, suid, nosuid, dev, nodev"
                    )));
                }
            }
        }
    }
    Ok(volume)
}

/// A target with its mount: one entry of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountEntry {
    /// Where it is mounted.
    pub target: CleanPath,
    /// What is mounted.
    pub mount: Mount,
}

impl FromStr for MountEntry {
    type Err = ParseError;

    /// `source:target[:options]`, `name:target[:options]`, `target[:options]`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fields: Vec<&str> = text.split(':').collect();
        let (source, target, options) = match fields.as_slice() {
            [target] => (None, *target, ""),
            // A path and no second path: options of an anonymous volume.
            [target, options] if target.starts_with('/') && !options.starts_with('/') => (None, *target, *options),
            [source, target] => (Some(*source), *target, ""),
            [source, target, options] => (Some(*source), *target, *options),
            _ => {
                return Err(ParseError::new(format!(
                    "{text:?} is no mount: write SOURCE:TARGET[:OPTIONS], or an object where a path has a colon"
                )));
            }
        };
        if source == Some("") {
            return Err(ParseError::new(format!("{text:?} has no source before its first colon")));
        }
        let target: CleanPath =
            target.parse().map_err(|error| ParseError::new(format!("the target of {text:?}: {error}")))?;
        if target.as_str() == "/" {
            return Err(ParseError::new(format!("{text:?}: nothing can be mounted over the root of a container")));
        }
        Ok(Self { target, mount: Mount::from_short(source, options)? })
    }
}

impl Serialize for Mounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for (target, mount) in &self.0 {
            let short = short_form(target, mount);
            let reads_back = short.parse() == Ok(MountEntry { target: target.clone(), mount: mount.clone() });
            if reads_back {
                list.serialize_element(&short)?;
            } else {
                list.serialize_element(&Long::new(target, mount))?;
            }
        }
        list.end()
    }
}

fn short_form(target: &CleanPath, mount: &Mount) -> String {
    let mut text = match mount {
        Mount::Bind(bind) => format!("{}:{target}", bind.source),
        Mount::Volume(Volume { name: Some(name), .. }) => format!("{name}:{target}"),
        Mount::Volume(_) | Mount::Tmpfs(_) | Mount::Devpts => target.to_string(),
    };
    let options = mount.option_words();
    if !options.is_empty() {
        text.push(':');
        text.push_str(&options.join(","));
    }
    text
}

impl<'de> Deserialize<'de> for Mounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Mounts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of mounts")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Mounts, A::Error> {
                let mut mounts = Mounts::default();
                while let Some(MountEntry { target, mount }) = entries.next_element()? {
                    mounts.insert(target, mount).map_err(serde::de::Error::custom)?;
                }
                Ok(mounts)
            }
        }

        deserializer.deserialize_seq(List)
    }
}

impl<'de> Deserialize<'de> for MountEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        super::read::text_or_map::<D, Self, Long>(
            deserializer,
            "a mount: SOURCE:TARGET[:OPTIONS] or an object",
            Long::entry,
        )
    }
}

words! {
    enum Kind ("type of mount") {
        Bind = "bind",
        Volume = "volume",
        Tmpfs = "tmpfs",
        Devpts = "devpts",
    }
}

/// The long form of a mount.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Long {
    r#type: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    target: CleanPath,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    read_only: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    propagation: Option<Propagation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relabel: Option<Relabel>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    non_recursive: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    no_copy: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    subpath: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    flags: BTreeSet<MountFlag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<ByteSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    options: BTreeSet<String>,
}

impl Long {
    fn empty(kind: Kind, target: &CleanPath) -> Self {
        Self {
            r#type: kind,
            source: None,
            target: target.clone(),
            read_only: false,
            propagation: None,
            relabel: None,
            non_recursive: false,
            no_copy: false,
            subpath: None,
            flags: BTreeSet::new(),
            size: None,
            mode: None,
            options: BTreeSet::new(),
        }
    }

    fn new(target: &CleanPath, mount: &Mount) -> Self {
        match mount.clone() {
            Mount::Bind(bind) => Self {
                source: Some(bind.source.to_string()),
                read_only: bind.read_only,
                propagation: Some(bind.propagation),
                relabel: bind.relabel,
                non_recursive: bind.non_recursive,
                flags: bind.flags,
                ..Self::empty(Kind::Bind, target)
            },
            Mount::Volume(volume) => Self {
                source: volume.name.map(|name| name.to_string()),
                read_only: volume.read_only,
                no_copy: volume.no_copy,
                subpath: volume.subpath,
                flags: volume.flags,
                ..Self::empty(Kind::Volume, target)
            },
            Mount::Tmpfs(tmpfs) => Self {
                size: tmpfs.size,
                mode: tmpfs.mode.map(|mode| format!("{mode:o}")),
                options: tmpfs.options,
                ..Self::empty(Kind::Tmpfs, target)
            },
            Mount::Devpts => Self::empty(Kind::Devpts, target),
        }
    }

    fn entry(self) -> Result<MountEntry, ParseError> {
        if self.target.as_str() == "/" {
            return Err(ParseError::new("nothing can be mounted over the root of a container"));
        }
        self.refuse_foreign_keys()?;
        let mount = match self.r#type {
            Kind::Bind => Mount::Bind(Bind {
                read_only: self.read_only,
                propagation: self.propagation.unwrap_or(Propagation::RPrivate),
                relabel: self.relabel,
                non_recursive: self.non_recursive,
                flags: self.flags,
                ..Bind::new(self.source.ok_or_else(|| ParseError::new("a bind mount needs its `source`"))?.parse()?)
            }),
            Kind::Volume => Mount::Volume(Volume {
                name: self.source.map(|name| name.parse()).transpose()?,
                read_only: self.read_only,
                no_copy: self.no_copy,
                subpath: self.subpath,
                flags: self.flags,
            }),
            Kind::Tmpfs => {
                let mode = self.mode.map(|mode| format!("mode={mode}")).unwrap_or_default();
                let options = self.options.into_iter().chain([mode]);
                let tmpfs = Tmpfs::from_options(&crate::text::join(options, ","))?;
                Mount::Tmpfs(Tmpfs { size: self.size.or(tmpfs.size), ..tmpfs })
            }
            Kind::Devpts => Mount::Devpts,
        };
        Ok(MountEntry { target: self.target, mount })
    }

    /// A key that another type of mount has would be dropped without a word.
    fn refuse_foreign_keys(&self) -> Result<(), ParseError> {
        use Kind::{Bind, Tmpfs, Volume};
        let stated: [(&str, bool, &[Kind]); 10] = [
            ("source", self.source.is_some(), &[Bind, Volume]),
            ("read_only", self.read_only, &[Bind, Volume]),
            ("propagation", self.propagation.is_some(), &[Bind]),
            ("relabel", self.relabel.is_some(), &[Bind]),
            ("non_recursive", self.non_recursive, &[Bind]),
            ("no_copy", self.no_copy, &[Volume]),
            ("subpath", self.subpath.is_some(), &[Volume]),
            ("flags", !self.flags.is_empty(), &[Bind, Volume]),
            ("size or mode", self.size.is_some() || self.mode.is_some(), &[Tmpfs]),
            ("options", !self.options.is_empty(), &[Tmpfs]),
        ];
        let kind = self.r#type;
        match stated.iter().find(|(_, stated, kinds)| *stated && !kinds.contains(&kind)) {
            Some((key, _, _)) => Err(ParseError::new(format!("a mount of type {kind} has no `{key}`"))),
            None => Ok(()),
        }
    }
}
