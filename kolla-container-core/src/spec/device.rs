//! Devices of the host that a container may use.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::mount::CleanPath;
use crate::text::{ParseError, debug_as_text, text_serde};

/// A device of the host. Written as `/dev/sda[:/dev/xvda][:rwm]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Device {
    /// Its path on the host.
    pub host: CleanPath,
    /// Its path in the container.
    pub container: CleanPath,
    /// What may be done with it: some of `r`, `w`, `m`, in that order; all unless stated.
    pub permissions: String,
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.host, self.container, self.permissions)
    }
}

impl FromStr for Device {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let fields: Vec<&str> = text.split(':').collect();
        let (host, container, permissions) = match fields.as_slice() {
            [host] => (*host, *host, "rwm"),
            [host, permissions] if !permissions.starts_with('/') => (*host, *host, *permissions),
            [host, container] => (*host, *container, "rwm"),
            [host, container, permissions] => (*host, *container, *permissions),
            _ => return Err(ParseError::new(format!("{text:?} is no device: write HOST[:CONTAINER][:rwm]"))),
        };
        if permissions.is_empty() || !permissions.chars().all(|c| "rwm".contains(c)) {
            return Err(ParseError::new(format!("{text:?}: the permissions of a device are some of r, w and m")));
        }
        let permissions = "rwm".chars().filter(|c| permissions.contains(*c)).collect();
        Ok(Self { host: host.parse()?, container: container.parse()?, permissions })
    }
}

debug_as_text!(Device);
text_serde!(Device);

/// Devices that a driver finds for the container, such as GPUs. `DeviceRequests` on Docker.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeviceRequest {
    /// The driver; the engine picks one by the capabilities unless stated.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub driver: String,
    /// How many; -1 is all of them. Only without `device_ids`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<i64>,
    /// Which ones.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub device_ids: BTreeSet<String>,
    /// What they must be able to do: any of these sets.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub capabilities: BTreeSet<BTreeSet<String>>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

impl fmt::Display for DeviceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = match self.count {
            Some(-1) => "all".to_owned(),
            Some(count) => count.to_string(),
            None => crate::text::join(&self.device_ids, ","),
        };
        let capabilities = self.capabilities.iter().map(|all| crate::text::join(all, "+"));
        write!(f, "{} {which} ({})", self.driver, crate::text::join(capabilities, ", "))
    }
}

/// A rule of the devices cgroup: `c 42:* rmw`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceCgroupRule(String);

impl fmt::Display for DeviceCgroupRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for DeviceCgroupRule {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::new(format!("{text:?} is no device rule such as `c 42:* rmw`"));
        let number = |text: &str| text == "*" || (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
        let words: Vec<&str> = text.split_whitespace().collect();
        let [kind, numbers, permissions] = words.as_slice() else { return Err(wrong()) };
        let (major, minor) = numbers.split_once(':').ok_or_else(wrong)?;
        let permissions_are_known = !permissions.is_empty() && permissions.chars().all(|c| "rwm".contains(c));
        if !matches!(*kind, "a" | "b" | "c") || !number(major) || !number(minor) || !permissions_are_known {
            return Err(wrong());
        }
        let permissions: String = "rwm".chars().filter(|c| permissions.contains(*c)).collect();
        Ok(Self(format!("{kind} {major}:{minor} {permissions}")))
    }
}

debug_as_text!(DeviceCgroupRule);
text_serde!(DeviceCgroupRule);
