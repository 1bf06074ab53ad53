//! What a listener is told while a plan is carried out.

use std::fmt;
use std::time::Duration;

use super::report::ContainerReport;
use crate::error::Error;
use crate::image_ref::ImageRef;
use crate::images::Progress;
use crate::name::ContainerName;

/// Something that happened.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A step begins.
    StepStarted {
        /// Of this container.
        container: &'a ContainerName,
        /// In words.
        step: &'a str,
        /// The how many-th, from 1.
        number: usize,
        /// Of how many.
        of: usize,
    },
    /// A step is done.
    StepDone {
        /// Of this container.
        container: &'a ContainerName,
        /// In words.
        step: &'a str,
        /// How long it took.
        took: Duration,
    },
    /// A step failed; what was done before is undone now.
    StepFailed {
        /// Of this container.
        container: &'a ContainerName,
        /// In words.
        step: &'a str,
        /// Why.
        error: &'a Error,
    },
    /// A step is being undone.
    Undoing {
        /// Of this container.
        container: &'a ContainerName,
        /// What is done for that, in words.
        action: &'a str,
    },
    /// A pull goes on.
    Pull {
        /// For this container; others that need the same image share it, and are told the same.
        container: &'a ContainerName,
        /// The image.
        image: &'a ImageRef,
        /// How far it is.
        progress: &'a Progress,
    },
    /// A container has been dealt with.
    ContainerDone {
        /// With this result.
        report: &'a ContainerReport,
    },
}

/// Somebody who wants to know how far it is. Called from the task that does the work: be quick.
pub trait Listener: fmt::Debug + Send + Sync {
    /// Something happened.
    fn event(&self, event: &Event<'_>);
}

/// Nobody wants to know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Listener for Silent {
    fn event(&self, _: &Event<'_>) {}
}
