//! `dimensions`: how much of the machine the container may use.

use std::collections::BTreeMap;
use std::str::FromStr;

use serde_json::Value;

use super::words::{Unread, scalar, unknown_key, whole_number};
use crate::quantity::{ByteSize, CpuSet, Limit, TimeSpan};
use crate::spec::read::read_as;
use crate::spec::{Resources, Ulimit, UlimitName};
use crate::text::ParseError;
use crate::violation::{FieldPath, Violations};

/// The keys of `dimensions`.
pub const DIMENSIONS: [&str; 11] = [
    "blkio_weight",
    "cpu_period",
    "cpu_quota",
    "cpu_shares",
    "cpuset_cpus",
    "cpuset_mems",
    "kernel_memory",
    "mem_limit",
    "mem_reservation",
    "memswap_limit",
    "ulimits",
];

/// Reads the dimensions; one that is null is not stated.
pub(super) fn read(given: Option<&Unread>, wrong: &mut Violations) -> Resources {
    let mut resources = Resources::default();
    let map = match given {
        None => return resources,
        Some(Unread(Value::Object(map))) => map,
        Some(_) => {
            wrong.add("dimensions", format!("is no object; known in it are {}", DIMENSIONS.join(", ")));
            return resources;
        }
    };
    for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
        let path = FieldPath::from("dimensions").field(key);
        if key == "ulimits" {
            resources.ulimits = ulimits(&path, value, wrong);
        } else if let Err(error) = dimension(key, value, &mut resources) {
            wrong.add(path, error.to_string());
        }
    }
    resources
}

fn dimension(key: &str, value: &Value, resources: &mut Resources) -> Result<(), ParseError> {
    match key {
        "blkio_weight" => resources.blkio_weight = Some(whole(value)?),
        "cpu_period" => resources.cpu_period = Some(microseconds(value)?),
        "cpu_quota" => {
            resources.cpu_quota = Some(match scalar(value).as_deref() {
                // What engines take for none.
                Some("0" | "-1") => Limit::Unlimited,
                _ => Limit::At(microseconds(value)?),
            });
        }
        "cpu_shares" => resources.cpu_shares = Some(whole(value)?),
        "cpuset_cpus" => resources.cpuset_cpus = Some(cpu_set(value)?),
        "cpuset_mems" => resources.cpuset_mems = Some(cpu_set(value)?),
        "kernel_memory" => resources.kernel_memory = memory(key, value)?.or(Some(Limit::Unlimited)),
        "mem_limit" => resources.memory = memory(key, value)?.or(Some(Limit::Unlimited)),
        "mem_reservation" => resources.memory_reservation = memory(key, value)?.or(Some(Limit::Unlimited)),
        // To engines 0 is no limit of the memory, but "not stated" of memory and swap together.
        "memswap_limit" => resources.memory_swap = memory(key, value)?,
        _ => return Err(unknown_key(key, &DIMENSIONS, "Unsupported dimensions")),
    }
    Ok(())
}

fn whole<N: TryFrom<u64>>(value: &Value) -> Result<N, ParseError> {
    whole_number(value)
        .and_then(|number| number.try_into().ok())
        .ok_or_else(|| ParseError::new("is no whole number, or too large a one"))
}

fn microseconds(value: &Value) -> Result<TimeSpan, ParseError> {
    whole_number(value)
        .and_then(|micros| micros.checked_mul(1000))
        .map(TimeSpan::from_nanos)
        .ok_or_else(|| ParseError::new("is no whole number of microseconds, or too large a one"))
}

fn cpu_set(value: &Value) -> Result<CpuSet, ParseError> {
    match scalar(value) {
        Some(text) => text.parse(),
        None => Err(ParseError::new("is neither a text such as 0-2,5 nor a number")),
    }
}

/// An amount of memory; `None` where it is 0.
fn memory(key: &str, value: &Value) -> Result<Option<Limit<ByteSize>>, ParseError> {
    let Some(text) = scalar(value) else {
        return Err(ParseError::new("is no size: write a number of bytes, or a text such as 512m or 1g"));
    };
    let unit = text.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    let number = text.strip_suffix(unit).unwrap_or(&text);
    let limit = Limit::<ByteSize>::from_str(&text).map_err(|error| {
        if !number.is_empty() && format!("1{unit}").parse::<ByteSize>().is_err() {
            return ParseError::new(format!(
                "the unit [{}] in {text:?} is not supported for the dimension [{key}]: it is b, k, m, g, t or p",
                unit.trim_start(),
            ));
        }
        error
    })?;
    let is_zero = !number.is_empty() && number.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    Ok(Some(limit).filter(|_| !is_zero))
}

fn ulimits(path: &FieldPath, value: &Value, wrong: &mut Violations) -> Option<BTreeMap<UlimitName, Ulimit>> {
    let Value::Object(map) = value else {
        wrong.add(path.clone(), "is no object such as {nofile: {soft: 1024, hard: 2048}}");
        return None;
    };
    let mut ulimits = BTreeMap::new();
    for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
        let path = path.key(key);
        let limit = ulimit(&path, value, wrong);
        match (key.parse::<UlimitName>(), limit) {
            (Ok(name), Some(limit)) => {
                if ulimits.insert(name, limit).is_some() {
                    wrong.add(path, format!("{name} is limited twice, under two spellings of its name"));
                }
            }
            (Ok(_), None) => {}
            (Err(error), _) => wrong.add(path, error.to_string()),
        }
    }
    Some(ulimits).filter(|ulimits| !ulimits.is_empty())
}

/// One limit, `{soft, hard}`; a hard one that is not stated is as the soft one.
fn ulimit(path: &FieldPath, value: &Value, wrong: &mut Violations) -> Option<Ulimit> {
    let Value::Object(map) = value else {
        wrong.add(path.clone(), "is no object such as {soft: 1024, hard: 2048}");
        return None;
    };
    for key in map.keys().filter(|key| !matches!(key.as_str(), "soft" | "hard")) {
        wrong.add(path.field(key), "unknown key; known here are soft, hard");
    }
    let mut limit = |key: &str| -> Result<Option<Limit<u64>>, ()> {
        let Some(value) = map.get(key).filter(|value| !value.is_null()) else { return Ok(None) };
        read_as(value.clone()).map(Some).map_err(|violations| wrong.add_below(&path.field(key), violations))
    };
    let (soft, hard) = (limit("soft"), limit("hard"));
    match (soft, hard) {
        (Ok(Some(soft)), Ok(hard)) => Some(Ulimit { soft, hard: hard.unwrap_or(soft) }),
        (Ok(None), _) => {
            wrong.add(path.field("soft"), "is missing: a limit is such as {soft: 1024, hard: 2048}");
            None
        }
        _ => None,
    }
}
