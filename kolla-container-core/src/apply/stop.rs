//! Asking an apply to end early and orderly.

use std::sync::Arc;

use tokio::sync::watch;

/// A request to stop: the step under way ends, what was begun is undone, nothing new begins.
///
/// Clones are the same signal. Programs connect it to the first Ctrl-C.
#[derive(Clone, Debug)]
pub struct StopSignal(Arc<watch::Sender<bool>>);

impl StopSignal {
    /// A signal that nobody has given yet.
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// Gives the signal; for good.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was given.
    pub fn is_given(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is given.
    pub async fn given(&self) {
        // The sender lives as long as this borrow, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|given| *given).await;
    }
}

impl Default for StopSignal {
    fn default() -> Self {
        Self::new()
    }
}
