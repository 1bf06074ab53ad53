//! A container: what it is configured as, and what it is doing.

use std::collections::BTreeSet;

use bollard::models::{
    ContainerInspectResponse, ContainerState as Doing, ContainerStateStatusEnum, HealthStatusEnum, HostConfig,
    HostConfigCgroupnsModeEnum, HostConfigLogConfig, RestartPolicyNameEnum,
};
use kolla_container_core::spec::{
    Command, Device, DeviceRequest, HealthTest, Healthcheck, Logging, Mounts, NamespaceMode, Namespaces, NetworkMode,
    RestartPolicy, Security, SecurityOpt, Signal, TextMap, VolumesFrom,
};
use kolla_container_core::state::{ContainerState, ExitStatus, Health, Owner, Status};
use kolla_container_core::{ContainerId, ContainerName, ContainerRef, ContainerSpec, ImageRef, TimeSpan, Timestamp};

use super::config::{self, text_map};
use super::{Wrong, filled, mounts, network, read, read_all, resources};

/// What Docker says where it says nothing of a health check's times.
const HEALTH_DEFAULTS: [TimeSpan; 4] =
    [TimeSpan::from_secs(30), TimeSpan::from_secs(30), TimeSpan::from_secs(0), TimeSpan::from_secs(5)];
/// How many failures make it unhealthy where nobody says.
const RETRIES: u32 = 3;
/// How long it may take to stop where nobody says.
const STOP_TIMEOUT: TimeSpan = TimeSpan::from_secs(10);

pub(super) fn container(document: ContainerInspectResponse) -> Result<ContainerState, Wrong> {
    let id: ContainerId = read("Id", &document.id.unwrap_or_default())?;
    let name: ContainerName = read("Name", document.name.unwrap_or_default().trim_start_matches('/'))?;
    let image_id = read("Image", &document.image.unwrap_or_default())?;
    let mut host = document.host_config.unwrap_or_default();
    let mut config = document.config.unwrap_or_default();
    let settings = document.network_settings;
    let doing = document.state.unwrap_or_default();

    let mut spec = config::take(&mut config).into_spec()?;
    spec.network = network::decode(spec.network.expose.take(), &mut host, settings.as_ref())?;
    spec.image = match filled(config.image) {
        Some(image) => image_name(&image),
        None => None,
    };
    spec.hostname = config.hostname;
    spec.domainname = Some(config.domainname.unwrap_or_default());
    spec.tty = Some(config.tty.unwrap_or_default());
    spec.stdin_open = Some(config.open_stdin.unwrap_or_default());
    spec.stop_timeout = match config.stop_timeout {
        None => Some(STOP_TIMEOUT),
        // A negative one is "for ever", which is no length of time.
        Some(seconds) => u64::try_from(seconds).ok().map(TimeSpan::from_secs),
    };
    mounts::decode(spec.mounts.get_or_insert_default(), &mut host)?;
    state_defaults(&mut spec);
    host_config(&mut spec, host)?;
    let owner = spec.labels.as_mut().map_or_else(Owner::default, |TextMap(labels)| Owner::take_from(labels));

    let exit = exit(&doing);
    Ok(ContainerState {
        health: health(&doing),
        finished: exit.as_ref().and_then(|_| moment(doing.finished_at.as_deref()?)),
        exit,
        status: doing.status.map_or_else(|| Status::Unrecognised(String::new()), status),
        started: doing.started_at.as_deref().and_then(moment),
        restarts: document.restart_count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default(),
        created: document
            .created
            .as_deref()
            .map_or_else(|| read("Created", "1970-01-01T00:00:00Z"), |created| read("Created", created))?,
        addresses: network::addresses(settings.as_ref()),
        published_ports: network::published(settings.as_ref())?,
        volumes: mounts::volumes(document.mounts),
        joined: joined(&spec),
        borrowed: Mounts::default(),
        owner,
        config: spec,
        id,
        name,
        image_id,
    })
}

/// A name that is none to us is not reported; the id of the image is known anyhow.
fn image_name(text: &str) -> Option<ImageRef> {
    text.parse().ok()
}

/// A key that is missing is Docker's default.
fn state_defaults(spec: &mut ContainerSpec) {
    spec.command.get_or_insert_with(Command::default);
    spec.entrypoint.get_or_insert_with(Command::default);
    spec.environment.get_or_insert_default();
    spec.labels.get_or_insert_default();
    spec.user.get_or_insert_default();
    spec.working_dir = spec.working_dir.take().or_else(|| "/".parse().ok());
    spec.stop_signal.get_or_insert(Signal::TERM);
    let check = &mut spec.healthcheck;
    if check.is_active() {
        let [interval, timeout, start_period, start_interval] = HEALTH_DEFAULTS;
        check.interval.get_or_insert(interval);
        check.timeout.get_or_insert(timeout);
        check.retries.get_or_insert(RETRIES);
        check.start_period.get_or_insert(start_period);
        check.start_interval.get_or_insert(start_interval);
    } else {
        *check = Healthcheck { test: Some(HealthTest::None), ..Healthcheck::default() };
    }
}

/// The rest of the host configuration.
fn host_config(spec: &mut ContainerSpec, mut host: HostConfig) -> Result<(), Wrong> {
    spec.resources = resources::decode(&mut host)?;
    spec.annotations = Some(host.annotations.map(text_map).unwrap_or_default());
    spec.group_add = Some(host.group_add.into_iter().flatten().collect());
    spec.init = Some(host.init.unwrap_or_default());
    spec.volumes_from =
        Some(host.volumes_from.iter().flatten().map(|text| volumes_from(text)).collect::<Result<_, _>>()?);
    spec.devices = Some(host.devices.into_iter().flatten().map(device).collect::<Result<_, _>>()?);
    spec.device_cgroup_rules = Some(read_all("HostConfig.DeviceCgroupRules", host.device_cgroup_rules)?);
    spec.device_requests = Some(host.device_requests.into_iter().flatten().map(device_request).collect());
    spec.runtime = filled(host.runtime);
    spec.cgroup_parent = Some(host.cgroup_parent.unwrap_or_default());
    spec.storage_opt = Some(host.storage_opt.map(text_map).unwrap_or_default());
    spec.auto_remove = Some(host.auto_remove.unwrap_or_default());
    spec.restart = Some(restart_policy(host.restart_policy));
    spec.logging = logging(host.log_config);
    spec.namespaces = Namespaces {
        ipc: namespace("HostConfig.IpcMode", host.ipc_mode, None)?,
        pid: namespace("HostConfig.PidMode", host.pid_mode, Some(NamespaceMode::Private))?,
        user: namespace("HostConfig.UsernsMode", host.userns_mode, Some(NamespaceMode::Private))?,
        uts: namespace("HostConfig.UTSMode", host.uts_mode, Some(NamespaceMode::Private))?,
        cgroup: match host.cgroupns_mode {
            Some(HostConfigCgroupnsModeEnum::HOST) => Some(NamespaceMode::Host),
            Some(HostConfigCgroupnsModeEnum::PRIVATE) => Some(NamespaceMode::Private),
            Some(HostConfigCgroupnsModeEnum::EMPTY) | None => None,
        },
    };
    spec.security = security(host.security_opt)?;
    spec.security.privileged = Some(host.privileged.unwrap_or_default());
    spec.security.read_only = Some(host.readonly_rootfs.unwrap_or_default());
    spec.security.cap_add = Some(read_all("HostConfig.CapAdd", host.cap_add)?);
    spec.security.cap_drop = Some(read_all("HostConfig.CapDrop", host.cap_drop)?);
    Ok(())
}

fn namespace(
    key: &'static str,
    text: Option<String>,
    unstated: Option<NamespaceMode>,
) -> Result<Option<NamespaceMode>, Wrong> {
    filled(text).map_or(Ok(unstated), |text| read(key, &text).map(Some))
}

fn security(options: Option<Vec<String>>) -> Result<Security, Wrong> {
    let mut security = Security { no_new_privileges: Some(false), ..Security::default() };
    let mut others: BTreeSet<SecurityOpt> = BTreeSet::new();
    for option in options.into_iter().flatten() {
        match option.strip_prefix("no-new-privileges") {
            Some(value) => security.no_new_privileges = Some(!value.ends_with("false")),
            None => {
                others.insert(read("HostConfig.SecurityOpt", &option)?);
            }
        }
    }
    security.security_opt = Some(others);
    Ok(security)
}

/// `CONTAINER[:MODE]`; of the modes that Docker takes, only one says something of the mount itself.
fn volumes_from(text: &str) -> Result<VolumesFrom, Wrong> {
    const KEY: &str = "HostConfig.VolumesFrom";
    let (container, mode) = text.split_once(':').unwrap_or((text, ""));
    Ok(VolumesFrom { container: read(KEY, container)?, read_only: mode.split(',').any(|word| word == "ro") })
}

fn device(device: bollard::models::DeviceMapping) -> Result<Device, Wrong> {
    const KEY: &str = "HostConfig.Devices";
    let host = device.path_on_host.unwrap_or_default();
    let container = filled(device.path_in_container).unwrap_or_else(|| host.clone());
    let permissions = filled(device.cgroup_permissions).unwrap_or_else(|| "rwm".to_owned());
    // A path may have a colon in it, which the text form has no way to write.
    let permissions = "rwm".chars().filter(|known| permissions.contains(*known)).collect();
    Ok(Device { host: read(KEY, &host)?, container: read(KEY, &container)?, permissions })
}

fn device_request(request: bollard::models::DeviceRequest) -> DeviceRequest {
    let device_ids: BTreeSet<String> = request.device_ids.into_iter().flatten().collect();
    DeviceRequest {
        driver: request.driver.unwrap_or_default(),
        count: request.count.filter(|_| device_ids.is_empty()),
        device_ids,
        capabilities: request.capabilities.into_iter().flatten().map(|all| all.into_iter().collect()).collect(),
        options: request.options.into_iter().flatten().collect(),
    }
}

fn restart_policy(policy: Option<bollard::models::RestartPolicy>) -> RestartPolicy {
    let policy = policy.unwrap_or_default();
    match policy.name {
        None | Some(RestartPolicyNameEnum::EMPTY | RestartPolicyNameEnum::NO) => RestartPolicy::No,
        Some(RestartPolicyNameEnum::ALWAYS) => RestartPolicy::Always,
        Some(RestartPolicyNameEnum::UNLESS_STOPPED) => RestartPolicy::UnlessStopped,
        Some(RestartPolicyNameEnum::ON_FAILURE) => {
            let retries = policy.maximum_retry_count.and_then(|count| u32::try_from(count).ok());
            RestartPolicy::OnFailure(retries.filter(|retries| *retries > 0))
        }
    }
}

fn logging(config: Option<HostConfigLogConfig>) -> Logging {
    let config = config.unwrap_or_default();
    Logging { driver: filled(config.typ), options: Some(config.config.map(text_map).unwrap_or_default()) }
}

/// Those whose namespaces or volumes it has joined.
fn joined(spec: &ContainerSpec) -> BTreeSet<ContainerRef> {
    let network = match &spec.network.mode {
        Some(NetworkMode::Container(container)) => Some(container),
        _ => None,
    };
    let namespaces = [&spec.namespaces.ipc, &spec.namespaces.pid];
    let namespaces = namespaces.into_iter().flatten().filter_map(NamespaceMode::container);
    let volumes = spec.volumes_from.iter().flatten().map(|from| &from.container);
    network.into_iter().chain(namespaces).chain(volumes).cloned().collect()
}

pub(crate) fn status(status: ContainerStateStatusEnum) -> Status {
    match status {
        ContainerStateStatusEnum::EMPTY => Status::Unrecognised(String::new()),
        ContainerStateStatusEnum::CREATED => Status::Created,
        ContainerStateStatusEnum::RUNNING => Status::Running,
        ContainerStateStatusEnum::PAUSED => Status::Paused,
        ContainerStateStatusEnum::RESTARTING => Status::Restarting,
        ContainerStateStatusEnum::REMOVING => Status::Removing,
        ContainerStateStatusEnum::EXITED => Status::Exited,
        ContainerStateStatusEnum::DEAD => Status::Dead,
        ContainerStateStatusEnum::STOPPING => Status::Stopping,
    }
}

fn health(doing: &Doing) -> Option<Health> {
    match doing.health.as_ref()?.status? {
        HealthStatusEnum::STARTING => Some(Health::Starting),
        HealthStatusEnum::HEALTHY => Some(Health::Healthy),
        HealthStatusEnum::UNHEALTHY => Some(Health::Unhealthy),
        HealthStatusEnum::EMPTY | HealthStatusEnum::NONE => None,
    }
}

/// How the last run ended, or the last attempt to start it.
fn exit(doing: &Doing) -> Option<ExitStatus> {
    let error = filled(doing.error.clone());
    let is_up = doing.running.unwrap_or_default() && !doing.restarting.unwrap_or_default();
    let was_tried = doing.started_at.as_deref().and_then(moment).is_some() || error.is_some();
    (!is_up && was_tried).then(|| ExitStatus {
        code: doing.exit_code.unwrap_or_default(),
        oom_killed: doing.oom_killed.unwrap_or_default(),
        error,
    })
}

/// A moment; Docker says "never" by the first of all years.
fn moment(text: &str) -> Option<Timestamp> {
    if text.starts_with("0001-") { None } else { text.parse().ok() }
}
