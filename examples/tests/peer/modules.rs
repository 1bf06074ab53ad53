//! The two modules: how each is called on the machine with systemd.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// A call may take so long.
const PATIENCE: Duration = Duration::from_secs(140);
/// How long the server may take to start.
const TO_START: Duration = Duration::from_mins(1);

/// One program is both, by the name that it is called by.
const MODULES: [&str; 2] = ["kolla_container", "kolla_container_facts"];

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../testbed/peer/server.py");

/// The server of kolla-ansible's modules, which starts with the first call.
#[derive(Debug, Default)]
pub(crate) struct Modules(Mutex<Option<Result<(Child, Machine), String>>>);

/// The machine with systemd, and where the modules are called.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    /// Where its files are.
    pub(crate) folder: PathBuf,
    /// Who sees its engines, bus and units where the modules look for them.
    process: u64,
}

impl Modules {
    /// The machine; `None` where nobody has started one, or where kolla-ansible is not installed and need not be.
    pub(crate) fn machine(&self) -> Result<Option<Machine>, String> {
        let Some(environment) = env::var_os("KOLLA_TEST_PEER") else { return Ok(None) };
        let folder =
            env::var_os("KOLLA_TEST_SYSTEMD").ok_or("there is a KOLLA_TEST_PEER, and no KOLLA_TEST_SYSTEMD")?;
        let mut server = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let started = server.get_or_insert_with(|| start(Path::new(&folder), Path::new(&environment)));
        started.as_ref().map(|(_, machine)| Some(machine.clone())).map_err(Clone::clone)
    }

    /// Ends the server.
    pub(crate) fn end(&self) {
        if let Some(Ok((mut server, _))) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop(server.stdin.take());
            server.wait().unwrap();
        }
    }
}

fn start(folder: &Path, environment: &Path) -> Result<(Child, Machine), String> {
    for module in MODULES {
        let link = folder.join(module);
        // From an earlier run beside the same machine.
        let _ = std::fs::remove_file(&link);
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_kolla_container"), link)
            .map_err(|error| format!("{module}: {error}"))?;
    }
    let mut command = Command::new(environment.join("bin/python"));
    command.arg(SERVER).arg(folder.join("peer.sock")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut server = command.spawn().map_err(|error| format!("{}: {error}", environment.display()))?;
    let stdout = server.stdout.take().unwrap();
    let (sender, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(stdout).read_line(&mut line).map(|_| sender.send(line));
    });
    let line = said.recv_timeout(TO_START).unwrap_or_default();
    let process = serde_json::from_str::<Value>(&line).ok().and_then(|said| said["process"].as_u64());
    let Some(process) = process else {
        let _ = server.kill();
        return Err("testbed/peer/server.py has not started".to_owned());
    };
    Ok((server, Machine { folder: folder.to_owned(), process }))
}

impl Machine {
    /// What kolla-ansible's module answers, which sees of containers only those whose name begins with `own`.
    pub(crate) async fn theirs(&self, module: &str, arguments: &Value, own: &str) -> Result<Value, String> {
        let answer = self.ask(json!({"module": module, "arguments": arguments, "own": own})).await?;
        Ok(answer["answer"].clone())
    }

    /// Has a command done on the machine.
    pub(crate) async fn shell(&self, script: &str) -> Result<String, String> {
        let answer = self.ask(json!({"shell": script})).await?;
        if answer["status"] == 0 {
            Ok(answer["output"].as_str().unwrap_or_default().to_owned())
        } else {
            Err(format!("{script}: {answer}"))
        }
    }

    async fn ask(&self, mut request: Value) -> Result<Value, String> {
        request["seconds"] = PATIENCE.as_secs().into();
        let exchange = async {
            let mut stream = UnixStream::connect(self.folder.join("peer.sock")).await?;
            stream.write_all(format!("{request}\n").as_bytes()).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            std::io::Result::Ok(answer)
        };
        let answer = tokio::time::timeout(PATIENCE, exchange).await;
        let answer = answer.map_err(|_| format!("no answer within {PATIENCE:?} to {request}"))?;
        let answer = answer.map_err(|error| format!("{error}: {request}"))?;
        serde_json::from_str(&answer).map_err(|error| format!("{error}: {answer:?} to {request}"))
    }

    /// What ours answers, run as Ansible runs it: one file with parameters, one document back.
    pub(crate) async fn ours(&self, module: &str, arguments: &Value) -> Result<Value, String> {
        static CALLS: AtomicU64 = AtomicU64::new(0);

        let file = self.folder.join(format!("arguments-{}.json", CALLS.fetch_add(1, Ordering::Relaxed)));
        std::fs::write(&file, arguments.to_string()).map_err(|error| error.to_string())?;
        let mut command = tokio::process::Command::new("nsenter");
        command.args(["--target", &self.process.to_string(), "--mount", "--"]);
        command
            .arg(self.folder.join(module))
            .arg(&file)
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default());
        let ended = tokio::time::timeout(PATIENCE, command.stdin(Stdio::null()).kill_on_drop(true).output()).await;
        std::fs::remove_file(&file).map_err(|error| error.to_string())?;
        let ended = ended.map_err(|_| format!("ours takes longer than {PATIENCE:?}: {arguments}"))?;
        let ended = ended.map_err(|error| error.to_string())?;
        let answer: Value =
            serde_json::from_slice(&ended.stdout).map_err(|error| format!("{error}: {ended:?} to {arguments}"))?;
        if ended.status.success() == (answer["failed"] != true) {
            Ok(answer)
        } else {
            Err(format!("{} and {answer} do not fit", ended.status))
        }
    }
}
