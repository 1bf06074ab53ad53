//! The last lines that a run of a unit has left in the journal.

use std::process::Stdio;
use std::time::Duration;

use kolla_container_core::Shown;
use tokio::process::Command;

use crate::config::Config;

/// How many lines tell why it ended.
const LINES: &str = "10";
/// How long a line may be; what is longer is cut.
const LONGEST: usize = 500;
/// How long they are worth waiting for.
const PATIENCE: Duration = Duration::from_secs(5);

/// The last lines of one run, the oldest first; none where the journal cannot be read.
pub(crate) async fn last_lines(config: &Config, invocation: &[u8]) -> Vec<String> {
    let id = invocation.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    if id.is_empty() || invocation.iter().all(|byte| *byte == 0) {
        return Vec::new();
    }
    let mut command = Command::new("journalctl");
    command.args(["--quiet", "--no-pager", "--output=cat", "--lines", LINES]);
    if let Some(folder) = &config.journal {
        command.arg("--directory").arg(folder);
    }
    command.arg(format!("_SYSTEMD_INVOCATION_ID={id}"));
    command.stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let Ok(Ok(output)) = tokio::time::timeout(PATIENCE, command.output()).await else { return Vec::new() };
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |line: &str| line.chars().filter(|c| !c.is_control()).take(LONGEST).collect::<String>();
    // What a program prints may be anything: what is assigned to a secret name, and passwords in URLs, are taken out.
    text.lines().filter(|text| !text.is_empty()).map(|text| Shown::text(line(text)).to_string()).collect()
}
