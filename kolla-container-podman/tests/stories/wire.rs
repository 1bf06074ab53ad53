//! What is said on the wire: how many requests it takes, counted between us and the engine.

use std::env;
use std::sync::Arc;

use kolla_container_core::Runtime;
use kolla_container_core::spec::{Command, Signal};
use kolla_container_core::state::{ContainerFilter, Exec, Status};
use kolla_container_podman::{Address, Connection, Podman};
use kolla_container_testkit::stories::{Tap, assert_a_look_at_each};
use kolla_container_testkit::{Harness, cases};
use serde_json::json;

use crate::subject;

cases! { "wire";
    fifty_containers_are_looked_at_with_a_request_for_each;
    each_operation_is_as_many_requests_as_it_is_said_to_be;
}

/// The engine, behind one who counts.
async fn tapped() -> (Podman, Tap) {
    let address = env::var(subject::VARIABLE).unwrap();
    let socket = address.strip_prefix("unix://").unwrap_or_else(|| panic!("{address} is no socket"));
    let tap = Tap::before(socket.into());
    let podman = Podman::connect(&Connection::new(Address::Unix(tap.socket()))).await.unwrap();
    tap.requests();
    (podman, tap)
}

async fn fifty_containers_are_looked_at_with_a_request_for_each(h: &Harness) {
    let (podman, tap) = tapped().await;

    assert_a_look_at_each(h, 50, Arc::new(podman), &tap).await;
}

async fn each_operation_is_as_many_requests_as_it_is_said_to_be(h: &Harness) {
    let (podman, tap) = tapped().await;
    let mut counted = Vec::new();
    let mut count = |operation| counted.push((operation, tap.requests().len()));

    let id = podman.create_container(&h.name("web"), &h.spec(json!({}))).await.unwrap().id;
    count("create");
    podman.start_container(&id).await.unwrap();
    count("start");
    podman.container(&h.name("web")).await.unwrap().unwrap();
    count("look");
    podman.containers(&ContainerFilter::default()).await.unwrap();
    count("list");
    podman.image(&h.images().plain).await.unwrap().unwrap();
    count("look at the image");
    podman.exec(&id, &Exec { command: Command::new(["true"]), user: None }).await.unwrap();
    count("exec");
    podman.rename_container(&id, &h.name("renamed")).await.unwrap();
    count("rename");
    podman.pause_container(&id).await.unwrap();
    count("pause");
    podman.unpause_container(&id).await.unwrap();
    count("unpause");
    podman.restart_container(&id, None).await.unwrap();
    count("restart");
    podman.kill_container(&id, Signal::KILL).await.unwrap();
    count("kill");
    // A kill does not wait for the end, which is looked for beside the wire.
    h.wait_until(&id, |state| state.status == Status::Exited).await;
    podman.wait_container(&id).await.unwrap();
    count("wait");
    podman.start_container(&id).await.unwrap();
    count("start again");
    podman.stop_container(&id, None).await.unwrap();
    count("stop");
    podman.remove_container(&id).await.unwrap();
    count("remove");

    let expected = [
        ("create", 1),
        ("start", 1),
        ("look", 1),
        ("list", 1),
        ("look at the image", 1),
        ("exec", 3),
        ("rename", 1),
        ("pause", 1),
        ("unpause", 1),
        ("restart", 1),
        ("kill", 1),
        ("wait", 1),
        ("start again", 1),
        ("stop", 2),
        ("remove", 1),
    ];
    assert_eq!(counted, expected);
}
