//! What a Podman may answer and a real one seldom does. It is a script on a socket; time passes as fast as it can.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::time::{Instant, sleep};

use super::*;
use crate::connect::{Address, Connection};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_hours(1);

/// What an engine does once it is asked. Where nothing follows, it hangs up.
#[derive(Clone)]
enum Act {
    Say(String),
    Wait(Duration),
    /// Says no more, and waits for the other side to hang up.
    Hang,
}

struct Engine {
    client: Client,
    folder: TempDir,
    /// How many connections it has.
    open: Arc<AtomicUsize>,
}

impl Engine {
    /// An engine that does the same whatever is asked.
    fn new(acts: &[Act]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("podman.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let (acts, open) = (acts.to_vec(), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&open);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acts, counted) = (acts.clone(), Arc::clone(&counted));
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(async move {
                    serve(stream, acts).await;
                    counted.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        let transport = Transport::new(&Connection::new(Address::Unix(path))).unwrap();
        Self { client: Client::new(transport, SECOND), folder, open }
    }

    fn saying(answer: impl Into<String>) -> Self {
        Self::new(&[Act::Say(answer.into())])
    }

    async fn json(&self) -> Result<Value, Failure> {
        self.client.json(call()).await
    }

    /// Until it has no connection left, however long that takes in vain.
    async fn is_alone(&self) -> bool {
        for _ in 0..1000 {
            if self.open.load(Ordering::SeqCst) == 0 {
                return true;
            }
            tokio::task::yield_now().await;
        }
        false
    }
}

async fn serve(mut stream: UnixStream, acts: Vec<Act>) {
    let mut asked = [0; 4096];
    let _ = stream.read(&mut asked).await;
    for act in acts {
        match act {
            Act::Say(text) => drop(stream.write_all(text.as_bytes()).await),
            Act::Wait(time) => sleep(time).await,
            Act::Hang => while stream.read(&mut asked).await.is_ok_and(|length| length > 0) {},
        }
    }
}

fn call() -> Call {
    Call::get("containers").segment("web").path("json")
}

fn answer(status: u16, body: &str) -> String {
    format!("HTTP/1.1 {status} It\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The head of an answer that is not told how long it is.
const HEAD: &str = "HTTP/1.1 200 OK\r\n\r\n";

fn lost(kind: ErrorKind, cause: &str) -> Failure {
    Failure::new(kind, cause)
}

#[tokio::test(start_paused = true)]
async fn a_document_is_read_however_it_is_cut_into_pieces() {
    let engine =
        Engine::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n5\r\n\": 1}\r\n0\r\n\r\n");

    assert_eq!(engine.json().await, Ok(json!({"a": 1})));
}

#[tokio::test(start_paused = true)]
async fn what_was_done_and_what_was_done_already_are_told_apart() {
    let done = Engine::saying("HTTP/1.1 204 No Content\r\n\r\n");
    let already = Engine::saying("HTTP/1.1 304 Not Modified\r\n\r\n");

    assert_eq!(done.client.send(Call::post("containers").segment("web").path("start")).await, Ok(204));
    assert_eq!(already.client.send(Call::post("containers").segment("web").path("start")).await, Ok(304));
}

#[tokio::test(start_paused = true)]
async fn an_error_says_what_podman_says_of_it() {
    let word = "x".repeat(LONGEST_TEXT + 1);
    let long = format!("no: {word}");
    let written = json!({"message": long}).to_string();
    let rows = [
        (r#"{"cause": "no", "message": "it says no\n", "response": 500}"#, "it says no"),
        (r#"{"cause": "no", "message": ""}"#, "no"),
        (r#"{"message": 1}"#, r#"{"message": 1}"#),
        ("<html>", "<html>"),
        ("", "500 Internal Server Error"),
        (&long, "no:"),
        (&written, "no:"),
        (&word, "500 Internal Server Error"),
    ];

    for (body, message) in rows {
        let failure = Engine::saying(answer(500, body)).json().await.unwrap_err();
        assert_eq!(failure, Failure::Answered { status: 500, message: message.to_owned() });
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_known_is_told_from_a_thing_that_is_not_there() {
    let thing = Engine::saying(answer(404, r#"{"message": "no such container"}"#)).json().await.unwrap_err();
    let request = Engine::saying(answer(404, "Not Found\n")).json().await.unwrap_err();

    assert!(thing.is_not_found());
    assert_eq!(request, lost(ErrorKind::Unsupported, "this Podman does not know such a request"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_document_is_not_understood_and_not_repeated() {
    let html = Engine::saying(answer(200, "<html>")).json().await.unwrap_err();
    let engine = Engine::saying(answer(200, r#""hunter2""#));
    let other = engine.client.json::<u8>(call()).await.unwrap_err();

    assert_eq!(html.kind(), ErrorKind::Undecodable);
    assert_eq!(other, lost(ErrorKind::Undecodable, "invalid type, expected u8 at line 1 column 9"));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_http_is_not_understood() {
    let failure = Engine::saying("SSH-2.0-OpenSSH_9.2\r\n").json().await.unwrap_err();

    assert_eq!(failure.kind(), ErrorKind::Undecodable, "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_lost_is_not_reachable_wherever_it_is_lost() {
    let rows = [
        ("", "it hung up before it answered ("),
        ("HTTP/1.1 200 OK\r\nContent-Le", "it hung up before it answered ("),
        ("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", "the answer was cut off ("),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n", "the answer was cut off ("),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "the answer was cut off ("),
        ("HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\n{", "the answer was cut off ("),
    ];

    for (text, cause) in rows {
        let failure = Engine::saying(text).json().await.unwrap_err();
        assert_eq!(failure.kind(), ErrorKind::Unreachable, "{text}: {failure}");
        assert!(failure.to_string().starts_with(cause), "{text}: {failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_socket_that_is_gone_is_no_container_that_is_not_there() {
    let engine = Engine::saying("");
    std::fs::remove_file(engine.folder.path().join("podman.sock")).unwrap();

    assert_eq!(engine.json().await, Err(lost(ErrorKind::Unreachable, "there is no such socket")));
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_an_end_is_given_up() {
    let piece = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
    let engine = Engine::saying(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", piece.repeat(65)));

    let failure = engine.client.json::<Value>(call().endless()).await.unwrap_err();

    assert_eq!(failure, lost(ErrorKind::Undecodable, "the answer is longer than 67108864 bytes"));
}

#[tokio::test(start_paused = true)]
async fn whatever_hangs_is_given_up_at_the_deadline() {
    let head = Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned());
    let refusal = Act::Say("HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\n{".to_owned());
    let slow = Act::Wait(SECOND * 2 / 3);
    let rows: [&[Act]; 4] = [
        &[Act::Hang],
        &[head.clone(), Act::Hang],
        &[refusal, Act::Hang],
        // The whole counts, not each part.
        &[slow.clone(), head, slow, Act::Hang],
    ];

    for acts in rows {
        let engine = Engine::new(acts);
        let clock = Instant::now();
        assert_eq!(engine.json().await, Err(lost(ErrorKind::TimedOut, "no answer within 1s")));
        assert_eq!(clock.elapsed().as_secs(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_request_waits_for_comes_on_top_of_the_deadline() {
    let late = Engine::new(&[Act::Wait(10 * SECOND), Act::Say(answer(200, "1"))]);
    let silent = Engine::new(&[Act::Hang]);

    let in_time = late.client.json::<u8>(call().patient(10 * SECOND)).await;
    let too_late = silent.client.json::<u8>(call().patient(10 * SECOND)).await;
    let endless = Engine::new(&[Act::Wait(HOUR), Act::Say(answer(200, "1"))]).client.json::<u8>(call().endless()).await;

    assert_eq!(in_time, Ok(1));
    assert_eq!(too_late, Err(lost(ErrorKind::TimedOut, "no answer within 11s")));
    assert_eq!(endless, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_take_long_as_a_whole_but_not_for_its_next_piece() {
    let piece = [Act::Wait(SECOND * 2 / 3), Act::Say("a".to_owned())];
    let mut acts = vec![Act::Say(HEAD.to_owned())];
    acts.extend(piece.iter().cycle().take(20).cloned());
    let long = Engine::new(&acts);
    acts.push(Act::Hang);
    let stuck = Engine::new(&acts);

    let long: Vec<Bytes> = long.client.stream(call()).await.unwrap().try_collect().await.unwrap();
    let stuck: Vec<_> = stuck.client.stream(call()).await.unwrap().collect().await;

    assert_eq!(long.len(), 10);
    assert_eq!(stuck.len(), 11);
    assert_eq!(stuck.last(), Some(&Err(lost(ErrorKind::TimedOut, "no answer within 1s"))));
}

#[tokio::test(start_paused = true)]
async fn a_stream_without_an_end_still_begins_in_time() {
    let silent = Engine::new(&[Act::Hang]);
    let late = [Act::Say(HEAD.to_owned()), Act::Wait(HOUR), Act::Say("a".to_owned())];

    let begun = silent.client.stream(call().endless_once_begun()).await.map(drop);
    let pieces = Engine::new(&late).client.stream(call().endless_once_begun()).await.unwrap();

    assert_eq!(begun, Err(lost(ErrorKind::TimedOut, "no answer within 1s")));
    assert_eq!(pieces.collect::<Vec<_>>().await, [Ok(Bytes::from("a"))]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_refused_never_begins() {
    let engine = Engine::saying(answer(409, r#"{"message": "it is paused"}"#));

    let failure = engine.client.stream(call()).await.map(drop).unwrap_err();

    assert_eq!(failure, Failure::Answered { status: 409, message: "it is paused".to_owned() });
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_lost_ends_with_the_failure() {
    let engine = Engine::saying("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");

    let pieces: Vec<_> = engine.client.stream(call()).await.unwrap().collect().await;

    assert_eq!(pieces.first(), Some(&Ok(Bytes::from("a"))));
    assert_eq!(pieces.last().unwrap().as_ref().unwrap_err().kind(), ErrorKind::Unreachable);
    assert_eq!(pieces.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_waits_for_any_more_is_over() {
    let silent = Engine::new(&[Act::Hang]);
    let begun = Engine::new(&[Act::Say(HEAD.to_owned()), Act::Say("a".to_owned()), Act::Hang]);
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let before = tasks();

    for _ in 0..20 {
        // A deadline of whoever asks, earlier than ours.
        assert!(tokio::time::timeout(SECOND / 2, silent.json()).await.is_err());
        let mut pieces = begun.client.stream(call()).await.unwrap();
        assert!(pieces.next().await.is_some());
        assert!(tokio::time::timeout(SECOND / 2, pieces.next()).await.is_err());
    }

    assert!(silent.is_alone().await && begun.is_alone().await);
    assert_eq!(tasks(), before);
}

#[tokio::test(start_paused = true)]
async fn failures_leave_no_connection_behind() {
    let rows: [&[Act]; 5] = [
        &[],
        &[Act::Hang],
        &[Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_owned())],
        &[Act::Say("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_owned()), Act::Hang],
        &[Act::Say(answer(500, "no")), Act::Hang],
    ];

    for acts in rows {
        let engine = Engine::new(acts);
        let asked = futures_util::future::join_all((0..50).map(|_| engine.json())).await;
        assert!(asked.iter().all(Result::is_err));
        assert!(engine.is_alone().await);
    }
}
