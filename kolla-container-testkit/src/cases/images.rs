//! Images: found, named, pulled and removed.

use kolla_container_core::spec::{Environment, Mounts, Variable};
use kolla_container_core::{ContainerSpec, ErrorKind, ImageId, ImageRef};
use serde_json::json;

use super::cases;
use crate::harness::{Harness, Kind};
use crate::images::Images;

// Podman 4 loses one of two names that an image gets at the same time, so those that name an image take turns.
cases! { "images";
    an_image_that_is_not_there_is_none;
    an_image_is_the_same_by_name_and_by_id;
    an_image_is_found_by_its_id_as_a_reference;
    a_list_has_the_image_with_its_names;
    an_image_says_what_it_implies;
    a_plain_image_implies_nothing_but_a_command;
    two_images_have_two_ids;
    a_tagged_image_has_one_more_name exclusive;
    a_tag_moves_from_another_image exclusive;
    a_container_keeps_its_image_when_the_name_moves_on exclusive;
    tagging_a_missing_image_is_not_found;
    removing_a_name_leaves_the_others exclusive;
    removing_a_name_that_is_not_there_succeeds;
    a_pulled_image_is_there ["registry"] exclusive;
    pulling_twice_changes_nothing ["registry"] exclusive;
    the_last_name_takes_the_image_along ["registry"] exclusive;
    an_image_that_a_container_was_made_from_stays ["registry"] exclusive;
    pulling_an_image_that_no_registry_has_is_not_found ["registry"];
}

async fn an_image_that_is_not_there_is_none(h: &Harness) {
    let id: ImageId = "ab".repeat(32).parse().unwrap();

    assert_eq!(h.runtime().image(&h.image_name("missing")).await.unwrap(), None);
    assert_eq!(h.runtime().image_by_id(&id).await.unwrap(), None);
}

async fn an_image_is_the_same_by_name_and_by_id(h: &Harness) {
    // One that no case gives a name to, or takes one from, at the same time.
    let by_name = h.see_image(&h.images().done).await;

    let by_id = h.runtime().image_by_id(&by_name.id).await.unwrap();

    assert_eq!(by_id, Some(by_name));
}

async fn an_image_is_found_by_its_id_as_a_reference(h: &Harness) {
    let image = h.see_image(&h.images().plain).await;
    let reference: ImageRef = format!("sha256:{}", image.id).parse().unwrap();

    assert_eq!(h.see_image(&reference).await.id, image.id);
}

async fn a_list_has_the_image_with_its_names(h: &Harness) {
    let id = h.see_image(&h.images().plain).await.id;

    let listed = h.runtime().images().await.unwrap();

    let line = listed.into_iter().find(|image| image.id == id).unwrap();
    assert!(line.names.contains(&h.images().plain), "{:?}", line.names);
    assert!(line.size > 0);
}

async fn an_image_says_what_it_implies(h: &Harness) {
    let config = h.see_image(&h.images().furnished).await.config;

    let furniture = ContainerSpec::from_value(serde_json::from_str(Images::FURNITURE).unwrap()).unwrap();
    let Some(Environment(variables)) = &config.environment else { panic!("it has no environment") };
    assert_eq!(variables.get("KIT_IMAGE").and_then(Variable::value), Some("image"));
    assert_eq!(variables.get("KIT_BOTH").and_then(Variable::value), Some("image"));
    assert_eq!(config.labels, furniture.labels);
    assert_eq!((&config.entrypoint, &config.command), (&furniture.entrypoint, &furniture.command));
    assert_eq!((&config.user, &config.working_dir), (&furniture.user, &furniture.working_dir));
    assert_eq!(config.stop_signal, furniture.stop_signal);
    assert_eq!(config.mounts, furniture.mounts);
    assert_eq!(config.network.expose, furniture.network.expose);
    assert_eq!(config.healthcheck, furniture.healthcheck);
}

async fn a_plain_image_implies_nothing_but_a_command(h: &Harness) {
    let config = h.see_image(&h.images().plain).await.config;

    let Environment(variables) = config.environment.unwrap_or_default();
    assert!(variables.keys().all(|name| name == "PATH"), "{variables:?}");
    assert!(config.labels.is_none_or(|labels| labels.0.is_empty()));
    assert!(config.entrypoint.is_none_or(|entrypoint| entrypoint.is_empty()));
    assert!(config.mounts.is_none_or(|Mounts(mounts)| mounts.is_empty()));
    assert!(config.network.expose.is_none_or(|ports| ports.0.is_empty()));
    assert!(!config.healthcheck.is_active());
    assert!(config.user.is_none_or(|user| user.is_empty()));
}

async fn two_images_have_two_ids(h: &Harness) {
    assert_ne!(h.see_image(&h.images().plain).await.id, h.see_image(&h.images().other).await.id);
}

async fn a_tagged_image_has_one_more_name(h: &Harness) {
    let image = h.see_image(&h.images().plain).await;
    let name = h.image_name("tag");

    h.runtime().tag_image(&image.id, &name).await.unwrap();
    h.runtime().tag_image(&image.id, &name).await.unwrap();

    let tagged = h.see_image(&name).await;
    assert_eq!(tagged.id, image.id);
    assert_eq!(tagged.names.iter().filter(|found| **found == name).count(), 1);
    assert!(tagged.names.contains(&h.images().plain));
}

async fn a_tag_moves_from_another_image(h: &Harness) {
    let (plain, other) = (h.see_image(&h.images().plain).await, h.see_image(&h.images().other).await);
    let name = h.image_name("moving");
    h.runtime().tag_image(&plain.id, &name).await.unwrap();

    h.runtime().tag_image(&other.id, &name).await.unwrap();

    assert_eq!(h.see_image(&name).await.id, other.id);
    assert!(!h.see_image(&h.images().plain).await.names.contains(&name));
}

async fn a_container_keeps_its_image_when_the_name_moves_on(h: &Harness) {
    let (plain, other) = (h.see_image(&h.images().plain).await, h.see_image(&h.images().other).await);
    let name = h.image_name("moving");
    h.runtime().tag_image(&plain.id, &name).await.unwrap();
    let id = h.create(&h.name("web"), &h.made_from(&name)).await;

    h.runtime().tag_image(&other.id, &name).await.unwrap();

    let state = h.see_id(&id).await;
    assert_eq!(state.image_id, plain.id);
    assert_eq!(state.config.image, Some(name));
}

async fn tagging_a_missing_image_is_not_found(h: &Harness) {
    let id: ImageId = "ab".repeat(32).parse().unwrap();

    let tagged = h.runtime().tag_image(&id, &h.image_name("tag")).await;

    assert_eq!(tagged.kind(), Some(ErrorKind::NotFound));
}

async fn removing_a_name_leaves_the_others(h: &Harness) {
    let image = h.see_image(&h.images().plain).await;
    let name = h.image_name("tag");
    h.runtime().tag_image(&image.id, &name).await.unwrap();
    h.create(&h.name("web"), &h.made_from(&name)).await;

    h.runtime().remove_image(&name).await.unwrap();

    assert_eq!(h.runtime().image(&name).await.unwrap(), None);
    assert_eq!(h.see_image(&h.images().plain).await.id, image.id);
}

async fn removing_a_name_that_is_not_there_succeeds(h: &Harness) {
    assert_eq!(h.runtime().remove_image(&h.image_name("missing")).await.kind(), None);
}

async fn a_pulled_image_is_there(h: &Harness) {
    h.remember_image(&h.images().remote);
    let before = h.runtime().image(&h.images().remote).await.unwrap();

    let pieces = h.pull(&h.images().remote).await.unwrap();

    assert_eq!(before, None);
    assert!(pieces > 0);
    let pulled = h.see_image(&h.images().remote).await;
    assert!(pulled.names.contains(&h.images().remote));
    assert!(pulled.platform.is_some());
    assert!(pulled.names.iter().any(|name| name.digest().is_some()), "{:?}", pulled.names);
}

async fn pulling_twice_changes_nothing(h: &Harness) {
    h.remember_image(&h.images().remote);
    h.pull(&h.images().remote).await.unwrap();
    let first = h.see_image(&h.images().remote).await;

    h.pull(&h.images().remote).await.unwrap();

    assert_eq!(h.see_image(&h.images().remote).await, first);
}

async fn the_last_name_takes_the_image_along(h: &Harness) {
    h.remember_image(&h.images().remote);
    h.pull(&h.images().remote).await.unwrap();
    let id = h.see_image(&h.images().remote).await.id;

    h.runtime().remove_image(&h.images().remote).await.unwrap();

    assert_eq!(h.runtime().image(&h.images().remote).await.unwrap(), None);
    assert_eq!(h.runtime().image_by_id(&id).await.unwrap(), None);
}

async fn an_image_that_a_container_was_made_from_stays(h: &Harness) {
    h.remember_image(&h.images().remote);
    h.pull(&h.images().remote).await.unwrap();
    let id = h.see_image(&h.images().remote).await.id;
    h.create(&h.name("web"), &h.spec(json!({"image": h.images().remote.to_string()}))).await;

    let removed = h.runtime().remove_image(&h.images().remote).await;

    assert_eq!(removed.kind(), Some(ErrorKind::Conflict));
    assert!(h.runtime().image_by_id(&id).await.unwrap().is_some());
}

async fn pulling_an_image_that_no_registry_has_is_not_found(h: &Harness) {
    let pulled = h.pull(&h.images().absent).await;

    assert_eq!(pulled.kind(), Some(ErrorKind::NotFound));
    assert_eq!(h.runtime().image(&h.images().absent).await.unwrap(), None);
}
