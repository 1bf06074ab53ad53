//! Volumes as observed, and as they are created.

use std::collections::BTreeMap;

use crate::name::VolumeName;
use crate::spec::TextMap;
use crate::timestamp::Timestamp;

/// A volume that the engine has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeState {
    /// Its name.
    pub name: VolumeName,
    /// Its driver.
    pub driver: String,
    /// Its labels.
    pub labels: TextMap,
    /// The driver's options.
    pub options: TextMap,
    /// When it was made, where the engine says so.
    pub created: Option<Timestamp>,
}

/// A volume to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeToCreate {
    /// Its name.
    pub name: VolumeName,
    /// Its driver; `local` by default.
    pub driver: String,
    /// Its labels.
    pub labels: TextMap,
    /// The driver's options.
    pub options: TextMap,
}

impl VolumeToCreate {
    /// A volume of the driver `local`, without labels or options.
    pub fn local(name: VolumeName) -> Self {
        Self { name, driver: "local".to_owned(), labels: TextMap(BTreeMap::new()), options: TextMap(BTreeMap::new()) }
    }
}
