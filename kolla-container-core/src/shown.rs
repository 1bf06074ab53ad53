//! The only thing that plans, reports and errors display of a value.

use std::fmt;

use crate::secret::{HIDDEN, is_secret_name, redact, redact_argv};
use crate::text::debug_as_text;

/// A value made fit to be shown: "not set", a text without the secrets in it, or a hidden secret.
///
/// Plans, reports and errors hold this instead of values, so that a secret cannot leave through them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shown(Kind);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    NotSet,
    Text(String),
    Secret,
}

impl Shown {
    /// There is no value.
    pub fn not_set() -> Self {
        Self(Kind::NotSet)
    }

    /// There is a value that nobody may read.
    pub fn secret() -> Self {
        Self(Kind::Secret)
    }

    /// A value without a name: passwords in URLs and assignments to secret names are hidden in it.
    pub fn text(value: impl fmt::Display) -> Self {
        let text = value.to_string();
        Self(if text.is_empty() { Kind::Text("\"\"".to_owned()) } else { Kind::Text(redact(&text)) })
    }

    /// A value with a name, hidden whole where the name is secret.
    pub fn named(name: &str, value: impl fmt::Display) -> Self {
        if is_secret_name(name) { Self::secret() } else { Self::text(value) }
    }

    /// A command line, its words quoted where they need it.
    pub fn argv<'a>(argv: impl IntoIterator<Item = &'a str>) -> Self {
        let words = redact_argv(argv);
        if words.is_empty() {
            return Self(Kind::Text("[]".to_owned()));
        }
        Self(Kind::Text(crate::text::join(words.iter().map(|word| quoted(word)), " ")))
    }

    /// A value, or "not set" where there is none.
    pub fn optional(value: Option<impl fmt::Display>) -> Self {
        value.map_or_else(Self::not_set, Self::text)
    }

    /// Whether this stands for no value.
    pub fn is_not_set(&self) -> bool {
        self.0 == Kind::NotSet
    }
}

/// A word as a shell would need it, except that our own mark for a secret stays readable.
fn quoted(word: &str) -> String {
    if word.contains(HIDDEN) && !word.contains(char::is_whitespace) {
        return word.to_owned();
    }
    shlex::try_quote(word).map_or_else(|_| format!("{word:?}"), std::borrow::Cow::into_owned)
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::NotSet => f.write_str("not set"),
            Kind::Secret => f.write_str(HIDDEN),
            // A plan is read line by line: a value must not add lines of its own.
            Kind::Text(text) if text.chars().any(char::is_control) => write!(f, "{text:?}"),
            Kind::Text(text) => f.write_str(text),
        }
    }
}

debug_as_text!(Shown);

impl serde::Serialize for Shown {
    /// The text, or null where there is no value.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Kind::NotSet => serializer.serialize_none(),
            Kind::Text(_) | Kind::Secret => serializer.collect_str(self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_secret_is_hidden_whole() {
        assert_eq!(Shown::named("DB_PASSWORD", "hunter2").to_string(), "(secret)");
        assert_eq!(Shown::named("DB_HOST", "db").to_string(), "db");
    }

    #[test]
    fn a_command_line_shows_its_words_without_their_secrets() {
        for (argv, shown) in [
            (vec!["mysqld", "--password=two words"], "mysqld --password=(secret)"),
            (vec!["sh", "-c", "mysql --password='a b' -e x"], "sh -c 'mysql --password=(secret)'"),
            (
                vec!["healthcheck_curl", "http://192.0.2.11:5000/healthcheck"],
                "healthcheck_curl http://192.0.2.11:5000/healthcheck",
            ),
        ] {
            assert_eq!(Shown::argv(argv).to_string(), shown);
        }
    }

    #[test]
    fn a_value_cannot_forge_a_line() {
        assert_eq!(Shown::text("a\n+ b").to_string(), "\"a\\n+ b\"");
    }

    #[test]
    fn an_empty_text_is_told_from_no_value() {
        assert_eq!(Shown::text("").to_string(), "\"\"");
        assert_eq!(Shown::not_set().to_string(), "not set");
    }
}
