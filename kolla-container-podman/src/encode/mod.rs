//! What should run, as the body of a request to make it, or to change it in place.
//!
//! Pure. A field that nobody states is left out, so that the image and the engine decide. Every pattern names every
//! field, so that a new one does not compile until it is written here too.

mod generator;
mod mounts;
mod network;
mod resources;
mod security;

use std::collections::BTreeMap;

use kolla_container_core::spec::{
    Command, Device, DeviceCgroupRule, Environment, HealthTest, Healthcheck, Logging, Platform, RestartPolicy, TextMap,
};
use kolla_container_core::state::ContainerUpdate;
use kolla_container_core::{ByteSize, ContainerName, ContainerSpec, FieldPath, TimeSpan, Violations};

use self::generator::{Device as DevicePath, DeviceRule, HealthConfig, LogConfig};
pub(crate) use self::generator::{Generator, Resources};
pub(crate) use self::network::endpoint;
use crate::decode::REMEMBERED;
use crate::defaults;

/// The log driver that Podman has under another name than Docker.
const JSON_FILE: (&str, &str) = ("json-file", "k8s-file");

/// The request that makes such a container; everything that Podman has no words for, if there is something.
pub(crate) fn creation(name: &ContainerName, spec: &ContainerSpec) -> Result<Generator, Violations> {
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
        deploy: _,
    } = spec;
    let mut wrong = Violations::none();
    if domainname.as_ref().is_some_and(|name| !name.is_empty()) {
        wrong.add("domainname", "Podman has none: write it into the hostname");
    }
    if device_requests.as_ref().is_some_and(|requests| !requests.is_empty()) {
        wrong.add("device_requests", "Podman takes devices of the CDI, by name");
    }
    for key in annotations.iter().flat_map(|TextMap(annotations)| annotations.keys()) {
        if key.starts_with(REMEMBERED) {
            let reason = format!("Podman remembers other fields below {REMEMBERED}: state the field itself");
            wrong.add(FieldPath::root().field("annotations").key(key), reason);
        }
    }
    let (policy, tries) = restart.map(policy).unzip();
    let (env, unsetenv) = environment.as_ref().map(variables).unzip();
    let [image_os, image_arch, image_variant] = platform.as_ref().map(parts).unwrap_or_default();
    let mut generator = Generator {
        name: Some(name.to_string()),
        image: image.as_ref().map(ToString::to_string),
        image_os,
        image_arch,
        image_variant,
        command: command.as_ref().filter(|command| !command.is_empty()).map(argv),
        entrypoint: entrypoint.as_ref().map(argv),
        env,
        unsetenv,
        labels: labels.as_ref().map(text_map),
        annotations: annotations.as_ref().map(text_map),
        user: user.clone(),
        groups: group_add.as_ref().map(texts),
        work_dir: working_dir.as_ref().map(ToString::to_string),
        // A folder that is not there is made, as Docker does.
        create_working_dir: working_dir.as_ref().map(|_| true),
        hostname: hostname.clone(),
        terminal: *tty,
        stdin: *stdin_open,
        init: *init,
        stop_signal: stop_signal.map(kolla_container_core::spec::Signal::number),
        stop_timeout: stop_timeout.map(TimeSpan::whole_seconds),
        volumes_from: volumes_from.as_ref().map(texts),
        devices: devices.as_ref().map(|devices| devices.iter().map(device).collect()),
        device_cgroup_rule: device_cgroup_rules.as_ref().map(|rules| rules.iter().map(rule).collect()),
        sysctl: resources.sysctls.as_ref().map(text_map),
        healthconfig: health_config(healthcheck),
        restart_policy: policy,
        restart_tries: tries.flatten(),
        log_configuration: log_config(logging),
        oci_runtime: runtime.clone(),
        cgroup_parent: cgroup_parent.clone().filter(|parent| !parent.is_empty()),
        storage_opts: storage_opt.as_ref().map(text_map),
        remove: *auto_remove,
        ..Generator::default()
    };
    mounts::encode(mounts.as_ref(), &mut generator);
    network::encode(network, &mut generator, &mut wrong);
    security::namespaces(namespaces, &mut generator);
    security::encode(security, &mut generator, &mut wrong);
    resources::encode(resources, &mut generator, &mut wrong);
    wrong.into_result()?;
    Ok(generator)
}

/// The request that changes a container in place.
pub(crate) fn update(update: &ContainerUpdate) -> Result<Resources, Violations> {
    let mut generator = Generator::default();
    let mut wrong = Violations::none();
    resources::encode(&update.resources, &mut generator, &mut wrong);
    wrong.into_result()?;
    Ok(generator.resource_limits.unwrap_or_default())
}

/// A restart policy, and how often it tries.
pub(crate) fn policy(policy: RestartPolicy) -> (String, Option<u32>) {
    match policy {
        RestartPolicy::No => ("no".to_owned(), None),
        RestartPolicy::OnFailure(retries) => ("on-failure".to_owned(), retries),
        RestartPolicy::Always => ("always".to_owned(), None),
        RestartPolicy::UnlessStopped => ("unless-stopped".to_owned(), None),
    }
}

fn argv(command: &Command) -> Vec<String> {
    command.argv().to_vec()
}

fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

pub(crate) fn text_map(map: &TextMap) -> BTreeMap<String, String> {
    map.0.clone()
}

/// Those that are set, and those of the image that are taken away.
fn variables(Environment(variables): &Environment) -> (BTreeMap<String, String>, Vec<String>) {
    let set = variables.iter().filter_map(|(name, variable)| Some((name.clone(), variable.value()?.to_owned())));
    let unset = variables.iter().filter(|(_, variable)| variable.value().is_none()).map(|(name, _)| name.clone());
    (set.collect(), unset.collect())
}

fn parts(platform: &Platform) -> [Option<String>; 3] {
    let mut parts = platform.as_str().split('/').map(str::to_owned);
    [parts.next(), parts.next(), parts.next()]
}

fn device(device: &Device) -> DevicePath {
    let Device { host, container, permissions } = device;
    DevicePath { path: Some(format!("{host}:{container}:{permissions}")) }
}

/// `c 1:3 rwm`; a star stands for all, which is -1 to Podman.
fn rule(rule: &DeviceCgroupRule) -> DeviceRule {
    let text = rule.to_string();
    let mut words = text.split_whitespace().map(str::to_owned);
    let (kind, numbers, access) = (words.next(), words.next().unwrap_or_default(), words.next());
    let (major, minor) = numbers.split_once(':').unwrap_or((numbers.as_str(), "*"));
    let number = |text: &str| Some(text.parse().unwrap_or(-1));
    DeviceRule { allow: Some(true), r#type: kind, major: number(major), minor: number(minor), access }
}

fn log_config(logging: &Logging) -> Option<LogConfig> {
    let Logging { driver, options } = logging;
    if driver.is_none() && options.is_none() {
        return None;
    }
    let (docker, podman) = JSON_FILE;
    let driver = driver.as_ref().map(|driver| if driver == docker { podman.to_owned() } else { driver.clone() });
    let size = options.as_ref().and_then(|TextMap(options)| options.get("max-size")?.parse::<ByteSize>().ok());
    Some(LogConfig { driver, size: size.map(ByteSize::bytes), options: options.as_ref().map(text_map) })
}

/// All keys: of those that are left out, Podman makes zeros.
fn health_config(healthcheck: &Healthcheck) -> Option<HealthConfig> {
    let Healthcheck { test, interval, timeout, retries, start_period, start_interval: _ } = healthcheck;
    let test = test.as_ref()?;
    if *test == HealthTest::None {
        return Some(HealthConfig { test: Some(texts(test.words())), ..HealthConfig::default() });
    }
    let default = defaults::healthcheck();
    let nanos = |stated: &Option<TimeSpan>, default: Option<TimeSpan>| stated.or(default).map(TimeSpan::as_nanos);
    Some(HealthConfig {
        test: Some(texts(test.words())),
        interval: nanos(interval, default.interval),
        timeout: nanos(timeout, default.timeout),
        start_period: nanos(start_period, default.start_period),
        retries: retries.or(default.retries),
    })
}

/// Remembers what Podman would not tell otherwise, where its own command does.
fn remember(generator: &mut Generator, key: &str, value: String) {
    generator.annotations.get_or_insert_default().insert(format!("{REMEMBERED}{key}"), value);
}
