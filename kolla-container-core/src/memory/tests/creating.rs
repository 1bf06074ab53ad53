use super::*;

#[tokio::test(start_paused = true)]
async fn every_field_is_reported_but_those_that_nobody_has() {
    let engine = plain();
    let id = create(&engine, "db", &app()).await;

    let observed = serde_json::to_value(look(&engine, &id).await.config).unwrap();
    let defaults = serde_json::to_value(&engine.engine().defaults).unwrap();

    for (field, default) in defaults.as_object().unwrap() {
        for key in default.as_object().into_iter().flat_map(|group| group.keys()) {
            let no_check = field == "healthcheck" && key != "test";
            assert!(no_check || observed[field].get(key).is_some(), "{field}.{key}");
        }
        assert!(observed.get(field).is_some(), "{field}");
    }
    assert_eq!(observed["hostname"], id.short());
}

#[tokio::test(start_paused = true)]
async fn what_is_taken_or_missing_is_said() {
    let engine = plain();
    create(&engine, "db", &app()).await;
    let joins = app().with_network_mode("container:nobody".parse().unwrap());
    let mut networked = app();
    networked.network.networks = Some([("lan".parse().unwrap(), Endpoint::default())].into());
    let other = ContainerSpec::new("other".parse().unwrap());
    let of = |name: &str, spec: ContainerSpec| {
        let (engine, name) = (engine.clone(), named(name));
        async move { engine.create_container(&name, &spec).await.unwrap_err() }
    };

    assert_eq!(of("db", app()).await.kind(), ErrorKind::Conflict);
    assert_eq!(of("a", joins).await.kind(), ErrorKind::NotFound);
    assert!(of("a", networked).await.report().contains("network lan not found"));
    assert!(of("a", other).await.report().contains("no such image: other:latest"));
    assert_eq!(engine.containers(&ContainerFilter::default()).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_missing_source_is_refused_unless_it_is_to_be_created() {
    let engine = plain();
    engine.missing_path(&"/srv/x".parse().unwrap());
    let mut spec = app().with_mounts(["/srv/x:/x"]).unwrap();

    assert_eq!(kind(engine.create_container(&named("a"), &spec).await), ErrorKind::Rejected);
    spec.deploy.create_missing_sources = Some(true);
    assert!(engine.create_container(&named("a"), &spec).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_the_features_refuse_is_unsupported() {
    let engine = plain().without("network.links", "no links here");
    let mut devpts = app();
    devpts.mounts.get_or_insert_default().0.insert("/dev/pts".parse().unwrap(), crate::spec::Mount::Devpts);
    let mut linked = app();
    linked.network.links = Some(["db".parse().unwrap()].into());
    let mut kernel = app();
    kernel.resources.kernel_memory = Some(mib(1));
    let pasta = app().with_network_mode(NetworkMode::Pasta);

    for spec in [devpts, linked, kernel, pasta] {
        assert_eq!(kind(engine.create_container(&named("a"), &spec).await), ErrorKind::Unsupported);
    }
}

#[tokio::test(start_paused = true)]
async fn maps_are_those_of_the_image_and_of_the_spec() {
    let image = app().with_environment([("A", "1"), ("B", "1")]).with_labels([("a", "1")]);
    let engine = engine(ImageTemplate::new(image));
    let owner = Owner { others: [("x".to_owned(), "y".to_owned())].into(), ..Owner::default() };
    let mut spec = owner.mark(app().with_labels([("b", "2")]));
    spec.environment.get_or_insert_default().0.insert("A".into(), Variable::Unset);
    spec.environment.get_or_insert_default().0.insert("C".into(), Variable::Secret("3".into()));
    let id = create(&engine, "a", &spec).await;

    let state = look(&engine, &id).await;

    assert_eq!(state.config.environment, Some([("B", "1"), ("C", "3")].into_iter().collect()));
    assert_eq!(state.config.labels, Some([("a", "1"), ("b", "2")].into_iter().collect()));
    assert_eq!(state.owner, owner);
}

#[tokio::test(start_paused = true)]
async fn an_entrypoint_takes_the_command_of_the_image_away() {
    let mut image = app().with_command(["image"]);
    image.entrypoint = Some(Command::new(["entry"]));
    let engine = engine(ImageTemplate::new(image));
    let words = |words: &[&str]| Some(Command::new(words.iter().copied()));
    let cases = [
        (None, None, words(&["entry"]), words(&["image"])),
        (words(&["own"]), None, words(&["own"]), words(&[])),
        (words(&[]), None, words(&[]), words(&["image"])),
        (None, words(&[]), words(&["entry"]), words(&["image"])),
        (None, words(&["own"]), words(&["entry"]), words(&["own"])),
    ];
    for (number, (entrypoint, command, entrypoint_there, command_there)) in cases.into_iter().enumerate() {
        let spec = ContainerSpec { command, entrypoint, ..app() };
        let id = create(&engine, &format!("c{number}"), &spec).await;

        let config = look(&engine, &id).await.config;

        assert_eq!((config.entrypoint, config.command), (entrypoint_there, command_there), "case {number}");
    }
}

#[tokio::test(start_paused = true)]
async fn docker_derives_swap_labels_and_exposed_ports() {
    let engine = plain();
    let mut spec = app().with_ports(["8080:80"]).unwrap();
    spec.resources.memory = Some(mib(64));
    spec.security.privileged = Some(true);
    let id = create(&engine, "a", &spec).await;

    let config = look(&engine, &id).await.config;

    assert_eq!(config.resources.memory_swap, Some(mib(128)));
    assert_eq!(config.security.security_opt, Some(["label=disable".parse().unwrap()].into()));
    assert_eq!(config.network.expose.unwrap().0, ["80".parse().unwrap()].into());
}

#[tokio::test(start_paused = true)]
async fn a_joined_container_is_stored_by_its_id_and_lends_its_host_name() {
    let engine = plain();
    let db = create(&engine, "db", &app()).await;
    let id = create(&engine, "a", &app().with_network_mode("container:db".parse().unwrap())).await;

    let state = look(&engine, &id).await;

    assert_eq!(state.config.network.mode, Some(NetworkMode::Container(ContainerRef::Id(db.clone()))));
    assert_eq!(state.config.hostname.as_deref(), Some(db.short()));
    assert_eq!(state.joined, [ContainerRef::Id(db)].into());
}

#[tokio::test(start_paused = true)]
async fn an_anonymous_volume_stays_anonymous_where_it_is_inherited() {
    let engine = engine(ImageTemplate::new(app().with_mounts(["/data"]).unwrap()));
    let first = create(&engine, "a", &app()).await;
    let first = look(&engine, &first).await;
    let (target, volume) = first.anonymous_volumes().next().unwrap();
    let inherits = app().with_mounts([format!("{volume}:{target}")]).unwrap();
    let second = create(&engine, "b", &inherits).await;

    let second = look(&engine, &second).await;

    assert_eq!(second.config.mounts, first.config.mounts);
    assert_eq!(second.volumes, first.volumes);
    assert_eq!(second.anonymous_volumes().count(), 1);
    engine.remove_container(&first.id).await.unwrap();
    assert_eq!(kind(engine.remove_volume(volume).await), ErrorKind::Conflict);
    engine.remove_container(&second.id).await.unwrap();
    assert!(engine.volume(volume).await.unwrap().is_some());
    engine.remove_volume(volume).await.unwrap();
    assert!(engine.volume(volume).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn volumes_come_from_another_container() {
    let engine = engine(ImageTemplate::new(app().with_mounts(["/data"]).unwrap()));
    create(&engine, "a", &app().with_mounts(["shared:/data"]).unwrap()).await;
    let mut spec = app();
    spec.volumes_from = Some(["a".parse().unwrap()].into());
    let id = create(&engine, "b", &spec).await;

    let state = look(&engine, &id).await;

    let shared: VolumeName = "shared".parse().unwrap();
    assert_eq!(state.volumes, [("/data".parse().unwrap(), shared)].into());
}

#[tokio::test(start_paused = true)]
async fn what_is_discarded_is_at_its_default_and_said() {
    let engine = plain();
    engine.discards("resources.blkio_weight");
    let mut spec = app();
    spec.resources.blkio_weight = Some(500);

    let created = engine.create_container(&named("a"), &spec).await.unwrap();

    assert_eq!(created.warnings.len(), 1);
    assert_eq!(created.warnings[0].field.as_ref().unwrap().as_str(), "resources.blkio_weight");
    assert_eq!(look(&engine, &created.id).await.config.resources.blkio_weight, Some(0));
    assert!(engine.create_container(&named("b"), &app()).await.unwrap().warnings.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_health_check_is_that_of_the_image_key_by_key() {
    let check =
        Healthcheck { test: Some(HealthTest::Shell("true".into())), retries: Some(7), ..Healthcheck::default() };
    let engine = engine(ImageTemplate::new(app().with_healthcheck(check)));
    let stated = Healthcheck { interval: Some(TimeSpan::from_secs(1)), ..Healthcheck::default() };
    let some = create(&engine, "a", &app().with_healthcheck(stated)).await;
    let none = create(&engine, "b", &app().with_healthcheck(Healthcheck::none())).await;

    let some = look(&engine, &some).await.config.healthcheck;

    assert_eq!((some.interval, some.retries), (Some(TimeSpan::from_secs(1)), Some(7)));
    assert_eq!(some.timeout, Some(TimeSpan::from_secs(30)));
    assert_eq!(look(&engine, &none).await.config.healthcheck, Healthcheck::none());
}
