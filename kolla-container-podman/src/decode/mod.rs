//! What Podman says of a container or an image, in normal form.
//!
//! Pure, and lenient: a key that is missing is Podman's default. Everything that Podman says is reported, also what it
//! added by itself; which of it is expected is for core to decide. What it remembers in annotations of its own is the
//! field that it remembers, and no annotation. Documents of Podman 4 and 5 are read alike.
//!
//! ```
//! use kolla_container_podman::decode;
//! use serde_json::json;
//!
//! let document = json!({
//!     "Id": "ab".repeat(32),
//!     "Name": "web",
//!     "Image": "cd".repeat(32),
//!     "State": {"Status": "running", "StartedAt": "2026-11-21T09:40:22.808589781Z"},
//!     "Config": {"Image": "docker.io/library/nginx:1.27", "Env": ["MODE=fast"], "StopSignal": 15},
//!     "HostConfig": {"Memory": 67108864},
//! });
//! let container = decode::container(&document)?;
//!
//! assert_eq!(container.name.as_str(), "web");
//! assert_eq!(container.config.resources.memory, Some("64m".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod document;
mod image;
mod mounts;
mod network;
mod resources;
mod state;

use std::fmt::Display;
use std::str::FromStr;

use kolla_container_core::state::{ContainerState, ImageState};
use kolla_container_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use self::document::{Info, InfoHost};
pub(crate) use self::state::{REMEMBERED, status};
use crate::error::without_value;

/// A container, from the document that `podman inspect` prints of it (one element of its list).
///
/// An error is [`Undecodable`](ErrorKind::Undecodable), has the container's name as its subject, and says which key is
/// not understood. What it has mounted by `volumes_from` cannot be told from what it has mounted itself.
pub fn container(document: &Value) -> Result<ContainerState> {
    let text = |key| document.get(key).and_then(Value::as_str);
    let name = text("Name").or_else(|| text("Id")).unwrap_or("without a name");
    let typed = typed(document).map_err(|wrong| undecodable("read container", name, wrong))?;
    state::container(typed).map_err(|wrong| undecodable("read container", name, wrong))
}

/// An image, from the document that `podman image inspect` prints of it (one element of its list).
pub fn image(document: &Value) -> Result<ImageState> {
    let id = document.get("Id").and_then(Value::as_str).unwrap_or("without an id");
    let typed = typed(document).map_err(|wrong| undecodable("read image", id, wrong))?;
    image::decode(typed).map_err(|wrong| undecodable("read image", id, wrong))
}

fn typed<T: DeserializeOwned>(document: &Value) -> Result<T, String> {
    serde_json::from_value(document.clone()).map_err(|error| without_value(&error.to_string()))
}

pub(crate) fn undecodable(operation: &'static str, subject: impl Display, cause: impl Display) -> Error {
    Error::new(ErrorKind::Undecodable, operation, subject).because(cause)
}

/// What is not understood: the key, and why.
#[derive(Debug, thiserror::Error)]
#[error("{key}: {cause}")]
pub(crate) struct Wrong {
    key: &'static str,
    cause: String,
}

impl Wrong {
    pub(crate) fn new(key: &'static str, cause: impl Display) -> Self {
        Self { key, cause: cause.to_string() }
    }
}

/// Reads a text at `key`.
pub(crate) fn read<T: FromStr<Err: Display>>(key: &'static str, text: &str) -> Result<T, Wrong> {
    text.parse().map_err(|error| Wrong::new(key, error))
}

/// Reads the texts at `key`.
pub(crate) fn read_all<T: FromStr<Err: Display>, C: FromIterator<T>, S: AsRef<str>>(
    key: &'static str,
    texts: impl IntoIterator<Item = S>,
) -> Result<C, Wrong> {
    texts.into_iter().map(|text| read(key, text.as_ref())).collect()
}

/// What is not empty.
pub(crate) fn filled(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
