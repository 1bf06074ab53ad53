//! Whether a container uses its present configuration files.

use kolla_container_core::spec::ConfigCheck;
use kolla_container_core::state::{ContainerState, EngineKind, Exec, Status};
use kolla_container_core::{ContainerSpec, ErrorKind, Runtime, Shown};

use crate::failure::Failure;

/// What the check has found.
#[derive(Debug)]
pub(crate) enum Checked {
    UpToDate,
    /// It does not, or nobody knows; with what the check has said.
    OutOfDate(String),
}

/// Asks in the container; only where it is kolla's, which a configuration strategy tells.
pub(crate) async fn check(
    spec: &ContainerSpec,
    there: &ContainerState,
    runtime: &dyn Runtime,
) -> Result<Checked, Failure> {
    let Some(ConfigCheck { command, user, .. }) = &spec.deploy.config_check else { return Ok(Checked::UpToDate) };
    if runtime.engine().kind == EngineKind::Podman && there.status != Status::Running {
        return Ok(Checked::OutOfDate("container not running during config check".to_owned()));
    }
    let asked = runtime.exec(&there.id, &Exec { command: command.clone(), user: user.clone() }).await;
    let output = match asked {
        Err(error) if matches!(error.kind(), ErrorKind::Conflict | ErrorKind::NotFound) => {
            return Ok(Checked::OutOfDate("container unavailable for config check".to_owned()));
        }
        output => output?,
    };
    let said = without_secrets(&[output.stdout, output.stderr].concat());
    match output.code {
        0 => Ok(Checked::UpToDate),
        1 => Ok(Checked::OutOfDate(said)),
        137 => Ok(Checked::OutOfDate("container exited abruptly during config check".to_owned())),
        code => {
            let why = format!("Failed to compare container configuration: ExitCode: {code} Message: {}", said.trim());
            Err(Failure::said(why))
        }
    }
}

/// Message by message, so that one that is hidden hides no other; a secret may have several lines.
fn without_secrets(output: &[u8]) -> String {
    let mut said = String::new();
    let mut is_hidden = false;
    for line in String::from_utf8_lossy(output).lines() {
        if is_hidden && !begins_a_message(line) {
            continue;
        }
        let shown = if line.is_empty() { String::new() } else { Shown::text(line).to_string() };
        is_hidden = shown != line;
        said.extend([shown.as_str(), "\n"]);
    }
    said
}

/// Whether a line begins as those of Python's logging do: `INFO:__main__:`.
fn begins_a_message(line: &str) -> bool {
    line.split_once(':').is_some_and(|(level, _)| ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"].contains(&level))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_hides_what_follows_up_to_the_next_message() {
        let said = without_secrets(b"INFO: /etc/a differs\n\nDB_PASSWORD=hunter2 differs\nlast");

        assert_eq!(said, "INFO: /etc/a differs\n\nDB_PASSWORD=(secret)\n");

        let said = without_secrets(b"ERROR:x:PRIVATE_KEY: ---\nMIIE\n\nMIIF\nINFO:x:/etc/b differs\nMIIE too\n");

        assert!(
            !said.contains("MIIE\n") && !said.contains("MIIF") && said.contains("INFO:x:/etc/b differs\n"),
            "{said}"
        );
    }
}
