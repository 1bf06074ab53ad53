//! What is said of a failure, in the words of the Python module.

use kolla_container_core::apply::ApplyError;
use kolla_container_core::dialect::kolla::Engine;
use kolla_container_core::images::EnsureError;
use kolla_container_core::state::{PullError, PullFailure};
use kolla_container_core::{Error, ErrorKind};

use crate::answer::Answer;
use crate::call::ContainerCall;

/// Why there is no answer of another kind.
#[derive(Debug)]
pub(crate) enum Failure {
    /// It is said.
    Said(Box<Answer>),
    /// An engine, or systemd, says so.
    Of(Error),
}

impl Failure {
    /// What is wrong with what was asked for.
    pub(crate) fn said(msg: impl Into<String>) -> Self {
        Answer::failed(msg).into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Of(error)
    }
}

impl From<Answer> for Failure {
    fn from(answer: Answer) -> Self {
        Self::Said(Box::new(answer))
    }
}

impl From<Failure> for Answer {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Said(answer) => *answer,
            Failure::Of(error) => Self::failed(error.report()),
        }
    }
}

/// What is said where an image did not come.
pub(crate) fn of_pull(call: &ContainerCall, error: &EnsureError) -> String {
    said_of_pull(call, error.failure(), &error.to_string())
}

/// What is said where a step of a plan has failed.
pub(crate) fn of_step(call: &ContainerCall, failed: &ApplyError) -> String {
    if let Some(pull) = PullError::of(&failed.error) {
        return said_of_pull(call, Some(pull.failure()), &failed.error.report());
    }
    let is_start = ["start", "restart", "verify"].iter().any(|verb| failed.step.starts_with(verb));
    let is_late = matches!(failed.error.kind(), ErrorKind::TimedOut | ErrorKind::EngineFailed);
    if is_start && is_late && call.is_supervised() {
        return format!("Container timed out: {failed}");
    }
    failed.to_string()
}

fn said_of_pull(call: &ContainerCall, failure: Option<PullFailure>, report: &str) -> String {
    match failure {
        Some(PullFailure::NoRepository | PullFailure::NoManifest | PullFailure::InvalidName) => {
            format!("The requested image does not exist: {}", with_tag(call))
        }
        _ => format!("Unknown error message: {report}"),
    }
}

/// The image as it was written; for Docker with its tag.
fn with_tag(call: &ContainerCall) -> String {
    let path = call.image.split_once('/').map_or(call.image.as_str(), |(_, path)| path);
    if call.engine() == Engine::Podman || path.contains(':') {
        return call.image.clone();
    }
    format!("{}:latest", call.image)
}
