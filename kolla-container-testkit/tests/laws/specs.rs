//! Random specs without violations: rows of the field matrix put together, and maps of anything.

use kolla_container_core::ContainerSpec;
use kolla_container_core::diff::unsupported;
use kolla_container_core::memory::MemoryEngine;
use kolla_container_core::{Cpus, Runtime, spec::LABEL_NAMESPACE};
use kolla_container_testkit::matrix::{merge, rows};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{places, spec};

/// The values of the matrix, each as a spec that states it.
fn fragments() -> Vec<Value> {
    let lacking = |needs: &[&str]| needs.iter().any(|need| ["platform.second"].contains(need));
    let rows = rows().into_iter().filter(|row| !lacking(&row.needs));
    rows.flat_map(|row| [row.before(), row.after()]).collect()
}

fn variables() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        "[^\0]{0,12}".prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        "[^\0]{0,6}".prop_map(|text| json!({"secret": text})),
        Just(json!({"unset": true})),
    ];
    btree_map("[A-Z_][A-Z0-9_]{0,6}|[^=\0]{1,6}", value, 0..4).prop_map(|map| json!({"environment": map}))
}

fn labels() -> impl Strategy<Value = Value> {
    let key = "[a-z.]{1,8}|[^\0]{1,6}".prop_filter("reserved", |key| !key.starts_with(LABEL_NAMESPACE));
    btree_map(key, "[^\0]{0,12}", 0..4).prop_map(|map| json!({"labels": map}))
}

fn mounts() -> impl Strategy<Value = Value> {
    let path = "/[a-z][a-z:, ]{0,5}";
    let mount = prop_oneof![
        path.prop_map(|source| json!({"type": "bind", "source": source})),
        (path, any::<bool>(), "rprivate|shared|rslave|private").prop_map(
            |(source, ro, how)| json!({"type": "bind", "source": source, "read_only": ro, "propagation": how})
        ),
        any::<bool>().prop_map(|ro| json!({"type": "volume", "read_only": ro})),
        ("vol-[a-c]", any::<bool>(), any::<bool>())
            .prop_map(|(name, ro, empty)| json!({"type": "volume", "source": name, "read_only": ro, "no_copy": empty})),
        (1u64..1 << 30, 0u32..0o7777)
            .prop_map(|(size, mode)| json!({"type": "tmpfs", "size": size, "mode": format!("{mode:o}")})),
    ];
    btree_map("/m/[a-z:, ]{1,4}", mount, 0..3).prop_map(|mounts| {
        let entries: Vec<Value> = mounts
            .into_iter()
            .map(|(target, mut mount)| {
                merge(&mut mount, json!({"target": target}));
                mount
            })
            .collect();
        json!({"mounts": entries})
    })
}

fn limits() -> impl Strategy<Value = Value> {
    let limit = |most: u64| prop_oneof![Just(json!("unlimited")), (1..most).prop_map(Value::from)];
    (limit(1 << 45), limit(1 << 45), 2u64..262_144, 0u64..4_000_000_000, limit(1 << 40)).prop_map(
        |(memory, reservation, shares, nanos, pids)| {
            json!({"resources": {
                "memory": memory, "memory_reservation": reservation, "cpu_shares": shares,
                "cpus": Cpus::from_nanos(nanos).to_string(), "pids_limit": pids,
            }})
        },
    )
}

/// What a spec is put together from.
fn parts(most: usize) -> impl Strategy<Value = Vec<Value>> {
    let random = prop_oneof![variables(), labels(), mounts(), limits()];
    vec(prop_oneof![3 => proptest::sample::select(fragments()), 1 => random], 0..most)
}

/// The parts put together, without those with which the others would have a violation.
fn whole(parts: Vec<Value>) -> ContainerSpec {
    let features = MemoryEngine::new().engine().features.clone();
    let is_fine = |written: &Value| {
        ContainerSpec::from_value(places().fill(written))
            .is_ok_and(|read| only_image_is_missing(&read) && unsupported(&read, &features).is_empty())
    };
    let mut whole = json!({});
    for part in parts {
        let mut candidate = whole.clone();
        merge(&mut candidate, part);
        if is_fine(&candidate) {
            whole = candidate;
        }
    }
    spec(whole)
}

/// Specs without violations that the engine in memory can do.
pub(crate) fn specs() -> impl Strategy<Value = ContainerSpec> {
    parts(10).prop_map(whole)
}

fn only_image_is_missing(read: &ContainerSpec) -> bool {
    read.validate().iter().all(|violation| violation.path.as_str() == "image")
}

/// Two specs with something in common.
pub(crate) fn pairs() -> impl Strategy<Value = (ContainerSpec, ContainerSpec)> {
    (parts(6), parts(5), parts(5)).prop_map(|(common, one, other)| {
        let with = |own: Vec<Value>| whole(common.iter().cloned().chain(own).collect());
        (with(one), with(other))
    })
}

/// So many cases, or as many as `PROPTEST_CASES` says.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(count);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}
