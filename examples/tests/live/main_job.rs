//! The commands of the program, and what may go wrong around them.

use std::time::{Duration, Instant};

use kolla_container_core::ContainerId;
use kolla_container_core::state::{ContainerState, Status};
use kolla_container_testkit::Harness;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use crate::program::{Program, Ran, start};
use crate::proxy::{Moment, Proxy};
use crate::subject::Subject;

/// Three containers: one with data, one that its image says much about, and one that joins it.
fn shop(h: &Harness) -> Value {
    let [db, web, metrics] = ["db", "web", "metrics"].map(|what| h.name(what).to_string());
    let data = h.volume("data");
    let images = h.images();
    json!({"containers": {
        db: {
            "image": images.plain.to_string(),
            "environment": {"DB_PASSWORD": "hunter2"},
            "mounts": [format!("{data}:/data"), "/cache"],
            "restart": "unless-stopped",
            "resources": {"memory": "64m"},
            "deploy": {"settle": "300ms"},
        },
        web.clone(): {
            "image": images.furnished.to_string(),
            "network": {"ports": [format!("127.0.0.1:{}:8080", h.port())]},
            "labels": {"team": "shop"},
            "deploy": {"settle": "300ms"},
        },
        metrics: {
            "image": images.plain.to_string(),
            "network": {"mode": format!("container:{web}")},
            "deploy": {"settle": "300ms"},
        },
    }})
}

fn assert_nothing_to_do(plan: &Ran) {
    assert_eq!((plan.code, plan.err.as_str()), (Some(0), ""), "{plan:?}");
    assert!(plan.out.starts_with("Nothing to do"), "{plan:?}");
}

async fn applied(program: &Program, file: &Value) {
    let applied = program.run("apply", file, &[]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
}

pub(crate) async fn three_containers_are_planned_applied_planned_again_and_removed(h: &Harness) {
    let program = Program::on(h);
    let shop = shop(h);

    let plan = program.run("plan", &shop, &[]).await;
    assert_eq!(plan.code, Some(2), "{plan:?}");
    assert!(plan.out.contains("3 containers: 3 to create."), "{plan:?}");
    assert_eq!(h.containers().await, Vec::<String>::new());

    let applied = program.run("apply", &shop, &[]).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert!(applied.out.ends_with("3 created.\n"), "{applied:?}");
    assert!(!applied.out.contains("hunter2"), "{applied:?}");
    assert_eq!(h.containers().await, ["db", "metrics", "web"]);

    assert_nothing_to_do(&program.run("plan", &shop, &[]).await);
    let before = h.see(&h.name("db")).await;
    let again = program.run("apply", &shop, &[]).await;
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(h.see(&h.name("db")).await.started, before.started);

    let removed = program.run("remove", &shop, &["--volumes"]).await;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    assert_eq!(h.containers().await, Vec::<String>::new());
    for (target, volume) in before.volumes {
        let is_there = h.runtime().volume(&volume).await.unwrap().is_some();
        assert_eq!(is_there, !volume.is_anonymous(), "the volume of {target}");
    }
}

pub(crate) async fn documents_say_which_engine_it_was_and_what_was_done(h: &Harness) {
    let program = Program::on(h);
    let shop = shop(h);

    let plan = program.run("plan", &shop, &["--json"]).await;
    let applied = program.run("apply", &shop, &["--json"]).await;
    let removed = program.run("remove", &shop, &["--volumes", "--json"]).await;

    let codes = [&plan, &applied, &removed].map(|ran| ran.code);
    assert_eq!(codes, [Some(2), Some(0), Some(0)], "{plan:?} {applied:?} {removed:?}");
    let effects = |list: &Value| -> Vec<String> {
        list["containers"].as_array().unwrap().iter().map(|container| container["effect"].to_string()).collect()
    };
    assert_eq!(plan.json()["engine"]["kind"], h.runtime().engine().kind.to_string());
    assert_eq!(plan.json()["engine"]["version"], h.runtime().engine().version.to_string());
    assert_eq!(effects(&plan.json()["plan"]), ["\"created\""; 3]);
    assert_eq!(effects(&applied.json()["report"]), ["\"created\""; 3]);
    assert_eq!(effects(&removed.json()["report"]), ["\"removed\""; 3]);
}

pub(crate) async fn a_changed_line_is_one_change_that_is_applied(h: &Harness) {
    let program = Program::on(h);
    let mut shop = shop(h);
    applied(&program, &shop).await;
    let before = h.see(&h.name("db")).await;
    shop["containers"][h.name("db").as_str()]["resources"]["memory"] = json!("128m");

    let plan = program.run("plan", &shop, &["--json"]).await;
    assert_eq!(plan.code, Some(2), "{plan:?}");
    let plan = plan.json();
    let containers = plan["plan"]["containers"].as_array().unwrap();
    let changed: Vec<&Value> = containers.iter().filter(|container| container["effect"] != "unchanged").collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert_eq!(changed[0]["changes"][0]["field"], "resources.memory");
    assert_eq!(changed[0]["changes"].as_array().unwrap().len(), 1);

    applied(&program, &shop).await;
    assert_nothing_to_do(&program.run("plan", &shop, &[]).await);
    let is_same = h.see(&h.name("db")).await.id == before.id;
    assert_eq!(is_same, h.runtime().engine().features.can_update("resources.memory"));
}

pub(crate) async fn a_joined_container_follows_when_the_other_one_is_replaced(h: &Harness) {
    let program = Program::on(h);
    let mut shop = shop(h);
    applied(&program, &shop).await;
    shop["containers"][h.name("web").as_str()]["labels"]["team"] = json!("other");

    applied(&program, &shop).await;

    assert_nothing_to_do(&program.run("plan", &shop, &[]).await);
    assert_eq!(h.see(&h.name("metrics")).await.status, Status::Running);
    assert_eq!(h.containers().await, ["db", "metrics", "web"]);
}

pub(crate) async fn what_is_exported_needs_nothing_to_be_done(h: &Harness) {
    let program = Program::on(h);
    applied(&program, &shop(h)).await;
    let [db, web, metrics] = ["db", "web", "metrics"].map(|what| h.name(what).to_string());

    for more in [&[][..], &["--json"]] {
        let exported = program.run_with(&[&["export", &db, &web, &metrics], more].concat(), "").await;
        assert_eq!((exported.code, exported.err.as_str()), (Some(0), ""), "{exported:?}");

        assert_nothing_to_do(&program.run_with(&["plan", "-"], &exported.out).await);
    }
}

pub(crate) async fn what_was_stated_and_cannot_be_exported_is_named(h: &Harness) {
    let program = Program::on(h);
    let name = h.name("web").to_string();
    let spec = json!({
        "image": h.images().plain.to_string(),
        "resources": {"sysctls": {"net.ipv4.ip_forward": "1"}},
        "deploy": {"settle": "300ms"},
    });
    applied(&program, &json!({"containers": {name.clone(): spec}})).await;

    let exported = program.run_with(&["export", &name], "").await;
    let plan = program.run_with(&["plan", "-"], &exported.out).await;

    assert_eq!(exported.code, Some(0), "{exported:?}");
    assert!(exported.err.contains("podman does not report it: resources.sysctls;"), "{exported:?}");
    assert!(!exported.out.contains("ip_forward"), "{exported:?}");
    assert_eq!(plan.code, Some(2), "{plan:?}");
    assert!(plan.out.contains("resources.sysctls"), "{plan:?}");
}

pub(crate) async fn the_engine_is_found_through_its_variable_and_by_who_answers(h: &Harness) {
    let host = Program::on(h).host().to_owned();
    let file = json!({"containers": {h.name("web").as_str(): {"image": h.images().plain.to_string()}}}).to_string();
    let kind = h.runtime().engine().kind.to_string();
    let variable = if kind == "podman" { "CONTAINER_HOST" } else { "DOCKER_HOST" };

    for (arguments, variables) in [
        (&["--engine", "auto"][..], &[(variable, host.as_str())][..]),
        (&["--engine", &kind], &[(variable, &host)]),
        (&["--host", &host], &[]),
    ] {
        let plan = start(&[&["plan", "-", "--json"], arguments].concat(), variables, &file).await.output().await;

        assert_eq!(plan.code, Some(2), "{plan:?}");
        assert_eq!(plan.json()["engine"]["kind"], kind);
    }
}

pub(crate) async fn who_is_no_engine_is_told_apart_from_one(h: &Harness) {
    let program = Program::on(h);
    let file = json!({"containers": {h.name("web").as_str(): {"image": h.images().plain.to_string()}}});
    let folder = TempDir::new().unwrap();
    let at = |name: &str| format!("unix://{}", folder.path().join(name).display());
    let listen = |name: &str| UnixListener::bind(folder.path().join(name)).unwrap();
    let (closing, talking, silent) = (listen("closing"), listen("talking"), listen("silent"));
    tokio::spawn(async move { while closing.accept().await.is_ok() {} });
    tokio::spawn(async move {
        while let Ok((mut client, _)) = talking.accept().await {
            let _ = client.read(&mut [0; 1024]).await;
            let _ = client.write_all(b"220 ready\r\n").await;
        }
    });
    std::fs::write(folder.path().join("file"), "").unwrap();
    drop(listen("nobody"));

    for (name, kind) in [
        ("missing", "not_found"),
        ("nobody", "unreachable"),
        ("file", "rejected"),
        ("closing", "unreachable"),
        ("talking", "undecodable"),
        ("silent", "timed_out"),
    ] {
        let said = program.at(at(name)).run("apply", &file, &["--json"]).await;
        assert_eq!(said.code, Some(1), "{name}: {said:?}");
        let error = &said.json()["error"];
        assert_eq!(error["kind"], kind, "{name}: {error}");
        assert!(error["message"].as_str().unwrap().contains(&at(name)), "{name}: {error}");
    }
    drop(silent);
}

pub(crate) async fn somebody_elses_container_is_judged_by_what_it_is(h: &Harness) {
    let program = Program::on(h);
    let name = h.name("web");
    let spec = json!({"image": h.images().plain.to_string(), "environment": {"MODE": "fast"}});
    let id = h.start(&name, &h.spec(spec.clone())).await;
    let file = json!({"containers": {name.as_str(): spec}});

    assert_nothing_to_do(&program.run("plan", &file, &[]).await);
    assert_eq!(h.see(&name).await.id, id);
}

pub(crate) async fn somebody_elses_container_in_the_way_of_a_replacement_is_left_alone(h: &Harness) {
    let program = Program::on(h);
    let subject = Subject::new(h, "web").await;
    let before = subject.alone().await;
    let foreign = h.start(&h.name("web").next(), &h.spec(json!({}))).await;

    let wanted = subject.other(json!({}));
    for more in [&[][..], &["--take-over"]] {
        let plan = program.run("plan", &wanted, more).await;
        let applied = program.run("apply", &wanted, more).await;
        for ran in [plan, applied] {
            assert_eq!(ran.code, Some(1), "{ran:?}");
            assert!(ran.out.contains("cannot be explained by an interrupted replacement"), "{ran:?}");
        }
    }

    assert_eq!(h.see_id(&before.id).await.started, before.started);
    assert_eq!(h.see_id(&foreign).await.status, Status::Running);
}

/// Waits until the new container runs under its name.
pub(crate) async fn until_the_new_one_runs(h: &Harness, old: &ContainerId) {
    let begun = Instant::now();
    loop {
        let is_new = |state: &ContainerState| state.id != *old && state.status == Status::Running;
        if h.look(&h.name("web")).await.as_ref().is_some_and(is_new) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_mins(3), "the new container is not there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

pub(crate) async fn ctrl_c_puts_the_old_container_back(h: &Harness) {
    let program = Program::on(h);
    let subject = Subject::new(h, "web").await;
    let before = subject.alone().await;
    subject.write(&before.id, "kept").await;
    let wanted = subject.other(json!({"image": h.images().never_healthy.to_string()}));

    let running = program.begin("apply", &wanted, &["--goal", "healthy"]).await;
    until_the_new_one_runs(h, &before.id).await;
    running.interrupt().await;
    let ran = running.output().await;

    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("everything was put back"), "{ran:?}");
    assert!(ran.err.contains("stopping: "), "{ran:?}");
    assert_eq!(subject.alone().await.id, before.id);
    subject.assert_data(&before.id, "kept").await;
}

pub(crate) async fn ctrl_c_twice_drops_everything_and_the_next_run_puts_it_right(h: &Harness) {
    let program = Program::on(h);
    let subject = Subject::new(h, "web").await;
    let before = subject.alone().await;
    subject.write(&before.id, "kept").await;
    let wanted = subject.other(json!({"image": h.images().never_healthy.to_string()}));

    // The second one comes while the new container is being stopped.
    let old = before.id.to_string();
    let stops_new = move |request: &str| request.contains("/stop") && !request.contains(&old);
    let rule = move |request: &str| stops_new(request).then_some(Moment::Before);
    let mut proxy = Proxy::start(&program.socket(), rule).unwrap();
    let running = program.at(proxy.address()).begin("apply", &wanted, &["--goal", "healthy"]).await;
    until_the_new_one_runs(h, &before.id).await;
    running.interrupt().await;
    let held = proxy.held().await;
    running.interrupt().await;
    let ran = running.output().await;
    drop(held);

    assert_eq!(ran.code, Some(130), "{ran:?}");
    assert!(subject.look().await.is_interrupted());
    // It looks first whether the new container becomes healthy.
    let mut old = subject.spec();
    old["containers"][h.name("web").as_str()]["deploy"]["deadlines"] = json!({"request": "60s", "healthy": "2s"});
    let recovered = program.run("apply", &old, &["--take-over"]).await;
    assert_eq!(recovered.code, Some(0), "{recovered:?}");
    assert_eq!(subject.alone().await.id, before.id);
    subject.assert_data(&before.id, "kept").await;
}
