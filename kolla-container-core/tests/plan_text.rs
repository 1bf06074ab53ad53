//! What a plan looks like, to people and to programs: golden files, to be read when they change.

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "what fails to be prepared fails the test")]

use std::sync::Arc;

use kolla_container_core::layer::{Fault, Layered};
use kolla_container_core::memory::{MemoryEngine, MemorySupervisor};
use kolla_container_core::spec::Signal;
use kolla_container_core::state::Output;
use kolla_container_core::{ContainerName, ContainerSpec, Goal, Goals, Plan, Reconciler, Runtime};

fn name(text: &str) -> ContainerName {
    text.parse().expect("a name")
}

fn spec(json: serde_json::Value) -> ContainerSpec {
    ContainerSpec::from_value(json).expect("the spec is without mistakes")
}

fn running<const N: usize>(specs: [(&str, serde_json::Value); N]) -> Goals {
    specs.into_iter().map(|(container, json)| (name(container), Goal::running(spec(json)))).collect()
}

struct Host {
    engine: MemoryEngine,
    reconciler: Reconciler,
}

impl Host {
    async fn with<const N: usize>(specs: [(&str, serde_json::Value); N]) -> Self {
        let engine = MemoryEngine::new();
        let reconciler = Reconciler::new(Arc::new(engine.clone()));
        let report = reconciler.reconcile(&running(specs)).await.expect("there is a plan");
        assert!(report.is_success(), "{report}");
        Self { engine, reconciler }
    }

    async fn plan(&self, goals: &Goals) -> Plan {
        self.reconciler.plan(goals).await.expect("there is a plan")
    }
}

fn web() -> serde_json::Value {
    serde_json::json!({
        "image": "nginx:1.27", "mounts": ["/srv/www:/usr/share/nginx/html:ro", "cache:/var/cache", "/var/log"],
        "environment": {"MODE": "fast", "API_KEY": "hunter2"}, "network": {"ports": ["8080:80"]},
        "resources": {"memory": "256m"}, "restart": "always",
    })
}

fn changed(key: &str, value: serde_json::Value) -> serde_json::Value {
    let mut web = web();
    web[key] = value;
    web
}

#[tokio::test(start_paused = true)]
async fn a_container_that_is_not_there() {
    let host = Host::with([]).await;

    insta::assert_snapshot!("create", host.plan(&running([("web", web())])).await);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_differs_too_much_to_be_updated() {
    let host = Host::with([("web", web())]).await;
    let wanted = serde_json::json!({
        "image": "nginx:1.28", "mounts": ["cache:/var/cache:ro"], "environment": {"MODE": "safe", "API_KEY": "hunter3"},
        "network": {"ports": ["8081:80"]}, "resources": {"memory": "512m"}, "restart": "always",
        "deploy": {"replace": "start-first"},
    });

    let plan = host.plan(&running([("web", wanted)])).await;

    insta::assert_snapshot!("replace", plan);
    assert!(!serde_json::to_string(&plan).expect("it can be written").contains("hunter"));
}

#[tokio::test(start_paused = true)]
async fn a_plan_for_programs() {
    let host = Host::with([("web", web())]).await;
    let wanted = changed("environment", serde_json::json!({"MODE": "safe", "API_KEY": "hunter3"}));

    let mut json =
        serde_json::to_string_pretty(&host.plan(&running([("web", wanted)])).await).expect("it can be written");
    let id = host.engine.container(&name("web")).await.expect("memory answers").expect("it was made").id;
    json = json.replace(id.short(), "<old>");

    insta::assert_snapshot!("replace_json", json);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_can_be_updated() {
    let host = Host::with([("web", web())]).await;
    let wanted = changed("resources", serde_json::json!({"memory": "512m", "cpu_shares": 512}));

    insta::assert_snapshot!("update", host.plan(&running([("web", wanted)])).await);
}

#[tokio::test(start_paused = true)]
async fn containers_that_are_not_in_the_wanted_state() {
    let host = Host::with([("stopped", web()), ("frozen", changed("network", serde_json::json!({})))]).await;
    for (container, stop) in [("stopped", true), ("frozen", false)] {
        let id = host.engine.container(&name(container)).await.expect("memory answers").expect("it was made").id;
        if stop {
            host.engine.stop_container(&id, None).await.expect("it can be stopped");
        } else {
            host.engine.pause_container(&id).await.expect("it can be frozen");
        }
    }

    let goals = running([("stopped", web()), ("frozen", changed("network", serde_json::json!({})))]);

    insta::assert_snapshot!("states", host.plan(&goals).await);
}

#[tokio::test(start_paused = true)]
async fn deeds() {
    let host = Host::with([("web", web()), ("other", serde_json::json!({"image": "a"}))]).await;
    let goals: Goals = [
        (name("web"), Goal::Absent { volumes: true, grace: None }),
        (name("other"), Goal::Kill { signal: Signal::TERM }),
        (name("missing"), Goal::Restart { grace: None }),
        (
            name("job"),
            Goal::Run(
                Box::new(spec(serde_json::json!({"image": "job"}))),
                kolla_container_core::plan::RunOptions::default(),
            ),
        ),
    ]
    .into_iter()
    .collect();

    insta::assert_snapshot!("deeds", host.plan(&goals).await);
}

#[tokio::test(start_paused = true)]
async fn containers_that_have_joined_another() {
    let app = serde_json::json!({"image": "app", "network": {"mode": "container:web"}});
    let host = Host::with([("web", web()), ("app", app.clone())]).await;
    let wanted = changed("tty", true.into());

    let together = host.plan(&running([("web", wanted.clone()), ("app", app)])).await;
    let alone = host.plan(&running([("web", wanted)])).await;

    insta::assert_snapshot!("joined", format!("{together}\n{alone}"));
}

#[tokio::test(start_paused = true)]
async fn what_an_interrupted_run_left_behind() {
    let host = Host::with([("web", web())]).await;
    let wanted = running([("web", changed("tty", true.into()))]);
    let cut = Layered::new(
        Arc::new(host.engine.clone()) as Arc<dyn Runtime>,
        Arc::new(Fault::cut_nth(1).on("start_container")),
    );
    let report = Reconciler::new(Arc::new(cut)).reconcile(&wanted).await.expect("there is a plan");
    assert!(!report.is_success());

    let still = host.plan(&wanted).await;
    let until = still.refused().next().expect("it is refused").1.report();
    let over = host.reconciler.clone().taking_over(true).plan(&wanted).await.expect("there is a plan");

    assert!(until.contains("being replaced by another run since"), "{until}");
    let mut text = over.to_string();
    for container in ["web", "web.previous"] {
        let id = host.engine.container(&name(container)).await.expect("memory answers").expect("it is there").id;
        text = text.replace(id.short(), if container == "web" { "<new>" } else { "<old>" });
    }
    insta::assert_snapshot!("interrupted", text);
}

#[tokio::test(start_paused = true)]
async fn a_supervised_container_whose_unit_is_not_as_it_should_be() {
    let engine = MemoryEngine::new();
    let supervisor = MemorySupervisor::new(&engine);
    let reconciler = Reconciler::new(Arc::new(engine.clone())).with_supervisor(Arc::new(supervisor.clone()));
    let created = reconciler.plan(&running([("web", web())])).await.expect("there is a plan");
    assert!(reconciler.reconcile(&running([("web", web())])).await.expect("there is a plan").is_success());
    supervisor.meddle(&name("web"), |unit| unit.enabled = false);

    let mended =
        reconciler.plan(&running([("web", changed("stop_timeout", 60.into()))])).await.expect("there is a plan");

    insta::assert_snapshot!("unit", format!("{created}\n{mended}"));
}

#[tokio::test(start_paused = true)]
async fn configuration_files_that_have_changed() {
    let checked = changed("deploy", serde_json::json!({"config_check": {"command": "check", "stale": "restart"}}));
    let host = Host::with([("web", checked.clone())]).await;
    host.engine.on_exec(["check"], Output { code: 1, stdout: Vec::new(), stderr: Vec::new() });

    let unasked = host.plan(&running([("web", checked.clone())])).await;
    let asked = host.reconciler.clone().checking_config(true).plan(&running([("web", checked)])).await;

    assert!(unasked.is_empty());
    insta::assert_snapshot!("stale_config", asked.expect("there is a plan"));
}

#[tokio::test(start_paused = true)]
async fn goals_that_are_wrong_are_all_answered_at_once() {
    let host = Host::with([]).await;
    let goals = running([
        ("web.next", web()),
        ("a", serde_json::json!({"image": "a", "network": {"mode": "container:b"}})),
        ("b", serde_json::json!({"image": "b", "namespaces": {"pid": "container:a"}})),
        (
            "c",
            serde_json::json!({"image": "c", "network": {"mode": "container:nobody"}, "resources": {"kernel_memory": "1g"}}),
        ),
        (
            "d",
            serde_json::json!({"image": "d", "network": {"networks": {"nowhere": {}}}, "mounts": [{"type": "devpts", "target": "/dev/pts"}]}),
        ),
    ]);

    let error = host.reconciler.plan(&goals).await.expect_err("there are violations");

    insta::assert_snapshot!("violations", error.report().replace("; ", ";\n"));
    assert!(host.engine.writes().is_empty());
}
