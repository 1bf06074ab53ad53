//! Whoever started the program wants it to end, or is gone.

use std::future::Future;

use kolla_container_core::StopSignal;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for `work`. An interrupt, a request to terminate and a lost terminal give `stop`: the step under way ends, and what
/// was begun is put back.
pub(crate) async fn during<T>(work: impl Future<Output = T>, stop: &StopSignal) -> T {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    // Who cannot listen ends as programs do, and the next run puts it right.
    let listeners: Vec<_> = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
    let listening: Vec<_> = listeners
        .into_iter()
        .map(|mut listener| {
            let stop = stop.clone();
            tokio::spawn(async move {
                if listener.recv().await.is_some() {
                    stop.stop();
                }
            })
        })
        .collect();
    let done = work.await;
    listening.iter().for_each(tokio::task::JoinHandle::abort);
    done
}
