//! Stories of containers that could have been lost: each was found by a critical reader, and is told once.
#![expect(clippy::expect_used, reason = "what fails to be prepared fails the test")]

use std::sync::Arc;
use std::time::Duration;

use kolla_container_core::apply::{RunOutput, StopSignal, Undone};
use kolla_container_core::diff::Comparison;
use kolla_container_core::layer::{Fault, Layered};
use kolla_container_core::memory::{Behaviour, ImageTemplate, MemoryEngine, MemorySupervisor};
use kolla_container_core::plan::{Effect, RunOptions};
use kolla_container_core::spec::RestartPolicy;
use kolla_container_core::state::{ContainerState, ContainerUpdate, Status, VolumeToCreate};
use kolla_container_core::{
    ContainerName, ContainerSpec, ErrorKind, Goal, Goals, ImageRef, Reconciler, Report, Runtime, TimeSpan,
};

fn name(text: &str) -> ContainerName {
    text.parse().expect("a name")
}

fn spec(json: serde_json::Value) -> ContainerSpec {
    ContainerSpec::from_value(json).expect("the spec is without mistakes")
}

fn db(json: serde_json::Value) -> Goals {
    Goals::one(name("db"), Goal::running(spec(json)))
}

/// An engine, and reconcilers that take over.
struct World(MemoryEngine);

impl World {
    async fn with(json: serde_json::Value) -> Self {
        let world = Self(MemoryEngine::new());
        world.image("exits", Behaviour::exits(3));
        world.image("unwell", Behaviour::BecomesUnhealthy(Duration::ZERO));
        assert!(world.reconcile(&db(json)).await.is_success());
        world
    }

    async fn reconcile_with(&self, fault: Fault, goals: &Goals) -> Report {
        let runtime = Layered::new(Arc::new(self.0.clone()) as Arc<dyn Runtime>, Arc::new(fault));
        Reconciler::new(Arc::new(runtime)).reconcile(goals).await.expect("there is a plan")
    }

    /// Runs a container to its end in the place of the one that runs.
    async fn run_over(&self, fault: Fault) -> Report {
        let options = RunOptions { over_running: true, ..RunOptions::default() };
        let goals = Goals::one(name("db"), Goal::Run(Box::new(spec(serde_json::json!({"image": "a:1"}))), options));
        self.reconcile_with(fault, &goals).await
    }

    fn image(&self, reference: &str, behaviour: Behaviour) {
        let reference: ImageRef = reference.parse().expect("a reference");
        self.0.publish(&reference, ImageTemplate::default().with_behaviour(behaviour));
    }

    fn reconciler(&self) -> Reconciler {
        Reconciler::new(Arc::new(self.0.clone())).taking_over(true)
    }

    async fn reconcile(&self, goals: &Goals) -> Report {
        self.reconciler().reconcile(goals).await.expect("there is a plan")
    }

    /// A run that dies before its first call of `method`.
    async fn cut_at(&self, method: &str, goals: &Goals) {
        let fault = Arc::new(Fault::cut_nth(1).on(method));
        let runtime = Layered::new(Arc::new(self.0.clone()) as Arc<dyn Runtime>, Arc::clone(&fault));
        let _died = Reconciler::new(Arc::new(runtime)).taking_over(true).reconcile(goals).await;
        assert!(fault.is_cut());
    }

    async fn container(&self, container: &str) -> Option<ContainerState> {
        self.0.container(&name(container)).await.expect("memory answers")
    }

    async fn db(&self) -> ContainerState {
        self.container("db").await.expect("it is there")
    }
}

#[tokio::test(start_paused = true)]
async fn data_of_a_container_that_removed_itself_lives_on_in_its_replacement() {
    let world = World::with(serde_json::json!({"image": "a:1", "mounts": ["/data"], "auto_remove": true})).await;
    let data = world.db().await.volumes;
    let wanted = db(serde_json::json!({"image": "a:2", "mounts": ["/data"]}));

    world.cut_at("rename_container", &wanted).await;
    assert!(world.reconcile(&wanted).await.is_success());

    assert_eq!(world.db().await.volumes, data);
}

#[tokio::test(start_paused = true)]
async fn an_old_container_that_cannot_start_any_more_does_not_keep_a_better_one_from_being_made() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let wanted = db(serde_json::json!({"image": "a:2"}));
    world.cut_at("rename_container", &wanted).await;
    world.0.set_behaviour(&name("db"), Behaviour::FailsToStart("exec format error".to_owned()));

    let report = world.reconcile(&wanted).await;

    assert!(report.is_success(), "{report}");
    assert_eq!(world.db().await.config.image, spec(serde_json::json!({"image": "a:2"})).image);
    assert!(report.containers[0].warnings[0].contains("could not be started again"));
}

#[tokio::test(start_paused = true)]
async fn an_old_container_gets_its_port_back_from_the_new_one_before_it_starts() {
    let old = serde_json::json!({"image": "a:1", "network": {"ports": ["8080:80"]}});
    let world = World::with(old.clone()).await;
    let wanted = db(serde_json::json!({"image": "a:2", "network": {"ports": ["8080:80"]}}));
    world.cut_at("remove_container", &wanted).await;
    let new = world.db().await;
    world.0.rename_container(&new.id, &name("db.next")).await.expect("it can be renamed");

    let report = world.reconcile(&db(old.clone())).await;

    assert!(report.is_success(), "{report}");
    assert!(world.reconciler().plan(&db(old)).await.expect("there is a plan").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_new_container_that_need_not_be_healthy_is_not_taken_back_by_the_next_run() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let wanted = db(serde_json::json!({"image": "unwell", "deploy": {"healthy": false}}));
    world.cut_at("remove_container", &wanted).await;
    let new = world.db().await;

    let report = world.reconcile(&wanted).await;

    assert!(report.is_success(), "{report}");
    assert_eq!((world.db().await.id, world.container("db.previous").await), (new.id, None));
    assert_eq!(new.config.image, spec(serde_json::json!({"image": "unwell"})).image);
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_somebody_else_made_meanwhile_is_not_taken_back() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let wanted = db(serde_json::json!({"image": "exits", "mounts": ["data:/d"]}));
    let plan = world.reconciler().plan(&wanted).await.expect("there is a plan");
    let volume = VolumeToCreate::local("data".parse().expect("a name"));
    world.0.create_volume(&volume).await.expect("it can be made");

    let report = world.reconciler().apply(&plan).await;

    assert!(!report.is_success());
    assert!(world.0.volume(&volume.name).await.expect("memory answers").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_volume_that_only_this_run_has_made_is_taken_back() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;

    let report = world.reconcile(&db(serde_json::json!({"image": "exits", "mounts": ["data:/d"]}))).await;

    assert!(matches!(report.containers[0].outcome.as_ref().expect_err("it exits").undone, Undone::Completely));
    assert!(world.0.volume(&"data".parse().expect("a name")).await.expect("memory answers").is_none());
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_image_cannot_be_pulled_leaves_the_last_one_in_place() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let last = world.db().await;
    world.0.stop_container(&last.id, None).await.expect("it can be stopped");
    world.0.unpublish(&"gone".parse().expect("a reference"));
    let job = Goal::Run(Box::new(spec(serde_json::json!({"image": "gone"}))), RunOptions::default());

    let report = world.reconcile(&Goals::one(name("db"), job)).await;

    assert_eq!(report.containers[0].outcome.as_ref().expect_err("there is no image").error.kind(), ErrorKind::NotFound);
    assert_eq!(world.db().await.id, last.id);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_would_remove_itself_still_answers_its_exit_status_and_output() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let template = ImageTemplate::default().with_behaviour(Behaviour::exits(7)).with_output("out", "err");
    world.0.publish(&"job".parse().expect("a reference"), template);
    let job =
        Goal::Run(Box::new(spec(serde_json::json!({"image": "job", "auto_remove": true}))), RunOptions::default());

    let report = world.reconcile(&Goals::one(name("job"), job)).await;

    let output = report.containers[0].output.as_ref().expect("it has run");
    assert_eq!((output.code, output.stdout.as_slice(), output.stderr.as_slice()), (7, &b"out"[..], &b"err"[..]));
    assert!(world.container("job").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_container_that_vanished_and_cannot_be_put_back_is_not_reported_as_put_back() {
    let world = World::with(serde_json::json!({"image": "a:1", "auto_remove": true})).await;

    let report = world.reconcile(&db(serde_json::json!({"image": "exits"}))).await;

    assert!(matches!(report.containers[0].outcome.as_ref().expect_err("it exits").undone, Undone::Partly(_)));
}

#[tokio::test(start_paused = true)]
async fn stopping_what_an_interrupted_run_left_keeps_the_container_that_has_proved_itself() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let old = world.db().await.id;
    world.cut_at("start_container", &db(serde_json::json!({"image": "a:2"}))).await;

    let report = world.reconcile(&Goals::one(name("db"), Goal::Stopped { grace: None })).await;

    assert!(report.is_success(), "{report}");
    assert_eq!(world.db().await.id, old);
    assert!(!world.db().await.status.is_up());
}

#[tokio::test(start_paused = true)]
async fn a_late_first_run_does_not_remove_what_the_second_has_put_back() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let old = world.db().await.id;
    let wanted = db(serde_json::json!({"image": "a:2"}));
    let first = world.reconciler().plan(&wanted).await.expect("there is a plan");
    let last_step = first.containers[0].steps.last().expect("it has steps").clone();
    world.cut_at("remove_container", &wanted).await;
    let new = world.db().await;
    world.0.stop_container(&new.id, None).await.expect("it can be stopped");
    assert!(world.reconcile(&db(serde_json::json!({"image": "a:1"}))).await.is_success());

    let mut late = first;
    late.containers[0].steps = vec![last_step];
    let report = world.reconciler().apply(&late).await;

    assert!(!report.is_success());
    assert_eq!(world.db().await.id, old);
}

#[tokio::test(start_paused = true)]
async fn a_restart_policy_that_was_lost_on_the_way_is_given_back() {
    let old = serde_json::json!({"image": "a:1", "restart": "always"});
    let world = World::with(old.clone()).await;
    world.cut_at("rename_container", &db(serde_json::json!({"image": "a:2", "restart": "always"}))).await;

    let reconciler = world.reconciler().with_comparison(Comparison::kolla());
    assert!(reconciler.reconcile(&db(old)).await.expect("there is a plan").is_success());

    assert_eq!(world.db().await.config.restart, Some(RestartPolicy::Always));
}

#[tokio::test(start_paused = true)]
async fn looking_at_what_was_never_started_takes_no_time() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let wanted = db(serde_json::json!({"image": "a:2", "healthcheck": {"test": "true"}}));
    world.cut_at("start_container", &wanted).await;
    let begun = tokio::time::Instant::now();

    world.reconciler().plan(&wanted).await.expect("there is a plan");

    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_about_to_start_its_container_is_stopped_before_any_rename() {
    let engine = MemoryEngine::new();
    let supervisor = MemorySupervisor::new(&engine);
    let reconciler = Reconciler::new(Arc::new(engine.clone())).with_supervisor(Arc::new(supervisor.clone()));
    let old = db(serde_json::json!({"image": "a:1", "restart": "always"}));
    assert!(reconciler.reconcile(&old).await.expect("there is a plan").is_success());
    supervisor.meddle(&name("db"), |unit| unit.active = kolla_container_core::Active::Activating);
    engine.set_status(&name("db"), Status::Exited);

    let wanted = db(serde_json::json!({"image": "a:2", "restart": "always"}));
    let steps: Vec<String> = reconciler.plan(&wanted).await.expect("there is a plan").containers[0]
        .steps
        .iter()
        .map(|step| step.action.to_string())
        .collect();

    let stop = steps.iter().position(|step| step == "stop the unit of db").expect("it is stopped");
    let rename = steps.iter().position(|step| step.starts_with("rename")).expect("it is renamed");
    assert!(stop < rename, "{steps:?}");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_was_declared_secret_stays_hidden_when_it_is_taken_out_of_the_spec() {
    let world = World::with(serde_json::json!({"image": "a:1", "environment": {"PLAIN": {"secret": "hunter2"}}})).await;

    let plan = world.reconciler().plan(&db(serde_json::json!({"image": "a:1"}))).await.expect("there is a plan");

    assert!(plan.to_string().contains("environment[PLAIN]: (secret) -> not set"), "{plan}");
}

#[tokio::test(start_paused = true)]
async fn memory_and_swap_that_were_stated_once_are_updated_together() {
    let world =
        World::with(serde_json::json!({"image": "a:1", "resources": {"memory": "256m", "memory_swap": "300m"}})).await;
    let wanted = db(serde_json::json!({"image": "a:1", "resources": {"memory": "1g"}}));

    let report = world.reconcile(&wanted).await;

    assert!(report.is_success(), "{report}");
    assert_eq!(report.containers[0].effect, Effect::Updated);
    assert!(world.reconciler().plan(&wanted).await.expect("there is a plan").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_setting_that_the_engine_discards_is_an_error_before_the_old_container_is_touched() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    world.0.discards("resources.blkio_weight");
    world.0.discards("tty");
    let old = world.db().await.id;

    let updated = world.reconcile(&db(serde_json::json!({"image": "a:1", "resources": {"blkio_weight": 300}}))).await;
    let replaced = world.reconcile(&db(serde_json::json!({"image": "a:1", "tty": true}))).await;

    for report in [updated, replaced] {
        let failure = report.containers[0].outcome.as_ref().expect_err("it is discarded");
        assert_eq!(failure.error.kind(), ErrorKind::Unsupported, "{failure}");
    }
    assert_eq!(world.db().await.id, old);
    assert!(world.0.writes().iter().all(|write| write != "stop_container db"));
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_gone_makes_nothing_differ() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let template = ImageTemplate::new(spec(serde_json::json!({
        "command": ["serve"], "environment": {"PATH": "/bin"}, "labels": {"a": "b"}, "mounts": ["/data"], "user": "app",
    })));
    let reference: ImageRef = "rich".parse().expect("a reference");
    world.0.publish(&reference, template);
    let wanted = Goals::one(name("rich"), Goal::running(spec(serde_json::json!({"image": "rich"}))));
    assert!(world.reconcile(&wanted).await.is_success());
    let container = world.container("rich").await.expect("it is there");

    let comparison = Comparison::strict();
    let surroundings = kolla_container_core::diff::Surroundings {
        image: None,
        wanted_image: None,
        engine: world.0.engine(),
        comparison: &comparison,
    };
    let found =
        kolla_container_core::diff::diff(&spec(serde_json::json!({"image": "rich"})), &container, &surroundings);

    assert_eq!(found.changes, []);
}

#[tokio::test(start_paused = true)]
async fn a_pull_ends_when_a_stop_is_asked_for() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let hangs =
        Layered::new(Arc::new(world.0.clone()) as Arc<dyn Runtime>, Arc::new(Fault::hang_nth(1).on("pull_image")));
    let stop = StopSignal::new();
    let reconciler = Reconciler::new(Arc::new(hangs)).with_stop_signal(stop.clone());
    let wanted = db(serde_json::json!({"image": "a:2"}));
    let plan = reconciler.plan(&wanted).await.expect("there is a plan");
    let begun = tokio::time::Instant::now();

    let asked = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.stop();
    });
    let report = reconciler.apply(&plan).await;

    asked.await.expect("it was asked for");
    assert_eq!(report.containers[0].outcome.as_ref().expect_err("it was stopped").error.kind(), ErrorKind::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_output_never_ends_has_its_exit_code_all_the_same() {
    let hanging = |inner: Arc<dyn Runtime>| -> Arc<dyn Runtime> {
        Arc::new(Layered::new(inner, Arc::new(Fault::hang_nth(1).on("logs"))))
    };
    for (times, stdout, warnings) in [(0, "done", vec![]), (1, "", vec!["the end of its output may be missing"])] {
        let engine = MemoryEngine::new();
        let reference: ImageRef = "job".parse().expect("a reference");
        let template = ImageTemplate::default().with_behaviour(Behaviour::exits(3)).with_output("done", "");
        engine.publish(&reference, template);
        let runtime = (0..times).fold(Arc::new(engine) as Arc<dyn Runtime>, |inner, _| hanging(inner));
        // It ends at once, and its deadline is not that of reading.
        let options = RunOptions { deadline: Some(TimeSpan::from_secs(1)), ..RunOptions::default() };
        let goals = Goals::one(name("job"), Goal::Run(Box::new(spec(serde_json::json!({"image": "job"}))), options));

        let report = Reconciler::new(runtime).reconcile(&goals).await.expect("there is a plan");

        let job = &report.containers[0];
        let output = job.output.as_ref().expect("it has ended");
        assert_eq!((output.code, output.stdout.as_slice()), (3, stdout.as_bytes()));
        assert_eq!(job.warnings, warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_run_that_prints_too_much_the_end_is_kept() {
    let engine = MemoryEngine::new();
    let reference: ImageRef = "job".parse().expect("a reference");
    let printed = "x".repeat(RunOutput::KEPT) + "the end";
    let template = ImageTemplate::default().with_behaviour(Behaviour::exits(0)).with_output(printed.clone(), "");
    engine.publish(&reference, template);
    let goal = Goal::Run(Box::new(spec(serde_json::json!({"image": "job"}))), RunOptions::default());

    let report = Reconciler::new(Arc::new(engine)).reconcile(&Goals::one(name("job"), goal)).await.expect("a plan");

    let job = &report.containers[0];
    let output = job.output.as_ref().expect("it has ended");
    assert!(output.stdout == printed.as_bytes()[7..]);
    assert_eq!(job.warnings, ["the first 7 bytes of its standard output are left out: 16 MiB are kept"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_cannot_make_room_leaves_running_what_runs() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let before = world.0.container(&name("db")).await.expect("an answer").expect("it is there");

    let report = world.run_over(Fault::fail_nth(1, ErrorKind::EngineFailed).on("remove_container")).await;

    let failure = report.containers[0].outcome.as_ref().expect_err("it cannot be removed");
    assert!(matches!(failure.undone, Undone::Completely), "{failure}");
    let after = world.0.container(&name("db")).await.expect("an answer").expect("it is there");
    assert_eq!((after.id, after.status), (before.id, Status::Running));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_fails_when_it_has_made_room_does_not_look_for_what_was_there() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;

    let report = world.run_over(Fault::fail_nth(1, ErrorKind::Rejected).on("create_container")).await;

    let failure = report.containers[0].outcome.as_ref().expect_err("it cannot be made");
    assert!(matches!(failure.undone, Undone::NotPossible), "{failure}");
    assert_eq!(world.0.container(&name("db")).await.expect("an answer"), None);
}

#[tokio::test(start_paused = true)]
async fn what_was_done_and_cannot_be_put_back_is_not_reported_as_nothing() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;

    let fails = Fault::fail_nth(1, ErrorKind::EngineFailed).on("remove_container");
    let goals = Goals::one(name("db"), Goal::Absent { volumes: false, grace: None });
    let report = world.reconcile_with(fails, &goals).await;

    assert!(matches!(report.containers[0].outcome.as_ref().expect_err("it fails").undone, Undone::NotPossible));
    assert!(report.is_changed());
}

#[tokio::test(start_paused = true)]
async fn a_chain_of_thousands_of_references_is_planned_and_a_circle_among_them_found() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let chain = |last: &str| -> Goals {
        (0..3000)
            .map(|n| {
                let next = if n == 2999 { last.to_owned() } else { format!("c{}", n + 1) };
                let mode = if next.is_empty() { "host".to_owned() } else { format!("container:{next}") };
                (
                    name(&format!("c{n}")),
                    Goal::Created(Box::new(spec(serde_json::json!({"image": "a:1", "network": {"mode": mode}})))),
                )
            })
            .collect()
    };

    let plan = world.reconciler().plan(&chain("")).await.expect("there is a plan");
    let circle = world.reconciler().plan(&chain("c1000")).await.expect_err("there is a circle");

    assert_eq!(plan.containers[0].name, name("c2999"));
    assert!(circle.report().contains("in a circle"));
}

#[tokio::test(start_paused = true)]
async fn a_limit_changed_by_another_program_during_a_run_is_put_right_by_the_next() {
    let wanted = db(serde_json::json!({"image": "a:1", "resources": {"memory": "64m"}}));
    let world = World::with(serde_json::json!({"image": "a:1", "resources": {"memory": "64m"}})).await;
    let resources = spec(serde_json::json!({"resources": {"memory": "128m", "memory_swap": "256m"}})).resources;
    let update = ContainerUpdate { resources, restart: None };
    world.0.update_container(&world.db().await.id, &update).await.expect("it can be updated");

    assert!(world.reconcile(&wanted).await.is_success());

    assert!(world.reconciler().plan(&wanted).await.expect("there is a plan").is_empty());
}

/// Whoever cannot be read may have joined what is replaced; whoever cannot be asked for keeps it from being planned.
#[tokio::test(start_paused = true)]
async fn a_stranger_that_cannot_be_read_is_said_and_one_that_cannot_be_asked_for_is_an_error() {
    let world = World::with(serde_json::json!({"image": "app"})).await;
    world.0.create_container(&name("stranger"), &spec(serde_json::json!({"image": "app"}))).await.expect("it is made");
    let changed = db(serde_json::json!({"image": "app", "user": "1"}));
    let plan = async |kind| {
        let fault = Arc::new(Fault::fail_nth(1, kind).on("container_by_id"));
        let runtime = Layered::new(Arc::new(world.0.clone()) as Arc<dyn Runtime>, fault);
        Reconciler::new(Arc::new(runtime)).plan(&changed).await
    };

    let unread = plan(ErrorKind::Undecodable).await.expect("there is a plan");
    let late = plan(ErrorKind::TimedOut).await.expect_err("nobody knows who has joined");

    assert!(unread.to_string().contains("cannot be read: nobody knows whether it has joined this one"), "{unread}");
    assert_eq!(late.kind(), ErrorKind::TimedOut);
}

/// Two containers, of which `app` has joined `db`; `more` is stated of the first, `image` is the second's.
fn joined(more: serde_json::Value, image: &str) -> Goals {
    let app = spec(serde_json::json!({"image": image, "network": {"mode": "container:db"}}));
    let db = Goal::running(spec(more));
    [(name("db"), db), (name("app"), Goal::running(app))].into_iter().collect()
}

#[tokio::test(start_paused = true)]
async fn a_container_whose_joiner_fails_is_put_back_with_it_and_says_which_one_failed() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    assert!(world.reconcile(&joined(serde_json::json!({"image": "a:1"}), "app")).await.is_success());
    let before = world.db().await;

    let report = world.reconcile(&joined(serde_json::json!({"image": "a:2"}), "exits")).await;

    let failure = report.container(&name("db")).expect("it was planned").outcome.as_ref().expect_err("it is put back");
    assert_eq!((failure.error.kind(), failure.step.as_str()), (ErrorKind::Conflict, "wait for app"), "{report}");
    assert!(failure.error.report().contains("app failed"), "{report}");
    assert!(matches!(failure.undone, Undone::Completely), "{report}");
    let after = world.db().await;
    assert_eq!((after.id, after.status), (before.id, Status::Running));
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_old_ones_are_removed_puts_back_all_that_are_replaced_together() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let old = joined(serde_json::json!({"image": "a:1"}), "app");
    assert!(world.reconcile(&old).await.is_success());
    let stop = StopSignal::new();
    let reconciler = world.reconciler().with_stop_signal(stop.clone());
    let wanted = joined(serde_json::json!({"image": "a:2"}), "app");
    let plan = reconciler.plan(&wanted).await.expect("there is a plan");

    let asked = tokio::spawn(async move {
        // In the middle of the second one's settle time, when the first one is through.
        tokio::time::sleep(Duration::from_secs(4)).await;
        stop.stop();
    });
    let report = reconciler.apply(&plan).await;

    asked.await.expect("it was asked for");
    assert_eq!(report.failures().count(), 2, "{report}");
    assert!(!report.is_changed(), "{report}");
    assert!(world.reconciler().plan(&old).await.expect("there is a plan").is_empty());
}

/// Of three that stand on each other, the one in the middle may not be touched: neither may the one at the bottom.
#[tokio::test(start_paused = true)]
async fn whoever_may_not_be_touched_keeps_what_it_stands_on_from_being_replaced() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    assert!(world.reconcile(&joined(serde_json::json!({"image": "a:1"}), "app")).await.is_success());
    let top = spec(serde_json::json!({"image": "top", "namespaces": {"pid": "container:app"}}));
    assert!(world.reconcile(&Goals::one(name("top"), Goal::running(top))).await.is_success());
    world.0.clear_requests();

    let report = world.reconcile(&joined(serde_json::json!({"image": "a:2"}), "app")).await;

    let said: Vec<String> = report.failures().map(|(_, failure)| failure.error.report()).collect();
    assert!(said.iter().any(|said| said.contains("top joined it")), "{report}");
    assert!(said.iter().any(|said| said.contains("app joined it")), "{report}");
    assert_eq!(world.0.writes(), Vec::<String>::new());
}

/// What has joined it removes itself, and only then may the old one go.
#[tokio::test(start_paused = true)]
async fn a_container_whose_joiner_removes_itself_is_replaced_with_it() {
    let world = World::with(serde_json::json!({"image": "a:1"})).await;
    let wanted = |image| {
        let network = serde_json::json!({"mode": "container:db"});
        let app = spec(serde_json::json!({"image": "app", "network": network, "auto_remove": true}));
        let db = Goal::running(spec(serde_json::json!({"image": image})));
        [(name("db"), db), (name("app"), Goal::running(app))].into_iter().collect::<Goals>()
    };
    assert!(world.reconcile(&wanted("a:1")).await.is_success());

    let report = world.reconcile(&wanted("a:2")).await;

    assert!(report.is_success(), "{report}");
    assert!(world.reconciler().plan(&wanted("a:2")).await.expect("there is a plan").is_empty());
    assert!(world.container("db.previous").await.is_none());
}
