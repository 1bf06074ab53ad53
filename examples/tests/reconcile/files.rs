//! What the files say, and everything that is wrong with them.

use std::io::Write;
use std::process::Stdio;

use crate::{Folder, Ran};

/// A value that stands nowhere but where a test puts it.
const VALUE: &str = "Xyzzy-4711";

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
