//! A spec as arguments of `podman run`. The testkit has such a list of its own, which has to stay another one: it is the
//! reference that clients are held against, and shares nothing with what is published. Every pattern names every field, so that a new one does not compile until it is
//! here, too.

use std::fmt::Display;

use kolla_container_core::spec::{
    Bind, Command, Endpoint, Environment, ExposedPorts, ExtraHosts, HealthTest, Healthcheck, HostPort, Logging, Mount,
    Mounts, Namespaces, Network, NetworkMode, Ports, Propagation, Resources, Security, TextMap, Tmpfs, Ulimit,
    Variable, Volume,
};
use kolla_container_core::{ByteSize, ContainerSpec, FieldPath, Limit, NetworkName, TimeSpan, Violations};

/// The arguments, each `--flag=value`.
#[derive(Debug, Default)]
pub(super) struct Arguments(pub(super) Vec<String>);

impl Arguments {
    /// Those of a spec, without its image and its command; what cannot be said is added to what is `wrong`.
    pub(super) fn of(spec: &ContainerSpec, wrong: &mut Violations) -> Self {
        let ContainerSpec {
            image: _,
            command: _,
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
            // The unit has it.
            restart: _,
            logging,
            runtime,
            cgroup_parent,
            storage_opt,
            auto_remove,
            platform,
            deploy: _,
        } = spec;
        let mut all = Self::default();
        all.one("entrypoint", entrypoint.as_ref().map(entrypoint_text));
        all.environment(environment.as_ref(), wrong);
        all.pairs("label", labels.as_ref());
        all.pairs("annotation", annotations.as_ref());
        all.one("user", user.as_ref().filter(|user| !user.is_empty()));
        all.each("group-add", group_add.iter().flatten());
        all.one("workdir", working_dir.as_ref());
        all.one("hostname", hostname.as_ref());
        all.one("tty", tty.as_ref());
        all.one("interactive", stdin_open.as_ref());
        all.one("init", init.as_ref());
        all.one("stop-signal", stop_signal.as_ref());
        all.one("stop-timeout", stop_timeout.map(TimeSpan::whole_seconds));
        all.mounts(mounts.as_ref());
        all.each("volumes-from", volumes_from.iter().flatten());
        all.each("device", devices.iter().flatten());
        all.each("device-cgroup-rule", device_cgroup_rules.iter().flatten());
        all.network(network, wrong);
        all.namespaces(namespaces);
        all.security(security);
        all.resources(resources, wrong);
        all.healthcheck(healthcheck, wrong);
        all.logging(logging);
        all.one("cgroup-parent", cgroup_parent.as_ref().filter(|parent| !parent.is_empty()));
        all.one("platform", platform.as_ref());
        let refused = [
            ("domainname", domainname.as_ref().is_some_and(|name| !name.is_empty())),
            ("device_requests", device_requests.as_ref().is_some_and(|requests| !requests.is_empty())),
            ("runtime", runtime.is_some()),
            ("storage_opt", storage_opt.as_ref().is_some_and(|TextMap(options)| !options.is_empty())),
        ];
        for (field, _) in refused.into_iter().filter(|(_, is_stated)| *is_stated) {
            wrong.add(field, "`podman run` has no argument for it");
        }
        if *auto_remove == Some(false) {
            wrong.add("auto_remove", "a quadlet's container is removed when it stops");
        }
        all
    }

    fn one(&mut self, flag: &str, value: Option<impl Display>) {
        self.0.extend(value.map(|value| format!("--{flag}={value}")));
    }

    fn each(&mut self, flag: &str, values: impl IntoIterator<Item: Display>) {
        self.0.extend(values.into_iter().map(|value| format!("--{flag}={value}")));
    }

    fn pairs(&mut self, flag: &str, pairs: Option<&TextMap>) {
        let pairs = pairs.iter().flat_map(|TextMap(pairs)| pairs);
        self.each(flag, pairs.map(|(key, value)| format!("{key}={value}")));
    }

    fn environment(&mut self, environment: Option<&Environment>, wrong: &mut Violations) {
        for (name, variable) in environment.iter().flat_map(|Environment(variables)| variables) {
            match variable {
                Variable::Value(value) => self.one("env", Some(format!("{name}={value}"))),
                Variable::Unset => self.one("unsetenv", Some(name)),
                Variable::Secret(_) => wrong.add(
                    FieldPath::from("environment").key(name),
                    "is a secret, and everybody can read a quadlet: make it a secret of Podman's",
                ),
            }
        }
    }

    fn mounts(&mut self, mounts: Option<&Mounts>) {
        for (target, mount) in mounts.iter().flat_map(|Mounts(mounts)| mounts) {
            match mount {
                Mount::Bind(bind) => {
                    let Bind { source, read_only, propagation, relabel, non_recursive, flags } = bind;
                    let options = [
                        read_only.then(|| "ro".to_owned()),
                        (*propagation != Propagation::RPrivate).then(|| propagation.to_string()),
                        relabel.map(|relabel| relabel.to_string()),
                        non_recursive.then(|| "bind".to_owned()),
                    ];
                    let options = options.into_iter().flatten().chain(flags.iter().map(ToString::to_string));
                    self.volume(&format!("{source}:{target}"), options);
                }
                Mount::Volume(Volume { name, read_only, no_copy, subpath, flags }) => {
                    let mut options: Vec<String> = flags.iter().map(ToString::to_string).collect();
                    options.extend(read_only.then(|| "ro".to_owned()));
                    options.extend(no_copy.then(|| "nocopy".to_owned()));
                    match (name, subpath) {
                        (Some(name), None) => self.volume(&format!("{name}:{target}"), options),
                        (None, None) if options.is_empty() => self.one("volume", Some(target)),
                        (name, subpath) => {
                            let mut fields = vec!["type=volume".to_owned(), format!("target={target}")];
                            fields.extend(name.as_ref().map(|name| format!("source={name}")));
                            fields.extend(subpath.as_ref().map(|part| format!("subpath={part}")));
                            fields.extend(options);
                            self.one("mount", Some(fields.join(",")));
                        }
                    }
                }
                Mount::Tmpfs(tmpfs) => self.tmpfs(target, tmpfs),
                Mount::Devpts => self.one("mount", Some(format!("type=devpts,target={target}"))),
            }
        }
    }

    fn volume(&mut self, mount: &str, options: impl IntoIterator<Item = String>) {
        let options: Vec<String> = options.into_iter().collect();
        let colon = if options.is_empty() { "" } else { ":" };
        self.one("volume", Some(format!("{mount}{colon}{}", options.join(","))));
    }

    fn tmpfs(&mut self, target: &impl Display, tmpfs: &Tmpfs) {
        let options = Some(tmpfs.options_text()).filter(|options| !options.is_empty());
        let options = options.map(|options| format!(":{options}")).unwrap_or_default();
        self.one("tmpfs", Some(format!("{target}{options}")));
    }

    fn network(&mut self, network: &Network, wrong: &mut Violations) {
        let Network { mode, networks, ports, expose, publish_all, dns, dns_search, dns_options, extra_hosts, links } =
            network;
        let named = || networks.iter().flatten();
        self.each("network", named().map(|(network, endpoint)| with_options(network, endpoint)));
        let is_alone = named().next().is_none();
        self.one("network", mode.as_ref().filter(|mode| is_alone && **mode != NetworkMode::Named));
        self.each("publish", ports.iter().flat_map(published));
        self.each("expose", expose.iter().flat_map(|ExposedPorts(ports)| ports));
        self.one("publish-all", publish_all.as_ref());
        self.each("dns", dns.iter().flatten());
        self.each("dns-search", dns_search.iter().flatten());
        self.each("dns-option", dns_options.iter().flatten());
        for (host, addresses) in extra_hosts.iter().flat_map(|ExtraHosts(hosts)| hosts) {
            self.each("add-host", addresses.iter().map(|address| format!("{host}:{address}")));
        }
        if links.as_ref().is_some_and(|links| !links.is_empty()) {
            wrong.add("network.links", "Podman has none: containers of a network know each other by name");
        }
    }

    fn namespaces(&mut self, namespaces: &Namespaces) {
        let Namespaces { ipc, pid, cgroup, user, uts } = namespaces;
        self.one("ipc", ipc.as_ref());
        self.one("pid", pid.as_ref());
        self.one("cgroupns", cgroup.as_ref());
        self.one("userns", user.as_ref());
        self.one("uts", uts.as_ref());
    }

    fn security(&mut self, security: &Security) {
        let Security { privileged, cap_add, cap_drop, security_opt, no_new_privileges, read_only } = security;
        self.one("privileged", privileged.as_ref());
        self.each("cap-add", cap_add.iter().flatten());
        self.each("cap-drop", cap_drop.iter().flatten());
        self.each("security-opt", security_opt.iter().flatten());
        self.one("security-opt", no_new_privileges.map(|no_new| format!("no-new-privileges={no_new}")));
        self.one("read-only", read_only.as_ref());
    }

    fn logging(&mut self, logging: &Logging) {
        let Logging { driver, options } = logging;
        self.one("log-driver", driver.as_ref());
        self.pairs("log-opt", options.as_ref());
    }

    fn resources(&mut self, resources: &Resources, wrong: &mut Violations) {
        let Resources {
            memory,
            memory_reservation,
            memory_swap,
            swappiness,
            kernel_memory,
            cpu_period,
            cpu_quota,
            cpu_shares,
            cpus,
            cpuset_cpus,
            cpuset_mems,
            blkio_weight,
            pids_limit,
            shm_size,
            ulimits,
            sysctls,
            oom_kill_disable,
            oom_score_adj,
        } = resources;
        let bytes = |size: ByteSize| format!("{}b", size.bytes());
        let limit = |limit: &Option<Limit<ByteSize>>, none: &str| {
            limit.map(|limit| limit.value().map_or_else(|| none.to_owned(), bytes))
        };
        self.one("memory", limit(memory, "0"));
        self.one("memory-reservation", limit(memory_reservation, "0"));
        self.one("memory-swap", limit(memory_swap, "-1"));
        self.one("memory-swappiness", swappiness.as_ref());
        if kernel_memory.is_some_and(|limit| !limit.is_unlimited()) {
            wrong.add("resources.kernel_memory", "Podman does not take it");
        }
        self.one("cpu-period", cpu_period.map(micros));
        self.one("cpu-quota", cpu_quota.map(|quota| quota.value().map_or(0, micros)));
        self.one("cpu-shares", cpu_shares.as_ref());
        self.one("cpus", cpus.as_ref());
        self.one("cpuset-cpus", cpuset_cpus.as_ref());
        self.one("cpuset-mems", cpuset_mems.as_ref());
        self.one("blkio-weight", blkio_weight.as_ref());
        self.one("pids-limit", pids_limit.map(or_minus_one));
        self.one("shm-size", shm_size.map(bytes));
        for (name, Ulimit { soft, hard }) in ulimits.iter().flatten() {
            self.one("ulimit", Some(format!("{name}={}:{}", or_minus_one(*soft), or_minus_one(*hard))));
        }
        self.pairs("sysctl", sysctls.as_ref());
        self.one("oom-kill-disable", oom_kill_disable.as_ref());
        self.one("oom-score-adj", oom_score_adj.as_ref());
    }

    fn healthcheck(&mut self, healthcheck: &Healthcheck, wrong: &mut Violations) {
        let Healthcheck { test, interval, timeout, retries, start_period, start_interval } = healthcheck;
        match test {
            None => {}
            Some(HealthTest::None) => self.0.push("--no-healthcheck".to_owned()),
            Some(HealthTest::Shell(text)) => self.one("health-cmd", Some(text)),
            Some(HealthTest::Exec(argv)) => self.one("health-cmd", Some(list(argv))),
        }
        let nanoseconds = |span: TimeSpan| format!("{}ns", span.as_nanos());
        self.one("health-interval", interval.map(nanoseconds));
        self.one("health-timeout", timeout.map(nanoseconds));
        self.one("health-retries", retries.as_ref());
        self.one("health-start-period", start_period.map(nanoseconds));
        if start_interval.is_some() {
            wrong.add("healthcheck.start_interval", "Podman has a check of its own for the start");
        }
    }
}

/// One program by itself, else a list.
fn entrypoint_text(entrypoint: &Command) -> String {
    match entrypoint.argv() {
        [] => String::new(),
        [program] if !program.starts_with('[') => program.clone(),
        argv => list(argv),
    }
}

/// A list as JSON, which Podman reads where a shell's text would do, too.
fn list(words: &[String]) -> String {
    let quoted = words.iter().map(|word| {
        let escaped: String = word
            .chars()
            .map(|c| match c {
                '"' | '\\' => format!("\\{c}"),
                c if c.is_control() => format!("\\u{:04x}", u32::from(c)),
                c => c.to_string(),
            })
            .collect::<Vec<_>>()
            .concat();
        format!("\"{escaped}\"")
    });
    format!("[{}]", quoted.collect::<Vec<_>>().join(","))
}

fn or_minus_one(limit: Limit<u64>) -> String {
    limit.value().map_or_else(|| "-1".to_owned(), |value| value.to_string())
}

fn micros(span: TimeSpan) -> u64 {
    span.as_nanos() / 1000
}

/// `NETWORK:alias=a,ip=10.0.0.7`
fn with_options(network: &NetworkName, endpoint: &Endpoint) -> String {
    let Endpoint { aliases, ipv4, ipv6, mac } = endpoint;
    let mut options: Vec<String> = aliases.iter().map(|alias| format!("alias={alias}")).collect();
    options.extend(ipv4.map(|ip| format!("ip={ip}")));
    options.extend(ipv6.map(|ip| format!("ip6={ip}")));
    options.extend(mac.map(|mac| format!("mac={mac}")));
    if options.is_empty() { network.to_string() } else { format!("{network}:{}", options.join(",")) }
}

fn published(Ports(ports): &Ports) -> Vec<String> {
    let text = |HostPort { ip, port }: &HostPort| {
        let ip = ip.map(|ip| if ip.is_ipv6() { format!("[{ip}]:") } else { format!("{ip}:") });
        let port = port.map(|port| format!("{port}:"));
        match (ip, port) {
            (Some(ip), None) => format!("{ip}:"),
            (ip, port) => ip.unwrap_or_default() + &port.unwrap_or_default(),
        }
    };
    ports.iter().flat_map(|(port, hosts)| hosts.iter().map(move |host| format!("{}{port}", text(host)))).collect()
}
