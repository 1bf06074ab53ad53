//! The program, as an operator or a script runs it.

use std::env;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use kolla_container_core::state::EngineKind;
use kolla_container_testkit::Harness;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};

use crate::engines::{DOCKER, PODMAN};

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

/// The program, told which engine to use and where it listens.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    engine: EngineKind,
    host: String,
}

impl Program {
    /// On the engine of a case.
    pub(crate) fn on(h: &Harness) -> Self {
        let engine = h.runtime().engine().kind;
        let variable = if engine == EngineKind::Podman { PODMAN } else { DOCKER };
        Self { engine, host: env::var(variable).unwrap() }
    }

    /// On the same engine, at another address.
    pub(crate) fn at(&self, host: String) -> Self {
        Self { host, ..self.clone() }
    }

    /// Where the engine listens.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The socket of the engine.
    pub(crate) fn socket(&self) -> PathBuf {
        let path = self.host.strip_prefix("unix://");
        path.unwrap_or_else(|| panic!("this is no socket of this machine: {}", self.host)).into()
    }

    /// Begins to bring containers to what `file` says.
    pub(crate) async fn begin(&self, command: &str, file: &Value, more: &[&str]) -> Running {
        self.start(&[&[command, "-"], more].concat(), &file.to_string()).await
    }

    /// Does so to the end.
    pub(crate) async fn run(&self, command: &str, file: &Value, more: &[&str]) -> Ran {
        self.begin(command, file, more).await.output().await
    }

    /// Runs it with other arguments, and a text on its standard input.
    pub(crate) async fn run_with(&self, arguments: &[&str], text: &str) -> Ran {
        self.start(arguments, text).await.output().await
    }

    async fn start(&self, arguments: &[&str], text: &str) -> Running {
        let engine = self.engine.to_string();
        start(&[arguments, &["--engine", &engine, "--host", &self.host]].concat(), &[], text).await
    }
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
