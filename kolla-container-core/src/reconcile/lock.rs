//! One call at a time per container, within one process.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::name::ContainerName;

/// A lock per container name.
#[derive(Debug, Default)]
pub(super) struct Locks(Mutex<BTreeMap<ContainerName, Arc<tokio::sync::Mutex<()>>>>);

impl Locks {
    /// Holds the locks of all `names`; taken in their order, so that no two calls wait for each other.
    pub(super) async fn hold<'a>(&self, names: impl Iterator<Item = &'a ContainerName>) -> Vec<OwnedMutexGuard<()>> {
        let names: BTreeSet<&ContainerName> = names.collect();
        let mut held = Vec::with_capacity(names.len());
        for name in names {
            let lock = {
                let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                // Nobody holds or waits for a lock of which the map has the only copy.
                locks.retain(|_, lock| Arc::strong_count(lock) > 1);
                Arc::clone(locks.entry(name.clone()).or_default())
            };
            held.push(lock.lock_owned().await);
        }
        held
    }
}
