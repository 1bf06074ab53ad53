//! The document that a module prints.

use std::collections::BTreeMap;

use kolla_container_core::apply::RunOutput;
use serde::Serialize;
use serde_json::Value;

use crate::differences::Difference;
use crate::secrets::Secrets;

/// What came of an action.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Answer {
    /// Whether anything was changed, or would be.
    pub(crate) changed: bool,
    /// What a comparison has found; no for everything else, as the Python module has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<bool>,
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) failed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) msg: Option<String>,
    /// What differs of a container.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) comparison_failures: Vec<Difference>,
    /// How a container ended that was waited for.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(crate) ended: Option<Ended>,
    /// What was before, and what is after; where it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) diff: Option<Value>,
    /// What an engine did not do as asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
    /// Facts, and what else is told of a failure.
    #[serde(flatten)]
    pub(crate) more: BTreeMap<String, Value>,
}

/// How a container ended; by default, as one that did what it was to do and said nothing.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Ended {
    pub(crate) rc: i64,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<RunOutput> for Ended {
    fn from(RunOutput { code, stdout, stderr }: RunOutput) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { rc: code, stdout: text(stdout), stderr: text(stderr) }
    }
}

impl Answer {
    /// It was done, or would be.
    pub(crate) fn of(changed: bool) -> Self {
        Self { changed, result: Some(false), ..Self::default() }
    }

    /// It was not done, and nothing was changed.
    pub(crate) fn failed(msg: impl Into<String>) -> Self {
        Self { failed: true, msg: Some(msg.into()), ..Self::default() }
    }

    /// The same, and it failed.
    pub(crate) fn but_failed(self, msg: impl Into<String>) -> Self {
        Self { failed: true, msg: Some(msg.into()), result: None, ..self }
    }

    /// The same, and something was changed before.
    pub(crate) fn after(self, changed: bool) -> Self {
        Self { changed: self.changed || changed, ..self }
    }

    /// The same without any of these secrets.
    pub(crate) fn without(mut self, secrets: &Secrets) -> Self {
        for difference in &mut self.comparison_failures {
            secrets.hide_in(&mut difference.current);
            secrets.hide_in(&mut difference.desired);
        }
        self.diff.iter_mut().for_each(|diff| secrets.hide_in(diff));
        let is_failure = self.failed;
        let hide = |text: String| secrets.hide(&text, is_failure);
        Self {
            msg: self.msg.map(hide),
            ended: self.ended.map(|Ended { rc, stdout, stderr }| Ended {
                rc,
                stdout: hide(stdout),
                stderr: hide(stderr),
            }),
            warnings: self.warnings.into_iter().map(hide).collect(),
            ..self
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_false(value: &bool) -> bool {
    !value
}
