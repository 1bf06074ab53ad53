//! The values of the parameters: how Ansible and Python write texts, numbers and choices.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Unexpected, Visitor};
use serde_json::Value;

use crate::secret::HIDDEN;
use crate::spec::read::nearest;
use crate::spec::{Environment, TextMap};
use crate::text::{ParseError, words};

words! {
    /// What happens when the container ends, in kolla-ansible's words.
    pub enum Restart ("restart_policy") {
        /// Nothing; its unit still starts it at boot. YAML reads a bare `no` as false.
        No = "no" | "false" | "False",
        /// Its unit starts it again when it failed.
        OnFailure = "on-failure",
        /// Nothing, and it has no unit: it is run to its end, once.
        Oneshot = "oneshot",
        /// Its unit starts it again.
        Always = "always",
        /// As always, except after it was stopped by hand.
        UnlessStopped = "unless-stopped",
    }
}

words! {
    /// In which state the container should be.
    pub enum State ("state") {
        /// Running; `started` is the same.
        Running = "running" | "started",
        /// Stopped.
        Exited = "exited",
        /// Paused.
        Paused = "paused",
    }
}

words! {
    /// Which engine the parameters were written for.
    pub enum Engine ("container_engine") {
        /// Docker.
        Docker = "docker",
        /// Podman.
        Podman = "podman",
    }
}

/// A password that `Debug` does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// The password itself: for a login, and for nothing that is shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(password: String) -> Self {
        Self(password)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self)
    }
}

/// A tree of values as it was written; [`Parameters::into_spec`](super::Parameters::into_spec) reads it.
///
/// `Debug` shows nothing of it: a health check may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Unread(pub Value);

impl fmt::Debug for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unread(..)")
    }
}

impl<'de> Deserialize<'de> for Unread {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self)
    }
}

/// A whole number, or null; digits in a text count as a number, as Ansible writes them.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    struct Whole(u32);

    impl<'de> Deserialize<'de> for Whole {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Form;

            impl Visitor<'_> for Form {
                type Value = Whole;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    write!(f, "a whole number from 0 to {}", u32::MAX)
                }

                fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Whole, E> {
                    match u32::try_from(number) {
                        Ok(number) => Ok(Whole(number)),
                        Err(_) => Err(E::invalid_type(Unexpected::Unsigned(number), &self)),
                    }
                }

                fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Whole, E> {
                    text.parse().map(Whole).map_err(|_| E::invalid_type(Unexpected::Str(text), &self))
                }
            }

            deserializer.deserialize_u32(Form)
        }
    }

    Option::<Whole>::deserialize(deserializer).map(|number| number.map(|Whole(number)| number))
}

/// A boolean, or null; the words that Ansible takes for booleans count as such.
pub(super) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    struct Flag(bool);

    impl<'de> Deserialize<'de> for Flag {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Form;

            impl Visitor<'_> for Form {
                type Value = Flag;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("true or false")
                }

                fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Flag, E> {
                    Ok(Flag(value))
                }

                fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Flag, E> {
                    self.visit_str(&number.to_string())
                }

                fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Flag, E> {
                    match text.to_ascii_lowercase().as_str() {
                        "true" | "yes" | "on" | "y" | "t" | "1" => Ok(Flag(true)),
                        "false" | "no" | "off" | "n" | "f" | "0" => Ok(Flag(false)),
                        _ => Err(E::invalid_type(Unexpected::Str(text), &self)),
                    }
                }
            }

            deserializer.deserialize_any(Form)
        }
    }

    Option::<Flag>::deserialize(deserializer).map(|flag| flag.map(|Flag(value)| value))
}

/// A value of a map as Python makes a text of it: `True`, `False`, `1`, `1.0`; null is the empty text.
struct PythonText(String);

impl<'de> Deserialize<'de> for PythonText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl Visitor<'_> for Form {
            type Value = PythonText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a number, a boolean, or null for the empty text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<PythonText, E> {
                Ok(PythonText(text.to_owned()))
            }

            fn visit_unit<E: serde::de::Error>(self) -> Result<PythonText, E> {
                self.visit_str("")
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<PythonText, E> {
                self.visit_str(if value { "True" } else { "False" })
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<PythonText, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<PythonText, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<PythonText, E> {
                // As Python, and unlike `Display`, this keeps the point of 1.0.
                self.visit_str(&format!("{number:?}"))
            }
        }

        deserializer.deserialize_any(Form)
    }
}

fn python_texts<'de, D, M>(deserializer: D) -> Result<M, D::Error>
where
    D: Deserializer<'de>,
    M: FromIterator<(String, String)>,
{
    let map = Option::<std::collections::BTreeMap<String, PythonText>>::deserialize(deserializer)?;
    Ok(map.into_iter().flatten().map(|(key, PythonText(text))| (key, text)).collect())
}

/// Environment variables, or null.
pub(super) fn environment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Environment, D::Error> {
    python_texts(deserializer)
}

/// Labels, or null.
pub(super) fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<TextMap, D::Error> {
    python_texts(deserializer)
}

/// A whole number out of a tree; digits in a text count as a number, and so does `30.0`.
pub(super) fn whole_number(value: &Value) -> Option<u64> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    match value {
        Value::Number(number) if number.is_f64() => number.to_string().strip_suffix(".0").and_then(digits),
        Value::Number(number) => number.as_u64(),
        Value::String(text) => digits(text.trim()),
        _ => None,
    }
}

/// A value out of a tree as a text, where it is a text or a number.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// What is said of a key that is not among `known`; `term` is what kolla-ansible says.
pub(super) fn unknown_key(key: &str, known: &[&str], term: &str) -> ParseError {
    ParseError::new(match nearest(key, known) {
        Some(known) => format!("unknown key, did you mean `{known}`? (kolla: {term})"),
        None => format!("unknown key; known here are {} (kolla: {term})", known.join(", ")),
    })
}
