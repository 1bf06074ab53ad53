//! What happens when the program in a container ends.

use std::fmt;
use std::str::FromStr;

use crate::text::{ParseError, debug_as_text, text_serde};

/// What the engine (or a supervisor) does when the container ends. `RestartPolicy`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RestartPolicy {
    /// Nothing. The default.
    #[default]
    No,
    /// Start it again when it failed, this often; without end when not stated.
    OnFailure(Option<u32>),
    /// Start it again, also when the engine starts.
    Always,
    /// As always, except after it was stopped by hand.
    UnlessStopped,
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::OnFailure(None) => f.write_str("on-failure"),
            Self::OnFailure(Some(retries)) => write!(f, "on-failure:{retries}"),
            Self::Always => f.write_str("always"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
        }
    }
}

impl FromStr for RestartPolicy {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || {
            ParseError::new(format!(
                "{text:?} is no restart policy: it is no, on-failure[:RETRIES], always or unless-stopped"
            ))
        };
        match text.split_once(':') {
            None => match text {
                // YAML reads a bare `no` as false.
                "no" | "false" | "" => Ok(Self::No),
                "on-failure" => Ok(Self::OnFailure(None)),
                "always" => Ok(Self::Always),
                "unless-stopped" => Ok(Self::UnlessStopped),
                _ => Err(wrong()),
            },
            // Engines say 0 for "without end".
            Some(("on-failure", retries)) => {
                let retries: u32 = retries.parse().map_err(|_| wrong())?;
                Ok(Self::OnFailure(Some(retries).filter(|retries| *retries > 0)))
            }
            Some(_) => Err(wrong()),
        }
    }
}

debug_as_text!(RestartPolicy);
text_serde!(RestartPolicy);
