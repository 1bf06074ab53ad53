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
    fit_to_show(&text)
}

/// What a program prints may be anything: what is assigned to a secret name, and passwords in URLs, are taken out. Lines of
/// one or two words go on with the secret before them, as those of a key do.
fn fit_to_show(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut is_hidden = false;
    for line in text.lines().filter(|line| !line.is_empty()) {
        if is_hidden && line.split_whitespace().nth(2).is_none() {
            continue;
        }
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        let shown = Shown::text(&line).to_string();
        is_hidden = shown != line;
        lines.push(shown.chars().take(LONGEST).collect());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_on_all_of_its_lines_and_before_a_line_is_cut() {
        let url = format!("{}mysql://root:hunter2@db/nova", "x ".repeat(LONGEST / 2 - 10));
        let text =
            format!("starting\n\nPRIVATE_KEY=-----BEGIN KEY-----\nDEK-Info: AES-256\nMIIE\nit cannot be read\n{url}\n");

        let shown = fit_to_show(&text);

        assert_eq!(shown[..3], ["starting", "PRIVATE_KEY=(secret)", "it cannot be read"]);
        assert!(shown.len() == 4 && !shown[3].contains("hunter2"), "{shown:?}");
        let cut: String = url.chars().take(LONGEST).collect();
        assert!(cut.contains("hunter2") && !cut.contains('@'), "it is not cut behind the password: {cut}");
    }
}
