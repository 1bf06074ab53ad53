//! A layer that writes down every call.

use std::sync::{Mutex, PoisonError};

use futures_util::future::BoxFuture;
use kolla_container_core::Result;
use kolla_container_core::layer::{Call, Layer};

/// Writes down every call on its way to an engine or a supervisor, in their order.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Vec<Call>>);

impl Tally {
    /// The methods of all calls so far.
    pub fn methods(&self) -> Vec<&'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|call| call.method).collect()
    }

    /// The methods of those calls so far that change something.
    pub fn writes(&self) -> Vec<&'static str> {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().filter(|call| call.write).map(|call| call.method).collect()
    }

    /// How many calls of `method` there were so far.
    pub fn count(&self, method: &str) -> usize {
        self.methods().into_iter().filter(|called| *called == method).count()
    }

    /// Forgets the calls so far.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Layer for Tally {
    async fn call<T: Send>(&self, call: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(call.clone());
        next.await
    }

    async fn item<T: Send>(&self, _: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        next.await
    }
}
