//! Containers that talk to each other, and that have joined one another.

use futures_util::future;
use kolla_container_core::spec::Signal;
use kolla_container_core::state::NetworkToCreate;
use kolla_container_core::{ContainerName, ErrorKind, Goal, Goals, NetworkName, Report};
use serde_json::{Value, json};

use super::{by_hand, sh};
use crate::cases;
use crate::harness::Harness;

cases! { "neighbours";
    two_that_talk_by_name_still_do_after_one_is_replaced;
    one_that_joined_the_network_of_another_talks_to_it_after_both_are_replaced;
    one_that_others_have_joined_is_refused_with_their_names_when_they_are_no_goals;
    one_that_others_have_joined_is_removed_after_them;
    those_that_are_made_at_the_same_time_share_new_volumes;
}

/// A network of the case, and an address in it.
pub async fn network_with_address(h: &Harness) -> (NetworkName, String) {
    let name = h.network("net");
    let middle = format!("10.{}.{}", 200 + h.port() / 256 % 50, h.port() % 256);
    let subnets = [format!("{middle}.0/24")].into();
    let network = NetworkToCreate { subnets, ..NetworkToCreate::bridge(name.clone()) };
    h.runtime().create_network(&network).await.unwrap();
    (name, format!("{middle}.7"))
}

/// A web server that says `hello`, in its version `version`.
fn server(h: &Harness, network: &Value, version: u32) -> Goal {
    Goal::running(h.spec(json!({
        "command": ["sh", "-c", "echo hello >/tmp/index.html; exec busybox httpd -f -p 80 -h /tmp"],
        "environment": {"VERSION": version.to_string()},
        "stop_signal": Signal::KILL,
        "network": network,
    })))
}

fn client(h: &Harness, network: &Value) -> Goal {
    Goal::running(h.spec(json!({"network": network})))
}

/// Sees that the client hears from the server, in a moment: who has which name gets about after the start.
async fn hears(h: &Harness, server: &str) {
    let client = h.see(&h.name("client")).await.id;
    let script = format!("for i in $(seq 60); do busybox wget -q -O - http://{server} && exit; sleep 1; done; exit 1");
    assert_eq!(sh(h, &client, &script).await, "hello\n");
}

async fn two_that_talk_by_name_still_do_after_one_is_replaced(h: &Harness) {
    let network = h.make_network("net").await;
    let (plain, alias) = (
        json!({"networks": {network.to_string(): {}}}),
        json!({"networks": {network.to_string(): {"aliases": ["greeter"]}}}),
    );
    let goals = |version| -> Goals {
        [(h.name("client"), client(h, &plain)), (h.name("server"), server(h, &alias, version))].into_iter().collect()
    };
    let both = [h.name("server").to_string(), "greeter".to_owned()];
    let first = h.reconciler().reconcile(&goals(1)).await.unwrap();
    assert!(first.is_success(), "{first}");
    let before = (h.see(&h.name("client")).await, h.see(&h.name("server")).await);
    for name in &both {
        hears(h, name).await;
    }

    let second = h.reconciler().reconcile(&goals(2)).await.unwrap();

    assert!(second.is_success(), "{second}");
    assert_eq!(h.see(&h.name("client")).await, before.0);
    assert_ne!(h.see(&h.name("server")).await.id, before.1.id);
    for name in &both {
        hears(h, name).await;
    }
}

/// A server, and a client in its network.
fn joined(h: &Harness, version: u32) -> Goals {
    let own = json!({"mode": "none"});
    let theirs = json!({"mode": format!("container:{}", h.name("server"))});
    [(h.name("server"), server(h, &own, version)), (h.name("client"), client(h, &theirs))].into_iter().collect()
}

async fn one_that_joined_the_network_of_another_talks_to_it_after_both_are_replaced(h: &Harness) {
    let first = h.reconciler().reconcile(&joined(h, 1)).await.unwrap();
    assert!(first.is_success(), "{first}");
    let before = h.see(&h.name("client")).await.id;
    hears(h, "127.0.0.1").await;

    let plan = h.reconciler().plan(&joined(h, 2)).await.unwrap();
    let second = h.reconciler().apply(&plan).await;

    assert!(second.is_success(), "{second}");
    assert!(plan.to_string().contains(h.name("server").as_str()), "{plan}");
    assert_ne!(h.see(&h.name("client")).await.id, before);
    hears(h, "127.0.0.1").await;
    assert!(h.reconciler().plan(&joined(h, 2)).await.unwrap().is_empty());
}

async fn one_that_others_have_joined_is_refused_with_their_names_when_they_are_no_goals(h: &Harness) {
    h.reconciler().reconcile(&joined(h, 1)).await.unwrap();
    // Another one that nobody has ever told us of.
    let (name, mode) = (h.name("web"), format!("container:{}", h.name("server")));
    let image = h.images().plain.to_string();
    by_hand(h, &["run", "--detach", "--name", name.as_str(), "--network", &mode, &image]).await;
    let names = [h.name("client"), h.name("server"), h.name("web")];
    let mut before = Vec::new();
    for name in &names {
        before.push(h.see(name).await);
    }

    let alone = h.try_to_reach(&h.name("server"), server(h, &json!({"mode": "none"}), 2)).await;
    let with_one = h.reconciler().reconcile(&joined(h, 2)).await.unwrap();

    let refusal = |report: &Report| {
        let failure = &report.container(&h.name("server")).unwrap().outcome.as_ref().unwrap_err().error;
        assert_eq!(failure.kind(), ErrorKind::Conflict);
        failure.report()
    };
    let both = format!("{}, {} joined it", h.name("client"), h.name("web"));
    assert!(refusal(&alone).contains(&both), "{alone}");
    assert!(refusal(&with_one).contains(&format!(": {} joined it", h.name("web"))), "{with_one}");
    for (name, before) in names.iter().zip(before) {
        assert_eq!(h.see(name).await, before);
    }
    hears(h, "127.0.0.1").await;
}

async fn one_that_others_have_joined_is_removed_after_them(h: &Harness) {
    let made = h.reconciler().reconcile(&joined(h, 1)).await.unwrap();
    assert!(made.is_success(), "{made}");
    let absent = || Goal::Absent { volumes: true, grace: None };

    let goals = [(h.name("server"), absent()), (h.name("client"), absent())].into_iter().collect();
    let report = h.reconciler().reconcile(&goals).await.unwrap();

    assert!(report.is_success(), "{report}");
    assert_eq!(h.containers().await, Vec::<String>::new());
}

/// On Podman one of two that make the same volume at the same time is refused it.
/// In turn one volume is mounted before the other: an engine that locks both in that order may wait for ever.
async fn those_that_are_made_at_the_same_time_share_new_volumes(h: &Harness) {
    let [logs, data] = ["kolla_logs", "data"].map(|volume| h.volume(volume));
    let mounts =
        [json!([format!("{logs}:/a"), format!("{data}:/b")]), json!([format!("{data}:/a"), format!("{logs}:/b")])];
    let specs = mounts.map(|mounts| h.spec(json!({"mounts": mounts})));
    let names: Vec<ContainerName> = (0..32).map(|number| h.name(&format!("worker-{number}"))).collect();
    let making = names.iter().zip(specs.iter().cycle());

    let made = future::join_all(making.map(|(name, spec)| h.runtime().create_container(name, spec))).await;

    for made in made {
        assert_eq!(made.map(drop).map_err(|error| error.report()), Ok(()));
    }
}
