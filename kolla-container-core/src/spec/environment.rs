//! Environment variables, and the other maps of text whose values may be secret.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::shown::Shown;

/// What an environment variable should be.
///
/// Written as text; as null for the empty text; as `{secret: text}` for a value that nothing may
/// show; as `{unset: true}` to take away a variable that the image sets.
#[derive(Clone)]
pub enum Variable {
    /// It has this value.
    Value(String),
    /// It has this value, and nothing may show it. Equal to the same value not declared secret.
    Secret(String),
    /// It is not there, even where the image sets it.
    Unset,
}

impl Variable {
    /// Its value, secret or not; `None` where it is unset.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Value(value) | Self::Secret(value) => Some(value),
            Self::Unset => None,
        }
    }
}

/// Secrecy is about showing, not about meaning.
impl PartialEq for Variable {
    fn eq(&self, other: &Self) -> bool {
        self.value() == other.value()
    }
}

impl Eq for Variable {}

/// The environment of a container, by variable name. Names are compared in their case.
///
/// `Env` on Docker, `env` on Podman. A value written as a number or a boolean is read as its text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(pub BTreeMap<String, Variable>);

impl Environment {
    /// What may be shown of a variable: nothing of a secret one.
    pub fn shown(&self, name: &str) -> Shown {
        match self.0.get(name) {
            None | Some(Variable::Unset) => Shown::not_set(),
            Some(Variable::Secret(_)) => Shown::secret(),
            Some(Variable::Value(value)) => Shown::named(name, value),
        }
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), Variable::Value(value.into()))).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, self.shown(name)))).finish()
    }
}

impl fmt::Debug for Variable {
    /// Never the value: whether it is secret depends on a name that is not known here.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value(_) => "Value(..)",
            Self::Secret(_) => "Secret(..)",
            Self::Unset => "Unset",
        })
    }
}

impl Serialize for Environment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, variable) in &self.0 {
            match variable {
                Variable::Value(value) => map.serialize_entry(name, value)?,
                Variable::Secret(value) => map.serialize_entry(name, &BTreeMap::from([("secret", value)]))?,
                Variable::Unset => map.serialize_entry(name, &BTreeMap::from([("unset", true)]))?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Environment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::<String, Written>::deserialize(deserializer)
            .map(|variables| Self(variables.into_iter().map(|(name, Written(variable))| (name, variable)).collect()))
    }
}

/// A variable as it is written in a file.
struct Written(Variable);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, null for the empty text, {secret: text} or {unset: true}")
            }

            fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Written, E> {
                Ok(Written(Variable::Value(value.to_owned())))
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<Written, E> {
                self.visit_str("")
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Written, E> {
                self.visit_str(if value { "true" } else { "false" })
            }

            fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Written, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Written, E> {
                self.visit_str(&value.to_string())
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Written, E> {
                // `1.0` is not `1` to whoever reads the variable.
                self.visit_str(&format!("{value:?}"))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Long {
                    secret: Option<String>,
                    unset: Option<bool>,
                }

                match Long::deserialize(serde::de::value::MapAccessDeserializer::new(map))? {
                    Long { secret: Some(value), unset: None | Some(false) } => Ok(Written(Variable::Secret(value))),
                    Long { secret: None, unset: Some(true) } => Ok(Written(Variable::Unset)),
                    _ => Err(serde::de::Error::custom("a variable is either {secret: text} or {unset: true}")),
                }
            }
        }

        deserializer.deserialize_any(Form)
    }
}

/// A map of text to text whose values are hidden where the key is a secret name: labels,
/// annotations, driver options, sysctls.
///
/// A null value is read as the empty text, a number or a boolean as its text.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TextMap(pub BTreeMap<String, String>);

impl TextMap {
    /// What may be shown of a value.
    pub fn shown(&self, key: &str) -> Shown {
        self.0.get(key).map_or_else(Shown::not_set, |value| Shown::named(key, value))
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for TextMap {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl fmt::Debug for TextMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|key| (key, self.shown(key)))).finish()
    }
}

impl Serialize for TextMap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TextMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::<String, Option<String>>::deserialize(deserializer)
            .map(|map| Self(map.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let environment = Environment(BTreeMap::from([
            ("DB_PASSWORD".to_owned(), Variable::Value("hunter2".to_owned())),
            ("NAME".to_owned(), Variable::Secret("hunter2".to_owned())),
            ("URL".to_owned(), Variable::Value("a://u:hunter2@h".to_owned())),
        ]));

        assert!(!format!("{environment:?} {:?}", environment.0).contains("hunter2"));
    }

    #[test]
    fn a_secret_equals_the_same_value_not_declared_secret() {
        assert_eq!(Variable::Secret("a".into()), Variable::Value("a".into()));
        assert_ne!(Variable::Secret(String::new()), Variable::Unset);
    }

    #[test]
    fn numbers_booleans_and_null_are_read_as_text() {
        let read: Environment = serde_json::from_str(
            r#"{"A": 1, "B": true, "C": null, "D": "d", "E": {"secret": "s"}, "F": {"unset": true}}"#,
        )
        .unwrap();

        assert_eq!(read.0["A"].value(), Some("1"));
        assert_eq!(read.0["B"].value(), Some("true"));
        assert_eq!(read.0["C"].value(), Some(""));
        assert!(matches!(read.0["E"], Variable::Secret(_)));
        assert_eq!(read.0["F"].value(), None);
    }
}
