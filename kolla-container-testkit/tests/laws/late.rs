//! A run that stalls at any call, while another one comes and goes: all acts are by id, so the late one
//! can only fail, and damages nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use kolla_container_core::layer::{Call, Layer, Layered};
use kolla_container_core::{ContainerSpec, Goal, Reconciler, Result, Runtime};
use kolla_container_testkit::matrix::merge;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::moments::Witness;
use crate::world::{World, goals, in_time, spec};

/// Keeps the nth call until it is let go on, before its effect or after it.
#[derive(Debug)]
struct Stalls {
    nth: u64,
    after: bool,
    calls: AtomicU64,
    reached: Semaphore,
    released: Semaphore,
}

impl Stalls {
    fn at(nth: u64, after: bool) -> Self {
        let closed = || Semaphore::new(0);
        Self { nth, after, calls: AtomicU64::new(0), reached: closed(), released: closed() }
    }

    async fn stall(&self) {
        self.reached.add_permits(1);
        self.released.acquire().await.unwrap().forget();
    }
}

impl Layer for Stalls {
    async fn call<T: Send>(&self, _: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        let strikes = self.calls.fetch_add(1, Ordering::SeqCst) + 1 == self.nth;
        if strikes && !self.after {
            self.stall().await;
        }
        let answer = next.await;
        if strikes && self.after {
            self.stall().await;
        }
        answer
    }

    async fn item<T: Send>(&self, _: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        next.await
    }
}

fn numbered(number: u32, more: Value) -> ContainerSpec {
    let mut written = json!({"environment": {"NUMBER": number.to_string()}, "mounts": ["/data", "data-a:/named"]});
    merge(&mut written, more);
    spec(written)
}

/// How the other run goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Other {
    /// It leaves the first one its time.
    Waits,
    /// It takes the first one for dead.
    TakesOver,
}

/// Lets a run to `late` stall at each call, and one to `prompt` come in between.
async fn a_late_run_damages_nothing(late: ContainerSpec, prompt: ContainerSpec, other: Other) {
    for after in [false, true] {
        let mut stalls = 0;
        for nth in 1.. {
            let world = World::new().await;
            world.reach(Goal::running(numbered(1, json!({})))).await;
            let before = world.subject().await;
            let witness = Arc::new(Witness::of(&world));
            let engine: Arc<dyn Runtime> = Arc::new(world.engine.clone());
            let watched: Arc<dyn Runtime> = Arc::new(Layered::new(engine, Arc::clone(&witness)));
            let stall = Arc::new(Stalls::at(nth, after));
            let first = Reconciler::new(Arc::new(Layered::new(Arc::clone(&watched), Arc::clone(&stall))));
            let second = Reconciler::new(watched).taking_over(other == Other::TakesOver);
            let (late, prompt) = (goals(Goal::running(late.clone())), goals(Goal::running(prompt.clone())));

            let first = async { first.reconcile(&late).await.unwrap() };
            let second = async {
                stall.reached.acquire().await.unwrap().forget();
                let report = second.reconcile(&prompt).await.unwrap();
                stall.released.add_permits(1);
                report
            };
            let both = futures_util::future::join(first, second);
            // Who never stalls leaves the other one waiting for ever.
            let day = std::time::Duration::from_hours(24);
            let Ok((first, second)) = tokio::time::timeout(day, both).await else { break };
            stalls += 1;

            let said = format!("stalled at call {nth} (after: {after}), {other:?}: {first}{second}");
            assert!(world.is_running().await, "{said}{:?}", world.names().await);
            assert_eq!(world.subject().await.volumes, before.volumes, "{said}");
            assert!(witness.most() <= 1, "two were running at once: {said}");
            let left = world.reconciler().taking_over(true).reconcile(&prompt).await.unwrap();
            assert!(left.is_success(), "{said}{left}");
            assert_eq!(world.names().await, ["other", "subject"], "{said}");
            assert_eq!(world.subject().await.volumes, before.volumes, "{said}");
            assert!(world.reconciler().plan(&prompt).await.unwrap().is_empty());
        }
        assert!(stalls > 12, "there were only {stalls} stalls");
    }
}

#[test]
fn a_late_replacement_damages_nothing_when_another_one_waits() {
    in_time(a_late_run_damages_nothing(numbered(2, json!({})), numbered(3, json!({})), Other::Waits));
}

#[test]
fn a_late_replacement_damages_nothing_when_another_one_takes_over() {
    in_time(a_late_run_damages_nothing(numbered(2, json!({})), numbered(3, json!({})), Other::TakesOver));
}

#[test]
fn a_late_replacement_damages_nothing_when_the_same_is_done_by_another_one() {
    for other in [Other::Waits, Other::TakesOver] {
        in_time(a_late_run_damages_nothing(numbered(2, json!({})), numbered(2, json!({})), other));
    }
}

#[test]
fn a_late_undo_damages_nothing_when_another_one_comes() {
    for other in [Other::Waits, Other::TakesOver] {
        let late = numbered(2, json!({"image": "localhost/kit/exits-later:1"}));
        in_time(a_late_run_damages_nothing(late, numbered(3, json!({})), other));
    }
}
