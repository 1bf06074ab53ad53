//! How much: sizes, time spans, processor shares, processor sets, and limits on them.
//!
//! Operators and engines write one amount in many ways: `1g`, `1024m`, `1073741824`; `90s`, `1m30s`;
//! `-1`, `max`. Each type here reads them all, holds a plain number, and prints one canonical text, so
//! that equality of values is equality of meaning. This module must not know which field of a
//! container an amount belongs to, or how an engine spells it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::text::{ParseError, debug_as_text, text_serde};

/// An amount of memory or disk, in bytes.
///
/// - Reads a whole or decimal number with an optional unit `b`, `k`, `m`, `g`, `t` or `p` in any case.
/// - Units count in steps of 1024, and a further `b` or `ib` changes nothing: `1k`, `1kb` and `1 KiB` are
///   all 1024 bytes, as they are to Docker and Podman.
/// - A fraction of a byte is dropped.
/// - Prints the largest unit that divides exactly: `64m`, `1023k`, `100b`, and `0`.
///
/// ```
/// use kolla_container_core::ByteSize;
///
/// let size: ByteSize = "0.5 GiB".parse()?;
///
/// assert_eq!(size, ByteSize::mib(512));
/// assert_eq!(size.to_string(), "512m");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// So many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// So many times 1024 bytes; the largest size there is, if that is too many.
    pub const fn kib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 10))
    }

    /// So many times 1024² bytes; the largest size there is, if that is too many.
    pub const fn mib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 20))
    }

    /// So many times 1024³ bytes; the largest size there is, if that is too many.
    pub const fn gib(count: u64) -> Self {
        Self(count.saturating_mul(1 << 30))
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The text a plan shows: `64 MiB`, `100 B`; always exact, never rounded.
    pub fn human(&self) -> String {
        let (count, unit) = self.in_largest_unit();
        format!("{count} {}", unit.human)
    }

    /// A text for what nobody compares, such as a download: `5.4 MiB`, rounded to a tenth of its unit.
    pub fn rounded(&self) -> String {
        let unit = BYTE_UNITS.iter().find(|unit| self.0 >= unit.bytes).unwrap_or(&BYTE);
        let tenths = (u128::from(self.0) * 10 + u128::from(unit.bytes / 2)) / u128::from(unit.bytes);
        match (tenths / 10, tenths % 10) {
            (count, 0) => format!("{count} {}", unit.human),
            (count, tenth) => format!("{count}.{tenth} {}", unit.human),
        }
    }

    fn in_largest_unit(self) -> (u64, &'static ByteUnit) {
        BYTE_UNITS
            .iter()
            .find(|unit| self.0 >= unit.bytes && self.0.is_multiple_of(unit.bytes))
            .map_or((self.0, &BYTE), |unit| (self.0 / unit.bytes, unit))
    }
}

impl FromStr for ByteSize {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const FORM: &str = "a number with an optional unit b, k, m, g, t or p, such as `64m` or `1.5 GiB`";

        if text.is_empty() {
            return Err(ParseError::new(format!("the size is empty: write {FORM}")));
        }
        if text.starts_with('-') {
            return Err(ParseError::new(format!("size `{text}` is negative: write {FORM}")));
        }
        let (number, unit) = split_number(text);
        let Some(number) = Decimal::read(number) else {
            return Err(ParseError::new(format!("`{text}` is not a size: write {FORM}")));
        };
        let Some(unit) = ByteUnit::read(unit) else {
            return Err(ParseError::new(format!("`{text}` has an unknown unit: write {FORM}")));
        };
        match number.times(unit.bytes).and_then(|bytes| u64::try_from(bytes).ok()) {
            Some(bytes) => Ok(Self(bytes)),
            None => {
                Err(ParseError::new(format!("size `{text}` is too large: write {FORM}, of at most {} bytes", u64::MAX)))
            }
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.in_largest_unit() {
            (0, _) => f.write_str("0"),
            (count, unit) => write!(f, "{count}{}", unit.letter),
        }
    }
}

struct ByteUnit {
    letter: char,
    human: &'static str,
    bytes: u64,
}

const BYTE: ByteUnit = ByteUnit { letter: 'b', human: "B", bytes: 1 };

/// The units above the byte, largest first.
const BYTE_UNITS: [ByteUnit; 5] = [
    ByteUnit { letter: 'p', human: "PiB", bytes: 1 << 50 },
    ByteUnit { letter: 't', human: "TiB", bytes: 1 << 40 },
    ByteUnit { letter: 'g', human: "GiB", bytes: 1 << 30 },
    ByteUnit { letter: 'm', human: "MiB", bytes: 1 << 20 },
    ByteUnit { letter: 'k', human: "KiB", bytes: 1 << 10 },
];

impl ByteUnit {
    fn read(text: &str) -> Option<&'static Self> {
        let lower = text.strip_prefix(' ').unwrap_or(text).to_ascii_lowercase();
        // A space alone promises a unit.
        if text.is_empty() || lower == "b" {
            return Some(&BYTE);
        }
        BYTE_UNITS
            .iter()
            .find(|unit| lower.strip_prefix(unit.letter).is_some_and(|rest| matches!(rest, "" | "b" | "ib")))
    }
}

/// A length of time, exact to the nanosecond.
///
/// - Reads the durations of Go and of compose files: `1h30m`, `1m30s`, `1.5s`, `500ms`, `10us`, `0`.
/// - A number without a unit is seconds. There is no unit for days, whose length varies.
/// - A fraction of a nanosecond is dropped.
/// - Prints hours, minutes and the rest: `1h30m`, `1m30s`, `1.5s`, `500ms`, `0s`.
///
/// ```
/// use kolla_container_core::TimeSpan;
///
/// let span: TimeSpan = "90s".parse()?;
///
/// assert_eq!(span, TimeSpan::from_secs(90));
/// assert_eq!(span.to_string(), "1m30s");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSpan(Duration);

impl TimeSpan {
    /// So many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// So many thousandths of a second.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(Duration::from_millis(milliseconds))
    }

    /// So many billionths of a second, the unit of Docker's health checks.
    pub const fn from_nanos(nanoseconds: u64) -> Self {
        Self(Duration::from_nanos(nanoseconds))
    }

    /// The span as the standard library has it.
    pub const fn as_duration(self) -> Duration {
        self.0
    }

    /// The number of nanoseconds; the largest there is, from some 584 years on.
    pub fn as_nanos(self) -> u64 {
        u64::try_from(self.0.as_nanos()).unwrap_or(u64::MAX)
    }

    /// The number of seconds, a begun one counted as whole: for engines that take no fraction.
    pub fn whole_seconds(self) -> u64 {
        self.0.as_secs().saturating_add(u64::from(self.0.subsec_nanos() > 0))
    }
}

impl From<Duration> for TimeSpan {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl From<TimeSpan> for Duration {
    fn from(span: TimeSpan) -> Self {
        span.0
    }
}

impl FromStr for TimeSpan {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const FORM: &str = "numbers with units h, m, s, ms, us or ns, such as `1m30s`, or plain seconds";
        let too_long = || ParseError::new(format!("time span `{text}` is too long: write {FORM}"));

        if text.is_empty() {
            return Err(ParseError::new(format!("the time span is empty: write {FORM}")));
        }
        if text.starts_with('-') {
            return Err(ParseError::new(format!("time span `{text}` is negative: write {FORM}")));
        }
        if let Some(seconds) = Decimal::read(text) {
            return seconds.times(SECOND).and_then(span_of).ok_or_else(too_long);
        }

        let mut total = 0_u128;
        let mut rest = text;
        while !rest.is_empty() {
            let (number, after) = split_number(rest);
            let (unit, next) = after.split_at(after.find(is_of_number).unwrap_or(after.len()));
            let Some(number) = Decimal::read(number) else {
                return Err(ParseError::new(format!("`{text}` is not a time span: write {FORM}")));
            };
            let unit = match unit {
                "h" => HOUR,
                "m" => MINUTE,
                "s" => SECOND,
                "ms" => MILLISECOND,
                // The micro sign, and the Greek letter that looks like it.
                "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
                "ns" => 1,
                "" => {
                    return Err(ParseError::new(format!("`{text}` ends without a unit: write {FORM}")));
                }
                unknown => {
                    return Err(ParseError::new(format!("`{text}` has the unknown unit `{unknown}`: write {FORM}")));
                }
            };
            let part = number.times(unit).ok_or_else(too_long)?;
            total = total.checked_add(part).ok_or_else(too_long)?;
            rest = next;
        }
        span_of(total).ok_or_else(too_long)
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let nanoseconds = u64::from(self.0.subsec_nanos());
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let rest = seconds % 60 * SECOND + nanoseconds;

        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        match rest {
            0 if seconds > 0 => Ok(()),
            0 => f.write_str("0s"),
            SECOND.. => write!(f, "{}s", Fraction(rest, SECOND)),
            MILLISECOND.. => write!(f, "{}ms", Fraction(rest, MILLISECOND)),
            MICROSECOND.. => write!(f, "{}us", Fraction(rest, MICROSECOND)),
            _ => write!(f, "{rest}ns"),
        }
    }
}

const HOUR: u64 = 60 * MINUTE;
const MINUTE: u64 = 60 * SECOND;
const SECOND: u64 = 1_000 * MILLISECOND;
const MILLISECOND: u64 = 1_000 * MICROSECOND;
const MICROSECOND: u64 = 1_000;

/// The span of so many nanoseconds, if there is one so long.
fn span_of(nanoseconds: u128) -> Option<TimeSpan> {
    let second = u128::from(SECOND);
    let seconds = u64::try_from(nanoseconds / second).ok()?;
    let below = u32::try_from(nanoseconds % second).ok()?;
    Some(TimeSpan(Duration::new(seconds, below)))
}

/// A share of processor time, in billionths of a processor: `1.5` is one processor and a half.
///
/// - Reads a decimal number with at most nine digits after the point, which is all that engines keep.
/// - Prints it without needless zeros: `1.5`, `0.25`, `2`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cpus(u64);

impl Cpus {
    /// So many billionths of a processor, the unit of Docker's `NanoCpus`.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The number of billionths of a processor.
    pub const fn nanos(self) -> u64 {
        self.0
    }
}

impl FromStr for Cpus {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        const FORM: &str = "a decimal number of processors such as `2` or `0.25`";

        if text.is_empty() {
            return Err(ParseError::new(format!("the number of processors is empty: write {FORM}")));
        }
        if text.starts_with('-') {
            return Err(ParseError::new(format!("`{text}` processors is negative: write {FORM}")));
        }
        let Some(number) = Decimal::read(text) else {
            return Err(ParseError::new(format!("`{text}` is not a number of processors: write {FORM}")));
        };
        if number.fraction.len() > 9 {
            return Err(ParseError::new(format!("`{text}` is too fine: write at most nine digits after the point")));
        }
        match number.times(CPU).and_then(|nanos| u64::try_from(nanos).ok()) {
            Some(nanos) => Ok(Self(nanos)),
            None => Err(ParseError::new(format!("`{text}` processors is too large: write at most {}", Self(u64::MAX)))),
        }
    }
}

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Fraction(self.0, CPU).fmt(f)
    }
}

const CPU: u64 = 1_000_000_000;

/// The processors, or memory nodes, that a container may use, by index.
///
/// - Reads and prints the kernel's list form: `0-2,5`. The empty text is the empty set.
/// - An index is at most [`CpuSet::LAST`], so that a short text cannot ask for a huge set.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuSet(BTreeSet<u32>);

impl CpuSet {
    /// The largest index: Linux runs on at most 8192 processors.
    pub const LAST: u32 = 8191;

    /// The indexes, in ascending order.
    pub fn indexes(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// Whether no index is in the set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many indexes are in the set.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromStr for CpuSet {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut set = BTreeSet::new();
        if text.is_empty() {
            return Ok(Self(set));
        }
        for item in text.split(',') {
            let (first, last) = item.split_once('-').unwrap_or((item, item));
            let (first, last) = (read_index(first, text)?, read_index(last, text)?);
            if first > last {
                return Err(ParseError::new(format!("range `{item}` runs backwards: write `{last}-{first}`")));
            }
            set.extend(first..=last);
        }
        Ok(Self(set))
    }
}

impl fmt::Display for CpuSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut indexes = self.indexes().peekable();
        let mut comma = "";
        while let Some(first) = indexes.next() {
            let mut last = first;
            while let Some(next) = indexes.next_if(|next| *next == last + 1) {
                last = next;
            }
            if first == last {
                write!(f, "{comma}{first}")?;
            } else {
                write!(f, "{comma}{first}-{last}")?;
            }
            comma = ",";
        }
        Ok(())
    }
}

fn read_index(text: &str, list: &str) -> Result<u32, ParseError> {
    if !is_digits(text) {
        return Err(ParseError::new(format!(
            "`{list}` is not a list of processors: write indexes and ranges such as `0-2,5`"
        )));
    }
    match text.parse() {
        Ok(index) if index <= CpuSet::LAST => Ok(index),
        _ => Err(ParseError::new(format!("processor `{text}` is out of range: an index is at most {}", CpuSet::LAST))),
    }
}

/// A limit, or none; no limit is greater than any.
///
/// - `unlimited`, `-1` and `max` are no limit, and anything else is read as a `T`.
/// - Prints `unlimited`, or the text of the `T`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit<T> {
    /// At most so much.
    At(T),
    /// As much as there is.
    Unlimited,
}

impl<T> Limit<T> {
    /// Whether there is no limit.
    pub const fn is_unlimited(&self) -> bool {
        matches!(self, Self::Unlimited)
    }

    /// The limit, if there is one.
    pub const fn value(&self) -> Option<T>
    where
        T: Copy,
    {
        match self {
            Self::At(value) => Some(*value),
            Self::Unlimited => None,
        }
    }

    fn read(text: &str, value: impl FnOnce(&str) -> Result<T, ParseError>) -> Result<Self, ParseError> {
        match text {
            "unlimited" | "-1" | "max" => Ok(Self::Unlimited),
            _ => match value(text) {
                Ok(value) => Ok(Self::At(value)),
                Err(error) => Err(ParseError::new(format!("{error}, or `unlimited`"))),
            },
        }
    }
}

impl FromStr for Limit<ByteSize> {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::read(text, ByteSize::from_str)
    }
}

impl FromStr for Limit<TimeSpan> {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::read(text, TimeSpan::from_str)
    }
}

impl FromStr for Limit<u64> {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::read(text, |text| match text.parse() {
            Ok(number) if is_digits(text) => Ok(number),
            _ => Err(ParseError::new(format!("`{text}` is not a limit: write a whole number up to {}", u64::MAX))),
        })
    }
}

impl<T: fmt::Display> fmt::Display for Limit<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(value) => value.fmt(f),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// The digits before and after the point of a decimal number; one side may have none.
struct Decimal<'a> {
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let sides = [whole, fraction];
        let digits = sides.iter().all(|side| side.is_empty() || is_digits(side));
        (digits && sides != [""; 2]).then_some(Self { whole, fraction })
    }

    /// The number times the unit, rounded down, however many digits it has.
    fn times(&self, unit: u64) -> Option<u128> {
        let unit = u128::from(unit);
        let whole = match self.whole {
            "" => 0,
            digits => digits.parse::<u128>().ok()?,
        };
        let below = self.fraction.bytes().rev().fold(0, |below, digit| (below + u128::from(digit - b'0') * unit) / 10);
        whole.checked_mul(unit)?.checked_add(below)
    }
}

/// The first number divided by the second, a power of ten, printed exactly.
struct Fraction(u64, u64);

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, unit) = *self;
        write!(f, "{}", value / unit)?;
        match value % unit {
            0 => Ok(()),
            below => {
                let width = unit.ilog10() as usize;
                let digits = format!("{below:0width$}");
                write!(f, ".{}", digits.trim_end_matches('0'))
            }
        }
    }
}

/// The number that a text begins with, and what follows it.
fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter| !is_of_number(letter)).unwrap_or(text.len()))
}

fn is_of_number(letter: char) -> bool {
    letter.is_ascii_digit() || letter == '.'
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

debug_as_text!(ByteSize, TimeSpan, Cpus, CpuSet);
text_serde!(ByteSize, TimeSpan, Cpus, CpuSet, Limit<ByteSize>, Limit<TimeSpan>, Limit<u64>);

#[cfg(test)]
mod tests {
    use proptest::collection::btree_set;
    use proptest::prelude::*;

    use super::*;

    fn refuse<T: FromStr<Err = ParseError> + fmt::Display>(cases: &[(&str, &str)]) {
        for (text, part) in cases {
            match text.parse::<T>() {
                Ok(value) => panic!("{text:?} was read as {value}"),
                Err(error) => {
                    let error = error.to_string();
                    assert!(error.contains(part), "{text:?}: {error}");
                    assert!(!error.ends_with('.'), "{error}");
                }
            }
        }
    }

    #[test]
    fn a_size_is_read_in_every_spelling() {
        let cases = [
            ("0", 0),
            ("100", 100),
            ("100b", 100),
            ("100B", 100),
            ("1k", 1 << 10),
            ("1kb", 1 << 10),
            ("1KiB", 1 << 10),
            ("1 KIB", 1 << 10),
            ("64m", 64 << 20),
            ("1G", 1 << 30),
            ("2tb", 2 << 40),
            ("3 PiB", 3 << 50),
            ("0.5g", 512 << 20),
            ("1.5 GiB", 1536 << 20),
            (".5k", 512),
            ("1.k", 1 << 10),
            ("007", 7),
            ("1.9", 1),
            ("0.0001k", 0),
            // Exact where a float is not: a byte below and at 2 to the power of -50.
            ("0.00000000000000088817841970012523233890533447265625p", 1),
            ("0.00000000000000088817841970012523233890533447265624p", 0),
            ("9007199254740993", 9_007_199_254_740_993),
            ("18446744073709551615", u64::MAX),
        ];
        for (text, bytes) in cases {
            assert_eq!(text.parse(), Ok(ByteSize::from_bytes(bytes)), "{text}");
        }
    }

    #[test]
    fn a_size_that_is_none_is_refused_with_the_units() {
        refuse::<ByteSize>(&[
            ("", "is empty: write a number with an optional unit b, k, m, g, t or p"),
            ("-1", "is negative"),
            ("-5m", "unit b, k, m, g, t or p"),
            ("5x", "has an unknown unit: write a number with an optional unit b, k, m, g, t or p"),
            ("5e", "unknown unit"),
            ("5kk", "unknown unit"),
            ("5kib ", "unknown unit"),
            ("5 ", "unknown unit"),
            ("5  k", "unknown unit"),
            ("5ib", "unknown unit"),
            ("5bb", "unknown unit"),
            ("5é", "unknown unit"),
            ("m", "is not a size"),
            (" 5m", "is not a size"),
            ("+5m", "is not a size"),
            ("1.2.3m", "is not a size"),
            (".", "is not a size"),
            ("1,5g", "unknown unit"),
            ("unlimited", "is not a size"),
            ("18446744073709551616", "is too large: write a number with an optional unit"),
            ("16384p", "is too large"),
            ("999999999999999999999999999999999999999999", "is too large"),
        ]);
    }

    #[test]
    fn a_size_prints_the_largest_unit_that_divides_it() {
        let cases = [
            (ByteSize::default(), "0", "0 B"),
            (ByteSize::from_bytes(100), "100b", "100 B"),
            (ByteSize::from_bytes(1025), "1025b", "1025 B"),
            (ByteSize::kib(1023), "1023k", "1023 KiB"),
            (ByteSize::kib(1024), "1m", "1 MiB"),
            (ByteSize::mib(64), "64m", "64 MiB"),
            (ByteSize::gib(1), "1g", "1 GiB"),
            (ByteSize::gib(1 << 10), "1t", "1 TiB"),
            (ByteSize::gib(1 << 20), "1p", "1 PiB"),
            (ByteSize::gib(u64::MAX), "18446744073709551615b", "18446744073709551615 B"),
        ];
        for (size, text, human) in cases {
            assert_eq!((size.to_string().as_str(), size.human().as_str()), (text, human));
            assert_eq!(format!("{size:?}"), text);
        }
    }

    #[test]
    fn a_size_that_nobody_compares_is_rounded() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (5_687_758, "5.4 MiB"),
            (4 << 20, "4 MiB"),
            (u64::MAX, "16384 PiB"),
        ] {
            assert_eq!(ByteSize::from_bytes(bytes).rounded(), text);
        }
    }

    #[test]
    fn a_time_span_is_read_in_every_spelling() {
        let cases = [
            ("0", 0),
            ("0s", 0),
            ("30", 30_000_000_000),
            ("1.5", 1_500_000_000),
            ("30s", 30_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("1m30s", 90_000_000_000),
            ("90s", 90_000_000_000),
            ("500ms", 500_000_000),
            ("1.5s", 1_500_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("1.5h", 5_400_000_000_000),
            ("10us", 10_000),
            ("10\u{b5}s", 10_000),
            ("10\u{3bc}s", 10_000),
            ("7ns", 7),
            ("1.9ns", 1),
            ("1h2m3s4ms5us6ns", 3_723_004_005_006),
            ("5m1h5m", 4_200_000_000_000),
        ];
        for (text, nanos) in cases {
            assert_eq!(text.parse(), Ok(TimeSpan::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn a_time_span_that_is_none_is_refused_with_the_units() {
        refuse::<TimeSpan>(&[
            ("", "is empty: write numbers with units h, m, s, ms, us or ns"),
            ("-5s", "is negative"),
            ("-1", "is negative"),
            ("1d", "unknown unit `d`: write numbers with units h, m, s, ms, us or ns"),
            ("1S", "unknown unit `S`"),
            ("1h 30m", "unknown unit `h `"),
            ("1h30", "ends without a unit"),
            ("1h-5m", "unknown unit `h-`"),
            ("s", "is not a time span"),
            ("+5s", "is not a time span"),
            (" 5s", "is not a time span"),
            ("1.2.3s", "is not a time span"),
            (".s", "is not a time span"),
            ("18446744073709551616", "is too long"),
            ("99999999999999999999999999999999999999999h", "is too long"),
            ("99999999999999999999999999h", "is too long"),
        ]);
    }

    #[test]
    fn a_time_span_prints_hours_minutes_and_the_rest() {
        let cases = [
            (0, "0s"),
            (1, "1ns"),
            (999, "999ns"),
            (10_000, "10us"),
            (1_500, "1.5us"),
            (500_000_000, "500ms"),
            (1_001_000, "1.001ms"),
            (1_500_000_000, "1.5s"),
            (1_000_000_001, "1.000000001s"),
            (1_111_111_111, "1.111111111s"),
            (30_000_000_000, "30s"),
            (90_000_000_000, "1m30s"),
            (60_000_000_000, "1m"),
            (5_400_000_000_000, "1h30m"),
            (3_600_500_000_000, "1h500ms"),
            (3_661_000_000_000, "1h1m1s"),
            (86_400_000_000_000, "24h"),
        ];
        for (nanos, text) in cases {
            assert_eq!(TimeSpan::from_nanos(nanos).to_string(), text);
            assert_eq!(format!("{:?}", TimeSpan::from_nanos(nanos)), text);
        }
    }

    #[test]
    fn whole_seconds_are_rounded_up_and_nothing_overflows() {
        let longest = TimeSpan::from(Duration::MAX);

        assert_eq!(TimeSpan::from_millis(0).whole_seconds(), 0);
        assert_eq!(TimeSpan::from_millis(1).whole_seconds(), 1);
        assert_eq!(TimeSpan::from_millis(1000).whole_seconds(), 1);
        assert_eq!(TimeSpan::from_millis(1001).whole_seconds(), 2);
        assert_eq!(longest.whole_seconds(), u64::MAX);
        assert_eq!(longest.as_nanos(), u64::MAX);
        assert_eq!(longest.to_string().parse(), Ok(longest));
        assert_eq!(Duration::from(longest), longest.as_duration());
    }

    #[test]
    fn processors_are_read_and_printed_exactly() {
        let cases = [
            ("0", 0, "0"),
            ("2", 2_000_000_000, "2"),
            ("2.0", 2_000_000_000, "2"),
            ("1.5", 1_500_000_000, "1.5"),
            ("0.25", 250_000_000, "0.25"),
            (".5", 500_000_000, "0.5"),
            ("0.100", 100_000_000, "0.1"),
            ("0.000000001", 1, "0.000000001"),
            ("1.111111111", 1_111_111_111, "1.111111111"),
            ("18446744073.709551615", u64::MAX, "18446744073.709551615"),
        ];
        for (text, nanos, canonical) in cases {
            assert_eq!(text.parse(), Ok(Cpus::from_nanos(nanos)), "{text}");
            assert_eq!(Cpus::from_nanos(nanos).to_string(), canonical);
            assert_eq!(Cpus::from_nanos(nanos).nanos(), nanos);
        }
        refuse::<Cpus>(&[
            ("", "is empty"),
            ("-1", "is negative"),
            ("-0.5", "is negative"),
            ("1.0000000001", "at most nine digits"),
            ("1e3", "is not a number of processors"),
            ("50%", "is not a number of processors"),
            ("two", "is not a number of processors"),
            ("+1", "is not a number of processors"),
            ("18446744073.709551616", "write at most 18446744073.709551615"),
        ]);
    }

    #[test]
    fn a_processor_set_is_read_and_printed_as_the_kernel_does() {
        let cases = [
            ("", "", 0),
            ("0", "0", 1),
            ("0-2,5", "0-2,5", 4),
            ("5,2,1,0", "0-2,5", 4),
            ("0,1", "0-1", 2),
            ("0-3,2-4,4", "0-4", 5),
            ("3-3", "3", 1),
            ("007", "7", 1),
            ("0-8191", "0-8191", 8192),
        ];
        for (text, canonical, len) in cases {
            let set: CpuSet = text.parse().unwrap();

            assert_eq!(set.to_string(), canonical, "{text}");
            assert_eq!(format!("{set:?}"), canonical);
            assert_eq!((set.len(), set.is_empty()), (len, len == 0));
        }
        assert_eq!("0-2,5".parse::<CpuSet>().unwrap().indexes().collect::<Vec<_>>(), [0, 1, 2, 5]);
        refuse::<CpuSet>(&[
            ("2-0", "runs backwards: write `0-2`"),
            ("8192", "at most 8191"),
            ("0-4294967295", "at most 8191"),
            ("99999999999999999999", "at most 8191"),
            ("-1", "is not a list of processors"),
            ("0-", "is not a list of processors"),
            ("0-1-2", "is not a list of processors"),
            ("0,,1", "is not a list of processors"),
            ("0,", "is not a list of processors"),
            ("0, 1", "is not a list of processors"),
            (" ", "is not a list of processors"),
            ("+1", "is not a list of processors"),
            ("all", "is not a list of processors"),
        ]);
    }

    #[test]
    fn a_limit_is_a_value_or_unlimited() {
        for text in ["unlimited", "-1", "max"] {
            assert_eq!(text.parse(), Ok(Limit::<u64>::Unlimited));
            assert_eq!(text.parse(), Ok(Limit::<ByteSize>::Unlimited));
        }
        assert_eq!("64m".parse(), Ok(Limit::At(ByteSize::mib(64))));
        assert_eq!("1024".parse(), Ok(Limit::At(1024_u64)));
        assert_eq!(Limit::At(ByteSize::kib(1024)).to_string(), "1m");
        assert_eq!(Limit::<u64>::Unlimited.to_string(), "unlimited");
        assert_eq!((Limit::At(7_u64).value(), Limit::At(7_u64).is_unlimited()), (Some(7), false));
        assert_eq!((Limit::<u64>::Unlimited.value(), Limit::<u64>::Unlimited.is_unlimited()), (None, true));
        refuse::<Limit<u64>>(&[
            ("", "write a whole number up to 18446744073709551615, or `unlimited`"),
            ("-2", "write a whole number"),
            ("+2", "write a whole number"),
            ("1.5", "write a whole number"),
            ("18446744073709551616", "write a whole number"),
        ]);
        refuse::<Limit<ByteSize>>(&[("-2", "is negative"), ("5x", "or `unlimited`")]);
    }

    #[test]
    fn no_limit_is_greater_than_any() {
        assert!(Limit::Unlimited > Limit::At(u64::MAX));
        assert!(Limit::At(2_u64) > Limit::At(1));
    }

    #[test]
    fn serde_uses_the_text() {
        fn check<T>(value: &T, json: &str)
        where
            T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + fmt::Debug,
        {
            assert_eq!(serde_json::to_string(value).unwrap(), json);
            assert_eq!(&serde_json::from_str::<T>(json).unwrap(), value);
            assert!(serde_json::from_str::<T>(r#""nonsense""#).is_err());
        }

        check(&ByteSize::mib(64), r#""64m""#);
        check(&TimeSpan::from_secs(90), r#""1m30s""#);
        check(&Cpus::from_nanos(1_500_000_000), r#""1.5""#);
        check(&"0-2,5".parse::<CpuSet>().unwrap(), r#""0-2,5""#);
        check(&Limit::At(ByteSize::gib(1)), r#""1g""#);
        check(&Limit::<u64>::Unlimited, r#""unlimited""#);
    }

    proptest! {
        #[test]
        fn a_size_survives_its_text(count in any::<u64>(), shift in 0_u32..64) {
            let size = ByteSize::from_bytes(count >> shift << (shift / 2));

            prop_assert_eq!(size.to_string().parse(), Ok(size));
            prop_assert_eq!(size.human().parse(), Ok(size));
            prop_assert_eq!(Limit::At(size).to_string().parse(), Ok(Limit::At(size)));
        }

        #[test]
        fn a_time_span_survives_its_text(seconds in any::<u64>(), shift in 0_u32..64, nanos in 0_u32..1_000_000_000, whole in any::<bool>()) {
            let span = TimeSpan::from(Duration::new(seconds >> shift, if whole { 0 } else { nanos }));

            prop_assert_eq!(span.to_string().parse(), Ok(span));
        }

        #[test]
        fn processors_survive_their_text(nanos in any::<u64>(), shift in 0_u32..64) {
            let cpus = Cpus::from_nanos(nanos >> shift);

            prop_assert_eq!(cpus.to_string().parse(), Ok(cpus));
        }

        #[test]
        fn a_processor_set_survives_its_text(indexes in btree_set(0..=CpuSet::LAST, 0..60), few in btree_set(0..12_u32, 0..12)) {
            for set in [CpuSet(indexes), CpuSet(few)] {
                prop_assert_eq!(set.to_string().parse(), Ok(set));
            }
        }

        #[test]
        fn a_count_limit_survives_its_text(count in any::<u64>()) {
            prop_assert_eq!(Limit::At(count).to_string().parse(), Ok(Limit::At(count)));
        }

        #[test]
        fn any_text_is_refused_or_has_a_canonical_form(text in "[-+0-9.,bkmgtpihsnuµ ]{0,24}") {
            if let Ok(size) = text.parse::<ByteSize>() {
                prop_assert_eq!(size.to_string().parse(), Ok(size));
            }
            if let Ok(span) = text.parse::<TimeSpan>() {
                prop_assert_eq!(span.to_string().parse(), Ok(span));
            }
            if let Ok(cpus) = text.parse::<Cpus>() {
                prop_assert_eq!(cpus.to_string().parse(), Ok(cpus));
            }
            if let Ok(set) = text.parse::<CpuSet>() {
                prop_assert_eq!(set.to_string().parse(), Ok(set));
            }
        }
    }
}
