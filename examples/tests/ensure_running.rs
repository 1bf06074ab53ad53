//! Drives the program of the README.

#![expect(clippy::unwrap_used, reason = "the function around the tests fails as tests do")]

use std::process::Command;

fn ensure_running(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_ensure_running")).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_container_is_made_and_reported() {
    let (code, out, err) = ensure_running(&["redis:7", "cache"]);

    assert_eq!((code, err.as_str()), (Some(0), ""));
    assert_eq!(out, "cache created\n1 created.\n");
}

#[test]
fn a_wrong_name_is_an_error() {
    let (code, out, err) = ensure_running(&["redis:7", "../cache"]);

    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.contains("is no container name"), "{err}");
}
