//! What an engine may answer and a real one seldom does: errors that do not matter in the end, words that nobody knows,
//! connections that are lost, and what newer engines do otherwise. The engine is a script on a socket.

#![expect(clippy::unwrap_used, reason = "what fails to be prepared fails the test")]

use std::sync::{Arc, Mutex};

use futures_util::TryStreamExt;
use kolla_container_core::spec::Command;
use kolla_container_core::state::{ContainerFilter, Exec, ImageToPull, Status};
use kolla_container_core::{ContainerId, ContainerSpec, ErrorKind, Runtime};
use kolla_container_docker::{Address, Connection, Docker};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// An answer: a status and a body.
type Answer = (u16, String);

/// What a script says to the request of that number, of that method and path.
type Script = dyn Fn(usize, &str) -> Option<Answer> + Send + Sync;

struct Engine {
    docker: Docker,
    asked: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
}

impl Engine {
    /// An engine of API 1.41 that answers the rest as `script` says.
    async fn new(script: impl Fn(usize, &str) -> Option<Answer> + Send + Sync + 'static) -> Self {
        Self::of("1.41", script).await
    }

    async fn of(api: &'static str, script: impl Fn(usize, &str) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (script, log): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, api, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        let docker = Docker::connect(&Connection::new(Address::Unix(path))).await.unwrap();
        asked.lock().unwrap().clear();
        Self { docker, asked, _folder: folder }
    }

    /// The requests so far: method and path, without the query.
    fn asked(&self) -> Vec<String> {
        let path = |line: &String| line.split('?').next().unwrap_or_default().to_owned();
        self.asked.lock().unwrap().iter().map(path).collect()
    }
}

async fn serve(mut stream: UnixStream, api: &str, script: Arc<Script>, log: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(request).unwrap();
    let length = head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.unwrap();
    let line: Vec<&str> = head.split(' ').take(2).collect();
    let number = {
        let mut log = log.lock().unwrap();
        log.push(line.join(" "));
        log.len() - 1
    };
    let answer = match line.join(" ").as_str() {
        "GET /_ping" => Some((200, "OK".to_owned())),
        "GET /info" => Some((200, json!({"Name": "node1"}).to_string())),
        line => script(number, line),
    };
    // No answer at all: the connection is lost.
    let Some((status, body)) = answer else { return };
    let head = format!(
        "HTTP/1.1 {status} X\r\nApi-Version: {api}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn id() -> ContainerId {
    "ab".repeat(32).parse().unwrap()
}

fn said(status: u16, message: &str) -> Answer {
    (status, json!({"message": message}).to_string())
}

fn container(name: &str, status: &str) -> Value {
    json!({"Id": id().to_string(), "Name": format!("/{name}"), "Image": "cd".repeat(32), "State": {"Status": status}})
}

fn doing(status: &str) -> Answer {
    (200, container("web", status).to_string())
}

#[tokio::test]
async fn a_failed_removal_is_none_where_the_container_is_gone_afterwards() {
    let engine = Engine::new(|_, line| {
        if line.starts_with("DELETE") {
            Some(said(500, "driver failed to remove root filesystem"))
        } else {
            Some(said(404, "No such container"))
        }
    })
    .await;

    engine.docker.remove_container(&id()).await.unwrap();

    let path = format!("/containers/{}", id());
    assert_eq!(engine.asked(), [format!("DELETE {path}"), format!("GET {path}/json")]);
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_somebody_else_has_begun_is_waited_for() {
    let engine = Engine::new(|number, line| match (line.starts_with("DELETE"), number) {
        (true, _) => Some(said(409, "removal of container is already in progress")),
        (false, ..3) => Some(doing("removing")),
        (false, _) => Some(said(404, "No such container")),
    })
    .await;

    engine.docker.remove_container(&id()).await.unwrap();

    assert_eq!(engine.asked().len(), 4);
}

#[tokio::test]
async fn a_failed_removal_of_what_is_still_there_is_an_error_in_the_engines_words() {
    let engine = Engine::new(|_, line| {
        if line.starts_with("DELETE") { Some(said(500, "device or resource busy")) } else { Some(doing("dead")) }
    })
    .await;

    let error = engine.docker.remove_container(&id()).await.unwrap_err();

    assert_eq!(error.report(), "remove container abababababab: the engine failed: device or resource busy");
}

#[tokio::test]
async fn an_image_that_is_removed_meanwhile_is_gone_and_one_that_is_broken_is_an_error() {
    let removed = Engine::new(|number, _| match number {
        0 => Some(said(500, "layer does not exist")),
        _ => Some(said(404, "No such image: app:1")),
    })
    .await;
    let broken = Engine::new(|_, _| Some(said(500, "layer does not exist"))).await;
    let app = "app:1".parse().unwrap();

    assert_eq!(removed.docker.image(&app).await.unwrap(), None);
    let error = broken.docker.image(&app).await.unwrap_err();

    assert!(error.report().ends_with(": the engine failed: layer does not exist"), "{error}");
    assert_eq!((removed.asked().len(), broken.asked().len()), (2, 2));
}

#[tokio::test]
async fn stopping_what_is_stopped_already_is_fine() {
    let engine = Engine::new(
        |_, line| if line.starts_with("POST") { Some((304, String::new())) } else { Some(doing("exited")) },
    )
    .await;

    engine.docker.stop_container(&id(), None).await.unwrap();
}

#[tokio::test]
async fn a_container_in_a_state_that_nobody_knows_fails_alone_and_by_name() {
    let engine = Engine::new(|_, line| {
        if line.contains("/odd/") {
            Some((200, container("odd", "frozen").to_string()))
        } else {
            Some((200, container("web", "running").to_string()))
        }
    })
    .await;

    let odd = engine.docker.container(&"odd".parse().unwrap()).await.unwrap_err();
    let web = engine.docker.container(&"web".parse().unwrap()).await.unwrap().unwrap();

    assert_eq!(odd.kind(), ErrorKind::Undecodable);
    assert!(odd.report().contains("odd") && odd.report().contains("frozen"), "{}", odd.report());
    assert_eq!(web.status, Status::Running);
}

#[tokio::test]
async fn an_entry_of_a_list_that_cannot_be_read_does_not_lose_the_others() {
    let entry = |name: &str, state: &str| json!({"Id": "ef".repeat(32), "Names": [format!("/{name}")], "State": state});
    let engine = Engine::new(move |_, line| {
        let list = match line {
            line if line.contains("running") => json!([entry("web", "running"), entry("db", "running")]),
            line if line.contains("exited") => json!([entry("done", "exited")]),
            line if line.contains("stopping") => return Some(said(400, "invalid filter 'status=stopping'")),
            line if line.contains("status") => json!([]),
            _ => json!([
                entry("odd", "frozen"),
                entry("web", "running"),
                entry("db", "running"),
                entry("done", "exited")
            ]),
        };
        Some((200, list.to_string()))
    })
    .await;

    let listed = engine.docker.containers(&ContainerFilter::default()).await.unwrap();

    let names: Vec<&str> = listed.iter().map(|summary| summary.name.as_str()).collect();
    assert_eq!(names, ["web", "db", "done"]);
}

#[tokio::test]
async fn a_name_that_is_the_beginning_of_an_id_is_nobodys_name() {
    let engine = Engine::new(|_, _| Some(doing("running"))).await;

    assert_eq!(engine.docker.container(&"abababab".parse().unwrap()).await.unwrap(), None);
}

#[tokio::test]
async fn a_lost_connection_and_an_answer_that_is_none_are_told_apart() {
    let lost = Engine::new(|_, _| None).await;
    let garbled = Engine::new(|_, _| Some((200, "<html>".to_owned()))).await;

    assert_eq!(lost.docker.container_by_id(&id()).await.unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(garbled.docker.container_by_id(&id()).await.unwrap_err().kind(), ErrorKind::Undecodable);
}

/// Docker 20.10 answers 200 and the exit status 126 or 127.
#[tokio::test]
async fn a_program_that_is_not_there_is_an_exit_status_also_where_a_newer_engine_fails() {
    let engine = Engine::new(|_, line| match line {
        line if line.ends_with("/exec") => Some((201, json!({"Id": "e1"}).to_string())),
        line if line.ends_with("/start") => Some(said(400, "OCI runtime exec failed: executable file not found")),
        _ => Some((200, json!({"ExitCode": 127}).to_string())),
    })
    .await;

    let exec = Exec { command: Command::new(["/no"]), user: None };
    let output = engine.docker.exec(&id(), &exec).await.unwrap();

    assert_eq!((output.code, output.stdout.is_empty()), (127, true));
    assert!(String::from_utf8(output.stderr).unwrap().contains("executable file not found"));
}

#[tokio::test]
async fn an_exit_status_is_no_failure_of_a_wait() {
    let engine = Engine::new(|_, line| if line.contains("/wait") { Some((200, json!({"StatusCode": 137}).to_string())) } else { Some((200, {
            let mut ended = container("web", "exited");
            let state =
                json!({"Status": "exited", "ExitCode": 137, "OOMKilled": true, "StartedAt": "2026-01-01T00:00:00Z"});
            *ended.pointer_mut("/State").unwrap() = state;
            ended.to_string()
        })) })
    .await;

    let exit = engine.docker.wait_container(&id()).await.unwrap();

    assert_eq!((exit.code, exit.oom_killed, exit.error), (137, true, None));
}

#[tokio::test]
async fn a_pull_that_fails_says_so_in_the_middle_of_its_progress() {
    let lines = "{\"status\": \"Pulling\", \"id\": \"1\", \"progressDetail\": {\"current\": 1, \"total\": 2}}\r\n\
                 {\"errorDetail\": {\"message\": \"unauthorized: authentication required\"}}\r\n";
    let engine = Engine::new(move |_, _| Some((200, lines.to_owned()))).await;

    let mut pull = engine.docker.pull_image(&ImageToPull::new("node1:5000/app:1".parse().unwrap()));
    let first = pull.try_next().await.unwrap().unwrap();
    let error = pull.try_next().await.unwrap_err();

    assert_eq!((first.layer.as_deref(), first.current, first.total), (Some("1"), Some(1), Some(2)));
    assert_eq!(error.kind(), ErrorKind::Denied);
}

fn in_two_networks() -> ContainerSpec {
    let written = json!({"image": "app:1", "network": {"networks": {"one": {}, "two": {"aliases": ["kit"]}}}});
    ContainerSpec::from_value(written).unwrap()
}

/// Answers for networks and a new container; joining the second network fails where asked to.
fn networks(fails: bool) -> impl Fn(usize, &str) -> Option<Answer> + Send + Sync {
    move |_, line| match line {
        line if line.starts_with("GET /networks/") => {
            let name = line.rsplit('/').next().unwrap_or_default();
            Some((200, json!({"Name": name, "Id": "n1"}).to_string()))
        }
        line if line.starts_with("POST /containers/create") => {
            Some((201, json!({"Id": id().to_string(), "Warnings": null}).to_string()))
        }
        line if line.ends_with("/connect") && fails => Some(said(500, "no free address")),
        line if line.ends_with("/connect") => Some((200, String::new())),
        line if line.starts_with("DELETE") => Some((204, String::new())),
        _ => Some(said(404, "page not found")),
    }
}

#[tokio::test]
async fn an_old_engine_is_asked_to_join_the_second_network_and_a_new_one_joins_both_at_once() {
    let old = Engine::of("1.43", networks(false)).await;
    let new = Engine::of("1.44", networks(false)).await;

    for engine in [&old, &new] {
        engine.docker.create_container(&"web".parse().unwrap(), &in_two_networks()).await.unwrap();
    }

    let looks = ["GET /networks/one", "GET /networks/two", "POST /containers/create"].map(str::to_owned);
    assert_eq!(old.asked(), [looks.as_slice(), &["POST /networks/two/connect".to_owned()]].concat());
    assert_eq!(new.asked(), looks);
}

#[tokio::test]
async fn a_container_that_cannot_join_its_second_network_is_removed_again() {
    let engine = Engine::new(networks(true)).await;

    let error = engine.docker.create_container(&"web".parse().unwrap(), &in_two_networks()).await.unwrap_err();

    assert_eq!(error.report(), "create container web: the engine failed: no free address");
    assert_eq!(engine.asked().last().map(String::as_str), Some(format!("DELETE /containers/{}", id()).as_str()));
}

#[tokio::test]
async fn what_docker_has_no_words_for_is_refused_before_anything_is_asked() {
    let engine = Engine::new(|_, _| Some(said(500, "not to be asked"))).await;
    let written = json!({
        "image": "app:1",
        "mounts": [{"type": "bind", "source": "/a:b", "target": "/c", "relabel": "z", "non_recursive": true}],
        "resources": {"memory": "9000p"},
    });
    let spec = ContainerSpec::from_value(written).unwrap();

    let error = engine.docker.create_container(&"web".parse().unwrap(), &spec).await.unwrap_err();

    assert_eq!((error.kind(), engine.asked().len()), (ErrorKind::Rejected, 0));
    for field in ["mounts[/c]", "resources.memory"] {
        assert!(error.report().contains(field), "{}", error.report());
    }
}
