//! What Podman cannot do, which is said before anything is done.

use kolla_container_testkit::stories::assert_refused;
use kolla_container_testkit::{Harness, cases};
use serde_json::json;

cases! { "errors";
    all_that_the_engine_cannot_do_is_refused_at_once_with_its_path;
}

async fn all_that_the_engine_cannot_do_is_refused_at_once_with_its_path(h: &Harness) {
    let beyond = json!({
        "domainname": "example.org",
        "device_requests": [{"count": -1, "capabilities": [["gpu"]]}],
        "healthcheck": {"test": "true", "start_interval": "1s"},
        "namespaces": {"user": "keep-id"},
        "network": {"networks": {"net": {"mac": "02:00:00:00:00:01"}}},
        "resources": {"kernel_memory": "64m"},
    });
    let expected = vec![
        "domainname",
        "device_requests",
        "healthcheck.start_interval",
        "namespaces.user",
        "network.networks[net]",
        "resources.kernel_memory",
    ];

    assert_refused(h, h.spec(beyond), expected).await;
}
