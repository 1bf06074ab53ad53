//! Two runs at once, and runs that are dropped or stopped half-way.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_util::future::BoxFuture;
use kolla_container_core::apply::{Event, Listener};
use kolla_container_core::layer::{Call, Layer, Layered};
use kolla_container_core::state::Status;
use kolla_container_core::{
    ContainerSpec, ErrorKind, Goal, Reconciler, Report, Result, Runtime, StopSignal, Timestamp,
};
use kolla_container_testkit::matrix::merge;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::specs::cases;
use crate::world::{World, goals, in_time, spec};

fn numbered(number: u32, more: Value) -> ContainerSpec {
    let mut written = json!({"environment": {"NUMBER": number.to_string()}, "mounts": ["/data"]});
    merge(&mut written, more);
    spec(written)
}

/// Started first; without an anonymous volume, for what writes to one cannot run twice.
fn start_first() -> Value {
    json!({"deploy": {"replace": "start-first"}, "mounts": []})
}

/// Lets others go first now and then, before a call and after it.
#[derive(Debug)]
pub(crate) struct Yields(AtomicU64);

impl Yields {
    /// As `seed` says.
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed | 1))
    }

    async fn some(&self) {
        // A linear congruence is random enough to mix two runs.
        let next = |state: u64| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let state = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| Some(next(state))).unwrap();
        for _ in 0..(state >> 33) % 4 {
            tokio::task::yield_now().await;
        }
    }
}

impl Layer for Yields {
    async fn call<T: Send>(&self, _: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        self.some().await;
        let answer = next.await;
        self.some().await;
        answer
    }

    async fn item<T: Send>(&self, _: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        next.await
    }
}

fn yielding(world: &World, seed: u64) -> Reconciler {
    let engine: Arc<dyn Runtime> = Arc::new(world.engine.clone());
    Reconciler::new(Arc::new(Layered::new(engine, Arc::new(Yields::new(seed)))))
}

/// The moment at which both runs begin, to the nanosecond.
fn one_moment() -> Timestamp {
    "2026-11-21T03:27:37.123456789Z".parse().unwrap()
}

/// Whether a run that lost a race says so: as a conflict, or because what it saw is gone.
fn lost_the_race(report: &Report) -> bool {
    report.failures().all(|(_, failure)| matches!(failure.error.kind(), ErrorKind::Conflict | ErrorKind::NotFound))
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn of_two_runs_at_once_one_wins_and_nothing_is_lost(
        seeds in any::<(u64, u64)>(), same in any::<bool>(), start_first in any::<bool>(), at_once in any::<bool>(),
    ) {
        in_time(async {
            let world = World::new().await;
            let mounts = if start_first { json!({"mounts": []}) } else { json!({}) };
            world.reach(Goal::running(numbered(1, mounts))).await;
            let before = world.subject().await;
            let order = if start_first { self::start_first() } else { json!({}) };
            let wanted = [2, if same { 2 } else { 3 }].map(|number| goals(Goal::running(numbered(number, order.clone()))));
            let clock = if at_once { one_moment } else { Timestamp::now };
            let (one, two) = (yielding(&world, seeds.0).with_clock(clock), yielding(&world, seeds.1).with_clock(clock));

            let (one, two) = tokio::join!(one.reconcile(&wanted[0]), two.reconcile(&wanted[1]));

            let (one, two) = (one.unwrap(), two.unwrap());
            prop_assert!(one.is_success() || two.is_success(), "{one}{two}");
            prop_assert!(lost_the_race(&one) && lost_the_race(&two), "{one}{two}");
            prop_assert!(world.is_running().await, "{:?}", world.names().await);
            prop_assert_eq!(world.subject().await.volumes, before.volumes, "{}{}", one, two);
            let winner = if one.is_success() { &wanted[0] } else { &wanted[1] };
            let next = world.reconciler().taking_over(true).reconcile(winner).await.unwrap();
            prop_assert!(next.is_success(), "{one}{two}{next}");
            prop_assert_eq!(world.names().await, ["other", "subject"]);
            prop_assert!(world.reconciler().plan(winner).await.unwrap().is_empty());
            Ok(())
        })?;
    }

    #[test]
    fn of_two_runs_at_once_one_makes_a_container_that_is_missing(seeds in any::<(u64, u64)>()) {
        in_time(async {
            let world = World::new().await;
            let wanted = goals(Goal::running(numbered(1, json!({}))));
            let (one, two) = (yielding(&world, seeds.0), yielding(&world, seeds.1));

            let (one, two) = tokio::join!(one.reconcile(&wanted), two.reconcile(&wanted));

            let (one, two) = (one.unwrap(), two.unwrap());
            prop_assert!(one.is_success() || two.is_success(), "{one}{two}");
            prop_assert!(lost_the_race(&one) && lost_the_race(&two), "{one}{two}");
            prop_assert_eq!(world.names().await, ["other", "subject"]);
            prop_assert!(world.reconciler().plan(&wanted).await.unwrap().is_empty());
            Ok(())
        })?;
    }

    #[test]
    fn two_runs_of_one_reconciler_take_turns(seeds in any::<u64>()) {
        in_time(async {
            let world = World::new().await;
            world.reach(Goal::running(numbered(1, json!({})))).await;
            let wanted = goals(Goal::running(numbered(2, json!({}))));
            let reconciler = yielding(&world, seeds);
            let clone = reconciler.clone();

            let (one, two) = tokio::join!(reconciler.reconcile(&wanted), clone.reconcile(&wanted));

            let (one, two) = (one.unwrap(), two.unwrap());
            prop_assert!(one.is_success() && two.is_success(), "{one}{two}");
            prop_assert!(one.is_changed() != two.is_changed());
            Ok(())
        })?;
    }
}

/// A future that is polled so often and then answers `None`.
struct Polls<F> {
    inner: Pin<Box<F>>,
    left: usize,
}

impl<F: Future> Future for Polls<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        match self.inner.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Yields once before and once after each call, so that there is an await point at each.
#[derive(Debug)]
struct YieldsOnce;

impl Layer for YieldsOnce {
    async fn call<T: Send>(&self, _: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        tokio::task::yield_now().await;
        let answer = next.await;
        tokio::task::yield_now().await;
        answer
    }

    async fn item<T: Send>(&self, _: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        next.await
    }
}

async fn dropped_at_every_await_point(old: ContainerSpec, new: ContainerSpec, fails: bool) {
    let mut drops = 0;
    for polls in 1.. {
        let world = World::new().await;
        world.reach(Goal::running(old.clone())).await;
        let before = world.subject().await;
        let engine: Arc<dyn Runtime> = Arc::new(world.engine.clone());
        let reconciler = Reconciler::new(Arc::new(Layered::new(engine, Arc::new(YieldsOnce))));
        let wanted = goals(Goal::running(new.clone()));

        let run = Polls { inner: Box::pin(reconciler.reconcile(&wanted)), left: polls };
        if run.await.is_some() {
            break;
        }
        drops += 1;
        let report = world.reconciler().taking_over(true).reconcile(&wanted).await.unwrap();

        assert_eq!(report.is_success(), !fails, "after {polls} polls: {report}");
        assert_eq!(world.names().await, ["other", "subject"]);
        assert_eq!(world.subject().await.volumes, before.volumes);
        let wanted = if fails { old.clone() } else { new.clone() };
        assert_eq!(world.subject().await.id == before.id, fails);
        world.assert_reached(Goal::running(wanted)).await;
    }
    assert!(drops > 20, "there were only {drops} await points");
}

#[test]
fn a_run_that_is_dropped_at_any_await_point_is_finished_by_the_next() {
    in_time(dropped_at_every_await_point(numbered(1, json!({})), numbered(2, json!({})), false));
}

#[test]
fn a_run_that_starts_first_and_is_dropped_at_any_await_point_is_finished_by_the_next() {
    let old = numbered(1, json!({"mounts": []}));
    in_time(dropped_at_every_await_point(old, numbered(2, start_first()), false));
}

#[test]
fn an_undo_that_is_dropped_at_any_await_point_is_finished_by_the_next() {
    let new = numbered(2, json!({"image": "localhost/kit/exits-later:1"}));
    in_time(dropped_at_every_await_point(numbered(1, json!({})), new, true));
}

/// Gives a stop signal at the nth event.
#[derive(Debug)]
struct StopsAt {
    nth: usize,
    seen: AtomicUsize,
    signal: StopSignal,
    at: Mutex<Option<String>>,
}

impl Listener for StopsAt {
    fn event(&self, event: &Event<'_>) {
        if self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.nth {
            self.signal.stop();
            *self.at.lock().unwrap() = Some(format!("{event:?}"));
        }
    }
}

async fn stopped_at_every_event(old: ContainerSpec, new: ContainerSpec, least: usize) {
    let mut stops = 0;
    for nth in 1.. {
        let world = World::new().await;
        world.reach(Goal::running(old.clone())).await;
        let before = world.subject().await;
        let signal = StopSignal::new();
        let listener =
            Arc::new(StopsAt { nth, seen: AtomicUsize::new(0), signal: signal.clone(), at: Mutex::default() });
        let reconciler = world.reconciler().with_stop_signal(signal.clone()).with_listener(Arc::clone(&listener) as _);

        let report = reconciler.reconcile(&goals(Goal::running(new.clone()))).await.unwrap();

        if !signal.is_given() {
            break;
        }
        stops += 1;
        let at = listener.at.lock().unwrap().clone().unwrap();
        let after = world.subject().await;
        assert_eq!(after.status, Status::Running, "stopped at {at}: {report}");
        if report.is_success() {
            assert_ne!(after.id, before.id, "stopped at {at}");
        } else if after.id == before.id {
            assert!(!report.is_changed(), "stopped at {at}: {report}");
            assert_eq!(world.names().await, ["other", "subject"], "stopped at {at}");
            world.assert_reached(Goal::running(old.clone())).await;
        } else {
            // It was in place already and verified; what is left is to remove the old one.
            let left =
                world.reconciler().taking_over(true).reconcile(&goals(Goal::running(new.clone()))).await.unwrap();
            assert!(left.is_success(), "stopped at {at}: {left}");
        }
        assert_eq!(after.volumes, before.volumes, "stopped at {at}");
    }
    assert!(stops >= least, "there were only {stops} events");
}

#[test]
fn a_stop_signal_at_any_step_is_undone_or_comes_too_late() {
    in_time(stopped_at_every_event(numbered(1, json!({})), numbered(2, json!({})), 14));
    let old = numbered(1, json!({"mounts": []}));
    in_time(stopped_at_every_event(old, numbered(2, start_first()), 14));
}

#[test]
fn a_stop_signal_while_a_failed_replacement_is_undone_lets_the_undo_end() {
    in_time(async {
        for nth in 1..24 {
            let world = World::new().await;
            world.reach(Goal::running(numbered(1, json!({})))).await;
            let before = world.subject().await;
            let signal = StopSignal::new();
            let seen = AtomicUsize::new(0);
            let listener = Arc::new(StopsAt { nth, seen, signal: signal.clone(), at: Mutex::default() });
            let reconciler = world.reconciler().with_stop_signal(signal).with_listener(listener as _);

            let new = numbered(2, json!({"image": "localhost/kit/exits:1"}));
            let report = reconciler.reconcile(&goals(Goal::running(new))).await.unwrap();

            assert!(!report.is_success() && !report.is_changed(), "{report}");
            let after = world.subject().await;
            assert_eq!((after.id, after.status), (before.id, Status::Running));
            assert_eq!(world.names().await, ["other", "subject"]);
        }
    });
}
