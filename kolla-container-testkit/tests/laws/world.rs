//! An engine in memory with its surroundings, and what is seen of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kolla_container_core::layer::{Fault, Layered};
use kolla_container_core::memory::{MemoryEngine, MemorySupervisor};
use kolla_container_core::state::{ContainerFilter, ContainerState, NetworkToCreate, Status};
use kolla_container_core::{
    ContainerName, ContainerSpec, Goal, Goals, Reconciler, Report, Runtime, Supervisor, Timestamp, VolumeName,
};
use kolla_container_testkit::matrix::Places;
use kolla_container_testkit::memory::furnish;
use serde_json::{Value, json};

/// Runs `test` in a runtime whose clock is paused.
pub(crate) fn in_time<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test)
}

/// What the placeholders in rows stand for, in every world.
pub(crate) fn places() -> Places {
    Places::none()
        .with("plain", "localhost/kit/plain:1")
        .with("other_image", "localhost/kit/other:1")
        .with("furnished", "localhost/kit/furnished:1")
        .with("alias", "localhost/kit/plain:alias")
        .with("other", "other")
        .with("network", "net-a")
        .with("second_network", "net-b")
        .with("volume", "data-a")
        .with("second_volume", "data-b")
        .with("port", "20080")
}

/// The spec of a container in its written form; the image is the plain one unless stated.
pub(crate) fn spec(mut written: Value) -> ContainerSpec {
    let fields = written.as_object_mut().unwrap();
    fields.entry("image").or_insert_with(|| json!("{plain}"));
    let deploy = fields.entry("deploy").or_insert_with(|| json!({}));
    deploy.as_object_mut().unwrap().entry("settle").or_insert_with(|| json!("1s"));
    ContainerSpec::from_value(places().fill(&written)).unwrap()
}

/// The name of the container that the laws are about.
pub(crate) fn subject() -> ContainerName {
    "subject".parse().unwrap()
}

pub(crate) fn goals(goal: Goal) -> Goals {
    Goals::one(subject(), goal)
}

/// A moment after every deadline that a run could have.
pub(crate) fn much_later() -> Timestamp {
    Timestamp::now().after(std::time::Duration::from_hours(168))
}

/// An engine with a running container `other`, two networks, and the test images.
pub(crate) struct World {
    pub(crate) engine: MemoryEngine,
    pub(crate) supervisor: Option<MemorySupervisor>,
}

impl World {
    pub(crate) async fn new() -> Self {
        let engine = MemoryEngine::new();
        let images = furnish(&engine);
        let plain = engine.image(&images.plain).await.unwrap().unwrap();
        engine.tag_image(&plain.id, &"localhost/kit/plain:alias".parse().unwrap()).await.unwrap();
        for name in ["net-a", "net-b"] {
            engine.create_network(&NetworkToCreate::bridge(name.parse().unwrap())).await.unwrap();
        }
        let other = spec(json!({"namespaces": {"ipc": "shareable"}, "mounts": ["/shared"]}));
        let created = engine.create_container(&"other".parse().unwrap(), &other).await.unwrap();
        engine.start_container(&created.id).await.unwrap();
        engine.clear_requests();
        Self { engine, supervisor: None }
    }

    pub(crate) async fn supervised() -> Self {
        let world = Self::new().await;
        Self { supervisor: Some(MemorySupervisor::new(&world.engine)), ..world }
    }

    /// A reconciler without anything in between.
    pub(crate) fn reconciler(&self) -> Reconciler {
        let reconciler = Reconciler::new(Arc::new(self.engine.clone()));
        match &self.supervisor {
            Some(supervisor) => reconciler.with_supervisor(Arc::new(supervisor.clone())),
            None => reconciler,
        }
    }

    /// A reconciler with a fault between it and both the engine and the supervisor.
    pub(crate) fn faulty(&self, fault: Fault) -> (Reconciler, Arc<Fault>) {
        let fault = Arc::new(fault);
        let engine: Arc<dyn Runtime> = Arc::new(self.engine.clone());
        let reconciler = Reconciler::new(Arc::new(Layered::new(engine, Arc::clone(&fault))));
        let reconciler = match &self.supervisor {
            Some(supervisor) => {
                let supervisor: Arc<dyn Supervisor> = Arc::new(supervisor.clone());
                reconciler.with_supervisor(Arc::new(Layered::new(supervisor, Arc::clone(&fault))))
            }
            None => reconciler,
        };
        (reconciler, fault)
    }

    /// Reaches a goal; fails when it cannot.
    pub(crate) async fn reach(&self, goal: Goal) -> Report {
        let report = self.reconciler().reconcile(&goals(goal)).await.unwrap();
        assert!(report.is_success(), "{report}");
        report
    }

    /// Sees that nothing is to do, and that a second run changes nothing.
    pub(crate) async fn assert_reached(&self, goal: Goal) {
        let goals = goals(goal);
        let plan = self.reconciler().plan(&goals).await.unwrap();
        assert!(plan.is_empty(), "{plan}");
        self.clear_requests();
        let report = self.reconciler().reconcile(&goals).await.unwrap();
        assert!(report.is_success() && !report.is_changed(), "{report}");
        assert_eq!(self.writes(), Vec::<String>::new());
    }

    pub(crate) fn clear_requests(&self) {
        self.engine.clear_requests();
        self.supervisor.iter().for_each(MemorySupervisor::clear_requests);
    }

    /// The writes to the engine and to the supervisor.
    pub(crate) fn writes(&self) -> Vec<String> {
        let units = self.supervisor.iter().flat_map(MemorySupervisor::writes);
        self.engine.writes().into_iter().chain(units).collect()
    }

    /// The containers, by name.
    pub(crate) async fn containers(&self) -> BTreeMap<String, ContainerState> {
        let mut containers = BTreeMap::new();
        for summary in self.engine.containers(&ContainerFilter::default()).await.unwrap() {
            let state = self.engine.container_by_id(&summary.id).await.unwrap().unwrap();
            containers.insert(summary.name.to_string(), state);
        }
        containers
    }

    /// The names of the containers.
    pub(crate) async fn names(&self) -> Vec<String> {
        self.containers().await.into_keys().collect()
    }

    /// How many containers are up.
    pub(crate) async fn up(&self) -> usize {
        self.containers().await.values().filter(|state| state.status.is_up()).count()
    }

    pub(crate) async fn subject(&self) -> ContainerState {
        self.engine.container(&subject()).await.unwrap().unwrap()
    }

    pub(crate) async fn is_running(&self) -> bool {
        self.engine.container(&subject()).await.unwrap().is_some_and(|state| state.status == Status::Running)
    }

    /// The anonymous volumes of all containers.
    pub(crate) async fn anonymous(&self) -> BTreeSet<VolumeName> {
        let containers = self.containers().await;
        let volumes = containers.values().flat_map(|state| state.volumes.values());
        volumes.filter(|volume| volume.is_anonymous()).cloned().collect()
    }

    pub(crate) async fn has_volume(&self, volume: &VolumeName) -> bool {
        self.engine.volume(volume).await.unwrap().is_some()
    }
}
