//! What was stated of a container when we made it, where its engine will not say.
//!
//! An engine that does not report a field leaves nothing to compare with, and one that does not tell a default does not
//! tell what was stated. What we recorded ourselves in a label takes its place: a digest of each such value, so that the
//! value itself is in no label.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use crate::text::{ParseError, debug_as_text};

/// The version of the text. Another one is needed when a value is digested from another text than before.
const VERSION: &str = "v1";

/// What is digested begins with this, so that it can be nobody else's digest.
const DOMAIN: &str = "io.kolla-container.applied v1";

/// The record of what an engine does not tell: the label `io.kolla-container.applied`.
///
/// - Its text is the version, then each field with the digest of what was stated, or `-` where nothing was; an engine
///   that reports everything leaves just the version.
/// - Of fields that it reports, and whose default it does not tell, what was stated is there too: `hostname=`, and each key
///   of a map by itself, `resources.ulimits[nofile]=`.
/// - A field that it does not list is not known: an older version of this library, or another one of the engine, had no
///   need to record it.
/// - A text of another version cannot be read; [`Owner`](super::Owner) keeps it, and nothing is recorded then.
///
/// ```
/// use kolla_container_core::state::{Applied, Recorded};
///
/// let applied: Applied = "v1 logging.options=-".parse()?;
/// assert_eq!(applied.field("logging.options"), Some(Recorded::Nothing));
/// assert_eq!(applied.field("resources.sysctls"), None);
/// # Ok::<(), kolla_container_core::ParseError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Applied(BTreeMap<String, Recorded>);

/// What is recorded of a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing was stated, or what asks for nothing.
    Nothing,
    /// A value was stated; this is its digest.
    Value(u128),
}

impl Applied {
    /// With `recorded` of the field at `path`.
    pub fn with(mut self, path: &str, recorded: Recorded) -> Self {
        self.0.insert(path.to_owned(), recorded);
        self
    }

    /// What is recorded of the field at `path`; `None` where that is not known.
    pub fn field(&self, path: &str) -> Option<Recorded> {
        self.0.get(path).copied()
    }
}

impl Recorded {
    /// The digest of a value of the field at `path`, from the value's canonical `text`: half of a SHA-256. The same
    /// text of another field has another digest.
    pub fn value(path: &str, text: &str) -> Self {
        let digest = Sha256::digest(format!("{DOMAIN}\0{path}\0{text}"));
        Self::Value(digest.iter().take(16).fold(0, |number, byte| (number << 8) | u128::from(*byte)))
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(VERSION)?;
        self.0.iter().try_for_each(|(path, recorded)| write!(f, " {path}={recorded}"))
    }
}

impl FromStr for Applied {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut words = text.split(' ');
        if words.next() != Some(VERSION) {
            return Err(ParseError::new(format!("a record begins with its version, {VERSION}")));
        }
        let field = |word: &str| {
            let (path, recorded) = word.split_once('=')?;
            Some((path.to_owned(), recorded.parse().ok()?))
        };
        let fields: Option<BTreeMap<String, Recorded>> = words.map(field).collect();
        fields.map(Self).ok_or_else(|| ParseError::new("after its version, a record has words such as path=digest"))
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("-"),
            Self::Value(digest) => write!(f, "{digest:032x}"),
        }
    }
}

impl FromStr for Recorded {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let is_digest = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match u128::from_str_radix(text, 16) {
            Ok(digest) if is_digest => Ok(Self::Value(digest)),
            _ if text == "-" => Ok(Self::Nothing),
            _ => Err(ParseError::new("what is recorded is 32 hex digits, or - for nothing")),
        }
    }
}

debug_as_text!(Applied, Recorded);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_record_reads_back() {
        let value = Recorded::value("resources.sysctls", "{}");
        let applied = Applied::default().with("resources.sysctls", value).with("logging.options", Recorded::Nothing);

        let text = applied.to_string();

        assert_eq!(text, "v1 logging.options=- resources.sysctls=5fc90eb38f6beaf7b9d7b3a813410559");
        assert_eq!(text.parse(), Ok(applied));
        assert_eq!("v1".parse(), Ok(Applied::default()));
    }

    #[test]
    fn what_is_no_record_of_this_version_is_none() {
        for text in ["", "v2", "v1 ", "v1 a", "v1 a=", "v1 a=x", "v1 a=-  b=-", "v1 a=+123456789abcdef0123456789abcdef"]
        {
            assert!(text.parse::<Applied>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_same_text_of_two_fields_has_two_digests() {
        assert_ne!(Recorded::value("init", "true"), Recorded::value("tty", "true"));
        assert_ne!(Recorded::value("init", "true"), Recorded::value("init", "false"));
    }
}
