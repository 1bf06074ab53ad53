//! What is remembered of images between two looks: since when they are here, and when they were last used.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::name::ImageId;
use crate::timestamp::Timestamp;

/// Since when images are here, and when they were last used: what no engine tells.
///
/// It is kept by whoever collects garbage, in memory or in a file, and brought up to date by each
/// [`survey`](crate::images::ImageManager::survey).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    /// When it began; nothing was looked at before unless stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
    #[serde(default)]
    images: BTreeMap<ImageId, Seen>,
}

/// When an image was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// For the first time; one that was here at the first look has been here for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Timestamp>,
    /// In use by a container for the last time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Timestamp>,
}

impl Usage {
    /// Takes note of which images are here now, and which of them are in use. Those that are gone are forgotten.
    pub fn look(&mut self, here: &BTreeSet<ImageId>, used: &BTreeSet<ImageId>, now: Timestamp) {
        let is_first_look = self.since.is_none();
        self.since.get_or_insert(now);
        self.images.retain(|id, _| here.contains(id));
        for id in here {
            let first = (!is_first_look).then_some(now);
            let seen = self.images.entry(id.clone()).or_insert(Seen { first, used: None });
            if used.contains(id) {
                seen.used = Some(now);
            }
        }
    }

    /// When an image was seen; never, where it was here at no look.
    pub fn seen(&self, id: &ImageId) -> Seen {
        self.images.get(id).copied().unwrap_or(Seen { first: None, used: None })
    }

    /// When the first look was.
    pub fn since(&self) -> Option<Timestamp> {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        let begin: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        begin.after(std::time::Duration::from_secs(seconds))
    }

    fn ids(digits: &[&str]) -> BTreeSet<ImageId> {
        digits.iter().map(|digit| digit.repeat(64).parse().unwrap()).collect()
    }

    #[test]
    fn images_are_remembered_from_look_to_look() {
        let mut usage = Usage::default();
        usage.look(&ids(&["a", "b"]), &ids(&["a"]), at(0));
        usage.look(&ids(&["a", "b", "c"]), &ids(&["b"]), at(60));
        usage.look(&ids(&["a", "c"]), &ids(&[]), at(120));

        let seen = |digit: &str| usage.seen(&digit.repeat(64).parse().unwrap());
        assert_eq!(seen("a"), Seen { first: None, used: Some(at(0)) });
        assert_eq!(seen("b"), Seen { first: None, used: None });
        assert_eq!(seen("c"), Seen { first: Some(at(60)), used: None });
        assert_eq!(usage.since(), Some(at(0)));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut usage = Usage::default();
        usage.look(&ids(&["a", "b"]), &ids(&["a"]), at(0));
        usage.look(&ids(&["a", "c"]), &ids(&["c"]), at(60));

        let written = serde_json::to_string(&usage).unwrap();

        assert_eq!(serde_json::from_str::<Usage>(&written).unwrap(), usage);
    }
}
