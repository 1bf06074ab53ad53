//! The program, as an operator or a script runs it.

use std::env;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::ENGINE;

/// What a run has ended with.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The lines that say what failed.
    pub(crate) fn failures(&self) -> String {
        let failed = self.out.lines().filter(|line| line.contains(" failed: "));
        failed.chain(self.err.lines().filter(|line| line.starts_with("error: "))).collect()
    }

    /// The one document on the standard output.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A run that may be interrupted. Whoever drops it kills it.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        self.0.wait().await.unwrap()
    }

    /// Kills it by SIGKILL, and waits until it is dead.
    pub(crate) async fn kill(mut self) {
        self.0.kill().await.unwrap();
    }

    /// Sends it what Ctrl-C sends.
    pub(crate) async fn interrupt(&self) {
        let id = self.0.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-INT", &id]).status().await;
        assert!(sent.unwrap().success());
    }

    /// Waits for its end, and for all that it has printed.
    pub(crate) async fn output(self) -> Ran {
        let output = self.0.wait_with_output().await.unwrap();
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

/// Where the engine listens.
pub(crate) fn engine() -> String {
    env::var(ENGINE).unwrap()
}

/// The socket of the engine.
pub(crate) fn socket() -> PathBuf {
    let engine = engine();
    let path = engine.strip_prefix("unix://");
    path.unwrap_or_else(|| panic!("{ENGINE} names no socket of this machine: {engine}")).into()
}

/// Begins to run the program where nobody has configured an engine, with `file` on its standard input.
pub(crate) async fn start(arguments: &[&str], variables: &[(&str, &str)], file: &str) -> Running {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
    for (variable, _) in env::vars_os().filter(|(name, _)| {
        name.to_str().is_some_and(|name| name.starts_with("DOCKER_") || name.starts_with("CONTAINER_"))
    }) {
        command.env_remove(variable);
    }
    command.args(arguments).envs(variables.iter().copied()).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who has wrong arguments, or reads another file, does not read this one.
    let _ = child.stdin.take().unwrap().write_all(file.as_bytes()).await;
    Running(child)
}

/// Begins to bring containers to what `file` says, on the engine at `host`.
pub(crate) async fn begin(command: &str, host: &str, file: &Value, more: &[&str]) -> Running {
    let arguments = [&[command, "-", "--engine", "docker", "--host", host], more].concat();
    start(&arguments, &[], &file.to_string()).await
}

/// Does so to the end.
pub(crate) async fn run(command: &str, host: &str, file: &Value, more: &[&str]) -> Ran {
    begin(command, host, file, more).await.output().await
}
