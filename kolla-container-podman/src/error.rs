//! What a failure of Podman means, in the words of core.
//!
//! Podman answers with an HTTP status and a text. The status alone is not enough: most of what is in the way of
//! something else is a 500.

use std::fmt;

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
        self.error(failure.kind()).because(failure)
    }

    pub(crate) fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind, self.operation, &self.subject)
    }
}

/// Why a pull failed. What Podman says of it comes from the registry, or from the way to it; where Podman itself is not
/// reached, it says nothing.
pub(crate) fn of_pull(pull: &ImageToPull, failure: &Failure) -> Error {
    match failure {
        Failure::Answered { message, .. } | Failure::Said(message) => pull.failed(message).into_error(pull),
        Failure::Lost { .. } => Asked::new("pull image", pull.image.familiar()).failed(failure),
    }
}

/// Why there is no answer, or none of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Podman answers with an error.
    Answered { status: u16, message: String },
    /// Podman says in the middle of an answer that it has failed.
    Said(String),
    /// There is no answer, or none that can be understood.
    Lost { kind: ErrorKind, cause: String },
}

impl Failure {
    /// There is no answer of use, which means this.
    pub(crate) fn new(kind: ErrorKind, cause: impl fmt::Display) -> Self {
        Self::Lost { kind, cause: cause.to_string() }
    }

    /// The answer is a document that is not as it should be.
    pub(crate) fn undecodable(error: &serde_json::Error) -> Self {
        Self::new(ErrorKind::Undecodable, without_value(&error.to_string()))
    }

    /// The status of Podman's answer, where it is one.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether Podman says that there is no such thing: what was asked for, not something that it needs. It takes the
    /// beginning of an id for a name, too: what it says to be that of several is the name of none.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Answered { status, message }
            if *status == 404 || message.contains("more than one result for network ID"))
    }

    /// Whether Podman answers that there is no such thing, however it says so: what goes away while it is looked at is a
    /// 500. For requests that need nothing else.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self, Self::Answered { .. }) && self.kind() == ErrorKind::NotFound
    }

    /// Whether a container could not be killed because it has just ended by itself, as one in a crash loop does.
    pub(crate) fn is_ended_meanwhile(&self) -> bool {
        matches!(self, Self::Answered { message, .. } | Self::Said(message)
            if message.contains("could not be stopped") && message.contains("state improper"))
    }

    /// Whether somebody else has just made a volume that Podman was about to make for a container.
    pub(crate) fn is_volume_of_another(&self) -> bool {
        matches!(self, Self::Answered { message, .. }
            if message.contains("creating named volume") && message.contains("volume already exists"))
    }

    /// Whether a layer that a pull had counted on was removed with an image of somebody else.
    pub(crate) fn is_layer_removed_meanwhile(&self) -> bool {
        matches!(self, Self::Answered { message, .. } | Self::Said(message)
            if message.ends_with("layer not known"))
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        match self {
            Self::Answered { status, message } => answered(*status, message),
            Self::Said(message) => said(message).unwrap_or(ErrorKind::EngineFailed),
            Self::Lost { kind, .. } => *kind,
        }
    }
}

/// What Podman says, or why it says nothing.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered { message, .. } | Self::Said(message) => f.write_str(message),
            Self::Lost { cause, .. } => f.write_str(cause),
        }
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

fn answered(status: u16, message: &str) -> ErrorKind {
    match status {
        400 => said(message).unwrap_or(ErrorKind::Rejected),
        401 | 403 => said(message).unwrap_or(ErrorKind::Denied),
        // The text may speak of several that are there: names that only begin like the one that was asked for.
        404 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        501 => ErrorKind::Unsupported,
        _ => said(message).unwrap_or(ErrorKind::EngineFailed),
    }
}

/// What some well-known texts mean, whatever the status is that they come with.
fn said(message: &str) -> Option<ErrorKind> {
    const KNOWN: [(&str, ErrorKind); 20] = [
        ("unique constraint failed", ErrorKind::Conflict),
        ("already in use", ErrorKind::Conflict),
        ("is in use", ErrorKind::Conflict),
        ("is being used", ErrorKind::Conflict),
        ("already used", ErrorKind::Conflict),
        ("already exists", ErrorKind::Conflict),
        ("already allocated", ErrorKind::Conflict),
        ("already connected", ErrorKind::Conflict),
        ("state improper", ErrorKind::Conflict),
        ("no such container", ErrorKind::NotFound),
        ("no such volume", ErrorKind::NotFound),
        ("network not found", ErrorKind::NotFound),
        ("image not known", ErrorKind::NotFound),
        ("has already been removed", ErrorKind::NotFound),
        ("invalid configuration", ErrorKind::Rejected),
        ("no command or entrypoint provided", ErrorKind::Rejected),
        ("cannot unmarshal", ErrorKind::Rejected),
        ("requires root privileges", ErrorKind::Denied),
        ("not yet implemented", ErrorKind::Unsupported),
        ("no support for this os", ErrorKind::Unsupported),
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

    fn answer(status: u16, message: &str) -> Failure {
        Failure::Answered { status, message: message.to_owned() }
    }

    #[test]
    fn an_answer_means_what_its_status_and_its_text_say() {
        let cases = [
            (404, "no container with name or ID \"db\" found: no such container", ErrorKind::NotFound),
            (
                404,
                "more than one result for container name or ID prefix ab: container already exists",
                ErrorKind::NotFound,
            ),
            (409, "network name net already used: network already exists", ErrorKind::Conflict),
            (400, "failed to parse query parameter 'filters'", ErrorKind::Rejected),
            (
                403,
                "container ab is already connected to network net: network is already connected",
                ErrorKind::Conflict,
            ),
            (403, "no", ErrorKind::Denied),
            (
                500,
                "the container name \"db\" is already in use by ab: that name is already in use",
                ErrorKind::Conflict,
            ),
            (500, "name \"db\" is in use: container already exists", ErrorKind::Conflict),
            (500, "cannot remove container ab as it is running: container state improper", ErrorKind::Conflict),
            (
                500,
                "ab has dependent containers which must be removed before it: container already exists",
                ErrorKind::Conflict,
            ),
            (500, "\"net\" has associated containers with it: network is being used", ErrorKind::Conflict),
            (500, "requested ip address 10.88.0.2 is already allocated to container ID ab", ErrorKind::Conflict),
            (500, "subnet 10.88.0.0/16 is already used on the host or by another config", ErrorKind::Conflict),
            (500, "listen tcp4 :80: bind: address already in use", ErrorKind::Conflict),
            (500, "unable to find network with name or ID net: network not found", ErrorKind::NotFound),
            (500, "docker.io/library/app:1: image not known", ErrorKind::NotFound),
            (500, "decode(): json: cannot unmarshal string into Go value", ErrorKind::Rejected),
            (500, "crun: executable file `/no` not found: No such file or directory", ErrorKind::EngineFailed),
            (500, "OCI permission denied", ErrorKind::EngineFailed),
            (501, "no", ErrorKind::Unsupported),
        ];

        for (status, message, kind) in cases {
            assert_eq!(Asked::new("do", "it").failed(&answer(status, message)).kind(), kind, "{status} {message}");
        }
    }

    #[test]
    fn only_a_status_says_that_what_was_asked_for_is_not_there() {
        assert!(answer(404, "no such container").is_not_found());
        assert!(answer(500, "inspecting network 7: more than one result for network ID 7").is_not_found());
        assert!(!answer(500, "looking up container to share net namespace with: no such container").is_not_found());
        assert!(!Failure::new(ErrorKind::NotFound, "there is no such socket").is_not_found());
    }

    #[test]
    fn a_volume_that_somebody_else_has_just_made_is_told_from_one_that_is_in_the_way() {
        let race = "creating named volume \"logs\": adding volume to state: name logs is in use: volume already exists";

        assert!(answer(500, race).is_volume_of_another());
        assert!(!answer(500, "volume with name logs already exists: volume already exists").is_volume_of_another());
    }

    #[test]
    fn a_layer_that_somebody_else_has_just_removed_is_told_from_one_that_cannot_be_added() {
        let removed = |message: &str| Failure::Said(message.to_owned()).is_layer_removed_meanwhile();

        assert!(removed("writing blob: adding layer with blob \"sha256:fd0e\": layer not known"));
        assert!(removed("committing the finished image: creating image \"720c\": layer not known"));
        assert!(!removed("writing blob: adding layer with blob \"sha256:fd0e\": no space left on device"));
    }

    #[test]
    fn an_engine_that_is_lost_during_a_pull_is_not_taken_for_a_registry() {
        let failure = Failure::new(ErrorKind::TimedOut, "no answer within 2s");

        assert_eq!(of_pull(&ImageToPull::new("app".parse().unwrap()), &failure).kind(), ErrorKind::TimedOut);
    }

    #[test]
    fn an_error_says_what_was_asked_and_what_podman_said() {
        let error = Asked::new("stop container", "db").failed(&answer(500, "cannot kill"));

        assert_eq!(error.report(), "stop container db: the engine failed: cannot kill");
    }

    #[test]
    fn what_is_wrong_with_a_document_is_said_without_the_value() {
        let error = serde_json::from_str::<u8>("\"hunter2\"").unwrap_err();

        let cause = "invalid type, expected u8 at line 1 column 9";
        assert_eq!(Failure::undecodable(&error), Failure::new(ErrorKind::Undecodable, cause));
    }
}
