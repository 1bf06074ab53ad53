//! kolla-ansible's module as a program, as Ansible runs it: one file with parameters, one document back.

use std::process::Stdio;

use kolla_container_core::state::{EngineKind, Status};
use kolla_container_testkit::Harness;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::supervised::{bus, folder, socket};

/// What the module answers.
async fn module(h: &Harness, arguments: Value) -> Value {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), arguments.to_string()).unwrap();
    let variable = if h.runtime().engine().kind == EngineKind::Podman { "CONTAINER_HOST" } else { "DOCKER_HOST" };
    let mut command = Command::new(env!("CARGO_BIN_EXE_kolla_container"));
    command.arg(file.path()).stdin(Stdio::null()).kill_on_drop(true);
    command.env("DBUS_SYSTEM_BUS_ADDRESS", bus()).env(variable, format!("unix://{}", socket(h).display()));
    command.env("KOLLA_CONTAINER_UNIT_FOLDER", folder().join("units"));
    let ended = command.output().await.unwrap();
    let answer: Value = serde_json::from_slice(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    assert_eq!(ended.status.success(), answer["failed"] != true, "{answer}");
    answer
}

/// The parameters of a service, with others besides.
fn service(h: &Harness, name: &str, action: &str, more: Value) -> Value {
    let mut arguments = json!({
        "action": action,
        "name": name,
        "image": h.images().plain.to_string(),
        "environment": {"MODE": "fast"},
        "healthcheck": null,
        "common_options": {
            "container_engine": h.runtime().engine().kind.to_string(),
            "restart_policy": "unless-stopped",
            "graceful_timeout": 1,
        },
        "_ansible_verbosity": 3,
    });
    kolla_container_testkit::matrix::merge(&mut arguments, more);
    arguments
}

pub(crate) async fn a_service_is_deployed_reconfigured_stopped_and_destroyed(h: &Harness) {
    let name = h.name("web");
    let ask = async |action: &str, more: Value| module(h, service(h, name.as_str(), action, more)).await;
    let changed = |answer: &Value| answer["changed"].as_bool().unwrap_or_else(|| panic!("{answer}"));

    let missing = ask("compare_container", json!({})).await;
    assert_eq!((changed(&missing), &missing["comparison_failures"][0]["name"]), (true, &"container_missing".into()));
    let checked = ask("start_container", json!({"_ansible_check_mode": true})).await;
    assert!(changed(&checked) && h.runtime().container(&name).await.unwrap().is_none());
    assert!(changed(&ask("start_container", json!({})).await));
    let before = h.see(&name).await;
    assert_eq!(before.status, Status::Running);
    assert!(folder().join("units").join(format!("kolla-{name}-container.service")).exists());
    for action in ["start_container", "compare_container", "recreate_or_restart_container"] {
        assert!(!changed(&ask(action, json!({})).await), "{action}");
    }

    let other = json!({"environment": {"MODE": "slow", "DB_PASSWORD": "hunter2"}, "_ansible_diff": true});
    let compared = ask("compare_container", other.clone()).await;
    let names: Vec<&str> =
        compared["comparison_failures"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!((changed(&compared), names), (true, vec!["environment", "environment"]));
    assert!(!compared.to_string().contains("hunter2"), "{compared}");
    assert!(compared["diff"]["after"].as_str().unwrap().contains("environment[MODE]: slow"), "{compared}");
    assert!(changed(&ask("recreate_or_restart_container", other.clone()).await));
    let after = h.see(&name).await;
    assert_ne!(after.id, before.id);

    assert!(changed(&ask("restart_container", json!({})).await));
    assert!(changed(&ask("stop_container", json!({})).await));
    assert!(!changed(&ask("stop_container", json!({})).await));
    assert_eq!(h.see(&name).await.status, Status::Exited);
    let stopped = ask("compare_container", other.clone()).await;
    assert_eq!(stopped["comparison_failures"][0]["name"], "container_state", "{stopped}");
    // A stopped one is started, not replaced.
    assert!(changed(&ask("start_container", other).await));
    assert_eq!(h.see(&name).await.id, after.id);

    assert!(changed(&ask("stop_and_remove_container", json!({})).await));
    assert!(!changed(&ask("remove_container", json!({})).await));
    assert!(h.runtime().container(&name).await.unwrap().is_none());
    assert!(!folder().join("units").join(format!("kolla-{name}-container.service")).exists());
    let absent = ask("stop_container", json!({})).await;
    assert_eq!(absent["msg"], format!("No such container: {name} to stop"));
    assert!(!changed(&ask("stop_container", json!({"ignore_missing": true})).await));
}

pub(crate) async fn a_bootstrap_tells_how_it_ended_and_volumes_and_images_are_dealt_with(h: &Harness) {
    let (name, volume) = (h.name("bootstrap"), h.volume("data"));
    let once = |command: &str| json!({"command": command, "detach": false, "restart_policy": "oneshot", "labels": {"BOOTSTRAP": null}});

    let done = module(h, service(h, name.as_str(), "start_container", once("sh -c 'echo done; echo bad >&2'"))).await;
    assert_eq!((&done["changed"], &done["rc"]), (&true.into(), &0.into()), "{done}");
    assert_eq!((&done["stdout"], &done["stderr"]), (&"done\n".into(), &"bad\n".into()));
    let failed = module(h, service(h, name.as_str(), "start_container", once("sh -c 'exit 3'"))).await;
    assert_eq!((&failed["rc"], &failed["msg"]), (&3.into(), &"Container exited with non-zero return code 3".into()));
    assert!(h.runtime().container(&name).await.unwrap().is_none());

    let engine = h.runtime().engine().kind.to_string();
    let ask = async |action: &str, more: Value| {
        let mut arguments = json!({"action": action, "container_engine": engine});
        kolla_container_testkit::matrix::merge(&mut arguments, more);
        module(h, arguments).await["changed"].clone()
    };
    for (action, expected) in
        [("create_volume", true), ("create_volume", false), ("remove_volume", true), ("remove_volume", false)]
    {
        assert_eq!(ask(action, json!({"name": volume.to_string()})).await, expected, "{action}");
    }
    let image = h.images().plain.to_string();
    assert_eq!(ask("ensure_image", json!({"image": image})).await, false);
    assert_eq!(ask("remove_image", json!({"image": h.image_name("missing").to_string()})).await, false);
}
