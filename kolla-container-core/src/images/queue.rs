//! How many pulls there are at the same time, and how fast they begin.

use std::time::Duration;

use tokio::sync::{Mutex, Semaphore, SemaphorePermit};
use tokio::time::Instant;

/// So far away that it never comes, and can still be counted.
const FAR: Duration = Duration::from_hours(24 * 365 * 30);

/// How many pulls there are at the same time; others wait in the order in which they came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// One after the other (`serializeImagePulls` of the kubelet).
    Serial,
    /// So many, at least one (`maxParallelImagePulls`).
    Parallel(usize),
    /// All that are asked for.
    Unlimited,
}

impl Default for Concurrency {
    /// Three: as many layers of one image as Docker pulls at the same time.
    fn default() -> Self {
        Self::Parallel(3)
    }
}

/// How fast pulls begin (`registryPullQPS` and `registryBurst` of the kubelet).
///
/// A pull for which it is too early waits; the kubelet refuses it. With a burst of 0, all are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time between two that begin, in the long run.
    pub every: Duration,
    /// How many may begin at once after a time without any.
    pub burst: u32,
}

impl Rate {
    /// So many in a second in the long run; 0 is one a second.
    pub fn per_second(count: u32, burst: u32) -> Self {
        Self { every: Duration::from_secs(1) / count.max(1), burst }
    }
}

/// Where pulls wait until it is their turn.
#[derive(Debug)]
pub(super) struct Queue {
    places: Option<Semaphore>,
    /// Held by the one that waits for the rate: those behind it wait for the lock, in their order.
    rate: Option<Mutex<Bucket>>,
}

/// A token bucket, kept as the moment until which its tokens are given out.
#[derive(Debug)]
struct Bucket {
    rate: Rate,
    until: Option<Instant>,
}

/// The rate allows no pull at all.
#[derive(Debug)]
pub(super) struct NoBurst;

impl Queue {
    pub(super) fn new(concurrency: Concurrency, rate: Option<Rate>) -> Self {
        let places = match concurrency {
            Concurrency::Serial => Some(1),
            Concurrency::Parallel(count) => Some(count.clamp(1, Semaphore::MAX_PERMITS)),
            Concurrency::Unlimited => None,
        };
        let rate = rate.map(|rate| Mutex::new(Bucket { rate, until: None }));
        Self { places: places.map(Semaphore::new), rate }
    }

    /// Waits for a place, which is held as long as the answer is, and then for the rate.
    pub(super) async fn turn(&self) -> Result<Option<SemaphorePermit<'_>>, NoBurst> {
        let place = match &self.places {
            // It is never closed.
            Some(places) => places.acquire().await.ok(),
            None => None,
        };
        if let Some(rate) = &self.rate {
            let mut bucket = rate.lock().await;
            let at = bucket.next(Instant::now()).ok_or(NoBurst)?;
            tokio::time::sleep_until(at).await;
            bucket.take(at);
        }
        Ok(place)
    }
}

impl Bucket {
    /// When the next may begin.
    fn next(&self, now: Instant) -> Option<Instant> {
        let ahead = self.rate.every.min(FAR).saturating_mul(self.rate.burst.checked_sub(1)?);
        let earliest = self.until.and_then(|until| until.checked_sub(ahead));
        Some(earliest.map_or(now, |earliest| earliest.max(now)))
    }

    /// It begins.
    fn take(&mut self, at: Instant) {
        let from = self.until.map_or(at, |until| until.max(at));
        self.until = from.checked_add(self.rate.every).or_else(|| from.checked_add(FAR));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures_util::future::join_all;

    use super::*;

    async fn starts(rate: Rate, count: usize) -> Vec<u128> {
        let queue = Arc::new(Queue::new(Concurrency::Unlimited, Some(rate)));
        let begun = Instant::now();
        join_all((0..count).map(async |_| {
            queue.turn().await.unwrap();
            begun.elapsed().as_millis()
        }))
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_begins_at_once_and_the_rest_at_the_rate() {
        assert_eq!(starts(Rate::per_second(5, 3), 6).await, [0, 0, 0, 200, 400, 600]);
        assert_eq!(starts(Rate::per_second(1, 1), 3).await, [0, 1000, 2000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_without_pulls_fills_the_burst_again_and_no_more() {
        let queue = Queue::new(Concurrency::Unlimited, Some(Rate::per_second(10, 2)));
        for _ in 0..4 {
            queue.turn().await.unwrap();
        }
        tokio::time::sleep(Duration::from_mins(1)).await;

        let begun = Instant::now();
        for _ in 0..3 {
            queue.turn().await.unwrap();
        }

        assert_eq!(begun.elapsed().as_millis(), 100);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_that_never_comes_lets_the_burst_through() {
        let queue = Queue::new(Concurrency::Unlimited, Some(Rate { every: Duration::MAX, burst: 1 }));

        assert!(queue.turn().await.is_ok());
        assert!(tokio::time::timeout(Duration::from_hours(1000), queue.turn()).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_burst_nothing_begins() {
        let queue = Queue::new(Concurrency::Serial, Some(Rate::per_second(5, 0)));

        assert!(queue.turn().await.is_err());
        assert!(queue.turn().await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_come_in_their_order() {
        let queue = Arc::new(Queue::new(Concurrency::Serial, None));
        let order = std::sync::Mutex::new(Vec::new());
        join_all((0..5).map(async |number| {
            let _place = queue.turn().await.unwrap();
            order.lock().unwrap().push(number);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }))
        .await;

        assert_eq!(order.into_inner().unwrap(), [0, 1, 2, 3, 4]);
    }
}
