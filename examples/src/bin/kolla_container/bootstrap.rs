//! A container that somebody has begun to run to its end already.

use futures_util::StreamExt;
use kolla_container_core::Runtime;
use kolla_container_core::state::{ContainerState, LogChunk, LogOptions};

use crate::answer::Ended;
use crate::failure::Failure;

/// Waits for its end, and reads what it has printed.
pub(crate) async fn attend(there: &ContainerState, runtime: &dyn Runtime) -> Result<Ended, Failure> {
    let exit = runtime.wait_container(&there.id).await?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut logs = runtime.logs(&there.id, LogOptions { follow: false, tail: None });
    while let Some(chunk) = logs.next().await {
        match chunk? {
            LogChunk::Stdout(bytes) => stdout.extend(bytes),
            LogChunk::Stderr(bytes) => stderr.extend(bytes),
        }
    }
    Ok(Ended::of(exit.code, &stdout, &stderr))
}
