//! Images that the programs pull from real registries.

use std::env;
use std::path::Path;
use std::process::Stdio;

use kolla_container_core::state::EngineKind;
use kolla_container_testkit::Harness;
use kolla_container_testkit::matrix::merge;
use kolla_container_testkit::registry::{Registry, Rule, USER};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::engines::{DOCKER, PODMAN};
use crate::program::Program;

/// Runs the program that pulls images, on the engine of the case; what it prints, and what is on its standard error.
async fn pull_images(h: &Harness, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let (engine, variable) = match h.runtime().engine().kind {
        EngineKind::Podman => ("podman", PODMAN),
        _ => ("docker", DOCKER),
    };
    let mut command = Command::new(env!("CARGO_BIN_EXE_pull_images"));
    command.args(["--engine", engine, "--host", &env::var(variable).unwrap()]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut running = command.spawn().unwrap();
    // It may not want to read it.
    let _ = running.stdin.take().unwrap().write_all(input.as_bytes()).await;
    let ended = running.wait_with_output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (ended.status.code(), text(ended.stdout), text(ended.stderr))
}

pub(crate) async fn many_images_are_pulled_and_those_that_fail_are_named(h: &Harness) {
    let registry = Registry::of(h);
    let mut names = Vec::new();
    for what in ["a", "b", "c"] {
        registry.publish(what, "1", "one", 200_000);
        names.push(registry.image(h, "localhost:5002", what, "1").familiar());
    }
    let absent = registry.image(h, "localhost:5000", "a", "9").familiar();
    let all: Vec<&str> = names.iter().map(String::as_str).chain([absent.as_str(), names[0].as_str()]).collect();

    let (code, out, err) = pull_images(h, &all, "").await;
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(
        out.starts_with(&format!("ErrImagePull: pull image {absent}: not found: localhost:5000 has no such")),
        "{out}"
    );
    assert!(out.contains("4 images: 3 pulled, 1 failed; "), "{out}");

    let again = [&["--json", "--pull", "always"], all.as_slice()].concat();
    let (code, out, _) = pull_images(h, &again, "").await;
    let document: Value = serde_json::from_str(&out).unwrap();
    let outcomes: Vec<&str> =
        document["images"].as_array().unwrap().iter().map(|image| image["outcome"].as_str().unwrap()).collect();
    assert_eq!((code, outcomes.as_slice()), (Some(1), ["up_to_date", "up_to_date", "up_to_date", "failed"].as_slice()));
    assert_eq!(document["images"][3]["error"]["failure"], "no_manifest");
}

pub(crate) async fn a_password_is_read_and_shown_nowhere(h: &Harness) {
    let registry = Registry::of(h);
    registry.publish("app", "1", "one", 100);
    let name = registry.image(h, "registry.test:5001", "app", "1").familiar();
    let as_user = ["--username", USER, "--password-stdin", "--json", &name];

    let (wrong, out, err) = pull_images(h, &as_user, "hunter2\n").await;
    assert_eq!(wrong, Some(1));
    assert!(out.contains("wrong_credentials") && !format!("{out}{err}").contains("hunter2"), "{out}{err}");
    let (right, out, _) = pull_images(h, &as_user, "kit-password\n").await;
    assert_eq!(right, Some(0), "{out}");

    // As `docker login` and `podman login` write it: kit:kit-password.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auth.json");
    std::fs::write(&file, r#"{"auths": {"registry.test:5001": {"auth": "a2l0OmtpdC1wYXNzd29yZA=="}}}"#).unwrap();
    let file = file.to_str().unwrap();
    let (by_file, out, _) = pull_images(h, &["--pull", "newer", "--authfile", file, &name], "").await;
    assert_eq!((by_file, out.as_str()), (Some(0), "1 image: 1 up to date.\n"));

    let container = h.name("web");
    let written = json!({"containers": {container.as_str(): {"image": name, "deploy": {"settle": "300ms"}}}});
    h.runtime().remove_image(&name.parse().unwrap()).await.unwrap();
    let without = Program::on(h).run("apply", &written, &["--authfile", "/dev/null"]).await;
    assert_eq!(without.code, Some(1));
    let with = Program::on(h).run("apply", &written, &["--authfile", file]).await;
    assert_eq!(with.code, Some(0), "{with:?}");
}

/// What kolla-ansible's module answers, whose user has that folder for Docker's configuration.
async fn module(h: &Harness, configuration: &Path, mut arguments: Value) -> Value {
    let engine = h.runtime().engine().kind;
    let variable = if engine == EngineKind::Podman { "CONTAINER_HOST" } else { "DOCKER_HOST" };
    arguments["container_engine"] = json!(engine);
    let file = configuration.join("arguments.json");
    std::fs::write(&file, arguments.to_string()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kolla_container"));
    command.arg(file).env("DOCKER_CONFIG", configuration).env(variable, Program::on(h).host()).kill_on_drop(true);
    serde_json::from_slice(&command.output().await.unwrap().stdout).unwrap()
}

pub(crate) async fn kolla_ansibles_module_pulls_as_whoever_has_logged_in(h: &Harness) {
    let registry = Registry::of(h);
    registry.publish("app", "1", "one", 100);
    let image = registry.image(h, "registry.test:5001", "app", "1").familiar();
    let folder = tempfile::tempdir().unwrap();
    let pull = async |more: Value| {
        let mut arguments = json!({"action": "pull_image", "image": image});
        merge(&mut arguments, more);
        module(h, folder.path(), arguments).await
    };
    let login = json!({"auth_username": USER, "auth_password": "kit-password"});
    let at = |registry: &str| {
        let mut login = login.clone();
        login["auth_registry"] = registry.into();
        login
    };

    let is_docker = h.runtime().engine().kind == EngineKind::Docker;
    let may = async |more: Value, expected: bool| {
        let answer = pull(more).await;
        assert_eq!(answer["failed"] != true, expected, "{answer}");
        assert!(expected || answer["msg"].as_str().unwrap().contains("registry.test:5001 asks for"), "{answer}");
    };

    may(json!({}), false).await;
    may(at("registry.test:5001"), true).await;
    // Nobody but the registry that it is for gets to see a password. Without one, Docker's is Docker Hub.
    may(at("elsewhere.test"), false).await;
    may(login.clone(), !is_docker).await;

    // As `docker login` writes it: kit:kit-password; and a context of another engine, which only docker's command heeds.
    let text =
        r#"{"currentContext": "nowhere", "auths": {"registry.test:5001": {"auth": "a2l0OmtpdC1wYXNzd29yZA=="}}}"#;
    std::fs::write(folder.path().join("config.json"), text).unwrap();
    may(json!({}), is_docker).await;
    may(at("elsewhere.test"), is_docker).await;
}

pub(crate) async fn a_new_version_is_pulled_before_the_plan_where_that_is_asked_for(h: &Harness) {
    let registry = Registry::of(h);
    let image = registry.image(h, "localhost:5002", "app", "1");
    let name = h.name("web");
    let written = json!({"containers": {name.as_str(): {"image": image.familiar(), "deploy": {"settle": "300ms"}}}});
    registry.publish("app", "1", "one", 100);
    let program = Program::on(h);
    let apply = async |policy: &str| program.run("apply", &written, &["--pull", policy]).await;
    assert_eq!(apply("never").await.code, Some(1));
    assert!(h.runtime().container(&name).await.unwrap().is_none());
    assert_eq!(apply("missing").await.code, Some(0));
    let before = h.see(&name).await;

    registry.publish("app", "1", "two", 100);
    assert_eq!(apply("missing").await.code, Some(0));
    assert_eq!(h.see(&name).await.id, before.id);
    registry.way().rule(&registry.repository("app"), Rule::Refuse(503, vec![], "busy"));
    let busy = apply("always").await;
    assert_eq!((busy.code, h.see(&name).await.id), (Some(1), before.id.clone()), "{busy:?}");
    registry.way().rule(&registry.repository("app"), Rule::Through);
    let applied = apply("always").await;

    assert_eq!(applied.code, Some(0), "{applied:?}");
    assert!(applied.err.contains(&format!("pulled {image}", image = image.familiar())), "{applied:?}");
    let after = h.see(&name).await;
    assert!(after.image_id != before.image_id && after.id != before.id);
    assert_eq!(apply("newer").await.code, Some(0));
    assert_eq!(h.see(&name).await.id, after.id);
}
