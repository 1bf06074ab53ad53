//! What can be told without an engine: the words, and what comes of running them.

use futures_util::TryStreamExt;
use kolla_container_core::memory::MemoryEngine;
use kolla_container_core::state::LogChunk;
use kolla_container_core::{ContainerSpec, Error, ErrorKind, Runtime};
use serde_json::json;

use super::arguments::creation;
use super::refusal::Refusal;
use super::words::Words;
use super::*;
use crate::memory::Memory;

fn written(spec: Value, engine: EngineKind) -> Result<Vec<String>, Refusal> {
    let spec = ContainerSpec::from_value(spec).unwrap();
    creation(&spec, engine).map(|creation| creation.words.as_slice().to_vec())
}

/// A command that is there on every machine.
fn command(program: &'static str) -> CommandLine {
    let none = |_: &Value| Err(Error::new(ErrorKind::Undecodable, "read", "it"));
    let facts = MemoryEngine::new().engine().clone();
    CommandLine { program, arguments: vec!["-c".to_owned()], facts, container: none, image: |_| unreachable!() }
}

#[test]
fn each_engine_gets_the_words_of_its_manual_page() {
    let spec = json!({
        "image": "nginx:1.27", "command": ["-x", "a b"], "entrypoint": ["run"],
        "environment": {"A": "1 2", "B": {"unset": true}}, "tty": true, "stop_timeout": "1500ms",
        "mounts": ["data:/data:ro", "/etc:/a,b:ro", "/more"],
        "network": {"networks": {"front": {"aliases": ["web"], "ipv4": "10.0.0.7"}, "back": {}},
            "ports": ["127.0.0.1::80", "[::1]:81:81/udp", "82"]},
        "resources": {"memory": "64m", "memory_swap": "unlimited", "ulimits": {"nofile": "1:unlimited"}},
        "healthcheck": {"test": "true", "interval": "1s"}, "restart": "on-failure:2",
    });
    let common_head = ["--entrypoint=run", "--env=A=1 2"];
    let common_middle = [
        "--tty=true",
        "--stop-timeout=2",
        "--mount=type=bind,source=/etc,\"target=/a,b\",readonly",
        "--volume=data:/data:ro",
        "--volume=/more",
    ];
    let common_tail = [
        "--publish=127.0.0.1::80/tcp",
        "--publish=[::1]:81:81/udp",
        "--publish=82/tcp",
        "--memory=67108864b",
        "--memory-swap=-1",
        "--ulimit=nofile=1:-1",
        "--health-cmd=true",
        "--health-interval=1000000000ns",
        "--restart=on-failure:2",
        "docker.io/library/nginx:1.27",
        "-x",
        "a b",
    ];

    let docker = written(spec.clone(), EngineKind::Docker).unwrap();
    let podman = written(spec, EngineKind::Podman).unwrap();

    let docker_middle = ["--network=back"];
    let podman_middle = ["--network=back", "--network=front:alias=web,ip=10.0.0.7"];
    assert_eq!(docker, [&common_head, &["--env=B"][..], &common_middle, &docker_middle, &common_tail].concat());
    assert_eq!(podman, [&common_head, &["--unsetenv=B"][..], &common_middle, &podman_middle, &common_tail].concat());
}

#[test]
fn what_a_command_has_no_argument_for_is_said_by_the_name_of_its_field() {
    let refused = |spec, engine| written(spec, engine).unwrap_err().into_error("create container", "app").report();

    let entrypoint = json!({"image": "app", "entrypoint": ["run", "it"]});
    assert!(refused(entrypoint.clone(), EngineKind::Docker).contains("not supported: entrypoint: `docker create`"));
    assert!(written(entrypoint, EngineKind::Podman).is_ok());
    let links = json!({"image": "app", "network": {"links": ["db"]}});
    assert!(refused(links, EngineKind::Podman).contains("network.links: `podman create`"));
    let check = json!({"image": "app", "healthcheck": {"test": ["CMD", "true"]}});
    assert!(refused(check, EngineKind::Docker).contains("healthcheck.test"));
}

#[tokio::test]
async fn a_command_is_what_it_prints_or_why_it_was_refused() {
    let print = command("sh").run(Words::new(["echo out; echo err >&2"])).await;
    let fail = command("sh").run(Words::new(["echo 'Error: No such container: db' >&2; exit 1"])).await;
    let missing = command("/no/such/program").run(Words::new([""])).await;

    assert_eq!(print.unwrap(), "out\n");
    assert_eq!(fail.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(missing.unwrap_err().kind, ErrorKind::Unreachable);
}

#[tokio::test]
async fn what_a_command_prints_is_followed_to_its_end() {
    let chunks = |script| command("sh").follow(&Words::new([script]));

    let mut all: Vec<LogChunk> = chunks("echo out; echo err >&2").try_collect().await.unwrap();
    let failed = chunks("exit 3").try_next().await;

    all.sort_by_key(|chunk| matches!(chunk, LogChunk::Stderr(_)));
    assert_eq!(all, [LogChunk::Stdout(b"out\n".to_vec()), LogChunk::Stderr(b"err\n".to_vec())]);
    assert_eq!(failed.unwrap_err().kind, ErrorKind::EngineFailed);
}

#[test]
fn cases_of_the_port_run_and_those_above_it_run_when_they_are_asked_for() {
    let cannot = [("exec::a_new_container_runs_no_command", "it cannot")];

    let trials = trials(Arc::new(Memory::Plain), |_| command("sh"), &cannot);

    let is_later = |name: &str| {
        trials.iter().find(|trial| trial.name() == format!("memory-command::{name}")).unwrap().has_ignored_flag()
    };
    assert_eq!(trials.len(), cases::all().len());
    assert!(!is_later("containers::a_new_container_does_not_run"));
    assert!(!is_later("exec::a_new_container_runs_no_command"));
    assert!(is_later("matrix::command::set"));
}

#[test]
fn a_case_that_a_command_cannot_do_is_ignored_with_the_reason() {
    let case = ignored("exec::a_new_container_runs_no_command", "it cannot");

    assert_eq!(runner::run(&case, &Memory::Plain), Ok(Outcome::Ignored("it cannot".to_owned())));
}

#[test]
#[should_panic(expected = "there is no case exec::of_yesterday")]
fn a_reason_for_a_case_that_is_gone_is_noticed() {
    drop(trials(Arc::new(Memory::Plain), |_| command("sh"), &[("exec::of_yesterday", "it cannot")]));
}
