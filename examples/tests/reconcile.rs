//! Drives the program as an operator or a script does: arguments in, exit code and texts out.

#![expect(clippy::unwrap_used, clippy::panic, reason = "the functions around the tests fail as tests do")]

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// Real services of an OpenStack host.
const SERVICES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/kolla_services.json");

/// A value that stands nowhere but where a test puts it.
const VALUE: &str = "Xyzzy-4711";

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
        for variable in ["DOCKER_HOST", "CONTAINER_HOST", "XDG_RUNTIME_DIR"] {
            command.env_remove(variable);
        }
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
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn all_mistakes_of_all_files_are_said_at_once_each_with_its_place() {
    let folder = Folder::new("mistakes");
    folder.write(
        "web.yaml",
        concat!(
            "containers:\n",
            "  web:\n    image: nginx:1.27\n    resources: {memroy: 1g}\n    mounts: [/a:/b, relative]\n",
            "  db: {image: mariadb, auto_remove: true, restart: always}\n",
            "  not a name: {image: x}\n  old.previous: {image: x}\n  cache: {image: redis}\n",
        ),
    );
    folder.write(
        "kolla.json",
        r#"{
            "service": [],
            "services": [
                {"container_name": "web", "image": "nginx", "dimensions": {"mem_limt": "1g"}},
                {"container_name": "cron", "image": "cron"}
            ]
        }"#,
    );
    folder.write("twice.yaml", "containers:\n  a: {image: x}\n  a: {image: y}\n");
    folder.write("empty.yaml", "# nothing yet\n");
    folder.write("typo.yaml", "contaners: {}\n");
    folder.write("both.yaml", "containers: {}\nservices: []\n");
    folder.write("list.yaml", "[web, db]\n");
    folder.write("again.yaml", "containers: {cache: {image: redis}}\n");
    let files = [
        "web.yaml",
        "kolla.json",
        "twice.yaml",
        "empty.yaml",
        "typo.yaml",
        "both.yaml",
        "list.yaml",
        "again.yaml",
        "missing.yaml",
        ".",
    ];

    let ran = folder.run(&[["apply", "--engine", "memory"].as_slice(), &files].concat());

    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    insta::assert_snapshot!(ran.err);
}

#[test]
fn a_mistake_that_only_the_whole_shows_is_said_with_its_place_too() {
    let folder = Folder::new("references");
    folder.write("a.yaml", "containers: {app: {image: x, network: {mode: 'container:side'}}}\n");
    folder.write("b.yaml", "services: [{name: job, image: x, volumes_from: [gone]}]\n");

    let ran = folder.run(&["plan", "--engine", "memory", "a.yaml", "b.yaml"]);

    assert_eq!(ran.code, Some(1));
    assert_eq!(
        ran.err,
        "a.yaml: containers[app]: refers to side: there is no such container, and no goal for one\n\
         b.yaml: services[job]: refers to gone: there is no such container, and no goal for one\n\
         error: 2 mistakes, nothing was done\n"
    );
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
fn a_plan_without_containers_exits_with_0() {
    let folder = Folder::new("nothing");
    folder.write("none.yaml", "about: nothing yet\ncontainers: {}\n");

    let ran = folder.run(&["plan", "--engine", "memory", "none.yaml"]);

    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.starts_with("Nothing to do"), "{}", ran.out);
}

#[test]
fn a_file_can_come_from_the_standard_input() {
    let folder = Folder::new("input");
    let mut child = folder
        .reconcile(&["plan", "--engine", "memory", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"containers: {web: {imgae: nginx}}").unwrap();

    let ran = Ran::of(child.wait_with_output().unwrap());

    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.starts_with("standard input: containers[web].imgae: unknown key, did you mean `image`?\n"),
        "{}",
        ran.err
    );
}

#[test]
fn no_secret_is_in_any_output() {
    let folder = Folder::new("secrets");
    let container = |more: &str| {
        format!(
            concat!(
                "containers:\n  web:\n    image: nginx\n    command: [run, --password, '{value}', --token={value}]\n",
                "    environment:\n      DB_PASSWORD: '{value}'\n      PLAIN: {{secret: '{value}'}}\n",
                "      URL: 'mysql://root:{value}@db/x'\n    labels: {{api.key: '{value}'}}\n{more}",
            ),
            value = VALUE,
            more = more,
        )
    };
    folder.write("right.yaml", &container("    deploy: {settle: 0s}\n"));
    let port = "    deploy: {settle: 0s}\n    network: {ports: ['80:80']}\n";
    let other = "  other: {image: nginx, deploy: {settle: 0s}, network: {ports: ['80:80']}}\n";
    folder.write("failing.yaml", &format!("{}{other}", container(port)));
    folder.write("wrong.yaml", &container("    envronment: {}\n    volumes_from: [gone]\n"));
    folder.write("unread.yaml", &container(&format!("    'x\": {VALUE}\n")));
    folder.write("list.yaml", &format!("containers: {{web: {{image: nginx, environment: {{A_KEY: [{VALUE}]}}}}}}\n"));
    folder.write(
        "kolla.yaml",
        &format!(
            concat!(
                "common_options: {{auth_password: '{value}'}}\n",
                "services: [{{name: mq, image: mq, environment: {{RABBITMQ_CLUSTER_COOKIE: '{value}'}}}}]\n",
            ),
            value = VALUE
        ),
    );

    for (file, planned, applied) in [
        ("right.yaml", 2, Some(0)),
        ("failing.yaml", 2, Some(1)),
        ("wrong.yaml", 1, Some(1)),
        ("unread.yaml", 1, Some(1)),
        ("list.yaml", 1, Some(1)),
        ("kolla.yaml", 2, None),
    ] {
        for (command, code) in [("plan", Some(planned)), ("apply", applied)] {
            let Some(code) = code else { continue };
            for json in [[].as_slice(), &["--json"]] {
                let ran = folder.run(&[&[command, "--engine=memory"], json, &[file]].concat());

                assert_eq!(ran.code, Some(code), "{command} {file}: {}{}", ran.out, ran.err);
                assert!(!ran.out.contains(VALUE), "{command} {json:?} {file}: {}", ran.out);
                assert!(!ran.err.contains(VALUE), "{command} {json:?} {file}: {}", ran.err);
            }
        }
    }
}

#[test]
fn an_engine_that_is_not_built_yet_says_so() {
    let folder = Folder::new("not-built");
    folder.write("web.yaml", "containers: {web: {image: nginx}}\n");

    for engine in ["docker", "podman"] {
        let ran = folder.run(&["plan", "--engine", engine, "web.yaml"]);

        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        assert!(ran.err.contains(engine) && ran.err.contains("not built yet"), "{}", ran.err);
    }
}

#[test]
fn a_configured_host_that_does_not_answer_is_an_error_for_every_command() {
    let folder = Folder::new("dead-host");
    folder.write("web.yaml", "containers: {web: {image: nginx}}\n");
    let dead = folder.path("dead.sock");
    drop(std::os::unix::net::UnixListener::bind(&dead).unwrap());
    let dead = format!("unix://{}", dead.display());

    for command in ["plan", "apply", "remove"] {
        let option = folder.run(&[command, "--host", &dead, "web.yaml"]);
        let variable =
            Ran::of(folder.reconcile(&[command, "web.yaml"]).env("DOCKER_HOST", "unix:///nowhere").output().unwrap());

        assert_eq!((option.code, option.out.as_str()), (Some(1), ""));
        assert_eq!(
            option.err,
            format!("error: connect to {dead}: not reachable: nobody listens there (--host names it)\n")
        );
        assert_eq!((variable.code, variable.out.as_str()), (Some(1), ""));
        assert_eq!(
            variable.err,
            "error: connect to unix:///nowhere: not reachable: there is no such socket (DOCKER_HOST names it)\n"
        );
    }
}

#[test]
fn a_host_that_answers_is_named_by_what_answers() {
    let folder = Folder::new("live-host");
    folder.write("web.yaml", "containers: {web: {image: nginx}}\n");
    let socket = folder.path("live.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let engine = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n").unwrap();
    });

    let ran = folder.run(&["plan", "--host", &format!("unix://{}", socket.display()), "web.yaml"]);

    engine.join().unwrap();
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("use engine docker: not supported: it answers at unix://"), "{}", ran.err);
    assert!(ran.err.contains("not built yet"), "{}", ran.err);
}

#[test]
fn a_plan_as_json_has_the_documented_keys() {
    let ran = Folder::new("json-plan").run(&["plan", "--engine", "memory", "--json", SERVICES]);

    let document = ran.json();
    assert_eq!(ran.code, Some(2));
    assert_eq!(keys(&document), ["command", "engine", "format", "plan"]);
    assert_eq!((&document["format"], &document["command"]), (&json!(1), &json!("plan")));
    assert_eq!(keys(&document["engine"]), ["kind", "version"]);
    assert_eq!(document["engine"]["kind"], "memory");
    let containers = document["plan"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 24);
    for container in containers {
        assert_eq!(keys(container), ["after", "changes", "effect", "name", "notes", "refused", "steps"]);
        assert_eq!(container["effect"], "created");
        for step in container["steps"].as_array().unwrap() {
            assert_eq!(keys(step), ["action", "cause", "undo"]);
        }
    }
}

#[test]
fn a_report_as_json_has_the_documented_keys() {
    let folder = Folder::new("json-report");
    folder.write(
        "clash.yaml",
        concat!(
            "containers:\n",
            "  a: {image: nginx, network: {ports: ['8080:80']}, deploy: {settle: 0s}}\n",
            "  b: {image: nginx, network: {ports: ['8080:80']}, deploy: {settle: 0s}}\n",
        ),
    );

    let ran = folder.run(&["apply", "--engine", "memory", "--jobs", "1", "--json", "clash.yaml"]);

    let document = ran.json();
    assert_eq!(ran.code, Some(1));
    assert_eq!(keys(&document), ["command", "engine", "format", "report"]);
    let containers = document["report"]["containers"].as_array().unwrap();
    for container in containers {
        assert_eq!(keys(container), ["changes", "effect", "failure", "name", "notes", "output", "steps", "warnings"]);
    }
    assert_eq!(containers[0]["failure"], Value::Null);
    assert_eq!(keys(&containers[0]["steps"][0]), ["action", "seconds"]);
    assert_eq!(keys(&containers[1]["failure"]), ["error", "kind", "step", "undone"]);
}

#[test]
fn an_error_as_json_is_one_document_too() {
    let folder = Folder::new("json-error");
    folder.write("web.yaml", "containers: {web: {imgae: nginx}}\n");

    let mistakes = folder.run(&["plan", "--engine", "memory", "--json", "web.yaml"]);
    let usage = folder.run(&["plan", "--json", "--jobs", "many", "web.yaml"]);
    folder.write("web.yaml", "containers: {web: {image: nginx}}\n");
    let engine = folder.run(&["apply", "--json", "--engine", "podman", "web.yaml"]);

    for ran in [&mistakes, &usage, &engine] {
        assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
        assert_eq!(keys(&ran.json()), ["error", "format"]);
        assert_eq!(keys(&ran.json()["error"]), ["kind", "message", "violations"]);
    }
    assert_eq!(mistakes.json()["error"]["kind"], "rejected");
    assert_eq!(
        mistakes.json()["error"]["violations"][0],
        json!({"file": "web.yaml", "path": "containers[web].imgae", "message": "unknown key, did you mean `image`?"})
    );
    assert_eq!(usage.json()["error"]["kind"], "usage");
    assert_eq!(engine.json()["error"]["kind"], "unsupported");
}

#[test]
fn wrong_arguments_exit_with_1_because_2_means_that_something_is_to_do() {
    let folder = Folder::new("usage");

    for arguments in [
        &["plan"][..],
        &["destroy", "x"],
        &["plan", "--jobs", "0", "x"],
        &["plan", "--jobs", "257", "x"],
        &["plan", "--host", "ssh://node1", "x"],
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
fn the_examples_of_the_readme_work() {
    let folder = Folder::new("readme");
    let readme = include_str!("../README.md");
    let blocks = |language: &str| -> Vec<&str> {
        let begin = format!("```{language}\n");
        readme.split(begin.as_str()).skip(1).map(|rest| rest.split_once("```").unwrap().0).collect()
    };

    let files = blocks("yaml");
    for file in &files {
        folder.write("example.yaml", file);
        let ran = folder.run(&["plan", "--engine", "memory", "example.yaml"]);
        assert_eq!(ran.code, Some(2), "{file}\n{}", ran.err);
    }
    folder.write("web.yaml", "containers: {web: {imgae: nginx}}\n");
    let error = folder.run(&["plan", "--engine", "memory", "--json", "web.yaml"]);

    assert_eq!(files.len(), 2);
    assert_eq!(blocks("json"), [error.out]);
}

#[test]
fn the_help_says_what_the_exit_codes_mean() {
    let folder = Folder::new("help");

    for arguments in [&["--help"][..], &["-h"], &["plan", "--help"], &["apply", "-h"], &["remove", "--help"]] {
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
