use super::*;
use crate::spec::StartLimit;
use crate::state::EngineKind;
use crate::supervisor::{Active, Service, Supervisor, UnitState};

fn service() -> Service {
    Service {
        container: named("db"),
        engine: EngineKind::Memory,
        restart: RestartPolicy::Always,
        start_limit: StartLimit::default(),
        stop_timeout: Some(TimeSpan::from_secs(60)),
    }
}

async fn installed(behaviour: Behaviour) -> (MemoryEngine, MemorySupervisor) {
    let engine = behaving(behaviour);
    create(&engine, "db", &app()).await;
    let supervisor = MemorySupervisor::new(&engine);
    supervisor.install(&named("db"), &supervisor.render(&service())).await.unwrap();
    (engine, supervisor)
}

async fn active(supervisor: &MemorySupervisor) -> Active {
    supervisor.unit(&named("db")).await.unwrap().unwrap().active
}

#[tokio::test(start_paused = true)]
async fn a_unit_starts_and_stops_its_container_behind_our_back() {
    let (engine, supervisor) = installed(Behaviour::IgnoresStop).await;
    engine.clear_requests();
    let begun = Instant::now();

    supervisor.start(&named("db")).await.unwrap();
    assert_eq!(active(&supervisor).await, Active::Active);
    supervisor.stop(&named("db")).await.unwrap();
    assert_eq!(active(&supervisor).await, Active::Inactive);

    assert_eq!(begun.elapsed(), Duration::from_mins(1));
    assert_eq!(supervisor.writes(), ["install db", "start db", "stop db"]);
    assert!(engine.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_container_that_ends_at_once_fails_its_unit() {
    let (_engine, supervisor) = installed(Behaviour::exits(3)).await;

    let error = supervisor.start(&named("db")).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::EngineFailed);
    assert!(error.report().contains("exit status 3") && error.report().contains("restart=always"), "{error:?}");
    assert_eq!(active(&supervisor).await, Active::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_crash_of_the_container_fails_its_unit() {
    let (engine, supervisor) = installed(Behaviour::Runs).await;
    supervisor.start(&named("db")).await.unwrap();

    engine.crash(&named("db"), 1);

    assert_eq!(active(&supervisor).await, Active::Failed);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_stopped_and_removed_and_cannot_be_started() {
    let supervisor = MemorySupervisor::new(&plain());

    assert!(supervisor.stop(&named("db")).await.is_ok());
    assert!(supervisor.remove(&named("db")).await.is_ok());
    assert_eq!(kind(supervisor.start(&named("db")).await), ErrorKind::NotFound);
    assert!(supervisor.unit(&named("db")).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_is_not_ours_is_left_alone() {
    let supervisor = MemorySupervisor::new(&plain());
    let text = "theirs".to_owned();
    let foreign =
        UnitState { text, ours: false, enabled: false, masked: false, loaded: true, active: Active::Inactive };
    supervisor.put_unit(&named("db"), foreign.clone());

    assert_eq!(kind(supervisor.install(&named("db"), "ours").await), ErrorKind::Conflict);
    assert_eq!(kind(supervisor.remove(&named("db")).await), ErrorKind::Conflict);
    assert_eq!(supervisor.unit(&named("db")).await.unwrap(), Some(foreign));
}

#[tokio::test(start_paused = true)]
async fn a_masked_unit_does_not_start() {
    let (_engine, supervisor) = installed(Behaviour::Runs).await;
    supervisor.meddle(&named("db"), |unit| unit.masked = true);

    assert_eq!(kind(supervisor.start(&named("db")).await), ErrorKind::Conflict);
}
