//! What is wrong with a spec: every violation, each with the path of its field.

use std::collections::BTreeSet;
use std::fmt;

use crate::secret::redact;

/// Where in a spec something is: `resources.memory`, `mounts[/data]`, `environment[TZ]`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(String);

impl FieldPath {
    /// The whole spec.
    pub fn root() -> Self {
        Self::default()
    }

    /// The field `name` of what this path names. What is secret in the name is hidden: it is as the user
    /// wrote it.
    #[must_use]
    pub fn field(&self, name: &str) -> Self {
        self.join(&Self(redact(name)))
    }

    /// The entry `key` of the map or list that this path names. What is secret in the key is hidden, as
    /// in `environment[DB_PASSWORD=(secret)]`.
    #[must_use]
    pub fn key(&self, key: impl fmt::Display) -> Self {
        Self(format!("{}[{}]", self.0, redact(&key.to_string())))
    }

    /// The path `inner` of what this path names.
    fn join(&self, inner: &Self) -> Self {
        let dot = if self.0.is_empty() || inner.0.is_empty() || inner.0.starts_with('[') { "" } else { "." };
        Self(format!("{}{dot}{}", self.0, inner.0))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for FieldPath {
    fn from(path: &str) -> Self {
        Self(path.to_owned())
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

crate::text::debug_as_text!(FieldPath);

impl serde::Serialize for FieldPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// One thing that is wrong: where, what, and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The field.
    pub path: FieldPath,
    /// What is wrong with it and what would be right.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.0.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// Everything that is wrong with a spec, or with several.
///
/// Displayed on one line, the violations separated by `; `.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Nothing is wrong so far.
    pub fn none() -> Self {
        Self::default()
    }

    /// Adds one. What is secret in the message is hidden: it may quote what the user wrote.
    pub fn add(&mut self, path: impl Into<FieldPath>, message: impl Into<String>) {
        self.0.push(Violation { path: path.into(), message: redact(&message.into()) });
    }

    /// Adds all of `others`.
    pub(crate) fn append(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// Adds all of `others`, their paths below `parent`.
    pub fn add_below(&mut self, parent: &FieldPath, others: Self) {
        self.0.extend(
            others
                .0
                .into_iter()
                .map(|violation| Violation { path: parent.join(&violation.path), message: violation.message }),
        );
    }

    /// Adds those of `others` that are about something else than what is wrong already: what could not be
    /// read looks as if it were missing.
    pub(crate) fn add_unrelated(&mut self, others: Self) {
        let top = |path: &FieldPath| path.0.split(['.', '[']).next().unwrap_or_default().to_owned();
        let known: BTreeSet<String> = self.0.iter().map(|violation| top(&violation.path)).collect();
        self.0.extend(others.0.into_iter().filter(|other| !known.contains(&top(&other.path))));
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each of them, in the order of the fields.
    pub fn iter(&self) -> std::slice::Iter<'_, Violation> {
        self.0.iter()
    }

    /// `Ok` when there is none.
    pub fn into_result(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl<'a> IntoIterator for &'a Violations {
    type Item = &'a Violation;
    type IntoIter = std::slice::Iter<'a, Violation>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::join(&self.0, "; "))
    }
}

impl std::error::Error for Violations {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_hides_what_is_secret_in_a_key() {
        let environment = FieldPath::from("environment");

        for (path, shown) in [
            (environment.key("DB_PASSWORD=hunter2"), "environment[DB_PASSWORD=(secret)]"),
            (environment.key("a://u:hunter2@h"), "environment[a://u:(secret)@h]"),
            (environment.field("TOKEN=hunter2"), "environment.TOKEN=(secret)"),
            (FieldPath::root().field("TOKEN=hunter2"), "TOKEN=(secret)"),
            (environment.key("DB_PASSWORD"), "environment[DB_PASSWORD]"),
            (FieldPath::from("mounts").key("/run/secrets/token"), "mounts[/run/secrets/token]"),
            (FieldPath::from("list").key(3).field("x"), "list[3].x"),
        ] {
            assert_eq!(path.as_str(), shown);
        }
    }

    #[test]
    fn a_violation_below_another_keeps_its_path_as_it_is() {
        let mut inner = Violations::none();
        inner.add(FieldPath::from("environment").key("KEY=hunter2").field("x"), "PASSWORD=hunter2 is wrong");

        let mut outer = Violations::none();
        outer.add_below(&FieldPath::from("containers").key("db"), inner);

        assert_eq!(outer.to_string(), "containers[db].environment[KEY=(secret)].x: PASSWORD=(secret)");
    }
}
