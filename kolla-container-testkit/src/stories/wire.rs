//! How many requests it takes to see that nothing is to do.

use std::sync::Arc;

use kolla_container_core::{Goal, Goals, Reconciler, Runtime};
use serde_json::json;

use super::Tap;
use crate::harness::Harness;

/// Sees that a plan for `containers` of them, of two images, takes a request for each, one for each image, and four at
/// most besides. `runtime` is the engine behind `tap`.
pub async fn assert_a_look_at_each(h: &Harness, containers: usize, runtime: Arc<dyn Runtime>, tap: &Tap) {
    let images = [&h.images().plain, &h.images().other];
    let goal = |number: usize| {
        let image = images[number % images.len()].to_string();
        let spec = json!({"image": image, "environment": {"A": "1"}, "labels": {"b": "2"}});
        Goal::Created(Box::new(h.spec(spec)))
    };
    let goals: Goals = (0..containers).map(|number| (h.name(&format!("worker-{number}")), goal(number))).collect();
    let made = h.reconciler().reconcile(&goals).await.unwrap();
    assert!(made.is_success(), "{made}");
    tap.requests();

    let plan = Reconciler::new(runtime).plan(&goals).await.unwrap();

    assert!(plan.is_empty(), "{plan}");
    let requests = tap.requests();
    assert!(requests.iter().all(|line| line.starts_with("GET ")), "{requests:#?}");
    assert!(requests.len() <= containers + images.len() + 4, "{}: {requests:#?}", requests.len());
}
