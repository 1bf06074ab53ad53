//! The differences that are meant: each by its id on the page `examples/kolla_container.md`, with the places where it
//! shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::document::Difference;
use crate::engine::Engine;
use crate::scene::FOLDER;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kolla_container.md");

/// What the page says of one that no test here can show.
const UNSHOWN: &str = "(not in the test)";

/// A difference that is meant.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    /// The places that it explains; `*` stands for anything.
    places: Vec<String>,
    /// It is one of each container and each unit that ours makes, and no task lists it.
    #[serde(default)]
    everywhere: bool,
    /// The engine that it is about, where it is about one.
    #[serde(default)]
    engine: Option<Engine>,
}

static KNOWN: LazyLock<BTreeMap<String, Known>> = LazyLock::new(|| {
    let text = std::fs::read_to_string(Path::new(FOLDER).join("differences.yml")).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("differences.yml: {error}"))
});

/// The ids that explain a difference, of those that are listed and of those that are everywhere.
pub(crate) fn explain(engine: Engine, listed: &[String], difference: &Difference) -> Vec<&'static str> {
    let fits = |(id, known): &(&'static String, &'static Known)| {
        known.engine.is_none_or(|only| only == engine)
            && (known.everywhere || listed.contains(id))
            && known.places.iter().any(|place| is_like(&difference.place, place))
    };
    KNOWN.iter().filter(fits).map(|(id, _)| id.as_str()).collect()
}

/// Whether a place is one of a pattern.
fn is_like(place: &str, pattern: &str) -> bool {
    match pattern.split_once('*') {
        None => place == pattern,
        Some((start, rest)) => place
            .strip_prefix(start)
            .is_some_and(|end| (0..=end.len()).any(|at| end.get(at..).is_some_and(|end| is_like(end, rest)))),
    }
}

/// The ids on the page: those that a test is to show, and all.
pub(crate) fn on_page() -> (BTreeSet<String>, BTreeSet<String>) {
    let page = std::fs::read_to_string(PAGE).unwrap_or_default();
    let items: Vec<(&str, &str)> = page.split("\n- `").skip(1).filter_map(|item| item.split_once("`:")).collect();
    let shown = items.iter().filter(|(_, text)| !text.contains(UNSHOWN)).map(|(id, _)| (*id).to_owned());
    (shown.collect(), items.iter().map(|(id, _)| (*id).to_owned()).collect())
}
