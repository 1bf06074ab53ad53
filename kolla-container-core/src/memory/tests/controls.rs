use super::*;

#[tokio::test(start_paused = true)]
async fn requests_are_written_down_by_name() {
    let engine = plain();
    let id = run(&engine, "db", &app()).await;
    engine.container(&named("db")).await.unwrap();
    engine.stop_container(&id, None).await.unwrap();

    assert_eq!(engine.requests(), ["create_container db", "start_container db", "container db", "stop_container db"]);
    assert_eq!(engine.writes().len(), 3);
    engine.clear_requests();
    assert!(engine.requests().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_clock_moves_with_writes_alone() {
    let engine = plain();
    let first = create(&engine, "a", &app()).await;
    tokio::time::advance(Duration::from_secs(99)).await;
    let second = create(&engine, "b", &app()).await;

    assert_eq!(look(&engine, &first).await.created.to_string(), "2026-01-01T00:00:01Z");
    assert_eq!(look(&engine, &second).await.created.to_string(), "2026-01-01T00:00:02Z");
    assert_ne!(first.short(), second.short());
}

#[tokio::test(start_paused = true)]
async fn somebody_else_changes_a_container() {
    let engine = plain();
    let id = run(&engine, "a", &app()).await;

    engine.meddle(&named("a"), |config| config.user = Some("root".into()));
    engine.set_status(&named("a"), Status::Dead);

    let state = look(&engine, &id).await;
    assert_eq!((state.config.user.as_deref(), state.status), (Some("root"), Status::Dead));
    assert_eq!(kind(engine.start_container(&id).await), ErrorKind::Conflict);
}

#[tokio::test(start_paused = true)]
async fn debug_shows_names_and_no_configuration() {
    let engine = plain();
    create(&engine, "db", &app().with_environment([("NAME", "hunter2")])).await;

    let shown = format!("{engine:?}");

    assert!(shown.contains("db") && !shown.contains("hunter2"), "{shown}");
}
