//! What the command means by what it says on standard error instead of doing what it was asked.

use std::fmt::Display;

use kolla_container_core::{Error, ErrorKind};

/// A command that did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) kind: ErrorKind,
    text: String,
}

impl Refusal {
    /// That the command said `text`.
    pub(super) fn said(text: &str) -> Self {
        Self { kind: kind(text), text: text.trim().to_owned() }
    }

    pub(super) fn new(kind: ErrorKind, text: impl Display) -> Self {
        Self { kind, text: text.to_string() }
    }

    /// The same words, with another meaning.
    pub(super) fn meaning(self, kind: ErrorKind) -> Self {
        Self { kind, ..self }
    }

    /// Whether the command said these words.
    pub(super) fn said_that(&self, words: &str) -> bool {
        self.text.contains(words)
    }

    /// The words.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// As the error of what was being done, and to what.
    pub(super) fn into_error(self, operation: &'static str, subject: impl Display) -> Error {
        Error::new(self.kind, operation, subject).because(self.text)
    }
}

/// In this order: what a program in a container is missing is not what the engine is missing.
const KNOWN: [(&str, ErrorKind); 39] = [
    ("cannot connect to", ErrorKind::Unreachable),
    ("unable to connect to", ErrorKind::Unreachable),
    ("permission denied while trying to connect", ErrorKind::Denied),
    ("unauthorized", ErrorKind::Denied),
    ("unknown flag", ErrorKind::Unsupported),
    ("conflicting options", ErrorKind::Rejected),
    ("address already in use", ErrorKind::Conflict),
    ("port is already allocated", ErrorKind::Conflict),
    ("oci runtime", ErrorKind::EngineFailed),
    ("executable file", ErrorKind::EngineFailed),
    ("no such file or directory", ErrorKind::EngineFailed),
    ("plugin", ErrorKind::EngineFailed),
    ("is not running", ErrorKind::Conflict),
    ("is paused", ErrorKind::Conflict),
    ("container state improper", ErrorKind::Conflict),
    ("unique constraint failed", ErrorKind::Conflict),
    ("already in use", ErrorKind::Conflict),
    ("already exists", ErrorKind::Conflict),
    ("already used", ErrorKind::Conflict),
    ("is in use", ErrorKind::Conflict),
    ("is being used", ErrorKind::Conflict),
    ("in use by", ErrorKind::Conflict),
    ("is using its referenced image", ErrorKind::Conflict),
    ("has active endpoints", ErrorKind::Conflict),
    ("has associated containers", ErrorKind::Conflict),
    ("has dependent containers", ErrorKind::Conflict),
    ("ids found with provided prefix", ErrorKind::NotFound),
    ("no such container", ErrorKind::NotFound),
    ("no such image", ErrorKind::NotFound),
    ("no such network", ErrorKind::NotFound),
    ("no such volume", ErrorKind::NotFound),
    ("no such object", ErrorKind::NotFound),
    ("no container with name or id", ErrorKind::NotFound),
    ("no volume with name", ErrorKind::NotFound),
    ("image not known", ErrorKind::NotFound),
    ("manifest unknown", ErrorKind::NotFound),
    ("not found", ErrorKind::NotFound),
    ("conflict", ErrorKind::Conflict),
    ("invalid", ErrorKind::Rejected),
];

fn kind(text: &str) -> ErrorKind {
    let text = text.to_ascii_lowercase();
    let known = KNOWN.iter().find(|(words, _)| text.contains(words));
    known.map_or(ErrorKind::EngineFailed, |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_command_says_has_a_meaning() {
        let said = [
            ("Error: No such container: db", ErrorKind::NotFound),
            ("Error response from daemon: network net not found", ErrorKind::NotFound),
            ("Error response from daemon: manifest for a:1 not found: manifest unknown", ErrorKind::NotFound),
            ("Conflict. The container name \"/db\" is already in use by container \"a1\"", ErrorKind::Conflict),
            ("Error response from daemon: Container a1 is not running", ErrorKind::Conflict),
            ("Error response from daemon: remove data: volume is in use - [a1]", ErrorKind::Conflict),
            ("driver failed: Bind for 0.0.0.0:80 failed: port is already allocated", ErrorKind::Conflict),
            ("OCI runtime create failed: exec: \"/no\": no such file or directory", ErrorKind::EngineFailed),
            ("create data: error looking up volume plugin kit: plugin \"kit\" not found", ErrorKind::EngineFailed),
            ("Error: no container with name or ID \"db\" found: no such container", ErrorKind::NotFound),
            ("Error: unable to find network with name or ID net: network not found", ErrorKind::NotFound),
            ("Error: \"a1\" is not running, can't pause: container state improper", ErrorKind::Conflict),
            ("Error: image used by a1: image is in use by a container", ErrorKind::Conflict),
            (
                "Error: runc: exec: \"/no\": OCI runtime attempted to invoke a command that was not found",
                ErrorKind::EngineFailed,
            ),
            ("Cannot connect to the Docker daemon at unix:///no.sock. Is it running?", ErrorKind::Unreachable),
        ];

        for (text, kind) in said {
            assert_eq!(Refusal::said(text).kind, kind, "{text}");
        }
    }

    #[test]
    fn an_error_has_what_the_command_said_as_its_cause() {
        let error = Refusal::said("Error: No such container: db\n").into_error("start container", "db");

        assert_eq!(error.report(), "start container db: not found: Error: No such container: db");
    }
}
