//! What a failure of Docker means, in the words of core.
//!
//! Docker answers with an HTTP status and a text. The status alone is not enough: a port that is taken is a 500
//! like any other, and so is a container that is not paused.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use bollard::errors::Error as Failure;
use kolla_container_core::state::ImageToPull;
use kolla_container_core::{Error, ErrorKind};

/// What is being done, and to what: the beginning of an error, should there be one.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    operation: &'static str,
    subject: String,
}

impl Asked {
    pub(crate) fn new(operation: &'static str, subject: impl fmt::Display) -> Self {
        Self { operation, subject: subject.to_string() }
    }

    /// The failure as the error of this request.
    pub(crate) fn failed(&self, failure: &Failure) -> Error {
        self.error(kind(failure)).because(text(failure))
    }

    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, self.operation, &self.subject)
    }
}

/// Why a pull failed. What Docker says of it comes from the registry, or from the way to it; where Docker itself is not
/// reached, it says nothing.
pub(crate) fn of_pull(pull: &ImageToPull, failure: &Failure) -> Error {
    match failure {
        Failure::DockerResponseServerError { .. } | Failure::DockerStreamError { .. } => {
            pull.failed(&text(failure)).into_error(pull)
        }
        failure => Asked::new("pull image", pull.image.familiar()).failed(failure),
    }
}

/// The status of Docker's answer, where it is one.
pub(crate) fn status(failure: &Failure) -> Option<u16> {
    match failure {
        Failure::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Whether Docker says that there is nothing of such a name. It takes the beginning of an id for a name, too: what it says
/// to be that of several is the name of none.
pub(crate) fn is_not_found(failure: &Failure) -> bool {
    match failure {
        Failure::DockerResponseServerError { status_code: 404, .. } => true,
        Failure::DockerResponseServerError { message, .. } => {
            message.contains("IDs found with provided prefix") || message.contains("matches found based on ID prefix")
        }
        _ => false,
    }
}

/// Whether an image was found and its layers were not, as those of one that is removed at that moment.
pub(crate) fn is_without_layers(failure: &Failure) -> bool {
    matches!(failure, Failure::DockerResponseServerError { status_code: 500, message }
        if message.contains("layer does not exist"))
}

/// What Docker says, without what the client puts in front of it.
pub(crate) fn text(failure: &Failure) -> String {
    match failure {
        Failure::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Failure::DockerStreamError { error } => error.trim().to_owned(),
        Failure::JsonDataError { message, .. } => without_value(message),
        Failure::JsonSerdeError { err } => without_value(&err.to_string()),
        failure => causes(failure).last().map_or_else(|| failure.to_string(), ToString::to_string),
    }
}

/// What is wrong with a document, without the value that is: any value of a container may be secret. Only a word of an
/// enumeration is said.
pub(crate) fn without_value(message: &str) -> String {
    match (message.split_once(": "), message.rsplit_once(", expected ")) {
        (Some((wrong, _)), Some((_, expected))) if wrong.starts_with("invalid ") => {
            format!("{wrong}, expected {expected}")
        }
        _ => message.to_owned(),
    }
}

/// The failure and what caused it. A transparent error hides its own cause, so the client's are taken by hand.
fn causes(failure: &Failure) -> Vec<&(dyn StdError + 'static)> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(match failure {
        Failure::IOError { err } => err,
        failure => failure,
    });
    let mut causes = Vec::new();
    while let Some(cause) = next {
        causes.push(cause);
        next = cause.source();
    }
    causes
}

fn kind(failure: &Failure) -> ErrorKind {
    match failure {
        Failure::DockerResponseServerError { status_code, message } => answered(*status_code, message),
        Failure::DockerStreamError { error } => said(error).unwrap_or(ErrorKind::EngineFailed),
        Failure::JsonDataError { .. } | Failure::JsonSerdeError { .. } | Failure::StrParseError { .. } => {
            ErrorKind::Undecodable
        }
        Failure::RequestTimeoutError => ErrorKind::TimedOut,
        Failure::IOError { .. } | Failure::HyperResponseError { .. } => {
            let denied = causes(failure)
                .into_iter()
                .filter_map(|cause| cause.downcast_ref::<io::Error>())
                .any(|error| error.kind() == io::ErrorKind::PermissionDenied);
            if denied { ErrorKind::Denied } else { ErrorKind::Unreachable }
        }
        _ => ErrorKind::EngineFailed,
    }
}

fn answered(status: u16, message: &str) -> ErrorKind {
    match status {
        400 => said(message).unwrap_or(ErrorKind::Rejected),
        401 | 403 => said(message).unwrap_or(ErrorKind::Denied),
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        501 => ErrorKind::Unsupported,
        _ => said(message).unwrap_or(ErrorKind::EngineFailed),
    }
}

/// What some well-known texts mean, whatever the status is that they come with.
fn said(message: &str) -> Option<ErrorKind> {
    const KNOWN: [(&str, ErrorKind); 5] = [
        ("port is already allocated", ErrorKind::Conflict),
        ("address already in use", ErrorKind::Conflict),
        ("already exists", ErrorKind::Conflict),
        ("is in use", ErrorKind::Conflict),
        ("has active endpoints", ErrorKind::Conflict),
    ];
    find(&KNOWN, message)
}

fn find(known: &[(&str, ErrorKind)], message: &str) -> Option<ErrorKind> {
    let message = message.to_ascii_lowercase();
    known.iter().find(|(words, _)| message.contains(words)).map(|(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status_code: u16, message: &str) -> Failure {
        Failure::DockerResponseServerError { status_code, message: message.to_owned() }
    }

    #[test]
    fn an_answer_means_what_its_status_and_its_text_say() {
        let cases = [
            (404, "No such container: db", ErrorKind::NotFound),
            (409, "Conflict. The container name \"/db\" is already in use", ErrorKind::Conflict),
            (400, "invalid IPv4 address", ErrorKind::Rejected),
            (403, "endpoint with name db already exists in network net", ErrorKind::Conflict),
            (500, "Bind for 0.0.0.0:80 failed: port is already allocated", ErrorKind::Conflict),
            (500, "exec: no such file or directory", ErrorKind::EngineFailed),
            (500, "OCI runtime create failed", ErrorKind::EngineFailed),
            (501, "not implemented", ErrorKind::Unsupported),
        ];

        for (status, message, kind) in cases {
            assert_eq!(Asked::new("do", "it").failed(&answer(status, message)).kind(), kind, "{status} {message}");
        }
    }

    #[test]
    fn what_many_ids_begin_with_is_the_name_of_nothing() {
        assert!(is_not_found(&answer(404, "No such container: 5")));
        assert!(is_not_found(&answer(500, "Multiple IDs found with provided prefix: 5")));
        assert!(is_not_found(&answer(400, "2 matches found based on ID prefix: network 5 is ambiguous")));
        assert!(!is_not_found(&answer(400, "2 matches found based on name: network db is ambiguous")));
        assert!(!is_not_found(&answer(500, "it broke")));
    }

    #[test]
    fn an_error_says_what_was_asked_and_what_docker_said() {
        let error = Asked::new("stop container", "db").failed(&answer(500, "cannot kill\n"));

        assert_eq!(error.report(), "stop container db: the engine failed: cannot kill");
    }

    #[test]
    fn a_socket_that_may_not_be_used_is_denied_and_a_lost_one_is_not_reachable() {
        let failure = |kind| Failure::IOError { err: io::Error::from(kind) };

        assert_eq!(kind(&failure(io::ErrorKind::PermissionDenied)), ErrorKind::Denied);
        assert_eq!(kind(&failure(io::ErrorKind::ConnectionReset)), ErrorKind::Unreachable);
    }
}
