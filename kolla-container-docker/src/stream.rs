//! What Docker sends piece by piece: the output of containers and of commands, and the progress of a pull.

use bollard::container::LogOutput;
use bollard::errors::Error as Failure;
use bollard::models::CreateImageInfo;
use futures_util::{Stream, StreamExt};
use kolla_container_core::state::{LogChunk, Output, PullProgress};

/// A piece of output. A terminal mixes both into one stream.
pub(crate) fn chunk(output: LogOutput) -> LogChunk {
    match output {
        LogOutput::StdErr { message } => LogChunk::Stderr(message.to_vec()),
        LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
            LogChunk::Stdout(message.to_vec())
        }
    }
}

/// Everything that a command prints, to its end.
pub(crate) async fn collect(
    mut output: impl Stream<Item = Result<LogOutput, Failure>> + Unpin,
) -> Result<Output, Failure> {
    let mut all = Output { code: 0, stdout: Vec::new(), stderr: Vec::new() };
    while let Some(piece) = output.next().await {
        match chunk(piece?) {
            LogChunk::Stdout(text) => all.stdout.extend(text),
            LogChunk::Stderr(text) => all.stderr.extend(text),
        }
    }
    Ok(all)
}

/// One line of the progress of a pull; a pull that fails says so in one of them.
pub(crate) fn progress(line: CreateImageInfo) -> Result<PullProgress, Failure> {
    let CreateImageInfo { id, error_detail, status, progress_detail } = line;
    if let Some(error) = error_detail {
        return Err(Failure::DockerStreamError { error: error.message.unwrap_or_default() });
    }
    let count = |bytes: Option<i64>| bytes.and_then(|bytes| u64::try_from(bytes).ok());
    let detail = progress_detail.unwrap_or_default();
    Ok(PullProgress {
        layer: id,
        status: status.unwrap_or_default(),
        current: count(detail.current),
        total: count(detail.total),
    })
}
