//! A deadline for every call.

use std::time::Duration;

use futures_util::future::BoxFuture;

use super::{Call, Layer, Pace};
use crate::error::{ErrorKind, Result};

/// Ends a call that takes too long: [`TimedOut`](ErrorKind::TimedOut), with what was being done to what.
///
/// - A stop and a restart have their grace time on top, 10 s where none is stated.
/// - A pull may take as long as it likes, and be silent no longer than this: the deadline begins anew with
///   each of its pieces.
/// - Waiting for a container, and following its logs, have none.
///
/// Whether the engine did what was asked is not known then: it may still do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    limit: Duration,
}

impl Deadline {
    /// A deadline of `limit` for each call.
    pub fn new(limit: Duration) -> Self {
        Self { limit }
    }

    async fn within<T: Send>(&self, call: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        let limit = match call.pace {
            Pace::Prompt => self.limit,
            Pace::Grace(grace) => self.limit.saturating_add(grace),
            Pace::Endless => return next.await,
        };
        match tokio::time::timeout(limit, next).await {
            Ok(answer) => answer,
            Err(_) => Err(call.error(ErrorKind::TimedOut).because(format!("no answer within {limit:?}"))),
        }
    }
}

impl Layer for Deadline {
    async fn call<T: Send>(&self, call: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        self.within(call, next).await
    }

    async fn item<T: Send>(&self, call: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        self.within(call, next).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::{StreamExt, TryStreamExt};
    use tokio::time::Instant;

    use super::*;
    use crate::layer::{Fault, Layered};
    use crate::memory::{Behaviour, ImageTemplate, MemoryEngine};
    use crate::name::ContainerId;
    use crate::quantity::TimeSpan;
    use crate::runtime::Runtime;
    use crate::spec::ContainerSpec;
    use crate::state::{ImageToPull, LogOptions};

    const LIMIT: Duration = Duration::from_secs(2);

    fn slow(fault: Fault) -> Layered<Deadline, Layered<Fault, MemoryEngine>> {
        let hanging = Layered::new(Arc::new(MemoryEngine::new()), Arc::new(fault));
        Layered::new(Arc::new(hanging), Arc::new(Deadline::new(LIMIT)))
    }

    async fn running(engine: &MemoryEngine, behaviour: Behaviour) -> ContainerId {
        engine.load(&"app".parse().unwrap(), ImageTemplate::default().with_behaviour(behaviour));
        let spec = ContainerSpec::new("app".parse().unwrap());
        let id = engine.create_container(&"app".parse().unwrap(), &spec).await.unwrap().id;
        engine.start_container(&id).await.unwrap();
        id
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_without_an_answer_times_out_and_says_what_it_was() {
        let runtime = slow(Fault::hang_nth(1));
        let begun = Instant::now();

        let error = runtime.container(&"db".parse().unwrap()).await.unwrap_err();

        assert_eq!(error.report(), "inspect container db: timed out: no answer within 2s");
        assert_eq!(begun.elapsed(), LIMIT);
        assert!(runtime.container(&"db".parse().unwrap()).await.unwrap().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_has_its_grace_time_on_top() {
        let engine = MemoryEngine::new();
        let id = running(&engine, Behaviour::IgnoresStop).await;
        let runtime = Layered::new(Arc::new(engine), Arc::new(Deadline::new(LIMIT)));

        runtime.stop_container(&id, Some(TimeSpan::from_secs(60))).await.unwrap();

        let exit = runtime.container_by_id(&id).await.unwrap().unwrap().exit.unwrap();
        assert_eq!(exit.code, 137);
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_and_following_logs_take_as_long_as_the_container_runs() {
        let engine = MemoryEngine::new();
        let id = running(&engine, Behaviour::exits_after(Duration::from_hours(1), 4)).await;
        let runtime = Layered::new(Arc::new(engine), Arc::new(Deadline::new(LIMIT)));
        let follow = LogOptions { follow: true, tail: None };

        let (exit, logs) = tokio::join!(runtime.wait_container(&id), runtime.logs(&id, follow).try_collect::<Vec<_>>());

        assert_eq!(exit.unwrap().code, 4);
        assert!(logs.unwrap().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pull_that_falls_silent_times_out() {
        let runtime = slow(Fault::hang_nth(1));

        let items: Vec<_> = runtime.pull_image(&ImageToPull::new("nginx".parse().unwrap())).collect().await;

        assert_eq!(items.len(), 1);
        assert_eq!(items[0].as_ref().unwrap_err().kind(), ErrorKind::TimedOut);
    }
}
