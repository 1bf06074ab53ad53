//! Drives the program that pulls images, on the engine in memory; on real ones, that is done in `live`.

#![expect(clippy::unwrap_used, reason = "the functions around the tests fail as tests do")]

use std::process::{Command, Stdio};

use serde_json::Value;

fn pull_images(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pull_images"));
    let output = command.args(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn images_are_pulled_and_summed_up() {
    let (code, out, err) = pull_images(&["--engine", "memory", "nginx:1.27", "redis:7", "nginx:1.27"]);

    assert_eq!((code, out.as_str()), (Some(0), "2 images: 2 pulled; 8 MiB new.\n"));
    for line in ["nginx:1.27: pulling", "nginx:1.27: pulled in 0.0 s, 4 MiB", "redis:7: pulled in 0.0 s, 4 MiB"] {
        assert_eq!(err.lines().filter(|said| *said == line).count(), 1, "{err}");
    }
}

#[test]
fn what_is_not_to_be_pulled_and_not_there_fails_and_says_so() {
    let (code, out, _) = pull_images(&["--engine", "memory", "--pull", "never", "nginx:1.27"]);

    assert_eq!(code, Some(1));
    assert!(out.starts_with("ErrImageNeverPull: pull image nginx:1.27: not found: "), "{out}");
    assert!(out.ends_with("\n1 image: 1 failed.\n"), "{out}");
}

#[test]
fn the_document_says_what_became_of_each_image() {
    let (code, out, _) = pull_images(&["--engine", "memory", "--json", "nginx:1.27"]);

    let document: Value = serde_json::from_str(&out).unwrap();
    let image = &document["images"][0];
    assert_eq!((code, &document["format"], &document["engine"]["kind"]), (Some(0), &1.into(), &"memory".into()));
    assert_eq!(image["image"], "docker.io/library/nginx:1.27");
    assert_eq!((&image["outcome"], &image["changed"]), (&"pulled".into(), &true.into()));
    assert_eq!((&image["error"], image["id"].as_str().unwrap().len()), (&Value::Null, 64));
}

#[test]
fn wrong_arguments_are_said_before_anything_is_asked() {
    for (arguments, why) in [
        (["--pull", "sometimes", "nginx"].as_slice(), "pull policy `sometimes` is unknown"),
        (&["Nginx:1"], "Nginx"),
        (&["--platform", "arm", "nginx"], "is no platform such as linux/amd64"),
        (&["--username", "kit", "nginx"], "--password-stdin"),
        (&[], "<IMAGE>..."),
    ] {
        let (code, out, err) = pull_images(arguments);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(err.contains(why), "{err}");
    }
}

#[test]
fn a_password_or_a_file_that_is_not_there_is_an_error() {
    let at = ["--engine", "memory", "nginx"];
    for (arguments, why) in [
        (["--username", "kit", "--password-stdin"].as_slice(), "the first line of the standard input is empty"),
        (&["--authfile", "/nowhere/auth.json"], "/nowhere/auth.json"),
    ] {
        let (code, out, err) = pull_images(&[&at, arguments].concat());
        assert_eq!((code, out.as_str()), (Some(1), ""));
        assert!(err.contains(why), "{err}");
    }
}
