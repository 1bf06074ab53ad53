//! What a container that was run to its end has printed.

use std::time::Duration;

use futures_util::StreamExt;
use serde::ser::{Serialize, SerializeStruct, Serializer};

use crate::error::Error;
use crate::name::ContainerId;
use crate::runtime::Runtime;
use crate::state::{LogChunk, LogOptions};

/// How a container that was run to its end ended.
///
/// Of what it has printed, the end is kept: [`KEPT`](Self::KEPT) of each stream. Serialised, it is an object with
/// `code`, `stdout` and `stderr`, in which bytes that are no UTF-8 are replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunOutput {
    /// Its exit status.
    pub code: i64,
    /// What it printed to standard output.
    pub stdout: Vec<u8>,
    /// What it printed to standard error.
    pub stderr: Vec<u8>,
}

impl RunOutput {
    /// How much of each stream is kept, in bytes: 16 MiB.
    pub const KEPT: usize = 16 << 20;

    /// Reads what `container`, which has ended with `code`, has printed; for `patience` at most.
    ///
    /// Beside it are warnings that say what of it is not here. It never fails: a logging driver that cannot be read must
    /// not lose the exit status.
    ///
    /// ```
    /// use std::time::Duration;
    /// use kolla_container_core::{ContainerId, Result, Runtime, apply::RunOutput};
    ///
    /// async fn attend(engine: &dyn Runtime, container: &ContainerId) -> Result<RunOutput> {
    ///     let exit = engine.wait_container(container).await?;
    ///     let (output, warnings) = RunOutput::read(engine, container, exit.code, Duration::from_secs(60)).await;
    ///     warnings.iter().for_each(|warning| eprintln!("{warning}"));
    ///     Ok(output)
    /// }
    /// ```
    pub async fn read(
        runtime: &dyn Runtime,
        container: &ContainerId,
        code: i64,
        patience: Duration,
    ) -> (Self, Vec<String>) {
        let (mut stdout, mut stderr) = (End::of(Self::KEPT), End::of(Self::KEPT));
        // Not followed: Docker may lose what comes last then, and Podman may go on following for ever.
        let mut logs = runtime.logs(container, LogOptions { follow: false, tail: None });
        let reading = async {
            while let Some(chunk) = logs.next().await {
                match chunk? {
                    LogChunk::Stdout(bytes) => stdout.push(&bytes),
                    LogChunk::Stderr(bytes) => stderr.push(&bytes),
                }
            }
            Ok::<(), Error>(())
        };
        let mut warnings = match tokio::time::timeout(patience, reading).await {
            Ok(Ok(())) => Vec::new(),
            Ok(Err(error)) => vec![format!("its output could not be read: {}", error.report())],
            Err(_) => vec!["the end of its output may be missing".to_owned()],
        };
        let mut kept = |end: End, stream: &str| {
            let (bytes, left_out) = end.finish();
            if left_out > 0 {
                warnings.push(format!("the first {left_out} bytes of its {stream} are left out: 16 MiB are kept"));
            }
            bytes
        };
        let (stdout, stderr) = (kept(stdout, "standard output"), kept(stderr, "standard error"));
        (Self { code, stdout, stderr }, warnings)
    }
}

impl Serialize for RunOutput {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut output = serializer.serialize_struct("RunOutput", 3)?;
        output.serialize_field("code", &self.code)?;
        output.serialize_field("stdout", &String::from_utf8_lossy(&self.stdout))?;
        output.serialize_field("stderr", &String::from_utf8_lossy(&self.stderr))?;
        output.end()
    }
}

/// The end of a stream.
struct End {
    limit: usize,
    kept: Vec<u8>,
    left_out: usize,
}

impl End {
    fn of(limit: usize) -> Self {
        Self { limit, kept: Vec::new(), left_out: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        // Not at every piece, each of which would move all that is kept.
        if self.kept.len() > 2 * self.limit {
            self.cut();
        }
    }

    fn cut(&mut self) {
        let excess = self.kept.len().saturating_sub(self.limit);
        self.kept.drain(..excess);
        self.left_out += excess;
    }

    /// What is kept, and how many bytes before it are not.
    fn finish(mut self) -> (Vec<u8>, usize) {
        self.cut();
        (self.kept, self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_stream_that_is_too_long_the_end_is_kept_whatever_pieces_it_comes_in() {
        let text: Vec<u8> = (0..100).collect();
        for (limit, piece) in [(10, 1), (10, 7), (10, 100), (99, 3), (100, 9), (1000, 50)] {
            let mut end = End::of(limit);
            for bytes in text.chunks(piece) {
                end.push(bytes);
                assert!(end.kept.len() <= 2 * limit, "{limit} {piece}");
            }

            let left_out = text.len().saturating_sub(limit);
            assert_eq!(end.finish(), (text[left_out..].to_vec(), left_out), "{limit} {piece}");
        }
    }
}
