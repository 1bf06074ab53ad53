//! Volumes: named and anonymous, mounted, shared and kept.

use kolla_container_core::spec::{CleanPath, Mount, TextMap};
use kolla_container_core::state::VolumeToCreate;
use kolla_container_core::{ContainerId, ErrorKind, VolumeName};
use serde_json::json;

use super::cases;
use crate::harness::{Harness, Kind};

cases! { "volumes";
    a_volume_that_is_not_there_is_none;
    a_new_volume_is_there_as_asked;
    making_a_volume_twice_changes_nothing;
    a_volume_of_another_driver_is_refused;
    a_removed_volume_is_gone;
    removing_a_volume_that_is_not_there_succeeds;
    a_mounted_volume_stays;
    a_volume_is_free_when_its_container_is_removed;
    a_container_makes_the_named_volumes_that_are_missing;
    removing_a_container_keeps_its_named_volume;
    removing_a_container_keeps_its_anonymous_volume;
    two_containers_share_a_named_volume;
    two_anonymous_volumes_are_two;
    one_volume_at_two_targets_is_mounted_twice;
    an_image_that_declares_a_volume_gets_an_anonymous_one;
    a_stated_mount_takes_the_place_of_the_volume_of_the_image;
    an_anonymous_volume_that_is_mounted_by_its_name_stays_anonymous;
    volumes_of_another_container_are_mounted_too ["volumes_from"];
}

fn path(text: &str) -> CleanPath {
    text.parse().unwrap()
}

/// The volume of a container at a target; it must have one.
async fn volume_at(h: &Harness, id: &ContainerId, target: &str) -> VolumeName {
    let name = h.see_id(id).await.volumes.remove(&path(target)).unwrap_or_else(|| panic!("no volume at {target}"));
    h.remember_volume(&name);
    name
}

async fn a_volume_that_is_not_there_is_none(h: &Harness) {
    assert_eq!(h.runtime().volume(&h.volume("missing")).await.unwrap(), None);
}

async fn a_new_volume_is_there_as_asked(h: &Harness) {
    let name = h.volume("data");
    let labels = TextMap::from_iter([("kit", "1")]);
    let wanted = VolumeToCreate { labels: labels.clone(), ..VolumeToCreate::local(name.clone()) };

    h.runtime().create_volume(&wanted).await.unwrap();

    let volume = h.runtime().volume(&name).await.unwrap().unwrap();
    assert_eq!((volume.name, volume.driver.as_str(), volume.labels), (name, "local", labels));
}

async fn making_a_volume_twice_changes_nothing(h: &Harness) {
    let name = h.volume("data");
    let first = VolumeToCreate { labels: TextMap::from_iter([("kit", "1")]), ..VolumeToCreate::local(name.clone()) };
    h.runtime().create_volume(&first).await.unwrap();
    let before = h.runtime().volume(&name).await.unwrap();

    h.runtime().create_volume(&VolumeToCreate::local(name.clone())).await.unwrap();

    assert_eq!(h.runtime().volume(&name).await.unwrap(), before);
}

async fn a_volume_of_another_driver_is_refused(h: &Harness) {
    let name = h.make_volume("data").await;

    let other = VolumeToCreate { driver: "kit-other".to_owned(), ..VolumeToCreate::local(name.clone()) };
    let created = h.runtime().create_volume(&other).await;

    assert!(created.is_err());
    assert_eq!(h.runtime().volume(&name).await.unwrap().map(|volume| volume.driver).as_deref(), Some("local"));
}

async fn a_removed_volume_is_gone(h: &Harness) {
    let name = h.make_volume("data").await;

    h.runtime().remove_volume(&name).await.unwrap();

    assert_eq!(h.runtime().volume(&name).await.unwrap(), None);
}

async fn removing_a_volume_that_is_not_there_succeeds(h: &Harness) {
    assert_eq!(h.runtime().remove_volume(&h.volume("missing")).await.kind(), None);
}

async fn a_mounted_volume_stays(h: &Harness) {
    let name = h.make_volume("data").await;
    h.create(&h.name("web"), &h.spec(json!({"mounts": [format!("{name}:/data")]}))).await;

    let removed = h.runtime().remove_volume(&name).await;

    assert_eq!(removed.kind(), Some(ErrorKind::Conflict));
    assert!(h.runtime().volume(&name).await.unwrap().is_some());
}

async fn a_volume_is_free_when_its_container_is_removed(h: &Harness) {
    let name = h.make_volume("data").await;
    let id = h.start(&h.name("web"), &h.spec(json!({"mounts": [format!("{name}:/data")]}))).await;
    h.runtime().remove_container(&id).await.unwrap();

    let removed = h.runtime().remove_volume(&name).await;

    assert_eq!(removed.kind(), None);
}

async fn a_container_makes_the_named_volumes_that_are_missing(h: &Harness) {
    let name = h.volume("data");

    let id = h.start(&h.name("web"), &h.spec(json!({"mounts": [format!("{name}:/data:ro")]}))).await;

    assert!(h.runtime().volume(&name).await.unwrap().is_some());
    assert_eq!(volume_at(h, &id, "/data").await, name);
}

async fn removing_a_container_keeps_its_named_volume(h: &Harness) {
    let name = h.volume("data");
    let id = h.start(&h.name("web"), &h.spec(json!({"mounts": [format!("{name}:/data")]}))).await;

    h.runtime().remove_container(&id).await.unwrap();

    assert!(h.runtime().volume(&name).await.unwrap().is_some());
}

async fn removing_a_container_keeps_its_anonymous_volume(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({"mounts": ["/data"]}))).await;
    let name = volume_at(h, &id, "/data").await;

    h.runtime().remove_container(&id).await.unwrap();

    assert!(h.runtime().volume(&name).await.unwrap().is_some());
}

async fn two_containers_share_a_named_volume(h: &Harness) {
    let name = h.volume("data");
    let first = h.start(&h.name("first"), &h.spec(json!({"mounts": [format!("{name}:/data")]}))).await;
    let second = h.start(&h.name("second"), &h.spec(json!({"mounts": [format!("{name}:/other:ro")]}))).await;

    assert_eq!(volume_at(h, &first, "/data").await, name);
    assert_eq!(volume_at(h, &second, "/other").await, name);
}

async fn two_anonymous_volumes_are_two(h: &Harness) {
    let spec = h.spec(json!({"mounts": ["/data"]}));
    let (first, second) = (h.create(&h.name("first"), &spec).await, h.create(&h.name("second"), &spec).await);

    let (first, second) = (volume_at(h, &first, "/data").await, volume_at(h, &second, "/data").await);

    assert!(first.is_anonymous() && second.is_anonymous(), "{first} {second}");
    assert_ne!(first, second);
}

async fn one_volume_at_two_targets_is_mounted_twice(h: &Harness) {
    let name = h.volume("data");
    let spec = h.spec(
        json!({"mounts": [format!("{name}:/one"), format!("{name}:/two:ro"), "/etc:/three:ro", "/etc:/four:ro"]}),
    );

    let id = h.start(&h.name("web"), &spec).await;

    assert_eq!(volume_at(h, &id, "/one").await, name);
    assert_eq!(volume_at(h, &id, "/two").await, name);
    assert_eq!(h.mounts(&h.see_id(&id).await), spec.mounts);
}

async fn an_image_that_declares_a_volume_gets_an_anonymous_one(h: &Harness) {
    let id = h.create(&h.name("web"), &h.made_from(&h.images().furnished)).await;

    let state = h.see_id(&id).await;

    assert!(volume_at(h, &id, "/data").await.is_anonymous());
    assert_eq!(state.anonymous_volumes().map(|(target, _)| target.as_str()).collect::<Vec<_>>(), ["/data"]);
}

async fn a_stated_mount_takes_the_place_of_the_volume_of_the_image(h: &Harness) {
    let name = h.volume("data");
    let image = h.images().furnished.to_string();
    let spec = h.spec(json!({"image": image, "mounts": [format!("{name}:/data")]}));

    let id = h.create(&h.name("web"), &spec).await;

    assert_eq!(volume_at(h, &id, "/data").await, name);
    assert_eq!(h.see_id(&id).await.anonymous_volumes().count(), 0);
    assert_eq!(h.mounts(&h.see_id(&id).await), spec.mounts);
}

async fn an_anonymous_volume_that_is_mounted_by_its_name_stays_anonymous(h: &Harness) {
    let first = h.create(&h.name("first"), &h.spec(json!({"mounts": ["/data"]}))).await;
    let name = volume_at(h, &first, "/data").await;

    let id = h.create(&h.name("second"), &h.spec(json!({"mounts": [format!("{name}:/data")]}))).await;

    let state = h.see_id(&id).await;
    assert_eq!(volume_at(h, &id, "/data").await, name);
    let mounts = state.config.mounts.clone().unwrap();
    assert!(matches!(mounts.0.get(&path("/data")), Some(Mount::Volume(volume)) if volume.name.is_none()), "{mounts:?}");
}

async fn volumes_of_another_container_are_mounted_too(h: &Harness) {
    let base = h.name("base");
    let id = h.create(&base, &h.spec(json!({"mounts": ["/data"]}))).await;
    let name = volume_at(h, &id, "/data").await;

    let other = h.create(&h.name("web"), &h.spec(json!({"volumes_from": [base.to_string()]}))).await;

    assert_eq!(volume_at(h, &other, "/data").await, name);
    assert_eq!(h.see_id(&other).await.joined.len(), 1);
}
