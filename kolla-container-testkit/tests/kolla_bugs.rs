//! What kolla-ansible's container workers get wrong, and what happens here: one test for each known bug of
//! theirs that is a matter of comparing or planning, with a number to tell them apart.

#![expect(clippy::unwrap_used, reason = "a failed assertion is what a test is for")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use kolla_container_core::dialect::kolla::{Host, Parameters, read_document};
use kolla_container_core::diff::{Comparison, Remedy};
use kolla_container_core::layer::{Call, Layer, Layered};
use kolla_container_core::memory::{Behaviour, ImageTemplate, MemoryEngine, MemorySupervisor};
use kolla_container_core::plan::{Effect, RunOptions};
use kolla_container_core::spec::{MountFlag, NamespaceMode, Variable};
use kolla_container_core::state::{ContainerState, Health, Output, Status};
use kolla_container_core::{
    Active, ContainerName, ContainerSpec, ErrorKind, Goal, Goals, ImageRef, Plan, Reconciler, Report, Runtime,
    Supervisor, Violations, VolumeName,
};
use serde_json::{Value, json};

const IMAGE: &str = "quay.io/openstack.kolla/nova-compute:2025.1";

fn image() -> ImageRef {
    IMAGE.parse().unwrap()
}

fn host() -> Host {
    Host { time_zone: "Europe/Berlin".to_owned() }
}

fn read(common: &Value, mut parameters: Value) -> Result<(ContainerName, ContainerSpec), Violations> {
    let map = parameters.as_object_mut().unwrap();
    map.entry("name").or_insert_with(|| json!("nova_compute"));
    map.entry("image").or_insert_with(|| json!(IMAGE));
    Parameters::from_value(Some(common), parameters)?.into_spec(&host())
}

/// The spec of a container in kolla's words.
fn spec(parameters: Value) -> ContainerSpec {
    read(&json!({}), parameters).unwrap().1
}

fn violations(parameters: Value) -> String {
    read(&json!({}), parameters).unwrap_err().to_string()
}

fn name() -> ContainerName {
    "nova_compute".parse().unwrap()
}

/// What an image of kolla implies.
fn template(more: Value) -> ImageTemplate {
    let mut config = json!({
        "entrypoint": ["dumb-init", "--single-child", "--"],
        "command": ["kolla_start"],
        "environment": {"PATH": "/usr/bin", "LANG": "en_US.UTF-8"},
        "labels": {"maintainer": "Kolla", "build": "1"},
    });
    kolla_container_testkit::matrix::merge(&mut config, more);
    ImageTemplate::new(ContainerSpec::from_value(config).unwrap())
}

/// An engine that has the image, and a supervisor where there is one.
struct There {
    engine: MemoryEngine,
    supervisor: Option<MemorySupervisor>,
}

impl There {
    fn with(image_config: Value) -> Self {
        let engine = MemoryEngine::new();
        engine.load(&image(), template(image_config));
        Self { engine, supervisor: None }
    }

    fn plain() -> Self {
        Self::with(json!({}))
    }

    fn supervised() -> Self {
        let there = Self::plain();
        Self { supervisor: Some(MemorySupervisor::new(&there.engine)), ..there }
    }

    fn reconciler(&self) -> Reconciler {
        let reconciler = Reconciler::new(Arc::new(self.engine.clone()));
        match &self.supervisor {
            Some(supervisor) => reconciler.with_supervisor(Arc::new(supervisor.clone())),
            None => reconciler,
        }
    }

    async fn plan(&self, goal: Goal) -> Plan {
        self.reconciler().plan(&Goals::one(name(), goal)).await.unwrap()
    }

    async fn try_to_reach(&self, goal: Goal) -> Report {
        self.reconciler().reconcile(&Goals::one(name(), goal)).await.unwrap()
    }

    async fn reach(&self, goal: Goal) -> Report {
        let report = self.try_to_reach(goal).await;
        assert!(report.is_success(), "{report}");
        report
    }

    /// Makes it, and sees that it is as it should be, compared strictly and as kolla compares.
    async fn is_made_and_stays(&self, parameters: Value) -> ContainerState {
        let goal = || Goal::running(spec(parameters.clone()));
        self.reach(goal()).await;
        self.assert_reached(goal()).await;
        self.see().await
    }

    async fn assert_reached(&self, goal: Goal) {
        let goals = Goals::one(name(), goal);
        for comparison in [Comparison::strict(), Comparison::kolla()] {
            self.engine.clear_requests();
            let report = self.reconciler().with_comparison(comparison).reconcile(&goals).await.unwrap();
            assert!(report.is_success() && !report.is_changed(), "{report}");
            assert_eq!(self.engine.writes(), Vec::<String>::new());
        }
    }

    /// What is said to differ when `before` is there and `after` is wanted: fields and keys.
    async fn noticed(&self, before: Value, after: Value) -> Vec<String> {
        self.reach(Goal::running(spec(before))).await;
        let plan = self.plan(Goal::running(spec(after))).await;
        changed(&plan)
    }

    async fn see(&self) -> ContainerState {
        self.engine.container(&name()).await.unwrap().unwrap()
    }
}

fn changed(plan: &Plan) -> Vec<String> {
    let key = |field: &str, key: &Option<String>| match key {
        Some(key) => format!("{field}[{key}]"),
        None => field.to_owned(),
    };
    let changes = plan.containers.iter().flat_map(|plan| &plan.changes);
    changes.flat_map(|change| change.entries.iter().map(|entry| key(change.field.as_str(), &entry.key))).collect()
}

// Crashes

// 1, LP#1852572
#[tokio::test(start_paused = true)]
async fn an_image_that_is_not_here_is_pulled_before_the_old_container_is_touched() {
    let there = There::plain();
    there.reach(Goal::running(spec(json!({})))).await;
    let newer = json!({"image": "quay.io/openstack.kolla/nova-compute:2025.2"});
    there.engine.clear_requests();

    let plan = there.plan(Goal::running(spec(newer.clone()))).await;
    there.reach(Goal::running(spec(newer))).await;

    assert_eq!(changed(&plan), ["image"]);
    let writes = there.engine.writes();
    let at = |method: &str| writes.iter().position(|line| line.starts_with(method)).unwrap();
    assert!(at("pull_image") < at("create_container") && at("create_container") < at("stop_container"), "{writes:?}");
}

// 1
#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_pulled_leaves_the_old_container_running() {
    let there = There::plain();
    there.reach(Goal::running(spec(json!({})))).await;
    let before = there.see().await;
    there.engine.unpublish(&"quay.io/openstack.kolla/nova-compute:gone".parse().unwrap());

    let newer = json!({"image": "quay.io/openstack.kolla/nova-compute:gone"});
    let report = there.try_to_reach(Goal::running(spec(newer))).await;

    assert!(!report.is_success() && !report.is_changed());
    assert_eq!(there.see().await, before);
}

// 2
#[tokio::test(start_paused = true)]
async fn an_image_without_labels_is_managed_twice() {
    let there = There::plain();
    there.engine.load(&image(), ImageTemplate::default());

    there.is_made_and_stays(json!({})).await;
    there.is_made_and_stays(json!({"labels": {"own": "1"}})).await;
}

// 3
#[tokio::test(start_paused = true)]
async fn an_empty_command_is_that_of_the_image() {
    let state = There::plain().is_made_and_stays(json!({"command": ""})).await;

    assert_eq!(state.config.command.unwrap().argv(), ["kolla_start"]);
}

// 4
#[tokio::test(start_paused = true)]
async fn a_path_with_a_mode_is_an_anonymous_volume_that_cannot_be_written() {
    let state = There::plain().is_made_and_stays(json!({"volumes": ["/var/lib/nova:ro"]})).await;

    let mounts = serde_json::to_value(state.config.mounts).unwrap();
    assert_eq!(mounts, json!(["/var/lib/nova:ro"]));
    assert_eq!(state.volumes.len(), 1);
}

// 5
#[tokio::test(start_paused = true)]
async fn memory_limits_in_every_spelling_are_compared() {
    for (written, bytes) in [("64mb", 64 << 20), ("0.1g", 107_374_182), ("64M", 64 << 20), ("1g", 1 << 30)] {
        let state = There::plain().is_made_and_stays(json!({"dimensions": {"mem_limit": written}})).await;

        let limit = state.config.resources.memory.unwrap().value().map(kolla_container_core::ByteSize::bytes);
        assert_eq!(limit, Some(bytes), "{written}");
    }
}

// 5
#[test]
fn a_memory_limit_that_cannot_be_read_is_a_violation_that_names_it() {
    assert!(violations(json!({"dimensions": {"mem_limit": ""}})).contains("dimensions.mem_limit"));
    let unit = violations(json!({"dimensions": {"mem_limit": "2e"}}));
    assert!(unit.contains("mem_limit") && unit.contains("[e]"), "{unit}");
}

const CHECK: [&str; 2] = ["/usr/local/bin/kolla_set_configs", "--check"];

fn checked() -> Value {
    json!({"environment": {"KOLLA_CONFIG_STRATEGY": "COPY_ALWAYS"}})
}

async fn checked_with(there: &There, output: Output) -> Report {
    there.reach(Goal::running(spec(checked()))).await;
    there.engine.on_exec(CHECK, output);
    let goals = Goals::one(name(), Goal::running(spec(checked())));
    there.reconciler().checking_config(true).reconcile(&goals).await.unwrap()
}

// 6
#[tokio::test(start_paused = true)]
async fn an_image_without_the_config_check_is_an_error_that_says_so_and_touches_nothing() {
    for code in [126, 127] {
        let there = There::plain();
        let stderr = b"exec: \"kolla_set_configs\": not found \xff\xfe".to_vec();

        let report = checked_with(&there, Output { code, stdout: Vec::new(), stderr }).await;

        let failure = report.failures().next().unwrap().1.to_string();
        assert!(failure.contains(&code.to_string()) && failure.contains("not found"), "{failure}");
        assert!(!report.is_changed());
        assert_eq!(there.see().await.status, Status::Running);
        there.assert_reached(Goal::running(spec(checked()))).await;
    }
}

// 6: output of exit status 1 need not be text
#[tokio::test(start_paused = true)]
async fn the_output_of_a_stale_config_check_may_be_anything() {
    let there = There::plain();

    let report = checked_with(&there, Output { code: 1, stdout: vec![0xff, 0, 0xfe], stderr: Vec::new() }).await;

    assert_eq!(report.containers[0].effect, Effect::Restarted);
}

// 7
#[test]
fn retries_that_do_not_fit_into_their_time_are_violations() {
    let policy = |retries: u32| json!({"restart_policy": "always", "restart_retries": retries, "client_timeout": 10});

    assert!(violations(policy(0)).contains("restart_retries"));
    assert!(violations(policy(11)).contains("restart_retries"));
    assert!(read(&json!({}), policy(5)).is_ok());
}

// 7
#[tokio::test(start_paused = true)]
async fn what_is_null_is_not_stated() {
    let nulls = json!({
        "graceful_timeout": null, "cap_add": null, "dimensions": {"ulimits": null, "mem_limit": null},
        "environment": null, "labels": null, "volumes": [null, ""], "tmpfs": [null, ""], "ipc_mode": "",
    });

    There::plain().is_made_and_stays(nulls.clone()).await;

    assert_eq!(spec(nulls), spec(json!({})));
}

/// Removes a container just after it was listed.
#[derive(Debug)]
struct Vanishes {
    engine: MemoryEngine,
    name: ContainerName,
}

impl Layer for Vanishes {
    async fn call<T: Send>(
        &self,
        call: &Call,
        next: BoxFuture<'_, kolla_container_core::Result<T>>,
    ) -> kolla_container_core::Result<T> {
        let answer = next.await;
        if call.method == "containers"
            && let Ok(Some(state)) = self.engine.container(&self.name).await
        {
            self.engine.remove_container(&state.id).await.unwrap();
        }
        answer
    }

    async fn item<T: Send>(
        &self,
        _: &Call,
        next: BoxFuture<'_, kolla_container_core::Result<T>>,
    ) -> kolla_container_core::Result<T> {
        next.await
    }
}

// 8
#[tokio::test(start_paused = true)]
async fn another_container_that_vanishes_while_one_looks_breaks_nothing() {
    for other in ["other", "nova_compute.next", "other.previous"] {
        let there = There::plain();
        there.reach(Goal::running(spec(json!({})))).await;
        let vanishing: ContainerName = other.parse().unwrap();
        there.engine.create_container(&vanishing, &spec(json!({}))).await.unwrap();
        let engine: Arc<dyn Runtime> = Arc::new(there.engine.clone());
        let layer = Arc::new(Vanishes { engine: there.engine.clone(), name: vanishing });
        let reconciler = Reconciler::new(Arc::new(Layered::new(engine, layer)));

        let goals = Goals::one(name(), Goal::running(spec(json!({"tty": true}))));
        let report = reconciler.reconcile(&goals).await.unwrap();

        assert!(report.is_success(), "{other}: {report}");
    }
}

// Endless recreation

// 9, 10
#[tokio::test(start_paused = true)]
async fn a_memory_limit_without_swap_is_made_once() {
    for written in [json!("1g"), json!(1_073_741_824), json!("512m"), json!("2G")] {
        There::plain().is_made_and_stays(json!({"dimensions": {"mem_limit": written}})).await;
    }
}

// 11
#[tokio::test(start_paused = true)]
async fn a_volume_of_the_image_that_nobody_repeats_is_no_difference() {
    let state = There::with(json!({"mounts": ["/var/lib/data"]})).is_made_and_stays(json!({})).await;

    assert_eq!(state.anonymous_volumes().count(), 1);
}

// 12
#[tokio::test(start_paused = true)]
async fn a_health_check_of_the_image_that_nobody_repeats_is_no_difference() {
    let there = There::with(json!({"healthcheck": {"test": "true", "interval": "7s"}}));

    let state = there.is_made_and_stays(json!({})).await;

    assert_eq!(state.health, Some(Health::Healthy));
}

// 13, LP#2071912
#[tokio::test(start_paused = true)]
async fn a_health_check_of_none_switches_that_of_the_image_off() {
    for none in [json!("NONE"), json!(["NONE"])] {
        let there = There::with(json!({"healthcheck": {"test": "true", "interval": "7s"}}));

        let state = there.is_made_and_stays(json!({"healthcheck": {"test": none}})).await;

        assert_eq!(state.health, None);
    }
}

// 14
#[tokio::test(start_paused = true)]
async fn a_zero_in_a_health_check_is_no_difference() {
    let check = json!({"test": "true", "interval": 30, "timeout": 30, "start_period": 0, "retries": 3});
    There::plain().is_made_and_stays(json!({"healthcheck": check})).await;

    let check = json!({"test": "true", "interval": 0, "timeout": 0, "start_period": 0, "retries": 0});
    There::plain().is_made_and_stays(json!({"healthcheck": check})).await;
}

// 15
#[tokio::test(start_paused = true)]
async fn a_command_for_an_image_with_an_entrypoint_is_made_once() {
    let state = There::plain().is_made_and_stays(json!({"command": "bash -c 'sleep 1'"})).await;

    assert_eq!(state.config.command.unwrap().argv(), ["bash", "-c", "sleep 1"]);
    assert_eq!(state.config.entrypoint.unwrap().argv(), ["dumb-init", "--single-child", "--"]);
}

// 16
#[tokio::test(start_paused = true)]
async fn a_label_over_that_of_the_image_and_a_label_of_null_are_made_once() {
    let state = There::plain().is_made_and_stays(json!({"labels": {"build": "2", "BOOTSTRAP": null}})).await;

    let labels = state.config.labels.unwrap().0;
    assert_eq!((labels["build"].as_str(), labels["BOOTSTRAP"].as_str()), ("2", ""));
    assert_eq!(labels["maintainer"], "Kolla");
}

// 17
#[tokio::test(start_paused = true)]
async fn a_variable_that_is_no_text_is_made_once() {
    let variables = json!({"ONE": 1, "YES": true, "HALF": 0.5, "NOTHING": null});

    let state = There::plain().is_made_and_stays(json!({"environment": variables})).await;

    let variables = state.config.environment.unwrap().0;
    let values = ["ONE", "YES", "HALF", "NOTHING"].map(|name| variables[name].value().unwrap().to_owned());
    assert_eq!(values, ["1", "True", "0.5", ""]);
}

// 18
#[tokio::test(start_paused = true)]
async fn tmpfs_and_security_options_arrive_and_are_made_once() {
    for engine in ["docker", "podman"] {
        let parameters = json!({
            "container_engine": engine, "tmpfs": ["/run:size=64m,mode=755", "/tmp", ""],
            "security_opt": ["seccomp=unconfined", "label:disable"],
        });

        let state = There::plain().is_made_and_stays(parameters).await;

        assert_eq!(state.config.mounts.unwrap().0.len(), 2);
        assert_eq!(state.config.security.security_opt.unwrap().len(), 2);
    }
}

// 19
#[tokio::test(start_paused = true)]
async fn capabilities_in_every_spelling_are_made_once() {
    for engine in ["docker", "podman"] {
        let mixed = json!({"container_engine": engine, "cap_add": ["NET_ADMIN", "CAP_NET_RAW", "sys_time", "CHOWN"]});
        There::plain().is_made_and_stays(mixed).await;
        There::plain().is_made_and_stays(json!({"container_engine": engine, "cap_add": ["ALL"]})).await;
    }
}

// 20
#[tokio::test(start_paused = true)]
async fn each_mode_of_a_bind_counts() {
    for engine in ["docker", "podman"] {
        let volumes = json!(["/:/host:ro,rslave", "/run:/run:shared", "/dev:/dev:rw", "/etc/kolla/:/etc/kolla/:ro"]);
        let state = There::plain().is_made_and_stays(json!({"container_engine": engine, "volumes": volumes})).await;

        let mounts = serde_json::to_value(state.config.mounts).unwrap();
        assert_eq!(mounts, json!(["/dev:/dev", "/etc/kolla:/etc/kolla:ro", "/:/host:ro,rslave", "/run:/run:shared"]));
    }
}

// 21
#[tokio::test(start_paused = true)]
async fn a_service_in_the_namespaces_of_the_host_is_made_once() {
    let shared = json!({"ipc_mode": "host", "pid_mode": "host", "cgroupns_mode": "host"});

    let state = There::plain().is_made_and_stays(shared).await;

    assert_eq!(state.config.namespaces.ipc, Some(NamespaceMode::Host));
}

fn oneshot() -> Value {
    json!({"restart_policy": "oneshot", "detach": false, "labels": {"BOOTSTRAP": null}})
}

// 22, 32
#[tokio::test(start_paused = true)]
async fn a_oneshot_has_no_unit_and_none_is_missed() {
    let there = There::supervised();

    there.reach(Goal::running(spec(oneshot()))).await;

    assert_eq!(there.supervisor.as_ref().unwrap().unit(&name()).await.unwrap(), None);
    assert_eq!(there.supervisor.as_ref().unwrap().writes(), Vec::<String>::new());
    there.assert_reached(Goal::running(spec(oneshot()))).await;
}

// 23
#[tokio::test(start_paused = true)]
async fn stopping_a_container_that_was_only_made_changes_nothing() {
    let there = There::plain();
    there.reach(Goal::Created(Box::new(spec(json!({}))))).await;

    there.assert_reached(Goal::Stopped { grace: None }).await;

    assert_eq!(there.see().await.status, Status::Created);
}

// 24
#[tokio::test(start_paused = true)]
async fn a_slash_at_the_end_of_a_path_is_no_difference() {
    let there = There::plain();
    there.is_made_and_stays(json!({"volumes": ["/etc/kolla/nova/:/etc/nova/:ro", "nova:/var/lib/nova/"]})).await;

    let without = json!({"volumes": ["nova:/var/lib/nova", "/etc/kolla/nova:/etc/nova:ro"]});
    there.assert_reached(Goal::running(spec(without))).await;
}

// 24, 25
#[tokio::test(start_paused = true)]
async fn every_spelling_of_an_image_is_found_here() {
    let engine = MemoryEngine::new();
    let id = engine.load(&"docker.io/library/nova:latest".parse().unwrap(), template(json!({})));
    let there = There { engine, supervisor: None };
    there.reach(Goal::running(spec(json!({"image": "nova"})))).await;

    for spelling in ["nova:latest", "library/nova", "docker.io/nova", "index.docker.io/library/nova:latest"] {
        there.assert_reached(Goal::running(spec(json!({"image": spelling})))).await;
    }
    for spelling in [id.to_string(), format!("sha256:{id}")] {
        there.assert_reached(Goal::running(spec(json!({"image": spelling})))).await;
    }
    assert!(!there.engine.requests().iter().any(|line| line.starts_with("pull_image")));
}

// 25
#[tokio::test(start_paused = true)]
async fn an_image_by_its_digest_is_pulled_once() {
    let there = There::plain();
    let id = there.engine.publish(&image(), template(json!({})));
    let by_digest = json!({"image": format!("quay.io/openstack.kolla/nova-compute@sha256:{id}")});

    there.is_made_and_stays(by_digest.clone()).await;

    there.engine.clear_requests();
    there.assert_reached(Goal::running(spec(by_digest))).await;
    assert!(!there.engine.requests().iter().any(|line| line.starts_with("pull_image")));
}

// Missed drift

// 26
#[tokio::test(start_paused = true)]
async fn one_source_at_two_targets_is_mounted_twice_and_both_are_compared() {
    let there = There::plain();
    let both = json!(["/etc/kolla:/one:ro", "/etc/kolla:/two:ro", "nova:/three", "nova:/four"]);

    let state = there.is_made_and_stays(json!({"volumes": both})).await;

    assert_eq!(state.config.mounts.as_ref().unwrap().0.len(), 4);
    assert_eq!(state.volumes.len(), 2);
    for left in ["/one", "/two", "/three", "/four"] {
        let fewer: Vec<&Value> =
            both.as_array().unwrap().iter().filter(|text| !text.as_str().unwrap().contains(left)).collect();
        let plan = there.plan(Goal::running(spec(json!({"volumes": fewer})))).await;
        assert_eq!(changed(&plan), [format!("mounts[{left}]")]);
    }
}

// 27
#[tokio::test(start_paused = true)]
async fn what_is_not_stated_any_more_is_noticed() {
    let before = json!({
        "environment": {"DEBUG": "1"}, "command": "sleep 1", "ipc_mode": "host", "cgroupns_mode": "host",
        "dimensions": {"cpu_shares": 512}, "labels": {"own": "1"},
    });

    let noticed = There::plain().noticed(before, json!({})).await;

    assert_eq!(
        noticed,
        ["command", "environment[DEBUG]", "labels[own]", "namespaces.ipc", "namespaces.cgroup", "resources.cpu_shares"]
    );
}

// 28, LP#2132378
#[tokio::test(start_paused = true)]
async fn limits_of_files_and_processes_are_compared() {
    let limits = |soft: u32| json!({"dimensions": {"ulimits": {"nofile": {"soft": soft, "hard": 2048}, "RLIMIT_NPROC": {"soft": soft, "hard": 2048}}}});

    let there = There::plain();
    there.is_made_and_stays(limits(1024)).await;

    let plan = there.plan(Goal::running(spec(limits(512)))).await;
    assert_eq!(changed(&plan), ["resources.ulimits[nofile]", "resources.ulimits[nproc]"]);
    let plan = there.plan(Goal::running(spec(json!({})))).await;
    assert_eq!(changed(&plan), ["resources.ulimits[nofile]", "resources.ulimits[nproc]"]);
}

// 28
#[tokio::test(start_paused = true)]
async fn mount_flags_are_refused_where_the_engine_has_none() {
    let there = There::plain();
    let wanted = spec(json!({"volumes": ["/srv:/srv:nosuid,nodev"]}));

    let refused = there.reconciler().plan(&Goals::one(name(), Goal::running(wanted.clone()))).await.unwrap_err();

    let mount = wanted.mounts.unwrap().0.into_values().next().unwrap();
    let kolla_container_core::spec::Mount::Bind(bind) = mount else { panic!("{mount:?}") };
    assert_eq!(bind.flags, [MountFlag::NoSuid, MountFlag::NoDev].into());
    assert_eq!(refused.kind(), ErrorKind::Rejected);
    assert!(refused.report().contains("mounts"), "{}", refused.report());
}

// 29
#[tokio::test(start_paused = true)]
async fn another_registry_of_the_same_image_is_noticed() {
    let there = There::plain();
    there.reach(Goal::running(spec(json!({})))).await;
    let id = there.see().await.image_id;
    let mirror: ImageRef = "mirror.example.org/openstack.kolla/nova-compute:2025.1".parse().unwrap();
    there.engine.tag_image(&id, &mirror).await.unwrap();

    let plan = there.plan(Goal::running(spec(json!({"image": mirror.to_string()})))).await;

    assert_eq!(changed(&plan), ["image"]);
}

// 29
#[tokio::test(start_paused = true)]
async fn terminal_stop_timeout_network_and_logging_are_compared() {
    let there = There::plain();
    there.reach(Goal::running(spec(json!({"graceful_timeout": 60})))).await;

    there.engine.meddle(&name(), |config| {
        config.tty = Some(true);
        config.stop_timeout = Some(kolla_container_core::TimeSpan::from_secs(1));
        config.network.mode = Some(kolla_container_core::spec::NetworkMode::Bridge);
        config.logging.driver = Some("none".to_owned());
    });

    let plan = there.plan(Goal::running(spec(json!({"graceful_timeout": 60})))).await;
    assert_eq!(changed(&plan), ["tty", "stop_timeout", "network.mode", "logging.driver"]);
}

// Wrong action

// 30
#[tokio::test(start_paused = true)]
async fn a_stopped_container_that_is_otherwise_as_it_should_be_is_started() {
    let there = There::plain();
    there.reach(Goal::running(spec(json!({})))).await;
    let id = there.see().await.id;
    there.engine.stop_container(&id, None).await.unwrap();

    let report = there.reach(Goal::running(spec(json!({})))).await;

    assert_eq!(report.containers[0].effect, Effect::Started);
    assert_eq!(there.see().await.id, id);
}

// 31: a unit that is not active stops nothing
#[tokio::test(start_paused = true)]
async fn stopping_stops_a_container_that_runs_outside_its_unit() {
    let there = There::supervised();
    there.reach(Goal::running(spec(json!({})))).await;
    there.supervisor.as_ref().unwrap().stop(&name()).await.unwrap();
    there.engine.start_container(&there.see().await.id).await.unwrap();

    there.reach(Goal::Stopped { grace: None }).await;

    assert_eq!(there.see().await.status, Status::Exited);
    there.assert_reached(Goal::Stopped { grace: None }).await;
}

// 31
#[tokio::test(start_paused = true)]
async fn a_container_that_runs_outside_its_unit_is_taken_into_it() {
    let there = There::supervised();
    there.reach(Goal::running(spec(json!({})))).await;
    let supervisor = there.supervisor.as_ref().unwrap();
    supervisor.stop(&name()).await.unwrap();
    there.engine.start_container(&there.see().await.id).await.unwrap();

    let report = there.reach(Goal::running(spec(json!({})))).await;

    assert_eq!(report.containers[0].effect, Effect::Restarted);
    assert_eq!(supervisor.unit(&name()).await.unwrap().unwrap().active, Active::Active);
    there.assert_reached(Goal::running(spec(json!({})))).await;
}

// 31: a container that dies at once is not started
#[tokio::test(start_paused = true)]
async fn a_container_that_ends_at_once_is_no_success() {
    for there in [There::plain(), There::supervised()] {
        there
            .engine
            .load(&image(), template(json!({})).with_behaviour(Behaviour::exits_after(Duration::from_millis(10), 1)));

        let report = there.try_to_reach(Goal::running(spec(json!({})))).await;

        assert!(!report.is_success());
        assert!(report.to_string().contains("exit status 1"), "{report}");
    }
}

// 31: the cause of a failed unit is said
#[tokio::test(start_paused = true)]
async fn a_unit_that_cannot_be_started_says_why() {
    let there = There::supervised();
    let broken = template(json!({})).with_behaviour(Behaviour::FailsToStart("no such program: /nova".to_owned()));
    there.engine.load(&image(), broken);

    let report = there.try_to_reach(Goal::running(spec(json!({})))).await;

    assert!(report.to_string().contains("no such program: /nova"), "{report}");
}

// 32
#[tokio::test(start_paused = true)]
async fn restarting_a_oneshot_uses_no_unit() {
    let there = There::supervised();
    there.reach(Goal::running(spec(oneshot()))).await;
    let before = there.see().await;

    there.reach(Goal::Restart { grace: None }).await;

    assert!(there.see().await.started > before.started);
    assert_eq!(there.supervisor.as_ref().unwrap().writes(), Vec::<String>::new());
}

// 33
#[tokio::test(start_paused = true)]
async fn a_volume_with_the_name_of_its_container_is_made_once() {
    let there = There::plain();
    let parameters = json!({"volumes": ["nova_compute:/var/lib/nova", "kolla_logs:/var/log/kolla"]});
    there.reach(Goal::running(spec(parameters.clone()))).await;
    let made = there.engine.writes();

    there.engine.clear_requests();
    let mut changed = parameters;
    changed["tty"] = json!(true);
    there.reach(Goal::running(spec(changed))).await;

    let creates = |lines: &[String]| lines.iter().filter(|line| line.starts_with("create_volume")).count();
    assert_eq!((creates(&made), creates(&there.engine.writes())), (2, 0));
}

// 33
#[tokio::test(start_paused = true)]
async fn devpts_is_no_volume() {
    let there = There::plain();
    let parameters = json!({"container_engine": "podman", "volumes": ["devpts:/dev/pts"]});

    let refused = there.reconciler().plan(&Goals::one(name(), Goal::running(spec(parameters)))).await.unwrap_err();

    let volume: VolumeName = "devpts".parse().unwrap();
    assert!(refused.report().contains("devpts"), "{}", refused.report());
    assert_eq!(there.engine.volume(&volume).await.unwrap(), None);
}

// 34
#[tokio::test(start_paused = true)]
async fn replacing_again_and_again_leaks_no_volume() {
    let there = There::with(json!({"mounts": ["/var/lib/data"]}));
    there.reach(Goal::running(spec(json!({})))).await;
    let volumes = there.see().await.volumes;

    for _ in 0..3 {
        there.reach(Goal::Replace(Box::new(spec(json!({}))))).await;
    }

    assert_eq!(there.see().await.volumes, volumes);
    there.reach(Goal::Absent { volumes: true, grace: None }).await;
    for volume in volumes.values() {
        assert_eq!(there.engine.volume(volume).await.unwrap(), None);
    }
}

// 34
#[tokio::test(start_paused = true)]
async fn only_what_was_changed_is_said_to_be_changed() {
    let there = There::plain();
    let absent = || Goal::Absent { volumes: false, grace: None };

    let nothing_there = there.reach(absent()).await;
    let failed = there.try_to_reach(Goal::Restart { grace: None }).await;
    there.reach(Goal::running(spec(json!({})))).await;
    let same = there.reach(Goal::running(spec(json!({})))).await;
    let removed = there.reach(absent()).await;

    assert!(!nothing_there.is_changed() && !failed.is_changed() && !same.is_changed());
    assert!(removed.is_changed());
}

// 35
#[tokio::test(start_paused = true)]
async fn the_log_driver_is_left_alone() {
    let state = There::plain().is_made_and_stays(json!({"detach": true})).await;

    assert_eq!(spec(json!({"detach": true})).logging, kolla_container_core::spec::Logging::default());
    assert_eq!(state.config.logging.driver.as_deref(), Some("json-file"));
}

// 36
#[tokio::test(start_paused = true)]
async fn a_bootstrap_may_take_longer_than_the_client_timeout() {
    let there = There::plain();
    let slow = template(json!({})).with_behaviour(Behaviour::exits_after(Duration::from_hours(1), 0));
    there.engine.load(&image(), slow.with_output("done\n", ""));
    let mut parameters = oneshot();
    parameters["client_timeout"] = json!(120);

    let report = there.reach(Goal::Run(Box::new(spec(parameters)), RunOptions::default())).await;

    let output = report.containers[0].output.as_ref().unwrap();
    assert_eq!((output.code, output.stdout.as_slice()), (0, b"done\n".as_slice()));
}

// 36
#[tokio::test(start_paused = true)]
async fn the_states_that_can_be_asked_for_are_reached() {
    let there = There::plain();

    there.reach(Goal::Paused(Box::new(spec(json!({}))))).await;
    let paused = there.see().await.status;
    there.reach(Goal::Stopped { grace: None }).await;

    assert_eq!((paused, there.see().await.status), (Status::Paused, Status::Exited));
}

// 37
#[test]
fn the_password_of_the_registry_is_nowhere_to_be_seen() {
    let common = json!({"auth_username": "kolla", "auth_password": "hunter2", "auth_registry": "quay.io"});
    let parameters = json!({"name": "a", "image": IMAGE});

    let read = Parameters::from_value(Some(&common), parameters.clone()).unwrap();
    let wrong = Parameters::from_value(Some(&json!({"auth_password": ["hunter2"]})), parameters).unwrap_err();

    assert!(read.auth_password.is_some());
    assert!(!format!("{read:?}{wrong:?}{wrong}").contains("hunter2"));
}

// 38
#[test]
fn what_nobody_knows_among_the_common_options_is_a_violation() {
    let wrong = read(&json!({"restart_polcy": "always"}), json!({})).unwrap_err().to_string();

    assert!(wrong.contains("common_options") && wrong.contains("restart_policy"), "{wrong}");
}

// LP#1848775
#[tokio::test(start_paused = true)]
async fn a_stale_configuration_restarts_or_recreates_as_the_strategy_says() {
    for (strategy, effect) in [("COPY_ALWAYS", Effect::Restarted), ("COPY_ONCE", Effect::Replaced)] {
        let there = There::plain();
        let goal = || Goal::running(spec(json!({"environment": {"KOLLA_CONFIG_STRATEGY": strategy}})));
        there.reach(goal()).await;
        there.engine.on_exec(CHECK, Output { code: 1, stdout: Vec::new(), stderr: Vec::new() });

        let goals = Goals::one(name(), goal());
        let report = there.reconciler().checking_config(true).reconcile(&goals).await.unwrap();

        assert_eq!(report.containers[0].effect, effect, "{report}");
        let (_, exec) = there.engine.executed().pop().unwrap();
        assert_eq!(exec.user.as_deref(), Some("root"));
    }
}

// LP#2003079
#[test]
fn the_common_options_are_merged_below_the_own_ones() {
    let common =
        json!({"environment": {"A": "common", "B": "common"}, "graceful_timeout": "60", "restart_policy": "always"});

    let own = json!({"environment": {"B": "own"}, "graceful_timeout": 5});
    let (_, spec) = read(&common, own).unwrap();

    let variables: BTreeMap<_, _> = spec.environment.unwrap().0;
    assert_eq!(variables["A"], Variable::Value("common".to_owned()));
    assert_eq!(variables["B"], Variable::Value("own".to_owned()));
    assert_eq!(spec.stop_timeout.unwrap().to_string(), "5s");
    assert_eq!(spec.restart.unwrap().to_string(), "always");
}

// LP#2054834
#[tokio::test(start_paused = true)]
async fn the_mode_of_a_named_volume_counts() {
    for engine in ["docker", "podman"] {
        let there = There::plain();
        let volumes = |text: &str| json!({"container_engine": engine, "volumes": [text]});

        there.is_made_and_stays(volumes("nova:/var/lib/nova:ro")).await;

        let plan = there.plan(Goal::running(spec(volumes("nova:/var/lib/nova")))).await;
        assert_eq!(changed(&plan), ["mounts[/var/lib/nova]"]);
    }
}

// LP#2067278, cpuset IndexError
#[tokio::test(start_paused = true)]
async fn every_dimension_arrives_and_is_noticed_by_itself() {
    let values = [
        ("cpu_period", json!(50_000), "resources.cpu_period"),
        ("cpu_quota", json!(20_000), "resources.cpu_quota"),
        ("cpu_shares", json!("512"), "resources.cpu_shares"),
        ("cpuset_cpus", json!("0-1"), "resources.cpuset_cpus"),
        ("cpuset_mems", json!("0"), "resources.cpuset_mems"),
        ("mem_limit", json!("1g"), "resources.memory"),
        ("mem_reservation", json!("512m"), "resources.memory_reservation"),
        ("blkio_weight", json!(200), "resources.blkio_weight"),
    ];
    let all = Value::Object(values.iter().map(|(key, value, _)| ((*key).to_owned(), value.clone())).collect());
    There::plain().is_made_and_stays(json!({"dimensions": all})).await;
    for (key, value, field) in values {
        let there = There::plain();

        assert_eq!(there.noticed(json!({}), json!({"dimensions": {key: value}})).await, [field]);
        there.is_made_and_stays(json!({"dimensions": {key: value}})).await;
        assert_eq!(changed(&there.plan(Goal::running(spec(json!({})))).await), [field]);
    }
}

// LP#2078940
#[test]
fn the_name_of_the_service_and_the_time_zone_are_there_on_every_engine() {
    for engine in ["docker", "podman"] {
        let variables = spec(json!({"container_engine": engine})).environment.unwrap().0;

        assert_eq!(variables["KOLLA_SERVICE_NAME"], Variable::Value("nova-compute".to_owned()));
        assert_eq!(variables["TZ"], Variable::Value("Europe/Berlin".to_owned()));
    }
}

// LP#2144917, LP#1863510
#[tokio::test(start_paused = true)]
async fn a_change_of_one_of_many_touches_no_other() {
    let there = There::plain();
    let all = |tty: bool| -> Goals {
        let service = |index: i32| {
            let parameters = json!({"name": format!("worker_{index}"), "tty": tty && index == 2});
            let (name, spec) = read(&json!({}), parameters).unwrap();
            (name, Goal::running(spec))
        };
        (0..5).map(service).collect()
    };
    there.reconciler().reconcile(&all(false)).await.unwrap();
    there.engine.clear_requests();

    let report = there.reconciler().reconcile(&all(true)).await.unwrap();

    let touched: Vec<_> = report.containers.iter().filter(|report| report.is_changed()).collect();
    assert_eq!(touched.len(), 1);
    assert_eq!(touched[0].name.as_str(), "worker_2");
    assert!(there.engine.writes().iter().all(|line| line.contains("worker_2")), "{:?}", there.engine.writes());
}

// LP#1941706
#[tokio::test(start_paused = true)]
async fn the_cgroup_namespace_of_the_host_is_noticed() {
    let there = There::plain();

    assert_eq!(there.noticed(json!({}), json!({"cgroupns_mode": "host"})).await, ["namespaces.cgroup"]);
}

// "1g" and bytes, whole numbers and digits
#[tokio::test(start_paused = true)]
async fn two_spellings_of_one_amount_are_no_difference() {
    let there = There::plain();
    there.is_made_and_stays(json!({"dimensions": {"mem_limit": "1g", "cpu_shares": "512"}})).await;

    let other = json!({"dimensions": {"mem_limit": 1_073_741_824, "cpu_shares": 512}});
    there.assert_reached(Goal::running(spec(other))).await;
}

// 39: what it costs
#[tokio::test(start_paused = true)]
async fn looking_at_one_container_among_fifty_is_a_handful_of_requests() {
    let there = There::supervised();
    for index in 0..50 {
        let name: ContainerName = format!("other_{index}").parse().unwrap();
        there.engine.create_container(&name, &spec(json!({}))).await.unwrap();
    }
    there.reach(Goal::running(spec(json!({})))).await;
    there.engine.clear_requests();

    there.plan(Goal::running(spec(json!({})))).await;

    let requests = there.engine.requests();
    assert!(requests.len() <= 1 + 1 + 4, "{requests:?}");
}

// What kolla compares, with its modes and without its bugs: a limit that is raised is an update
#[tokio::test(start_paused = true)]
async fn a_raised_limit_is_no_reason_to_replace() {
    let there = There::plain();
    there.reach(Goal::running(spec(json!({"dimensions": {"mem_limit": "1g"}})))).await;

    let plan = there.plan(Goal::running(spec(json!({"dimensions": {"mem_limit": "2g"}})))).await;

    assert_eq!(plan.containers[0].changes[0].remedy, Remedy::Update);
}

// Volumes and containers of one name (mariadb, rabbitmq), and empty volume strings, as in the real services
#[test]
fn the_real_services_are_read() {
    let document: Value = serde_json::from_str(include_str!("../testdata/kolla_services.json")).unwrap();

    assert_eq!(read_document(document, &host()).unwrap().len(), 24);
}
