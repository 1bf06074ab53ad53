//! One file for both engines: what it says of containers is the same thing on either.

use std::panic::{AssertUnwindSafe, resume_unwind};

use futures_util::FutureExt;
use kolla_container_testkit::{Case, Harness, Outcome, Unavailable};
use serde_json::{Value, json};

use crate::engines;
use crate::program::{Program, Ran};

pub(crate) fn cases() -> Vec<Case> {
    vec![Case::new("between::a_file_and_what_is_exported_of_it_are_the_same_on_both_engines", |h| {
        Box::pin(with_docker(h))
    })]
}

/// Tells the story of an engine, and of Docker beside it.
async fn with_docker(h: &Harness) -> Outcome {
    let ground = match engines::docker().open().await {
        Ok(ground) => ground,
        Err(Unavailable::Ignored(reason)) => return Outcome::Ignored(reason),
        Err(Unavailable::Failed(reason)) => panic!("{reason}"),
    };
    let docker = Harness::new(ground);
    let told = AssertUnwindSafe(a_file_is_the_same_on_both(&docker, h)).catch_unwind().await;
    let cleaned = docker.clean_up().await;
    if let Err(panic) = told {
        resume_unwind(panic);
    }
    cleaned.unwrap_or_else(|leftover| panic!("{leftover}"));
    Outcome::Passed
}

/// What Docker and Podman can do both, and tell of: many fields, with nothing in them that is one engine's.
async fn shop(h: &Harness) -> Value {
    let (data, network) = (h.volume("data"), h.make_network("net").await);
    let images = h.images();
    json!({"containers": {
        h.name("db").as_str(): {
            "image": images.furnished.to_string(),
            "environment": {"DB_PASSWORD": "hunter2", "MOTD": "Welcome,\nstranger.\n", "KIT_IMAGE": {"unset": true}},
            "hostname": "db",
            "labels": {"team": "shop"},
            "mounts": [
                format!("{data}:/data"),
                "/cache",
                "/tmp:/host:ro",
                {"type": "tmpfs", "target": "/run", "size": "1m"},
            ],
            "network": {
                "networks": {network.as_str(): {"aliases": ["store"]}},
                "ports": [format!("127.0.0.1:{}:8080", h.port()), "53/udp"],
                "extra_hosts": {"gate": ["10.0.0.1"]},
            },
            "resources": {
                "memory": "64m",
                "cpus": 0.5,
                "pids_limit": 100,
                "ulimits": {"nofile": {"soft": 512, "hard": 1024}},
            },
            "restart": "on-failure:3",
            "security": {"cap_drop": ["net_raw"], "read_only": true},
            "stop_signal": "SIGINT",
            "stop_timeout": "3s",
            "user": "1000:1000",
            "working_dir": "/srv",
            "init": true,
            "deploy": {"settle": "300ms"},
        },
        h.name("web").as_str(): {
            "image": images.plain.to_string(),
            "command": ["sleep", "1000"],
            "healthcheck": {"test": "true", "interval": "30s", "timeout": "5s", "retries": 5, "start_period": "1s"},
            "network": {"mode": format!("container:{}", h.name("db"))},
            "namespaces": {"pid": "host"},
            "tty": true,
            "deploy": {"settle": "300ms"},
        },
        h.name("job").as_str(): {
            "image": images.plain.to_string(),
            "network": {"mode": "host"},
            "security": {"privileged": true},
            "deploy": {"settle": "300ms"},
        },
    }})
}

async fn a_file_is_the_same_on_both(docker: &Harness, podman: &Harness) {
    // Each has names and a port of its own, so that it can be cleaned up.
    let others = |text: &str, from: &Harness, to: &Harness| {
        let port = |h: &Harness| format!("127.0.0.1:{}:", h.port());
        let text = text.replace(from.name("").as_str(), to.name("").as_str());
        text.replace(&port(from), &port(to))
    };
    let file = shop(docker).await;
    shop(podman).await;
    let file_of_podman: Value = serde_json::from_str(&others(&file.to_string(), docker, podman)).unwrap();

    for (h, file) in [(docker, &file), (podman, &file_of_podman)] {
        let applied = Program::on(h).run("apply", file, &[]).await;
        assert_eq!(applied.code, Some(0), "{applied:?}");
        assert_nothing_to_do(&Program::on(h).run("plan", file, &[]).await);
    }
    let exports = [exported(docker).await, exported(podman).await];
    for (from, to, file) in [(docker, podman, &exports[0]), (podman, docker, &exports[1])] {
        let file = others(file, from, to);
        // What an engine gives by itself, and does not tell from what was stated, is stated in an export.
        let applied = Program::on(to).run_with(&["apply", "-"], &file).await;
        assert_eq!(applied.code, Some(0), "{applied:?}");
        assert_nothing_to_do(&Program::on(to).run_with(&["plan", "-"], &file).await);
    }
}

async fn exported(h: &Harness) -> String {
    let [db, web, job] = ["db", "web", "job"].map(|what| h.name(what).to_string());
    let exported = Program::on(h).run_with(&["export", &db, &web, &job], "").await;
    assert_eq!((exported.code, exported.err.as_str()), (Some(0), ""), "{exported:?}");
    exported.out
}

fn assert_nothing_to_do(plan: &Ran) {
    assert_eq!((plan.code, plan.err.as_str()), (Some(0), ""), "{}{}", plan.out, plan.err);
}
