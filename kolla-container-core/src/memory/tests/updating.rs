use super::*;

fn update(change: impl FnOnce(&mut ContainerUpdate)) -> ContainerUpdate {
    let mut update = ContainerUpdate::default();
    change(&mut update);
    update
}

#[tokio::test(start_paused = true)]
async fn memory_above_swap_needs_swap_in_the_same_update() {
    let engine = plain();
    let mut spec = app();
    spec.resources.memory = Some(mib(64));
    let id = run(&engine, "a", &spec).await;
    let unlimited = run(&engine, "b", &app()).await;
    let alone = update(|it| it.resources.memory = Some(mib(256)));
    let both = update(|it| (it.resources.memory, it.resources.memory_swap) = (Some(mib(256)), Some(mib(512))));

    assert_eq!(kind(engine.update_container(&id, &alone).await), ErrorKind::Rejected);
    assert_eq!(kind(engine.update_container(&unlimited, &alone).await), ErrorKind::Rejected);
    assert!(engine.update_container(&id, &both).await.is_ok());

    assert_eq!(look(&engine, &id).await.config.resources.memory, Some(mib(256)));
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_not_taken_away_in_place() {
    let engine = plain();
    let mut spec = app();
    spec.resources.memory = Some(mib(64));
    let id = run(&engine, "a", &spec).await;

    engine.update_container(&id, &update(|it| it.resources.memory = Some(Limit::Unlimited))).await.unwrap();

    assert_eq!(look(&engine, &id).await.config.resources.memory, Some(mib(64)));
}

#[tokio::test(start_paused = true)]
async fn two_ways_to_limit_processors_exclude_each_other() {
    let engine = plain();
    let id = run(&engine, "a", &app()).await;
    let cpus = update(|it| it.resources.cpus = Some("1.5".parse().unwrap()));
    let quota = update(|it| it.resources.cpu_quota = Some(Limit::At(TimeSpan::from_millis(50))));

    engine.update_container(&id, &cpus).await.unwrap();

    assert_eq!(kind(engine.update_container(&id, &quota).await), ErrorKind::Rejected);
}

#[tokio::test(start_paused = true)]
async fn a_container_that_removes_itself_gets_no_restart_policy() {
    let engine = plain();
    let id = run(&engine, "a", &ContainerSpec { auto_remove: Some(true), ..app() }).await;
    let always = update(|it| it.restart = Some(RestartPolicy::Always));

    assert_eq!(kind(engine.update_container(&id, &always).await), ErrorKind::Rejected);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_changed_in_place_is_unsupported() {
    let engine = plain();
    let id = run(&engine, "a", &app()).await;
    let shm = update(|it| it.resources.shm_size = Some(ByteSize::mib(1)));

    assert_eq!(kind(engine.update_container(&id, &shm).await), ErrorKind::Unsupported);
}
