//! The program with systemd: five services of an OpenStack host under units, from the first run to the last.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use kolla_container_core::spec::Signal;
use kolla_container_core::state::Status;
use kolla_container_core::{Active, ContainerName, Runtime, Supervisor};
use kolla_container_systemd::{Config, Systemd};
use kolla_container_testkit::Harness;
use serde_json::{Value, json};

use crate::program::{Ran, Running, start};
use crate::proxy::{Moment, Proxy, nth_write};

/// Says where the files of the machine with systemd are.
pub(crate) const MACHINE: &str = "KOLLA_TEST_SYSTEMD";

/// How many requests to the engine change something in a replacement.
const WRITES: usize = 4;

const SERVICES: [&str; 5] = ["fluentd", "cron", "memcached", "nova_api", "keystone"];

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(std::env::var_os(MACHINE).unwrap())
}

fn prefix(runtime: &Arc<dyn Runtime>) -> String {
    format!("program-{}", runtime.engine().kind)
}

pub(crate) fn bus() -> String {
    format!("unix:path={}", folder().join("bus/system_bus_socket").display())
}

/// The units that the program writes, looked at without it.
pub(crate) async fn systemd(runtime: Arc<dyn Runtime>) -> kolla_container_core::Result<Arc<dyn Supervisor>> {
    let config = Config {
        prefix: prefix(&runtime),
        bus: Some(bus()),
        folder: Some(folder().join("units")),
        ..Config::default()
    };
    Ok(Arc::new(Systemd::connect(runtime, config).await?))
}

fn unit_name(h: &Harness, name: &ContainerName) -> String {
    format!("{}-{name}-container.service", prefix(h.runtime()))
}

pub(crate) fn socket(h: &Harness) -> PathBuf {
    folder().join(format!("{}.sock", h.runtime().engine().kind))
}

/// Begins to run the program with systemd, on the engine that listens at `host`.
async fn begin(h: &Harness, host: &str, command: &str, file: &Value, more: &[&str]) -> Running {
    let (engine, prefix) = (h.runtime().engine().kind.to_string(), prefix(h.runtime()));
    let folder = folder().join("units").display().to_string();
    let arguments = [command, "-", "--engine", &engine, "--host", host, "--supervisor", "systemd"];
    // `host` may be a proxy's, which is gone after this run.
    let variable = if engine == "docker" { "DOCKER_HOST" } else { "CONTAINER_HOST" };
    let address = format!("{variable}=unix://{}", socket(h).display());
    let units = ["--unit-prefix", &prefix, "--unit-folder", &folder, "--unit-environment", &address];
    let bus = bus();
    let variables = [("DBUS_SYSTEM_BUS_ADDRESS", bus.as_str())];
    start(&[&arguments[..], &units, more].concat(), &variables, &file.to_string()).await
}

async fn run(h: &Harness, command: &str, file: &Value) -> Ran {
    let host = format!("unix://{}", socket(h).display());
    begin(h, &host, command, file, &["--take-over"]).await.output().await
}

/// In kolla-ansible's words; `retries` is how often systemd starts each again.
fn services(h: &Harness, retries: u32) -> Value {
    let image = h.images().plain.to_string();
    let services: Vec<Value> = SERVICES
        .iter()
        .map(|service| {
            json!({
                "container_name": h.name(service).to_string(),
                "image": image,
                "volumes": ["/etc/hosts:/etc/hosts:ro", format!("{}:/var/log/kolla", h.volume("kolla_logs"))],
                "environment": {"KOLLA_CONFIG_STRATEGY": "COPY_ALWAYS", "KOLLA_SERVICE_NAME": service},
                "restart_retries": retries,
            })
        })
        .collect();
    json!({
        "common_options": {"restart_policy": "unless-stopped"},
        "services": services,
    })
}

async fn active(h: &Harness, name: &ContainerName) -> Option<Active> {
    h.supervisor().unit(name).await.unwrap().map(|unit| unit.active)
}

pub(crate) async fn five_services_are_kept_under_units_from_the_first_run_to_the_last(h: &Harness) {
    let names = SERVICES.map(|service| h.name(service));

    let applied = run(h, "apply", &services(h, 10)).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    for name in &names {
        let unit = h.supervisor().unit(name).await.unwrap().unwrap();
        assert!(unit.enabled && unit.active == Active::Active, "{name}: {unit:?}");
    }
    let again = run(h, "plan", &services(h, 10)).await;
    assert_eq!(again.code, Some(0), "{again:?}");

    is_started_again_after_the_engines_own_kill(h, &names[0]).await;

    // Fewer starts: a line of each unit, and no container.
    let before = h.see(&names[1]).await;
    let plan = run(h, "plan", &services(h, 5)).await;
    assert_eq!(plan.code, Some(2), "{plan:?}");
    assert_eq!(plan.out.matches("unit[Unit.StartLimitBurst]").count(), SERVICES.len(), "{plan:?}");
    assert_eq!(plan.out.matches(": repair").count(), SERVICES.len(), "{plan:?}");
    let applied = run(h, "apply", &services(h, 5)).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    let after = h.see(&names[1]).await;
    assert_eq!((after.id, after.started), (before.id, before.started));

    h.supervisor().stop(&names[2]).await.unwrap();
    assert_eq!(h.see(&names[2]).await.status, Status::Exited);
    let applied = run(h, "apply", &services(h, 5)).await;
    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert_eq!(active(h, &names[2]).await, Some(Active::Active));

    let removed = run(h, "remove", &services(h, 5)).await;
    assert_eq!(removed.code, Some(0), "{removed:?}");
    for name in &names {
        let unit = folder().join("units").join(unit_name(h, name));
        let link = folder().join("units/multi-user.target.wants").join(unit_name(h, name));
        assert_eq!(h.look(name).await, None);
        assert!(unit.symlink_metadata().is_err() && link.symlink_metadata().is_err(), "{name}");
    }
}

/// `docker kill` and `podman kill`, from outside of the machine.
async fn is_started_again_after_the_engines_own_kill(h: &Harness, name: &ContainerName) {
    let before = h.see(name).await;
    let engine = h.runtime().engine().kind.to_string();
    let host = format!("unix://{}", socket(h).display());
    let mut kill = Command::new(&engine);
    match engine.as_str() {
        "docker" => kill.args(["--host", &host]),
        _ => kill.args(["--remote", "--url", &host]),
    };
    let killed = kill.args(["kill", "--signal", &Signal::KILL.to_string(), name.as_str()]).output().unwrap();
    assert!(killed.status.success(), "{killed:?}");

    let is_back = |there: &kolla_container_core::state::ContainerState| {
        there.status == Status::Running && there.started > before.started
    };
    let mut there = h.see(name).await;
    for _ in 0..600 {
        if is_back(&there) && active(h, name).await == Some(Active::Active) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        there = h.see(name).await;
    }
    assert!(is_back(&there), "{there:?}");
    let again = run(h, "plan", &services(h, 10)).await;
    assert_eq!(again.code, Some(0), "{again:?}");
}

pub(crate) async fn a_supervised_replacement_killed_at_any_write_is_made_good(h: &Harness) {
    let name = h.name("web");
    let file = |value: usize| {
        json!({"containers": {name.as_str(): {
            "image": h.images().plain.to_string(),
            "environment": {"A": value.to_string()},
            "restart": "always",
            "deploy": {"settle": "300ms"},
        }}})
    };
    let made = run(h, "apply", &file(0)).await;
    assert_eq!(made.code, Some(0), "{made:?}");
    let mut cut = 0;
    for nth in 1.. {
        let mut proxy = Proxy::start(&socket(h), nth_write(nth, Moment::Before)).unwrap();
        let mut running = begin(h, &proxy.address(), "apply", &file(nth), &[]).await;
        let held = tokio::select! {
            held = proxy.held() => held,
            status = running.ended() => {
                assert!(status.success(), "{status}");
                break;
            }
        };
        running.kill().await;
        let at = held.request.clone();
        drop(held);
        cut += 1;

        let recovered = run(h, "apply", &file(nth)).await;

        assert_eq!(recovered.code, Some(0), "{at}: {recovered:?}");
        assert_eq!(h.containers().await, ["web"], "{at}");
        assert_eq!(active(h, &name).await, Some(Active::Active), "{at}");
        let again = run(h, "plan", &file(nth)).await;
        assert_eq!(again.code, Some(0), "{at}: {again:?}");
    }
    assert!(cut >= WRITES, "{cut}");
}
