//! Running a command inside a container.

use bollard::errors::Error as Failure;
use bollard::exec::{CreateExecOptions, StartExecResults};
use kolla_container_core::state::{Exec, Output};
use kolla_container_core::{ContainerId, ErrorKind, Result};

use super::Docker;
use crate::error::{self, Asked};
use crate::stream as pieces;

impl Docker {
    pub(super) async fn run(&self, id: &ContainerId, exec: &Exec) -> Result<Output> {
        let asked = Asked::new("run a command in container", id.short());
        let failed = |failure: Failure| asked.failed(&failure);
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(exec.command.argv().to_vec()),
            user: exec.user.clone(),
            ..Default::default()
        };
        let made = self.client.create_exec(id.as_str(), options).await.map_err(failed)?.id;
        let output = match self.client.start_exec(&made, None).await {
            Ok(StartExecResults::Attached { output, .. }) => pieces::collect(output).await.map_err(failed)?,
            Ok(StartExecResults::Detached) => Output { code: 0, stdout: Vec::new(), stderr: Vec::new() },
            // Newer engines fail where the program is not there; the exit status tells.
            Err(failure) if matches!(error::status(&failure), Some(400 | 500)) => {
                let code = self.client.inspect_exec(&made).await.map_err(failed)?.exit_code;
                return match code {
                    Some(code @ (126 | 127)) => {
                        Ok(Output { code, stdout: Vec::new(), stderr: error::text(&failure).into_bytes() })
                    }
                    _ => Err(asked.failed(&failure)),
                };
            }
            Err(failure) => return Err(asked.failed(&failure)),
        };
        let code = self.client.inspect_exec(&made).await.map_err(failed)?.exit_code;
        let lost = || asked.error(ErrorKind::EngineFailed).because("it ended without an exit status");
        Ok(Output { code: code.ok_or_else(lost)?, ..output })
    }
}
