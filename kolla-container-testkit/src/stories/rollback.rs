//! A replacement that fails, each time for another reason: the old container runs again, with all its data.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::BoxFuture;
use kolla_container_core::apply::{ApplyError, Undone};
use kolla_container_core::layer::{Call, Layer, Layered};
use kolla_container_core::state::{ContainerState, Status};
use kolla_container_core::{
    ContainerName, ContainerSpec, ErrorKind, Goal, Goals, Reconciler, Report, Result, Runtime, VolumeName,
};
use serde_json::{Value, json};

use super::sh;
use crate::cases;
use crate::harness::Harness;

cases! { "rollback";
    a_new_container_that_ends_at_once_is_taken_back;
    a_new_container_that_crashes_in_a_loop_is_taken_back;
    a_new_container_that_gets_unhealthy_is_taken_back;
    a_new_container_whose_port_is_taken_is_taken_back;
    a_new_container_with_a_limit_that_the_kernel_refuses_is_taken_back;
    a_source_that_is_missing_leaves_the_old_container_running;
    a_network_that_is_missing_leaves_the_old_container_running;
    a_network_that_vanishes_after_the_plan_leaves_the_old_container_running;
    an_image_that_cannot_be_pulled_leaves_the_old_container_running;
}

/// A container that runs, with a file in a named volume and one in an anonymous volume of its image.
struct Old<'a> {
    h: &'a Harness,
    spec: ContainerSpec,
    before: ContainerState,
    named: VolumeName,
    /// Sees all new containers.
    witness: Arc<Witness>,
}

/// Writes down which volumes a new container has, right after it was made.
#[derive(Debug)]
struct Witness {
    runtime: Arc<dyn Runtime>,
    next: ContainerName,
    volumes: Mutex<BTreeSet<VolumeName>>,
}

impl Layer for Witness {
    async fn call<T: Send>(&self, call: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        let answer = next.await?;
        if call.method == "create_container" {
            let made = self.runtime.container(&self.next).await?.unwrap();
            self.volumes.lock().unwrap_or_else(PoisonError::into_inner).extend(made.volumes.into_values());
        }
        Ok(answer)
    }

    async fn item<T: Send>(&self, _: &Call, next: BoxFuture<'_, Result<T>>) -> Result<T> {
        next.await
    }
}

impl<'a> Old<'a> {
    async fn with(h: &'a Harness, mut more: Value) -> Self {
        let (name, named) = (h.name("web"), h.volume("named"));
        let fields = more.as_object_mut().unwrap();
        fields.insert("image".to_owned(), json!(h.images().furnished.to_string()));
        fields.insert("mounts".to_owned(), json!([format!("{named}:/named")]));
        let spec = h.spec(more);
        h.reach(&name, Goal::running(spec.clone())).await;
        let before = h.see(&name).await;
        assert_eq!(before.anonymous_volumes().count(), 1);
        sh(h, &before.id, "echo precious >/named/file; echo treasure >/data/file").await;
        let witness = Witness { runtime: Arc::clone(h.runtime()), next: name.next(), volumes: Mutex::default() };
        Self { h, spec, before, named, witness: Arc::new(witness) }
    }

    async fn new(h: &'a Harness) -> Self {
        Self::with(h, json!({})).await
    }

    /// A spec that shares the volumes and has a new named and a new anonymous one besides.
    fn successor(&self, mut more: Value) -> ContainerSpec {
        let mounts = [format!("{}:/named", self.named), format!("{}:/new", self.h.volume("new")), "/more".to_owned()];
        let fields = more.as_object_mut().unwrap();
        let stated = fields.entry("mounts").or_insert_with(|| json!(["/data"])).as_array_mut().unwrap();
        stated.extend(mounts.into_iter().map(Value::String));
        self.h.spec(more)
    }

    /// Whoever tries to replace it.
    fn reconciler(&self) -> Reconciler {
        Reconciler::new(Arc::new(Layered::new(Arc::clone(self.h.runtime()), Arc::clone(&self.witness))))
    }

    /// Tries to reach `goal`, and sees that everything is as it was.
    async fn survives(&self, goal: Goal) -> ApplyError {
        let goals = Goals::one(self.before.name.clone(), goal);
        let report = self.reconciler().reconcile(&goals).await.unwrap();

        self.survived(&report).await
    }

    async fn survived(&self, report: &Report) -> ApplyError {
        assert!(!report.is_changed(), "{report}");
        let (name, failure) = report.failures().next().unwrap_or_else(|| panic!("it did not fail: {report}"));
        assert_eq!(name, &self.before.name);
        self.is_intact().await;
        let goals = Goals::one(name.clone(), Goal::running(self.spec.clone()));
        let plan = self.h.reconciler().plan(&goals).await.unwrap();
        assert!(plan.is_empty(), "{plan}");
        failure.clone()
    }

    async fn is_intact(&self) {
        let Self { h, before, .. } = self;
        let after = h.see(&before.name).await;
        assert_eq!((&after.id, &after.status), (&before.id, &Status::Running));
        assert_eq!((&after.config, &after.volumes), (&before.config, &before.volumes));
        assert_eq!(sh(h, &after.id, "cat /named/file /data/file").await, "precious\ntreasure\n");
        let containers = h.containers().await;
        assert!(!containers.iter().any(|name| name.contains("web.")), "{containers:?}");
        let mut volumes = std::mem::take(&mut *self.witness.volumes.lock().unwrap_or_else(PoisonError::into_inner));
        volumes.insert(h.volume("new"));
        for volume in volumes.iter().filter(|volume| !before.volumes.values().any(|own| own == *volume)) {
            assert_eq!(h.runtime().volume(volume).await.unwrap(), None, "left behind");
        }
    }

    async fn was_never_stopped(&self) {
        assert_eq!(self.h.see(&self.before.name).await.started, self.before.started);
    }
}

/// That everything was put back, and why it had to be.
fn assert_put_back(failure: &ApplyError, reason: &str) {
    assert!(matches!(failure.undone, Undone::Completely), "{failure}");
    let text = failure.to_string();
    assert!(text.contains(reason) && text.ends_with("; everything was put back"), "{text}");
}

async fn a_new_container_that_ends_at_once_is_taken_back(h: &Harness) {
    let old = Old::new(h).await;
    let image = h.images().exits_with_volume.to_string();

    let failure = old.survives(Goal::running(old.successor(json!({"image": image})))).await;

    assert_eq!(failure.error.kind(), ErrorKind::EngineFailed);
    assert_put_back(&failure, "it is exited (exit status 3)");
}

async fn a_new_container_that_crashes_in_a_loop_is_taken_back(h: &Harness) {
    let old = Old::with(h, json!({"restart": "always"})).await;
    let looping = json!({"image": h.images().exits.to_string(), "restart": "always", "deploy": {"settle": "10s"}});

    let failure = old.survives(Goal::running(old.successor(looping))).await;

    assert_eq!(failure.error.kind(), ErrorKind::EngineFailed);
    // Whether it is seen between two of its lives, or in a later one.
    assert_put_back(&failure, "verify that it stays up and well");
}

async fn a_new_container_that_gets_unhealthy_is_taken_back(h: &Harness) {
    let old = Old::new(h).await;
    let image = h.images().unhealthy.to_string();

    for goal in [Goal::running, Goal::healthy] {
        let failure = old.survives(goal(old.successor(json!({"image": image})))).await;

        assert_eq!(failure.error.kind(), ErrorKind::EngineFailed);
        assert_put_back(&failure, "its health check fails");
    }
}

async fn a_new_container_whose_port_is_taken_is_taken_back(h: &Harness) {
    let old = Old::new(h).await;
    let network = json!({"ports": [format!("127.0.0.1:{}:80", h.port())]});
    let other = h.start(&h.name("other"), &h.spec(json!({"network": network}))).await;

    let failure = old.survives(Goal::running(old.successor(json!({"network": network})))).await;

    assert_eq!(failure.error.kind(), ErrorKind::Conflict);
    // Allocated, or in use.
    assert_put_back(&failure, " already ");
    assert_eq!(h.see_id(&other).await.status, Status::Running);
}

async fn a_new_container_with_a_limit_that_the_kernel_refuses_is_taken_back(h: &Harness) {
    let old = Old::new(h).await;
    let limits = json!({"resources": {"sysctls": {"net.core.somaxconn": "-1"}}});

    let failure = old.survives(Goal::running(old.successor(limits))).await;

    assert_eq!(failure.error.kind(), ErrorKind::EngineFailed);
    assert_put_back(&failure, "somaxconn");
}

async fn a_source_that_is_missing_leaves_the_old_container_running(h: &Harness) {
    let old = Old::new(h).await;
    let mounts = json!(["/data", "/no/such/source:/source"]);

    let failure = old.survives(Goal::running(old.successor(json!({"mounts": mounts})))).await;

    assert_eq!(failure.error.kind(), ErrorKind::Rejected);
    assert_put_back(&failure, "/no/such/source");
    old.was_never_stopped().await;
}

async fn a_network_that_is_missing_leaves_the_old_container_running(h: &Harness) {
    let old = Old::new(h).await;
    let network = h.network("gone");
    let new = old.successor(json!({"network": {"networks": {network.to_string(): {}}}}));

    let goals = Goals::one(old.before.name.clone(), Goal::running(new));
    let refused = old.reconciler().reconcile(&goals).await.unwrap_err();

    assert_eq!(refused.kind(), ErrorKind::Rejected);
    let expected = format!("containers[{}].network.networks[{network}]: there is no such network", old.before.name);
    assert!(refused.report().contains(&expected), "{}", refused.report());
    old.is_intact().await;
    old.was_never_stopped().await;
}

async fn a_network_that_vanishes_after_the_plan_leaves_the_old_container_running(h: &Harness) {
    let old = Old::new(h).await;
    let network = h.make_network("going").await;
    let new = old.successor(json!({"network": {"networks": {network.to_string(): {}}}}));
    let plan = h.plan(&old.before.name, Goal::running(new)).await;
    h.runtime().remove_network(&network).await.unwrap();

    let failure = old.survived(&old.reconciler().apply(&plan).await).await;

    assert_eq!(failure.error.kind(), ErrorKind::NotFound);
    assert_put_back(&failure, network.as_str());
    old.was_never_stopped().await;
}

async fn an_image_that_cannot_be_pulled_leaves_the_old_container_running(h: &Harness) {
    let old = Old::new(h).await;
    let image = h.images().absent.to_string();

    let failure = old.survives(Goal::running(old.successor(json!({"image": image})))).await;

    assert_eq!(failure.error.kind(), ErrorKind::NotFound);
    assert!(matches!(failure.undone, Undone::NothingToUndo), "{failure}");
    let text = failure.to_string();
    assert!(text.contains(&image) && text.ends_with("; nothing was changed"), "{text}");
    old.was_never_stopped().await;
}
