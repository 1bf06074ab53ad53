//! The document that the module prints.

use serde::Serialize;
use serde_json::Value;

use crate::names::Difference;

/// What came of an action.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Answer {
    /// Whether anything was changed, or would be.
    pub(crate) changed: bool,
    /// What the action has to say: as a rule the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<bool>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) failed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) msg: Option<String>,
    /// What differs of a container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) comparison_failures: Option<Vec<Difference>>,
    /// How a container ended that was waited for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Ended>,
    /// What was before, and what is after; where it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) diff: Option<Value>,
    /// What an engine did not do as asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
}

/// How a container ended.
#[derive(Debug, Serialize)]
pub(crate) struct Ended {
    pub(crate) rc: i64,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Answer {
    /// It was done.
    pub(crate) fn of(changed: bool) -> Self {
        Self { changed, result: Some(changed), ..Self::default() }
    }

    /// It was not done, and nothing was changed.
    pub(crate) fn failed(msg: impl Into<String>) -> Self {
        Self { failed: true, msg: Some(msg.into()), ..Self::default() }
    }

    /// The same, and it failed.
    pub(crate) fn but_failed(self, msg: impl Into<String>) -> Self {
        Self { failed: true, msg: Some(msg.into()), ..self }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
