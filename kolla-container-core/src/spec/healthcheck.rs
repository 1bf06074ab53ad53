//! How the engine finds out whether the program in a container is well.

use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use crate::quantity::TimeSpan;
use crate::shown::Shown;

/// The health check of a container, `Healthcheck` on Docker and `healthconfig` on Podman.
///
/// A key that is not stated is the image's, and the engine's default where the image has none.
/// Written as an object, or as the word `NONE` for no check.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Healthcheck {
    /// What is run; exit status 0 is healthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<HealthTest>,
    /// The time between two checks. Default: 30 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<TimeSpan>,
    /// How long one check may take. Default: 30 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<TimeSpan>,
    /// How many failures in a row make it unhealthy. Default: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// The time after the start in which failures do not count. Default: 0 s.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_period: Option<TimeSpan>,
    /// The time between two checks during the start period. Default: 5 s. Docker from API 1.44.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_interval: Option<TimeSpan>,
}

impl Healthcheck {
    /// No health check, also where the image has one.
    pub fn none() -> Self {
        Self { test: Some(HealthTest::None), ..Self::default() }
    }

    /// Whether there is a check to wait for.
    pub fn is_active(&self) -> bool {
        self.test.as_ref().is_some_and(|test| *test != HealthTest::None)
    }

    /// Whether no key is stated.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a health check runs.
///
/// Written as Docker does: `["CMD", word...]`, `["CMD-SHELL", text]`, `["NONE"]`; a text alone is
/// run by the shell, and the text `NONE` is none.
#[derive(Clone, PartialEq, Eq)]
pub enum HealthTest {
    /// Nothing: there is no check, also where the image has one.
    None,
    /// A program with its arguments.
    Exec(Vec<String>),
    /// A text for the container's shell.
    Shell(String),
}

impl HealthTest {
    /// The list form that engines take.
    pub fn words(&self) -> Vec<&str> {
        match self {
            Self::None => vec!["NONE"],
            Self::Exec(argv) => std::iter::once("CMD").chain(argv.iter().map(String::as_str)).collect(),
            Self::Shell(text) => vec!["CMD-SHELL", text],
        }
    }

    /// Reads the list form; `None` where the list is empty, which means "the image's".
    pub fn from_words(words: &[String]) -> Result<Option<Self>, crate::text::ParseError> {
        Ok(match words {
            [] => None,
            [none] if none == "NONE" => Some(Self::None),
            [kind, argv @ ..] if kind == "CMD" && !argv.is_empty() => Some(Self::Exec(argv.to_vec())),
            [kind, text] if kind == "CMD-SHELL" => Some(Self::Shell(text.clone())),
            _ => {
                return Err(crate::text::ParseError::new(
                    "a health check is [\"CMD\", program, argument...], [\"CMD-SHELL\", text], [\"NONE\"], or a text",
                ));
            }
        })
    }

    /// What a plan shows of it.
    pub fn shown(&self) -> Shown {
        match self {
            Self::None => Shown::not_set(),
            Self::Exec(argv) => Shown::argv(argv.iter().map(String::as_str)),
            Self::Shell(text) => Shown::text(text),
        }
    }
}

impl fmt::Debug for HealthTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Exec(_) => write!(f, "Exec({})", self.shown()),
            Self::Shell(_) => write!(f, "Shell({})", self.shown()),
        }
    }
}

impl Serialize for HealthTest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let words = self.words();
        let mut list = serializer.serialize_seq(Some(words.len()))?;
        for word in words {
            list.serialize_element(word)?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for HealthTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Form;

        impl<'de> Visitor<'de> for Form {
            type Value = HealthTest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a health check: a text, or a list that begins with CMD, CMD-SHELL or NONE")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<HealthTest, E> {
                match text {
                    "" => Err(E::custom("the test is empty: write NONE for no health check")),
                    "NONE" => Ok(HealthTest::None),
                    text => Ok(HealthTest::Shell(text.to_owned())),
                }
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<HealthTest, A::Error> {
                let mut words: Vec<String> = Vec::new();
                while let Some(word) = list.next_element()? {
                    words.push(word);
                }
                HealthTest::from_words(&words)
                    .map_err(serde::de::Error::custom)?
                    .ok_or_else(|| serde::de::Error::custom("the test is empty: leave it out for the image's"))
            }
        }

        deserializer.deserialize_any(Form)
    }
}

impl std::str::FromStr for Healthcheck {
    type Err = crate::text::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "NONE" => Ok(Self::none()),
            _ => Err(crate::text::ParseError::new("a health check is an object, or the word NONE")),
        }
    }
}

impl<'de> Deserialize<'de> for Healthcheck {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        struct Keys {
            test: Option<HealthTest>,
            interval: Option<TimeSpan>,
            timeout: Option<TimeSpan>,
            retries: Option<u32>,
            start_period: Option<TimeSpan>,
            start_interval: Option<TimeSpan>,
        }

        super::read::text_or_map(deserializer, "a health check: an object, or the word NONE", |keys: Keys| {
            Ok(Self {
                test: keys.test,
                interval: keys.interval,
                timeout: keys.timeout,
                retries: keys.retries,
                start_period: keys.start_period,
                start_interval: keys.start_interval,
            })
        })
    }
}
