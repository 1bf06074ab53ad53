//! Whether an image is pulled.

use std::fmt;
use std::str::FromStr;

use crate::quantity::TimeSpan;
use crate::text::ParseError;

/// When an image is pulled (`imagePullPolicy` of Kubernetes, `pull_policy` of compose, `--pull` of the engines).
///
/// ```
/// use kolla_container_core::images::{Decision, Presence, PullPolicy};
///
/// let policy: PullPolicy = "IfNotPresent".parse()?;
///
/// assert_eq!(policy, PullPolicy::Missing);
/// assert_eq!(policy.decide(Presence::Absent), Decision::Pull);
/// assert_eq!("after 12h".parse::<PullPolicy>()?.to_string(), "after 12h");
/// # Ok::<(), kolla_container_core::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// Each time, whatever is there: `always`.
    Always,
    /// When it is not there: `missing`, and `IfNotPresent` of Kubernetes.
    #[default]
    Missing,
    /// Not at all; one that is not there is an error: `never`.
    Never,
    /// When it is not there, or the registry has another one under that name: `newer`. What is there is kept when the
    /// registry cannot be asked (it is down, busy or too slow); a listener is told.
    Newer,
    /// When it is not there, or was last pulled longer ago than this: `after 12h`. Engines do not know when that was, a
    /// manager of images does of its own pulls: one of which nobody knows is pulled.
    After(TimeSpan),
}

/// Whether an image is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is not.
    Absent,
    /// It is, for so long, where that is known.
    Present(Option<TimeSpan>),
}

/// What is done about an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// What is there is used; nobody asks the registry.
    Use,
    /// It is pulled.
    Pull,
    /// It is pulled if the registry has another one, which somebody has to ask.
    PullIfNewer,
    /// It is not there, and may not be pulled.
    Refuse,
}

impl PullPolicy {
    /// Whether it is pulled whatever is there.
    pub fn is_always(self) -> bool {
        self == Self::Always
    }

    /// What is done about an image that is there, or is not.
    pub fn decide(self, presence: Presence) -> Decision {
        match (self, presence) {
            (Self::Never, Presence::Absent) => Decision::Refuse,
            (Self::Missing | Self::Never, Presence::Present(_)) => Decision::Use,
            (Self::Newer, Presence::Present(_)) => Decision::PullIfNewer,
            (Self::After(limit), Presence::Present(Some(age))) if age < limit => Decision::Use,
            _ => Decision::Pull,
        }
    }
}

impl fmt::Display for PullPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("always"),
            Self::Missing => f.write_str("missing"),
            Self::Never => f.write_str("never"),
            Self::Newer => f.write_str("newer"),
            Self::After(age) => write!(f, "after {age}"),
        }
    }
}

impl FromStr for PullPolicy {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const FORM: &str = "always, missing, never, newer, or after and a time: after 12h";
        match text.to_ascii_lowercase().as_str() {
            "always" => Ok(Self::Always),
            "missing" | "ifnotpresent" | "if_not_present" | "if-not-present" => Ok(Self::Missing),
            "never" => Ok(Self::Never),
            "newer" => Ok(Self::Newer),
            other => match other.strip_prefix("after ") {
                Some(age) => age.trim().parse().map(Self::After),
                None => Err(ParseError::new(format!("pull policy `{text}` is unknown: write {FORM}"))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_decides_for_each_presence() {
        use Decision::{Pull, PullIfNewer, Refuse, Use};

        let span = TimeSpan::from_secs;
        let presences = [
            Presence::Absent,
            Presence::Present(None),
            Presence::Present(Some(span(59))),
            Presence::Present(Some(span(60))),
        ];
        let table = [
            (PullPolicy::Always, [Pull, Pull, Pull, Pull]),
            (PullPolicy::Missing, [Pull, Use, Use, Use]),
            (PullPolicy::Never, [Refuse, Use, Use, Use]),
            (PullPolicy::Newer, [Pull, PullIfNewer, PullIfNewer, PullIfNewer]),
            (PullPolicy::After(span(60)), [Pull, Pull, Use, Pull]),
        ];
        for (policy, expected) in table {
            assert_eq!(presences.map(|presence| policy.decide(presence)), expected, "{policy}");
        }
    }

    #[test]
    fn a_policy_is_read_in_the_words_of_kubernetes_compose_and_the_engines() {
        for (text, policy) in [
            ("Always", PullPolicy::Always),
            ("IfNotPresent", PullPolicy::Missing),
            ("if_not_present", PullPolicy::Missing),
            ("Never", PullPolicy::Never),
            ("newer", PullPolicy::Newer),
            ("after 90m", PullPolicy::After(TimeSpan::from_secs(5400))),
        ] {
            assert_eq!(text.parse(), Ok(policy));
            assert_eq!(policy.to_string().parse(), Ok(policy));
        }
        for wrong in ["", "sometimes", "after", "after soon"] {
            assert!(wrong.parse::<PullPolicy>().is_err(), "{wrong}");
        }
    }
}
