//! Running a command inside a container.

use futures_util::TryStreamExt;
use kolla_container_core::state::{Exec, LogChunk, Output};
use kolla_container_core::{ContainerId, ErrorKind, Result};
use serde::Deserialize;
use serde_json::json;

use super::Podman;
use crate::error::{Asked, Failure};
use crate::frames;
use crate::wire::Call;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ended {
    running: bool,
    exit_code: i64,
}

impl Podman {
    pub(super) async fn run(&self, id: &ContainerId, exec: &Exec) -> Result<Output> {
        let asked = Asked::new("run a command in container", id.short());
        let failed = |failure: Failure| asked.failed(&failure);
        let mut wanted = json!({"AttachStdout": true, "AttachStderr": true, "Cmd": exec.command.argv()});
        if let (Some(user), Some(keys)) = (&exec.user, wanted.as_object_mut()) {
            keys.insert("User".to_owned(), json!(user));
        }
        let call = Call::post("containers").segment(id).path("exec").body(&wanted);
        let Made { id: made } = self.client.json(call).await.map_err(failed)?;
        let call = Call::post("exec").segment(&made).path("start").body(&json!({"Detach": false, "Tty": false}));
        let mut output = Output { code: 0, stdout: Vec::new(), stderr: Vec::new() };
        let ran = self.attached(call, &mut output).await;
        let ended: Ended = match self.client.json(Call::get("exec").segment(&made).path("json")).await {
            Ok(ended) => ended,
            Err(failure) => return Err(asked.failed(ran.as_ref().err().unwrap_or(&failure))),
        };
        output.code = ended.exit_code;
        match ran {
            Ok(()) if ended.running => {
                Err(asked.error(ErrorKind::EngineFailed).because("it ended without an exit status"))
            }
            Ok(()) => Ok(output),
            // That the program is not there is an exit status, too.
            Err(failure) if failure.status().is_some() && matches!(ended.exit_code, 126 | 127) => {
                Ok(Output { stderr: failure.to_string().into_bytes(), ..output })
            }
            Err(failure) => Err(asked.failed(&failure)),
        }
    }

    /// Everything that it prints, to its end.
    async fn attached(&self, call: Call, output: &mut Output) -> Result<(), Failure> {
        let mut chunks = Box::pin(frames::framed(self.client.stream(call.endless_once_begun()).await?));
        while let Some(chunk) = chunks.try_next().await? {
            match chunk {
                LogChunk::Stdout(text) => output.stdout.extend(text),
                LogChunk::Stderr(text) => output.stderr.extend(text),
            }
        }
        Ok(())
    }
}
