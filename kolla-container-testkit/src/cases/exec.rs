//! Commands in running containers.

use kolla_container_core::ErrorKind;
use kolla_container_core::state::Status;
use serde_json::json;

use super::cases;
use crate::harness::{Harness, Kind};
use crate::images::Program;

cases! { "exec";
    a_command_that_succeeds_answers_zero;
    a_command_that_fails_answers_its_status_and_what_it_printed;
    a_command_that_is_not_there_answers_126_or_127;
    a_command_leaves_the_container_as_it_is;
    a_new_container_runs_no_command;
    a_stopped_container_runs_no_command;
    a_paused_container_runs_no_command;
    a_container_that_is_gone_runs_no_command;
}

async fn a_command_that_succeeds_answers_zero(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;

    let output = h.exec(&id, Program::Succeeds).await.unwrap();

    assert_eq!((output.code, output.stdout, output.stderr), (0, Vec::new(), Vec::new()));
}

async fn a_command_that_fails_answers_its_status_and_what_it_printed(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;

    let output = h.exec(&id, Program::Fails).await.unwrap();

    assert_eq!(output.code, 7);
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (b"out\n".as_slice(), b"err\n".as_slice()));
}

async fn a_command_that_is_not_there_answers_126_or_127(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;

    let output = h.exec(&id, Program::Missing).await.unwrap();

    assert!(matches!(output.code, 126 | 127), "{}", output.code);
}

async fn a_command_leaves_the_container_as_it_is(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    let before = h.see_id(&id).await;

    for program in Program::ALL {
        h.exec(&id, program).await.unwrap();
    }

    assert_eq!(h.see_id(&id).await, before);
}

async fn a_new_container_runs_no_command(h: &Harness) {
    let id = h.create(&h.name("web"), &h.spec(json!({}))).await;

    assert_eq!(h.exec(&id, Program::Succeeds).await.kind(), Some(ErrorKind::Conflict));
}

async fn a_stopped_container_runs_no_command(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    h.runtime().stop_container(&id, None).await.unwrap();

    assert_eq!(h.exec(&id, Program::Succeeds).await.kind(), Some(ErrorKind::Conflict));
    assert_eq!(h.see_id(&id).await.status, Status::Exited);
}

async fn a_paused_container_runs_no_command(h: &Harness) {
    let id = h.start(&h.name("web"), &h.spec(json!({}))).await;
    h.runtime().pause_container(&id).await.unwrap();

    assert_eq!(h.exec(&id, Program::Succeeds).await.kind(), Some(ErrorKind::Conflict));
    assert_eq!(h.see_id(&id).await.status, Status::Paused);
}

async fn a_container_that_is_gone_runs_no_command(h: &Harness) {
    let id = h.create(&h.name("web"), &h.spec(json!({}))).await;
    h.runtime().remove_container(&id).await.unwrap();

    assert_eq!(h.exec(&id, Program::Succeeds).await.kind(), Some(ErrorKind::NotFound));
}
