//! What a user does without us: with the engine's own command.

use std::env;
use std::process::Stdio;

use kolla_container_core::state::EngineKind;
use tokio::process::Command;

use crate::harness::Harness;

/// Runs the engine's own command, which must end well; answers what it printed, without the end of the line.
pub async fn by_hand(h: &Harness, words: &[&str]) -> String {
    // Where the engine listens is said to the command itself: by its own variables it might find another one.
    let (program, options, variable) = match h.runtime().engine().kind {
        EngineKind::Docker => ("docker", ["--host"].as_slice(), "KOLLA_TEST_DOCKER"),
        EngineKind::Podman => ("podman", ["--remote", "--url"].as_slice(), "KOLLA_TEST_PODMAN"),
        EngineKind::Memory => panic!("the engine in memory has no command"),
    };
    let mut command = Command::new(program);
    command.args(options).arg(env::var(variable).unwrap()).args(words).stdin(Stdio::null()).kill_on_drop(true);
    let ended = command.output().await.unwrap();
    assert!(ended.status.success(), "{program} {}: {}", words.join(" "), String::from_utf8_lossy(&ended.stderr));
    String::from_utf8(ended.stdout).unwrap().trim_end().to_owned()
}
