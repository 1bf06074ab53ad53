//! How long it takes to compare one container with its spec: 24 real services, and one that differs.

#![expect(clippy::expect_used, reason = "what fails to be prepared fails the test")]

use std::collections::BTreeMap;
use std::sync::Arc;

use kolla_container_core::dialect::kolla::{Host, read_document};
use kolla_container_core::diff::{Comparison, Surroundings, diff};
use kolla_container_core::memory::MemoryEngine;
use kolla_container_core::state::{ContainerState, ImageState};
use kolla_container_core::{ContainerName, ContainerSpec, Goal, Goals, Reconciler, Runtime};

fn main() {
    divan::main();
}

struct Services {
    engine: MemoryEngine,
    services: Vec<(ContainerSpec, ContainerState, ImageState)>,
}

impl Services {
    fn running() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime can be built");
        runtime.block_on(async {
            let document = include_str!("../testdata/kolla_services.json");
            let document = serde_json::from_str(document).expect("the test data is JSON");
            let host = Host { time_zone: "UTC".to_owned() };
            let specs: BTreeMap<ContainerName, ContainerSpec> =
                read_document(document, &host).expect("the test data is without mistakes");
            let engine = MemoryEngine::new();
            let goals: Goals = specs.clone().into_iter().map(|(name, spec)| (name, Goal::running(spec))).collect();
            let report = Reconciler::new(Arc::new(engine.clone())).reconcile(&goals).await.expect("there is a plan");
            assert!(report.is_success(), "{report}");
            let mut services = Vec::new();
            for (name, spec) in specs {
                let state = engine.container(&name).await.expect("memory answers").expect("it was made");
                let image = engine.image_by_id(&state.image_id).await.expect("memory answers").expect("it was pulled");
                services.push((spec, state, image));
            }
            Self { engine, services }
        })
    }

    fn compare(&self, comparison: &Comparison) -> usize {
        let differing = self.services.iter().filter(|(spec, state, image)| {
            let surroundings = Surroundings {
                image: Some(image),
                wanted_image: Some(image),
                engine: self.engine.engine(),
                comparison,
            };
            !diff(divan::black_box(spec), divan::black_box(state), &surroundings).changes.is_empty()
        });
        differing.count()
    }
}

#[divan::bench(args = ["strict", "kolla"])]
fn compare_24_services(bencher: divan::Bencher<'_, '_>, policy: &str) {
    let services = Services::running();
    let comparison = if policy == "kolla" { Comparison::kolla() } else { Comparison::strict() };
    assert_eq!(services.compare(&comparison), 0);

    bencher.counter(divan::counter::ItemsCount::new(24_usize)).bench(|| services.compare(&comparison));
}
