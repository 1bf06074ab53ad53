use super::*;

#[tokio::test(start_paused = true)]
async fn a_pull_brings_what_the_registry_has_now() {
    let engine = MemoryEngine::new();
    let reference: ImageRef = "reg.example/app:1".parse().unwrap();
    let pull = async || engine.pull_image(&ImageToPull::new(reference.clone())).try_collect::<Vec<_>>().await;
    let first = engine.publish(&reference, ImageTemplate::default());

    assert!(engine.image(&reference).await.unwrap().is_none());
    assert!(pull().await.unwrap().last().unwrap().status.contains("Downloaded newer image"));
    assert!(pull().await.unwrap().last().unwrap().status.contains("Image is up to date"));
    let second = engine.publish(&reference, ImageTemplate::default());
    assert_eq!(engine.image(&reference).await.unwrap().unwrap().id, first);
    pull().await.unwrap();
    assert_eq!(engine.image(&reference).await.unwrap().unwrap().id, second);
    assert!(engine.image_by_id(&first).await.unwrap().unwrap().names.iter().all(|name| name.digest().is_some()));
    engine.unpublish(&reference);
    assert_eq!(kind(pull().await), ErrorKind::NotFound);
    engine.deny(&reference);
    assert_eq!(kind(pull().await), ErrorKind::Denied);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_nobody_published_is_the_same_by_name_and_by_digest() {
    let engine = MemoryEngine::new();
    let name: ImageRef = "nginx:1.27".parse().unwrap();
    engine.pull_image(&ImageToPull::new(name.clone())).try_collect::<Vec<_>>().await.unwrap();
    let image = engine.image(&name).await.unwrap().unwrap();
    let digest: ImageRef = format!("nginx@sha256:{}", image.id).parse().unwrap();

    assert_eq!(engine.image(&digest).await.unwrap(), Some(image.clone()));
    let elsewhere = MemoryEngine::new();
    elsewhere.pull_image(&ImageToPull::new(digest.clone())).try_collect::<Vec<_>>().await.unwrap();
    assert_eq!(elsewhere.image(&digest).await.unwrap().unwrap().id, image.id);
}

#[tokio::test(start_paused = true)]
async fn a_pull_that_is_dropped_brings_nothing() {
    let engine = MemoryEngine::new();
    let reference: ImageRef = "nginx".parse().unwrap();

    let first = engine.pull_image(&ImageToPull::new(reference.clone())).next().await;

    assert!(first.unwrap().is_ok());
    assert!(engine.image(&reference).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_image_goes_with_its_last_name_unless_a_container_was_made_from_it() {
    let engine = plain();
    let reference: ImageRef = "app".parse().unwrap();
    let id = engine.image(&reference).await.unwrap().unwrap().id;
    let second = "app:2".parse().unwrap();
    let container = create(&engine, "a", &app()).await;

    engine.tag_image(&id, &second).await.unwrap();
    engine.remove_image(&second).await.unwrap();
    assert_eq!(kind(engine.remove_image(&reference).await), ErrorKind::Conflict);
    engine.remove_container(&container).await.unwrap();
    engine.remove_image(&reference).await.unwrap();
    engine.remove_image(&reference).await.unwrap();

    assert!(engine.images().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_network_in_use_stays() {
    let engine = plain();
    let lan = "lan".parse().unwrap();
    let id = run(&engine, "a", &app()).await;
    engine.create_network(&NetworkToCreate::bridge("lan".parse().unwrap())).await.unwrap();

    assert_eq!(
        kind(engine.create_network(&NetworkToCreate::bridge("lan".parse().unwrap())).await),
        ErrorKind::Conflict
    );
    for _ in 0..2 {
        engine.connect_network(&lan, &id, &Endpoint::default()).await.unwrap();
    }
    assert_eq!(look(&engine, &id).await.addresses.len(), 2);
    assert_eq!(engine.network(&lan).await.unwrap().unwrap().containers, [id.clone()].into());
    assert_eq!(kind(engine.remove_network(&lan).await), ErrorKind::Conflict);
    engine.disconnect_network(&lan, &id).await.unwrap();
    engine.remove_network(&lan).await.unwrap();
    assert!(engine.network(&lan).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_volume_of_another_driver_is_in_the_way() {
    let engine = MemoryEngine::new();
    let local = VolumeToCreate::local("v".parse().unwrap());
    let nfs = VolumeToCreate { driver: "nfs".into(), ..local.clone() };

    engine.create_volume(&local).await.unwrap();
    engine.create_volume(&local).await.unwrap();

    assert_eq!(kind(engine.create_volume(&nfs).await), ErrorKind::Conflict);
}

#[tokio::test(start_paused = true)]
async fn a_list_is_filtered_by_suffix_and_label() {
    let engine = plain();
    let replaces = Owner { replaces: Some("ab".repeat(32).parse().unwrap()), ..Owner::default() };
    create(&engine, "db", &app().with_labels([("tier", "1")])).await;
    create(&engine, "db.next", &replaces.mark(app())).await;
    let names = async |filter: ContainerFilter| {
        let found = engine.containers(&filter).await.unwrap();
        found.into_iter().map(|container| container.name.to_string()).collect::<Vec<_>>()
    };
    let by_label = |key: &str, value: Option<&str>| ContainerFilter {
        labels: [(key.to_owned(), value.map(ToOwned::to_owned))].into(),
        ..ContainerFilter::default()
    };
    let by_suffix = ContainerFilter { name_suffixes: vec![".next".into()], ..ContainerFilter::default() };

    assert_eq!(names(by_suffix).await, ["db.next"]);
    assert_eq!(names(by_label("tier", Some("1"))).await, ["db"]);
    assert_eq!(names(by_label("tier", Some("2"))).await, [""; 0]);
    assert_eq!(names(by_label("io.kolla-container.replaces", None)).await, ["db.next"]);
}
