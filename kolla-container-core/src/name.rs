//! What containers, volumes and networks are called, and the ids that engines give them.
//!
//! Names become paths, unit names and URL segments elsewhere, so the grammar is checked here, once.

use std::fmt;
use std::str::FromStr;

use crate::text::{ParseError, debug_as_text, text_serde};

/// The longest name that we accept: with `kolla-`, `-container.service` and a suffix of ours it
/// still fits into a file name.
const LONGEST: usize = 200;

fn checked(text: &str, what: &str) -> Result<String, ParseError> {
    let mut characters = text.chars();
    let starts_well = characters.next().is_some_and(|c| c.is_ascii_alphanumeric());
    let goes_on_well = characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'));
    if !starts_well || !goes_on_well {
        return Err(ParseError::new(format!(
            "{text:?} is no {what} name: it starts with a letter or digit and goes on with letters, digits, `_`, `.` or `-`"
        )));
    }
    if text.len() > LONGEST {
        return Err(ParseError::new(format!(
            "a {what} name has at most {LONGEST} characters, this one has {}",
            text.len()
        )));
    }
    Ok(text.to_owned())
}

macro_rules! name {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as the engine knows it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                checked(text, $what).map(Self)
            }
        }

        debug_as_text!($name);
        text_serde!($name);
    };
}

name!(
    /// The name of a container: letters, digits, `_`, `.` and `-`, at most 200 of them.
    ///
    /// ```
    /// use kolla_container_core::ContainerName;
    ///
    /// let name: ContainerName = "nova_compute".parse()?;
    /// assert_eq!(name.to_string(), "nova_compute");
    /// assert!("../etc".parse::<ContainerName>().is_err());
    /// # Ok::<(), kolla_container_core::ParseError>(())
    /// ```
    ContainerName, "container"
);
name!(
    /// The name of a volume; an anonymous volume has one too, which its engine made up.
    VolumeName, "volume"
);
name!(
    /// The name of a network.
    NetworkName, "network"
);

impl ContainerName {
    const NEXT: &'static str = ".next";
    const PREVIOUS: &'static str = ".previous";

    /// The name that a replacement has until it is in place: `<name>.next`.
    #[must_use]
    pub fn next(&self) -> Self {
        Self(format!("{}{}", self.0, Self::NEXT))
    }

    /// The name under which a replaced container is set aside: `<name>.previous`.
    #[must_use]
    pub fn previous(&self) -> Self {
        Self(format!("{}{}", self.0, Self::PREVIOUS))
    }

    /// The name without a suffix of ours.
    pub(crate) fn stem(&self) -> Self {
        let stem = [Self::NEXT, Self::PREVIOUS].into_iter().find_map(|suffix| self.0.strip_suffix(suffix));
        stem.filter(|stem| !stem.is_empty()).map_or_else(|| self.clone(), |stem| Self(stem.to_owned()))
    }

    /// The suffix of ours that this name ends in, if any; a container of the user's may not have one.
    pub fn reserved_suffix(&self) -> Option<&'static str> {
        [Self::NEXT, Self::PREVIOUS].into_iter().find(|suffix| self.0.ends_with(suffix))
    }
}

impl VolumeName {
    /// Whether an engine made this name up for an anonymous volume: 64 hexadecimal digits.
    pub fn is_anonymous(&self) -> bool {
        is_long_hex(&self.0)
    }
}

fn is_long_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

macro_rules! id {
    ($(#[$meta:meta])* $name:ident, $what:literal) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// All 64 hexadecimal digits.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The first twelve digits, as engines print them.
            pub fn short(&self) -> &str {
                self.0.get(..12).unwrap_or(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                let hex = text.strip_prefix("sha256:").unwrap_or(text);
                if is_long_hex(hex) {
                    Ok(Self(hex.to_owned()))
                } else {
                    Err(ParseError::new(format!(concat!("{:?} is no ", $what, " id: it has 64 hexadecimal digits"), text)))
                }
            }
        }

        debug_as_text!($name);
        text_serde!($name);
    };
}

id!(
    /// The id that an engine gave to a container.
    ContainerId, "container"
);
id!(
    /// The id of an image; `sha256:` in front of it (Docker has it, Podman has not) is read and dropped.
    ImageId, "image"
);

/// A container that another one refers to: by name where a user says so, by id where an engine does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContainerRef {
    /// As users write it.
    Name(ContainerName),
    /// As Docker stores it.
    Id(ContainerId),
}

impl ContainerRef {
    /// The name, where it is one.
    pub fn name(&self) -> Option<&ContainerName> {
        match self {
            Self::Name(name) => Some(name),
            Self::Id(_) => None,
        }
    }
}

impl fmt::Display for ContainerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Id(id) => id.fmt(f),
        }
    }
}

impl FromStr for ContainerRef {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if is_long_hex(text) { text.parse().map(Self::Id) } else { text.parse().map(Self::Name) }
    }
}

debug_as_text!(ContainerRef);
text_serde!(ContainerRef);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_would_leave_its_folder_or_its_line_is_refused() {
        for bad in ["", ".", "..", "../x", "a/b", "a b", "a\nb", "-a", "_a", "a%", "é", &"x".repeat(201)] {
            assert!(bad.parse::<ContainerName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_names_of_a_replacement_are_reserved() {
        let name: ContainerName = "db".parse().unwrap();

        assert_eq!(name.next().reserved_suffix(), Some(".next"));
        assert_eq!(name.previous().reserved_suffix(), Some(".previous"));
        assert_eq!(name.reserved_suffix(), None);
    }

    #[test]
    fn an_id_is_the_same_with_and_without_its_algorithm() {
        let hex = "0123456789abcdef".repeat(4);

        let bare: ImageId = hex.parse().unwrap();
        let prefixed: ImageId = format!("sha256:{hex}").parse().unwrap();

        assert_eq!(bare, prefixed);
        assert_eq!(bare.short(), "0123456789ab");
        assert!("0123".parse::<ImageId>().is_err());
    }

    #[test]
    fn a_reference_of_64_hexadecimal_digits_is_an_id() {
        assert!(matches!("db".parse(), Ok(ContainerRef::Name(_))));
        assert!(matches!("ab".repeat(32).parse(), Ok(ContainerRef::Id(_))));
    }
}
