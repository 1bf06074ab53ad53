//! Signals, whatever they are called.

use std::fmt;
use std::str::FromStr;

use crate::text::{ParseError, debug_as_text, text_serde};

/// Signal names of Linux, by number from 1.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
    "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO",
    "PWR", "SYS",
];

/// The first of the real-time signals.
const RTMIN: u8 = 34;
/// The last of the real-time signals.
const RTMAX: u8 = 64;

/// A signal of Linux: `SIGTERM`, `TERM`, `term` and `15` are the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signal(u8);

impl Signal {
    /// The one that asks a program to end.
    pub const TERM: Self = Self(15);
    /// The one that ends it.
    pub const KILL: Self = Self(9);

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMES.get(usize::from(self.0).wrapping_sub(1)) {
            Some(name) => write!(f, "SIG{name}"),
            None if self.0 == RTMIN => f.write_str("SIGRTMIN"),
            None if self.0 == RTMAX => f.write_str("SIGRTMAX"),
            None => write!(f, "SIGRTMIN+{}", self.0.saturating_sub(RTMIN)),
        }
    }
}

impl FromStr for Signal {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || ParseError::new(format!("{text:?} is no signal such as SIGTERM or 15"));
        if let Ok(number) = text.parse::<u8>() {
            let known = (1..=31).contains(&number) || (RTMIN..=RTMAX).contains(&number);
            return if known { Ok(Self(number)) } else { Err(wrong()) };
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let alias = match name {
            "IOT" => "ABRT",
            "CLD" => "CHLD",
            "POLL" => "IO",
            name => name,
        };
        if let Some(index) = NAMES.iter().position(|known| *known == alias) {
            return u8::try_from(index + 1).map(Self).map_err(|_| wrong());
        }
        let (base, sign, offset) = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
            (Some(rest), _) => (RTMIN, '+', rest),
            (_, Some(rest)) => (RTMAX, '-', rest),
            _ => return Err(wrong()),
        };
        let offset: u8 = match offset.strip_prefix(sign) {
            Some(digits) => digits.parse().map_err(|_| wrong())?,
            None if offset.is_empty() => 0,
            None => return Err(wrong()),
        };
        let number = if sign == '+' { base.checked_add(offset) } else { base.checked_sub(offset) };
        number.filter(|number| (RTMIN..=RTMAX).contains(number)).map(Self).ok_or_else(wrong)
    }
}

debug_as_text!(Signal);
text_serde!(Signal);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_signal_are_one() {
        for text in ["15", "TERM", "term", "SIGTERM", "sigterm"] {
            assert_eq!(text.parse(), Ok(Signal::TERM), "{text}");
        }
        assert_eq!("SIGRTMIN+3".parse::<Signal>().unwrap().number(), 37);
        assert_eq!("SIGRTMAX-1".parse::<Signal>().unwrap().to_string(), "SIGRTMIN+29");
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        for text in ["0", "32", "65", "", "SIG", "SIGFOO", "RTMIN-1", "RTMAX+1"] {
            assert!(text.parse::<Signal>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_signal_reads_back() {
        for number in (1..=31).chain(34..=64) {
            let signal: Signal = number.to_string().parse().unwrap();

            assert_eq!(signal.to_string().parse(), Ok(signal));
        }
    }
}
