//! How units are named, where they are, and what each of them says besides its container.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kolla_container_core::{ContainerName, FieldPath, Violations};

/// Longer names are no names of units (`UNIT_NAME_MAX`).
const LONGEST_NAME: usize = 255;

/// How units are named, where they are, and what each of them says besides its container.
///
/// The default is what kolla-ansible writes: `kolla-<container>-container.service` in `/etc/systemd/system`, a part of
/// `kolla.target`.
///
/// ```
/// use kolla_container_systemd::Config;
///
/// let config = Config { prefix: "shop".to_owned(), after: vec!["mnt-data.mount".to_owned()], ..Config::default() };
///
/// assert_eq!(config.unit_name(&"db".parse()?), "shop-db-container.service");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Config {
    /// Which service manager: that of the machine, or that of the user who runs this.
    pub scope: Scope,
    /// What the name of each unit begins with. Default: `kolla`.
    pub prefix: String,
    /// The address of the bus, as in `DBUS_SYSTEM_BUS_ADDRESS`, which is the default.
    pub bus: Option<String>,
    /// Where the files of the units are. Default: `/etc/systemd/system`, and for a user `systemd/user` in
    /// `$XDG_CONFIG_HOME`, or in `~/.config`. The service manager has to look there, too.
    pub folder: Option<PathBuf>,
    /// Where the journal is, if not where `journalctl` looks for it.
    pub journal: Option<PathBuf>,
    /// The command that starts and stops containers, as an absolute path. Default: `/usr/bin/docker` or
    /// `/usr/bin/podman`, whichever the engine is.
    pub program: Option<String>,
    /// The target that the units are a part of (`PartOf=`): what stops or restarts it, stops or restarts them.
    /// Default: `<prefix>.target`.
    pub target: Option<String>,
    /// Whether the target is written, too, where it is not there. Default: no.
    pub makes_target: bool,
    /// Units that are started before (`After=` and `Wants=`), besides the engine's own.
    pub after: Vec<String>,
    /// The environment of the command (`Environment=`). Everybody on the machine can read it: no place for secrets.
    pub environment: BTreeMap<String, String>,
    /// More settings for each unit, by the name of the drop-in that gets them: `{"limits": "[Service]\nNice=5\n"}` is
    /// `<unit>.d/limits.conf`. Others' drop-ins are left alone.
    pub drop_ins: BTreeMap<String, String>,
    /// Whose text the units have. Default: our own.
    pub dialect: Dialect,
    /// Whether units of the same names that somebody else wrote are taken over. Default: no, they are a conflict.
    pub adopt: bool,
    /// How long the service manager may take for anything; what a container may take to stop comes on top. Default: 80 s,
    /// so that what it says of a unit comes before a step of a plan has taken too long.
    pub deadline: Duration,
}

/// Which service manager has the units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// That of the machine (`systemctl`).
    #[default]
    System,
    /// That of the user who runs this (`systemctl --user`), for rootless engines. It ends with the user's last session,
    /// and all containers with it, unless the user lingers (`loginctl enable-linger`).
    User,
}

/// Whose text a unit has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// Ours.
    #[default]
    Own,
    /// That of kolla-ansible's container module, to the letter: a host can go from the one to the other and back, and none of
    /// its units is changed. Its units and ours count as ours then.
    ///
    /// It has no time in which to stop of its own, so that systemd kills after 90 s what takes longer; and a container that
    /// fails later than a second after its start never reaches the start limit.
    KollaAnsible,
}

impl fmt::Debug for Config {
    /// Of the variables the names alone.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, prefix, bus, folder, journal, program, target, makes_target, .. } = self;
        let Self { after, environment, drop_ins, dialect, adopt, deadline, .. } = self;
        let mut shown = f.debug_struct("Config");
        shown.field("scope", scope).field("prefix", prefix).field("bus", bus).field("folder", folder);
        shown.field("journal", journal).field("program", program).field("target", target);
        shown.field("makes_target", makes_target).field("after", after);
        shown.field("environment", &environment.keys()).field("drop_ins", &drop_ins.keys());
        shown.field("dialect", dialect).field("adopt", adopt).field("deadline", deadline).finish()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            scope: Scope::System,
            prefix: "kolla".to_owned(),
            bus: None,
            folder: None,
            journal: None,
            program: None,
            target: None,
            makes_target: false,
            after: Vec::new(),
            environment: BTreeMap::new(),
            drop_ins: BTreeMap::new(),
            dialect: Dialect::Own,
            adopt: false,
            deadline: Duration::from_secs(80),
        }
    }
}

impl Config {
    /// The default for the service manager of the user who runs this.
    pub fn user() -> Self {
        Self { scope: Scope::User, ..Self::default() }
    }

    /// The name of a container's unit.
    pub fn unit_name(&self, container: &ContainerName) -> String {
        format!("{}-{container}-container.service", self.prefix)
    }

    /// The target that the units are a part of.
    pub fn target_name(&self) -> String {
        self.target.clone().unwrap_or_else(|| format!("{}.target", self.prefix))
    }

    /// Where the files of the units are; `None` for a user without a home.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        let home = |variable: &str| std::env::var_os(variable).filter(|value| Path::new(value).is_absolute());
        match (&self.folder, self.scope) {
            (Some(folder), _) => Some(folder.clone()),
            (None, Scope::System) => Some(PathBuf::from("/etc/systemd/system")),
            (None, Scope::User) => {
                let config = home("XDG_CONFIG_HOME").map(PathBuf::from);
                let config = config.or_else(|| Some(PathBuf::from(home("HOME")?).join(".config")))?;
                Some(config.join("systemd/user"))
            }
        }
    }

    /// All that is wrong with it.
    pub(crate) fn validate(&self) -> Result<(), Violations> {
        let Self { prefix, program, target, after, environment, drop_ins, folder, .. } = self;
        let root = FieldPath::root();
        let mut wrong = Violations::none();
        if !is_word(prefix) || prefix.starts_with('.') {
            let reason = "is no beginning of a unit's name: letters, digits, '-', '_' and '.', not first";
            wrong.add("prefix", reason);
        }
        if folder.as_ref().is_some_and(|folder| !folder.is_absolute()) {
            wrong.add("folder", "is no absolute path");
        }
        // A dollar would begin the name of a variable.
        let is_plain = |c: char| !c.is_control() && c != '$';
        let is_program = |program: &String| program.starts_with('/') && program.chars().all(is_plain);
        if program.as_ref().is_some_and(|program| !is_program(program)) {
            wrong.add("program", "is no absolute path of a program");
        }
        if target.as_ref().is_some_and(|target| !is_unit(target) || !target.ends_with(".target")) {
            wrong.add("target", "is no name of a target: kolla.target");
        }
        for (index, unit) in after.iter().enumerate().filter(|(_, unit)| !is_unit(unit)) {
            wrong.add(root.field("after").key(index), format!("{unit:?} is no name of a unit: network-online.target"));
        }
        for name in environment.keys().filter(|name| !is_variable(name)) {
            wrong.add(root.field("environment").key(name), "is no name of a variable");
        }
        for (name, _) in environment.iter().filter(|(_, value)| value.contains('\0')) {
            wrong.add(root.field("environment").key(name), "has a NUL, which no variable has");
        }
        for (name, text) in drop_ins {
            if !is_word(name) || name.starts_with('.') {
                let reason = "is no name of a drop-in: letters, digits, '-', '_' and '.', not first";
                wrong.add(root.field("drop_ins").key(name), reason);
            }
            if text.contains('\0') || !text.trim_start().starts_with(['[', '#', ';']) {
                wrong.add(root.field("drop_ins").key(name), "does not begin with a section: [Service]");
            }
        }
        wrong.into_result()
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// What systemd takes for the name of a unit that is no template.
fn is_unit(text: &str) -> bool {
    const SUFFIXES: [&str; 8] = ["service", "socket", "target", "mount", "device", "path", "timer", "slice"];
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@');
    let suffix = text.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, suffix)| suffix);
    text.len() <= LONGEST_NAME && text.chars().all(is_part) && suffix.is_some_and(|suffix| SUFFIXES.contains(&suffix))
}

fn is_variable(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.chars().all(is_part) && name.starts_with(|first: char| !first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_wrong_is_said_at_once_with_its_path() {
        let pairs = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
        let config = Config {
            prefix: "a/../b".to_owned(),
            folder: Some("units".into()),
            program: Some("docker".to_owned()),
            target: Some("kolla.service\nExecStart=/bin/sh".to_owned()),
            after: vec!["docker.service".to_owned(), "docker".to_owned()],
            environment: pairs("A B", "1"),
            drop_ins: pairs("../x", "Nice=5"),
            ..Config::default()
        };

        let wrong = config.validate().unwrap_err();

        let paths: Vec<String> = wrong.iter().map(|violation| violation.path.to_string()).collect();
        let expected = ["prefix", "folder", "program", "target", "after[1]", "environment[A B]"];
        assert_eq!(paths[..6], expected);
        assert_eq!(paths[6..], ["drop_ins[../x]", "drop_ins[../x]"]);
        assert_eq!(Config::default().validate(), Ok(()));
    }
}
