//! Faults on purpose: a call that fails, hangs, loses its answer, or is the last one of a run.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures_util::future::BoxFuture;

use super::{Call, Layer};
use crate::error::{Error, ErrorKind, Result};

/// A layer for tests, which lets one call go wrong and counts the calls.
///
/// Calls are counted from 1; [`writes_only`](Self::writes_only) and [`on`](Self::on) say which of them
/// count. With the same fault around an engine and a supervisor the calls of both count.
///
/// ```
/// use std::sync::Arc;
///
/// use kolla_container_core::layer::{Fault, Layered};
/// use kolla_container_core::memory::MemoryEngine;
/// use kolla_container_core::{ErrorKind, Runtime};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let engine = Layered::new(Arc::new(MemoryEngine::new()), Arc::new(Fault::fail_nth(2, ErrorKind::Unreachable)));
///
/// assert!(engine.images().await.is_ok());
/// assert!(engine.images().await.is_err());
/// assert!(engine.images().await.is_ok());
/// assert_eq!(engine.layer().calls(), 3);
/// # }
/// ```
#[derive(Debug)]
pub struct Fault {
    what: What,
    nth: u64,
    counted: Counted,
    method: Option<String>,
    calls: AtomicU64,
    cut: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Nothing,
    Fail(ErrorKind),
    LoseAnswer(ErrorKind),
    Hang,
    Cut,
    CutAfter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counted {
    All,
    Writes,
}

impl Fault {
    fn new(what: What, nth: u64) -> Self {
        Self { what, nth, counted: Counted::All, method: None, calls: AtomicU64::new(0), cut: AtomicBool::new(false) }
    }

    /// Nothing goes wrong; the calls are counted.
    pub fn none() -> Self {
        Self::new(What::Nothing, 0)
    }

    /// The `n`th call fails, and does not reach the engine.
    pub fn fail_nth(n: u64, kind: ErrorKind) -> Self {
        Self::new(What::Fail(kind), n)
    }

    /// The `n`th call reaches the engine, and its answer is lost: an error comes instead.
    pub fn fail_nth_after(n: u64, kind: ErrorKind) -> Self {
        Self::new(What::LoseAnswer(kind), n)
    }

    /// The `n`th call does not reach the engine, and is never answered.
    pub fn hang_nth(n: u64) -> Self {
        Self::new(What::Hang, n)
    }

    /// The `n`th call and every call after it, counted or not, fails: the run is dead.
    pub fn cut_nth(n: u64) -> Self {
        Self::new(What::Cut, n)
    }

    /// The `n`th call reaches the engine, but its answer and every call after it fails: the run is dead.
    pub fn cut_nth_after(n: u64) -> Self {
        Self::new(What::CutAfter, n)
    }

    /// With writes alone counted.
    pub fn writes_only(mut self) -> Self {
        self.counted = Counted::Writes;
        self
    }

    /// With calls of this method alone counted: `start_container`.
    pub fn on(mut self, method: &str) -> Self {
        self.method = Some(method.to_owned());
        self
    }

    /// How many calls were counted so far, those that failed too.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Whether the run is dead.
    pub fn is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    fn counts(&self, call: &Call) -> bool {
        let write = call.write || self.counted == Counted::All;
        write && self.method.as_deref().is_none_or(|method| method == call.method)
    }

    /// Whether this call is the one that goes wrong.
    fn strikes(&self, call: &Call) -> bool {
        self.counts(call) && self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.nth
    }
}

fn unreachable(call: &Call) -> Error {
    call.error(ErrorKind::Unreachable).because("the run was cut here on purpose")
}

impl Layer for Fault {
    async fn call<T: Send>(&self, call: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        let strikes = self.strikes(call);
        if self.is_cut() {
            return Err(unreachable(call));
        }
        if !strikes {
            return next.await;
        }
        let failed = |kind| Err(call.error(kind).because("it failed here on purpose"));
        match self.what {
            What::Nothing => next.await,
            What::Fail(kind) => failed(kind),
            What::LoseAnswer(kind) => {
                drop(next.await);
                failed(kind)
            }
            What::Hang => std::future::pending().await,
            What::Cut => {
                self.cut.store(true, Ordering::SeqCst);
                Err(unreachable(call))
            }
            What::CutAfter => {
                drop(next.await);
                self.cut.store(true, Ordering::SeqCst);
                Err(unreachable(call))
            }
        }
    }

    async fn item<T: Send>(&self, call: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        if self.is_cut() { Err(unreachable(call)) } else { next.await }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::StreamExt;

    use super::*;
    use crate::layer::Layered;
    use crate::memory::{MemoryEngine, MemorySupervisor};
    use crate::name::VolumeName;
    use crate::runtime::Runtime;
    use crate::state::{ImageToPull, VolumeToCreate};
    use crate::supervisor::Supervisor;

    fn layered(fault: Fault) -> (MemoryEngine, Layered<Fault>) {
        let engine = MemoryEngine::new();
        (engine.clone(), Layered::new(Arc::new(engine), Arc::new(fault)))
    }

    fn volume(name: &str) -> (VolumeName, VolumeToCreate) {
        let name: VolumeName = name.parse().unwrap();
        (name.clone(), VolumeToCreate::local(name))
    }

    #[tokio::test]
    async fn a_call_that_fails_does_not_reach_the_engine() {
        let (engine, runtime) = layered(Fault::fail_nth(1, ErrorKind::EngineFailed));

        let error = runtime.create_volume(&volume("v").1).await.unwrap_err();

        assert_eq!((error.kind(), error.operation(), error.subject()), (ErrorKind::EngineFailed, "create volume", "v"));
        assert!(engine.requests().is_empty());
        assert!(runtime.create_volume(&volume("v").1).await.is_ok());
    }

    #[tokio::test]
    async fn a_call_whose_answer_is_lost_has_reached_the_engine() {
        let (engine, runtime) = layered(Fault::fail_nth_after(1, ErrorKind::TimedOut));
        let (name, v) = volume("v");

        assert_eq!(runtime.create_volume(&v).await.unwrap_err().kind(), ErrorKind::TimedOut);

        assert!(engine.volume(&name).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn after_a_cut_nothing_reaches_the_engine() {
        let (engine, runtime) = layered(Fault::cut_nth(2).writes_only());

        assert!(runtime.create_volume(&volume("a").1).await.is_ok());
        assert!(runtime.images().await.is_ok());
        assert!(runtime.create_volume(&volume("b").1).await.is_err());
        assert!(runtime.images().await.is_err());
        assert!(runtime.pull_image(&ImageToPull::new("x".parse().unwrap())).next().await.unwrap().is_err());

        assert_eq!(engine.requests(), ["create_volume a", "images"]);
        assert_eq!(runtime.layer().calls(), 3);
    }

    #[tokio::test]
    async fn a_cut_after_a_call_comes_after_its_effect() {
        let (engine, runtime) = layered(Fault::cut_nth_after(1).on("create_volume"));

        assert!(runtime.images().await.is_ok());
        assert!(runtime.create_volume(&volume("a").1).await.is_err());
        assert!(runtime.create_volume(&volume("b").1).await.is_err());

        assert_eq!(engine.writes(), ["create_volume a"]);
    }

    #[tokio::test]
    async fn a_pull_is_cut_between_its_pieces() {
        let (engine, runtime) = layered(Fault::cut_nth(2));
        let reference: crate::ImageRef = "nginx".parse().unwrap();

        let mut pull = runtime.pull_image(&ImageToPull::new(reference.clone()));
        let first = pull.next().await.unwrap();
        let cut = runtime.images().await;
        let rest: Vec<_> = pull.collect().await;

        assert!(first.is_ok() && cut.is_err());
        assert!(matches!(rest.as_slice(), [Err(_)]));
        assert!(engine.image(&reference).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn one_fault_counts_the_calls_to_engine_and_supervisor() {
        let fault = Arc::new(Fault::cut_nth(2));
        let engine = MemoryEngine::new();
        let supervisor = Layered::new(Arc::new(MemorySupervisor::new(&engine)), Arc::clone(&fault));
        let runtime = Layered::new(Arc::new(engine), fault);

        assert!(supervisor.unit(&"db".parse().unwrap()).await.unwrap().is_none());
        assert!(runtime.images().await.is_err());
        assert!(supervisor.unit(&"db".parse().unwrap()).await.is_err());
    }
}
