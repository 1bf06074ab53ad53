//! What should run, as the body of a request to make it, or to change it in place.
//!
//! Pure. A field that nobody states is left out, so that the image and the engine decide. Each group of the spec has
//! its file; every pattern names every field, so that a new one does not compile until it is written here too.

mod mounts;
mod network;
mod resources;

use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, DeviceMapping, DeviceRequest as Request, HealthConfig, HostConfig,
    HostConfigCgroupnsModeEnum, HostConfigLogConfig, RestartPolicy as Policy, RestartPolicyNameEnum,
};
use kolla_container_core::spec::{
    Command, Device, DeviceRequest, Environment, HealthTest, Healthcheck, Logging, NamespaceMode, Namespaces,
    RestartPolicy, Security, TextMap, Variable,
};
use kolla_container_core::state::ContainerUpdate;
use kolla_container_core::{ContainerSpec, Violations};

pub(crate) use self::network::{Join, endpoint};

/// A request to make a container, and what has to follow it.
#[derive(Debug)]
pub(crate) struct Creation {
    pub(crate) body: ContainerCreateBody,
    pub(crate) platform: Option<String>,
    /// The networks that Docker does not take when it makes the container.
    pub(crate) joins: Vec<Join>,
}

/// How many endpoints the engine takes when it makes a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoints {
    /// One; below API 1.44.
    One,
    /// All.
    All,
}

/// The request that makes such a container; everything that Docker has no words for, if there is something.
pub(crate) fn creation(spec: &ContainerSpec, endpoints: Endpoints) -> Result<Creation, Violations> {
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
    let mut wrong = Violations::none();
    let mut host = HostConfig {
        group_add: group_add.as_ref().map(|groups| groups.iter().cloned().collect()),
        annotations: annotations.as_ref().map(text_map),
        init: *init,
        volumes_from: volumes_from.as_ref().map(texts),
        devices: devices.as_ref().map(|devices| devices.iter().map(device).collect()),
        device_cgroup_rules: device_cgroup_rules.as_ref().map(texts),
        device_requests: device_requests.as_ref().map(|requests| requests.iter().map(device_request).collect()),
        restart_policy: restart.map(policy),
        runtime: runtime.clone(),
        cgroup_parent: cgroup_parent.clone(),
        storage_opt: storage_opt.as_ref().map(text_map),
        auto_remove: *auto_remove,
        ..HostConfig::default()
    };
    let volumes = mounts::encode(mounts.as_ref(), deploy.create_missing_sources == Some(true), &mut host, &mut wrong);
    let connected = network::encode(network, endpoints, &mut host);
    encode_namespaces(namespaces, &mut host);
    encode_security(security, &mut host);
    resources::encode(resources, &mut host, &mut wrong);
    encode_logging(logging, &mut host);
    let body = ContainerCreateBody {
        image: image.as_ref().map(kolla_container_core::ImageRef::familiar),
        cmd: command.as_ref().filter(|command| !command.is_empty()).map(argv),
        entrypoint: entrypoint.as_ref().map(argv),
        env: environment.as_ref().map(variables),
        labels: labels.as_ref().map(text_map),
        user: user.clone(),
        working_dir: working_dir.as_ref().map(ToString::to_string),
        hostname: hostname.clone(),
        domainname: domainname.clone(),
        tty: *tty,
        open_stdin: *stdin_open,
        stop_signal: stop_signal.map(|signal| signal.to_string()),
        stop_timeout: stop_timeout.map(|span| i64::try_from(span.whole_seconds()).unwrap_or(i64::MAX)),
        exposed_ports: connected.exposed,
        volumes,
        healthcheck: health_config(healthcheck),
        networking_config: connected.networking,
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    wrong.into_result()?;
    Ok(Creation { body, platform: platform.as_ref().map(ToString::to_string), joins: connected.joins })
}

/// The request that changes a container in place.
pub(crate) fn update(update: &ContainerUpdate) -> Result<ContainerUpdateBody, Violations> {
    let ContainerUpdate { resources, restart } = update;
    let mut host = HostConfig::default();
    let mut wrong = Violations::none();
    resources::encode(resources, &mut host, &mut wrong);
    wrong.into_result()?;
    Ok(ContainerUpdateBody {
        memory: host.memory,
        memory_reservation: host.memory_reservation,
        memory_swap: host.memory_swap,
        cpu_period: host.cpu_period,
        cpu_quota: host.cpu_quota,
        cpu_shares: host.cpu_shares,
        nano_cpus: host.nano_cpus,
        cpuset_cpus: host.cpuset_cpus,
        cpuset_mems: host.cpuset_mems,
        blkio_weight: host.blkio_weight,
        pids_limit: host.pids_limit,
        restart_policy: restart.map(policy),
        ..ContainerUpdateBody::default()
    })
}

fn argv(command: &Command) -> Vec<String> {
    command.argv().to_vec()
}

fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

pub(crate) fn text_map(map: &TextMap) -> std::collections::HashMap<String, String> {
    map.0.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// A name without `=` takes a variable of the image away.
fn variables(Environment(variables): &Environment) -> Vec<String> {
    let entry = |(name, variable): (&String, &Variable)| match variable.value() {
        Some(value) => format!("{name}={value}"),
        None => name.clone(),
    };
    variables.iter().map(entry).collect()
}

fn device(device: &Device) -> DeviceMapping {
    let Device { host, container, permissions } = device;
    DeviceMapping {
        path_on_host: Some(host.to_string()),
        path_in_container: Some(container.to_string()),
        cgroup_permissions: Some(permissions.clone()),
    }
}

fn device_request(request: &DeviceRequest) -> Request {
    let DeviceRequest { driver, count, device_ids, capabilities, options } = request;
    Request {
        driver: Some(driver.clone()),
        count: *count,
        device_ids: Some(device_ids.iter().cloned().collect()),
        capabilities: Some(capabilities.iter().map(|all| all.iter().cloned().collect()).collect()),
        options: Some(options.iter().map(|(key, value)| (key.clone(), value.clone())).collect()),
    }
}

fn policy(policy: RestartPolicy) -> Policy {
    let (name, retries) = match policy {
        RestartPolicy::No => (RestartPolicyNameEnum::NO, None),
        RestartPolicy::OnFailure(retries) => (RestartPolicyNameEnum::ON_FAILURE, retries),
        RestartPolicy::Always => (RestartPolicyNameEnum::ALWAYS, None),
        RestartPolicy::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
    };
    Policy { name: Some(name), maximum_retry_count: retries.map(i64::from) }
}

fn encode_namespaces(namespaces: &Namespaces, host: &mut HostConfig) {
    let Namespaces { ipc, pid, cgroup, user, uts } = namespaces;
    // Everywhere but for ipc, where it is one of several kinds, one of its own is the empty text.
    let own_or = |mode: &NamespaceMode| if *mode == NamespaceMode::Private { String::new() } else { mode.to_string() };
    host.ipc_mode = ipc.as_ref().map(ToString::to_string);
    host.pid_mode = pid.as_ref().map(own_or);
    host.userns_mode = user.as_ref().map(own_or);
    host.uts_mode = uts.as_ref().map(own_or);
    host.cgroupns_mode = cgroup.as_ref().map(|mode| match mode {
        NamespaceMode::Host => HostConfigCgroupnsModeEnum::HOST,
        _ => HostConfigCgroupnsModeEnum::PRIVATE,
    });
}

fn encode_security(security: &Security, host: &mut HostConfig) {
    let Security { privileged, cap_add, cap_drop, security_opt, no_new_privileges, read_only } = security;
    host.privileged = *privileged;
    host.cap_add = cap_add.as_ref().map(texts);
    host.cap_drop = cap_drop.as_ref().map(texts);
    host.readonly_rootfs = *read_only;
    if security_opt.is_some() || no_new_privileges.is_some() {
        let stated = security_opt.iter().flatten().map(ToString::to_string);
        let no_new = no_new_privileges.map(|no_new| format!("no-new-privileges={no_new}"));
        host.security_opt = Some(stated.chain(no_new).collect());
    }
}

fn encode_logging(logging: &Logging, host: &mut HostConfig) {
    let Logging { driver, options } = logging;
    if driver.is_some() || options.is_some() {
        // Podman's name for the same.
        let driver =
            driver.as_ref().map(|driver| if driver == "k8s-file" { "json-file".to_owned() } else { driver.clone() });
        host.log_config = Some(HostConfigLogConfig { typ: driver, config: options.as_ref().map(text_map) });
    }
}

/// A key that is left out is the image's.
fn health_config(healthcheck: &Healthcheck) -> Option<HealthConfig> {
    let Healthcheck { test, interval, timeout, retries, start_period, start_interval } = healthcheck;
    if healthcheck.is_empty() {
        return None;
    }
    let nanos = |span: &Option<kolla_container_core::TimeSpan>| {
        span.map(|span| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
    };
    Some(HealthConfig {
        test: test.as_ref().map(HealthTest::words).map(texts),
        interval: nanos(interval),
        timeout: nanos(timeout),
        retries: retries.map(i64::from),
        start_period: nanos(start_period),
        start_interval: nanos(start_interval),
    })
}
