//! The table of what each engine can do with each field: made from what the backends say, kept in the docs.

#![expect(clippy::unwrap_used, reason = "what fails to be prepared fails the test")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use kolla_container_core::Runtime;
use kolla_container_core::diff::field_names;
use kolla_container_core::memory::MemoryEngine;
use kolla_container_core::state::{EngineFacts, Features};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/capabilities.md");

const HEAD: &str = "\
# What each engine can do

Made by `examples/tests/capabilities.rs` from what the backends say; after a change, run it with `UPDATE=1`.

The newest version of each engine, on a machine that can do everything. What an older one, its kernel, or a Podman that
runs as root cannot do, it says when it is connected to; a spec that asks for it is refused when it is planned, by the
name in the first column. Lines with a further point are about a certain value of a field, or a part of it.

- *updated*: a new value is set while the container runs; every other change is a new container.
- *recorded*: the engine does not say what it is; compared through a record that is made with the container.

| field | Docker | Podman | memory |
|---|---|---|---|
";

fn table() -> String {
    let memory = MemoryEngine::new();
    let engines = [kolla_container_docker::recorded_facts(), kolla_container_podman::recorded_facts()];
    let engines: Vec<&EngineFacts> = engines.iter().chain([memory.engine()]).collect();
    let mut names: Vec<String> = field_names().into_iter().map(str::to_owned).collect();
    for facts in &engines {
        let parts = facts.features.refusals().map(|(part, _)| part).chain(facts.features.unreported());
        let parts: BTreeSet<&str> = parts.collect();
        for part in parts {
            let field = names.iter().rposition(|name| part.starts_with(&format!("{name}."))).map(|place| place + 1);
            if let Some(place) = field.filter(|_| !names.iter().any(|name| name == part)) {
                names.insert(place, part.to_owned());
            }
        }
    }
    let mut table = HEAD.to_owned();
    for name in names {
        let cells: Vec<String> = engines.iter().map(|facts| cell(&name, &facts.features)).collect();
        writeln!(table, "| `{name}` | {} |", cells.join(" | ")).unwrap();
    }
    table
}

fn cell(name: &str, features: &Features) -> String {
    match features.refusal(name) {
        Some(reason) => format!("no: {reason}"),
        None if !features.is_reported(name) => "recorded".to_owned(),
        None if features.can_update(name) => "yes, updated".to_owned(),
        None => "yes".to_owned(),
    }
}

#[test]
fn the_docs_say_what_the_backends_say() {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(FILE, table()).unwrap();
    }

    let there = fs::read_to_string(FILE).unwrap();

    assert_eq!(there, table(), "docs/capabilities.md is not up to date: run this test with UPDATE=1");
}
