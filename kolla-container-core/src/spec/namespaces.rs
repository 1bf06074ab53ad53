//! Which namespaces a container shares, and with whom.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::ContainerRef;
use crate::text::{ParseError, debug_as_text, text_serde};

/// The namespaces of a container, the network's aside. Each field that is `None` is not stated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Namespaces {
    /// Shared memory and semaphores: private, shareable, host, none, container:NAME. `IpcMode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipc: Option<NamespaceMode>,
    /// Processes: private, host, container:NAME. `PidMode`. Default: private.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<NamespaceMode>,
    /// Control groups: private, host. `CgroupnsMode`. Default: host on cgroup v1, private on v2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cgroup: Option<NamespaceMode>,
    /// Users: private, host; keep-id, auto, nomap on Podman. `UsernsMode`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<NamespaceMode>,
    /// Host name: private, host. `UTSMode`. Default: private.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uts: Option<NamespaceMode>,
}

/// Whose namespace a container uses.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NamespaceMode {
    /// One of its own.
    Private,
    /// One of its own that others may join (ipc).
    Shareable,
    /// The host's.
    Host,
    /// None (ipc: no /dev/shm).
    None,
    /// That of another container.
    Container(ContainerRef),
    /// The namespace at this path (Podman).
    Path(String),
    /// One of its own in which the user keeps his ids (user, Podman).
    KeepId,
    /// One of its own with ids that the engine picks (user, Podman).
    Auto,
    /// One of its own in which the user is not mapped (user, Podman).
    NoMap,
    /// One that we do not know, as the engine said it.
    Unrecognised(String),
}

impl NamespaceMode {
    /// The container that is joined, if any.
    pub fn container(&self) -> Option<&ContainerRef> {
        match self {
            Self::Container(container) => Some(container),
            _ => None,
        }
    }
}

impl fmt::Display for NamespaceMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Private => f.write_str("private"),
            Self::Shareable => f.write_str("shareable"),
            Self::Host => f.write_str("host"),
            Self::None => f.write_str("none"),
            Self::Container(container) => write!(f, "container:{container}"),
            Self::Path(path) => write!(f, "ns:{path}"),
            Self::KeepId => f.write_str("keep-id"),
            Self::Auto => f.write_str("auto"),
            Self::NoMap => f.write_str("nomap"),
            Self::Unrecognised(text) => f.write_str(text),
        }
    }
}

impl FromStr for NamespaceMode {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Ok(match text {
            "private" => Self::Private,
            "shareable" => Self::Shareable,
            "host" => Self::Host,
            "none" => Self::None,
            "keep-id" => Self::KeepId,
            "auto" => Self::Auto,
            "nomap" => Self::NoMap,
            _ => match text.split_once(':') {
                Some(("container", container)) => Self::Container(container.parse()?),
                Some(("ns", path)) if path.starts_with('/') => Self::Path(path.to_owned()),
                _ => {
                    return Err(ParseError::new(format!(
                        "{text:?} is no namespace mode such as private, host or container:NAME"
                    )));
                }
            },
        })
    }
}

debug_as_text!(NamespaceMode);
text_serde!(NamespaceMode);
