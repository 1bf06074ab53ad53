//! The progress of a pull, as it comes: one document a line.

use futures_util::{Stream, StreamExt, stream};
use hyper::body::Bytes;
use kolla_container_core::state::PullProgress;
use serde::Deserialize;

use crate::error::Failure;

/// One line, as Docker has them: what is being done with which layer, or why it failed.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Line {
    status: Option<String>,
    id: Option<String>,
    #[serde(rename = "progressDetail")]
    detail: Option<Detail>,
    error: Option<String>,
    #[serde(rename = "errorDetail")]
    failed: Option<Failed>,
    message: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Detail {
    current: Option<i64>,
    total: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Failed {
    message: Option<String>,
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
    let Line { status, id, detail, error, failed, message } =
        serde_json::from_slice(line).map_err(|error| Failure::undecodable(&error))?;
    // An error that Podman would answer with a status comes as a line once an answer has begun.
    let errors = [error, failed.and_then(|failed| failed.message), message];
    if let Some(error) = errors.into_iter().flatten().find(|error| !error.is_empty()) {
        return Err(Failure::Said(error));
    }
    let count = |bytes: Option<i64>| bytes.and_then(|bytes| u64::try_from(bytes).ok());
    let Detail { current, total } = detail.unwrap_or_default();
    let progress = PullProgress {
        layer: id.filter(|id| !id.is_empty()),
        status: status.unwrap_or_default().trim().to_owned(),
        current: count(current),
        total: count(total),
    };
    Ok((!progress.status.is_empty()).then_some(progress))
}
