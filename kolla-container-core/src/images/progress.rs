//! How far a pull is: its layers, and all of them together.

use std::collections::BTreeMap;

use crate::state::PullProgress;

/// How far a pull is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    status: String,
    layers: BTreeMap<String, LayerProgress>,
}

/// How far a layer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LayerProgress {
    /// What is being done with it, in the engine's words.
    pub status: String,
    /// Bytes that have arrived.
    pub current: u64,
    /// Bytes of the layer, where that is known: compressed, as the registry has it.
    pub total: Option<u64>,
    /// Whether all of it is here.
    pub is_here: bool,
    /// How much of it is unpacked, where the engine tells.
    unpacked: Option<u64>,
}

impl Progress {
    /// Takes note of what an engine tells; answers whether anything is different.
    pub(super) fn take(&mut self, told: &PullProgress) -> bool {
        let Some(layer) = &told.layer else {
            let is_new = self.status != told.status;
            self.status.clone_from(&told.status);
            return is_new;
        };
        if told.status.starts_with("Pulling from") {
            // Of the image: Docker has its tag where others have a layer.
            self.status.clone_from(&told.status);
            return true;
        }
        let before = self.layers.get(layer).cloned();
        let layer = self.layers.entry(layer.clone()).or_default();
        match told.status.as_str() {
            "Extracting" | "Verifying Checksum" | "Download complete" | "Pull complete" | "Already exists" => {
                layer.is_here = true;
            }
            _ => {
                layer.is_here = false;
                layer.total = told.total.filter(|total| *total > 0).or(layer.total);
                layer.current = told.current.unwrap_or(if told.status == "Downloading" { layer.current } else { 0 });
            }
        }
        if layer.is_here {
            layer.current = layer.total.unwrap_or(layer.current);
        }
        layer.unpacked = told.current.filter(|_| told.status == "Extracting");
        layer.status.clone_from(&told.status);
        before.as_ref() != Some(layer)
    }

    /// Whether the engine has said anything yet.
    pub fn is_begun(&self) -> bool {
        !self.status.is_empty() || !self.layers.is_empty()
    }

    /// What the engine says of the image as a whole.
    pub fn status(&self) -> &str {
        &self.status
    }

    /// Each layer, by the engine's name for it.
    pub fn layers(&self) -> impl Iterator<Item = (&str, &LayerProgress)> {
        self.layers.iter().map(|(name, layer)| (name.as_str(), layer))
    }

    /// Bytes of all layers that have arrived. Those of layers that were here before do not count.
    pub fn current(&self) -> u64 {
        self.layers.values().map(|layer| layer.current).fold(0, u64::saturating_add)
    }

    /// Bytes of all layers, as far as their sizes are known; it grows while the engine begins with further layers, and is
    /// never below [`current`](Self::current).
    pub fn total(&self) -> u64 {
        let size = |layer: &LayerProgress| layer.total.unwrap_or_default().max(layer.current);
        self.layers.values().map(size).fold(0, u64::saturating_add)
    }

    /// Whether the engine has not begun with any of the layers that are not here: others are in its way.
    pub(super) fn is_waiting(&self) -> bool {
        let mut missing = self.layers.values().filter(|layer| !layer.is_here).peekable();
        let is_waiting = |layer: &LayerProgress| matches!(layer.status.as_str(), "Waiting" | "Pulling fs layer");
        missing.peek().is_some() && missing.all(is_waiting)
    }

    /// Whether all of it is here, so that nothing more will come; an engine may tell nothing while it unpacks.
    pub(super) fn is_here(&self) -> bool {
        !self.layers.is_empty() && self.layers.values().all(|layer| layer.is_here)
    }

    /// How many of the layers are here, of how many.
    pub fn layers_here(&self) -> (usize, usize) {
        (self.layers.values().filter(|layer| layer.is_here).count(), self.layers.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(layer: &str, status: &str, bytes: Option<(u64, u64)>) -> PullProgress {
        PullProgress {
            layer: (!layer.is_empty()).then(|| layer.to_owned()),
            status: status.to_owned(),
            current: bytes.map(|(current, _)| current),
            total: bytes.map(|(_, total)| total),
        }
    }

    #[test]
    fn layers_add_up_to_the_whole() {
        let mut progress = Progress::default();
        let mut trace = Vec::new();
        for line in [
            told("1.27", "Pulling from library/nginx", None),
            told("a", "Already exists", None),
            told("b", "Pulling fs layer", None),
            told("c", "Pulling fs layer", None),
            told("b", "Downloading", Some((10, 100))),
            told("c", "Downloading", Some((20, 50))),
            told("c", "Download complete", None),
            told("b", "Downloading", Some((100, 100))),
            told("b", "Extracting", Some((60, 100))),
            told("b", "Pull complete", None),
            told("c", "Pull complete", None),
        ] {
            assert!(progress.take(&line), "{line:?}");
            trace.push((progress.current(), progress.total(), progress.layers_here().0));
        }

        let expected = [
            (0, 0, 0),
            (0, 0, 1),
            (0, 0, 1),
            (0, 0, 1),
            (10, 100, 1),
            (30, 150, 1),
            (60, 150, 2),
            (150, 150, 2),
            (150, 150, 3),
            (150, 150, 3),
            (150, 150, 3),
        ];
        assert_eq!(trace, expected);
        assert_eq!((progress.layers().count(), progress.status()), (3, "Pulling from library/nginx"));
    }

    #[test]
    fn a_line_that_says_the_same_again_is_no_progress() {
        let mut progress = Progress::default();
        let line = told("b", "Downloading", Some((10, 100)));

        assert!(progress.take(&line));
        assert!(!progress.take(&line));
        assert!(progress.take(&told("b", "Downloading", Some((11, 100)))));
        assert!(progress.take(&told("b", "Extracting", Some((11, 100)))));
        assert!(progress.take(&told("b", "Extracting", Some((12, 100)))));
        assert!(progress.take(&told("", "Status: Downloaded newer image", None)));
        assert!(!progress.take(&told("", "Status: Downloaded newer image", None)));
    }

    #[test]
    fn a_layer_of_unknown_size_is_as_large_as_what_has_come() {
        let mut progress = Progress::default();
        progress.take(&told("a", "Downloading", Some((70, 0))));
        progress.take(&told("b", "Downloading", Some((10, 50))));

        assert_eq!((progress.current(), progress.total()), (80, 120));
    }

    #[test]
    fn who_waits_for_others_is_told_from_who_has_everything() {
        let mut progress = Progress::default();
        assert!(!progress.is_waiting() && !progress.is_here());
        progress.take(&told("a", "Already exists", None));
        progress.take(&told("b", "Pulling fs layer", None));
        progress.take(&told("b", "Waiting", None));
        assert!(progress.is_waiting() && !progress.is_here());
        progress.take(&told("b", "Downloading", Some((1, 2))));
        assert!(!progress.is_waiting());
        progress.take(&told("b", "Download complete", None));
        assert!(!progress.is_waiting() && progress.is_here());
    }

    #[test]
    fn a_layer_that_is_begun_again_counts_from_nothing() {
        let mut progress = Progress::default();
        progress.take(&told("b", "Downloading", Some((90, 100))));

        progress.take(&told("b", "Retrying in 5 seconds", None));

        assert_eq!((progress.current(), progress.total()), (0, 100));
    }
}
