//! Drives the program as an operator or a script does: arguments in, exit code and texts out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions around the tests fail as tests do")]

mod engines;
mod files;
mod json;
mod recorded;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Real services of an OpenStack host.
const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/kolla_services.json");

/// A folder of one test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The program, run in this folder, where nobody has configured an engine.
    fn reconcile(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_reconcile"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null());
        let variables = ["DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH"];
        for variable in variables.into_iter().chain(["CONTAINER_CONNECTION", "CONTAINER_HOST", "XDG_RUNTIME_DIR"]) {
            command.env_remove(variable);
        }
        command.env("DOCKER_CONFIG", self.path("no-configuration"));
        command
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.reconcile(arguments).output().unwrap())
    }
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The one document on the standard output.
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }
}

fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn the_plan_of_the_24_services_fits_an_operators_eye_and_exits_with_2() {
    let ran = Folder::new("plan-24").run(&["plan", "--engine", "memory", SERVICES]);

    assert_eq!(ran.code, Some(2), "{}", ran.err);
    assert_eq!(ran.err, "");
    insta::assert_snapshot!(ran.out);
}

#[test]
fn the_24_services_are_applied_at_the_same_time() {
    let begun = Instant::now();

    let ran = Folder::new("apply-24").run(&["apply", "--engine", "memory", "--jobs", "24", SERVICES]);

    assert_eq!(ran.code, Some(0), "{}", ran.err);
    assert!(ran.out.ends_with("24 created.\n"), "{}", ran.out);
    assert!(ran.out.contains("mariadb created\n"), "{}", ran.out);
    assert!(ran.err.contains("[24/24] "), "{}", ran.err);
    assert!(begun.elapsed() < Duration::from_secs(40), "{:?}", begun.elapsed());
}

#[test]
fn a_failure_does_not_keep_the_others_from_their_goals_and_all_failures_are_listed() {
    let folder = Folder::new("failures");
    folder.write(
        "clash.yaml",
        concat!(
            "containers:\n",
            "  a: {image: nginx, network: {ports: ['8080:80']}, deploy: {settle: 0s}}\n",
            "  b: {image: nginx, network: {ports: ['8080:80']}, deploy: {settle: 0s}}\n",
            "  c: {image: nginx, network: {mode: 'container:b'}, deploy: {settle: 0s}}\n",
            "  d: {image: nginx, mounts: ['data:/data'], deploy: {settle: 0s}}\n",
        ),
    );

    let ran = folder.run(&["apply", "--engine", "memory", "--jobs", "1", "clash.yaml"]);

    assert_eq!(ran.code, Some(1));
    insta::assert_snapshot!(ran.out);
    assert_eq!(ran.err.lines().count(), 4, "{}", ran.err);
}

#[test]
fn removing_what_is_not_there_is_done_already() {
    let folder = Folder::new("remove");
    folder.write("web.yaml", "containers: {web: {image: nginx}}\n");

    let ran = folder.run(&["remove", "--volumes", "--engine", "memory", "web.yaml"]);

    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (Some(0), "1 unchanged.\n", ""));
}

#[test]
fn wrong_arguments_exit_with_1_because_2_means_that_something_is_to_do() {
    let folder = Folder::new("usage");

    for arguments in [
        &["plan"][..],
        &["destroy", "x"],
        &["plan", "--jobs", "0", "x"],
        &["plan", "--jobs", "257", "x"],
        &["plan", "--host", "node1", "x"],
        &["plan", "--images", "y", "x"],
        &["plan", "--recorded", "y", "--host", "unix:///z", "x"],
        &["apply", "--recorded", "y", "x"],
        &["remove", "--recorded", "y", "x"],
        &["export"],
        &["export", "../x"],
        &["export", "--all", "x"],
        &["export", "--policy", "stated", "x"],
        &["plan", "--policy", "lax", "x"],
        &["apply", "--volumes", "x"],
        &["remove", "--policy", "kolla", "x"],
        &[],
    ] {
        let ran = folder.run(arguments);

        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(ran.err.contains("--help"), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn the_help_says_what_the_exit_codes_mean() {
    let folder = Folder::new("help");

    for arguments in [
        &["--help"][..],
        &["-h"],
        &["plan", "--help"],
        &["apply", "-h"],
        &["remove", "--help"],
        &["export", "-h"],
        &["export", "--help"],
    ] {
        let ran = folder.run(arguments);

        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{arguments:?}");
        assert!(ran.out.contains("Exit codes:"), "{arguments:?}: {}", ran.out);
        assert!(ran.out.contains("0 nothing to do, 2 something to do, 1 an error"), "{arguments:?}: {}", ran.out);
        assert!(ran.out.lines().all(|line| line.chars().count() <= 120), "{arguments:?}: {}", ran.out);
    }
}

#[test]
fn the_first_interrupt_puts_back_what_was_begun_and_still_reports() {
    let folder = Folder::new("interrupt");
    folder.write(
        "slow.yaml",
        concat!(
            "containers:\n  fast: {image: nginx, deploy: {settle: 0s}}\n",
            "  slow: {image: nginx, deploy: {settle: 1h}}\n"
        ),
    );
    let mut child = folder
        .reconcile(&["apply", "--engine", "memory", "slow.yaml"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();

    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();

    assert!(sent.success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let ran = Ran::of(child.wait_with_output().unwrap());
    assert!(first.starts_with("[1/2] fast: created in "), "{first}");
    assert!(rest[0].starts_with("stopping: "), "{rest:?}");
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("fast created\n"), "{}", ran.out);
    assert!(ran.out.contains("slow failed: ") && ran.out.contains("everything was put back"), "{}", ran.out);
    assert!(ran.out.ends_with("1 created, 1 failed.\n"), "{}", ran.out);
}
