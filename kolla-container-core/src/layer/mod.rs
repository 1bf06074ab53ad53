//! Layers around a port: something that sees every call on its way to an engine or a supervisor.
//!
//! There is one forwarding type, [`Layered`], and it calls each method of the port inside exactly once,
//! through its [`Layer`]; so a layer is one type with two methods, whatever the port has.

mod deadline;
mod fault;
mod runtime;
mod supervisor;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

pub use self::deadline::Deadline;
pub use self::fault::Fault;

use crate::error::{Error, ErrorKind, Result};

/// What a layer does with the calls that pass through it.
///
/// - `next` does the call; a layer that never polls it keeps the call from the engine.
/// - An answer that comes in pieces (a pull, logs) is one [`call`](Self::call) up to its first piece, made
///   when the stream is first polled, and one [`item`](Self::item) for each further piece. The end of
///   the stream is a piece too: the answer `None`.
pub trait Layer: fmt::Debug + Send + Sync + 'static {
    /// A call, up to its answer or to the first piece of it.
    fn call<T: Send>(&self, call: &Call, next: BoxFuture<'_, Result<T>>) -> impl Future<Output = Result<T>> + Send;

    /// A further piece of the answer to a call.
    fn item<T: Send>(&self, call: &Call, next: BoxFuture<'_, Result<T>>) -> impl Future<Output = Result<T>> + Send;
}

/// A call on its way to an engine or a supervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The method of the port: `stop_container`.
    pub method: &'static str,
    /// The same in words, as errors have it: "stop container".
    pub operation: &'static str,
    /// To what: a name, or the first digits of an id.
    pub subject: String,
    /// Whether it changes anything; running a command in a container counts as reading.
    pub write: bool,
    /// How long it may take by its nature.
    pub pace: Pace,
}

/// How long a call may take by its nature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As long as any request.
    Prompt,
    /// This much longer than any request: the grace time of a stop.
    Grace(Duration),
    /// As long as a container runs, or is silent.
    Endless,
}

impl Call {
    /// A failure of this call.
    pub fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, self.operation, &self.subject)
    }

    fn read(method: &'static str, operation: &'static str, subject: impl fmt::Display) -> Self {
        Self { method, operation, subject: subject.to_string(), write: false, pace: Pace::Prompt }
    }

    fn write(method: &'static str, operation: &'static str, subject: impl fmt::Display) -> Self {
        Self { write: true, ..Self::read(method, operation, subject) }
    }

    fn at(self, pace: Pace) -> Self {
        Self { pace, ..self }
    }
}

/// A port with a layer around it; by default an engine, and a supervisor just as well.
///
/// The same layer may be around several ports: [`Fault`] then counts the calls of all of them.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use kolla_container_core::Runtime;
/// use kolla_container_core::layer::{Deadline, Layered};
/// use kolla_container_core::memory::MemoryEngine;
///
/// let engine = Layered::new(Arc::new(MemoryEngine::new()), Arc::new(Deadline::new(Duration::from_secs(120))));
/// assert_eq!(engine.engine().version.to_string(), "1.0.0");
/// ```
#[derive(Debug)]
pub struct Layered<L, P: ?Sized = dyn crate::Runtime> {
    inner: Arc<P>,
    layer: Arc<L>,
}

impl<L: Layer, P: ?Sized> Layered<L, P> {
    /// `inner` with `layer` around it.
    pub fn new(inner: Arc<P>, layer: Arc<L>) -> Self {
        Self { inner, layer }
    }

    /// The layer.
    pub fn layer(&self) -> &L {
        &self.layer
    }
}

impl<L, P: ?Sized> Clone for Layered<L, P> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), layer: Arc::clone(&self.layer) }
    }
}
