//! Drives the program of the README, where there is no Docker.

#![expect(clippy::unwrap_used, reason = "the function around the tests fails as tests do")]

use std::process::Command;

fn ensure_running(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ensure_running"));
    let output = command.args(arguments).env("DOCKER_HOST", "unix:///nowhere/docker.sock").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn without_docker_a_container_is_made_in_memory_and_that_is_said() {
    let (code, out, err) = ensure_running(&["redis:7", "cache"]);

    assert_eq!((code, out.as_str()), (Some(0), "cache created\n1 created.\n"));
    assert_eq!(
        err,
        "on an engine in memory, because there is no Docker: \
         connect to unix:///nowhere/docker.sock: not found: there is no such socket\n"
    );
}

#[test]
fn a_wrong_name_is_an_error() {
    let (code, out, err) = ensure_running(&["redis:7", "../cache"]);

    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("is no container name"), "{err}");
}
