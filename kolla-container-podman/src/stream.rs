//! The progress of a pull, as it comes: one document a line.

use futures_util::{Stream, StreamExt, stream};
use hyper::body::Bytes;
use kolla_container_core::state::PullProgress;
use serde::Deserialize;

use crate::error::Failure;

/// One line: what is being done, or why it failed, or at the end which images there are.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    stream: String,
    #[serde(default)]
    error: String,
}

/// The progress in `bytes`; a pull that fails says so in a line of it.
pub(crate) fn progress(
    bytes: impl Stream<Item = Result<Bytes, Failure>> + Send + Unpin + 'static,
) -> impl Stream<Item = Result<PullProgress, Failure>> + Send + 'static {
    stream::try_unfold((bytes, Vec::new()), |(mut bytes, mut rest)| async move {
        loop {
            if let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                if let Some(progress) = read(&line)? {
                    return Ok(Some((progress, (bytes, rest))));
                }
                continue;
            }
            match bytes.next().await {
                Some(piece) => rest.extend_from_slice(&piece?),
                None if rest.is_empty() => return Ok(None),
                // The last line may have no end.
                None => rest.push(b'\n'),
            }
        }
    })
}

fn read(line: &[u8]) -> Result<Option<PullProgress>, Failure> {
    if line.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let Line { stream, error } = serde_json::from_slice(line).map_err(|error| Failure::undecodable(&error))?;
    if !error.is_empty() {
        return Err(Failure::Said(error));
    }
    let status = stream.trim().to_owned();
    Ok((!status.is_empty()).then_some(PullProgress { layer: None, status, current: None, total: None }))
}
