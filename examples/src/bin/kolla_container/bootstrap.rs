//! A container that somebody has begun to run to its end already.

use std::time::Duration;

use futures_util::StreamExt;
use kolla_container_core::Runtime;
use kolla_container_core::state::{ContainerState, LogChunk, LogOptions};

use crate::answer::Ended;
use crate::failure::Failure;

/// How long the output of a container that has ended may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Waits for its end, and reads what it has printed; with what is to be said of that.
pub(crate) async fn attend(there: &ContainerState, runtime: &dyn Runtime) -> Result<(Ended, Vec<String>), Failure> {
    let exit = runtime.wait_container(&there.id).await?;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut logs = runtime.logs(&there.id, LogOptions { follow: false, tail: None });
    let read = async {
        while let Some(chunk) = logs.next().await {
            match chunk? {
                LogChunk::Stdout(bytes) => stdout.extend(bytes),
                LogChunk::Stderr(bytes) => stderr.extend(bytes),
            }
        }
        Ok::<(), kolla_container_core::Error>(())
    };
    let warnings = match tokio::time::timeout(PATIENCE, read).await {
        Ok(Ok(())) => Vec::new(),
        Ok(Err(error)) => vec![format!("its output could not be read: {}", error.report())],
        Err(_) => vec!["the end of its output may be missing".to_owned()],
    };
    Ok((Ended::of(exit.code, &stdout, &stderr), warnings))
}
