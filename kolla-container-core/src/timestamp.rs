//! A moment on the engine's clock.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use crate::text::{ParseError, debug_as_text, text_serde};

/// A moment, as RFC 3339 text in UTC: `2026-11-21T03:27:37Z`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(jiff::Timestamp);

impl Timestamp {
    /// The moment that this machine's clock shows.
    pub fn now() -> Self {
        Self(jiff::Timestamp::now())
    }

    /// The moment `span` after this one; the last one that there is where that is too far.
    #[must_use]
    pub fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span).unwrap_or(jiff::Timestamp::MAX))
    }

    /// How long this is after another moment; no time where it is before.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::try_from(self.0.duration_since(earlier.0)).unwrap_or_default()
    }

    /// This moment without its fraction of a second.
    #[must_use]
    pub fn whole_seconds(self) -> Self {
        Self(jiff::Timestamp::from_second(self.0.as_second()).unwrap_or(self.0))
    }
}

impl From<SystemTime> for Timestamp {
    /// Times that no calendar has are brought to the nearest that one has.
    fn from(time: SystemTime) -> Self {
        Self(jiff::Timestamp::try_from(time).unwrap_or(if time < SystemTime::UNIX_EPOCH {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        }))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Timestamp {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        text.parse()
            .map(Self)
            .map_err(|_| ParseError::new(format!("{text:?} is no RFC 3339 time such as 2026-11-21T03:27:37Z")))
    }
}

debug_as_text!(Timestamp);
text_serde!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_both_engines_are_read() {
        let docker: Timestamp = "2026-11-21T03:27:37.123456789Z".parse().unwrap();
        let podman: Timestamp = "2026-11-21T05:27:37.123456789+02:00".parse().unwrap();

        assert_eq!(docker, podman);
        assert_eq!(docker.whole_seconds().to_string(), "2026-11-21T03:27:37Z");
    }

    #[test]
    fn a_moment_too_far_away_is_the_last_one() {
        assert!(Timestamp::now().after(Duration::MAX) > Timestamp::now());
    }
}
