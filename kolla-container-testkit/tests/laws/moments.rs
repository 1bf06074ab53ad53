//! What holds at each moment of a replacement, and not only at its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use kolla_container_core::layer::{Call, Layer, Layered};
use kolla_container_core::memory::MemoryEngine;
use kolla_container_core::state::ContainerFilter;
use kolla_container_core::{ContainerSpec, Goal, Reconciler, Result, Runtime};
use kolla_container_testkit::matrix::merge;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::specs::cases;
use crate::together::Yields;
use crate::world::{World, goals, in_time, spec};

/// Looks after each call how many containers of the subject are up.
#[derive(Debug)]
pub(crate) struct Witness {
    engine: MemoryEngine,
    most: AtomicUsize,
    fewest: AtomicUsize,
}

impl Witness {
    pub(crate) fn of(world: &World) -> Self {
        Self { engine: world.engine.clone(), most: AtomicUsize::new(0), fewest: AtomicUsize::new(usize::MAX) }
    }

    async fn look(&self) {
        let all = self.engine.containers(&ContainerFilter::default()).await.unwrap();
        let of_subject = all.iter().filter(|line| line.name.as_str().starts_with("subject"));
        let up = of_subject.filter(|line| line.status.is_up()).count();
        self.most.fetch_max(up, Ordering::SeqCst);
        self.fewest.fetch_min(up, Ordering::SeqCst);
    }

    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    fn fewest(&self) -> usize {
        self.fewest.load(Ordering::SeqCst)
    }
}

impl Layer for Witness {
    async fn call<T: Send>(&self, _: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        let answer = next.await;
        self.look().await;
        answer
    }

    async fn item<T: Send>(&self, _: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        next.await
    }
}

fn numbered(number: u32, more: Value) -> ContainerSpec {
    let mut written = json!({"environment": {"NUMBER": number.to_string()}});
    merge(&mut written, more);
    spec(written)
}

fn watched(world: &World, witness: &Arc<Witness>) -> Arc<dyn Runtime> {
    let engine: Arc<dyn Runtime> = Arc::new(world.engine.clone());
    Arc::new(Layered::new(engine, Arc::clone(witness)))
}

async fn replaced(new: Value) -> Arc<Witness> {
    let world = World::new().await;
    world.reach(Goal::running(numbered(1, json!({})))).await;
    let witness = Arc::new(Witness::of(&world));
    drop(Reconciler::new(watched(&world, &witness)).reconcile(&goals(Goal::running(numbered(2, new)))).await.unwrap());
    witness
}

/// Two programs at once on the same data would be the end of it.
#[test]
fn stop_first_never_has_two_running() {
    in_time(async {
        for image in ["plain", "exits", "exits-later", "unhealthy", "fails-to-start"] {
            let witness = replaced(json!({"image": format!("localhost/kit/{image}:1")})).await;

            assert_eq!((witness.fewest(), witness.most()), (0, 1), "{image}");
        }
    });
}

#[test]
fn start_first_always_has_one_running() {
    in_time(async {
        for image in ["plain", "exits", "exits-later", "unhealthy", "fails-to-start"] {
            let image = format!("localhost/kit/{image}:1");
            let witness = replaced(json!({"image": image, "deploy": {"replace": "start-first"}})).await;

            assert_eq!(witness.fewest(), 1, "{image}");
            assert!(witness.most() <= 2, "{image}");
        }
    });
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn two_runs_at_once_never_have_two_running(seeds in any::<(u64, u64)>()) {
        in_time(async {
            let world = World::new().await;
            world.reach(Goal::running(numbered(1, json!({})))).await;
            let witness = Arc::new(Witness::of(&world));
            let wanted = [2, 3].map(|number| goals(Goal::running(numbered(number, json!({})))));
            let reconciler = |seed| {
                Reconciler::new(Arc::new(Layered::new(watched(&world, &witness), Arc::new(Yields::new(seed)))))
            };
            let (one, two) = (reconciler(seeds.0), reconciler(seeds.1));

            let (one, two) = tokio::join!(one.reconcile(&wanted[0]), two.reconcile(&wanted[1]));

            let (one, two) = (one.unwrap(), two.unwrap());
            prop_assert!(witness.most() <= 1, "{one}{two}");
            Ok(())
        })?;
    }
}
