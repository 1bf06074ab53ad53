//! The 24 real services of kolla-ansible on the engine in memory: made, left alone, put right.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed assertion is what a test is for")]

use std::collections::BTreeMap;
use std::sync::Arc;

use kolla_container_core::dialect::kolla::{Host, read_document};
use kolla_container_core::diff::field_names;
use kolla_container_core::memory::{ImageTemplate, MemoryEngine, MemorySupervisor};
use kolla_container_core::plan::Effect;
use kolla_container_core::spec::NamespaceMode;
use kolla_container_core::state::Output;
use kolla_container_core::{
    ContainerName, ContainerSpec, ErrorKind, Goal, Goals, ImageRef, Plan, Reconciler, Report, Runtime, Supervisor,
};
use kolla_container_testkit::matrix::{Places, Row, merge, rows};
use serde_json::{Value, json};

const SERVICES: &str = include_str!("../testdata/kolla_services.json");
const CHECK: [&str; 2] = ["/usr/local/bin/kolla_set_configs", "--check"];

/// Fields of which nobody knows what they should be where nobody states them.
const UNKNOWABLE: [&str; 3] = ["hostname", "platform", "resources.kernel_memory"];

struct Services {
    engine: MemoryEngine,
    supervisor: Option<MemorySupervisor>,
    specs: BTreeMap<ContainerName, ContainerSpec>,
}

impl Services {
    fn new() -> Self {
        let engine = MemoryEngine::new();
        let host = Host { time_zone: "Europe/Berlin".to_owned() };
        let specs = read_document(serde_json::from_str(SERVICES).unwrap(), &host).unwrap();
        for image in specs.values().filter_map(|spec| spec.image.as_ref()) {
            engine.publish(image, image_of_kolla());
        }
        Self { engine, supervisor: None, specs }
    }

    fn supervised() -> Self {
        let services = Self::new();
        Self { supervisor: Some(MemorySupervisor::new(&services.engine)), ..services }
    }

    fn reconciler(&self) -> Reconciler {
        let reconciler = Reconciler::new(Arc::new(self.engine.clone()));
        match &self.supervisor {
            Some(supervisor) => reconciler.with_supervisor(Arc::new(supervisor.clone())),
            None => reconciler,
        }
    }

    fn goals(&self) -> Goals {
        self.specs.iter().map(|(name, spec)| (name.clone(), Goal::running(spec.clone()))).collect()
    }

    async fn plan(&self) -> Plan {
        self.reconciler().plan(&self.goals()).await.unwrap()
    }

    async fn apply(&self) -> Report {
        self.reconciler().reconcile(&self.goals()).await.unwrap()
    }

    async fn check(&self) -> Report {
        self.reconciler().checking_config(true).reconcile(&self.goals()).await.unwrap()
    }

    fn answer(&self, code: i64) {
        self.engine.on_exec(CHECK, Output { code, stdout: b"what it says".to_vec(), stderr: Vec::new() });
    }

    fn writes(&self) -> Vec<String> {
        let units = self.supervisor.iter().flat_map(MemorySupervisor::writes);
        self.engine.writes().into_iter().chain(units).collect()
    }
}

/// What an image of kolla implies.
fn image_of_kolla() -> ImageTemplate {
    let config = json!({
        "entrypoint": ["dumb-init", "--single-child", "--"],
        "command": ["kolla_start"],
        "environment": {"PATH": "/usr/bin", "LANG": "en_US.UTF-8"},
        "labels": {"maintainer": "Kolla"},
    });
    ImageTemplate::new(ContainerSpec::from_value(config).unwrap())
}

/// Each container with something to do, and the fields that differ.
fn named(plan: &Plan) -> Vec<(String, Vec<String>)> {
    let fields = |plan: &kolla_container_core::plan::ContainerPlan| {
        plan.changes.iter().map(|change| change.field.to_string()).collect()
    };
    let to_do = plan.containers.iter().filter(|plan| !plan.is_empty());
    to_do.map(|plan| (plan.name.to_string(), fields(plan))).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_apply_makes_all_and_the_second_plan_is_empty() {
    for services in [Services::new(), Services::supervised()] {
        let first = services.apply().await;

        assert!(first.is_success(), "{first}");
        assert_eq!(first.counts(), BTreeMap::from([(Effect::Created, 24)]));
        services.engine.clear_requests();
        services.supervisor.iter().for_each(MemorySupervisor::clear_requests);
        let plan = services.plan().await;
        let second = services.apply().await;
        assert!(plan.is_empty(), "{plan}");
        assert_eq!(plan.to_string(), "Nothing to do: 24 containers as they should be.\n");
        assert!(second.is_success() && !second.is_changed(), "{second}");
        assert_eq!(services.writes(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn looking_at_all_takes_a_request_for_each_container_and_each_image() {
    let services = Services::new();
    services.apply().await;
    let images: std::collections::BTreeSet<_> = services.specs.values().map(|spec| spec.image.clone()).collect();
    services.engine.clear_requests();

    services.plan().await;

    let requests = services.engine.requests();
    assert!(requests.len() <= services.specs.len() + images.len() + 4, "{requests:#?}");
}

#[tokio::test(start_paused = true)]
async fn each_named_volume_is_made_once_though_many_share_it() {
    let services = Services::new();
    let wanted: std::collections::BTreeSet<_> = services
        .specs
        .values()
        .flat_map(|spec| spec.mounts.iter().flat_map(kolla_container_core::spec::Mounts::volume_names))
        .collect();

    services.apply().await;

    for volume in wanted {
        assert!(services.engine.volume(volume).await.unwrap().is_some(), "{volume}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_unit_for_each_service_and_the_engine_restarts_none() {
    let services = Services::supervised();
    services.apply().await;

    for name in services.specs.keys() {
        let unit = services.supervisor.as_ref().unwrap().unit(name).await.unwrap().unwrap();
        let container = services.engine.container(name).await.unwrap().unwrap();
        assert!(unit.enabled && unit.text.contains("unless-stopped"), "{}", unit.text);
        assert_eq!(container.config.restart.map(|policy| policy.to_string()).as_deref(), Some("no"));
    }
}

/// The values of the matrix for each field, each as a spec that states nothing else.
fn values() -> BTreeMap<&'static str, Vec<Value>> {
    let places = Places::none()
        .with("plain", "nova:1")
        .with("other_image", "nova:2")
        .with("alias", "nova:3")
        .with("furnished", "nova:4")
        .with("other", "other")
        .with("network", "net-a")
        .with("second_network", "net-b")
        .with("volume", "data-a")
        .with("second_volume", "data-b")
        .with("port", "20080");
    let mut values: BTreeMap<&'static str, Vec<Value>> = BTreeMap::new();
    for row in rows() {
        let alone = Row { with: json!({}), ..row };
        let stated = [alone.after(), alone.before()];
        values.entry(alone.field).or_default().extend(stated.iter().map(|value| places.fill(value)));
    }
    values
}

/// The configuration with another value for a field.
fn changed(there: &ContainerSpec, field: &str, values: &[Value]) -> ContainerSpec {
    let mut without = serde_json::to_value(there).unwrap();
    remove(&mut without, field);
    let with = |value: &Value| {
        let mut changed = without.clone();
        merge(&mut changed, value.clone());
        ContainerSpec::from_value(changed).ok()
    };
    let stated = values.iter().filter(|value| **value != json!({}));
    let other = stated.filter_map(with).find(|changed| changed != there);
    other.unwrap_or_else(|| panic!("the matrix has no other value for {field}"))
}

fn remove(tree: &mut Value, path: &str) {
    match path.split_once('.') {
        Some((group, rest)) => remove(tree.get_mut(group).unwrap_or(&mut Value::Null), rest),
        None => drop(tree.as_object_mut().map(|fields| fields.remove(path))),
    }
}

/// What an engine would have derived from the changed value, where nothing is stated.
fn derive(config: &mut ContainerSpec, stated: &ContainerSpec) {
    if stated.security.security_opt.is_some() {
        return;
    }
    let shares = |mode: &Option<NamespaceMode>| *mode == Some(NamespaceMode::Host);
    let disable = "label=disable".parse().unwrap();
    let switched_off =
        config.security.privileged == Some(true) || shares(&config.namespaces.ipc) || shares(&config.namespaces.pid);
    let options = config.security.security_opt.get_or_insert_default();
    if switched_off {
        options.insert(disable);
    } else {
        options.remove(&disable);
    }
}

/// Whether anybody can tell what the field of this service should be.
fn is_compared(field: &str, config: &ContainerSpec) -> bool {
    let key_of_a_check = field.starts_with("healthcheck.") && field != "healthcheck.test";
    let shared_memory_of_the_host = field == "resources.shm_size" && config.namespaces.ipc == Some(NamespaceMode::Host);
    !UNKNOWABLE.contains(&field) && (!key_of_a_check || config.healthcheck.is_active()) && !shared_memory_of_the_host
}

#[tokio::test(start_paused = true)]
async fn any_field_of_any_service_changed_behind_its_back_is_the_only_thing_named_and_is_put_right() {
    let services = Services::new();
    services.engine.load(&"other:1".parse().unwrap(), ImageTemplate::default());
    let other: ContainerName = "other".parse().unwrap();
    services.engine.create_container(&other, &ContainerSpec::new("other:1".parse().unwrap())).await.unwrap();
    services.apply().await;
    let values = values();
    let mut compared = 0;
    for (place, name) in services.specs.keys().enumerate() {
        let one = Goals::one(name.clone(), Goal::running(services.specs[name].clone()));
        for (index, field) in field_names().into_iter().enumerate() {
            let there = services.engine.container(name).await.unwrap().unwrap().config;
            let mut changed = changed(&there, field, &values[field]);
            if matches!(field, "security.privileged" | "namespaces.ipc" | "namespaces.pid") {
                derive(&mut changed, &services.specs[name]);
            }
            services.engine.meddle(name, |config| *config = changed);

            // Looking at all 24 takes its time: each field is looked at in the midst of all of some services.
            let goals = if index % 6 == place % 6 { services.goals() } else { one.clone() };
            let plan = services.reconciler().plan(&goals).await.unwrap();

            if !is_compared(field, &there) {
                assert!(plan.is_empty(), "{field} of {name} cannot be known:\n{plan}");
                services.engine.meddle(name, |config| *config = there);
                continue;
            }
            compared += 1;
            assert_eq!(named(&plan), [(name.to_string(), vec![field.to_owned()])], "{plan}");
            let report = services.reconciler().reconcile(&one).await.unwrap();
            assert!(report.is_success(), "{field} of {name}: {report}");
            let again = services.reconciler().plan(&one).await.unwrap();
            assert!(again.is_empty(), "{field} of {name}: {again}");
        }
        let plan = services.plan().await;
        assert!(plan.is_empty(), "{plan}");
    }
    assert!(compared > 24 * 50, "only {compared} fields were compared");
}

#[tokio::test(start_paused = true)]
async fn a_fresh_configuration_is_left_alone() {
    let services = Services::new();
    services.apply().await;
    services.answer(0);

    let report = services.check().await;

    assert!(report.is_success() && !report.is_changed(), "{report}");
    assert_eq!(services.engine.executed().len(), 24);
    assert!(services.engine.executed().iter().all(|(_, exec)| exec.user.as_deref() == Some("root")));
}

#[tokio::test(start_paused = true)]
async fn a_stale_configuration_restarts_each_service() {
    for code in [1, 137] {
        let services = Services::new();
        services.apply().await;
        services.answer(code);

        let report = services.check().await;

        assert!(report.is_success(), "{report}");
        assert_eq!(report.counts(), BTreeMap::from([(Effect::Restarted, 24)]));
    }
}

#[tokio::test(start_paused = true)]
async fn a_configuration_check_that_cannot_run_is_an_error_of_each_service_and_touches_none() {
    let services = Services::new();
    services.apply().await;
    services.answer(126);
    services.engine.clear_requests();

    let report = services.check().await;

    assert_eq!(report.failures().count(), 24);
    assert!(report.to_string().contains("126") && report.to_string().contains("what it says"), "{report}");
    assert_eq!(services.writes(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_checked_unless_asked_and_nothing_that_differs() {
    let services = Services::new();
    services.apply().await;
    services.answer(1);

    services.apply().await;
    let unasked = services.engine.executed().len();
    let name: ContainerName = "mariadb".parse().unwrap();
    services.engine.meddle(&name, |config| config.tty = Some(true));
    services.reconciler().checking_config(true).plan(&services.goals()).await.unwrap();

    assert_eq!(unasked, 0);
    let executed = services.engine.executed();
    assert_eq!(executed.len(), 23);
    assert!(executed.iter().all(|(container, _)| *container != name));
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_does_not_stop_the_others() {
    let services = Services::new();
    let name: ContainerName = "mariadb".parse().unwrap();
    let image: ImageRef = services.specs[&name].image.clone().unwrap();
    services.engine.unpublish(&image);

    let report = services.apply().await;

    let failures: Vec<_> = report.failures().map(|(name, failure)| (name.to_string(), failure.error.kind())).collect();
    assert_eq!(failures, [("mariadb".to_owned(), ErrorKind::NotFound)]);
    assert_eq!(report.counts(), BTreeMap::from([(Effect::Created, 23)]));
    services.engine.publish(&image, image_of_kolla());
    assert_eq!(named(&services.plan().await).len(), 1);
    assert!(services.apply().await.is_success());
    assert!(services.plan().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_unit_was_edited_is_the_only_thing_named() {
    let services = Services::supervised();
    services.apply().await;
    let name: ContainerName = "haproxy".parse().unwrap();
    let supervisor = services.supervisor.as_ref().unwrap();

    supervisor.meddle(&name, |unit| unit.text.push_str("MemoryMax=1G\n"));
    let edited = services.plan().await;
    services.apply().await;
    let after = services.plan().await;
    supervisor.meddle(&name, |unit| unit.enabled = false);
    let disabled = services.plan().await;

    assert_eq!(named(&edited), [("haproxy".to_owned(), vec!["unit".to_owned()])], "{edited}");
    assert!(after.is_empty(), "{after}");
    assert_eq!(named(&disabled), [("haproxy".to_owned(), vec!["unit".to_owned()])], "{disabled}");
}
