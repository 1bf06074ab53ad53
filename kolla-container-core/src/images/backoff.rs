//! When what has failed is tried again.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// How finely jitter is spread.
const PARTS: u32 = 10_000;

/// How fast the time between two tries grows, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackoffLimits {
    /// After the first failure.
    pub initial: Duration,
    /// However many there were.
    pub max: Duration,
    /// By how many hundredths of itself a delay is made longer at most, so that not all try at the same moment; 0 is not at
    /// all.
    pub jitter: u8,
}

impl Default for BackoffLimits {
    /// Those of the kubelet: 10 s, doubled up to 300 s, without jitter.
    fn default() -> Self {
        Self { initial: Duration::from_secs(10), max: Duration::from_mins(5), jitter: 0 }
    }
}

/// Who has failed, how often, and why: a table by keys, as of the kubelet's image manager.
///
/// A failure doubles the delay of its key, a success forgets it; so does time, twice the longest delay after the last
/// failure. Exactly at its end, a delay is over.
///
/// ```
/// use std::time::{Duration, Instant};
/// use kolla_container_core::images::{Backoff, BackoffLimits};
///
/// let mut backoff: Backoff = Backoff::new(BackoffLimits::default());
/// let begun = Instant::now();
/// backoff.failed("nginx", begun, "registry unreachable", None);
///
/// let waiting = backoff.waiting("nginx", begun + Duration::from_secs(4)).expect("it failed 4 s ago");
/// assert_eq!(waiting.left, Duration::from_secs(6));
/// assert_eq!(waiting.last_error, "registry unreachable");
/// assert!(backoff.waiting("nginx", begun + Duration::from_secs(10)).is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Backoff<K = String, E = String> {
    limits: BackoffLimits,
    seed: u64,
    entries: BTreeMap<K, Entry<E>>,
}

#[derive(Clone, Debug)]
struct Entry<E> {
    /// As doubled: neither with jitter, nor as a registry has asked for.
    delay: Duration,
    failures: u64,
    failed: Instant,
    until: Instant,
    error: E,
}

/// That it is too early to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting<E = String> {
    /// How much longer.
    pub left: Duration,
    /// What went wrong the last time.
    pub last_error: E,
}

impl<K: Clone + Ord + Hash, E: Clone> Backoff<K, E> {
    /// A table in which nobody has failed.
    pub fn new(limits: BackoffLimits) -> Self {
        Self { limits, seed: 0, entries: BTreeMap::new() }
    }

    /// With another number for each program, so that their jitter is not the same. Default: 0.
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Takes note of a failure. A registry that says when to come back (`Retry-After`) is waited for, where that is longer.
    pub fn failed(&mut self, key: impl Into<K>, now: Instant, error: impl Into<E>, retry_after: Option<Duration>) {
        let key = key.into();
        let BackoffLimits { initial, max, jitter } = self.limits;
        let before = self.entries.get(&key).filter(|entry| !self.is_expired(entry, now));
        let (delay, failures) = match before {
            Some(entry) => (entry.delay.saturating_mul(2).min(max), entry.failures + 1),
            None => (initial.min(max), 1),
        };
        let part = (delay / (100 * PARTS)).saturating_mul(u32::from(jitter) * parts(self.seed, &key, failures));
        let wait = delay.saturating_add(part).max(retry_after.unwrap_or_default());
        let until = now.checked_add(wait).or_else(|| now.checked_add(max)).unwrap_or(now);
        self.entries.insert(key, Entry { delay, failures, failed: now, until, error: error.into() });
    }

    /// Forgets the failures of a key.
    pub fn succeeded<Q: Ord + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.entries.remove(key);
    }

    /// Whether it is too early to try again.
    pub fn waiting<Q: Ord + ?Sized>(&self, key: &Q, now: Instant) -> Option<Waiting<E>>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.get(key).filter(|entry| now < entry.until)?;
        let left = entry.until.saturating_duration_since(now);
        Some(Waiting { left, last_error: entry.error.clone() })
    }

    /// Forgets all whose last failure is so long ago that the next one would count as the first.
    pub fn forget_expired(&mut self, now: Instant) {
        let expired: Vec<K> =
            self.entries.iter().filter(|(_, entry)| self.is_expired(entry, now)).map(|(key, _)| key.clone()).collect();
        for key in expired {
            self.entries.remove(&key);
        }
    }

    /// How many keys have failed, and are not forgotten.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nobody has failed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Who was told to wait for longer is not forgotten before.
    fn is_expired(&self, entry: &Entry<E>, now: Instant) -> bool {
        let since = now.saturating_duration_since(entry.failed);
        since > self.limits.max.saturating_mul(2) && now >= entry.until
    }
}

/// Some of [`PARTS`], another number for each seed, each key and each failure, and the same each time.
fn parts(seed: u64, key: &impl Hash, failures: u64) -> u32 {
    let mut hasher = DefaultHasher::new();
    (seed, key, failures).hash(&mut hasher);
    u32::try_from(hasher.finish() % u64::from(PARTS)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits(initial: u64, max: u64) -> BackoffLimits {
        BackoffLimits {
            initial: SECOND * u32::try_from(initial).unwrap(),
            max: SECOND * u32::try_from(max).unwrap(),
            jitter: 0,
        }
    }

    /// The kubelet's own: the clock advances before each look, and every pull fails.
    #[test]
    fn the_kubelets_trace_is_kept() {
        let mut backoff: Backoff = Backoff::new(limits(1, 60));
        let mut now = Instant::now();
        let mut trace = String::new();
        for _ in 0..8 {
            now += SECOND;
            if backoff.waiting("image", now).is_some() {
                trace.push('B');
            } else {
                trace.push('f');
                backoff.failed("image", now, "no such image", None);
            }
        }

        assert_eq!(trace, "ffBfBBBf");
    }

    #[test]
    fn a_delay_doubles_up_to_the_longest_and_a_success_forgets_it() {
        let mut backoff: Backoff = Backoff::new(BackoffLimits::default());
        let now = Instant::now();
        let mut delays = Vec::new();
        for _ in 0..7 {
            backoff.failed("image", now, "error", None);
            delays.push(backoff.waiting("image", now).unwrap().left.as_secs());
        }
        backoff.succeeded("image");

        assert_eq!(delays, [10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(backoff.waiting("image", now), None);
        backoff.failed("image", now, "error", None);
        assert_eq!(backoff.waiting("image", now).unwrap().left.as_secs(), 10);
    }

    #[test]
    fn who_failed_long_ago_begins_anew_and_is_forgotten() {
        let mut backoff: Backoff = Backoff::new(limits(10, 300));
        let begun = Instant::now();
        for _ in 0..3 {
            backoff.failed("image", begun, "error", None);
        }
        let (at, after) = (begun + SECOND * 600, begun + SECOND * 601);

        backoff.forget_expired(at);
        assert_eq!(backoff.len(), 1);
        backoff.forget_expired(after);
        assert!(backoff.is_empty());

        backoff.failed("other", begun, "error", None);
        backoff.failed("other", after, "error", None);
        assert_eq!(backoff.waiting("other", after).unwrap().left, SECOND * 10);
    }

    #[test]
    fn keys_fail_by_themselves_and_remember_why() {
        let mut backoff: Backoff = Backoff::new(BackoffLimits::default());
        let now = Instant::now();
        backoff.failed("one", now, "first", None);
        backoff.failed("one", now, "denied", None);

        assert_eq!(backoff.waiting("one", now).unwrap().last_error, "denied");
        assert_eq!(backoff.waiting("other", now), None);
    }

    #[test]
    fn a_registry_that_says_when_to_come_back_is_waited_for_where_that_is_longer() {
        let mut backoff: Backoff = Backoff::new(BackoffLimits::default());
        let now = Instant::now();
        let left = |backoff: &Backoff| backoff.waiting("image", now).unwrap().left.as_secs();

        backoff.failed("image", now, "too many requests", Some(SECOND * 3));
        assert_eq!(left(&backoff), 10);
        backoff.failed("image", now, "too many requests", Some(SECOND * 3600));
        assert_eq!(left(&backoff), 3600);
        // Not forgotten while it waits.
        backoff.forget_expired(now + SECOND * 1000);
        assert_eq!(left(&backoff), 3600);
    }

    #[test]
    fn jitter_makes_a_delay_longer_by_a_part_of_itself_and_not_the_same_for_all() {
        let mut backoff: Backoff = Backoff::new(BackoffLimits { jitter: 50, ..BackoffLimits::default() });
        let now = Instant::now();
        let mut delays = std::collections::BTreeSet::new();
        for key in 0..20 {
            let key = key.to_string();
            backoff.failed(key.as_str(), now, "error", None);
            delays.insert(backoff.waiting(key.as_str(), now).unwrap().left);
        }

        assert!(delays.iter().all(|delay| (SECOND * 10..SECOND * 15).contains(delay)), "{delays:?}");
        assert!(delays.len() > 10, "{delays:?}");
        // Another program waits for another time.
        let mut other: Backoff = Backoff::new(BackoffLimits { jitter: 50, ..BackoffLimits::default() }).with_seed(7);
        other.failed("0", now, "error", None);
        assert_ne!(
            other.waiting("0", now).map(|waiting| waiting.left),
            backoff.waiting("0", now).map(|waiting| waiting.left)
        );
    }
}
