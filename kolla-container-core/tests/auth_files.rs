//! Credentials that a helper program knows. It is found by the folder in which a process is, which is why this is the only
//! test of its process.

#![cfg(feature = "auth-files")]
use std::fs;
use std::os::unix::fs::PermissionsExt;

use kolla_container_core::Result;
use kolla_container_core::images::{AuthFiles, Keyring};
use kolla_container_core::state::Credentials;

/// What is read from standard input is the server; the answer has it for the user.
const HELPER: &str = r#"#!/bin/sh
read -r server
case $server in
*nothing*) echo "credentials not found in native keychain"; exit 1 ;;
*broken*) echo hunter2; exit 1 ;;
*mad*) echo hunter2; exit 0 ;;
esac
printf '{"ServerURL": "x", "Username": "%s", "Secret": "s3cret"}' "$server"
"#;

#[tokio::test]
async fn helpers_are_run_for_their_registries_and_a_store_for_the_rest() {
    // What is run is `docker-credential-` and a name; where the name has a slash, it is a path.
    let folder = tempfile::tempdir().unwrap();
    let helper = folder.path().join("docker-credential-").join("kit");
    fs::create_dir(helper.parent().unwrap()).unwrap();
    fs::write(&helper, HELPER).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    std::env::set_current_dir(&folder).unwrap();
    let file = folder.path().join("config.json");
    let text = r#"{
        "credsStore": "/kit",
        "credHelpers": {"quay.io": "/kit", "absent.example": "/absent"},
        "auths": {"quay.io": {}, "plain.example": {"auth": "a2l0OnMzY3JldA=="}}
    }"#;
    fs::write(&file, text).unwrap();
    let files = AuthFiles::new([file]);
    let found = async |image: &str| -> Result<Vec<Credentials>> { files.credentials(&image.parse().unwrap()).await };
    let who = |name: &str| Credentials::password(name, "s3cret");

    assert_eq!(found("quay.io/app").await.unwrap(), [who("quay.io")]);
    assert_eq!(found("nginx").await.unwrap(), [who("https://index.docker.io/v1/")]);
    assert_eq!(found("plain.example/app").await.unwrap(), [who("kit")]);
    assert_eq!(found("nothing.example/app").await.unwrap(), []);
    for (image, why) in [
        ("broken.example/app", "failed for broken.example"),
        ("mad.example/app", "answers with no credentials"),
        ("absent.example/app", "cannot be run"),
    ] {
        let report = found(image).await.unwrap_err().report();
        assert!(report.contains(why) && !report.contains("hunter2"), "{report}");
    }
}
