//! What is said on the wire: how many requests it takes, counted between us and the engine.

use std::sync::Arc;

use kolla_container_core::spec::{Command, Signal};
use kolla_container_core::state::{ContainerFilter, ContainerUpdate, Exec};
use kolla_container_core::{Limit, Runtime};
use kolla_container_docker::{Address, Connection, Docker};
use kolla_container_testkit::stories::{Tap, assert_a_look_at_each};
use kolla_container_testkit::{Harness, cases};
use serde_json::json;

use crate::api;

cases! { "wire";
    a_hundred_containers_are_looked_at_with_a_request_for_each;
    each_operation_is_as_many_requests_as_it_is_said_to_be;
}

/// The engine, behind one who counts.
async fn tapped() -> (Docker, Tap) {
    let tap = Tap::before(api::socket());
    let docker = Docker::connect(&Connection::new(Address::Unix(tap.socket()))).await.unwrap();
    tap.requests();
    (docker, tap)
}

async fn a_hundred_containers_are_looked_at_with_a_request_for_each(h: &Harness) {
    let (docker, tap) = tapped().await;

    assert_a_look_at_each(h, 100, Arc::new(docker), &tap).await;
}

async fn each_operation_is_as_many_requests_as_it_is_said_to_be(h: &Harness) {
    let (docker, tap) = tapped().await;
    let mut counted = Vec::new();
    let mut count = |operation| counted.push((operation, tap.requests().len()));

    let id = docker.create_container(&h.name("web"), &h.spec(json!({}))).await.unwrap().id;
    count("create");
    docker.start_container(&id).await.unwrap();
    count("start");
    docker.container(&h.name("web")).await.unwrap().unwrap();
    count("look");
    docker.containers(&ContainerFilter::default()).await.unwrap();
    count("list");
    docker.image(&h.images().plain).await.unwrap().unwrap();
    count("look at the image");
    docker.exec(&id, &Exec { command: Command::new(["true"]), user: None }).await.unwrap();
    count("exec");
    let mut update = ContainerUpdate::default();
    update.resources.pids_limit = Some(Limit::At(100));
    docker.update_container(&id, &update).await.unwrap();
    count("update");
    docker.rename_container(&id, &h.name("renamed")).await.unwrap();
    count("rename");
    docker.pause_container(&id).await.unwrap();
    count("pause");
    docker.unpause_container(&id).await.unwrap();
    count("unpause");
    docker.restart_container(&id, None).await.unwrap();
    count("restart");
    docker.kill_container(&id, Signal::KILL).await.unwrap();
    count("kill");
    docker.wait_container(&id).await.unwrap();
    count("wait");
    docker.start_container(&id).await.unwrap();
    count("start again");
    docker.stop_container(&id, None).await.unwrap();
    count("stop");
    docker.remove_container(&id).await.unwrap();
    count("remove");

    let expected = [
        ("create", 1),
        ("start", 1),
        ("look", 1),
        ("list", 1),
        ("look at the image", 1),
        ("exec", 3),
        ("update", 2),
        ("rename", 1),
        ("pause", 1),
        ("unpause", 1),
        ("restart", 1),
        ("kill", 1),
        ("wait", 2),
        ("start again", 1),
        ("stop", 2),
        ("remove", 1),
    ];
    assert_eq!(counted, expected);
}
