//! The parameters, said in a [`ContainerSpec`].

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use super::host::Host;
use super::parameters::Parameters;
use super::words::{Engine, Restart};
use super::{dimensions, healthcheck, mounts};
use crate::name::ContainerName;
use crate::quantity::TimeSpan;
use crate::spec::{
    Capability, CleanPath, Command, ConfigCheck, ContainerSpec, Deadlines, Deploy, Environment, Mounts, NamespaceMode,
    Namespaces, Network, NetworkMode, RestartPolicy, Security, SecurityOpt, Stale, StartLimit, Variable, VolumesFrom,
};
use crate::text::ParseError;
use crate::violation::{FieldPath, Violation, Violations};

/// What kolla-ansible takes for `restart_retries` and `client_timeout` where nobody gives them.
const RETRIES: u32 = 10;
const CLIENT_TIMEOUT: u32 = 120;

/// What a field of a spec is called by kolla-ansible, longer names first.
const WORDS: [(&str, &str); 15] = [
    ("resources.memory_reservation", "dimensions.mem_reservation"),
    ("resources.memory_swap", "dimensions.memswap_limit"),
    ("resources.memory", "dimensions.mem_limit"),
    ("resources", "dimensions"),
    ("namespaces.ipc", "ipc_mode"),
    ("namespaces.pid", "pid_mode"),
    ("namespaces.cgroup", "cgroupns_mode"),
    ("security.privileged", "privileged"),
    ("security.cap_add", "cap_add"),
    ("security.security_opt", "security_opt"),
    ("security.no_new_privileges", "security_opt"),
    ("deploy.start_limit.burst", "restart_retries"),
    ("deploy.start_limit", "restart_retries"),
    ("deploy.deadlines.request", "client_timeout"),
    ("stop_timeout", "graceful_timeout"),
];

impl Parameters {
    /// The container that these parameters describe; says every mistake, in kolla-ansible's words.
    ///
    /// - The network is the host's, and missing sources of bind mounts are created.
    /// - `KOLLA_SERVICE_NAME` is added to the environment where it does not have it; so is `TZ`, unless the time zone is
    ///   told by a mount at `/etc/localtime`.
    /// - The restart policy `oneshot` is "no, and not supervised".
    /// - What says what to do, rather than what should run, stays with the parameters: `state`,
    ///   `detach`, `remove_on_exit`, `ignore_missing`, `container_engine`, `api_version`, `auth_*`, `tls_*`.
    pub fn into_spec(self, host: &Host) -> Result<(ContainerName, ContainerSpec), Violations> {
        let mut wrong = Violations::none();
        let name = self.name.clone();
        match &name {
            None => wrong.add("name", "is missing: it is what the container is found by"),
            Some(name) => {
                if let Some(suffix) = name.reserved_suffix() {
                    wrong.add("name", format!("{name} ends in {suffix}, which is kept for replacements"));
                }
            }
        }
        let (spec, origins) = self.translated(host, &mut wrong);
        add_in_kolla_words(&spec.validate(), &origins, &mut wrong);
        match name {
            Some(name) if wrong.is_empty() => Ok((name, spec)),
            _ => Err(wrong),
        }
    }

    fn translated(self, host: &Host, wrong: &mut Violations) -> (ContainerSpec, BTreeMap<CleanPath, FieldPath>) {
        let engine = self.container_engine.unwrap_or(Engine::Docker);
        let read = mounts::read(
            self.volumes.as_deref().unwrap_or_default(),
            self.tmpfs.as_deref().unwrap_or_default(),
            engine,
            wrong,
        );
        let security = self.security(engine, wrong);
        let namespaces = self.namespaces(wrong);
        let volumes_from: BTreeSet<VolumesFrom> =
            each("volumes_from", self.volumes_from.as_deref(), wrong).into_iter().collect();
        let environment = with_injected(self.environment, self.name.as_ref(), &read.mounts, host);
        let deploy = Deploy {
            config_check: config_check(&environment, wrong),
            supervised: (self.restart_policy == Some(Restart::Oneshot)).then_some(false),
            start_limit: start_limit(self.restart_policy, self.restart_retries, self.client_timeout),
            create_missing_sources: Some(true),
            deadlines: Deadlines {
                request: Some(seconds(client_timeout(self.client_timeout, wrong))),
                ..Deadlines::default()
            },
            ..Deploy::default()
        };
        let spec = ContainerSpec {
            image: self.image,
            command: self.command.filter(|command| !command.is_empty()),
            environment: Some(environment),
            labels: Some(self.labels).filter(|labels| !labels.0.is_empty()),
            tty: self.tty,
            stop_timeout: self.graceful_timeout.map(seconds),
            mounts: Some(read.mounts).filter(|mounts| !mounts.0.is_empty()),
            volumes_from: Some(volumes_from).filter(|volumes_from| !volumes_from.is_empty()),
            network: Network { mode: Some(NetworkMode::Host), ..Network::default() },
            namespaces,
            security,
            resources: dimensions::read(self.dimensions.as_ref(), wrong),
            healthcheck: healthcheck::read(self.healthcheck.as_ref(), wrong),
            restart: Some(match self.restart_policy {
                None | Some(Restart::No | Restart::Oneshot) => RestartPolicy::No,
                // The retries count for the unit, not for the engine.
                Some(Restart::OnFailure) => RestartPolicy::OnFailure(None),
                Some(Restart::Always) => RestartPolicy::Always,
                Some(Restart::UnlessStopped) => RestartPolicy::UnlessStopped,
            }),
            deploy,
            ..ContainerSpec::default()
        };
        (spec, read.origins)
    }

    fn security(&self, engine: Engine, wrong: &mut Violations) -> Security {
        let mut cap_add: BTreeSet<Capability> = each("cap_add", self.cap_add.as_deref(), wrong).into_iter().collect();
        // kolla-ansible adds it for Podman, whatever is asked for.
        if engine == Engine::Podman && self.privileged != Some(true) {
            cap_add.extend("AUDIT_WRITE".parse::<Capability>());
        }
        let mut no_new_privileges = None;
        let mut security_opt: BTreeSet<SecurityOpt> = BTreeSet::new();
        for (index, text) in self.security_opt.iter().flatten().enumerate() {
            match text.split_once(['=', ':']).unwrap_or((text, "true")) {
                ("no-new-privileges", "true") => no_new_privileges = Some(true),
                ("no-new-privileges", "false") => no_new_privileges = Some(false),
                ("no-new-privileges", _) => wrong.add(
                    FieldPath::from("security_opt").key(index),
                    format!("{text:?} is neither no-new-privileges=true nor no-new-privileges=false"),
                ),
                _ => match text.parse() {
                    Ok(option) => {
                        security_opt.insert(option);
                    }
                    Err(error) => wrong.add(FieldPath::from("security_opt").key(index), error.to_string()),
                },
            }
        }
        Security {
            privileged: self.privileged,
            cap_add: Some(cap_add).filter(|cap_add| !cap_add.is_empty()),
            security_opt: Some(security_opt).filter(|security_opt| !security_opt.is_empty()),
            no_new_privileges,
            ..Security::default()
        }
    }

    fn namespaces(&self, wrong: &mut Violations) -> Namespaces {
        let mut mode = |path: &str, text: Option<&String>, known: &[&str]| -> Option<NamespaceMode> {
            let text = text.filter(|text| !text.is_empty())?;
            let mode = text.parse().ok().filter(|_| known.contains(&text.as_str()));
            if mode.is_none() {
                wrong.add(path, format!("{text:?} is no {path}: it is one of {}", known.join(", ")));
            }
            mode
        };
        Namespaces {
            ipc: mode("ipc_mode", self.ipc_mode.as_ref(), &["host", "private", "shareable"]),
            pid: mode("pid_mode", self.pid_mode.as_ref(), &["host", "private"]),
            cgroup: mode("cgroupns_mode", self.cgroupns_mode.as_ref(), &["private", "host"]),
            ..Namespaces::default()
        }
    }
}

/// Reads each text of a list.
fn each<T: FromStr<Err = ParseError>>(field: &str, texts: Option<&[String]>, wrong: &mut Violations) -> Vec<T> {
    let mut read = Vec::new();
    for (index, text) in texts.into_iter().flatten().enumerate() {
        match text.parse::<T>() {
            Ok(value) => read.push(value),
            Err(error) => wrong.add(FieldPath::from(field).key(index), error.to_string()),
        }
    }
    read
}

/// kolla-ansible mounts the host's `/etc/localtime` until 2026.1, and sets `TZ` instead from then on: whoever comes from
/// the former must not have all containers made anew for it.
fn with_injected(
    mut environment: Environment,
    name: Option<&ContainerName>,
    mounts: &Mounts,
    host: &Host,
) -> Environment {
    let service = name.map(|name| ("KOLLA_SERVICE_NAME", name.as_str().replace('_', "-")));
    let is_mounted = mounts.0.keys().any(|target| target.as_str() == "/etc/localtime");
    let zone = (!is_mounted).then(|| ("TZ", host.time_zone.clone()));
    for (variable, value) in service.into_iter().chain(zone) {
        environment.0.entry(variable.to_owned()).or_insert(Variable::Value(value));
    }
    environment
}

/// kolla's images copy their configuration as `KOLLA_CONFIG_STRATEGY` says: at every start, so that a
/// restart cures a stale one, or at the first, so that only a new container does. They do not start
/// without a strategy, or with another one; a container without one has no configuration of theirs.
fn config_check(environment: &Environment, wrong: &mut Violations) -> Option<ConfigCheck> {
    const STRATEGY: &str = "KOLLA_CONFIG_STRATEGY";

    let stale = match environment.0.get(STRATEGY)?.value()? {
        "COPY_ALWAYS" => Stale::Restart,
        "COPY_ONCE" => Stale::Recreate,
        _ => {
            let path = FieldPath::from("environment").key(STRATEGY);
            wrong.add(path, "is neither COPY_ALWAYS nor COPY_ONCE: kolla's images know no other strategy");
            return None;
        }
    };
    let command = Command::new(["/usr/local/bin/kolla_set_configs", "--check"]);
    Some(ConfigCheck { command, user: Some("root".to_owned()), stale })
}

/// What the unit gets; a oneshot has none.
fn start_limit(policy: Option<Restart>, retries: Option<u32>, timeout: Option<u32>) -> Option<StartLimit> {
    let interval = seconds(timeout.filter(|timeout| *timeout > 0).unwrap_or(CLIENT_TIMEOUT));
    (policy != Some(Restart::Oneshot)).then_some(StartLimit { burst: retries.unwrap_or(RETRIES), interval })
}

fn client_timeout(given: Option<u32>, wrong: &mut Violations) -> u32 {
    if given == Some(0) {
        wrong.add("client_timeout", "0 seconds leave no time for a request: it is at least 1");
    }
    given.unwrap_or(CLIENT_TIMEOUT)
}

fn seconds(count: u32) -> TimeSpan {
    TimeSpan::from_secs(count.into())
}

/// Adds what is wrong with the spec under the names that kolla-ansible has for its fields, except
/// what only follows from what was wrong before: a size that cannot be read is not also missing.
fn add_in_kolla_words(found: &Violations, origins: &BTreeMap<CleanPath, FieldPath>, wrong: &mut Violations) {
    let before: Vec<String> = wrong.iter().map(|violation| violation.path.to_string()).collect();
    for Violation { path, message } in found {
        let path = in_kolla_words(path, origins);
        let message = WORDS
            .into_iter()
            .filter(|(ours, _)| ours.contains('.'))
            .fold(message.clone(), |message, (ours, theirs)| message.replace(ours, theirs));
        if !before
            .iter()
            .any(|earlier| earlier == path.as_str() || (earlier.contains('.') && message.contains(earlier.as_str())))
        {
            wrong.add(path, message);
        }
    }
}

fn in_kolla_words(path: &FieldPath, origins: &BTreeMap<CleanPath, FieldPath>) -> FieldPath {
    let text = path.as_str();
    let target = text.strip_prefix("mounts[").and_then(|rest| rest.strip_suffix(']'));
    if let Some(origin) =
        target.and_then(|target| target.parse().ok()).and_then(|target: CleanPath| origins.get(&target))
    {
        return origin.clone();
    }
    for (ours, theirs) in WORDS {
        if let Some(rest) = text.strip_prefix(ours)
            && (rest.is_empty() || rest.starts_with(['.', '[']))
        {
            return FieldPath::from(format!("{theirs}{rest}").as_str());
        }
    }
    path.clone()
}
