//! Documents that a Docker 20.10 printed, and what becomes of them when they are less than whole.

#![expect(clippy::unwrap_used, reason = "what fails to be prepared fails the test")]

use kolla_container_core::diff::{Comparison, Surroundings, diff, minimal};
use kolla_container_core::state::{Health, Status};
use kolla_container_core::{ContainerSpec, ErrorKind};
use kolla_container_docker::{decode, recorded_facts};
use serde_json::{Value, json};

const CONTAINER: &str = include_str!("../testdata/docker-20.10/container.json");
const IMAGE: &str = include_str!("../testdata/docker-20.10/image.json");

/// The one document of a list.
fn only(list: &str) -> Value {
    let list: Vec<Value> = serde_json::from_str(list).unwrap();
    let [document] = <[Value; 1]>::try_from(list).unwrap();
    document
}

/// The document, with `value` at `pointer`.
fn with(pointer: &str, value: Value) -> Value {
    let mut document = only(CONTAINER);
    *document.pointer_mut(pointer).unwrap() = value;
    document
}

/// The spec that `docker run` was given, but for what the engine makes up.
fn stated() -> ContainerSpec {
    ContainerSpec::from_value(json!({
        "image": "localhost/kit/furnished:1",
        "command": ["sleep", "1001"],
        "environment": {"MODE": "fast", "DB_PASSWORD": "hunter2", "KIT_IMAGE": {"unset": true}},
        "labels": {"a": "b", "empty": ""},
        "user": "1001:1001",
        "group_add": ["1002"],
        "working_dir": "/tmp",
        "hostname": "richhost",
        "init": true,
        "stop_signal": "INT",
        "stop_timeout": "3s",
        "mounts": [
            "/etc:/host-etc:ro,rslave",
            "recdata:/data2",
            "/anon",
            "/tmp:/m:ro",
            "recdata:/m2:nocopy",
            {"type": "tmpfs", "target": "/run", "size": "1m", "options": ["noexec"]},
        ],
        "devices": ["/dev/null:/dev/kit:r"],
        "device_cgroup_rules": ["c 42:* rmw"],
        "network": {
            "networks": {"recnet": {"aliases": ["rich-alias"], "ipv4": "10.77.0.9"}},
            "ports": ["127.0.0.1:18080:80", "53/udp"],
            "expose": ["9000-9001"],
            "dns": ["10.0.0.1"],
            "dns_search": ["example.org"],
            "dns_options": ["ndots:2"],
            "extra_hosts": {"kit": "10.0.0.9", "gate": "host-gateway"},
        },
        "namespaces": {"pid": "host"},
        "security": {
            "cap_add": ["NET_ADMIN"],
            "cap_drop": ["chown"],
            "security_opt": ["label=disable"],
            "no_new_privileges": true,
            "read_only": true,
        },
        "resources": {
            "memory": "64m",
            "cpus": 0.5,
            "pids_limit": 100,
            "ulimits": {"nofile": "512:1024"},
            "sysctls": {"net.core.somaxconn": "256"},
            "oom_score_adj": 100,
        },
        "healthcheck": {"test": ["CMD-SHELL", "exit 0"], "interval": "2s"},
        "restart": "on-failure:3",
        "logging": {"options": {"max-size": "1m"}},
        "cgroup_parent": "kit.slice",
    }))
    .unwrap()
}

#[test]
fn a_container_with_many_options_is_what_it_was_asked_to_be() {
    let container = decode::container(&only(CONTAINER)).unwrap();
    let image = decode::image(&only(IMAGE)).unwrap();
    let (engine, comparison) = (recorded_facts(), Comparison::strict());
    let around =
        Surroundings { image: Some(&image), wanted_image: Some(&image), engine: &engine, comparison: &comparison };
    let mut wanted = stated();
    // The other container is stored by its id.
    wanted.namespaces.ipc.clone_from(&container.config.namespaces.ipc);

    let found = diff(&wanted, &container, &around);

    assert_eq!(found.changes, [], "{:?}", found.changes);
    assert_eq!(found.unreported, []);
    assert_eq!(diff(&minimal(&container, Some(&image), &engine), &container, &around).changes, []);
}

#[test]
fn what_a_container_is_doing_is_read() {
    let container = decode::container(&only(CONTAINER)).unwrap();

    assert_eq!(container.name.as_str(), "rich");
    assert_eq!((container.status, container.health, container.exit), (Status::Running, Some(Health::Starting), None));
    assert!(container.started > Some(container.created));
    let addresses: Vec<String> = container.addresses.values().flatten().map(ToString::to_string).collect();
    assert_eq!(addresses, ["10.77.0.9"]);
    let volumes: Vec<(String, bool)> =
        container.volumes.iter().map(|(target, name)| (target.to_string(), name.is_anonymous())).collect();
    let expected = [("/anon", true), ("/data", true), ("/data2", false), ("/m2", false)];
    assert_eq!(volumes, expected.map(|(target, anonymous)| (target.to_owned(), anonymous)));
    assert_eq!(container.joined.len(), 1);
    let picked = container.published_ports.0.get(&"53/udp".parse().unwrap()).unwrap();
    assert!(picked.iter().all(|host| host.port.is_some()), "{picked:?}");
}

#[test]
fn a_secret_by_name_is_in_no_debug_text() {
    let container = decode::container(&only(CONTAINER)).unwrap();

    assert!(!format!("{container:?}").contains("hunter2"));
}

/// A key that is not there is Docker's default, whichever it is: taken out one by one, and all at once.
#[test]
fn a_missing_key_is_a_default_and_no_error() {
    fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
        if let Value::Object(map) = value {
            for (key, value) in map {
                let pointer = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                pointers(value, &pointer, all);
                all.push(pointer);
            }
        }
    }
    let whole = only(CONTAINER);
    let mut all = Vec::new();
    pointers(&whole, "", &mut all);
    let needed = ["/Id", "/Name", "/Image"];
    assert!(all.len() > 150, "{}", all.len());

    for pointer in &all {
        let mut document = whole.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/").replace("~0", "~");
        document.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(&key);

        let read = decode::container(&document);

        assert_eq!(read.is_err(), needed.contains(&pointer.as_str()), "{pointer}: {read:?}");
    }
    let least = json!({"Id": whole["Id"], "Name": whole["Name"], "Image": whole["Image"]});
    let container = decode::container(&least).unwrap();
    let (engine, comparison) = (recorded_facts(), Comparison::strict());
    let around = Surroundings { image: None, wanted_image: None, engine: &engine, comparison: &comparison };
    assert_eq!(diff(&ContainerSpec::default(), &container, &around).changes, []);
}

#[test]
fn null_is_the_same_as_missing() {
    for pointer in
        ["/Config/Labels", "/Config/Env", "/Config/Cmd", "/HostConfig/Binds", "/HostConfig/Ulimits", "/Mounts"]
    {
        assert!(decode::container(&with(pointer, Value::Null)).is_ok(), "{pointer}");
    }
}

#[test]
fn a_value_that_is_not_known_names_the_container_and_the_value() {
    let cases = [
        ("/State/Status", json!("frozen"), "frozen"),
        ("/HostConfig/RestartPolicy/Name", json!("sometimes"), "sometimes"),
        ("/HostConfig/Mounts/0/Type", json!("hologram"), "hologram"),
        ("/HostConfig/Binds/0", json!("/a:/b:sideways"), "sideways"),
        ("/HostConfig/IpcMode", json!("telepathy"), "telepathy"),
        ("/Config/StopSignal", json!("SIGNOTHING"), "SIGNOTHING"),
    ];

    for (pointer, value, said) in cases {
        let error = decode::container(&with(pointer, value)).unwrap_err();

        assert_eq!((error.kind(), error.subject()), (ErrorKind::Undecodable, "rich"), "{pointer}");
        assert!(error.report().contains(said), "{}", error.report());
    }
}

#[test]
fn spellings_of_other_clients_and_versions_mean_the_same() {
    let config = |pointer: &str, value: Value| decode::container(&with(pointer, value)).unwrap().config;

    let slashes = config("/HostConfig/Binds/0", json!("/etc/:/host-etc/:rslave,ro,cached"));
    assert_eq!(slashes.mounts, decode::container(&only(CONTAINER)).unwrap().config.mounts);
    let mut bridged = with("/HostConfig/NetworkMode", json!("default"));
    *bridged.pointer_mut("/NetworkSettings/Networks").unwrap() = json!({"bridge": {}});
    assert_eq!(decode::container(&bridged).unwrap().config.network.mode, Some("bridge".parse().unwrap()));
    let equals = config("/HostConfig/ExtraHosts", json!(["kit=10.0.0.9", "gate=host-gateway"]));
    assert_eq!(equals.network.extra_hosts, stated().network.extra_hosts);
    assert_eq!(config("/HostConfig/CapAdd", json!(["net_admin"])).security.cap_add, stated().security.cap_add);
    assert_eq!(config("/Config/StopSignal", json!("2")).stop_signal, stated().stop_signal);
    let dual = json!({"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}, {"HostIp": "::", "HostPort": "8080"}]});
    assert_eq!(
        config("/HostConfig/PortBindings", dual).network.ports,
        kolla_container_core::spec::Ports::parse(["8080:80"]).ok()
    );
}

#[test]
fn an_image_says_what_it_implies() {
    let image = decode::image(&only(IMAGE)).unwrap();

    assert_eq!(image.names.first().map(ToString::to_string).as_deref(), Some("localhost/kit/furnished:1"));
    assert_eq!(image.platform, Some("linux/amd64".parse().unwrap()));
    assert_eq!(image.config.user.as_deref(), Some("1000:1000"));
    assert_eq!(image.config.healthcheck.retries, Some(4));
    let missing = decode::image(&json!({"Id": "sha256:zz"})).unwrap_err();
    assert_eq!((missing.kind(), missing.subject()), (ErrorKind::Undecodable, "sha256:zz"));
}

/// What `docker run` takes, and no spec of ours would say so.
#[test]
fn what_only_other_clients_write_is_read() {
    let read = |pointer: &str, value: Value| decode::container(&with(pointer, value)).unwrap();

    assert!(
        read("/HostConfig/Binds", json!(["/plain"])).config.mounts.unwrap().0.contains_key(&"/plain".parse().unwrap())
    );
    assert!(read("/HostConfig/Tmpfs", json!({"/run": "size=50%"})).config.mounts.is_some());
    assert_eq!(read("/HostConfig/VolumesFrom", json!(["db:z,ro"])).config.volumes_from.unwrap().len(), 1);
    let device = json!([{"PathOnHost": "/dev/pci-0:1", "PathInContainer": "/dev/x", "CgroupPermissions": "mr"}]);
    assert_eq!(read("/HostConfig/Devices", device).config.devices.unwrap().first().unwrap().permissions, "rm");
    assert_eq!(read("/HostConfig/Dns", json!([""])).config.network.dns, Some(Vec::new()));
    for test in [json!(["CMD-SHELL", "true", "more"]), json!(["true"])] {
        assert!(read("/Config/Healthcheck/Test", test).config.healthcheck.is_active());
    }
}

#[test]
fn a_container_that_has_left_the_bridge_or_joined_another_network_too_is_not_just_in_the_bridge() {
    let mode = |networks: Value| {
        let mut document = with("/HostConfig/NetworkMode", json!("bridge"));
        *document.pointer_mut("/NetworkSettings/Networks").unwrap() = networks;
        let network = decode::container(&document).unwrap().config.network;
        (network.mode.unwrap().to_string(), network.networks.unwrap().len())
    };

    assert_eq!(mode(json!({"bridge": {}})), ("bridge".to_owned(), 0));
    assert_eq!(mode(json!({"bridge": {}, "net": {}})), ("named".to_owned(), 2));
    assert_eq!(mode(json!({})), ("named".to_owned(), 0));
}

#[test]
fn a_value_that_is_no_word_of_an_enumeration_is_in_no_error() {
    for (pointer, value) in [("/Config/Cmd", json!("hunter3")), ("/Config/Env", json!([["hunter3"]]))] {
        let error = decode::container(&with(pointer, value)).unwrap_err();

        assert_eq!((error.kind(), error.subject()), (ErrorKind::Undecodable, "rich"));
        assert!(!error.report().contains("hunter3"), "{}", error.report());
        assert!(error.report().contains("expected"), "{}", error.report());
    }
}
