//! What kolla-ansible's worker for Docker gets wrong, where the engine itself has to be asked; what any engine has to
//! do right is among the cases of the testkit.

use kolla_container_core::plan::RunOptions;
use kolla_container_core::{ContainerSpec, ErrorKind, Goal, Goals, ImageRef};
use kolla_container_testkit::{Harness, cases};
use serde_json::json;

use crate::{api, changed};

cases! { "bugs";
    an_image_by_its_digest_is_pulled_once exclusive;
    an_image_without_the_config_check_is_an_error_that_says_so_and_touches_nothing;
    an_anonymous_volume_that_cannot_be_written_is_refused_when_it_is_planned;
    a_bootstrap_may_take_longer_than_a_request;
    the_processes_of_the_host_are_noticed_when_they_are_not_stated_any_more;
    the_shared_memory_of_the_host_is_noticed_when_it_is_not_stated_any_more;
    a_limit_that_somebody_else_set_is_noticed;
    a_restart_policy_that_somebody_else_set_is_noticed;
    a_network_that_somebody_else_joined_it_to_is_noticed;
}

async fn noticed(h: &Harness, wanted: ContainerSpec) -> Vec<String> {
    changed(&h.plan(&h.name("web"), Goal::running(wanted)).await.containers[0])
}

async fn an_image_by_its_digest_is_pulled_once(h: &Harness) {
    let remote = &h.images().remote;
    h.remember_image(remote);
    h.pull(remote).await.unwrap();
    let names = h.see_image(remote).await.names;
    let digest: ImageRef = names.into_iter().find(|name| name.digest().is_some()).unwrap();
    h.runtime().remove_image(remote).await.unwrap();
    h.runtime().remove_image(&digest).await.unwrap();
    h.remember_image(&digest);
    let name = h.name("web");
    let (reconciler, tally) = h.watched();

    let goals = Goals::one(name.clone(), Goal::running(h.made_from(&digest)));
    let report = reconciler.reconcile(&goals).await.unwrap();

    assert!(report.is_success(), "{report}");
    assert_eq!(tally.writes(), ["pull_image", "create_container", "start_container"]);
    h.assert_reached(&name, Goal::running(h.made_from(&digest))).await;
}

async fn an_image_without_the_config_check_is_an_error_that_says_so_and_touches_nothing(h: &Harness) {
    let name = h.name("web");
    let check = json!({"command": ["/usr/local/bin/kolla_set_configs", "--check"], "user": "root", "stale": "restart"});
    let goals = Goals::one(name.clone(), Goal::running(h.spec(json!({"deploy": {"config_check": check}}))));
    h.reconciler().reconcile(&goals).await.unwrap();
    let before = h.see(&name).await;

    let report = h.reconciler().checking_config(true).reconcile(&goals).await.unwrap();

    let failure = report.containers[0].outcome.as_ref().unwrap_err().to_string();
    assert!(failure.contains("the check ended with exit status 12"), "{failure}");
    assert!(failure.contains("kolla_set_configs") && failure.contains("no such file"), "{failure}");
    assert!(!report.is_changed(), "{report}");
    assert_eq!(h.see(&name).await, before);
}

/// Docker makes no such volume, in no version.
async fn an_anonymous_volume_that_cannot_be_written_is_refused_when_it_is_planned(h: &Harness) {
    let goals = Goals::one(h.name("web"), Goal::running(h.spec(json!({"mounts": ["/data:ro"]}))));

    let planned = h.reconciler().plan(&goals).await;

    let Err(refused) = planned else { panic!("it was planned: {}", planned.unwrap()) };
    assert_eq!(refused.kind(), ErrorKind::Rejected);
    assert!(refused.report().contains("mounts"), "{}", refused.report());
}

async fn a_bootstrap_may_take_longer_than_a_request(h: &Harness) {
    let slow = json!({
        "command": ["sh", "-c", "sleep 10; echo done"],
        "deploy": {"deadlines": {"request": "8s"}},
    });

    let report = h.reach(&h.name("bootstrap"), Goal::Run(Box::new(h.spec(slow)), RunOptions::default())).await;

    let output = report.containers[0].output.as_ref().unwrap();
    assert_eq!((output.code, output.stdout.as_slice()), (0, b"done\n".as_slice()));
    assert_eq!(h.containers().await, Vec::<String>::new());
}

/// What is said to differ when a namespace of the host is no longer asked for.
async fn no_longer_shared(h: &Harness, namespace: &str) -> Vec<String> {
    h.reach(&h.name("web"), Goal::running(h.spec(json!({"namespaces": {namespace: "host"}})))).await;
    noticed(h, h.spec(json!({}))).await
}

async fn the_processes_of_the_host_are_noticed_when_they_are_not_stated_any_more(h: &Harness) {
    assert_eq!(no_longer_shared(h, "pid").await, ["namespaces.pid"]);
    assert_eq!(no_longer_shared(h, "uts").await, ["namespaces.uts"]);
}

/// Whatever flags an engine has, it gives nobody the shared memory of the host by itself.
async fn the_shared_memory_of_the_host_is_noticed_when_it_is_not_stated_any_more(h: &Harness) {
    assert_eq!(no_longer_shared(h, "ipc").await, ["namespaces.ipc"]);
}

async fn a_limit_that_somebody_else_set_is_noticed(h: &Harness) {
    let stated = || h.spec(json!({"resources": {"memory": "256m"}}));
    h.reach(&h.name("web"), Goal::running(stated())).await;

    let limits = json!({"Memory": 128 << 20, "PidsLimit": 50});
    api::post(&format!("/containers/{}/update", h.name("web")), &limits).await;

    assert_eq!(noticed(h, stated()).await, ["resources.memory", "resources.pids_limit"]);
}

async fn a_restart_policy_that_somebody_else_set_is_noticed(h: &Harness) {
    h.reach(&h.name("web"), Goal::running(h.spec(json!({})))).await;

    let policy = json!({"RestartPolicy": {"Name": "always"}});
    api::post(&format!("/containers/{}/update", h.name("web")), &policy).await;

    assert_eq!(noticed(h, h.spec(json!({}))).await, ["restart"]);
}

async fn a_network_that_somebody_else_joined_it_to_is_noticed(h: &Harness) {
    let (own, other) = (h.make_network("own").await, h.make_network("other").await);
    let stated = || h.spec(json!({"network": {"networks": {own.to_string(): {}}}}));
    h.reach(&h.name("web"), Goal::running(stated())).await;

    api::post(&format!("/networks/{other}/connect"), &json!({"Container": h.name("web").as_str()})).await;

    assert_eq!(noticed(h, stated()).await, [format!("network.networks[{other}]")]);
}
