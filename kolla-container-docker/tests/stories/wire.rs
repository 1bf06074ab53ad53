//! What is said on the wire: how many requests it takes, counted between us and the engine.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future;
use kolla_container_core::spec::{Command, Signal};
use kolla_container_core::state::{ContainerFilter, ContainerUpdate, Exec};
use kolla_container_core::{Goal, Goals, Limit, Reconciler, Runtime};
use kolla_container_docker::{Address, Connection, Docker};
use kolla_container_testkit::{Harness, cases};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::api;

cases! { "wire";
    a_hundred_containers_of_one_image_are_looked_at_with_a_request_for_each;
    each_operation_is_as_many_requests_as_it_is_said_to_be;
}

/// The lines with which requests began.
type Lines = Arc<Mutex<Vec<String>>>;

/// A way to the engine on which requests are counted.
struct Wire {
    docker: Docker,
    lines: Lines,
    _folder: TempDir,
}

impl Wire {
    async fn tap() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let lines = Lines::default();
        let counted = Arc::clone(&lines);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, Arc::clone(&counted)));
            }
        });
        let docker = Docker::connect(&Connection::new(Address::Unix(socket))).await.unwrap();
        lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Self { docker, lines, _folder: folder }
    }

    /// The requests since it was asked last.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn forward(client: UnixStream, lines: Lines) -> io::Result<()> {
    let (from_client, mut to_client) = client.into_split();
    let (mut from_engine, to_engine) = UnixStream::connect(api::socket()).await?.into_split();
    let answers = async {
        tokio::io::copy(&mut from_engine, &mut to_client).await?;
        to_client.shutdown().await
    };
    future::try_join(requests(BufReader::new(from_client), to_engine, lines), answers).await.map(drop)
}

/// Passes requests on one after another, and writes down how each began.
async fn requests(
    mut from: impl AsyncBufReadExt + AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    lines: Lines,
) -> io::Result<()> {
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if from.read_line(&mut head).await? == 0 {
                return to.shutdown().await;
            }
        }
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(head.lines().next().unwrap_or_default().to_owned());
        to.write_all(head.as_bytes()).await?;
        let head = head.to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        tokio::io::copy(&mut (&mut from).take(length.unwrap_or(0)), &mut to).await?;
        if head.contains("\r\nupgrade: ") {
            // From here on it is no HTTP any more.
            tokio::io::copy(&mut from, &mut to).await?;
        }
    }
}

async fn a_hundred_containers_of_one_image_are_looked_at_with_a_request_for_each(h: &Harness) {
    const CONTAINERS: usize = 100;
    const IMAGES: usize = 1;
    let spec = h.spec(json!({"environment": {"A": "1"}, "labels": {"b": "2"}}));
    let goals: Goals = (0..CONTAINERS)
        .map(|number| (h.name(&format!("worker-{number}")), Goal::Created(Box::new(spec.clone()))))
        .collect();
    let made = h.reconciler().reconcile(&goals).await.unwrap();
    assert!(made.is_success(), "{made}");
    let wire = Wire::tap().await;

    let plan = Reconciler::new(Arc::new(wire.docker.clone())).plan(&goals).await.unwrap();

    assert!(plan.is_empty(), "{plan}");
    let requests = wire.requests();
    assert!(requests.iter().all(|line| line.starts_with("GET ")), "{requests:#?}");
    assert!(requests.len() <= CONTAINERS + IMAGES + 4, "{}: {requests:#?}", requests.len());
}

async fn each_operation_is_as_many_requests_as_it_is_said_to_be(h: &Harness) {
    let wire = Wire::tap().await;
    let docker = &wire.docker;
    let mut counted = Vec::new();
    let mut count = |operation| counted.push((operation, wire.requests().len()));

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
