//! What kolla-ansible's workers get wrong, where the engine itself has to be asked, or a program in the container; the
//! rest is among the [cases](crate::cases::bugs).

use std::fs;

use kolla_container_core::plan::RunOptions;
use kolla_container_core::{ByteSize, Goal, Goals, ImageRef, Limit};
use serde_json::json;

use super::sh;
use crate::cases;
use crate::harness::Harness;

cases! { "bugs";
    an_image_by_its_digest_is_pulled_once ["registry"] exclusive;
    an_image_without_the_config_check_is_an_error_that_says_so_and_touches_nothing;
    a_bootstrap_may_take_longer_than_a_request;
    the_root_of_the_host_cannot_be_written_through_a_bind_that_is_read_only_and_follows_the_host;
    file_systems_in_memory_and_security_options_reach_the_programs_in_a_container;
    capabilities_and_limits_reach_the_programs_in_a_container;
    the_shared_memory_of_the_host_is_that_of_the_container;
}

async fn an_image_by_its_digest_is_pulled_once(h: &Harness) {
    let remote = &h.images().remote;
    h.remember_image(remote);
    h.pull(remote).await.unwrap();
    let names = h.see_image(remote).await.names;
    let digest: ImageRef = names.into_iter().find(|name| name.digest().is_some()).unwrap();
    h.runtime().remove_image(remote).await.unwrap();
    h.runtime().remove_image(&digest).await.unwrap();
    h.remember_image(&digest);
    let name = h.name("web");
    let (reconciler, tally) = h.watched();

    let goals = Goals::one(name.clone(), Goal::running(h.made_from(&digest)));
    let report = reconciler.reconcile(&goals).await.unwrap();

    assert!(report.is_success(), "{report}");
    assert_eq!(tally.writes(), ["pull_image", "create_container", "start_container"]);
    h.assert_reached(&name, Goal::running(h.made_from(&digest))).await;
}

async fn an_image_without_the_config_check_is_an_error_that_says_so_and_touches_nothing(h: &Harness) {
    let name = h.name("web");
    let check = json!({"command": ["/usr/local/bin/kolla_set_configs", "--check"], "user": "root", "stale": "restart"});
    let goals = Goals::one(name.clone(), Goal::running(h.spec(json!({"deploy": {"config_check": check}}))));
    h.reconciler().reconcile(&goals).await.unwrap();
    let before = h.see(&name).await;

    let report = h.reconciler().checking_config(true).reconcile(&goals).await.unwrap();

    let failure = report.containers[0].outcome.as_ref().unwrap_err().to_string();
    assert!(failure.contains("the check ended with exit status 12"), "{failure}");
    assert!(failure.contains("kolla_set_configs") && failure.contains("no such file"), "{failure}");
    assert!(!report.is_changed(), "{report}");
    assert_eq!(h.see(&name).await, before);
}

async fn a_bootstrap_may_take_longer_than_a_request(h: &Harness) {
    let slow = json!({
        "command": ["sh", "-c", "sleep 22; echo done"],
        "deploy": {"deadlines": {"request": "20s"}},
    });

    let report = h.reach(&h.name("bootstrap"), Goal::Run(Box::new(h.spec(slow)), RunOptions::default())).await;

    let output = report.containers[0].output.as_ref().unwrap();
    assert_eq!((output.code, output.stdout.as_slice()), (0, b"done\n".as_slice()));
    assert_eq!(h.containers().await, Vec::<String>::new());
}

/// The node exporter's: on Podman it was made writable.
async fn the_root_of_the_host_cannot_be_written_through_a_bind_that_is_read_only_and_follows_the_host(h: &Harness) {
    let name = h.name("web");
    let goal = || Goal::running(h.spec(json!({"mounts": ["/:/host:ro,rslave"]})));

    h.reach(&name, goal()).await;

    let id = h.see(&name).await.id;
    let refused = sh(h, &id, "touch /host/written-by-a-container 2>&1 || true").await;
    assert!(refused.contains("Read-only file system"), "{refused}");
    h.assert_reached(&name, goal()).await;
}

async fn file_systems_in_memory_and_security_options_reach_the_programs_in_a_container(h: &Harness) {
    let name = h.name("web");
    let stated = json!({
        "mounts": [{"type": "tmpfs", "target": "/scratch", "size": "64m", "mode": "755"}],
        "security": {"security_opt": ["seccomp=unconfined"], "no_new_privileges": true},
    });

    h.reach(&name, Goal::running(h.spec(stated.clone()))).await;

    let id = h.see(&name).await.id;
    let mount = sh(h, &id, "grep ' /scratch ' /proc/mounts").await;
    assert!(mount.starts_with("tmpfs ") && mount.contains("size=65536k") && mount.contains("mode=755"), "{mount}");
    let status = sh(h, &id, "cat /proc/1/status").await;
    assert!(status.contains("Seccomp:\t0\n") && status.contains("NoNewPrivs:\t1\n"), "{status}");
    h.assert_reached(&name, Goal::running(h.spec(stated))).await;
}

async fn capabilities_and_limits_reach_the_programs_in_a_container(h: &Harness) {
    let name = h.name("web");
    let stated = json!({
        "security": {"cap_add": ["NET_ADMIN"], "cap_drop": ["ALL"]},
        "resources": {"memory": "1g", "ulimits": {"nofile": {"soft": 512, "hard": 1024}}},
    });

    h.reach(&name, Goal::running(h.spec(stated.clone()))).await;

    let id = h.see(&name).await.id;
    let status = sh(h, &id, "cat /proc/1/status").await;
    assert!(status.contains("CapEff:\t0000000000001000\n"), "{status}");
    let limits = sh(h, &id, "cat /proc/1/limits").await;
    let files = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(files.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["512", "1024"]);
    assert_eq!(h.see(&name).await.config.resources.memory, Some(Limit::At(ByteSize::gib(1))));
    h.assert_reached(&name, Goal::running(h.spec(stated))).await;
}

/// Podman 4 says `shareable` of it.
async fn the_shared_memory_of_the_host_is_that_of_the_container(h: &Harness) {
    let (own, hosts) = (h.name("own"), h.name("hosts"));
    let shared = || h.spec(json!({"namespaces": {"ipc": "host"}}));
    let own = h.start(&own, &h.spec(json!({}))).await;

    h.reach(&hosts, Goal::running(shared())).await;

    let id = h.see(&hosts).await.id;
    let of = fs::read_link("/proc/self/ns/ipc").unwrap().to_string_lossy().into_owned();
    let namespace = "readlink /proc/1/ns/ipc | tr -d '\n'";
    assert_eq!(sh(h, &id, namespace).await, of);
    assert_ne!(sh(h, &own, namespace).await, of);
    h.assert_reached(&hosts, Goal::running(shared())).await;
}
