//! What containers and images have in common: `Config`.

use std::collections::HashMap;

use bollard::models::{ContainerConfig, HealthConfig, ImageConfig};
use kolla_container_core::spec::{
    CleanPath, Command, Environment, ExposedPorts, HealthTest, Healthcheck, Mount, Mounts, Signal, TextMap, Variable,
    Volume,
};
use kolla_container_core::{ContainerSpec, TimeSpan};

use super::{Wrong, filled, read, read_all};

/// The parts of `Config` that an image implies for a container.
pub(super) struct Shared {
    pub(super) user: Option<String>,
    pub(super) exposed_ports: Option<Vec<String>>,
    pub(super) env: Option<Vec<String>>,
    pub(super) cmd: Option<Vec<String>>,
    pub(super) entrypoint: Option<Vec<String>>,
    pub(super) healthcheck: Option<HealthConfig>,
    pub(super) volumes: Option<Vec<String>>,
    pub(super) working_dir: Option<String>,
    pub(super) labels: Option<HashMap<String, String>>,
    pub(super) stop_signal: Option<String>,
}

impl Shared {
    /// The whole configuration of an image.
    pub(super) fn of_image(config: ImageConfig) -> Self {
        let ImageConfig {
            user,
            exposed_ports,
            env,
            cmd,
            entrypoint,
            healthcheck,
            volumes,
            working_dir,
            labels,
            stop_signal,
            args_escaped: _,
            on_build: _,
            shell: _,
        } = config;
        Self { user, exposed_ports, env, cmd, entrypoint, healthcheck, volumes, working_dir, labels, stop_signal }
    }
}

/// Takes these parts out of the configuration of a container.
pub(super) fn take(config: &mut ContainerConfig) -> Shared {
    Shared {
        user: config.user.take(),
        exposed_ports: config.exposed_ports.take(),
        env: config.env.take(),
        cmd: config.cmd.take(),
        entrypoint: config.entrypoint.take(),
        healthcheck: config.healthcheck.take(),
        volumes: config.volumes.take(),
        working_dir: config.working_dir.take(),
        labels: config.labels.take(),
        stop_signal: config.stop_signal.take(),
    }
}

impl Shared {
    /// As a spec; a field that says nothing is left out of it.
    pub(super) fn into_spec(self) -> Result<ContainerSpec, Wrong> {
        let Self { user, exposed_ports, env, cmd, entrypoint, healthcheck, volumes, working_dir, labels, stop_signal } =
            self;
        let mut spec = ContainerSpec {
            user: filled(user),
            command: filled_list(cmd).map(Command::new),
            entrypoint: filled_list(entrypoint).map(Command::new),
            environment: env.filter(|env| !env.is_empty()).map(environment),
            labels: labels.filter(|labels| !labels.is_empty()).map(text_map),
            working_dir: filled(working_dir).map(|path| read("WorkingDir", &path)).transpose()?,
            stop_signal: filled(stop_signal).map(|signal| read::<Signal>("StopSignal", &signal)).transpose()?,
            healthcheck: healthcheck.map(read_healthcheck).unwrap_or_default(),
            mounts: volumes.filter(|volumes| !volumes.is_empty()).map(anonymous_volumes).transpose()?,
            ..ContainerSpec::default()
        };
        let exposed: ExposedPorts = ExposedPorts(read_all("ExposedPorts", exposed_ports)?);
        spec.network.expose = Some(exposed).filter(|exposed| !exposed.0.is_empty());
        Ok(spec)
    }
}

fn filled_list(words: Option<Vec<String>>) -> Option<Vec<String>> {
    words.filter(|words| !words.is_empty())
}

/// A name without `=` is a variable that was taken away.
fn environment(variables: Vec<String>) -> Environment {
    let variable = |text: String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Variable::Value(value.to_owned())),
        None => (text, Variable::Unset),
    };
    Environment(variables.into_iter().map(variable).collect())
}

pub(super) fn text_map(map: HashMap<String, String>) -> TextMap {
    TextMap(map.into_iter().collect())
}

fn anonymous_volumes(targets: Vec<String>) -> Result<Mounts, Wrong> {
    let targets: Vec<CleanPath> = read_all("Volumes", Some(targets))?;
    Ok(Mounts(targets.into_iter().map(|target| (target, Mount::Volume(Volume::default()))).collect()))
}

/// A zero is "not stated".
fn read_healthcheck(config: HealthConfig) -> Healthcheck {
    let HealthConfig { test, interval, timeout, retries, start_period, start_interval } = config;
    let span = |nanos: Option<i64>| {
        nanos.and_then(|nanos| u64::try_from(nanos).ok()).filter(|nanos| *nanos > 0).map(TimeSpan::from_nanos)
    };
    Healthcheck {
        test: health_test(test.unwrap_or_default()),
        interval: span(interval),
        timeout: span(timeout),
        retries: retries.and_then(|retries| u32::try_from(retries).ok()).filter(|retries| *retries > 0),
        start_period: span(start_period),
        start_interval: span(start_interval),
    }
}

/// What Docker runs: of the words after `CMD-SHELL` the first one. A check of a kind that it does not know always fails,
/// and is no other check that somebody may want.
fn health_test(words: Vec<String>) -> Option<HealthTest> {
    match HealthTest::from_words(&words) {
        Ok(test) => test,
        Err(_) => match words.split_first() {
            Some((kind, [text, ..])) if kind == "CMD-SHELL" => Some(HealthTest::Shell(text.clone())),
            _ => Some(HealthTest::Exec(words)),
        },
    }
}
