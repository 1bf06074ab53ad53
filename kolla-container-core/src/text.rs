//! Values whose text form is canonical: how they are parsed, printed and carried by serde.
//!
//! A type that implements `Display` and `FromStr` gets serde from `text_serde!`; equality of two
//! parsed values is then equality of meaning, whatever was written.

use std::fmt;

/// A text that is not what it should be, with what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(String);

impl ParseError {
    /// An error that says `message`: lower case, no full stop, with what would be right.
    ///
    /// A message may quote the text: passwords in URLs and values assigned to secret names are taken
    /// out of it.
    pub fn new(message: impl Into<String>) -> Self {
        Self(crate::secret::redact(&message.into()))
    }
}

/// Implements serde for a type through its `Display` and its `FromStr`.
macro_rules! text_serde {
    ($($name:ty),+ $(,)?) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(crate) use text_serde;

/// Prints the `Display` form as `Debug`, for types whose text says everything.
macro_rules! debug_as_text {
    ($($name:ty),+ $(,)?) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    )+};
}
pub(crate) use debug_as_text;

/// An enumeration of plain words: text, parsing and serde from one list.
macro_rules! words {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident ($what:literal) {
            $($(#[$variant_meta:meta])* $variant:ident = $word:literal $(| $alias:literal)*,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name {
            $($(#[$variant_meta])* $variant,)+
        }

        impl $name {
            /// The canonical word.
            $vis fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::text::ParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word $(| $alias)* => Ok(Self::$variant),)+
                    _ => Err($crate::text::ParseError::new(format!(
                        "{text:?} is no {}: it is one of {}",
                        $what,
                        [$($word),+].join(", "),
                    ))),
                }
            }
        }

        $crate::text::text_serde!($name);
    };
}
pub(crate) use words;

/// Joins the text forms of `items` with `separator`.
pub(crate) fn join<T: fmt::Display>(items: impl IntoIterator<Item = T>, separator: &str) -> String {
    let mut joined = String::new();
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            joined.push_str(separator);
        }
        joined.push_str(&item.to_string());
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_hides_what_is_secret_in_the_text_that_it_quotes() {
        for (text, shown) in [
            ("PASSWORD=hunter2", r#""PASSWORD=(secret)"#),
            ("x --password 'hun ter2' y", r#""x --password (secret)"#),
            ("x --password=\"hun ter2\" y", r#""x --password=(secret)"#),
            ("set -e\nTOKEN=hunter2 y", r#""set -e\nTOKEN=(secret)"#),
            ("{\"password\": \"hun\\\"ter2\", \"x\": 1}", r#""{\"password\": (secret)"#),
            ("a://u:hunter2@h", r#""a://u:(secret)@h" is wrong"#),
            // Nothing says that this is a secret.
            ("PASSWORD hunter2", r#""PASSWORD hunter2" is wrong"#),
        ] {
            assert_eq!(ParseError::new(format!("{text:?} is wrong")).to_string(), shown);
        }
    }
}
