//! What an engine may answer and a real one seldom does: connections that are lost or hang, answers that are none, words
//! that nobody knows. The engine is a script on a socket; time passes as fast as it can.

#![expect(clippy::unwrap_used, reason = "what fails to be prepared fails the test")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use kolla_container_core::spec::Command;
use kolla_container_core::state::{
    ContainerFilter, Credentials, Exec, ImageToPull, LogChunk, LogOptions, PullError, PullFailure, Status,
};
use kolla_container_core::{ContainerId, Error, ErrorKind, Runtime, TimeSpan};
use kolla_container_podman::{Address, Connection, Podman};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, sleep};

const HOUR: Duration = Duration::from_hours(1);

/// What an engine does once it is asked; in the end it hangs up.
#[derive(Clone, Default)]
struct Answer {
    /// How long it takes to begin.
    after: Duration,
    bytes: Vec<u8>,
    /// Whether it only hangs up when the other side does.
    hangs: bool,
}

impl Answer {
    fn of(status: u16, body: &str) -> Self {
        Self::raw(format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
    }

    fn json(value: &Value) -> Self {
        Self::of(200, &value.to_string())
    }

    fn said(status: u16, message: &str) -> Self {
        Self::of(status, &json!({"cause": "it", "message": message, "response": status}).to_string())
    }

    fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), ..Self::default() }
    }

    /// Output, until the connection ends.
    fn output(frames: &[&[u8]]) -> Self {
        Self::raw([b"HTTP/1.1 200 OK\r\n\r\n", frames.concat().as_slice()].concat())
    }

    fn hanging(self) -> Self {
        Self { hangs: true, ..self }
    }

    fn after(self, after: Duration) -> Self {
        Self { after, ..self }
    }
}

/// A frame of output.
fn frame(source: u8, text: &str) -> Vec<u8> {
    [&[source, 0, 0, 0], u32::try_from(text.len()).unwrap().to_be_bytes().as_slice(), text.as_bytes()].concat()
}

/// What a script answers to a request of that method and path.
type Script = dyn Fn(&str) -> Answer + Send + Sync;

struct Engine {
    podman: Podman,
    asked: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
}

impl Engine {
    async fn new(script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::of_version("4.3.1", script).await
    }

    async fn of_version(version: &'static str, script: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("podman.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (script, log): (Arc<Script>, _) = (Arc::new(script), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, version, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        let connection =
            Connection { request_deadline: Duration::from_secs(5), ..Connection::new(Address::Unix(path)) };
        let podman = Podman::connect(&connection).await.unwrap();
        asked.lock().unwrap().clear();
        Self { podman, asked, _folder: folder }
    }

    /// An engine that answers the same whatever is asked.
    async fn answering(answer: Answer) -> Self {
        Self::new(move |_| answer.clone()).await
    }

    async fn error(&self) -> Error {
        self.podman.container_by_id(&id()).await.unwrap_err()
    }

    async fn logs(&self, follow: bool) -> Vec<Result<LogChunk, ErrorKind>> {
        let logs = self.podman.logs(&id(), LogOptions { follow, tail: None });
        logs.map(|chunk| chunk.map_err(|error| error.kind())).collect().await
    }
}

async fn serve(mut stream: UnixStream, version: &str, script: Arc<Script>, log: Arc<Mutex<Vec<String>>>) {
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
    let line = head.split(' ').take(2).collect::<Vec<_>>().join(" ").replace("/v4.0.0/libpod", "");
    log.lock().unwrap().push(line.clone());
    if let Some(secret) = head.to_lowercase().lines().find(|line| line.starts_with("x-registry-auth: ")) {
        log.lock().unwrap().push(secret.to_owned());
    }
    let pong = format!("HTTP/1.1 200 OK\r\nLibpod-API-Version: {version}\r\nContent-Length: 2\r\n\r\nOK");
    let answer = match line.as_str() {
        "GET /_ping" => Answer::raw(pong),
        "GET /info" => Answer::json(&json!({
            "host": {"hostname": "node1", "cgroupVersion": "v2"}, "version": {"Version": version},
        })),
        line => script(line),
    };
    sleep(answer.after).await;
    // The other side may have had enough.
    let _ = stream.write_all(&answer.bytes).await;
    while answer.hangs && stream.read_u8().await.is_ok() {}
}

fn id() -> ContainerId {
    "ab".repeat(32).parse().unwrap()
}

fn container(name: &str, status: &str) -> Value {
    json!({
        "Id": id().to_string(),
        "Name": name,
        "Image": "cd".repeat(32),
        "Created": "2026-01-01T00:00:00Z",
        "State": {"Status": status},
    })
}

#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_on_the_way_is_an_error_that_says_what_it_means() {
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{";
    let rows = [
        (Answer::default(), ErrorKind::Unreachable, "not reachable: it hung up before it answered ("),
        (Answer::raw(begun), ErrorKind::Unreachable, "not reachable: the answer was cut off ("),
        (Answer::default().hanging(), ErrorKind::TimedOut, "timed out: no answer within 5s"),
        (Answer::raw(begun).hanging(), ErrorKind::TimedOut, "timed out: no answer within 5s"),
        (
            Answer::raw("\u{1}"),
            ErrorKind::Undecodable,
            "the answer is not understood: what listens there does not speak",
        ),
        (Answer::of(200, "<html>"), ErrorKind::Undecodable, "the answer is not understood: expected value at line 1"),
        (Answer::of(200, ""), ErrorKind::Undecodable, "the answer is not understood: EOF while parsing a value"),
        (Answer::said(500, "it broke"), ErrorKind::EngineFailed, "the engine failed: it broke"),
        (Answer::of(500, "it broke\n"), ErrorKind::EngineFailed, "the engine failed: it broke"),
        (Answer::of(502, ""), ErrorKind::EngineFailed, "the engine failed: 502 Bad Gateway"),
        (Answer::of(403, ""), ErrorKind::Denied, "not allowed: 403 Forbidden"),
        // A thing that is not there is said in JSON.
        (
            Answer::of(404, "Not Found"),
            ErrorKind::Unsupported,
            "not supported: this Podman does not know such a request",
        ),
    ];

    for (answer, kind, report) in rows {
        let engine = Engine::answering(answer).await;
        let clock = Instant::now();
        let error = engine.error().await;
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.report().starts_with(&format!("inspect container abababababab: {report}")), "{error:?}");
        assert_eq!(clock.elapsed().as_secs(), if kind == ErrorKind::TimedOut { 5 } else { 0 });
    }
}

#[tokio::test(start_paused = true)]
async fn only_podman_says_that_a_container_is_not_there() {
    let engine = Engine::answering(Answer::said(404, "no container with name or ID found: no such container")).await;

    assert_eq!(engine.podman.container_by_id(&id()).await.unwrap(), None);
    assert_eq!(engine.asked.lock().unwrap().as_slice(), [format!("GET /containers/{}/json", id())]);
}

#[tokio::test(start_paused = true)]
async fn a_word_that_nobody_knows_is_kept_as_it_is_said() {
    let engine = Engine::answering(Answer::json(&container("web", "frozen"))).await;

    let state = engine.podman.container_by_id(&id()).await.unwrap().unwrap();

    assert_eq!(state.status, Status::Unrecognised("frozen".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_entry_of_a_list_that_cannot_be_read_does_not_lose_the_others() {
    let entry = |name: &str, state: &str| json!({"Id": "ef".repeat(32), "Names": [name], "State": state});
    let list = json!([entry("web", "running"), {"Id": 7}, {"Id": "ef".repeat(32)}, entry("db", "frozen")]);
    let engine = Engine::answering(Answer::json(&list)).await;

    let listed = engine.podman.containers(&ContainerFilter::default()).await.unwrap();

    let names: Vec<&str> = listed.iter().map(|summary| summary.name.as_str()).collect();
    assert_eq!(names, ["web", "db"]);
}

#[tokio::test(start_paused = true)]
async fn images_that_are_removed_meanwhile_are_looked_at_once_more() {
    let image = "cd".repeat(32);
    let (kept, list) = (json!({"Id": image}), json!([{"Id": image}, {"Id": "ef".repeat(32)}]));
    let panicked = "runtime error: invalid memory address or nil pointer dereference";
    let first = Mutex::new(vec![Answer::said(500, "image not known"), Answer::said(500, panicked)]);
    let engine = Engine::new(move |line| match line {
        "GET /images/json" => first.lock().unwrap().pop().unwrap_or_else(|| Answer::json(&list)),
        line if line.contains("efef") => Answer::said(500, "locating image: image not known"),
        _ => Answer::json(&kept),
    })
    .await;

    let images = engine.podman.images().await.unwrap();

    assert_eq!(images.iter().map(|image| image.id.to_string()).collect::<Vec<_>>(), [image]);
    // What is gone is gone at once.
    let asked = engine.asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|line| line.contains("/images")).count(), 5, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn images_that_cannot_be_looked_at_for_good_are_an_error_in_podmans_words() {
    let engine = Engine::answering(Answer::said(500, "the storage is broken")).await;
    let clock = Instant::now();

    let error = engine.podman.images().await.unwrap_err();

    assert_eq!(error.report(), "list images: the engine failed: the storage is broken");
    assert_eq!(clock.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_document_that_cannot_be_read_is_said_without_its_values() {
    let mut odd = container("web", "running");
    *odd.pointer_mut("/State").unwrap() = json!("hunter2");
    let engine = Engine::answering(Answer::json(&odd)).await;

    let error = engine.error().await;

    assert_eq!(error.kind(), ErrorKind::Undecodable);
    assert!(!error.report().contains("hunter2"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn output_that_is_cut_off_is_no_end_of_the_output() {
    let (out, rest) = (frame(1, "out"), frame(2, "err"));
    let whole = Engine::answering(Answer::output(&[&out, &rest])).await;
    let cut = Engine::answering(Answer::output(&[&out, &rest[..9]])).await;
    let odd = Engine::answering(Answer::output(&[&out, &frame(3, "what")])).await;

    let stdout = || Ok(LogChunk::Stdout(b"out".into()));
    assert_eq!(whole.logs(false).await, [stdout(), Ok(LogChunk::Stderr(b"err".into()))]);
    assert_eq!(cut.logs(false).await, [stdout(), Ok(LogChunk::Stderr(b"e".into())), Err(ErrorKind::Unreachable)]);
    assert_eq!(odd.logs(false).await, [stdout(), Err(ErrorKind::Undecodable)]);
}

#[tokio::test(start_paused = true)]
async fn logs_that_hang_are_given_up_and_those_that_are_followed_are_waited_for() {
    let out = frame(1, "out");
    let hanging = Engine::answering(Answer::output(&[&out]).hanging()).await;
    // Podman 4 says nothing at all before the first line.
    let silent = Engine::answering(Answer::output(&[&out]).after(HOUR)).await;

    assert_eq!(hanging.logs(false).await, [Ok(LogChunk::Stdout(b"out".into())), Err(ErrorKind::TimedOut)]);
    assert_eq!(silent.logs(false).await, [Err(ErrorKind::TimedOut)]);
    assert_eq!(silent.logs(true).await, [Ok(LogChunk::Stdout(b"out".into()))]);
}

#[tokio::test(start_paused = true)]
async fn logs_of_what_is_not_there_are_an_error() {
    let engine = Engine::answering(Answer::said(404, "no such container")).await;

    assert_eq!(engine.logs(true).await, [Err(ErrorKind::NotFound)]);
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_fails_says_so_in_the_middle_of_its_progress() {
    let lines = "{\"status\": \"Downloading\", \"id\": \"a1\", \"progressDetail\": {\"current\": 1, \"total\": 2}}\n\
                 {\"errorDetail\": {\"message\": \"unauthorized\"}, \"error\": \"unauthorized: authentication required\"}\n";
    let engine = Engine::answering(Answer::of(200, lines)).await;

    let mut pull = engine.podman.pull_image(&ImageToPull::new("node1:5000/app:1".parse().unwrap()));
    let first = pull.try_next().await.unwrap().unwrap();
    let error = pull.try_next().await.unwrap_err();

    assert_eq!((first.layer.as_deref(), first.current, first.total), (Some("a1"), Some(1), Some(2)));
    assert_eq!(PullError::of(&error).map(PullError::failure), Some(PullFailure::NoCredentials));
    let report = error.report();
    assert!(report.ends_with("; the engine says: unauthorized: authentication required"), "{report}");
}

/// Podman counts on a layer of another image that somebody removes before the pull is through.
#[tokio::test(start_paused = true)]
async fn a_pull_that_loses_a_layer_to_the_removal_of_another_image_is_tried_again() {
    for (lost, tries, is_there) in [(2, 3, true), (100, 3, false)] {
        let left = AtomicUsize::new(lost);
        let engine = Engine::new(move |_| {
            let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            let last = match before {
                Ok(_) => r#"{"error": "writing blob: adding layer with blob \"sha256:ab\": layer not known"}"#,
                Err(_) => r#"{"status": "Download complete", "id": "ab"}"#,
            };
            Answer::of(200, &format!("{{\"status\": \"Pulling fs layer\", \"id\": \"ab\"}}\n{last}\n"))
        })
        .await;

        let pull = engine.podman.pull_image(&ImageToPull::new("node1:5000/app:1".parse().unwrap()));
        let pulled = pull.try_collect::<Vec<_>>().await;

        assert_eq!(engine.asked.lock().unwrap().len(), tries);
        assert_eq!(pulled.is_ok(), is_there, "{pulled:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pull_is_asked_for_where_its_bytes_are_told() {
    let wanted = ImageToPull {
        platform: Some("linux/arm64".parse().unwrap()),
        credentials: Some(Credentials::password("kit", "hunter2")),
        only_newer: true,
        ..ImageToPull::new("node1:5000/app:1".parse().unwrap())
    };
    let asked = async |version| {
        let engine = Engine::of_version(version, |_| Answer::of(200, "{\"status\": \"Download complete\"}\n")).await;
        engine.podman.pull_image(&wanted).try_collect::<Vec<_>>().await.unwrap();
        std::mem::take(&mut *engine.asked.lock().unwrap())
    };

    let before = asked("4.7.2").await;
    let since = asked("4.8.0").await;

    assert_eq!(before[0], "POST /v1.41/images/create?fromImage=node1%3A5000%2Fapp%3A1&platform=linux%2Farm64");
    let libpod = "POST /images/pull?reference=node1%3A5000%2Fapp%3A1&compatMode=true&OS=linux&Arch=arm64";
    assert_eq!(since[0], libpod);
    assert!(before[1].starts_with("x-registry-auth: ") && before[1] == since[1], "{before:?} {since:?}");
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_is_lost_or_never_begins_is_no_image_that_is_not_there() {
    let begun = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"status\": \"a\"}\n\r\n";
    let rows = [
        (Answer::raw(begun), ErrorKind::Unreachable),
        (Answer::of(200, "{\"status\": 7}\n"), ErrorKind::Undecodable),
        (Answer::said(404, "manifest unknown"), ErrorKind::NotFound),
    ];

    for (answer, kind) in rows {
        let engine = Engine::answering(answer).await;
        let pull = engine.podman.pull_image(&ImageToPull::new("node1:5000/app:1".parse().unwrap()));
        assert_eq!(pull.try_collect::<Vec<_>>().await.unwrap_err().kind(), kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_while_it_is_removed_is_removed_at_the_next_try() {
    let message = "cannot remove container ab as it could not be stopped: sending SIGKILL to container ab: \
                   container state improper: stopped";
    let crashes = |times: usize| {
        let removals = Mutex::new(0);
        Engine::new(move |line| {
            if !line.starts_with("DELETE") {
                return Answer::json(&container("web", "exited"));
            }
            let mut removals = removals.lock().unwrap();
            *removals += 1;
            if *removals <= times { Answer::said(500, message) } else { Answer::of(200, "[]") }
        })
    };

    crashes(3).await.podman.remove_container(&id()).await.unwrap();
    let error = crashes(1000).await.podman.remove_container(&id()).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test(start_paused = true)]
async fn a_command_runs_as_long_as_it_runs() {
    let engine = Engine::new(|line| match line {
        line if line.ends_with("/exec") => Answer::of(201, r#"{"Id": "e1"}"#),
        line if line.ends_with("/start") => Answer::output(&[&frame(1, "out"), &frame(2, "err")]),
        _ => Answer::json(&json!({"Running": false, "ExitCode": 3})),
    })
    .await;

    let output = engine.podman.exec(&id(), &Exec { command: Command::new(["/it"]), user: None }).await.unwrap();

    assert_eq!((output.code, output.stdout, output.stderr), (3, b"out".to_vec(), b"err".to_vec()));
}

#[tokio::test(start_paused = true)]
async fn a_grace_comes_on_top_of_the_deadline_and_an_end_is_waited_for() {
    let grace = Some(TimeSpan::from_secs(600));
    let stopping = Engine::new(|line| match line {
        line if line.starts_with("POST") => Answer::of(204, "").after(Duration::from_secs(603)),
        _ => Answer::json(&container("web", "exited")),
    })
    .await;
    let hanging = Engine::answering(Answer::default().hanging()).await;
    let running = Engine::new(|line| match line {
        line if line.starts_with("POST") => Answer::of(200, "137").after(100 * HOUR),
        _ => Answer::json(&container("web", "running")),
    })
    .await;

    let stopped = stopping.podman.stop_container(&id(), grace).await;
    let clock = Instant::now();
    let late = hanging.podman.stop_container(&id(), grace).await.unwrap_err();
    let waited = clock.elapsed().as_secs();
    let exit = running.podman.wait_container(&id()).await.unwrap();

    assert!(stopped.is_ok(), "{stopped:?}");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
    assert!((605..=610).contains(&waited), "{waited}");
    assert_eq!(exit.code, 137);
}
