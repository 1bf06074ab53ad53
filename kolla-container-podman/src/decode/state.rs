//! A container: what it is configured as, and what it is doing.

use std::collections::{BTreeMap, BTreeSet};

use kolla_container_core::spec::{
    CleanPath, Command, Device, HealthTest, Healthcheck, Logging, Mounts, NamespaceMode, Namespaces, NetworkMode,
    Ports, RestartPolicy, Security, SecurityOpt, Signal, TextMap, VolumesFrom,
};
use kolla_container_core::state::{ContainerState, ExitStatus, Health, Owner, Status};
use kolla_container_core::{ContainerRef, ContainerSpec, TimeSpan, Timestamp};

use super::document::{self, Container, HostConfig, Word, Words};
use super::{Wrong, config, filled, mounts, network, read, read_all, resources};
use crate::defaults;

/// Where Podman remembers other fields; what is below it is no annotation of the user's.
pub(crate) const REMEMBERED: &str = "io.podman.annotations.";

pub(super) fn container(document: Container) -> Result<ContainerState, Wrong> {
    let Container {
        id,
        created,
        path,
        args,
        state: doing,
        image,
        image_name,
        oci_runtime,
        name,
        restart_count,
        mounts: points,
        network_settings: settings,
        config: mut own,
        host_config: host,
    } = document;
    let annotations = std::mem::take(&mut own.annotations);
    let is_noted = |key: &str| annotations.get(&format!("{REMEMBERED}{key}")).is_some_and(|value| value == "TRUE");
    let has_init = host.init || is_noted("init");
    let (entrypoint, command) = split(std::iter::once(path).chain(args).collect(), &mut own, has_init);
    // Up to Podman 4 it called every ipc namespace shareable, also the host's.
    let tells_ipc = matches!(own.stop_signal, Word::Text(_)) || host.ipc_mode != "shareable";

    let mut spec = ContainerSpec {
        image: filled(image_name).or_else(|| filled(own.image.clone())).and_then(|image| image.parse().ok()),
        entrypoint: Some(entrypoint),
        command: Some(command),
        environment: Some(config::environment(std::mem::take(&mut own.env))),
        labels: Some(TextMap(std::mem::take(&mut own.labels))),
        user: Some(own.user.clone()),
        group_add: Some(host.group_add.iter().cloned().collect()),
        working_dir: read::<CleanPath>(
            "Config.WorkingDir",
            if own.working_dir.is_empty() { "/" } else { &own.working_dir },
        )
        .map(Some)?,
        // That of the host is none of the container's own; Podman 5 says it.
        hostname: filled(own.hostname.clone()).filter(|_| host.uts_mode != "host"),
        tty: Some(own.tty),
        stdin_open: Some(own.open_stdin),
        init: Some(has_init),
        stop_signal: Some(stop_signal(&own.stop_signal)?),
        stop_timeout: Some(own.stop_timeout.map_or(defaults::STOP_TIMEOUT, TimeSpan::from_secs)),
        mounts: Some(mounts::decode(&points, &host)?),
        volumes_from: Some(host.volumes_from.iter().map(|text| volumes_from(text)).collect::<Result<_, _>>()?),
        devices: Some(host.devices.iter().map(device).collect::<Result<_, _>>()?),
        network: network::decode(is_noted("publish-all"), &own, &host, &settings)?,
        namespaces: namespaces(&host, tells_ipc)?,
        security: security(&host)?,
        resources: resources::decode(&host)?,
        healthcheck: healthcheck(own.healthcheck.take()),
        restart: Some(restart_policy(&host.restart_policy)?),
        logging: Logging { driver: filled(host.log_config.r#type.clone()), options: None },
        runtime: filled(oci_runtime),
        cgroup_parent: Some(host.cgroup_parent.clone()),
        auto_remove: Some(host.auto_remove || is_noted("autoremove")),
        annotations: Some(users(annotations)),
        ..ContainerSpec::default()
    };
    let owner = spec.labels.as_mut().map_or_else(Owner::default, |TextMap(labels)| Owner::take_from(labels));

    let exit = exit(&doing);
    Ok(ContainerState {
        id: read("Id", &id)?,
        name: read("Name", &name)?,
        image_id: read("Image", &image)?,
        status: status(&doing.status),
        health: health(&doing.health, &spec.healthcheck),
        finished: exit.as_ref().and_then(|_| moment(&doing.finished_at)),
        exit,
        restarts: u64::try_from(restart_count).unwrap_or_default(),
        created: filled(created)
            .map_or_else(|| read("Created", "1970-01-01T00:00:00Z"), |created| read("Created", &created))?,
        started: moment(&doing.started_at),
        addresses: network::addresses(&settings),
        // They are picked when it is made, and published while it runs.
        published_ports: if status(&doing.status).is_up() { network::published(&settings)? } else { Ports::default() },
        volumes: mounts::volumes(&points),
        joined: joined(&spec),
        borrowed: Mounts::default(),
        owner,
        config: spec,
    })
}

/// Which part of the command line is the entrypoint. The command is what follows it; without an entrypoint it is all.
fn split(mut argv: Vec<String>, own: &mut document::Config, has_init: bool) -> (Command, Command) {
    if has_init && argv.get(1).is_some_and(|second| second == "--") {
        argv.drain(..2);
    }
    match (std::mem::take(&mut own.entrypoint), own.cmd.take()) {
        (Words::List(entrypoint), command) if entrypoint.iter().any(|word| !word.is_empty()) => {
            (Command::new(entrypoint), Command::new(command.unwrap_or_default()))
        }
        (Words::Joined(joined), command) if !joined.is_empty() => {
            let command = command.unwrap_or_default();
            let entrypoint = argv.len().saturating_sub(command.len());
            let known = argv.get(..entrypoint).filter(|words| words.join(" ") == joined);
            (known.map_or_else(|| Command::new([joined]), |words| Command::new(words.to_vec())), Command::new(command))
        }
        (_, Some(command)) if !command.is_empty() => (Command::default(), Command::new(command)),
        _ => (Command::default(), Command::new(argv.into_iter().filter(|word| !word.is_empty()))),
    }
}

/// Those that the user has stated.
fn users(mut annotations: BTreeMap<String, String>) -> TextMap {
    annotations.retain(|key, _| !key.starts_with(REMEMBERED));
    TextMap(annotations)
}

fn stop_signal(signal: &Word) -> Result<Signal, Wrong> {
    match signal {
        Word::Number(0) => Ok(Signal::TERM),
        Word::Number(number) => read("Config.StopSignal", &number.to_string()),
        Word::Text(text) if text.is_empty() => Ok(Signal::TERM),
        Word::Text(text) => read("Config.StopSignal", text),
    }
}

/// A key that is missing is Podman's default.
fn healthcheck(check: Option<document::Healthcheck>) -> Healthcheck {
    let mut check = check.map(config::healthcheck).unwrap_or_default();
    if !check.is_active() {
        return Healthcheck { test: Some(HealthTest::None), ..Healthcheck::default() };
    }
    let default = defaults::healthcheck();
    check.interval = check.interval.or(default.interval);
    check.timeout = check.timeout.or(default.timeout);
    check.retries = check.retries.or(default.retries);
    check.start_period = check.start_period.or(default.start_period);
    check
}

fn namespaces(host: &HostConfig, tells_ipc: bool) -> Result<Namespaces, Wrong> {
    let mode = |key: &'static str, text: &String, unstated: NamespaceMode| {
        filled(text.clone()).map_or(Ok(Some(unstated)), |text| read(key, &text).map(Some))
    };
    Ok(Namespaces {
        ipc: if tells_ipc { mode("HostConfig.IpcMode", &host.ipc_mode, NamespaceMode::Shareable)? } else { None },
        pid: mode("HostConfig.PidMode", &host.pid_mode, NamespaceMode::Private)?,
        cgroup: filled(host.cgroup_mode.clone()).map(|text| read("HostConfig.CgroupMode", &text)).transpose()?,
        // Of one of its own it does not say of which kind.
        user: mode("HostConfig.UsernsMode", &host.userns_mode, NamespaceMode::Host)?
            .filter(|user| *user != NamespaceMode::Private),
        uts: mode("HostConfig.UTSMode", &host.uts_mode, NamespaceMode::Private)?,
    })
}

fn security(host: &HostConfig) -> Result<Security, Wrong> {
    let mut no_new_privileges = false;
    let mut others: BTreeSet<SecurityOpt> = BTreeSet::new();
    // Several labels are one text: `label=a,label=b`.
    let options = host.security_opt.iter().flat_map(|option| {
        let (first, more) = option.split_once(",label=").map_or((option.as_str(), None), |(a, b)| (a, Some(b)));
        let more = more.into_iter().flat_map(|more| more.split(",label=")).map(|label| format!("label={label}"));
        std::iter::once(first.to_owned()).chain(more)
    });
    for option in options {
        match option.strip_prefix("no-new-privileges") {
            Some(value) => no_new_privileges = !value.ends_with("false"),
            // Podman 5 says so of each privileged container, which means it.
            None if host.privileged && option == "unmask=all" => {}
            None => {
                others.insert(read("HostConfig.SecurityOpt", &option)?);
            }
        }
    }
    Ok(Security {
        privileged: Some(host.privileged),
        cap_add: Some(read_all("HostConfig.CapAdd", &host.cap_add)?),
        cap_drop: Some(read_all("HostConfig.CapDrop", &host.cap_drop)?),
        security_opt: Some(others),
        no_new_privileges: Some(no_new_privileges),
        read_only: Some(host.readonly_rootfs),
    })
}

/// `CONTAINER[:MODE]`
fn volumes_from(text: &str) -> Result<VolumesFrom, Wrong> {
    let (container, mode) = text.split_once(':').unwrap_or((text, ""));
    let container = read("HostConfig.VolumesFrom", container)?;
    Ok(VolumesFrom { container, read_only: mode.split(',').any(|word| word == "ro") })
}

/// What may be done with it Podman does not say.
fn device(device: &document::Device) -> Result<Device, Wrong> {
    const KEY: &str = "HostConfig.Devices";
    let host = read(KEY, &device.path_on_host)?;
    let container = filled(device.path_in_container.clone()).map(|path| read(KEY, &path)).transpose()?;
    let stated: String = "rwm".chars().filter(|known| device.cgroup_permissions.contains(*known)).collect();
    let permissions = filled(stated).unwrap_or_else(|| defaults::DEVICE_PERMISSIONS.to_owned());
    Ok(Device { container: container.unwrap_or_else(|| CleanPath::clone(&host)), host, permissions })
}

fn restart_policy(policy: &document::RestartPolicy) -> Result<RestartPolicy, Wrong> {
    match policy.name.as_str() {
        "" => Ok(RestartPolicy::No),
        "on-failure" => Ok(RestartPolicy::OnFailure(Some(policy.maximum_retry_count).filter(|retries| *retries > 0))),
        name => read("HostConfig.RestartPolicy", name),
    }
}

/// Those whose namespaces or volumes it has joined.
fn joined(spec: &ContainerSpec) -> BTreeSet<ContainerRef> {
    let network = match &spec.network.mode {
        Some(NetworkMode::Container(container)) => Some(container),
        _ => None,
    };
    let Namespaces { ipc, pid, cgroup, user, uts } = &spec.namespaces;
    let namespaces = [ipc, pid, cgroup, user, uts].into_iter().flatten().filter_map(NamespaceMode::container);
    let volumes = spec.volumes_from.iter().flatten().map(|from| &from.container);
    network.into_iter().chain(namespaces).chain(volumes).cloned().collect()
}

/// What a container is doing, by Podman's word for it.
pub(crate) fn status(word: &str) -> Status {
    match word {
        // `initialized` has a process that waits to be let go.
        "configured" | "created" | "initialized" => Status::Created,
        "running" => Status::Running,
        "paused" => Status::Paused,
        "restarting" => Status::Restarting,
        "stopping" => Status::Stopping,
        "removing" => Status::Removing,
        "stopped" | "exited" => Status::Exited,
        "bad state" => Status::Dead,
        other => Status::Unrecognised(other.to_owned()),
    }
}

fn health(health: &document::Health, check: &Healthcheck) -> Option<Health> {
    match health.status.as_str() {
        _ if !check.is_active() => None,
        "healthy" => Some(Health::Healthy),
        "unhealthy" => Some(Health::Unhealthy),
        "" | "starting" => Some(Health::Starting),
        other => Some(Health::Unrecognised(other.to_owned())),
    }
}

/// How the last run ended, or the last attempt to start it.
fn exit(doing: &document::State) -> Option<ExitStatus> {
    let error = filled(doing.error.clone());
    let is_over =
        matches!(status(&doing.status), Status::Exited | Status::Dead | Status::Removing | Status::Restarting);
    let was_tried = is_over && moment(&doing.finished_at).is_some();
    (was_tried || error.is_some() && !status(&doing.status).is_up()).then_some(ExitStatus {
        code: doing.exit_code,
        oom_killed: doing.oom_killed,
        error,
    })
}

/// A moment; Podman says "never" by the first of all years.
fn moment(text: &str) -> Option<Timestamp> {
    if text.starts_with("0001-") { None } else { text.parse().ok() }
}
