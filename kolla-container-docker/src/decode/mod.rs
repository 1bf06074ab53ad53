//! What Docker says of a container or an image, in normal form.
//!
//! Pure, and lenient: a key that is missing is Docker's default. Everything that Docker says is reported, also what it
//! added by itself; which of it is expected is for core to decide. A value of an enumeration that is not known makes
//! this one container [`Undecodable`](ErrorKind::Undecodable), and no other.
//!
//! ```
//! use kolla_container_docker::decode;
//! use serde_json::json;
//!
//! let document = json!({
//!     "Id": "ab".repeat(32),
//!     "Name": "/web",
//!     "Image": format!("sha256:{}", "cd".repeat(32)),
//!     "State": {"Status": "running", "StartedAt": "2026-11-21T06:31:00Z"},
//!     "Config": {"Image": "nginx:1.27", "Env": ["MODE=fast"]},
//!     "HostConfig": {"Memory": 67108864},
//! });
//! let container = decode::container(&document)?;
//!
//! assert_eq!(container.name.as_str(), "web");
//! assert_eq!(container.config.resources.memory, Some("64m".parse()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod image;
mod mounts;
mod network;
mod resources;
mod state;

use std::fmt::Display;
use std::str::FromStr;

use bollard::models::{ContainerInspectResponse, ImageInspect};
use kolla_container_core::state::{ContainerState, ImageState};
use kolla_container_core::{Error, ErrorKind, Result};
use serde_json::Value;

pub(crate) use self::state::status;
use crate::error::without_value;

/// A container, from the document that `docker inspect` prints of it (one element of its list).
///
/// An error is [`Undecodable`](ErrorKind::Undecodable), has the container's name as its subject, and says which key is
/// not understood.
pub fn container(document: &Value) -> Result<ContainerState> {
    let text = |key| document.get(key).and_then(Value::as_str);
    let name = text("Name").map(|name| name.trim_start_matches('/')).or_else(|| text("Id")).unwrap_or("without a name");
    let typed: ContainerInspectResponse = serde_json::from_value(read_keys(document))
        .map_err(|error| undecodable("container", name, without_value(&error.to_string())))?;
    inspected(typed)
}

/// An image, from the document that `docker image inspect` prints of it (one element of its list).
pub fn image(document: &Value) -> Result<ImageState> {
    let name = document.get("Id").and_then(Value::as_str).unwrap_or("without an id");
    let typed: ImageInspect = serde_json::from_value(document.clone())
        .map_err(|error| undecodable("image", name, without_value(&error.to_string())))?;
    inspected_image(typed)
}

/// The keys that are read; in the others nothing can be wrong.
fn read_keys(document: &Value) -> Value {
    const KEYS: [&str; 10] = [
        "Id",
        "Name",
        "Image",
        "Created",
        "RestartCount",
        "State",
        "Config",
        "HostConfig",
        "NetworkSettings",
        "Mounts",
    ];
    let keys = KEYS.into_iter().filter_map(|key| Some((key.to_owned(), document.get(key)?.clone())));
    Value::Object(keys.collect())
}

pub(crate) fn inspected(document: ContainerInspectResponse) -> Result<ContainerState> {
    let name = document.name.clone().or_else(|| document.id.clone()).unwrap_or_default();
    state::container(document).map_err(|wrong| undecodable("container", name.trim_start_matches('/'), wrong))
}

pub(crate) fn inspected_image(document: ImageInspect) -> Result<ImageState> {
    let id = document.id.clone().unwrap_or_default();
    image::decode(document).map_err(|wrong| undecodable("image", &id, wrong))
}

pub(crate) fn undecodable(what: &str, subject: impl Display, cause: impl Display) -> Error {
    let operation = match what {
        "image" => "read image",
        "volume" => "read volume",
        "network" => "read network",
        _ => "read container",
    };
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
pub(crate) fn read_all<T: FromStr<Err: Display>, C: FromIterator<T>>(
    key: &'static str,
    texts: Option<Vec<String>>,
) -> Result<C, Wrong> {
    texts.into_iter().flatten().map(|text| read(key, &text)).collect()
}

/// What is there and not empty.
pub(crate) fn filled(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}
