use super::*;

#[tokio::test(start_paused = true)]
async fn writes_are_idempotent_as_the_port_promises() {
    let engine = plain();
    let id = create(&engine, "a", &app()).await;

    assert_eq!(kind(engine.pause_container(&id).await), ErrorKind::Conflict);
    for _ in 0..2 {
        engine.start_container(&id).await.unwrap();
        engine.pause_container(&id).await.unwrap();
        engine.start_container(&id).await.unwrap();
    }
    assert_eq!(look(&engine, &id).await.status, Status::Paused);
    for _ in 0..2 {
        engine.unpause_container(&id).await.unwrap();
        engine.stop_container(&id, None).await.unwrap();
        engine.rename_container(&id, &named("a")).await.unwrap();
    }
    assert_eq!(look(&engine, &id).await.exit.unwrap().code, 0);
    for _ in 0..2 {
        engine.remove_container(&id).await.unwrap();
        engine.stop_container(&id, None).await.unwrap();
    }
    assert_eq!(kind(engine.start_container(&id).await), ErrorKind::NotFound);
    assert_eq!(kind(engine.restart_container(&id, None).await), ErrorKind::NotFound);
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_looks_running_while_restarts_and_start_move() {
    let engine = behaving(Behaviour::exits(1));
    let id = run(&engine, "a", &app().with_restart(RestartPolicy::Always)).await;
    let before = look(&engine, &id).await;

    tokio::time::advance(Duration::from_secs(3)).await;
    let after = look(&engine, &id).await;

    assert_eq!((before.status, after.status), (Status::Running, Status::Running));
    assert_eq!((before.restarts, after.restarts), (0, 30));
    assert!(after.started > before.started);
    engine.stop_container(&id, None).await.unwrap();
    assert_eq!(look(&engine, &id).await.restarts, 30);
}

#[tokio::test(start_paused = true)]
async fn restarts_on_failure_are_counted_and_end() {
    let engine = behaving(Behaviour::exits_after(Duration::from_secs(1), 3));
    let id = run(&engine, "a", &app().with_restart(RestartPolicy::OnFailure(Some(2)))).await;

    let exit = engine.wait_container(&id).await.unwrap();

    assert_eq!(exit.code, 3);
    assert_eq!(look(&engine, &id).await.restarts, 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_leaves_the_container_created_and_says_why() {
    let engine = behaving(Behaviour::FailsToStart("exec: no such file".into()));
    let id = create(&engine, "a", &app()).await;

    let error = engine.start_container(&id).await.unwrap_err();

    assert_eq!(error.report(), "start container a: the engine failed: exec: no such file");
    let state = look(&engine, &id).await;
    assert_eq!((state.status, state.exit.unwrap().code), (Status::Created, 127));
}

#[tokio::test(start_paused = true)]
async fn health_follows_the_clock() {
    let engine = behaving(Behaviour::BecomesHealthy(Duration::from_secs(5)));
    let id = run(&engine, "a", &checked()).await;
    let without = run(&engine, "b", &app()).await;

    assert_eq!(look(&engine, &id).await.health, Some(Health::Starting));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(look(&engine, &id).await.health, Some(Health::Healthy));
    assert_eq!(look(&engine, &without).await.health, None);
    engine.set_behaviour(&named("a"), Behaviour::BecomesUnhealthy(Duration::ZERO));
    assert_eq!(look(&engine, &id).await.health, Some(Health::Unhealthy));
}

#[tokio::test(start_paused = true)]
async fn a_program_that_ignores_the_stop_is_killed_after_its_grace_time() {
    let engine = behaving(Behaviour::IgnoresStop);
    let id = run(&engine, "a", &app()).await;
    let begun = Instant::now();

    engine.kill_container(&id, Signal::TERM).await.unwrap();
    assert!(look(&engine, &id).await.status.is_up());
    engine.stop_container(&id, None).await.unwrap();

    assert_eq!(begun.elapsed(), Duration::from_secs(10));
    assert_eq!(look(&engine, &id).await.exit.unwrap().code, 137);
}

#[tokio::test(start_paused = true)]
async fn a_taken_port_keeps_a_container_from_starting() {
    let engine = plain();
    let spec = app().with_ports(["8080:80", "53/udp"]).unwrap();
    let first = run(&engine, "a", &spec).await;
    let second = create(&engine, "b", &spec).await;

    let error = engine.start_container(&second).await.unwrap_err();

    assert!(error.report().contains("port is already allocated"), "{error:?}");
    assert_eq!(look(&engine, &second).await.status, Status::Created);
    let published = look(&engine, &first).await.published_ports;
    assert!(published.0.values().flatten().all(|host| host.port.is_some()));
    engine.stop_container(&first, None).await.unwrap();
    assert!(engine.start_container(&second).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_container_cannot_start_without_the_one_it_has_joined() {
    let engine = plain();
    let db = create(&engine, "db", &app()).await;
    let id = create(&engine, "a", &app().with_network_mode("container:db".parse().unwrap())).await;

    assert_eq!(kind(engine.start_container(&id).await), ErrorKind::Conflict);
    engine.start_container(&db).await.unwrap();
    assert!(engine.start_container(&id).await.is_ok());
    engine.stop_container(&id, None).await.unwrap();
    engine.stop_container(&db, None).await.unwrap();
    assert_eq!(kind(engine.start_container(&id).await), ErrorKind::Conflict);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_another_has_joined_stays_until_that_is_gone() {
    let engine = plain();
    let db = create(&engine, "db", &app()).await;
    let id = create(&engine, "a", &app().with_network_mode("container:db".parse().unwrap())).await;

    assert_eq!(kind(engine.remove_container(&db).await), ErrorKind::Conflict);
    assert_eq!(kind(engine.discard_container(&db).await), ErrorKind::Conflict);
    engine.remove_container(&id).await.unwrap();
    engine.remove_container(&db).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_container_that_removes_itself_is_gone_after_its_end_and_not_after_a_restart() {
    let engine = behaving(Behaviour::exits_after(Duration::from_secs(1), 5));
    let id = run(&engine, "a", &ContainerSpec { auto_remove: Some(true), ..app() }).await;

    engine.restart_container(&id, None).await.unwrap();
    let exit = engine.wait_container(&id).await.unwrap();

    assert_eq!(exit.code, 5);
    assert!(engine.container(&named("a")).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_somebody_else_stops_the_container() {
    let engine = plain();
    let id = run(&engine, "a", &app()).await;

    let (exit, stopped) = tokio::join!(engine.wait_container(&id), async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        engine.kill_container(&id, Signal::KILL).await
    });

    assert_eq!((exit.unwrap().code, stopped.is_ok()), (137, true));
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_answered_by_the_restart_policy() {
    let engine = plain();
    let once = run(&engine, "a", &app()).await;
    let again = run(&engine, "b", &app().with_restart(RestartPolicy::UnlessStopped)).await;

    engine.crash(&named("a"), 1);
    engine.crash(&named("b"), 1);

    let (once, again) = (look(&engine, &once).await, look(&engine, &again).await);
    assert_eq!((once.status, once.exit.unwrap().code), (Status::Exited, 1));
    assert_eq!((again.status, again.restarts), (Status::Running, 1));
}

#[tokio::test(start_paused = true)]
async fn commands_answer_by_their_script_in_a_running_container_only() {
    let engine = plain();
    let id = create(&engine, "a", &app()).await;
    let exec = Exec { command: Command::new(["check"]), user: None };
    let stale = Output { code: 1, stdout: b"stale".to_vec(), stderr: Vec::new() };
    engine.on_exec(["check"], stale.clone());

    assert_eq!(kind(engine.exec(&id, &exec).await), ErrorKind::Conflict);
    engine.start_container(&id).await.unwrap();
    assert_eq!(engine.exec(&id, &exec).await.unwrap(), stale);
    engine.pause_container(&id).await.unwrap();
    assert_eq!(kind(engine.exec(&id, &exec).await), ErrorKind::Conflict);

    assert_eq!(engine.executed(), [(named("a"), exec)]);
}

#[tokio::test(start_paused = true)]
async fn logs_have_what_was_printed_and_follow_to_the_end() {
    let after = Behaviour::exits_after(Duration::from_secs(9), 0);
    let template = ImageTemplate::default().with_behaviour(after).with_output("one\ntwo\n", "oops\n");
    let engine = engine(template);
    let id = run(&engine, "a", &app()).await;
    let begun = Instant::now();

    let tail: Vec<_> = engine.logs(&id, LogOptions { follow: true, tail: Some(2) }).try_collect().await.unwrap();

    assert_eq!(tail, [LogChunk::Stdout(b"two\n".to_vec()), LogChunk::Stderr(b"oops\n".to_vec())]);
    assert!(begun.elapsed() >= Duration::from_secs(9));
}
