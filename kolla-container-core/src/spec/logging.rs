//! Where the output of a container goes.

use serde::{Deserialize, Serialize};

use super::environment::TextMap;

/// Where standard output and standard error go. Each field that is `None` is not stated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Logging {
    /// The logging driver: `json-file`, `journald`, `none`. `LogConfig.Type`. Default: the engine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Options of the driver: `max-size`, `tag`. `LogConfig.Config`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<TextMap>,
}
