//! What an image runs on.

use std::fmt;
use std::str::FromStr;

use crate::text::{ParseError, debug_as_text, text_serde};

/// A platform of images: operating system, architecture, and variant where there is one.
///
/// Written as `os/arch[/variant]`; `x86_64` is `amd64`, `aarch64` and `arm64/v8` are `arm64`, `arm` is `arm/v7`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Platform(String);

impl Platform {
    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the other platform has the same operating system and architecture, whatever the variant is.
    pub fn is_akin(&self, other: &Self) -> bool {
        self.0.split('/').take(2).eq(other.0.split('/').take(2))
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Platform {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.to_ascii_lowercase();
        let parts: Vec<&str> = lower.split('/').collect();
        let known = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let (os, arch, variant) = match parts.as_slice() {
            [os, arch] if known(os) && known(arch) => (*os, *arch, None),
            [os, arch, variant] if known(os) && known(arch) && known(variant) => (*os, *arch, Some(*variant)),
            _ => return Err(ParseError::new(format!("{text:?} is no platform such as linux/amd64"))),
        };
        Ok(Self(match (arch, variant) {
            ("x86_64" | "amd64", None | Some("v1")) => format!("{os}/amd64"),
            ("aarch64" | "arm64", None | Some("v8" | "8")) => format!("{os}/arm64"),
            ("arm" | "armhf", None | Some("7")) => format!("{os}/arm/v7"),
            (arch, None) => format!("{os}/{arch}"),
            (arch, Some(variant)) => format!("{os}/{arch}/{variant}"),
        }))
    }
}

debug_as_text!(Platform);
text_serde!(Platform);
