//! Volumes that a container takes over from another one.

use std::fmt;
use std::str::FromStr;

use crate::name::ContainerRef;
use crate::text::{ParseError, debug_as_text, text_serde};

/// A container whose volumes another one has too. Written as `NAME`, `NAME:ro` or `NAME:rw`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VolumesFrom {
    /// Whose volumes.
    pub container: ContainerRef,
    /// Whether they cannot be written.
    pub read_only: bool,
}

impl fmt::Display for VolumesFrom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.container, if self.read_only { ":ro" } else { "" })
    }
}

impl FromStr for VolumesFrom {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (container, read_only) = match text.split_once(':') {
            None => (text, false),
            Some((container, "rw")) => (container, false),
            Some((container, "ro")) => (container, true),
            Some(_) => {
                return Err(ParseError::new(format!("{text:?}: volumes are taken from NAME, NAME:ro or NAME:rw")));
            }
        };
        Ok(Self { container: container.parse()?, read_only })
    }
}

debug_as_text!(VolumesFrom);
text_serde!(VolumesFrom);
