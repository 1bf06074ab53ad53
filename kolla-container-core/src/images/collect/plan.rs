//! Which images go: from what is here, how it was used, and how full the disk is.

use std::fmt;

use crate::image_ref::ImageRef;
use crate::name::{ContainerName, ImageId};
use crate::quantity::{ByteSize, TimeSpan};
use crate::timestamp::Timestamp;
use crate::violation::Violations;

/// When images go that nobody uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectPolicy {
    /// How full the disk may become, in hundredths, before images go (`imageGCHighThresholdPercent`).
    pub high: u8,
    /// Down to where it is emptied then (`imageGCLowThresholdPercent`); not above `high`.
    pub low: u8,
    /// How long an image stays at least after it came (`imageMinimumGCAge`); unlike with the kubelet, also after it was last
    /// used.
    pub min_age: TimeSpan,
    /// How long one stays at most that nobody uses, however empty the disk is (`imageMaximumGCAge`); for ever unless stated.
    pub max_age: Option<TimeSpan>,
}

impl Default for CollectPolicy {
    /// Those of the kubelet: 85 %, 80 %, 2 minutes, and no end.
    fn default() -> Self {
        Self { high: 85, low: 80, min_age: TimeSpan::from_secs(120), max_age: None }
    }
}

/// What is here, and how it is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    /// The images.
    pub images: Vec<Stock>,
    /// The disk that they are on, where it is known: without it, only age counts.
    pub disk: Option<Disk>,
    /// When it was looked at.
    pub now: Timestamp,
    /// When it was looked at for the first time: no image has been unused for longer, as far as anybody knows.
    pub since: Timestamp,
}

/// An image that is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stock {
    /// Its id.
    pub id: ImageId,
    /// Its names.
    pub names: Vec<ImageRef>,
    /// Its size in bytes. Layers that it shares with others count for each of them.
    pub size: u64,
    /// Whether it stays whatever happens.
    pub pinned: bool,
    /// The containers that were made from it, running or not.
    pub users: Vec<ContainerName>,
    /// When it came; for ever ago unless stated.
    pub first_seen: Option<Timestamp>,
    /// When it was last in use; never unless stated.
    pub last_used: Option<Timestamp>,
}

/// How full a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Disk {
    /// What fits on it, in bytes.
    pub capacity: u64,
    /// What is free of that, in bytes.
    pub available: u64,
}

/// Which images go, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectPlan {
    /// The images.
    pub deletions: Vec<Deletion>,
    /// How many bytes had to become free for the disk, what goes for its age included; 0 where it is not too full.
    pub wanted: u64,
    /// How many of those become free, as far as the sizes tell.
    pub freed: u64,
    /// How many images stay because they are in use, pinned, or too young.
    pub kept: Kept,
}

/// How many images stay, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Containers were made from them.
    pub used: usize,
    /// They stay whatever happens.
    pub pinned: usize,
    /// They came, or were used, only just now.
    pub young: usize,
}

/// An image that goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Its id.
    pub id: ImageId,
    /// Its names.
    pub names: Vec<ImageRef>,
    /// Its size in bytes.
    pub size: u64,
    /// Why.
    pub reason: Reason,
}

/// Why an image goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody has used it for this long, which is too long.
    Unused(TimeSpan),
    /// The disk is too full, by hundredths.
    Disk {
        /// How full it is.
        full: u8,
        /// Down to where it shall be.
        low: u8,
    },
    /// Nobody uses it, and all such were asked for.
    All,
}

impl CollectPolicy {
    /// Decides which images go. What is in use and what is pinned never does.
    ///
    /// First those that nobody has used for too long; then, if the disk is too full even without them, those used least
    /// recently, and among them those that came first, until it is empty enough. One that is too young stays in any case.
    pub fn plan(&self, inventory: &Inventory) -> CollectPlan {
        let (candidates, kept) = self.candidates(inventory);
        let mut plan = CollectPlan { kept, ..CollectPlan::default() };
        let (old, rest): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|image| self.is_old(image, inventory));
        for image in old {
            plan.delete(image, Reason::Unused(unused(image, inventory)));
        }
        // What goes for its age may be enough.
        let of_age = plan.freed;
        let without = |disk: Disk| Disk { available: disk.available.saturating_add(of_age).min(disk.capacity), ..disk };
        if let Some((wanted, full)) = inventory.disk.map(without).and_then(|disk| self.too_much(disk)) {
            plan.wanted = of_age.saturating_add(wanted);
            for image in rest {
                if plan.freed >= plan.wanted {
                    break;
                }
                plan.delete(image, Reason::Disk { full, low: self.low });
            }
        }
        plan
    }

    /// Decides that all go that nobody uses, however empty the disk is: for a disk that fills up at once.
    pub fn plan_all(&self, inventory: &Inventory) -> CollectPlan {
        let (candidates, kept) = self.candidates(inventory);
        let mut plan = CollectPlan { kept, ..CollectPlan::default() };
        for image in candidates {
            plan.delete(image, Reason::All);
        }
        plan
    }

    /// The images that may go, those first that are missed least.
    fn candidates<'i>(&self, inventory: &'i Inventory) -> (Vec<&'i Stock>, Kept) {
        let mut kept = Kept::default();
        let mut candidates: Vec<&Stock> = Vec::new();
        for image in &inventory.images {
            let youngest = image.first_seen.max(image.last_used);
            if !image.users.is_empty() {
                kept.used += 1;
            } else if image.pinned {
                kept.pinned += 1;
            } else if youngest.is_some_and(|came| came.after(self.min_age.as_duration()) > inventory.now) {
                kept.young += 1;
            } else {
                candidates.push(image);
            }
        }
        candidates.sort_by_key(|image| (image.last_used, image.first_seen, image.id.clone()));
        (candidates, kept)
    }

    fn is_old(&self, image: &Stock, inventory: &Inventory) -> bool {
        self.max_age.is_some_and(|max_age| unused(image, inventory) > max_age)
    }

    /// How many bytes are too much, and how full the disk is, rounded up; nothing where it is not too full, or has no size.
    fn too_much(&self, disk: Disk) -> Option<(u64, u8)> {
        let capacity = u128::from(disk.capacity);
        let free = (u128::from(disk.available.min(disk.capacity)) * 100).checked_div(capacity)?;
        let full = 100 - u8::try_from(free).unwrap_or(100);
        if full < self.high {
            return None;
        }
        let kept_free = capacity * u128::from(100 - self.low.min(self.high).min(100)) / 100;
        let wanted = kept_free.saturating_sub(u128::from(disk.available));
        Some((u64::try_from(wanted).unwrap_or(u64::MAX), full))
    }
}

/// For how long nobody has used it, as far as anybody can know.
fn unused(image: &Stock, inventory: &Inventory) -> TimeSpan {
    let since = image.last_used.or(image.first_seen).unwrap_or(inventory.since);
    TimeSpan::from(inventory.now.since(since))
}

impl CollectPlan {
    fn delete(&mut self, image: &Stock, reason: Reason) {
        let Stock { id, names, size, .. } = image.clone();
        self.freed = self.freed.saturating_add(size);
        self.deletions.push(Deletion { id, names, size, reason });
    }

    /// Whether nothing goes.
    pub fn is_empty(&self) -> bool {
        self.deletions.is_empty()
    }

    /// Whether the disk stays too full.
    pub fn is_short(&self) -> bool {
        self.freed < self.wanted
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unused(span) => write!(f, "unused for {}", TimeSpan::from_secs(span.whole_seconds())),
            Self::Disk { full, low } => write!(f, "the disk is {full} % full, and shall be {low} %"),
            Self::All => f.write_str("unused"),
        }
    }
}

/// A line for each image that goes, and one for all.
impl fmt::Display for CollectPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Deletion { id, names, size, reason } in &self.deletions {
            let name = names.first().map_or_else(|| id.short().to_owned(), ImageRef::familiar);
            let others = names.len().saturating_sub(1);
            let more = if others == 0 { String::new() } else { format!(" and {others} more names") };
            writeln!(f, "- {name}{more}: {}, {reason}", ByteSize::from_bytes(*size).rounded())?;
        }
        let Kept { used, pinned, young } = self.kept;
        let freed = ByteSize::from_bytes(self.freed).rounded();
        write!(f, "{} to remove, {freed}; {used} in use, {pinned} pinned, {young} too young", self.deletions.len())?;
        if self.is_short() {
            write!(f, "; {} had to become free", ByteSize::from_bytes(self.wanted).rounded())?;
        }
        writeln!(f, ".")
    }
}

impl CollectPolicy {
    /// Whether the thresholds are some: shares of a hundred, the low one not above the high one.
    pub fn check(&self) -> Result<(), Violations> {
        let mut wrong = Violations::none();
        for (field, value) in [("high", self.high), ("low", self.low)] {
            if value > 100 {
                wrong.add(field, format!("{value} % is more than all: write 0 to 100"));
            }
        }
        if self.low > self.high {
            wrong.add("low", format!("{} % is above high, {} %", self.low, self.high));
        }
        if self.max_age.is_some_and(|max_age| max_age < self.min_age) {
            wrong.add("max_age", "it is below min_age");
        }
        wrong.into_result()
    }
}
