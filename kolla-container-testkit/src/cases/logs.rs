//! What containers have printed.

use std::time::Duration;

use kolla_container_core::state::{LogOptions, Status};
use kolla_container_core::{ContainerId, ErrorKind};
use tokio::time::Instant;

use super::cases;
use crate::harness::{Harness, Kind};
use crate::images::Images;

cases! { "logs";
    standard_output_and_standard_error_are_told_apart;
    the_last_lines_alone_are_read;
    a_tail_longer_than_the_output_is_all_of_it;
    reading_does_not_wait_for_the_end;
    following_ends_when_the_container_ends;
    following_a_container_that_has_ended_ends_at_once;
    a_container_that_never_ran_has_printed_nothing;
    what_earlier_runs_printed_stays;
    the_logs_of_what_is_gone_are_not_found;
}

const ALL: LogOptions = LogOptions { follow: false, tail: None };

async fn standard_output_and_standard_error_are_told_apart(h: &Harness) {
    let id = h.start(&h.name("job"), &h.made_from(&h.images().done)).await;
    h.runtime().wait_container(&id).await.unwrap();

    let (stdout, stderr) = h.logs(&id, ALL).await.unwrap();

    assert_eq!((stdout.as_str(), stderr.as_str()), (Images::STDOUT, Images::STDERR));
}

async fn the_last_lines_alone_are_read(h: &Harness) {
    let id = h.start(&h.name("job"), &h.made_from(&h.images().done)).await;
    h.runtime().wait_container(&id).await.unwrap();

    let (stdout, stderr) = h.logs(&id, LogOptions { follow: false, tail: Some(2) }).await.unwrap();
    let none = h.logs(&id, LogOptions { follow: false, tail: Some(0) }).await.unwrap();

    assert_eq!(stdout.lines().count() + stderr.lines().count(), 2, "{stdout:?} {stderr:?}");
    assert!(Images::STDOUT.ends_with(&stdout) && Images::STDERR.ends_with(&stderr));
    assert_eq!(none, (String::new(), String::new()));
}

async fn a_tail_longer_than_the_output_is_all_of_it(h: &Harness) {
    let id = h.start(&h.name("job"), &h.made_from(&h.images().done)).await;
    h.runtime().wait_container(&id).await.unwrap();

    let logs = h.logs(&id, LogOptions { follow: false, tail: Some(1000) }).await.unwrap();

    assert_eq!(logs, (Images::STDOUT.to_owned(), Images::STDERR.to_owned()));
}

async fn reading_does_not_wait_for_the_end(h: &Harness) {
    let id = h.start(&h.name("web"), &h.made_from(&h.images().prints)).await;

    until_it_has_printed(h, &id).await;

    assert_eq!(h.see_id(&id).await.status, Status::Running);
}

async fn until_it_has_printed(h: &Harness, id: &ContainerId) {
    let begun = Instant::now();
    while h.logs(id, ALL).await.unwrap() != (Images::STDOUT.to_owned(), Images::STDERR.to_owned()) {
        assert!(begun.elapsed() < Duration::from_mins(3), "it has not printed what it should have");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn following_ends_when_the_container_ends(h: &Harness) {
    let id = h.start(&h.name("job"), &h.made_from(&h.images().prints)).await;
    let follow = h.logs(&id, LogOptions { follow: true, tail: None });
    let stop = async {
        until_it_has_printed(h, &id).await;
        let asked = Instant::now();
        h.runtime().stop_container(&id, Some(kolla_container_core::TimeSpan::from_secs(1))).await.unwrap();
        asked
    };

    let ((logs, ended), asked) = futures_util::future::join(async { (follow.await, Instant::now()) }, stop).await;

    assert_eq!(logs.unwrap(), (Images::STDOUT.to_owned(), Images::STDERR.to_owned()));
    assert!(ended >= asked, "it ended while the container ran");
}

async fn following_a_container_that_has_ended_ends_at_once(h: &Harness) {
    let id = h.start(&h.name("job"), &h.made_from(&h.images().done)).await;
    h.runtime().wait_container(&id).await.unwrap();

    let logs = h.logs(&id, LogOptions { follow: true, tail: None }).await.unwrap();

    assert_eq!(logs, (Images::STDOUT.to_owned(), Images::STDERR.to_owned()));
}

async fn a_container_that_never_ran_has_printed_nothing(h: &Harness) {
    let id = h.create(&h.name("job"), &h.made_from(&h.images().prints)).await;

    assert_eq!(h.logs(&id, ALL).await.unwrap(), (String::new(), String::new()));
}

async fn what_earlier_runs_printed_stays(h: &Harness) {
    let id = h.start(&h.name("job"), &h.made_from(&h.images().done)).await;
    h.runtime().wait_container(&id).await.unwrap();
    h.runtime().start_container(&id).await.unwrap();
    h.runtime().wait_container(&id).await.unwrap();

    let (stdout, stderr) = h.logs(&id, ALL).await.unwrap();

    assert_eq!((stdout, stderr), (Images::STDOUT.repeat(2), Images::STDERR.repeat(2)));
}

async fn the_logs_of_what_is_gone_are_not_found(h: &Harness) {
    let id = h.create(&h.name("job"), &h.made_from(&h.images().prints)).await;
    h.runtime().remove_container(&id).await.unwrap();

    assert_eq!(h.logs(&id, ALL).await.kind(), Some(ErrorKind::NotFound));
}
