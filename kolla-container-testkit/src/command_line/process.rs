//! Running the command: to its end, or while it prints.

use std::io;
use std::process::{ExitStatus, Stdio};

use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use kolla_container_core::ErrorKind;
use kolla_container_core::state::LogChunk;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use super::CommandLine;
use super::refusal::Refusal;
use super::words::Words;

/// What the command printed, and how it ended.
#[derive(Debug)]
pub(super) struct Printed {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
}

impl CommandLine {
    /// What it printed to standard output, where it did what it was asked.
    pub(super) async fn run(&self, words: Words) -> Result<String, Refusal> {
        let printed = self.print(words).await?;
        if printed.status.success() { Ok(lossy(&printed.stdout)) } else { Err(Refusal::said(&lossy(&printed.stderr))) }
    }

    /// As [`run`](Self::run), also what it printed to standard error.
    pub(super) async fn print(&self, words: Words) -> Result<Printed, Refusal> {
        let output = self.command(&words).output().await.map_err(|error| self.not_run(&error))?;
        Ok(Printed { status: output.status, stdout: output.stdout, stderr: output.stderr })
    }

    /// What it prints, while it does; the end of both is the end of the command.
    pub(super) fn follow(&self, words: &Words) -> BoxStream<'static, Result<LogChunk, Refusal>> {
        let mut child = match self.command(words).spawn() {
            Ok(child) => child,
            Err(error) => return stream::once(std::future::ready(Err(self.not_run(&error)))).boxed(),
        };
        let stdout = pieces(child.stdout.take()).map_ok(LogChunk::Stdout);
        let stderr = pieces(child.stderr.take()).map_ok(LogChunk::Stderr);
        let lost = |error: io::Error| Refusal::new(ErrorKind::Unreachable, error);
        let end = async move {
            match child.wait().await {
                Ok(status) if status.success() => None,
                Ok(status) => Some(Err(Refusal::new(ErrorKind::EngineFailed, status))),
                Err(error) => Some(Err(lost(error))),
            }
        };
        let printed = stream::select(stdout, stderr).map_err(lost);
        printed.chain(stream::once(end).filter_map(std::future::ready)).boxed()
    }

    fn command(&self, words: &Words) -> Command {
        let mut command = Command::new(self.program);
        command.args(&self.arguments).args(words.as_slice());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    fn not_run(&self, error: &io::Error) -> Refusal {
        Refusal::new(ErrorKind::Unreachable, format_args!("could not run {}: {error}", self.program))
    }
}

pub(super) fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

/// What can be read from a pipe, as it comes.
fn pieces<R: AsyncRead + Unpin + Send + 'static>(pipe: Option<R>) -> BoxStream<'static, io::Result<Vec<u8>>> {
    let read = async |pipe: Option<R>| {
        let Some(mut pipe) = pipe else { return Ok(None) };
        let mut piece = Vec::new();
        let size = pipe.read_buf(&mut piece).await?;
        Ok((size > 0).then_some((piece, Some(pipe))))
    };
    stream::try_unfold(pipe, read).boxed()
}
