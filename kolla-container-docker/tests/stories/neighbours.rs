//! Containers that others made, that talk to each other, and that have joined one another.

use kolla_container_core::spec::Signal;
use kolla_container_core::state::{NetworkToCreate, Status};
use kolla_container_core::{ContainerId, ErrorKind, Goal, Goals, NetworkName};
use kolla_container_testkit::{Harness, cases};
use serde_json::{Value, json};

use crate::{api, sh};

cases! { "neighbours";
    what_docker_run_made_is_exported_as_it_was_asked_for ["resources.memory_swap", "resources.cpus"];
    what_docker_run_made_is_replaced_by_its_export_and_then_nothing_is_to_do ["resources.memory_swap", "resources.cpus"];
    what_docker_run_made_with_nothing_said_is_exported_as_its_image_and_what_flags_of_the_engine_decide;
    two_that_talk_by_name_still_do_after_one_is_replaced;
    one_that_joined_the_network_of_another_talks_to_it_after_both_are_replaced;
    one_that_others_have_joined_is_refused_with_their_names_when_they_are_no_goals;
}

/// What `docker run` of Docker 28 sends for many options, with words to be filled in.
const DOCKER_RUN: &str = include_str!("docker_run.json");

/// A container that a user has made.
struct Made {
    id: ContainerId,
    network: NetworkName,
    address: String,
}

/// A network of the case, and an address in it.
async fn network_with_address(h: &Harness) -> (NetworkName, String) {
    let name = h.network("net");
    let middle = format!("10.{}.{}", 200 + h.port() / 256 % 50, h.port() % 256);
    let subnets = [format!("{middle}.0/24")].into();
    let network = NetworkToCreate { subnets, ..NetworkToCreate::bridge(name.clone()) };
    h.runtime().create_network(&network).await.unwrap();
    (name, format!("{middle}.7"))
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

/// A web server that says `hello`, in its version `version`.
fn server(h: &Harness, network: &Value, version: u32) -> Goal {
    Goal::running(h.spec(json!({
        "command": ["sh", "-c", "echo hello >/tmp/index.html; exec busybox httpd -f -p 80 -h /tmp"],
        "environment": {"VERSION": version.to_string()},
        "stop_signal": Signal::KILL,
        "network": network,
    })))
}

fn client(h: &Harness, network: &Value) -> Goal {
    Goal::running(h.spec(json!({"network": network})))
}

async fn hears(h: &Harness, server: &str) {
    let client = h.see(&h.name("client")).await.id;
    assert_eq!(sh(h, &client, &format!("busybox wget -q -O - http://{server}")).await, "hello\n");
}

async fn two_that_talk_by_name_still_do_after_one_is_replaced(h: &Harness) {
    let network = h.make_network("net").await;
    let (plain, alias) = (
        json!({"networks": {network.to_string(): {}}}),
        json!({"networks": {network.to_string(): {"aliases": ["greeter"]}}}),
    );
    let goals = |version| -> Goals {
        [(h.name("client"), client(h, &plain)), (h.name("server"), server(h, &alias, version))].into_iter().collect()
    };
    let both = [h.name("server").to_string(), "greeter".to_owned()];
    let first = h.reconciler().reconcile(&goals(1)).await.unwrap();
    assert!(first.is_success(), "{first}");
    let before = (h.see(&h.name("client")).await, h.see(&h.name("server")).await);
    for name in &both {
        hears(h, name).await;
    }

    let second = h.reconciler().reconcile(&goals(2)).await.unwrap();

    assert!(second.is_success(), "{second}");
    assert_eq!(h.see(&h.name("client")).await, before.0);
    assert_ne!(h.see(&h.name("server")).await.id, before.1.id);
    for name in &both {
        hears(h, name).await;
    }
}

/// A server, and a client in its network.
fn joined(h: &Harness, version: u32) -> Goals {
    let own = json!({"mode": "none"});
    let theirs = json!({"mode": format!("container:{}", h.name("server"))});
    [(h.name("server"), server(h, &own, version)), (h.name("client"), client(h, &theirs))].into_iter().collect()
}

async fn one_that_joined_the_network_of_another_talks_to_it_after_both_are_replaced(h: &Harness) {
    let first = h.reconciler().reconcile(&joined(h, 1)).await.unwrap();
    assert!(first.is_success(), "{first}");
    let before = h.see(&h.name("client")).await.id;
    hears(h, "127.0.0.1").await;

    let plan = h.reconciler().plan(&joined(h, 2)).await.unwrap();
    let second = h.reconciler().apply(&plan).await;

    assert!(second.is_success(), "{second}");
    assert!(plan.to_string().contains(h.name("server").as_str()), "{plan}");
    assert_ne!(h.see(&h.name("client")).await.id, before);
    hears(h, "127.0.0.1").await;
    assert!(h.reconciler().plan(&joined(h, 2)).await.unwrap().is_empty());
}

async fn one_that_others_have_joined_is_refused_with_their_names_when_they_are_no_goals(h: &Harness) {
    h.reconciler().reconcile(&joined(h, 1)).await.unwrap();
    // Another one that nobody has ever told us of.
    let mode = format!("container:{}", h.name("server"));
    docker_run(h, &json!({"Image": h.images().plain.to_string(), "HostConfig": {"NetworkMode": mode}})).await;
    let names = [h.name("client"), h.name("server"), h.name("web")];
    let mut before = Vec::new();
    for name in &names {
        before.push(h.see(name).await);
    }

    let alone = h.try_to_reach(&h.name("server"), server(h, &json!({"mode": "none"}), 2)).await;
    let with_one = h.reconciler().reconcile(&joined(h, 2)).await.unwrap();

    let refusal = |report: &kolla_container_core::Report| {
        let failure = &report.container(&h.name("server")).unwrap().outcome.as_ref().unwrap_err().error;
        assert_eq!(failure.kind(), ErrorKind::Conflict);
        failure.report()
    };
    let both = format!("{}, {} joined it", h.name("client"), h.name("web"));
    assert!(refusal(&alone).contains(&both), "{alone}");
    assert!(refusal(&with_one).contains(&format!(": {} joined it", h.name("web"))), "{with_one}");
    for (name, before) in names.iter().zip(before) {
        assert_eq!(h.see(name).await, before);
    }
    hears(h, "127.0.0.1").await;
}
