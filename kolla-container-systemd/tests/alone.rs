//! What others would disturb, or would be disturbed by: each case alone, and one engine after the other.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "what fails to be prepared fails the test")]

mod machine;

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use kolla_container_core::plan::Effect;
use kolla_container_core::state::{LogOptions, Status};
use kolla_container_core::{Active, ContainerName, Goal, Goals, Reconciler, Service};
use kolla_container_testkit::{Harness, cases, trials};
use serde_json::json;

use crate::machine::call;

cases! { "alone";
    a_unit_that_was_not_reloaded_is_named_and_put_right;
    a_container_that_always_ends_reaches_the_start_limit;
    supervised_containers_come_back_with_their_engine;
    supervised_containers_come_back_after_a_crash_of_their_engine;
}

fn main() -> ExitCode {
    let mut arguments = libtest_mimic::Arguments::from_args();
    arguments.test_threads = Some(1);
    let subjects = [machine::docker(), machine::podman()];
    let trials = subjects.iter().flat_map(|subject| trials(subject, cases())).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn reconciler(h: &Harness) -> Reconciler {
    Reconciler::new(Arc::clone(h.runtime())).with_supervisor(Arc::clone(h.supervisor()))
}

fn goals(h: &Harness, names: &[ContainerName]) -> Goals {
    let spec = || h.spec(json!({"restart": "always", "deploy": {"start_limit": {"burst": 60, "interval": 180}}}));
    names.iter().map(|name| (name.clone(), Goal::running(spec()))).collect()
}

fn service(h: &Harness) -> String {
    format!("{}.service", h.runtime().engine().kind)
}

/// As a crash leaves it between writing and reloading; any other case that reloads would put it right.
async fn a_unit_that_was_not_reloaded_is_named_and_put_right(h: &Harness) {
    let name = h.name("web");
    let goals = goals(h, std::slice::from_ref(&name));
    let report = reconciler(h).reconcile(&goals).await.unwrap();
    assert!(report.is_success(), "{report}");
    let before = h.see(&name).await;
    // As kolla-ansible's module leaves it: from version 255, systemd takes all units for changed then.
    let other = machine::folder().join("units").join(format!("{}.service", h.name("other")));
    fs::write(&other, "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n").unwrap();
    call("Reload", &[]);
    call("EnableUnitFiles", &["asbb", "1", other.file_name().unwrap().to_str().unwrap(), "false", "true"]);
    let plan = reconciler(h).plan(&goals).await.unwrap();
    assert!(plan.is_empty(), "{plan}");

    let unit = machine::config(&machine::folder(), h.runtime().engine().kind).unit_name(&name);
    let file = fs::File::options().append(true).open(machine::folder().join("units").join(unit)).unwrap();
    // Later than what systemd has read, however coarse the file system's clock is.
    file.set_modified(SystemTime::now() + Duration::from_secs(1)).unwrap();

    let plan = reconciler(h).plan(&goals).await.unwrap();
    let report = reconciler(h).reconcile(&goals).await.unwrap();

    assert!(plan.to_string().contains("unit[loaded]"), "{plan}");
    assert_eq!(report.containers[0].effect, Effect::Repaired, "{report}");
    let plan = reconciler(h).plan(&goals).await.unwrap();
    assert!(plan.is_empty(), "{plan}");
    assert_eq!(h.see(&name).await.started, before.started);
    call("DisableUnitFiles", &["asb", "1", other.file_name().unwrap().to_str().unwrap(), "false"]);
    fs::remove_file(other).unwrap();
    call("Reload", &[]);
}

/// To reload systemd, as the installation of any unit does, makes it forget the starts so far.
async fn a_container_that_always_ends_reaches_the_start_limit(h: &Harness) {
    let name = h.name("web");
    // It lives longer than a start is watched.
    let ends = json!({"entrypoint": ["/bin/sh", "-c"], "command": ["echo started; sleep 5; exit 3"]});
    let id = h.create(&name, &h.spec(ends)).await;
    let spec = h.spec(json!({"restart": "always", "deploy": {"start_limit": {"burst": 2, "interval": 60}}}));
    let text = h.supervisor().render(&Service::new(name.clone(), h.runtime().engine().kind, &spec));
    h.supervisor().install(&name, &text).await.unwrap();

    h.supervisor().start(&name).await.unwrap();

    let mut active = Active::Activating;
    for _ in 0..1800 {
        active = h.supervisor().unit(&name).await.unwrap().unwrap().active;
        if active == Active::Failed {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(active, Active::Failed);
    let (started, _) = h.logs(&id, LogOptions { follow: false, tail: None }).await.unwrap();
    assert_eq!(started, "started\nstarted\n");
    // One that is asked for is tried all the same.
    h.supervisor().start(&name).await.unwrap();
}

/// Nothing is made anew.
async fn supervised_containers_come_back_with_their_engine(h: &Harness) {
    come_back(h, || call("RestartUnit", &["ss", &service(h), "replace"])).await;
}

async fn supervised_containers_come_back_after_a_crash_of_their_engine(h: &Harness) {
    come_back(h, || call("KillUnit", &["ssi", &service(h), "main", "9"])).await;
}

async fn come_back(h: &Harness, meanwhile: impl FnOnce()) {
    let names = [h.name("one"), h.name("two")];
    let report = reconciler(h).reconcile(&goals(h, &names)).await.unwrap();
    assert!(report.is_success(), "{report}");
    let mut before = Vec::new();
    for name in &names {
        before.push(h.see(name).await.id);
    }

    let invocation = || machine::property(&service(h), "InvocationID");
    let before_that = invocation();
    meanwhile();
    // What answers until then is the engine that is about to end.
    h.until(|| Some(invocation()).filter(|now| now.starts_with("ay 16 ") && *now != before_that)).await;

    for (name, id) in names.iter().zip(before) {
        let mut last = None;
        for _ in 0..1800 {
            // The engine is away for a while.
            let container = h.runtime().container(name).await;
            let unit = h.supervisor().unit(name).await.unwrap().unwrap().active;
            let is_back = container.as_ref().is_ok_and(|there| {
                there.as_ref().is_some_and(|there| there.id == id && there.status == Status::Running)
            });
            if is_back && unit == Active::Active {
                last = None;
                break;
            }
            last = Some((unit, container.map(|there| there.map(|there| there.status))));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(last.is_none(), "{name}: {last:?}");
    }
    let plan = reconciler(h).plan(&goals(h, &names)).await.unwrap();
    assert!(plan.is_empty(), "{plan}");
}
