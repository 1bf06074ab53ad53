//! The rows, in the order of the fields.

use serde_json::json;

use super::{Back, Row};

/// The rows of the matrix: at least one for each field, and one for each way that a change can go.
#[expect(clippy::too_many_lines, reason = "it is a table")]
pub fn rows() -> Vec<Row> {
    let row = Row::new;
    let sleep = |seconds: &str| json!(["sleep", seconds]);
    let furnished = || json!({"image": "{furnished}"});
    // A replacement does not wait for its health, which by default is half a minute.
    let unwatched = || json!({"deploy": {"healthy": false}});
    let checked = || json!({"healthcheck": {"test": "true"}, "deploy": {"healthy": false}});
    let limited = || json!({"resources": {"memory": "64m"}});
    vec![
        row("image", "another image", json!("{other_image}")).from(json!("{plain}")).back(Back::Impossible),
        row("image", "another name of the same image", json!("{alias}")).from(json!("{plain}")).back(Back::Impossible),
        row("command", "set", sleep("1001")),
        row("command", "changed", sleep("1002")).from(sleep("1001")),
        row("command", "written as one text", json!("sh -c 'sleep 1002'")).from(json!("sh -c 'sleep 1001'")),
        row("command", "over that of the image", sleep("1001")).with(furnished()),
        row("entrypoint", "set", json!(["nice"])).with(json!({"command": sleep("1001")})),
        row("entrypoint", "changed", json!(["nice"])).from(json!(["env"])).with(json!({"command": sleep("1001")})),
        row("entrypoint", "cleared", json!([])).with(json!({"image": "{furnished}", "command": sleep("1001")})),
        row("entrypoint", "cleared for the command of the image", json!([])).with(furnished()),
        row("environment", "set", json!({"KIT": "1", "KIT_EMPTY": null})),
        row("environment", "changed", json!({"KIT": "2"})).from(json!({"KIT": "1"})),
        row("environment", "key taken away", json!({"KIT": "1"})).from(json!({"KIT": "1", "MORE": "2"})),
        row("environment", "secret", json!({"KIT": {"secret": "2"}})).from(json!({"KIT": {"secret": "1"}})),
        row("environment", "over that of the image", json!({"KIT_BOTH": "mine"})).with(furnished()),
        row("environment", "of the image taken away", json!({"KIT_IMAGE": {"unset": true}})).with(furnished()),
        row("labels", "set", json!({"kit": "1"})),
        row("labels", "changed", json!({"kit": "2"})).from(json!({"kit": "1"})),
        row("labels", "key taken away", json!({"kit": "1"})).from(json!({"kit": "1", "more": "2"})),
        row("labels", "empty", json!({"kit": ""})).from(json!({"kit": "1"})),
        row("labels", "over that of the image", json!({"kit.both": "mine"})).with(furnished()),
        row("annotations", "set", json!({"kit": "1"})),
        row("annotations", "changed", json!({"kit": "2"})).from(json!({"kit": "1"})),
        row("user", "set", json!("1001")),
        row("user", "changed", json!("1002:1002")).from(json!("1001:1001")),
        row("user", "over that of the image", json!("0:0")).with(furnished()),
        row("group_add", "set", json!(["1001"])),
        row("group_add", "changed", json!(["1001", "1002"])).from(json!(["1001"])),
        row("working_dir", "set", json!("/tmp")),
        row("working_dir", "changed", json!("/tmp")).from(json!("/etc")),
        row("working_dir", "over that of the image", json!("/tmp")).with(furnished()),
        row("hostname", "set", json!("kit-a")).from(json!("kit-b")),
        row("domainname", "set", json!("example.org")),
        row("domainname", "changed", json!("example.net")).from(json!("example.org")),
        row("tty", "switched on", json!(true)),
        row("tty", "switched off", json!(false)).from(json!(true)).back(Back::Same),
        row("stdin_open", "switched on", json!(true)),
        row("init", "switched on", json!(true)),
        row("stop_signal", "set", json!("SIGINT")),
        row("stop_signal", "changed", json!("SIGUSR1")).from(json!("INT")),
        row("stop_signal", "over that of the image", json!("SIGUSR1")).with(furnished()),
        row("stop_timeout", "set", json!("2s")),
        row("stop_timeout", "changed", json!("3s")).from(json!("2s")),
        row("mounts", "a bind set", json!(["/etc:/kit:ro"])),
        row("mounts", "a bind made writable", json!(["/tmp:/kit"])).from(json!(["/tmp:/kit:ro"])),
        row("mounts", "another source", json!(["/tmp:/kit:ro"])).from(json!(["/etc:/kit:ro"])),
        row("mounts", "another target", json!(["/etc:/kat:ro"])).from(json!(["/etc:/kit:ro"])),
        row("mounts", "another propagation", json!(["/tmp:/kit:rslave"])).from(json!(["/tmp:/kit"])),
        row("mounts", "relabelled", json!(["/tmp:/kit:z"])).from(json!(["/tmp:/kit"])).part("mounts.relabel"),
        row(
            "mounts",
            "not recursive",
            json!([{"type": "bind", "source": "/tmp", "target": "/kit", "non_recursive": true}]),
        )
        .from(json!(["/tmp:/kit"])),
        row("mounts", "with flags", json!(["/tmp:/kit:nosuid"])).from(json!(["/tmp:/kit"])),
        row("mounts", "a named volume set", json!(["{volume}:/kit"])),
        row("mounts", "another volume", json!(["{second_volume}:/kit"])).from(json!(["{volume}:/kit"])),
        row("mounts", "a volume made read-only", json!(["{volume}:/kit:ro"])).from(json!(["{volume}:/kit"])),
        row("mounts", "a volume without copy", json!(["{volume}:/kit:nocopy"])).from(json!(["{volume}:/kit"])),
        row("mounts", "an anonymous volume set", json!(["/kit"])),
        row("mounts", "an anonymous volume gets a name", json!(["{volume}:/kit"])).from(json!(["/kit"])),
        row("mounts", "a volume at the target of the image", json!(["{volume}:/data"])).with(furnished()),
        row("mounts", "one source at two targets", json!(["/etc:/kit:ro", "/etc:/kat:ro"]))
            .from(json!(["/etc:/kit:ro"])),
        row("mounts", "a tmpfs set", json!([{"type": "tmpfs", "target": "/kit"}])),
        row("mounts", "a tmpfs made larger", json!([{"type": "tmpfs", "target": "/kit", "size": "2m", "mode": "700"}]))
            .from(json!([{"type": "tmpfs", "target": "/kit", "size": "1m", "mode": "700", "options": ["noexec"]}])),
        row("mounts", "a devpts set", json!([{"type": "devpts", "target": "/kit"}])),
        row("volumes_from", "set", json!(["{other}"])),
        row("volumes_from", "made read-only", json!(["{other}:ro"])).from(json!(["{other}"])),
        row("devices", "set", json!(["/dev/null:/dev/kit"])),
        row("devices", "other permissions", json!(["/dev/null:/dev/kit:r"]))
            .from(json!(["/dev/null:/dev/kit"]))
            .part("devices.permissions"),
        row("device_cgroup_rules", "set", json!(["c 42:* rmw"])),
        row("device_cgroup_rules", "changed", json!(["c 42:* r", "c 43:1 rwm"])).from(json!(["c 42:* rwm"])),
        row("device_requests", "set", json!([{"driver": "nvidia", "count": -1, "capabilities": [["gpu"]]}]))
            .needing("gpus"),
        row("network.mode", "none", json!("none")),
        row("network.mode", "host", json!("host")),
        row("network.mode", "of another container", json!("container:{other}")),
        row("network.mode", "from none to bridge", json!("bridge")).from(json!("none")).back(Back::Same),
        row("network.mode", "pasta", json!("pasta")),
        row("network.networks", "set", json!({"{network}": {}})).along("network.mode"),
        row("network.networks", "with an alias", json!({"{network}": {"aliases": ["kit"]}}))
            .from(json!({"{network}": {}}))
            .along("network.mode"),
        row("network.networks", "beside a host name", json!({"{network}": {"aliases": ["kit"]}}))
            .from(json!({"{network}": {}}))
            .with(json!({"hostname": "kit-host"}))
            .along("network.mode"),
        row("network.networks", "another network", json!({"{second_network}": {}}))
            .from(json!({"{network}": {}}))
            .along("network.mode"),
        row("network.networks", "one more", json!({"{network}": {}, "{second_network}": {}}))
            .from(json!({"{network}": {}}))
            .along("network.mode"),
        row("network.ports", "a random port", json!(["127.0.0.1::80"])),
        row("network.ports", "a fixed port", json!(["127.0.0.1:{port}:80"])).from(json!(["127.0.0.1:{port}:81"])),
        row("network.ports", "another protocol", json!(["127.0.0.1::80/udp"])).from(json!(["127.0.0.1::80"])),
        row("network.ports", "one of the image", json!(["127.0.0.1::8080"])).with(furnished()),
        row("network.expose", "set", json!(["81/udp"])),
        row("network.expose", "over that of the image", json!(["81/udp"])).with(furnished()),
        row("network.publish_all", "switched on", json!(true)).with(json!({"network": {"expose": ["81"]}})),
        row("network.dns", "set", json!(["10.0.0.1"])),
        row("network.dns", "another order", json!(["10.0.0.2", "10.0.0.1"])).from(json!(["10.0.0.1", "10.0.0.2"])),
        row("network.dns_search", "set", json!(["example.org"])),
        row("network.dns_options", "set", json!(["ndots:2"])),
        row("network.extra_hosts", "set", json!({"kit": "10.0.0.1"})),
        row("network.extra_hosts", "changed", json!({"kit": ["10.0.0.2"], "kat": "::1"}))
            .from(json!({"kit": "10.0.0.1"})),
        row("network.extra_hosts", "the host", json!({"kit": "host-gateway", "kat": "10.0.0.1"}))
            .from(json!({"kat": "10.0.0.1"})),
        row("network.links", "set", json!(["{other}:kit"])),
        row("network.links", "another alias", json!(["{other}:kat"])).from(json!(["{other}:kit"])),
        row("namespaces.ipc", "shareable", json!("shareable")).from(json!("private")),
        row("namespaces.ipc", "host", json!("host")).never_default(),
        row("namespaces.ipc", "of another container", json!("container:{other}")).never_default(),
        row("namespaces.ipc", "none", json!("none")).never_default(),
        row("namespaces.pid", "host", json!("host")),
        row("namespaces.pid", "of another container", json!("container:{other}")),
        row("namespaces.cgroup", "other", json!("host")).from(json!("private")),
        row("namespaces.user", "private", json!("private")).from(json!("host")).needing("namespaces.user.private"),
        row("namespaces.user", "keep-id", json!("keep-id")),
        row("namespaces.uts", "host", json!("host")),
        row("security.privileged", "switched on", json!(true)).starting_with("privileged"),
        row("security.privileged", "switched off", json!(false))
            .from(json!(true))
            .back(Back::Same)
            .starting_with("privileged"),
        row("security.cap_add", "set", json!(["net_admin"])),
        row("security.cap_add", "changed", json!(["SYS_TIME"])).from(json!(["CAP_NET_ADMIN", "SYS_TIME"])),
        row("security.cap_drop", "set", json!(["CHOWN"])),
        row("security.cap_drop", "all", json!(["ALL"])).from(json!(["CHOWN"])),
        row("security.security_opt", "set", json!(["seccomp=unconfined"])),
        row("security.security_opt", "two labels", json!(["label:level:s0:c1,c2", "label:type:kit_t"])),
        row("security.security_opt", "labels off", json!(["label:disable"])),
        row("security.no_new_privileges", "switched on", json!(true)),
        row("security.read_only", "switched on", json!(true)),
        row("resources.memory", "set", json!("64m")).updated(),
        row("resources.memory", "raised", json!("128m")).from(json!("64m")).updated(),
        row("resources.memory", "lowered", json!("64m")).from(json!("128m")).updated(),
        row("resources.memory", "taken away", json!("unlimited")).from(json!("64m")).back(Back::Same),
        row("resources.memory_reservation", "set", json!("32m")).updated(),
        row("resources.memory_reservation", "raised", json!("48m")).from(json!("32m")).updated(),
        row("resources.memory_reservation", "taken away", json!("unlimited")).from(json!("32m")).back(Back::Same),
        row("resources.memory_swap", "set", json!("96m")).with(limited()).updated(),
        row("resources.memory_swap", "raised", json!("256m")).from(json!("96m")).with(limited()).updated(),
        row("resources.memory_swap", "lowered", json!("64m")).from(json!("96m")).with(limited()).updated(),
        row("resources.memory_swap", "taken away", json!("unlimited"))
            .from(json!("96m"))
            .with(limited())
            .updated()
            .back(Back::Unknown),
        row("resources.swappiness", "set", json!(10)),
        row("resources.swappiness", "changed", json!(0)).from(json!(10)),
        row("resources.kernel_memory", "set", json!("64m")),
        row("resources.cpu_period", "set", json!("50ms")).updated(),
        row("resources.cpu_period", "changed", json!("20ms")).from(json!("50ms")).updated(),
        row("resources.cpu_period", "taken away", json!("0s")).from(json!("50ms")).back(Back::Same),
        row("resources.cpu_quota", "set", json!("20ms")).updated(),
        row("resources.cpu_quota", "raised", json!("40ms")).from(json!("20ms")).updated(),
        row("resources.cpu_quota", "taken away", json!("unlimited")).from(json!("20ms")).back(Back::Same),
        row("resources.cpu_shares", "set", json!(512)).updated(),
        row("resources.cpu_shares", "changed", json!(256)).from(json!(512)).updated(),
        row("resources.cpu_shares", "taken away", json!(0)).from(json!(512)).back(Back::Same),
        row("resources.cpus", "set", json!(0.5)).updated(),
        row("resources.cpus", "raised", json!("0.75")).from(json!(0.5)).updated(),
        row("resources.cpus", "taken away", json!(0)).from(json!(0.5)).back(Back::Same),
        row("resources.cpuset_cpus", "set", json!("0")).updated(),
        row("resources.cpuset_cpus", "changed", json!("0-1")).from(json!("0")).updated(),
        row("resources.cpuset_cpus", "taken away", json!("")).from(json!("0")).back(Back::Same),
        row("resources.cpuset_mems", "set", json!("0")).updated(),
        row("resources.cpuset_mems", "taken away", json!("")).from(json!("0")).back(Back::Same),
        row("resources.blkio_weight", "set", json!(200)).updated(),
        row("resources.blkio_weight", "changed", json!(300)).from(json!(200)).updated(),
        row("resources.blkio_weight", "taken away", json!(0)).from(json!(200)).back(Back::Same),
        row("resources.pids_limit", "set", json!(100)).updated(),
        row("resources.pids_limit", "raised", json!(200)).from(json!(100)).updated(),
        row("resources.pids_limit", "taken away", json!("unlimited")).from(json!(100)),
        row("resources.shm_size", "set", json!("32m")),
        row("resources.shm_size", "changed", json!("16m")).from(json!("32m")),
        row("resources.ulimits", "set", json!({"nofile": {"soft": 512, "hard": 1024}})),
        row("resources.ulimits", "changed", json!({"RLIMIT_NOFILE": "600:1024"}))
            .from(json!({"nofile": {"soft": 512, "hard": 1024}})),
        row("resources.ulimits", "one taken away", json!({"nofile": 512})).from(json!({"nofile": 512, "core": 0})),
        row("resources.sysctls", "set", json!({"net.core.somaxconn": "256"})),
        row("resources.sysctls", "changed", json!({"net.core.somaxconn": "512"}))
            .from(json!({"net.core.somaxconn": "256"})),
        row("resources.oom_kill_disable", "switched on", json!(true)).with(limited()),
        row("resources.oom_score_adj", "set", json!(500)),
        row("resources.oom_score_adj", "changed", json!(400)).from(json!(500)),
        row("healthcheck.test", "set", json!("true")).with(unwatched()),
        row("healthcheck.test", "changed", json!(["CMD", "true"])).from(json!("exit 0")).with(unwatched()),
        row("healthcheck.test", "over that of the image", json!("exit 0")).with(furnished()),
        row("healthcheck.test", "of the image switched off", json!("NONE")).with(furnished()),
        row("healthcheck.interval", "set", json!("2s")).with(checked()),
        row("healthcheck.interval", "changed", json!("3s")).from(json!("2s")).with(checked()),
        row("healthcheck.interval", "over that of the image", json!("2s")).with(furnished()),
        row("healthcheck.timeout", "set", json!("5s")).with(checked()),
        row("healthcheck.timeout", "changed", json!("6s")).from(json!("5s")).with(checked()),
        row("healthcheck.retries", "set", json!(5)).with(checked()),
        row("healthcheck.retries", "over that of the image", json!(5)).with(furnished()),
        row("healthcheck.start_period", "set", json!("2s")).with(checked()),
        row("healthcheck.start_interval", "set", json!("1s"))
            .with(json!({"healthcheck": {"test": ["CMD", "true"], "start_period": "2s"}})),
        row("restart", "switched on", json!("always")).updated(),
        row("restart", "another policy", json!("unless-stopped")).from(json!("always")).updated(),
        row("restart", "fewer retries", json!("on-failure:2")).from(json!("on-failure:5")).updated(),
        row("restart", "switched off", json!("no")).from(json!("always")).updated().back(Back::Same),
        row("logging.driver", "other", json!("local")).needing("logging.driver.local"),
        row("logging.driver", "none", json!("none")),
        row("logging.options", "set", json!({"max-size": "1m"})).with(json!({"logging": {"driver": "json-file"}})),
        row("logging.options", "changed", json!({"max-size": "2m", "max-file": "2"}))
            .from(json!({"max-size": "1m"}))
            .with(json!({"logging": {"driver": "json-file"}})),
        row("runtime", "another one", json!("crun")).needing("runtime.crun"),
        row("cgroup_parent", "set", json!("/kit")),
        row("storage_opt", "set", json!({"size": "10G"})).needing("storage_opt.size"),
        row("auto_remove", "switched on", json!(true)),
        row("auto_remove", "switched off", json!(false)).from(json!(true)).back(Back::Same),
        row("platform", "another one", json!("linux/arm64")).needing("platform.second").back(Back::Unknown),
    ]
}
