//! Which engine it is about, and who does not answer.

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;

use crate::{Folder, Ran};

/// A folder with a file that wants one container.
fn folder(test: &str) -> Folder {
    let folder = Folder::new(test);
    folder.write("web.yaml", "containers: {web: {image: nginx}}\n");
    folder
}

#[test]
fn podman_is_where_its_variable_says_and_what_to_do_is_said_where_it_is_not() {
    let folder = folder("no-podman");
    let said = |engine: &str, variable: &str, value: &str| {
        let mut command = folder.reconcile(&["plan", "--engine", engine, "web.yaml"]);
        let ran = Ran::of(command.env(variable, value).output().unwrap());
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        ran.err
    };

    let missing = "error: connect to unix:///nowhere: not found: there is no such socket: `systemctl start \
                   podman.socket` makes it, with --user your own (CONTAINER_HOST names it)\n";
    let stored = "error: use podman connection node1: not supported: ";
    for engine in ["auto", "podman"] {
        assert_eq!(said(engine, "CONTAINER_HOST", "unix:///nowhere"), missing);
        assert!(said(engine, "CONTAINER_CONNECTION", "node1").starts_with(stored));
    }
}

#[test]
fn a_configured_host_that_does_not_answer_is_an_error_for_every_command() {
    let folder = folder("dead-host");
    let dead = folder.path("dead.sock");
    drop(UnixListener::bind(&dead).unwrap());
    let dead = format!("unix://{}", dead.display());

    for (command, what) in [("plan", "web.yaml"), ("apply", "web.yaml"), ("remove", "web.yaml"), ("export", "web")] {
        for engine in ["auto", "docker"] {
            let arguments = [command, "--engine", engine, what];
            let option = folder.run(&[&arguments[..], &["--host", &dead]].concat());
            let variable = folder.reconcile(&arguments).env("DOCKER_HOST", "unix:///nowhere").output().unwrap();
            let variable = Ran::of(variable);

            assert_eq!((option.code, option.out.as_str()), (Some(1), ""));
            assert_eq!(
                option.err,
                format!("error: connect to {dead}: not reachable: nobody listens there (--host names it)\n")
            );
            assert_eq!((variable.code, variable.out.as_str()), (Some(1), ""));
            assert_eq!(
                variable.err,
                "error: connect to unix:///nowhere: not found: there is no such socket (DOCKER_HOST names it)\n"
            );
        }
    }
}

/// What the program says where `answer` is all that it gets to hear from its host.
fn said_to(engine: &str, test: &str, answer: &'static str) -> String {
    let folder = folder(test);
    let socket = folder.path("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    // Until the end of the test's process.
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let host = format!("unix://{}", socket.display());

    let ran = folder.run(&["apply", "--engine", engine, "--host", &host, "web.yaml"]);

    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    let (before, after) = ran.err.split_once(&host).unwrap();
    assert_eq!(before, "error: connect to ");
    after.strip_suffix(" (--host names it)\n").unwrap().to_owned()
}

const DOCKER: &str =
    "HTTP/1.1 200 OK\r\nServer: Docker/20.10.24 (linux)\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\nOK";
const PODMAN: &str = "HTTP/1.1 200 OK\r\nServer: Libpod/3.4.0 (linux)\r\nApi-Version: 1.40\r\n\
                      Libpod-Api-Version: 3.4.0\r\nContent-Length: 2\r\n\r\nOK";

#[test]
fn whoever_answers_and_is_not_the_engine_is_an_error() {
    let web = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let mail = "220 mail.example.org ESMTP\r\n";

    let other = [said_to("docker", "podman", PODMAN), said_to("podman", "docker", DOCKER)];
    let no_engine = ["docker", "podman", "auto"].map(|engine| said_to(engine, "web", web));

    assert!(other[0].starts_with(": not supported: Podman answers"), "{other:?}");
    assert!(other[1].starts_with(": not supported: this is not Podman, but Docker"), "{other:?}");
    let answer = ": the answer is not understood: no Docker engine listens there: it answers 404 Not Found to /_ping";
    assert_eq!(no_engine, [answer, &answer.replace("Docker", "Podman"), answer]);
    for engine in ["docker", "podman", "auto"] {
        let (mail, nobody) = (said_to(engine, "mail", mail), said_to(engine, "nobody", ""));
        assert!(mail.contains("does not speak HTTP"), "{engine}: {mail}");
        assert!(nobody.contains(": not reachable: "), "{engine}: {nobody}");
    }
}

#[test]
fn auto_goes_by_who_answers_at_the_host() {
    let said = said_to("auto", "old-podman", PODMAN);

    assert!(said.starts_with(": not supported: as Docker: Podman answers"), "{said}");
    assert!(said.contains("; as Podman: Podman 3.4.0 is too old"), "{said}");
}

#[test]
fn a_context_of_docker_that_is_not_there_is_an_error_and_not_another_engine() {
    let folder = folder("context");

    let ran = folder.reconcile(&["plan", "web.yaml"]).env("DOCKER_CONTEXT", "gone").output().unwrap();

    let ran = Ran::of(ran);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.starts_with("error: use docker context gone: "), "{}", ran.err);
}

#[test]
fn the_current_context_of_docker_is_where_its_engine_is() {
    let folder = folder("current-context");
    std::fs::create_dir_all(folder.path("docker")).unwrap();
    folder.write("docker/config.json", r#"{"currentContext": "gone"}"#);

    let ran = folder.reconcile(&["plan", "web.yaml"]).env("DOCKER_CONFIG", folder.path("docker")).output().unwrap();

    let ran = Ran::of(ran);
    assert!(ran.err.starts_with("error: use docker context gone: "), "{}", ran.err);
}
