//! What `docker run` makes: exported as it was asked for, and replaced by its export.

use kolla_container_core::state::Status;
use kolla_container_core::{ContainerId, Goal, NetworkName};
use kolla_container_testkit::stories::network_with_address;
use kolla_container_testkit::{Harness, cases};
use serde_json::{Value, json};

use crate::api;

cases! { "run";
    what_docker_run_made_is_exported_as_it_was_asked_for ["resources.memory_swap", "resources.cpus"];
    what_docker_run_made_is_replaced_by_its_export_and_then_nothing_is_to_do ["resources.memory_swap", "resources.cpus"];
    what_docker_run_made_with_nothing_said_is_exported_as_its_image_and_what_flags_of_the_engine_decide;
}

/// What `docker run` of Docker 28 sends for many options, with words to be filled in.
const DOCKER_RUN: &str = include_str!("docker_run.json");

/// A container that a user has made.
struct Made {
    id: ContainerId,
    network: NetworkName,
    address: String,
}

async fn docker_run(h: &Harness, body: &Value) -> ContainerId {
    let created = api::post(&format!("/containers/create?name={}", h.name("web")), body).await;
    let id: ContainerId = created["Id"].as_str().unwrap().parse().unwrap();
    h.runtime().start_container(&id).await.unwrap();
    id
}

async fn docker_run_with_everything(h: &Harness) -> Made {
    let (network, address) = network_with_address(h).await;
    let filled = DOCKER_RUN
        .replace("IMAGE", &h.images().furnished.to_string())
        .replace("VOLUME", h.volume("named").as_str())
        .replace("NETWORK", network.as_str())
        .replace("ADDRESS", &address)
        .replace("PORT", &h.port().to_string());
    let id = docker_run(h, &serde_json::from_str(&filled).unwrap()).await;
    Made { id, network, address }
}

async fn what_docker_run_made_is_exported_as_it_was_asked_for(h: &Harness) {
    let Made { network, address, .. } = docker_run_with_everything(h).await;

    let spec = h.reconciler().export(&h.name("web")).await.unwrap().unwrap();

    // Neither what the image says as well, nor the swap that a limit of memory implies.
    let expected = json!({
        "image": h.images().furnished.to_string(),
        "command": ["-n", "5", "sleep", "1000000"],
        "environment": {"A": "1", "EMPTY": ""},
        "labels": {"kit.own": "1"},
        "group_add": ["44"],
        "working_dir": "/tmp",
        "hostname": "web1",
        "domainname": "example.org",
        "stdin_open": true,
        "init": true,
        "stop_signal": "SIGUSR1",
        "stop_timeout": "3s",
        "mounts": [
            "/anonymous",
            {"type": "tmpfs", "target": "/cache", "size": "1m"},
            "/etc:/host:ro,rslave",
            format!("{}:/named:ro", h.volume("named")),
            {"type": "tmpfs", "target": "/run", "size": "64m", "mode": "755"},
            "/usr:/usr2:ro",
        ],
        "devices": ["/dev/null:/dev/nothing:rw"],
        "network": {
            "networks": {network.to_string(): {"aliases": ["here"], "ipv4": address}},
            "ports": [format!("127.0.0.1:{0}:80/tcp", h.port()), format!("{0}:81/udp", h.port()), "8080/tcp"],
            "expose": ["9000/tcp"],
            "dns": ["192.0.2.53"],
            "dns_search": ["example.org"],
            "dns_options": ["ndots:2"],
            "extra_hosts": {"db": ["192.0.2.7"]},
        },
        "namespaces": {"ipc": "private"},
        "security": {
            "cap_add": ["CAP_NET_ADMIN"],
            "cap_drop": ["CAP_CHOWN"],
            "security_opt": ["seccomp=unconfined"],
            "no_new_privileges": true,
            "read_only": true,
        },
        "resources": {
            "memory": "256m",
            "memory_reservation": "128m",
            "cpus": "0.5",
            "cpu_shares": 512,
            "cpuset_cpus": "0",
            "pids_limit": "100",
            "oom_score_adj": 100,
            "shm_size": "32m",
            "sysctls": {"net.core.somaxconn": "100"},
            "ulimits": {"core": {"soft": "0", "hard": "0"}, "nofile": {"soft": "512", "hard": "1024"}},
        },
        "healthcheck": {"test": ["CMD-SHELL", "true"], "interval": "5s", "retries": 2},
        "restart": "on-failure:3",
        "logging": {"options": {"max-size": "1m"}},
    });
    assert_eq!(serde_json::to_value(&spec).unwrap(), expected);
    h.assert_reached(&h.name("web"), Goal::running(spec)).await;
}

async fn what_docker_run_made_is_replaced_by_its_export_and_then_nothing_is_to_do(h: &Harness) {
    let Made { id, network, address } = docker_run_with_everything(h).await;
    let name = h.name("web");
    let spec = h.reconciler().export(&name).await.unwrap().unwrap();
    let volumes = h.see(&name).await.volumes;

    h.reach(&name, Goal::Replace(Box::new(spec.clone()))).await;

    let after = h.see(&name).await;
    assert_ne!(after.id, id);
    assert_eq!((after.status, after.volumes), (Status::Running, volumes));
    assert_eq!(after.addresses[&network], [address.parse::<std::net::IpAddr>().unwrap()]);
    h.assert_reached(&name, Goal::running(spec)).await;
}

async fn what_docker_run_made_with_nothing_said_is_exported_as_its_image_and_what_flags_of_the_engine_decide(
    h: &Harness,
) {
    let image = h.images().furnished.to_string();
    docker_run(h, &json!({"Image": image})).await;

    let spec = h.reconciler().export(&h.name("web")).await.unwrap().unwrap();

    // Of `--default-ipc-mode` and `--default-shm-size` Docker says nothing: elsewhere they may be others.
    let decided = json!({"namespaces": {"ipc": "private"}, "resources": {"shm_size": "64m"}, "image": image});
    assert_eq!(serde_json::to_value(&spec).unwrap(), decided);
    h.assert_reached(&h.name("web"), Goal::running(spec)).await;
}
