//! What others change by hand is noticed, each thing by its name.

use kolla_container_core::{ContainerSpec, Goal};
use serde_json::json;

use super::{by_hand, changed};
use crate::cases;
use crate::harness::Harness;

cases! { "drift";
    a_limit_that_somebody_else_set_is_noticed ["update:resources.memory", "update:resources.pids_limit"];
    a_restart_policy_that_somebody_else_set_is_noticed ["update:restart"];
    a_network_that_somebody_else_joined_it_to_is_noticed;
    a_container_that_somebody_else_made_in_its_place_is_noticed_and_replaced;
    the_namespaces_of_the_host_are_noticed_when_they_are_not_stated_any_more;
}

async fn noticed(h: &Harness, wanted: ContainerSpec) -> Vec<String> {
    changed(&h.plan(&h.name("web"), Goal::running(wanted)).await.containers[0])
}

async fn a_limit_that_somebody_else_set_is_noticed(h: &Harness) {
    let stated = || h.spec(json!({"resources": {"memory": "256m"}}));
    h.reach(&h.name("web"), Goal::running(stated())).await;

    by_hand(h, &["update", "--memory", "128m", "--pids-limit", "50", h.name("web").as_str()]).await;

    assert_eq!(noticed(h, stated()).await, ["resources.memory", "resources.pids_limit"]);
}

async fn a_restart_policy_that_somebody_else_set_is_noticed(h: &Harness) {
    h.reach(&h.name("web"), Goal::running(h.spec(json!({})))).await;

    by_hand(h, &["update", "--restart", "always", h.name("web").as_str()]).await;

    assert_eq!(noticed(h, h.spec(json!({}))).await, ["restart"]);
}

async fn a_network_that_somebody_else_joined_it_to_is_noticed(h: &Harness) {
    let (own, other) = (h.make_network("own").await, h.make_network("other").await);
    let stated = || h.spec(json!({"network": {"networks": {own.to_string(): {}}}}));
    h.reach(&h.name("web"), Goal::running(stated())).await;

    by_hand(h, &["network", "connect", other.as_str(), h.name("web").as_str()]).await;

    assert_eq!(noticed(h, stated()).await, [format!("network.networks[{other}]")]);
}

async fn a_container_that_somebody_else_made_in_its_place_is_noticed_and_replaced(h: &Harness) {
    let name = h.name("web");
    let stated = || h.spec(json!({"environment": {"LEVEL": "info"}, "labels": {"own": "1"}}));
    h.reach(&name, Goal::running(stated())).await;

    by_hand(h, &["rm", "--force", name.as_str()]).await;
    let image = h.images().plain.to_string();
    let words = ["--env", "LEVEL=debug", "--label", "own=1", "--volume", "/etc:/host:ro", "--user", "7:7", &image];
    by_hand(h, &[["run", "--detach", "--name", name.as_str()].as_slice(), &words].concat()).await;

    assert_eq!(noticed(h, stated()).await, ["environment[LEVEL]", "user", "mounts[/host]"]);
    h.reach(&name, Goal::running(stated())).await;
    h.assert_reached(&name, Goal::running(stated())).await;
}

/// Whatever flags an engine has, it gives nobody a namespace of the host by itself.
async fn the_namespaces_of_the_host_are_noticed_when_they_are_not_stated_any_more(h: &Harness) {
    for namespace in ["pid", "uts", "ipc"] {
        h.reach(&h.name("web"), Goal::running(h.spec(json!({"namespaces": {namespace: "host"}})))).await;

        assert_eq!(noticed(h, h.spec(json!({}))).await, [format!("namespaces.{namespace}")]);
    }
}
