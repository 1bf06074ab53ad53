//! What `podman run` makes: exported as it was asked for, and replaced by its export.

use kolla_container_core::state::Status;
use kolla_container_core::{ContainerId, Goal, NetworkName};
use kolla_container_testkit::stories::{by_hand, network_with_address};
use kolla_container_testkit::{Harness, cases};
use serde_json::json;

cases! { "run";
    what_podman_run_made_is_exported_as_it_was_asked_for ["resources.memory_swap", "resources.cpus"];
    what_podman_run_made_is_replaced_by_its_export_and_then_nothing_is_to_do ["resources.memory_swap", "resources.cpus"];
    what_podman_run_made_with_nothing_said_is_exported_as_its_image_and_nothing_is_to_do;
    the_network_of_all_may_be_stated;
    what_a_bind_has_from_the_file_system_of_its_source_is_no_difference_until_the_opposite_is_stated;
    a_device_by_a_symbolic_link_and_a_folder_of_devices_are_no_difference_until_they_change;
}

/// A user's words, with some to be filled in.
const PODMAN_RUN: &str = "run --detach --interactive --init --name NAME --user 1000:1000 --group-add 44 \
    --env A=1 --env EMPTY= --label kit.own=1 --annotation kit=1 --workdir /tmp --hostname web1 \
    --stop-signal USR1 --stop-timeout 3 --restart on-failure:3 \
    --volume /anonymous --volume /etc:/host:ro,rslave --volume VOLUME:/named:ro \
    --mount type=bind,source=/usr,target=/usr2,ro --mount type=tmpfs,target=/cache,tmpfs-size=1m \
    --tmpfs /run:size=64m,mode=755 --device /dev/null:/dev/nothing:rw \
    --network NETWORK --ip ADDRESS --network-alias here \
    --publish 127.0.0.1:PORT:80 --publish PORT:81/udp --publish 8080 --expose 9000 \
    --dns 192.0.2.53 --dns-search example.org --dns-option ndots:2 --add-host db:192.0.2.7 --ipc private \
    --cap-add NET_ADMIN --cap-drop CHOWN --security-opt seccomp=unconfined --security-opt no-new-privileges \
    --read-only --memory 256m --memory-reservation 128m --memory-swap 512m --cpus 0.5 --cpu-shares 512 \
    --cpuset-cpus 0 --pids-limit 100 --oom-score-adj 100 --shm-size 32m --sysctl net.core.somaxconn=100 \
    --ulimit core=0:0 --ulimit nofile=512:1024 --ulimit nproc=256:512 --health-cmd true --health-interval 5s --health-retries 2 \
    --log-driver k8s-file --log-opt max-size=1m IMAGE -n 5 sleep 1000000";

/// A container that a user has made.
struct Made {
    id: ContainerId,
    network: NetworkName,
}

/// What is on such a file system is `noexec` in the container, too, and Podman says so of the mount.
async fn what_a_bind_has_from_the_file_system_of_its_source_is_no_difference_until_the_opposite_is_stated(h: &Harness) {
    let name = h.name("web");
    let goal = |options: &str| Goal::running(h.spec(json!({"mounts": [format!("/proc:/kit:{options}")]})));

    h.reach(&name, goal("rw")).await;

    let mounts = h.see(&name).await.config.mounts.unwrap();
    let there = mounts.0.values().next().unwrap().describe();
    assert!(there.contains("noexec") && there.contains("nosuid"), "{there}");
    h.assert_reached(&name, goal("rw")).await;
    h.assert_reached(&name, goal("noexec,nosuid")).await;
    let changed = |plan: &kolla_container_core::Plan| -> Vec<String> {
        plan.containers.iter().flat_map(|plan| &plan.changes).map(|change| change.field.to_string()).collect()
    };
    for options in ["exec", "ro", "dev"] {
        assert_eq!(changed(&h.plan(&name, goal(options)).await), ["mounts"], "{options}");
    }
    let exported = h.reconciler().export(&name).await.unwrap().unwrap();
    h.assert_reached(&name, Goal::running(exported)).await;
}

async fn podman_run_with_everything(h: &Harness) -> Made {
    let (network, address) = network_with_address(h).await;
    let (name, volume, port) = (h.name("web"), h.volume("named"), h.port().to_string());
    let image = h.images().furnished.to_string();
    let filled = PODMAN_RUN
        .replace("NAME", name.as_str())
        .replace("VOLUME", volume.as_str())
        .replace("NETWORK", network.as_str())
        .replace("ADDRESS", &address)
        .replace("PORT", &port)
        .replace("IMAGE", &image);
    let id = by_hand(h, &filled.split_whitespace().collect::<Vec<_>>()).await;
    Made { id: id.parse().unwrap(), network }
}

async fn what_podman_run_made_is_exported_as_it_was_asked_for(h: &Harness) {
    let Made { network, .. } = podman_run_with_everything(h).await;

    let spec = h.reconciler().export(&h.name("web")).await.unwrap().unwrap();

    // Without what the image says as well, and what Podman does not tell: addresses, sysctls, options of logs, what may be
    // done with a device. With what its command adds: a writable /tmp where the rest is read-only, the port that was picked.
    let published = by_hand(h, &["port", h.name("web").as_str(), "8080/tcp"]).await;
    let (port, picked) = (h.port(), published.rsplit(':').next().unwrap());
    let mut expected = json!({
        "image": h.images().furnished.to_string(),
        "command": ["-n", "5", "sleep", "1000000"],
        "environment": {"A": "1", "EMPTY": ""},
        "labels": {"kit.own": "1"},
        "annotations": {"kit": "1"},
        "group_add": ["44"],
        "working_dir": "/tmp",
        "hostname": "web1",
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
            {"type": "tmpfs", "target": "/tmp"},
            "/usr:/usr2:ro",
            {"type": "tmpfs", "target": "/var/tmp"},
        ],
        "devices": ["/dev/null:/dev/nothing:rwm"],
        "network": {
            "networks": {network.to_string(): {"aliases": ["here"]}},
            "ports": [format!("127.0.0.1:{port}:80/tcp"), format!("{port}:81/udp"), format!("{picked}:8080/tcp")],
            "expose": ["9000/tcp"],
            "dns": ["192.0.2.53"],
            "dns_search": ["example.org"],
            "dns_options": ["ndots:2"],
            "extra_hosts": {"db": ["192.0.2.7"]},
        },
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
            "ulimits": {"core": {"soft": "0", "hard": "0"}, "nofile": {"soft": "512", "hard": "1024"}, "nproc": {"soft": "256", "hard": "512"}},
        },
        "healthcheck": {"test": ["CMD-SHELL", "true"], "interval": "5s", "retries": 2},
        "restart": "on-failure:3",
    });
    // Podman 4 does not tell the former either; the latter are what its command adds.
    if h.runtime().engine().version.major >= 5 {
        let expected = expected.as_object_mut().unwrap();
        let mounts = expected.get_mut("mounts").and_then(serde_json::Value::as_array_mut).unwrap();
        mounts.retain(|mount| !["/tmp", "/var/tmp"].iter().any(|target| mount.get("target") == Some(&json!(target))));
        expected.insert("namespaces".to_owned(), json!({"ipc": "private"}));
    }
    assert_eq!(serde_json::to_value(&spec).unwrap(), expected);
    h.assert_reached(&h.name("web"), Goal::running(spec)).await;
}

async fn what_podman_run_made_is_replaced_by_its_export_and_then_nothing_is_to_do(h: &Harness) {
    let Made { id, .. } = podman_run_with_everything(h).await;
    let name = h.name("web");
    let spec = h.reconciler().export(&name).await.unwrap().unwrap();
    let volumes = h.see(&name).await.volumes;

    h.reach(&name, Goal::Replace(Box::new(spec.clone()))).await;

    let after = h.see(&name).await;
    assert_ne!(after.id, id);
    assert_eq!((after.status, after.volumes), (Status::Running, volumes));
    h.assert_reached(&name, Goal::running(spec)).await;
}

async fn what_podman_run_made_with_nothing_said_is_exported_as_its_image_and_nothing_is_to_do(h: &Harness) {
    let (name, image) = (h.name("web"), h.images().furnished.to_string());
    by_hand(h, &["run", "--detach", "--name", name.as_str(), &image]).await;

    let spec = h.reconciler().export(&name).await.unwrap().unwrap();

    // From its version 5 on, Podman tells limits of processes and files that its service has.
    let mut stated = spec.clone();
    stated.resources.ulimits = None;
    assert_eq!(serde_json::to_value(&stated).unwrap(), json!({"image": image}));
    h.assert_reached(&name, Goal::running(spec)).await;
}

/// Podman tells it as it tells of a container that states none.
async fn the_network_of_all_may_be_stated(h: &Harness) {
    let stated = || Goal::running(h.spec(json!({"network": {"networks": {"podman": {}}}})));

    h.reach(&h.name("web"), stated()).await;

    h.assert_reached(&h.name("web"), stated()).await;
    h.assert_reached(&h.name("web"), Goal::running(h.spec(json!({})))).await;
}

/// Podman tells what the link leads to, and what is in the folder.
async fn a_device_by_a_symbolic_link_and_a_folder_of_devices_are_no_difference_until_they_change(h: &Harness) {
    let folder = tempfile::tempdir().unwrap();
    let link = |name: &str, device: &str| {
        let link = folder.path().join(name);
        std::os::unix::fs::symlink(device, &link).unwrap();
        link.display().to_string()
    };
    let goal = |linked: &str| {
        Goal::running(h.spec(json!({"devices": [format!("{linked}:/dev/kit"), "/dev/net:/dev/kit-net"]})))
    };
    let (one, other) = (link("one", "/dev/null"), link("other", "/dev/zero"));

    h.reach(&h.name("web"), goal(&one)).await;

    h.assert_reached(&h.name("web"), goal(&one)).await;
    let plan = h.plan(&h.name("web"), goal(&other)).await;
    assert!(plan.to_string().contains("devices[host]"), "{plan}");
}
