//! Argument vectors: a command or an entrypoint, written as a list or as one shell-quoted text.

use std::fmt;
use std::str::FromStr;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::secret::redact_argv;
use crate::text::ParseError;

/// The words of a command line.
///
/// A text is split into words as a POSIX shell would, without expanding anything; a list is taken as
/// it is. An empty entrypoint clears the image's; an empty command means the image's.
///
/// ```
/// use kolla_container_core::spec::Command;
///
/// let command: Command = "sh -c 'sleep 1'".parse()?;
/// assert_eq!(command.argv(), ["sh", "-c", "sleep 1"]);
/// # Ok::<(), kolla_container_core::ParseError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Command(Vec<String>);

impl Command {
    /// The command of these words.
    pub fn new<W: Into<String>>(argv: impl IntoIterator<Item = W>) -> Self {
        Self(argv.into_iter().map(Into::into).collect())
    }

    /// Its words.
    pub fn argv(&self) -> &[String] {
        &self.0
    }

    /// Whether it has no word.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Command {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        shlex::split(text).map(Self).ok_or_else(|| {
            ParseError::new("the command has a quote or a backslash without its end: write it as a list")
        })
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(redact_argv(self.0.iter().map(String::as_str))).finish()
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;

        impl<'de> Visitor<'de> for Words {
            type Value = Command;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a command: a list of words, or one text with shell quoting")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Command, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Command, A::Error> {
                let mut argv = Vec::new();
                while let Some(word) = words.next_element()? {
                    argv.push(word);
                }
                Ok(Command(argv))
            }
        }

        deserializer.deserialize_any(Words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_split_as_a_shell_would_split_it() {
        let command: Command = r#"a 'b c' "d e" f\ g"#.parse().unwrap();

        assert_eq!(command.argv(), ["a", "b c", "d e", "f g"]);
    }

    #[test]
    fn an_open_quote_is_an_error_and_not_a_guess() {
        assert!("a 'b".parse::<Command>().is_err());
    }

    #[test]
    fn an_empty_text_is_an_empty_command() {
        assert!("".parse::<Command>().unwrap().is_empty());
    }
}
