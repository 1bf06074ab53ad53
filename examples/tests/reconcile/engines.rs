//! Which engine it is about, and who does not answer.

use std::io::{Read, Write};

use crate::{Folder, Ran};

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
