//! Units in another folder than the one that ours are written to: a user's systemd has one that tests can write to.

use std::fs;
use std::sync::Arc;

use kolla_container_core::apply::Undone;
use kolla_container_core::state::Status;
use kolla_container_core::{Goal, Goals, Reconciler, Service, Supervisor};
use kolla_container_systemd::{Config, Systemd};
use kolla_container_testkit::{Harness, cases};
use serde_json::json;

use crate::machine::{self, call_at, property_at};

cases! { "elsewhere";
    a_unit_of_another_folder_counts_again_when_a_replacement_fails;
}

/// An empty file in our folder would be a mask.
async fn a_unit_of_another_folder_counts_again_when_a_replacement_fails(h: &Harness) {
    let name = h.name("web");
    let engine = h.runtime().engine().kind;
    let folder = machine::folder();
    let config = Config { adopt: true, ..crate::of_user(&folder, engine) };
    let (unit, socket) = (config.unit_name(&name), folder.join("user-bus/bus"));
    let (theirs, ours) = (folder.join("user-bus/systemd/user").join(&unit), folder.join("user-units").join(&unit));
    let spec = h.spec(json!({"restart": "always"}));
    let old = h.create(&name, &spec).await;
    fs::create_dir_all(theirs.parent().unwrap()).unwrap();
    fs::write(&theirs, h.supervisor().render(&Service::new(name.clone(), engine, &spec))).unwrap();
    call_at(&socket, "Reload", &[]);
    let systemd = Arc::new(Systemd::connect(Arc::clone(h.runtime()), config).await.unwrap());
    systemd.start(&name).await.unwrap();

    let fails = json!({"image": h.images().exits.to_string(), "restart": "always"});
    let goals = Goals::one(name.clone(), Goal::running(h.spec(fails)));
    let reconciler =
        Reconciler::new(Arc::clone(h.runtime())).with_supervisor(Arc::clone(&systemd) as Arc<dyn Supervisor>);
    let report = reconciler.reconcile(&goals).await.unwrap();

    let failure = report.containers[0].outcome.as_ref().unwrap_err();
    assert!(matches!(failure.undone, Undone::Completely), "{report}");
    let after = h.see(&name).await;
    assert_eq!((after.id, after.status), (old, Status::Running));
    assert!(!ours.exists() && theirs.exists());
    call_at(&socket, "Reload", &[]);
    let path = property_at(&socket, &unit, "FragmentPath");
    assert!(path.contains("/systemd/user/") && path.contains(&unit), "{path}");
    systemd.restart(&name).await.unwrap();
    systemd.stop(&name).await.unwrap();
    fs::remove_file(theirs).unwrap();
    call_at(&socket, "Reload", &[]);
}
