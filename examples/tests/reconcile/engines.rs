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
fn an_engine_that_is_not_built_yet_says_so() {
    let folder = folder("not-built");

    let ran = folder.run(&["plan", "--engine", "podman", "web.yaml"]);

    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert!(ran.err.contains("podman") && ran.err.contains("not built yet"), "{}", ran.err);
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
fn said_to(test: &str, answer: &'static str) -> String {
    let folder = folder(test);
    let socket = folder.path("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let engine = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 1024]).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    });
    let host = format!("unix://{}", socket.display());

    let ran = folder.run(&["apply", "--host", &host, "web.yaml"]);

    engine.join().unwrap();
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{}", ran.err);
    let (before, after) = ran.err.split_once(&host).unwrap();
    assert_eq!(before, "error: connect to ");
    after.strip_suffix(" (--host names it)\n").unwrap().to_owned()
}

#[test]
fn whoever_answers_and_is_no_docker_engine_is_an_error() {
    let podman = said_to("podman", "HTTP/1.1 200 OK\r\nServer: Libpod/5.4.0 (linux)\r\nContent-Length: 2\r\n\r\n{}");
    let web = said_to("web", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let mail = said_to("mail", "220 mail.example.org ESMTP\r\n");
    let nobody = said_to("nobody", "");

    assert!(podman.starts_with(": not supported: Podman answers"), "{podman}");
    assert_eq!(
        web,
        ": the answer is not understood: no Docker engine listens there: it answers 404 Not Found to /version"
    );
    assert!(mail.contains("does not speak HTTP"), "{mail}");
    assert!(nobody.contains(": not reachable: "), "{nobody}");
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
