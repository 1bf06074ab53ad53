//! What is wrong with a spec in itself, field by field and across fields.
//!
//! What a certain engine cannot do is not decided here; see [`Features`](crate::state::Features).

use super::{
    ContainerSpec, Deploy, DeviceRequest, HealthTest, Healthcheck, Logging, Mount, NamespaceMode, Namespaces, Network,
    NetworkMode, Resources, RestartPolicy, Security,
};
use crate::name::VolumeName;
use crate::quantity::{Cpus, Limit, TimeSpan};
use crate::violation::{FieldPath, Violations};

/// The namespace of the labels that are ours: where a container came from, and what it replaces.
pub const LABEL_NAMESPACE: &str = "io.kolla-container.";

pub(super) fn validate(spec: &ContainerSpec) -> Violations {
    let mut wrong = Violations::none();
    if spec.image.is_none() {
        wrong.add("image", "is missing: it is the one field that must be stated");
    }
    wrong.append(validate_all_but_image(spec));
    wrong
}

/// What is wrong with a spec of which only a part could be read.
pub(super) fn validate_all_but_image(spec: &ContainerSpec) -> Violations {
    let mut wrong = Violations::none();
    command(spec, &mut wrong);
    environment(spec, &mut wrong);
    identity(spec, &mut wrong);
    mounts(spec, &mut wrong);
    devices(spec, &mut wrong);
    network(spec, &mut wrong);
    namespaces(&spec.namespaces, &mut wrong);
    security(&spec.security, &mut wrong);
    resources(&spec.resources, &spec.namespaces, &mut wrong);
    healthcheck(&spec.healthcheck, &mut wrong);
    logging(&spec.logging, &mut wrong);
    if spec.auto_remove == Some(true) && spec.restart.is_some_and(|policy| policy != RestartPolicy::No) {
        wrong.add("auto_remove", "cannot go with a restart policy: a removed container does not start again");
    }
    deploy(&spec.deploy, &mut wrong);
    wrong
}

fn command(spec: &ContainerSpec, wrong: &mut Violations) {
    for (path, argv) in [("command", &spec.command), ("entrypoint", &spec.entrypoint)] {
        let Some(argv) = argv else { continue };
        if argv.argv().iter().any(|word| word.contains('\0')) {
            wrong.add(path, "a word has a NUL byte in it");
        }
        if path == "entrypoint" && argv.argv().first().is_some_and(String::is_empty) {
            wrong.add(path, "the program is the empty text: write [] to clear the image's entrypoint");
        }
    }
}

fn environment(spec: &ContainerSpec, wrong: &mut Violations) {
    for (name, variable) in spec.environment.iter().flat_map(|environment| &environment.0) {
        let path = FieldPath::from("environment").key(name);
        if name.is_empty() || name.contains(['=', '\0']) {
            wrong.add(path.clone(), "the name of a variable has at least one character, and neither `=` nor NUL in it");
        }
        if variable.value().is_some_and(|value| value.contains('\0')) {
            wrong.add(path, "the value has a NUL byte in it");
        }
    }
    for (field, map) in [("labels", &spec.labels), ("annotations", &spec.annotations)] {
        for key in map.iter().flat_map(|map| map.0.keys()) {
            let path = FieldPath::from(field).key(key);
            if key.is_empty() {
                wrong.add(path, "the key is the empty text");
            } else if key.starts_with(LABEL_NAMESPACE) {
                wrong.add(path, format!("keys below {LABEL_NAMESPACE} are reserved for this library"));
            }
        }
    }
}

fn identity(spec: &ContainerSpec, wrong: &mut Violations) {
    if spec.user.as_deref() == Some("") {
        wrong.add("user", "is the empty text: leave it out for the image's user");
    }
    for (path, name) in [("hostname", &spec.hostname), ("domainname", &spec.domainname)] {
        let Some(name) = name else { continue };
        if !is_host_name(name) {
            wrong.add(path, format!("{name:?} is no host name: letters, digits, `-` and `.`, at most 63 between dots"));
        }
        match &spec.network.mode {
            Some(mode @ NetworkMode::Container(_)) => {
                wrong.add(path, format!("cannot be stated with network.mode {mode}: it is that container's"));
            }
            Some(NetworkMode::Host) if path == "hostname" => {
                wrong.add(path, "cannot be stated with network.mode host: it is the host's");
            }
            _ => {}
        }
        if spec.namespaces.uts == Some(NamespaceMode::Host) {
            wrong.add(path, "cannot be stated with namespaces.uts host: it is the host's");
        }
    }
    if let Some(timeout) = spec.stop_timeout
        && timeout.as_duration().subsec_nanos() != 0
    {
        wrong.add("stop_timeout", format!("{timeout} is not a whole number of seconds"));
    }
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

fn mounts(spec: &ContainerSpec, wrong: &mut Violations) {
    for (target, mount) in spec.mounts.iter().flat_map(|mounts| &mounts.0) {
        let path = FieldPath::from("mounts").key(target);
        match mount {
            Mount::Volume(volume) => {
                if volume.name.as_ref().is_some_and(VolumeName::is_anonymous) {
                    wrong.add(
                        path.clone(),
                        "64 hexadecimal digits are the name of an anonymous volume: give it another name",
                    );
                }
                if let Some(subpath) = &volume.subpath {
                    if volume.name.is_none() {
                        wrong.add(path.clone(), "a new anonymous volume has no subpath: name the volume");
                    }
                    if subpath.starts_with('/') || subpath.is_empty() || subpath.split('/').any(|part| part == "..") {
                        wrong.add(
                            path,
                            format!("the subpath {subpath:?} leaves its volume: it is relative, without `..`"),
                        );
                    }
                }
            }
            Mount::Bind(_) | Mount::Tmpfs(_) | Mount::Devpts => {}
        }
    }
}

fn devices(spec: &ContainerSpec, wrong: &mut Violations) {
    for request in spec.device_requests.iter().flatten() {
        let DeviceRequest { count, device_ids, .. } = request;
        if count.is_some() != device_ids.is_empty() {
            wrong.add("device_requests", "a request states either `count` or `device_ids`");
        }
        if count.is_some_and(|count| count < -1 || count == 0) {
            wrong.add("device_requests", "`count` is a positive number, or -1 for all");
        }
    }
}

fn network(spec: &ContainerSpec, wrong: &mut Violations) {
    let Network { mode, networks, ports, expose: _, publish_all, dns, dns_search, dns_options, extra_hosts, links } =
        &spec.network;
    if let Some(mode) = mode {
        if let NetworkMode::Unrecognised(text) = mode {
            wrong.add("network.mode", format!("{text:?} is not known"));
        }
        if !mode.is_own() {
            let shared = format!("cannot be stated with network.mode {mode}: the container has no network of its own");
            if ports.as_ref().is_some_and(|ports| !ports.0.is_empty()) {
                wrong.add("network.ports", shared.clone());
            }
            if *publish_all == Some(true) {
                wrong.add("network.publish_all", shared.clone());
            }
            if links.as_ref().is_some_and(|links| !links.is_empty()) {
                wrong.add("network.links", shared.clone());
            }
            if matches!(mode, NetworkMode::Container(_)) {
                let stated = [
                    ("network.dns", dns.is_some()),
                    ("network.dns_search", dns_search.is_some()),
                    ("network.dns_options", dns_options.is_some()),
                    ("network.extra_hosts", extra_hosts.is_some()),
                ];
                for (path, _) in stated.into_iter().filter(|(_, stated)| *stated) {
                    wrong.add(path, shared.clone());
                }
            }
        }
    }
    let joins_some = networks.as_ref().is_some_and(|networks| !networks.is_empty());
    for name in networks.iter().flatten().map(|(name, _)| name) {
        let is_alone = networks.as_ref().is_some_and(|networks| networks.len() == 1);
        if matches!(name.as_str(), "host" | "none" | "default") || (name.as_str() == "bridge" && is_alone) {
            let path = FieldPath::from("network.networks").key(name);
            wrong.add(path, format!("is no network to join: write `mode: {name}`"));
        }
    }
    match mode {
        Some(NetworkMode::Named) if !joins_some => {
            wrong.add("network.networks", "is missing: network.mode named needs at least one network");
        }
        Some(mode) if joins_some && *mode != NetworkMode::Named => {
            wrong.add("network.networks", format!("cannot be stated with network.mode {mode}: leave the mode out"));
        }
        _ => {}
    }
}

fn namespaces(namespaces: &Namespaces, wrong: &mut Violations) {
    use NamespaceMode as Mode;
    let Namespaces { ipc, pid, cgroup, user, uts } = namespaces;
    let shared = |mode: &Mode| matches!(mode, Mode::Private | Mode::Host | Mode::Container(_) | Mode::Path(_));
    let mut check = |path: &str, mode: &Option<Mode>, fits: &dyn Fn(&Mode) -> bool, known: &str| {
        if let Some(mode) = mode
            && !fits(mode)
        {
            wrong.add(path, format!("{mode} does not fit here: it is {known}"));
        }
    };
    check(
        "namespaces.ipc",
        ipc,
        &|mode| shared(mode) || matches!(mode, Mode::Shareable | Mode::None),
        "private, shareable, host, none or container:NAME",
    );
    check("namespaces.pid", pid, &shared, "private, host or container:NAME");
    check("namespaces.cgroup", cgroup, &shared, "private, host or container:NAME");
    check(
        "namespaces.user",
        user,
        &|mode| shared(mode) || matches!(mode, Mode::KeepId | Mode::Auto | Mode::NoMap),
        "private, host, keep-id, auto, nomap or container:NAME",
    );
    check("namespaces.uts", uts, &shared, "private, host or container:NAME");
}

fn security(security: &Security, wrong: &mut Violations) {
    let added = security.cap_add.iter().flatten();
    for both in added.filter(|capability| security.cap_drop.as_ref().is_some_and(|drop| drop.contains(capability))) {
        wrong.add("security.cap_add", format!("{both} is in cap_drop too: it is either added or dropped"));
    }
}

fn resources(resources: &Resources, namespaces: &Namespaces, wrong: &mut Violations) {
    memory(resources, wrong);
    cpu(resources, wrong);
    let Resources { blkio_weight, shm_size, ulimits, sysctls, oom_score_adj, pids_limit, .. } = resources;
    if blkio_weight.is_some_and(|weight| weight != 0 && !(10..=1000).contains(&weight)) {
        wrong.add("resources.blkio_weight", "is from 10 to 1000, or 0 for the kernel's default");
    }
    if *pids_limit == Some(Limit::At(0)) {
        wrong.add("resources.pids_limit", "0 leaves no process: it is at least 1, or unlimited");
    }
    if oom_score_adj.is_some_and(|adj| !(-1000..=1000).contains(&adj)) {
        wrong.add("resources.oom_score_adj", "is from -1000 to 1000");
    }
    if shm_size.is_some_and(|size| size.bytes() == 0) {
        wrong.add("resources.shm_size", "is at least one byte: leave it out for the engine's default");
    }
    if let (Some(_), Some(mode @ (NamespaceMode::Host | NamespaceMode::None | NamespaceMode::Container(_)))) =
        (shm_size, &namespaces.ipc)
    {
        wrong
            .add("resources.shm_size", format!("cannot be stated with namespaces.ipc {mode}: /dev/shm is not its own"));
    }
    for (name, ulimit) in ulimits.iter().flatten() {
        if ulimit.soft > ulimit.hard {
            let path = FieldPath::from("resources.ulimits").key(name);
            wrong.add(path, format!("the soft limit {} is above the hard limit {}", ulimit.soft, ulimit.hard));
        }
    }
    for key in sysctls.iter().flat_map(|sysctls| sysctls.0.keys()) {
        if !key.contains(['.', '/']) {
            wrong.add(
                FieldPath::from("resources.sysctls").key(key),
                "is no kernel parameter such as net.core.somaxconn",
            );
        }
    }
}

fn memory(resources: &Resources, wrong: &mut Violations) {
    let Resources { memory, memory_reservation, memory_swap, swappiness, kernel_memory, .. } = resources;
    let limits = [
        ("resources.memory", memory),
        ("resources.memory_reservation", memory_reservation),
        ("resources.memory_swap", memory_swap),
        ("resources.kernel_memory", kernel_memory),
    ];
    for (path, limit) in limits {
        if limit.is_some_and(|limit| limit.value().is_some_and(|size| size.bytes() == 0)) {
            wrong.add(path, "0 is no limit that anything can run in: write unlimited for none");
        }
    }
    match (memory_swap, memory) {
        (Some(Limit::At(swap)), Some(Limit::At(memory))) if swap < memory => {
            wrong.add(
                "resources.memory_swap",
                format!("{swap} is below resources.memory {memory}: it counts memory and swap together"),
            );
        }
        (Some(Limit::At(_)), None | Some(Limit::Unlimited)) => {
            wrong.add("resources.memory_swap", "needs resources.memory: it counts memory and swap together");
        }
        _ => {}
    }
    if let (Some(Limit::At(reservation)), Some(Limit::At(memory))) = (memory_reservation, memory)
        && reservation > memory
    {
        wrong.add("resources.memory_reservation", format!("{reservation} is above resources.memory {memory}"));
    }
    if swappiness.is_some_and(|value| !(-1..=100).contains(&value)) {
        wrong.add("resources.swappiness", "is from 0 to 100, or -1 for the kernel's default");
    }
}

fn cpu(resources: &Resources, wrong: &mut Violations) {
    let Resources { cpu_period, cpu_quota, cpu_shares, cpus, .. } = resources;
    if cpus.is_some_and(|cpus| cpus != Cpus::default()) && (cpu_period.is_some() || cpu_quota.is_some()) {
        wrong.add("resources.cpus", "cannot be stated with cpu_period or cpu_quota: it is another way to say the same");
    }
    let micro = |span: TimeSpan| span.as_nanos().is_multiple_of(1000);
    if let Some(period) = cpu_period
        && period.as_nanos() != 0
        && (!(1_000_000..=1_000_000_000).contains(&period.as_nanos()) || !micro(*period))
    {
        wrong.add("resources.cpu_period", format!("{period} is not from 1ms to 1s in whole microseconds"));
    }
    if let Some(Limit::At(quota)) = cpu_quota
        && (quota.as_nanos() < 1_000_000 || !micro(*quota))
    {
        wrong.add("resources.cpu_quota", format!("{quota} is less than 1ms or no whole number of microseconds"));
    }
    if cpu_shares.is_some_and(|shares| shares == 1 || shares > 262_144) {
        wrong.add("resources.cpu_shares", "is from 2 to 262144, or 0 for the kernel's default");
    }
}

fn healthcheck(healthcheck: &Healthcheck, wrong: &mut Violations) {
    let Healthcheck { test, interval, timeout, retries, start_period, start_interval } = healthcheck;
    let spans = [
        ("healthcheck.interval", interval),
        ("healthcheck.timeout", timeout),
        ("healthcheck.start_period", start_period),
        ("healthcheck.start_interval", start_interval),
    ];
    for (path, span) in spans {
        if span.is_some_and(|span| (1..1_000_000).contains(&span.as_nanos())) {
            wrong.add(path, "is less than a millisecond: engines refuse that");
        }
    }
    let others_are_stated = retries.is_some() || spans.iter().any(|(_, span)| span.is_some());
    if *test == Some(HealthTest::None) && others_are_stated {
        wrong.add("healthcheck", "the other keys say nothing where the test is NONE");
    }
    if matches!(test, Some(HealthTest::Shell(text)) if text.is_empty()) {
        wrong.add("healthcheck.test", "is empty: write NONE for no health check");
    }
}

fn logging(logging: &Logging, wrong: &mut Violations) {
    let Logging { driver, options } = logging;
    if driver.as_deref() == Some("") {
        wrong.add("logging.driver", "is the empty text: leave it out for the engine's driver");
    }
    let has_options = options.as_ref().is_some_and(|options| !options.0.is_empty());
    if driver.as_deref() == Some("none") && has_options {
        wrong.add("logging.options", "say nothing with the driver none");
    }
}

fn deploy(deploy: &Deploy, wrong: &mut Violations) {
    if deploy.config_check.as_ref().is_some_and(|check| check.command.is_empty()) {
        wrong.add("deploy.config_check.command", "has no word: it is a program with its arguments");
    }
    if let Some(limit) = deploy.start_limit {
        if limit.burst == 0 {
            wrong.add("deploy.start_limit.burst", "0 starts would never start it: it is at least 1");
        } else if limit.interval.as_duration().as_secs() / u64::from(limit.burst) < 2 {
            wrong.add(
                "deploy.start_limit",
                format!("{} starts do not fit into {}: each takes at least 2 s", limit.burst, limit.interval),
            );
        }
    }
}
