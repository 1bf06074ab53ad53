//! Documents, held side by side.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// What is another one at each container and at each moment, wherever it stands.
const ITS_OWN: [&str; 31] = [
    "io.kubernetes.cri-o.Created",
    "Id",
    "Created",
    "StartedAt",
    "FinishedAt",
    "Pid",
    "ConmonPid",
    "CgroupPath",
    "LogPath",
    "HostnamePath",
    "HostsPath",
    "ResolvConfPath",
    "GraphDriver",
    "SandboxID",
    "SandboxKey",
    "EndpointID",
    "NetworkID",
    "StaticDir",
    "OCIConfigPath",
    "ConmonPidFile",
    "PidFile",
    "ExecIDs",
    "CreateCommand",
    "Health",
    "Size",
    "SizeRw",
    "CheckpointedAt",
    "RestoredAt",
    "CreatedAt",
    "Mountpoint",
    "lockNumber",
];

/// Where the order says something.
const ORDERED: [&str; 6] = ["Args", "Cmd", "Entrypoint", "Test", "comparison_failures", "unit"];

/// The fields whose entries have the same names in both modules.
const NAMED_ALIKE: [&str; 7] = ["cap_add", "security_opt", "labels", "tmpfs", "volumes", "volumes_from", "environment"];

/// Where flags are in no order.
const BINDS: &str = "Binds";

/// A place, and what each of the two has there.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Difference {
    /// The keys, joined by `/`.
    pub(crate) place: String,
    pub(crate) theirs: Value,
    pub(crate) ours: Value,
}

/// Changes all texts, those of the keys too.
pub(crate) fn map_texts(value: Value, change: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(change(&text)),
        Value::Array(all) => all.into_iter().map(|one| map_texts(one, change)).collect(),
        Value::Object(all) => {
            Value::Object(all.into_iter().map(|(key, value)| (change(&key), map_texts(value, change))).collect())
        }
        other => other,
    }
}

/// The anonymous volumes of a container.
pub(crate) fn names_of_anonymous_volumes(container: &Value) -> Vec<String> {
    let mounts = container["Mounts"].as_array().cloned().unwrap_or_default();
    mounts.iter().filter_map(|mount| mount["Name"].as_str()).filter(|name| is_hex(name)).map(str::to_owned).collect()
}

fn is_hex(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Without what is another one each time, and in one order where the order says nothing.
pub(crate) fn comparable(value: Value) -> Value {
    walk("", map_texts(value, &without_ids))
}

fn without_ids(text: &str) -> String {
    let is_id = |part: &&str| is_hex(part);
    let ids: Vec<&str> = text.split(|char: char| !char.is_ascii_alphanumeric()).filter(is_id).collect();
    ids.into_iter().fold(text.to_owned(), |text, id| text.replace(id, "<id>"))
}

fn walk(key: &str, value: Value) -> Value {
    match value {
        Value::Array(all) => {
            let below = if key == BINDS { BINDS } else { "" };
            let mut all: Vec<Value> = all.into_iter().map(|one| walk(below, one)).collect();
            if !ORDERED.contains(&key) {
                all.sort_by_key(Value::to_string);
            }
            Value::Array(all)
        }
        Value::String(text) if key == BINDS => {
            let (place, flags) = text.rsplit_once(':').unwrap_or((&text, ""));
            let mut flags: Vec<&str> = flags.split(',').collect();
            flags.sort_unstable();
            Value::String(format!("{place}:{}", flags.join(",")))
        }
        // Two words for the same.
        Value::Object(mut policy) if key == "RestartPolicy" && policy.get("Name") == Some(&"".into()) => {
            policy.insert("Name".to_owned(), "no".into());
            walk(key, Value::Object(policy))
        }
        Value::Object(all) => {
            let kept = all.into_iter().filter(|(key, _)| !ITS_OWN.contains(&key.as_str()));
            let kept: Map<String, Value> = kept.map(|(key, value)| (key.clone(), walk(&key, value))).collect();
            Value::Object(kept)
        }
        other => other,
    }
}

/// Where they are not equal. That something is missing, or empty, is the same as null.
pub(crate) fn differences(theirs: &Value, ours: &Value) -> Vec<Difference> {
    let mut all = Vec::new();
    compare("", theirs, ours, &mut all);
    all
}

fn compare(place: &str, theirs: &Value, ours: &Value, all: &mut Vec<Difference>) {
    let below = |key: &str| if place.is_empty() { key.to_owned() } else { format!("{place}/{key}") };
    match (theirs, ours) {
        (Value::Object(their), Value::Object(our)) => {
            for (key, value) in their {
                compare(&below(key), value, our.get(key).unwrap_or(&Value::Null), all);
            }
            for (key, value) in our.iter().filter(|(key, _)| !their.contains_key(*key)) {
                compare(&below(key), &Value::Null, value, all);
            }
        }
        (Value::Array(their), Value::Array(our)) if their.len() == our.len() => {
            for (index, (theirs, ours)) in their.iter().zip(our).enumerate() {
                compare(&below(&index.to_string()), theirs, ours, all);
            }
        }
        _ if theirs == ours || (is_nothing(theirs) && is_nothing(ours)) => {}
        _ => all.push(Difference { place: place.to_owned(), theirs: theirs.clone(), ours: ours.clone() }),
    }
}

/// Two sets of entries, or maps of them, as the values of those that both have, and those that only one has. Where one of
/// them lists names only, the other one's values are none to compare.
pub(crate) fn side_by_side(theirs: &mut Value, ours: &mut Value) {
    let (Some(their), Some(our)) = (entries(theirs), entries(ours)) else { return };
    let split = |map: &Map<String, Value>, other: &Map<String, Value>| {
        let (mut both, mut alone) = (Map::new(), Map::new());
        for (key, value) in map {
            match other.get(key) {
                None => drop(alone.insert(key.clone(), value.clone())),
                Some(Value::Bool(true)) => {}
                Some(_) if *value == Value::Bool(true) => {}
                Some(_) => drop(both.insert(key.clone(), plain(value))),
            }
        }
        json!({"both": both, "alone": alone})
    };
    (*theirs, *ours) = (split(&their, &our), split(&our, &their));
}

/// The entries of a comparison's values that ours names and theirs does not: not among what is there, nor among what is
/// asked for. Of those fields whose entries both name alike.
pub(crate) fn invented(theirs: &Map<String, Value>, ours: &Map<String, Value>) -> Vec<String> {
    let names = |field: &str, values: Option<&Value>| -> BTreeSet<String> {
        let sides = values.map(|values| [&values["current"], &values["desired"]]);
        // Theirs are lists of their own for binds and volumes.
        let lists = |side: &Value| match side {
            Value::Object(lists) if lists.values().all(Value::is_array) => lists.values().cloned().collect(),
            side => vec![side.clone()],
        };
        let lists = sides.into_iter().flatten().flat_map(lists);
        let entries = lists.filter_map(|list| entries(&list)).flatten();
        entries.flat_map(|(key, _)| names_in(field, &key).map(str::to_owned).collect::<Vec<_>>()).collect()
    };
    let of_field = |field: &&str| {
        let (their, our) = (names(field, theirs.get(*field)), names(field, ours.get(*field)));
        our.difference(&their).map(|name| format!("{field}: {name}")).collect::<Vec<_>>()
    };
    NAMED_ALIKE.iter().flat_map(of_field).collect()
}

/// The name of an entry, without what is written before or behind it: `CAP_`, options, a value, a slash. A volume may have
/// it in the second place.
fn names_in<'a>(field: &str, entry: &'a str) -> impl Iterator<Item = &'a str> {
    let places = if field == "volumes" { 2 } else { 1 };
    let entry = entry.strip_prefix("CAP_").unwrap_or(entry);
    entry.split([':', '=']).take(places).map(|name| name.trim_end_matches('/'))
}

/// Each entry by its key; of a list there are the keys only.
fn entries(value: &Value) -> Option<Map<String, Value>> {
    match value {
        Value::Null => Some(Map::new()),
        Value::Object(all) => Some(all.clone()),
        Value::Array(all) => all.iter().map(|one| one.as_str().map(|text| (text.to_owned(), true.into()))).collect(),
        _ => None,
    }
}

/// A value as a text; nothing is an empty one, which ours shows in quotes.
fn plain(value: &Value) -> Value {
    match value {
        Value::Null => "".into(),
        Value::String(text) if text == "\"\"" => "".into(),
        Value::Number(number) => number.to_string().into(),
        other => other.clone(),
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(all) => all.is_empty(),
        Value::Object(all) => all.is_empty(),
        _ => false,
    }
}
