//! What should run, as the arguments of `create` and `update`.
//!
//! Written from the manual pages of the commands, and from nothing else: where a field can be said in two ways, this is
//! the way that people write. Every pattern names every field, so that a new one does not compile until it is here, too.

mod mounts;
mod network;
mod resources;

use std::fmt::Display;

use kolla_container_core::spec::{
    Command, Environment, HealthTest, Healthcheck, Logging, NamespaceMode, Namespaces, Security, TextMap, Variable,
};
use kolla_container_core::state::{ContainerUpdate, EngineKind};
use kolla_container_core::{ContainerSpec, ErrorKind, TimeSpan, Violations};

pub(super) use self::network::{Join, joining};
use super::refusal::Refusal;
use super::words::Words;

/// The arguments being written, for one of the commands.
#[derive(Debug)]
struct Writer {
    words: Words,
    wrong: Violations,
    engine: EngineKind,
}

/// The arguments of `create`, and what has to follow it.
#[derive(Debug)]
pub(super) struct Creation {
    pub(super) words: Words,
    pub(super) joins: Vec<Join>,
}

impl Writer {
    fn new(engine: EngineKind) -> Self {
        Self { words: Words::default(), wrong: Violations::none(), engine }
    }

    fn is_podman(&self) -> bool {
        self.engine == EngineKind::Podman
    }

    fn flag(&mut self, flag: &str, value: Option<impl Display>) {
        self.words.state(flag, value);
    }

    fn flags(&mut self, flag: &str, values: Option<impl IntoIterator<Item: Display>>) {
        self.words.state_each(flag, values.into_iter().flatten());
    }

    fn pairs(&mut self, flag: &str, pairs: Option<&TextMap>) {
        self.flags(flag, pairs.map(|TextMap(pairs)| pairs.iter().map(|(key, value)| format!("{key}={value}"))));
    }

    /// Says that the command has no argument for what is stated of `field`.
    fn refuse(&mut self, field: &str, is_stated: bool) {
        if is_stated {
            self.wrong.add(field, format!("`{} create` has no argument for it", self.engine));
        }
    }

    fn end(self) -> Result<Words, Refusal> {
        self.wrong.into_result().map_err(|wrong| Refusal::new(ErrorKind::Unsupported, wrong))?;
        Ok(self.words)
    }
}

/// The arguments that make such a container, the image and its command at the end.
pub(super) fn creation(spec: &ContainerSpec, engine: EngineKind) -> Result<Creation, Refusal> {
    let ContainerSpec {
        image,
        command,
        entrypoint,
        environment,
        labels,
        annotations,
        user,
        group_add,
        working_dir,
        hostname,
        domainname,
        tty,
        stdin_open,
        init,
        stop_signal,
        stop_timeout,
        mounts,
        volumes_from,
        devices,
        device_cgroup_rules,
        device_requests,
        network,
        namespaces,
        security,
        resources,
        healthcheck,
        restart,
        logging,
        runtime,
        cgroup_parent,
        storage_opt,
        auto_remove,
        platform,
        deploy,
    } = spec;
    let mut writer = Writer::new(engine);
    writer.entrypoint(entrypoint.as_ref());
    writer.environment(environment.as_ref());
    writer.pairs("label", labels.as_ref());
    writer.pairs("annotation", annotations.as_ref());
    writer.flag("user", user.as_ref());
    writer.flags("group-add", group_add.as_ref());
    writer.flag("workdir", working_dir.as_ref());
    writer.flag("hostname", hostname.as_ref());
    writer.flag("tty", *tty);
    writer.flag("interactive", *stdin_open);
    writer.flag("init", *init);
    writer.flag("stop-signal", stop_signal.as_ref());
    writer.flag("stop-timeout", stop_timeout.map(TimeSpan::whole_seconds));
    writer.mounts(mounts.as_ref(), deploy.create_missing_sources == Some(true));
    writer.flags("volumes-from", volumes_from.as_ref());
    writer.flags("device", devices.as_ref());
    writer.flags("device-cgroup-rule", device_cgroup_rules.as_ref());
    writer.refuse("device_requests", device_requests.as_ref().is_some_and(|requests| !requests.is_empty()));
    let joins = writer.network(network);
    writer.namespaces(namespaces);
    writer.security(security);
    writer.resources(resources);
    writer.healthcheck(healthcheck);
    writer.flag("restart", restart.as_ref());
    writer.logging(logging);
    writer.flag("cgroup-parent", cgroup_parent.as_ref());
    writer.flag("rm", *auto_remove);
    writer.flag("platform", platform.as_ref());
    if writer.is_podman() {
        writer.refuse("domainname", domainname.is_some());
        writer.refuse("runtime", runtime.is_some());
        writer.refuse("storage_opt", storage_opt.as_ref().is_some_and(|options| !options.0.is_empty()));
    } else {
        writer.flag("domainname", domainname.as_ref());
        writer.flag("runtime", runtime.as_ref());
        writer.pairs("storage-opt", storage_opt.as_ref());
    }
    let words = writer.end()?.words(image).words(command.iter().flat_map(Command::argv));
    Ok(Creation { words, joins })
}

/// The arguments that change a container in place.
pub(super) fn update(update: &ContainerUpdate, engine: EngineKind) -> Result<Words, Refusal> {
    let ContainerUpdate { resources, restart } = update;
    let mut writer = Writer::new(engine);
    writer.resources(resources);
    writer.flag("restart", restart.as_ref());
    writer.end()
}

impl Writer {
    /// One word, which may be empty; Podman reads a list, too.
    fn entrypoint(&mut self, entrypoint: Option<&Command>) {
        match entrypoint.map(Command::argv) {
            None => {}
            Some([]) => self.flag("entrypoint", Some("")),
            Some([program]) => self.flag("entrypoint", Some(program)),
            Some(argv) if self.is_podman() => self.flag("entrypoint", Some(serde_json::Value::from(argv))),
            Some(_) => self.refuse("entrypoint", true),
        }
    }

    /// A name without a value takes a variable of the image away, where our own environment does not have it.
    fn environment(&mut self, environment: Option<&Environment>) {
        for (name, variable) in environment.iter().flat_map(|Environment(variables)| variables) {
            match variable {
                Variable::Value(value) | Variable::Secret(value) => self.flag("env", Some(format!("{name}={value}"))),
                Variable::Unset if self.is_podman() => self.flag("unsetenv", Some(name)),
                Variable::Unset => self.flag("env", Some(name)),
            }
        }
    }

    fn namespaces(&mut self, namespaces: &Namespaces) {
        let Namespaces { ipc, pid, cgroup, user, uts } = namespaces;
        self.flag("ipc", ipc.as_ref());
        self.flag("cgroupns", cgroup.as_ref());
        let podman = self.is_podman();
        // `docker` has no word for one of its own, which is the default.
        let has_word = |mode: &&NamespaceMode| podman || **mode != NamespaceMode::Private;
        self.flag("pid", pid.as_ref().filter(has_word));
        self.flag("userns", user.as_ref().filter(has_word));
        self.flag("uts", uts.as_ref().filter(has_word));
    }

    fn security(&mut self, security: &Security) {
        let Security { privileged, cap_add, cap_drop, security_opt, no_new_privileges, read_only } = security;
        self.flag("privileged", *privileged);
        self.flags("cap-add", cap_add.as_ref());
        self.flags("cap-drop", cap_drop.as_ref());
        self.flags("security-opt", security_opt.as_ref());
        self.flag("security-opt", no_new_privileges.map(|no_new| format!("no-new-privileges={no_new}")));
        self.flag("read-only", *read_only);
    }

    fn logging(&mut self, logging: &Logging) {
        let Logging { driver, options } = logging;
        self.flag("log-driver", driver.as_ref());
        self.pairs("log-opt", options.as_ref());
    }

    /// `docker` runs every check by a shell; Podman a program, too, whose words have no blanks in them.
    fn healthcheck(&mut self, healthcheck: &Healthcheck) {
        let Healthcheck { test, interval, timeout, retries, start_period, start_interval } = healthcheck;
        match test {
            None => {}
            Some(HealthTest::None) => self.words.add(["--no-healthcheck"]),
            Some(HealthTest::Shell(text)) => self.flag("health-cmd", Some(text)),
            Some(HealthTest::Exec(argv)) if self.is_podman() && !argv.iter().any(|word| word.contains(' ')) => {
                self.flag("health-cmd", Some(format!("CMD {}", argv.join(" "))));
            }
            Some(HealthTest::Exec(_)) => self.refuse("healthcheck.test", true),
        }
        let nanoseconds = |span: &TimeSpan| format!("{}ns", span.as_nanos());
        self.flag("health-interval", interval.as_ref().map(nanoseconds));
        self.flag("health-timeout", timeout.as_ref().map(nanoseconds));
        self.flag("health-retries", *retries);
        self.flag("health-start-period", start_period.as_ref().map(nanoseconds));
        self.flag("health-start-interval", start_interval.as_ref().map(nanoseconds));
    }
}
