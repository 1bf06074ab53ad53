//! What a case has to work with: an engine, known images, names of its own, and somebody who cleans up.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;
use kolla_container_core::layer::{Fault, Layered};
use kolla_container_core::spec::{Command, Mount, Mounts};
use kolla_container_core::state::{
    ContainerFilter, ContainerState, Exec, ImageState, ImageToPull, LogChunk, LogOptions, NetworkToCreate, Output,
    Status, VolumeToCreate,
};
use kolla_container_core::{
    ContainerId, ContainerName, ContainerSpec, Error, ErrorKind, Goal, Goals, ImageRef, NetworkName, Plan, Reconciler,
    Report, Result, Runtime, Supervisor, VolumeName,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::images::{Images, Program};
use crate::runner::Ground;
use crate::tally::Tally;

/// How long something that passes by itself is waited for.
const PATIENCE: Duration = Duration::from_mins(3);

/// What a case has to work with.
///
/// Names that it hands out are nobody else's, and what they stand for is removed after the case.
#[derive(Debug)]
pub struct Harness {
    ground: Ground,
    prefix: String,
    number: u64,
    made: Mutex<Vec<Made>>,
}

/// Something that is removed after a case.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Made {
    Unit(ContainerName),
    Volume(VolumeName),
    Network(NetworkName),
    Image(ImageRef),
}

/// What an error means; `None` where there was none.
pub trait Kind {
    /// The kind of the error.
    fn kind(&self) -> Option<ErrorKind>;
}

impl<T> Kind for Result<T> {
    fn kind(&self) -> Option<ErrorKind> {
        self.as_ref().err().map(Error::kind)
    }
}

impl Harness {
    /// For one case.
    pub fn new(ground: Ground) -> Self {
        static CASES: AtomicU64 = AtomicU64::new(0);

        let number = CASES.fetch_add(1, Ordering::Relaxed);
        let prefix = format!("kit-{:x}-{number}", std::process::id());
        Self { ground, prefix, number, made: Mutex::default() }
    }

    /// The engine.
    pub fn runtime(&self) -> &Arc<dyn Runtime> {
        &self.ground.runtime
    }

    /// Who supervises the engine's containers; there has to be somebody.
    pub fn supervisor(&self) -> &Arc<dyn Supervisor> {
        self.ground.supervisor.as_ref().unwrap()
    }

    /// Why this machine cannot do something that is no feature of the engine, if it cannot.
    pub fn lacks(&self, need: &str) -> Option<&str> {
        self.ground.lacks.refusal(need)
    }

    /// The images.
    pub fn images(&self) -> &Images {
        &self.ground.images
    }

    /// A name for a container: another one for each `what`.
    pub fn name(&self, what: &str) -> ContainerName {
        let name: ContainerName = format!("{}-{what}", self.prefix).parse().unwrap();
        if self.ground.supervisor.is_some() {
            self.remember(Made::Unit(name.clone()));
        }
        name
    }

    /// A name for a volume.
    pub fn volume(&self, what: &str) -> VolumeName {
        let name: VolumeName = format!("{}-{what}", self.prefix).parse().unwrap();
        self.remember(Made::Volume(name.clone()));
        name
    }

    /// A name for a network.
    pub fn network(&self, what: &str) -> NetworkName {
        let name: NetworkName = format!("{}-{what}", self.prefix).parse().unwrap();
        self.remember(Made::Network(name.clone()));
        name
    }

    /// A name for an image.
    pub fn image_name(&self, what: &str) -> ImageRef {
        let name: ImageRef = format!("localhost/{}-{what}:1", self.prefix).parse().unwrap();
        self.remember(Made::Image(name.clone()));
        name
    }

    /// Has an image removed after the case that is there under a name that others know too.
    pub fn remember_image(&self, name: &ImageRef) {
        self.remember(Made::Image(name.clone()));
    }

    /// Has a volume removed after the case whose container is gone by then.
    pub fn remember_volume(&self, name: &VolumeName) {
        self.remember(Made::Volume(name.clone()));
    }

    /// A port of the host that no other case uses at the same time.
    pub fn port(&self) -> u16 {
        20_000 + u16::try_from(self.number % 20_000).unwrap()
    }

    fn remember(&self, made: Made) {
        let mut all = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains(&made) {
            all.push(made);
        }
    }

    /// A spec in its written form; the image is `plain` unless stated, and it is watched for a moment only.
    pub fn spec(&self, mut written: Value) -> ContainerSpec {
        let fields = written.as_object_mut().unwrap();
        fields.entry("image").or_insert_with(|| json!(self.ground.images.plain.to_string()));
        // An engine with much to do notices an end some time after it.
        let ending =
            [&self.ground.images.exits, &self.ground.images.exits_with_volume].map(|image| json!(image.to_string()));
        let settle = if ending.contains(&fields["image"]) { "10s" } else { "500ms" };
        let deploy = fields.entry("deploy").or_insert_with(|| json!({}));
        deploy.as_object_mut().unwrap().entry("settle").or_insert_with(|| json!(settle));
        ContainerSpec::from_value(written).unwrap()
    }

    /// The spec of a container made from `image`.
    pub fn made_from(&self, image: &ImageRef) -> ContainerSpec {
        self.spec(json!({"image": image.to_string()}))
    }

    /// Makes a container.
    pub async fn create(&self, name: &ContainerName, spec: &ContainerSpec) -> ContainerId {
        self.ground.runtime.create_container(name, spec).await.unwrap().id
    }

    /// Makes a container and starts it.
    pub async fn start(&self, name: &ContainerName, spec: &ContainerSpec) -> ContainerId {
        let id = self.create(name, spec).await;
        self.ground.runtime.start_container(&id).await.unwrap();
        id
    }

    /// The container of that name; it must be there.
    pub async fn see(&self, name: &ContainerName) -> ContainerState {
        self.look(name).await.unwrap_or_else(|| panic!("there is no container {name}"))
    }

    /// The container of that name, if it is there.
    pub async fn look(&self, name: &ContainerName) -> Option<ContainerState> {
        self.ground.runtime.container(name).await.unwrap()
    }

    /// The container of that id; it must be there.
    pub async fn see_id(&self, id: &ContainerId) -> ContainerState {
        let found = self.ground.runtime.container_by_id(id).await.unwrap();
        found.unwrap_or_else(|| panic!("there is no container {}", id.short()))
    }

    /// What a container has mounted, without the options that the engine adds by itself.
    pub fn mounts(&self, state: &ContainerState) -> Option<Mounts> {
        let additions = &self.ground.runtime.engine().additions;
        let added = &additions.mount_options;
        let has_from_source = |flag: &str| added.contains(flag) || additions.source_options.contains(flag);
        let mut mounts = state.config.mounts.clone()?;
        for mount in mounts.0.values_mut() {
            match mount {
                Mount::Bind(bind) => bind.flags.retain(|flag| !has_from_source(&flag.to_string())),
                Mount::Volume(volume) => volume.flags.retain(|flag| !added.contains(&flag.to_string())),
                Mount::Tmpfs(_) | Mount::Devpts => {}
            }
        }
        Some(mounts)
    }

    /// The image of that name; it must be there.
    pub async fn see_image(&self, name: &ImageRef) -> ImageState {
        self.ground.runtime.image(name).await.unwrap().unwrap_or_else(|| panic!("there is no image {name}"))
    }

    /// Waits until a container is as `wanted` says; fails when that takes too long.
    pub async fn wait_until(&self, id: &ContainerId, wanted: impl Fn(&ContainerState) -> bool) -> ContainerState {
        let begun = Instant::now();
        loop {
            let state = self.see_id(id).await;
            if wanted(&state) {
                return state;
            }
            assert!(begun.elapsed() < PATIENCE, "it did not come to the wanted state: {state:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Starts a unit whose container ends at once, until that fails and says `part`: a busy engine notices an end only
    /// when the start has counted already, and the journal may have its lines later.
    pub async fn failed_start(&self, name: &ContainerName, part: &str) -> Error {
        let begun = Instant::now();
        loop {
            match self.supervisor().start(name).await {
                Err(error) if error.report().contains(part) => return error,
                started => assert!(begun.elapsed() < PATIENCE, "it does not fail with {part:?}: {started:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until `look` sees something.
    pub async fn until<T>(&self, look: impl Fn() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            assert!(begun.elapsed() < PATIENCE, "it did not come");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Makes a volume.
    pub async fn make_volume(&self, what: &str) -> VolumeName {
        let name = self.volume(what);
        self.ground.runtime.create_volume(&VolumeToCreate::local(name.clone())).await.unwrap();
        name
    }

    /// Makes a network.
    pub async fn make_network(&self, what: &str) -> NetworkName {
        let name = self.network(what);
        self.ground.runtime.create_network(&NetworkToCreate::bridge(name.clone())).await.unwrap();
        name
    }

    /// Pulls an image to the end; answers how many pieces of progress there were.
    pub async fn pull(&self, image: &ImageRef) -> Result<usize> {
        let pieces: Vec<_> = self.ground.runtime.pull_image(&ImageToPull::new(image.clone())).try_collect().await?;
        Ok(pieces.len())
    }

    /// Runs a program in a container.
    pub async fn exec(&self, id: &ContainerId, program: Program) -> Result<Output> {
        let exec = Exec { command: Command::new(program.argv().iter().copied()), user: None };
        self.ground.runtime.exec(id, &exec).await
    }

    /// What a container has printed: to standard output, and to standard error.
    pub async fn logs(&self, id: &ContainerId, options: LogOptions) -> Result<(String, String)> {
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut chunks = self.ground.runtime.logs(id, options);
        while let Some(chunk) = chunks.try_next().await? {
            match chunk {
                LogChunk::Stdout(bytes) => stdout.extend(bytes),
                LogChunk::Stderr(bytes) => stderr.extend(bytes),
            }
        }
        Ok((String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap()))
    }

    /// The names of this case's containers, without what is common to them.
    pub async fn containers(&self) -> Vec<String> {
        let all = self.ground.runtime.containers(&ContainerFilter::default()).await.unwrap();
        let own = all.iter().filter_map(|summary| summary.name.as_str().strip_prefix(&format!("{}-", self.prefix)));
        let mut names: Vec<String> = own.map(str::to_owned).collect();
        names.sort();
        names
    }

    /// A reconciler for the engine.
    pub fn reconciler(&self) -> Reconciler {
        Reconciler::new(Arc::clone(&self.ground.runtime))
    }

    /// A reconciler for the engine and its supervisor, and who writes down what it asks of both.
    pub fn supervised(&self) -> (Reconciler, Arc<Tally>) {
        let (reconciler, tally) = self.watched();
        let supervisor = Layered::new(Arc::clone(self.supervisor()), Arc::clone(&tally));
        (reconciler.with_supervisor(Arc::new(supervisor)), tally)
    }

    /// A reconciler for the engine, and who writes down what it asks.
    pub fn watched(&self) -> (Reconciler, Arc<Tally>) {
        let tally = Arc::new(Tally::default());
        let layered = Layered::new(Arc::clone(&self.ground.runtime), Arc::clone(&tally));
        (Reconciler::new(Arc::new(layered)), tally)
    }

    /// A reconciler for the engine with a fault in between.
    pub fn faulty(&self, fault: Fault) -> (Reconciler, Arc<Fault>) {
        let fault = Arc::new(fault);
        let layered = Layered::new(Arc::clone(&self.ground.runtime), Arc::clone(&fault));
        (Reconciler::new(Arc::new(layered)), fault)
    }

    /// Plans one goal.
    pub async fn plan(&self, name: &ContainerName, goal: Goal) -> Plan {
        self.reconciler().plan(&Goals::one(name.clone(), goal)).await.unwrap()
    }

    /// Reaches one goal; fails when it cannot.
    pub async fn reach(&self, name: &ContainerName, goal: Goal) -> Report {
        let report = self.try_to_reach(name, goal).await;
        assert!(report.is_success(), "{report}");
        report
    }

    /// Tries to reach one goal.
    pub async fn try_to_reach(&self, name: &ContainerName, goal: Goal) -> Report {
        self.reconciler().reconcile(&Goals::one(name.clone(), goal)).await.unwrap()
    }

    /// Sees that nothing is to do for a goal, and that finding out changes nothing.
    pub async fn assert_reached(&self, name: &ContainerName, goal: Goal) {
        let (reconciler, tally) = self.watched();

        let goals = Goals::one(name.clone(), goal);
        let plan = reconciler.plan(&goals).await.unwrap();
        let report = reconciler.reconcile(&goals).await.unwrap();

        assert!(plan.is_empty(), "{plan}");
        assert!(!report.is_changed(), "{report}");
        assert_eq!(tally.writes(), Vec::<&str>::new());
    }

    /// Removes what the case has made; says what could not be removed.
    pub async fn clean_up(&self) -> std::result::Result<(), Leftover> {
        self.remove_units().await?;
        self.remove_containers().await?;
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        let mut images = self.reversed_kind(&made, |made| matches!(made, Made::Image(_)));
        images.extend(self.reversed_kind(&made, |made| !matches!(made, Made::Image(_))));
        for made in images {
            match &made {
                Made::Unit(_) => Ok(()),
                Made::Volume(name) => self.ground.runtime.remove_volume(name).await,
                Made::Network(name) => self.ground.runtime.remove_network(name).await,
                Made::Image(name) => self.ground.runtime.remove_image(name).await,
            }
            .map_err(|error| Leftover(format!("{made:?}: {}", error.report())))?;
        }
        Ok(())
    }

    #[expect(clippy::unused_self, reason = "it belongs to the cleaning up alone")]
    fn reversed_kind(&self, made: &[Made], wanted: impl Fn(&Made) -> bool) -> Vec<Made> {
        made.iter().rev().filter(|made| wanted(made)).cloned().collect()
    }

    async fn remove_units(&self) -> std::result::Result<(), Leftover> {
        let Some(supervisor) = &self.ground.supervisor else { return Ok(()) };
        let failed = |error: Error| Leftover(error.report());
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for made in made {
            if let Made::Unit(name) = made {
                // Its command cannot stop one that is paused.
                if let Some(paused) = self.ground.runtime.container(&name).await.map_err(failed)?
                    && paused.status == Status::Paused
                {
                    self.ground.runtime.unpause_container(&paused.id).await.map_err(failed)?;
                }
                supervisor.stop(&name).await.map_err(failed)?;
                supervisor.remove(&name).await.map_err(failed)?;
            }
        }
        Ok(())
    }

    /// Containers, those first that have joined others, and their anonymous volumes.
    async fn remove_containers(&self) -> std::result::Result<(), Leftover> {
        let failed = |error: Error| Leftover(error.report());
        for _ in 0..10 {
            let all = self.ground.runtime.containers(&ContainerFilter::default()).await.map_err(failed)?;
            let mut own = Vec::new();
            for summary in all.iter().filter(|summary| summary.name.as_str().starts_with(&format!("{}-", self.prefix)))
            {
                own.extend(self.ground.runtime.container_by_id(&summary.id).await.map_err(failed)?);
            }
            if own.is_empty() {
                return Ok(());
            }
            own.sort_by_key(|state| std::cmp::Reverse(state.joined.len()));
            for state in own {
                let anonymous = state.volumes.values().filter(|name| name.is_anonymous());
                anonymous.for_each(|name| self.remember(Made::Volume(name.clone())));
                if state.status == Status::Paused {
                    drop(self.ground.runtime.unpause_container(&state.id).await);
                }
                drop(self.ground.runtime.kill_container(&state.id, kolla_container_core::spec::Signal::KILL).await);
                drop(self.ground.runtime.remove_container(&state.id).await);
            }
        }
        Err(Leftover(format!("containers of {} could not be removed", self.prefix)))
    }
}

/// Something that could not be removed after a case.
#[derive(Debug)]
pub struct Leftover(String);

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not clean up: {}", self.0)
    }
}

impl std::error::Error for Leftover {}
