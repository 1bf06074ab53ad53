//! What no Docker can do, which is said before anything is done.

use kolla_container_testkit::stories::assert_refused;
use kolla_container_testkit::{Harness, cases};
use serde_json::json;

cases! { "errors";
    all_that_the_engine_cannot_do_is_refused_at_once_with_its_path;
    an_anonymous_volume_that_cannot_be_written_is_refused_when_it_is_planned;
}

async fn all_that_the_engine_cannot_do_is_refused_at_once_with_its_path(h: &Harness) {
    let volume = h.volume("data");
    let mut beyond = json!({
        "mounts": [{"type": "devpts", "target": "/dev/pts"}, "/srv:/srv:nosuid,nodev", format!("{volume}:/data")],
        "resources": {"kernel_memory": "64m"},
        "namespaces": {"user": "keep-id"},
        "network": {"networks": {"net": {"mac": "02:00:00:00:00:01"}}},
        "security": {"security_opt": ["seccomp=/etc/seccomp.json"]},
    });
    let mut expected = vec![
        "mounts[/dev/pts]",
        "mounts[/srv]",
        "resources.kernel_memory",
        "namespaces.user",
        "network.networks[net]",
        "security.security_opt[seccomp=/etc/seccomp.json]",
    ];
    let features = &h.runtime().engine().features;
    if features.refusal("annotations").is_some() {
        beyond["annotations"] = json!({"a": "1"});
        expected.push("annotations");
    }
    if features.refusal("healthcheck.start_interval").is_some() {
        beyond["healthcheck"] = json!({"test": "true", "start_interval": "1s"});
        expected.push("healthcheck.start_interval");
    }

    assert_refused(h, h.spec(beyond), expected).await;
}

/// Docker makes no such volume, in no version.
async fn an_anonymous_volume_that_cannot_be_written_is_refused_when_it_is_planned(h: &Harness) {
    assert_refused(h, h.spec(json!({"mounts": ["/data:ro"]})), vec!["mounts[/data]"]).await;
}
