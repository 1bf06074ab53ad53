//! What all scenes have come to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::document::Difference;
use crate::engine::Engine;
use crate::known;

#[derive(Debug)]
pub(crate) struct Report {
    begun: Instant,
    tallies: Mutex<BTreeMap<Engine, Tally>>,
}

/// Of one engine.
#[derive(Clone, Debug, Default)]
struct Tally {
    cases: usize,
    comparisons: usize,
    on_purpose: usize,
    by_mistake: usize,
    meant: BTreeMap<String, usize>,
}

impl Default for Report {
    fn default() -> Self {
        Self { begun: Instant::now(), tallies: Mutex::default() }
    }
}

impl Report {
    /// A case: how many things were compared, what was found, what of it is explained and by what.
    pub(crate) fn add(&self, engine: Engine, things: usize, found: &[Difference], explained: &[(String, String)]) {
        let thing = |place: &str| place.split('/').next().unwrap_or_default().to_owned();
        let different: BTreeSet<String> = found.iter().map(|one| thing(&one.place)).collect();
        let is_explained = |one: &&Difference| explained.iter().any(|(_, place)| *place == one.place);
        let wrong: BTreeSet<String> =
            found.iter().filter(|one| !is_explained(one)).map(|one| thing(&one.place)).collect();
        let meant: BTreeSet<(&String, String)> = explained.iter().map(|(id, place)| (id, thing(place))).collect();
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let tally = tallies.entry(engine).or_default();
        tally.cases += 1;
        tally.comparisons += things;
        tally.on_purpose += different.len() - wrong.len();
        tally.by_mistake += wrong.len();
        for (id, _) in meant {
            *tally.meant.entry(id.clone()).or_default() += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    #[expect(clippy::print_stdout, reason = "whoever runs the test reads it")]
    pub(crate) fn print(&self) {
        for (engine, tally) in self.tallies.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let Tally { cases, comparisons, on_purpose, by_mistake, meant } = tally;
            let equal = comparisons - on_purpose - by_mistake;
            println!(
                "{engine}: {cases} cases, {comparisons} comparisons: {equal} equal, {on_purpose} different on purpose, \
                 {by_mistake} different by mistake"
            );
            for (id, count) in meant {
                println!("    {count:4} {id}");
            }
        }
        println!("in {:.0?}", self.begun.elapsed());
    }

    /// What is wrong with the page, where all scenes have been played.
    pub(crate) fn left_over(&self) -> Vec<String> {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        let seen: BTreeSet<String> = tallies.values().flat_map(|tally| tally.meant.keys().cloned()).collect();
        let (shown, all) = known::on_page();
        let unknown = seen.difference(&all).map(|id| format!("`{id}` is not on the page"));
        unknown
            .chain(shown.difference(&seen).map(|id| format!("`{id}` is on the page, and no case shows it")))
            .collect()
    }
}

#[expect(clippy::print_stdout, reason = "whoever runs the test reads it")]
pub(crate) fn print_left_over(all: &[String]) {
    println!("FAILED, kolla_container.md:");
    for one in all {
        println!("    {one}");
    }
}
