//! What differs, what does not, and what is shown of it: pairs of a spec and a container that was
//! made from another spec on the engine in memory.

#![expect(clippy::expect_used, reason = "what fails to be prepared fails the test")]

use kolla_container_core::diff::{Comparison, Diff, Mode, Remedy, Surroundings, diff, minimal};
use kolla_container_core::memory::{Behaviour, ImageTemplate, MemoryEngine};
use kolla_container_core::state::{ContainerState, ContainerUpdate, ImageState};
use kolla_container_core::{ContainerName, ContainerSpec, ImageRef, Runtime};

fn spec(json: serde_json::Value) -> ContainerSpec {
    ContainerSpec::from_value(json).expect("the spec is without mistakes")
}

fn image(config: serde_json::Value) -> ImageTemplate {
    ImageTemplate { config: spec(config), behaviour: Behaviour::Runs, ..ImageTemplate::default() }
}

/// A container on an engine of its own.
struct There {
    engine: MemoryEngine,
    container: ContainerState,
    image: Option<ImageState>,
}

impl There {
    async fn made(made: serde_json::Value) -> Self {
        Self::made_from(made, image(serde_json::json!({}))).await
    }

    async fn made_from(made: serde_json::Value, template: ImageTemplate) -> Self {
        let engine = MemoryEngine::new();
        let reference: ImageRef = "app:1".parse().expect("a reference");
        engine.load(&reference, template);
        let name: ContainerName = "app".parse().expect("a name");
        engine.create_container(&name, &spec(made)).await.expect("it can be made");
        Self::look(engine).await
    }

    async fn look(engine: MemoryEngine) -> Self {
        let name: ContainerName = "app".parse().expect("a name");
        let container = engine.container(&name).await.expect("memory answers").expect("it was made");
        let image = engine.image_by_id(&container.image_id).await.expect("memory answers");
        Self { engine, container, image }
    }

    fn compared(&self, wanted: serde_json::Value, comparison: &Comparison) -> Diff {
        let surroundings = Surroundings {
            image: self.image.as_ref(),
            wanted_image: self.image.as_ref(),
            engine: self.engine.engine(),
            comparison,
        };
        diff(&spec(wanted), &self.container, &surroundings)
    }

    fn strictly(&self, wanted: serde_json::Value) -> Vec<String> {
        lines(&self.compared(wanted, &Comparison::strict()))
    }
}

fn lines(found: &Diff) -> Vec<String> {
    found.changes.iter().flat_map(|change| change.to_string().lines().map(str::to_owned).collect::<Vec<_>>()).collect()
}

#[tokio::test]
async fn what_an_image_implies_is_no_difference() {
    let template = image(serde_json::json!({
        "command": ["serve"], "entrypoint": ["/init"], "environment": {"PATH": "/bin", "MODE": "image"},
        "labels": {"maintainer": "us"}, "user": "app", "working_dir": "/srv", "mounts": ["/data"],
        "network": {"expose": ["80"]}, "healthcheck": {"test": "true", "interval": 10}, "stop_signal": "SIGINT",
    }));
    let there = There::made_from(serde_json::json!({"image": "app:1"}), template).await;

    assert_eq!(there.strictly(serde_json::json!({"image": "app:1"})), Vec::<String>::new());
}

#[tokio::test]
async fn removing_what_was_stated_is_a_difference_under_strict_and_none_under_stated() {
    let there = There::made(serde_json::json!({
        "image": "app:1", "command": "x", "environment": {"A": "1"}, "namespaces": {"ipc": "host"},
    }))
    .await;

    assert_eq!(
        there.strictly(serde_json::json!({"image": "app:1"})),
        ["command: x -> not set", "environment[A]: 1 -> not set", "namespaces.ipc: host -> private"]
    );
    assert!(there.compared(serde_json::json!({"image": "app:1"}), &Comparison::stated()).changes.is_empty());
}

#[tokio::test]
async fn each_key_of_a_map_is_named_by_itself_in_one_change() {
    let there = There::made(serde_json::json!({"image": "app:1", "labels": {"a": "1", "b": "2", "c": "3"}})).await;

    let wanted = serde_json::json!({"image": "app:1", "labels": {"a": "1", "b": "9", "d": "4"}});
    let found = there.compared(wanted.clone(), &Comparison::strict());

    assert_eq!(found.changes.len(), 1);
    assert_eq!(lines(&found), ["labels[b]: 2 -> 9", "labels[c]: 3 -> not set", "labels[d]: not set -> 4"]);
    let extra = Comparison::strict().with("labels", Mode::AllowExtra).expect("a field");
    assert_eq!(lines(&there.compared(wanted, &extra)), ["labels[b]: 2 -> 9", "labels[d]: not set -> 4"]);
}

#[tokio::test]
async fn no_secret_is_shown_on_either_side() {
    let there = There::made(serde_json::json!({
        "image": "app:1", "command": ["run", "--password", "hunter1"],
        "environment": {"DB_PASSWORD": "hunter1", "PLAIN": "hunter1", "URL": "amqp://nova:hunter1@mq:5672"},
        "labels": {"api-token": "hunter1"},
    }))
    .await;

    let shown = there
        .strictly(serde_json::json!({
            "image": "app:1", "command": ["run", "--password", "hunter2"],
            "environment": {"DB_PASSWORD": "hunter2", "PLAIN": {"secret": "hunter2"}, "URL": "amqp://nova:hunter2@mq:5672"},
            "labels": {"api-token": "hunter2"},
        }))
        .join("\n");

    assert!(!shown.contains("hunter"), "{shown}");
    for field in ["command", "environment[DB_PASSWORD]", "environment[PLAIN]", "environment[URL]", "labels[api-token]"]
    {
        assert!(shown.contains(field), "{field} in {shown}");
    }
}

#[tokio::test]
async fn a_limit_that_is_raised_is_an_update_and_one_that_is_taken_away_a_new_container() {
    let there = There::made(serde_json::json!({"image": "app:1", "resources": {"memory": "64m"}})).await;
    let remedy = |json| there.compared(json, &Comparison::strict()).remedy();

    assert_eq!(remedy(serde_json::json!({"image": "app:1", "resources": {"memory": "128m"}})), Some(Remedy::Update));
    assert_eq!(remedy(serde_json::json!({"image": "app:1"})), Some(Remedy::Recreate));
    assert_eq!(
        remedy(serde_json::json!({"image": "app:1", "resources": {"memory": "128m"}, "tty": true})),
        Some(Remedy::Recreate)
    );
}

#[tokio::test]
async fn swap_that_the_engine_derives_from_memory_is_never_a_second_change() {
    let there = There::made(serde_json::json!({"image": "app:1", "resources": {"memory": "64m"}})).await;

    assert_eq!(
        there.strictly(serde_json::json!({"image": "app:1", "resources": {"memory": "128m"}})),
        ["resources.memory: 64 MiB -> 128 MiB"]
    );
    assert_eq!(
        there.strictly(serde_json::json!({"image": "app:1", "resources": {"memory": "64m", "memory_swap": "64m"}})),
        ["resources.memory_swap: 128 MiB -> 64 MiB"]
    );
}

#[tokio::test]
async fn a_limit_changed_behind_its_back_is_named() {
    let there = There::made(serde_json::json!({"image": "app:1"})).await;
    let update = ContainerUpdate {
        resources: spec(serde_json::json!({"resources": {"cpu_shares": 512}})).resources,
        restart: None,
    };
    there.engine.update_container(&there.container.id, &update).await.expect("it can be updated");

    let there = There::look(there.engine).await;

    assert_eq!(there.strictly(serde_json::json!({"image": "app:1"})), ["resources.cpu_shares: 512 -> 0"]);
}

#[tokio::test]
async fn a_new_build_of_the_same_name_is_one_change() {
    let there = There::made_from(
        serde_json::json!({"image": "app:1"}),
        image(serde_json::json!({"environment": {"VERSION": "1"}, "command": ["old"], "labels": {"build": "1"}})),
    )
    .await;
    let reference: ImageRef = "app:1".parse().expect("a reference");
    there.engine.load(&reference, image(serde_json::json!({"environment": {"VERSION": "2"}, "command": ["new"]})));
    let newer = there.engine.image(&reference).await.expect("memory answers").expect("it was loaded");

    let comparison = Comparison::strict();
    let surroundings = Surroundings {
        image: there.image.as_ref(),
        wanted_image: Some(&newer),
        engine: there.engine.engine(),
        comparison: &comparison,
    };
    let found = diff(&spec(serde_json::json!({"image": "app:1"})), &there.container, &surroundings);

    assert_eq!(found.changes.len(), 1, "{:?}", lines(&found));
    assert_eq!(found.changes[0].field.as_str(), "image");
    assert_eq!(found.changes[0].entries[0].key.as_deref(), Some("id"));
}

#[tokio::test]
async fn an_image_wanted_by_its_id_is_compared_by_nothing_else() {
    let there = There::made(serde_json::json!({"image": "app:1"})).await;

    let by_id = serde_json::json!({"image": format!("sha256:{}", there.container.image_id)});

    assert_eq!(there.strictly(by_id), Vec::<String>::new());
}

#[tokio::test]
async fn a_random_port_is_whichever_the_engine_picked() {
    let there =
        There::made(serde_json::json!({"image": "app:1", "network": {"ports": ["127.0.0.1:8080:80", "81"]}})).await;

    let same = there.strictly(serde_json::json!({"image": "app:1", "network": {"ports": ["127.0.0.1::80", "81"]}}));
    let other = there.strictly(serde_json::json!({"image": "app:1", "network": {"ports": ["8080:80", "81"]}}));

    assert_eq!(same, Vec::<String>::new());
    assert_eq!(other, ["network.ports[80/tcp]: 127.0.0.1:8080 -> 8080"]);
}

#[tokio::test]
async fn a_health_check_inherits_key_by_key_and_is_switched_off_as_one() {
    let template = image(serde_json::json!({"healthcheck": {"test": "true", "interval": 10, "retries": 7}}));
    let there =
        There::made_from(serde_json::json!({"image": "app:1", "healthcheck": {"interval": 20}}), template).await;

    assert_eq!(there.strictly(serde_json::json!({"image": "app:1"})), ["healthcheck.interval: 20s -> 10s"]);
    assert_eq!(
        there.strictly(serde_json::json!({"image": "app:1", "healthcheck": "NONE"})),
        ["healthcheck.test: true -> not set"]
    );
}

#[tokio::test]
async fn a_variable_of_the_image_can_be_wanted_away() {
    let template = image(serde_json::json!({"environment": {"http_proxy": "p"}}));
    let there = There::made_from(serde_json::json!({"image": "app:1"}), template).await;
    let without = serde_json::json!({"image": "app:1", "environment": {"http_proxy": {"unset": true}}});

    assert_eq!(there.strictly(without.clone()), ["environment[http_proxy]: p -> not set"]);
    let kolla = there.compared(without, &Comparison::kolla());
    assert_eq!(lines(&kolla), ["environment[http_proxy]: p -> not set"]);
}

#[tokio::test]
async fn labels_that_engines_switch_off_by_themselves_are_expected() {
    for shared in [
        serde_json::json!({"image": "app:1", "security": {"privileged": true}}),
        serde_json::json!({"image": "app:1", "namespaces": {"pid": "host"}}),
        serde_json::json!({"image": "app:1", "namespaces": {"ipc": "host"}}),
    ] {
        let there = There::made(shared.clone()).await;

        assert_eq!(there.strictly(shared), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_export_states_only_what_is_its_own() {
    let template = image(serde_json::json!({
        "command": ["serve"], "entrypoint": ["/init"], "environment": {"PATH": "/bin", "MODE": "image"},
        "labels": {"maintainer": "us"}, "mounts": ["/data"], "network": {"expose": ["80"]},
        "healthcheck": {"test": "true", "interval": 10},
    }));
    let stated = serde_json::json!({
        "image": "docker.io/library/app:1", "command": ["other"],
        "environment": {"MODE": "mine", "PATH": {"unset": true}, "TZ": "UTC"},
        "mounts": ["/srv:/srv:ro"], "resources": {"memory": "64m"}, "healthcheck": {"retries": 5},
        "network": {"ports": ["8080:80/tcp"]},
    });
    let there = There::made_from(stated.clone(), template).await;

    let exported = minimal(&there.container, there.image.as_ref(), there.engine.engine());

    assert_eq!(serde_json::to_value(&exported).expect("it can be written"), stated);
    assert_eq!(there.strictly(serde_json::to_value(exported).expect("it can be written")), Vec::<String>::new());
}

#[tokio::test]
async fn what_an_engine_does_not_report_is_said_and_not_guessed() {
    let mut there = There::made(serde_json::json!({"image": "app:1"})).await;
    there.container.config.resources.sysctls = None;

    let wanted = serde_json::json!({"image": "app:1", "resources": {"sysctls": {"net.core.somaxconn": "1024"}}});
    let found = there.compared(wanted, &Comparison::strict());

    assert!(found.changes.is_empty());
    assert_eq!(found.unreported, ["resources.sysctls".into()]);
}
