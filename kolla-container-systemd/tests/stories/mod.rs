//! What only a real systemd shows.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use kolla_container_core::plan::Effect;
use kolla_container_core::spec::Signal;
use kolla_container_core::state::{EngineKind, Status};
use kolla_container_core::{
    Active, ContainerName, ContainerSpec, ErrorKind, Goal, Goals, Reconciler, Report, Result, Runtime, Service,
    Supervisor,
};
use kolla_container_systemd::{Config, Systemd};
use kolla_container_testkit::{Harness, Kind, cases};
use serde_json::{Value, json};

use crate::machine::{self, call};

cases! { "systemd";
    units_pass_systemds_own_check;
    podmans_generator_reads_a_quadlet_as_it_was_meant ["quadlet"];
    a_failed_start_tells_how_it_ended_and_its_last_lines;
    somebody_elses_unit_is_refused_and_left_alone_unless_adopted;
    a_masked_unit_is_refused;
    a_unit_that_was_disabled_or_changed_is_named_and_put_right;
    a_changed_drop_in_is_a_change_of_the_unit;
    a_unit_of_the_other_engine_is_taken_over;
    a_unit_that_waits_for_its_next_try_is_stopped_and_removed_and_replaced;
    a_container_that_its_unit_has_lost_is_stopped_and_restarted_and_removed;
    a_target_is_made_where_that_is_asked_for;
    nothing_is_left_of_a_removed_container;
    a_container_that_was_removed_behind_our_back_is_made_again_under_its_unit;
    a_bus_that_is_not_there_is_unreachable;
}

fn unit_name(h: &Harness, name: &ContainerName) -> String {
    config(h).unit_name(name)
}

fn config(h: &Harness) -> Config {
    machine::config(&machine::folder(), h.runtime().engine().kind)
}

fn file(h: &Harness, name: &ContainerName) -> PathBuf {
    machine::folder().join("units").join(unit_name(h, name))
}

fn link(h: &Harness, name: &ContainerName) -> PathBuf {
    machine::folder().join("units/multi-user.target.wants").join(unit_name(h, name))
}

fn supervised(h: &Harness, systemd: Systemd) -> Reconciler {
    Reconciler::new(Arc::clone(h.runtime())).with_supervisor(Arc::new(systemd))
}

async fn connected(h: &Harness, change: impl FnOnce(&mut Config)) -> Systemd {
    systemd(h.runtime(), change).await.unwrap()
}

/// Another connection to the machine's systemd, with another configuration.
async fn systemd(runtime: &Arc<dyn Runtime>, change: impl FnOnce(&mut Config)) -> Result<Systemd> {
    let mut config = machine::config(&machine::folder(), runtime.engine().kind);
    change(&mut config);
    Systemd::connect(Arc::clone(runtime), config).await
}

/// A supervised container as a user states it.
fn kept(h: &Harness, written: &Value) -> Goal {
    let mut all = json!({"restart": "always"});
    kolla_container_testkit::matrix::merge(&mut all, written.clone());
    Goal::running(h.spec(all))
}

async fn reach(h: &Harness, name: &ContainerName, goal: Goal) -> Report {
    let report = supervised(h, connected(h, |_| ()).await).reconcile(&Goals::one(name.clone(), goal)).await.unwrap();
    assert!(report.is_success(), "{report}");
    report
}

async fn assert_reached(h: &Harness, name: &ContainerName, goal: Goal) {
    let plan = supervised(h, connected(h, |_| ()).await).plan(&Goals::one(name.clone(), goal)).await.unwrap();
    assert!(plan.is_empty(), "{plan}");
}

/// In every form that a unit can have.
async fn units_pass_systemds_own_check(h: &Harness) {
    let pairs = |key: &str, value: &str| std::collections::BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let plain = connected(h, |_| ()).await;
    let full = connected(h, |config| {
        config.after = vec!["network-online.target".to_owned()];
        config.environment = pairs("A", "a \"b\" %h \\ \n c");
        config.drop_ins = pairs("limits", "[Service]\nNice=5\n");
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    for (systemd, kind) in [(&plain, "plain"), (&full, "full")] {
        for policy in ["no", "always", "on-failure", "on-failure:3", "unless-stopped"] {
            let spec = h.spec(json!({"restart": policy, "stop_timeout": 100}));
            let name = h.name(&format!("{kind}.{}", policy.replace(':', "_")));
            let text = systemd.render(&Service::new(name.clone(), h.runtime().engine().kind, &spec));
            let path = folder.path().join(unit_name(h, &name));
            fs::write(&path, &text).unwrap();

            let check = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output().unwrap();

            let said = String::from_utf8_lossy(&check.stderr).into_owned();
            let about = said.lines().filter(|line| line.contains(&unit_name(h, &name))).collect::<Vec<_>>();
            assert!(about.is_empty(), "{about:?}\n{text}");
        }
    }
    // It does find something where there is something to find.
    let path = folder.path().join("kit-broken.service");
    fs::write(&path, "[Service]\nExecStart=/usr/bin/docker\nRestart=oneshot\n").unwrap();
    let check = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&path).output().unwrap();
    assert!(String::from_utf8_lossy(&check.stderr).contains("kit-broken.service"), "{check:?}");
}

async fn podmans_generator_reads_a_quadlet_as_it_was_meant(h: &Harness) {
    let name = h.name("web");
    let spec = h.spec(json!({
        "command": ["sleep", "a b", "$HOME", "100%", "\"quoted\""],
        "environment": {"A": "1 2", "B": "$HOME %h"},
        "labels": {"kit.label": "a \\ b"},
        "mounts": ["/etc:/host:ro", {"type": "tmpfs", "target": "/cache", "size": "1m"}],
        "healthcheck": {"test": ["CMD", "test", "-e", "a b"], "interval": 5},
        "restart": "on-failure:3",
    }));
    let service = Service::new(name.clone(), h.runtime().engine().kind, &spec);
    let text = kolla_container_systemd::quadlet(&service, &spec, &config(h)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(unit_name(h, &name).replace(".service", ".container")), &text).unwrap();

    let read = Command::new(machine::generator().unwrap())
        .env("QUADLET_UNIT_DIRS", folder.path())
        .arg("-dryrun")
        .output()
        .unwrap();

    let unit = String::from_utf8_lossy(&read.stdout).into_owned();
    let said = String::from_utf8_lossy(&read.stderr).into_owned();
    assert!(unit.contains(&format!("---{}---", unit_name(h, &name))), "{said}\n{unit}");
    let start = unit.lines().find(|line| line.starts_with("ExecStart=")).unwrap();
    let parts = [
        format!("--name {name}"),
        r#""--env=A=1 2""#.to_owned(),
        r#""--env=B=$$HOME %%h""#.to_owned(),
        "--volume=/etc:/host:ro".to_owned(),
        r#"sleep "a b" $$HOME 100%% "\"quoted\"""#.to_owned(),
    ];
    for part in parts {
        assert!(start.contains(&part), "{part}\n{start}");
    }
    assert!(unit.contains("Restart=on-failure\n") && unit.contains("StartLimitBurst=4\n"), "{unit}");
}

async fn a_failed_start_tells_how_it_ended_and_its_last_lines(h: &Harness) {
    let name = h.name("web");
    let script = "echo no such database >&2; exit 3";
    let spec = h.spec(json!({"entrypoint": ["/bin/sh", "-c"], "command": [script]}));
    h.create(&name, &spec).await;
    let text = h.supervisor().render(&Service::new(name.clone(), h.runtime().engine().kind, &spec));
    h.supervisor().install(&name, &text).await.unwrap();

    let error = h.failed_start(&name, "no such database").await;

    let report = error.report();
    assert_eq!(error.kind(), ErrorKind::EngineFailed);
    for part in [unit_name(h, &name).as_str(), "exit status 3", "exit-code"] {
        assert!(report.contains(part), "{part}: {report}");
    }
}

async fn somebody_elses_unit_is_refused_and_left_alone_unless_adopted(h: &Harness) {
    let name = h.name("web");
    let foreign = "[Service]\nExecStart=/bin/sleep 1000\n";
    fs::write(file(h, &name), foreign).unwrap();
    call("Reload", &[]);
    let goals = Goals::one(name.clone(), kept(h, &json!({})));

    let refused = supervised(h, connected(h, |_| ()).await).reconcile(&goals).await.unwrap();
    assert!(refused.to_string().contains("adopt or remove it"), "{refused}");
    assert_eq!(h.supervisor().install(&name, "text").await.kind(), Some(ErrorKind::Conflict));
    assert_eq!(h.supervisor().remove(&name).await.kind(), Some(ErrorKind::Conflict));
    assert_eq!(fs::read_to_string(file(h, &name)).unwrap(), foreign);
    assert_eq!(h.look(&name).await, None);

    let adopted = supervised(h, connected(h, |config| config.adopt = true).await).reconcile(&goals).await.unwrap();
    assert!(adopted.is_success(), "{adopted}");
    assert_reached(h, &name, kept(h, &json!({}))).await;
}

async fn a_masked_unit_is_refused(h: &Harness) {
    let name = h.name("web");
    std::os::unix::fs::symlink("/dev/null", file(h, &name)).unwrap();
    call("Reload", &[]);
    let goals = Goals::one(name.clone(), kept(h, &json!({})));

    let refused = supervised(h, connected(h, |_| ()).await).reconcile(&goals).await.unwrap();
    let start = h.supervisor().start(&name).await;

    assert!(refused.to_string().contains("unmask it first"), "{refused}");
    assert_eq!(start.kind(), Some(ErrorKind::Conflict));
    fs::remove_file(file(h, &name)).unwrap();
    call("Reload", &[]);
}

async fn a_unit_that_was_disabled_or_changed_is_named_and_put_right(h: &Harness) {
    let name = h.name("web");
    reach(h, &name, kept(h, &json!({}))).await;
    let before = h.see(&name).await;
    let unit = unit_name(h, &name);
    let text = fs::read_to_string(file(h, &name)).unwrap();

    call("DisableUnitFiles", &["asb", "1", &unit, "false"]);
    assert_named_and_put_right(h, &name, "unit[enabled]").await;

    fs::write(file(h, &name), text.replace("RestartSec=6", "RestartSec=1")).unwrap();
    call("Reload", &[]);
    assert_named_and_put_right(h, &name, "unit[Service.RestartSec]").await;

    assert_eq!(h.see(&name).await.started, before.started);
}

async fn planned(h: &Harness, name: &ContainerName) -> String {
    let goals = Goals::one(name.clone(), kept(h, &json!({})));
    supervised(h, connected(h, |_| ()).await).plan(&goals).await.unwrap().to_string()
}

async fn assert_named_and_put_right(h: &Harness, name: &ContainerName, change: &str) {
    let plan = planned(h, name).await;
    assert!(plan.contains(change), "{change}: {plan}");
    assert_eq!(reach(h, name, kept(h, &json!({}))).await.containers[0].effect, Effect::Repaired);
    assert_reached(h, name, kept(h, &json!({}))).await;
}

async fn a_changed_drop_in_is_a_change_of_the_unit(h: &Harness) {
    let name = h.name("web");
    let goals = || Goals::one(name.clone(), kept(h, &json!({})));
    let nice = |nice: u8| {
        move |config: &mut Config| {
            config.drop_ins.insert("nice".to_owned(), format!("[Service]\nNice={nice}\n"));
        }
    };
    assert!(supervised(h, connected(h, nice(5)).await).reconcile(&goals()).await.unwrap().is_success());
    assert!(supervised(h, connected(h, nice(5)).await).plan(&goals()).await.unwrap().is_empty());
    let before = h.see(&name).await;

    let plan = supervised(h, connected(h, nice(6)).await).plan(&goals()).await.unwrap();
    let report = supervised(h, connected(h, nice(6)).await).reconcile(&goals()).await.unwrap();

    assert!(plan.to_string().contains("unit[Service.Nice]"), "{plan}");
    assert!(report.is_success() && report.containers[0].effect == Effect::Repaired, "{report}");
    assert_eq!(h.see(&name).await.started, before.started);
    reach(h, &name, kept(h, &json!({}))).await;
    assert!(!file(h, &name).with_extension("service.d").exists());
}

async fn a_unit_of_the_other_engine_is_taken_over(h: &Harness) {
    let name = h.name("web");
    reach(h, &name, kept(h, &json!({}))).await;
    let text = fs::read_to_string(file(h, &name)).unwrap();
    let engine = h.runtime().engine().kind.to_string();
    // As if the same containers had been those of another engine, whose command still runs.
    h.supervisor().stop(&name).await.unwrap();
    let other = text.replace(&format!("/usr/bin/{engine} start -a {name}"), "/bin/sleep 1000");
    fs::write(file(h, &name), other.replace(&format!("ExecStop=/usr/bin/{engine}"), "ExecStop=/bin/true")).unwrap();
    call("Reload", &[]);
    call("StartUnit", &["ss", &unit_name(h, &name), "replace"]);
    let goals = || Goals::one(name.clone(), kept(h, &json!({})));

    let plan = supervised(h, connected(h, |_| ()).await).plan(&goals()).await.unwrap();
    let report = reach(h, &name, kept(h, &json!({}))).await;

    assert!(plan.to_string().contains("unit[Service.ExecStart]"), "{plan}");
    assert_eq!(report.containers[0].effect, Effect::Restarted, "{report}");
    assert_eq!(h.see(&name).await.status, Status::Running);
    assert_reached(h, &name, kept(h, &json!({}))).await;
}

/// What the unit of a container is doing: `auto-restart`.
fn sub_state(h: &Harness, name: &ContainerName) -> String {
    machine::property(&unit_name(h, name), "SubState")
}

async fn wait_for_its_next_try(h: &Harness, name: &ContainerName) {
    for _ in 0..600 {
        if sub_state(h, name).contains("auto-restart") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let state = sub_state(h, name);
    assert!(state.contains("auto-restart"), "it does not wait: {state}");
}

/// A unit whose container has ended at once, and which tries again in a while.
async fn trying(h: &Harness, name: &ContainerName) {
    let spec = h.spec(json!({
        "image": h.images().exits.to_string(), "restart": "always",
        "deploy": {"start_limit": {"burst": 100, "interval": 6000}}
    }));
    h.create(name, &ContainerSpec { restart: None, ..spec.clone() }).await;
    let text = h.supervisor().render(&Service::new(name.clone(), h.runtime().engine().kind, &spec));
    h.supervisor().install(name, &text).await.unwrap();
    call("StartUnit", &["ss", &unit_name(h, name), "replace"]);
    wait_for_its_next_try(h, name).await;
    // An engine with much to do notices an end some time after it.
    let id = h.see(name).await.id;
    h.wait_until(&id, |state| state.status == Status::Exited).await;
    assert!(sub_state(h, name).contains("auto-restart"), "{}", sub_state(h, name));
}

async fn a_unit_that_waits_for_its_next_try_is_stopped_and_removed_and_replaced(h: &Harness) {
    let name = h.name("web");
    for grace in [None, Some("1s".parse().unwrap())] {
        trying(h, &name).await;
        reach(h, &name, Goal::Stopped { grace }).await;
        assert_eq!(h.supervisor().unit(&name).await.unwrap().unwrap().active, Active::Inactive);
        assert_eq!(h.see(&name).await.status, Status::Exited);
        reach(h, &name, Goal::Absent { volumes: false, grace: None }).await;
    }

    trying(h, &name).await;
    reach(h, &name, Goal::Absent { volumes: false, grace: None }).await;
    assert_eq!((h.look(&name).await, h.supervisor().unit(&name).await.unwrap()), (None, None));

    trying(h, &name).await;
    let report = reach(h, &name, kept(h, &json!({}))).await;
    assert_eq!(report.containers[0].effect, Effect::Replaced);
    assert_reached(h, &name, kept(h, &json!({}))).await;
}

/// Where the engine's command, which the unit watches, was killed, and the container runs: a Docker's goes on, and a
/// Podman's, which ends with it, somebody has started again.
async fn lost(h: &Harness, name: &ContainerName) {
    reach(h, name, kept(h, &json!({"deploy": {"start_limit": {"burst": 10, "interval": 600}}}))).await;
    call("KillUnit", &["ssi", &unit_name(h, name), "main", "9"]);
    wait_for_its_next_try(h, name).await;
    let id = h.see(name).await.id;
    if h.runtime().engine().kind == EngineKind::Podman {
        h.wait_until(&id, |state| state.status == Status::Exited).await;
        h.runtime().start_container(&id).await.unwrap();
    }
    assert_eq!(h.see(name).await.status, Status::Running);
    assert!(sub_state(h, name).contains("auto-restart"), "{}", sub_state(h, name));
}

async fn a_container_that_its_unit_has_lost_is_stopped_and_restarted_and_removed(h: &Harness) {
    let name = h.name("web");
    lost(h, &name).await;
    reach(h, &name, Goal::Stopped { grace: None }).await;
    assert_eq!(h.see(&name).await.status, Status::Exited);

    lost(h, &name).await;
    let before = h.see(&name).await.started;
    reach(h, &name, Goal::Restart { grace: None }).await;
    assert!(h.see(&name).await.started > before);

    lost(h, &name).await;
    let id = h.see(&name).await.id;
    h.runtime().pause_container(&id).await.unwrap();
    reach(h, &name, Goal::Absent { volumes: false, grace: None }).await;
    assert_eq!((h.look(&name).await, h.supervisor().unit(&name).await.unwrap()), (None, None));
}

async fn a_target_is_made_where_that_is_asked_for(h: &Harness) {
    let name = h.name("web");
    let target = format!("{name}.target");
    let with_target = |config: &mut Config| {
        config.target = Some(target.clone());
        config.makes_target = true;
    };
    let goals = Goals::one(name.clone(), kept(h, &json!({})));
    assert!(supervised(h, connected(h, with_target).await).reconcile(&goals).await.unwrap().is_success());

    call("StartUnit", &["ss", &target, "replace"]);
    call("StopUnit", &["ss", &target, "replace"]);

    let id = h.see(&name).await.id;
    h.wait_until(&id, |state| state.status == Status::Exited).await;
    call("DisableUnitFiles", &["asb", "1", &target, "false"]);
    fs::remove_file(machine::folder().join("units").join(&target)).unwrap();
}

async fn nothing_is_left_of_a_removed_container(h: &Harness) {
    let name = h.name("web");
    reach(h, &name, kept(h, &json!({}))).await;
    assert!(link(h, &name).symlink_metadata().is_ok());

    reach(h, &name, Goal::Absent { volumes: false, grace: None }).await;

    assert_eq!(h.look(&name).await, None);
    assert!(file(h, &name).symlink_metadata().is_err());
    assert!(link(h, &name).symlink_metadata().is_err());
    assert_eq!(h.supervisor().start(&name).await.kind(), Some(ErrorKind::NotFound));
}

async fn a_container_that_was_removed_behind_our_back_is_made_again_under_its_unit(h: &Harness) {
    let name = h.name("web");
    reach(h, &name, kept(h, &json!({}))).await;
    let id = h.see(&name).await.id;
    h.runtime().kill_container(&id, Signal::KILL).await.unwrap();
    h.runtime().remove_container(&id).await.unwrap();

    reach(h, &name, kept(h, &json!({}))).await;

    assert_eq!(h.supervisor().unit(&name).await.unwrap().unwrap().active, Active::Active);
    assert_reached(h, &name, kept(h, &json!({}))).await;
}

async fn a_bus_that_is_not_there_is_unreachable(h: &Harness) {
    let nowhere = |config: &mut Config| config.bus = Some("unix:path=/nowhere/bus".to_owned());

    let error = systemd(h.runtime(), nowhere).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Unreachable, "{}", error.report());
}
