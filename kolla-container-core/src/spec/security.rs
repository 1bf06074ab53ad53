//! What a container may do.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::{ParseError, debug_as_text, text_serde};

/// What the container may do. Each field that is `None` is not stated.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// Whether it has all capabilities and all devices. `Privileged`. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privileged: Option<bool>,
    /// Capabilities beyond the engine's default set. `CapAdd`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap_add: Option<BTreeSet<Capability>>,
    /// Capabilities taken out of the engine's default set. `CapDrop`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cap_drop: Option<BTreeSet<Capability>>,
    /// AppArmor, SELinux and seccomp: `apparmor=...`, `label=...`, `seccomp=...`. `SecurityOpt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_opt: Option<BTreeSet<SecurityOpt>>,
    /// Whether its processes can gain no privileges (`no-new-privileges`). Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_new_privileges: Option<bool>,
    /// Whether its root file system cannot be written. `ReadonlyRootfs`. Default: false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// A capability of the kernel, in its canonical form `CAP_NET_ADMIN`, or `ALL`.
///
/// `net_admin`, `NET_ADMIN` and `cap_net_admin` are read as the same.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability(String);

impl Capability {
    /// `CAP_NET_ADMIN`, or `ALL`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for all of them.
    pub fn is_all(&self) -> bool {
        self.0 == "ALL"
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Capability {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("CAP_").unwrap_or(&upper);
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
            return Err(ParseError::new(format!("{text:?} is no capability such as NET_ADMIN")));
        }
        Ok(Self(if name == "ALL" { name.to_owned() } else { format!("CAP_{name}") }))
    }
}

debug_as_text!(Capability);
text_serde!(Capability);

/// An option of a security module: `label=disable`, `apparmor=unconfined`, `seccomp=/path`.
///
/// `label:disable` is read as the same. `no-new-privileges` and read-only roots have fields of their own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecurityOpt(String);

impl SecurityOpt {
    /// `module=value`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The module: `label`, `apparmor`, `seccomp`.
    pub fn module(&self) -> &str {
        self.0.split_once('=').map_or(self.as_str(), |(module, _)| module)
    }
}

impl fmt::Display for SecurityOpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SecurityOpt {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text.split(['=', ':']).next() == Some("no-new-privileges") {
            return Err(ParseError::new("no-new-privileges has a field of its own: `no_new_privileges: true`"));
        }
        match text.split_once(['=', ':']) {
            Some((module, value)) if !module.is_empty() && !value.is_empty() => Ok(Self(format!("{module}={value}"))),
            _ => Err(ParseError::new(format!("{text:?} is no security option such as label=disable"))),
        }
    }
}

debug_as_text!(SecurityOpt);
text_serde!(SecurityOpt);
