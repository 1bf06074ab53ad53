//! What an engine does not report, compared by the record that we made of it.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what fails to be prepared fails the test")]

use std::sync::Arc;

use kolla_container_core::diff::{Comparison, Mode, minimal};
use kolla_container_core::memory::{ImageTemplate, MemoryEngine};
use kolla_container_core::plan::Effect;
use kolla_container_core::state::{ContainerState, Owner};
use kolla_container_core::{ContainerName, ContainerSpec, Goal, Goals, Plan, Reconciler, Runtime};
use serde_json::{Value, json};

const HIDDEN: [&str; 3] = ["resources.sysctls", "logging.options", "init"];

fn name(text: &str) -> ContainerName {
    text.parse().expect("a name")
}

fn spec(json: Value) -> ContainerSpec {
    ContainerSpec::from_value(json).expect("the spec is without mistakes")
}

fn web(json: Value) -> Goals {
    Goals::one(name("web"), Goal::running(spec(json)))
}

fn with_sysctl(value: &str) -> Value {
    json!({"image": "a:1", "resources": {"sysctls": {"net.core.somaxconn": value}}})
}

fn bare() -> Value {
    json!({"image": "a:1"})
}

/// An engine that says nothing of some fields.
struct Host(MemoryEngine);

impl Host {
    fn new() -> Self {
        Self(MemoryEngine::new().not_reporting(&HIDDEN))
    }

    /// With a container that a plan of ours made.
    async fn with(json: Value) -> Self {
        let host = Self::new();
        host.reach(json).await;
        host
    }

    /// With a container that somebody else made.
    async fn with_foreign(spec: &ContainerSpec) -> Self {
        let host = Self::new();
        host.0.load(&"a:1".parse().expect("a reference"), ImageTemplate::default());
        let created = host.0.create_container(&name("web"), spec).await.expect("it can be made");
        host.0.start_container(&created.id).await.expect("it can be started");
        host
    }

    fn reconciler(&self) -> Reconciler {
        Reconciler::new(Arc::new(self.0.clone()))
    }

    async fn reach(&self, json: Value) -> Effect {
        let report = self.reconciler().reconcile(&web(json)).await.expect("there is a plan");
        assert!(report.is_success(), "{report}");
        report.containers[0].effect
    }

    async fn plan(&self, json: Value) -> Plan {
        self.reconciler().plan(&web(json)).await.expect("there is a plan")
    }

    async fn changes(&self, json: Value) -> Vec<String> {
        self.plan(json).await.containers[0].changes.iter().map(ToString::to_string).collect()
    }

    /// The changes where each field is compared in this way.
    async fn changes_as(&self, comparison: Comparison, json: Value) -> Vec<String> {
        let reconciler = self.reconciler().with_comparison(comparison);
        let plan = reconciler.plan(&web(json)).await.expect("there is a plan");
        plan.containers[0].changes.iter().map(ToString::to_string).collect()
    }

    async fn web(&self) -> ContainerState {
        self.0.container(&name("web")).await.expect("memory answers").expect("it is there")
    }

    async fn label(&self) -> String {
        self.web().await.owner.labels().remove("io.kolla-container.applied").expect("it has a record")
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_recorded_is_compared_where_the_engine_says_nothing() {
    let host = Host::with(with_sysctl("1024")).await;
    assert_eq!(host.web().await.config.resources.sysctls, None);
    assert!(host.plan(with_sysctl("1024")).await.is_empty());

    assert_eq!(
        host.changes(with_sysctl("2048")).await,
        ["resources.sysctls: another value -> net.core.somaxconn=2048"]
    );

    assert_eq!(host.reach(with_sysctl("2048")).await, Effect::Replaced);
    assert!(host.plan(with_sysctl("2048")).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_stated_no_more_is_a_change_under_strict_alone() {
    let host = Host::with(with_sysctl("1024")).await;

    assert_eq!(host.changes(bare()).await, ["resources.sysctls: another value -> not set"]);
    let ignored = Comparison::strict().with("resources.sysctls", Mode::Ignore).expect("a field");
    let extra = Comparison::strict().with("resources.sysctls", Mode::AllowExtra).expect("a field");
    for comparison in [Comparison::stated(), ignored.clone(), extra] {
        assert_eq!(host.changes_as(comparison, bare()).await, Vec::<String>::new());
    }
    assert_eq!(host.changes_as(Comparison::stated(), with_sysctl("1")).await.len(), 1);
    assert_eq!(host.changes_as(ignored, with_sysctl("1")).await, Vec::<String>::new());

    assert_eq!(host.reach(bare()).await, Effect::Replaced);
    assert!(host.plan(bare()).await.is_empty());
    assert_eq!(host.changes(with_sysctl("1024")).await, ["resources.sysctls: not set -> net.core.somaxconn=1024"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_away_is_noticed_although_nobody_knows_the_default() {
    let engine = MemoryEngine::new().not_reporting(&HIDDEN);
    let host = Host(engine.with_facts(|facts| facts.defaults.logging.options = None));
    let options = || json!({"image": "a:1", "logging": {"options": {"max-size": "1m"}}});
    host.reach(options()).await;

    assert!(host.plan(options()).await.is_empty());
    assert_eq!(host.changes(bare()).await, ["logging.options: another value -> not set"]);
    assert_eq!(host.changes_as(Comparison::stated(), bare()).await, Vec::<String>::new());
}

/// What only a daemon's flags decide: what is taken out of a spec is noticed where it was recorded.
fn with_flags() -> Host {
    Host(MemoryEngine::new().with_facts(|facts| {
        facts.defaults.namespaces.ipc = None;
        (facts.defaults.resources.shm_size, facts.defaults.resources.ulimits) = (None, None);
        facts.defaults.logging.options = None;
    }))
}

fn with_all_of_those() -> Value {
    json!({
        "image": "a:1", "hostname": "web", "namespaces": {"ipc": "private"},
        "resources": {"shm_size": "32m", "ulimits": {"nofile": "512:1024", "core": 0}},
        "logging": {"options": {"max-size": "1m", "splunk-token": "hunter2"}}
    })
}

#[tokio::test(start_paused = true)]
async fn what_was_stated_of_a_default_that_nobody_knows_is_missed_when_it_is_stated_no_more() {
    let host = with_flags();
    host.reach(with_all_of_those()).await;
    assert!(host.plan(with_all_of_those()).await.is_empty());

    let gone = [
        "hostname: web -> not set",
        "namespaces.ipc: private -> not set",
        "resources.shm_size: 32m -> not set",
        "resources.ulimits[core]: 0 -> not set\nresources.ulimits[nofile]: 512:1024 -> not set",
        "logging.options[max-size]: 1m -> not set\nlogging.options[splunk-token]: (secret) -> not set",
    ];
    assert_eq!(host.changes(bare()).await, gone);
    assert_eq!(host.changes_as(Comparison::stated(), bare()).await, Vec::<String>::new());
    assert_eq!(host.changes_as(Comparison::kolla(), bare()).await, [gone[3]]);

    assert_eq!(host.reach(bare()).await, Effect::Replaced);
    assert!(host.plan(bare()).await.is_empty());
    assert_eq!(host.label().await, "v1");
}

#[tokio::test(start_paused = true)]
async fn one_key_that_is_stated_no_more_is_missed_and_none_that_the_engine_added() {
    let host = with_flags();
    let limits = |limits: Value| json!({"image": "a:1", "resources": {"ulimits": limits}});
    host.reach(limits(json!({"nofile": 512, "core": 0}))).await;
    let added = spec(limits(json!({"nofile": 512, "core": 0, "nproc": 9}))).resources.ulimits;
    host.0.meddle(&name("web"), |config| config.resources.ulimits = added);

    assert!(host.plan(limits(json!({"nofile": 512, "core": 0}))).await.is_empty());
    assert_eq!(host.changes(limits(json!({"nofile": 512}))).await, ["resources.ulimits[core]: 0 -> not set"]);
    assert_eq!(host.changes(limits(json!({"nofile": 1}))).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_stated_is_not_missed_where_nobody_knows_the_default() {
    let host = with_flags();
    host.0.load(&"a:1".parse().expect("a reference"), ImageTemplate::default());
    let created = host.0.create_container(&name("web"), &spec(with_all_of_those())).await.expect("it can be made");
    host.0.start_container(&created.id).await.expect("it can be started");

    assert!(host.plan(bare()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn to_state_what_is_so_by_itself_is_no_change_either_way() {
    let stated = || json!({"image": "a:1", "init": false, "resources": {"sysctls": {}}});
    let without = Host::with(bare()).await;
    let with = Host::with(stated()).await;

    assert!(without.plan(stated()).await.is_empty());
    assert!(with.plan(bare()).await.is_empty());
    assert_eq!(without.changes(json!({"image": "a:1", "init": true})).await, ["init: not set -> true"]);
}

#[tokio::test(start_paused = true)]
async fn a_container_of_somebody_else_is_not_compared_and_that_is_said() {
    let host = Host::with_foreign(&spec(with_sysctl("1"))).await;

    let plan = host.plan(with_sysctl("2")).await;

    assert!(plan.containers[0].changes.is_empty());
    assert_eq!(plan.containers[0].notes, ["not compared, because this engine does not report it: resources.sysctls"]);
    assert!(host.plan(bare()).await.is_empty());
    assert_eq!(host.web().await.owner, Owner::default());
}

#[tokio::test(start_paused = true)]
async fn a_record_of_another_version_is_no_record() {
    for text in ["v2 resources.sysctls=-", "v1 resources.sysctls", "garbage"] {
        let marked = spec(with_sysctl("1")).with_labels([("io.kolla-container.applied", text)]);
        let host = Host::with_foreign(&marked).await;

        let plan = host.plan(with_sysctl("2")).await;

        assert!(plan.containers[0].changes.is_empty(), "{text}");
        assert_eq!(plan.containers[0].notes.len(), 1, "{text}");
        assert_eq!(host.label().await, text);
    }
}

#[tokio::test(start_paused = true)]
async fn a_field_that_an_older_record_does_not_list_is_not_known() {
    let older = Host(MemoryEngine::new().not_reporting(&["init"]));
    older.reach(with_sysctl("1")).await;
    let newer = Host(older.0.clone().not_reporting(&HIDDEN));

    let plan = newer.plan(with_sysctl("2")).await;

    assert!(plan.containers[0].changes.is_empty());
    assert_eq!(plan.containers[0].notes, ["not compared, because this engine does not report it: resources.sysctls"]);
    assert!(newer.plan(bare()).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_an_engine_reports_wins_over_the_record() {
    let engine = MemoryEngine::new();
    let older = Host(engine.clone().not_reporting(&HIDDEN));
    older.reach(with_sysctl("1")).await;
    let upgraded = Host(engine);
    upgraded.0.meddle(&name("web"), |config| config.resources.sysctls = spec(with_sysctl("2")).resources.sysctls);

    assert!(upgraded.plan(with_sysctl("2")).await.is_empty());
    assert_eq!(upgraded.changes(with_sysctl("1")).await, ["resources.sysctls[net.core.somaxconn]: 2 -> 1"]);
}

#[tokio::test(start_paused = true)]
async fn every_container_of_ours_has_a_record_and_nothing_else_tells_of_it() {
    let reporting = Host(MemoryEngine::new());
    reporting.reach(json!({"image": "a:1", "labels": {"mine": "1"}})).await;
    let there = reporting.web().await;
    let image = reporting.0.image_by_id(&there.image_id).await.expect("memory answers");

    assert_eq!(reporting.label().await, "v1");
    assert_eq!(there.config.labels, spec(json!({"labels": {"mine": "1"}})).labels);
    assert_eq!(minimal(&there, image.as_ref(), reporting.0.engine()).labels, there.config.labels);
    assert_eq!(Host::with(bare()).await.label().await, "v1 init=- logging.options=- resources.sysctls=-");
}

#[tokio::test(start_paused = true)]
async fn a_replacement_is_recorded_anew() {
    let host = Host::with(with_sysctl("1")).await;
    let before = host.label().await;

    host.reach(with_sysctl("2")).await;

    let after = host.label().await;
    assert!(before != after && after.starts_with("v1 init=- logging.options=- resources.sysctls="), "{after}");
}

#[tokio::test(start_paused = true)]
async fn the_record_that_an_image_has_from_a_container_is_not_that_of_the_next_one() {
    let ours = Host::with(with_sysctl("1")).await;
    let labels = spec(bare()).with_labels([("io.kolla-container.applied", ours.label().await)]).labels;
    let image = ImageTemplate::new(ContainerSpec { labels, ..ContainerSpec::default() });
    let host = Host::new();
    host.0.load(&"a:1".parse().expect("a reference"), image);
    host.0.create_container(&name("web"), &spec(with_sysctl("2"))).await.expect("it can be made");

    let plan = host.plan(with_sysctl("2")).await;

    assert!(plan.containers[0].changes.is_empty(), "{plan}");
    assert_eq!(plan.containers[0].notes.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_in_the_record_or_in_what_is_said_of_it() {
    let options = |token: &str| json!({"image": "a:1", "logging": {"options": {"splunk-token": token, "splunk-url": format!("https://u:{token}@h")}}});
    let host = Host::with(options("hunter1")).await;

    let plan = host.plan(options("hunter2")).await;

    assert_eq!(
        plan.containers[0].changes[0].to_string(),
        "logging.options: another value -> splunk-token=(secret), splunk-url=https://u:(secret)@h"
    );
    let json = serde_json::to_string(&plan).expect("it can be written");
    let state = host.web().await;
    for text in
        [plan.to_string(), format!("{plan:?}"), json, host.label().await, format!("{state:?} {:?}", state.owner)]
    {
        assert!(!text.contains("hunter"), "{text}");
    }
}
