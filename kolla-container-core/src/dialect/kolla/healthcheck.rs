//! `healthcheck`: how the engine finds out whether the container is well.

use serde_json::{Map, Value};

use super::words::{Unread, unknown_key, whole_number};
use crate::quantity::TimeSpan;
use crate::shown::Shown;
use crate::spec::read::read_as;
use crate::spec::{HealthTest, Healthcheck};
use crate::violation::{FieldPath, Violations};

/// The keys of `healthcheck`: all of them are stated, but for a test that switches the check off.
pub const HEALTHCHECK: [&str; 5] = ["test", "interval", "timeout", "start_period", "retries"];

/// Reads the health check; all five keys must be there unless the test is `NONE`, and none where it
/// is not stated.
pub(super) fn read(given: Option<&Unread>, wrong: &mut Violations) -> Healthcheck {
    let map = match given {
        None => return Healthcheck::default(),
        Some(Unread(Value::Object(map))) if map.is_empty() => return Healthcheck::default(),
        Some(Unread(Value::Object(map))) => map,
        Some(_) => {
            wrong.add("healthcheck", format!("is no object of {}", HEALTHCHECK.join(", ")));
            return Healthcheck::default();
        }
    };
    let path = FieldPath::from("healthcheck");
    for key in map.keys().filter(|key| !HEALTHCHECK.contains(&key.as_str())) {
        wrong.add(path.field(key), unknown_key(key, &HEALTHCHECK, "Unsupported healthcheck options").to_string());
    }
    let test = map.get("test").filter(|test| !test.is_null()).and_then(|test| match read_as(test.clone()) {
        Ok(test) => Some(test),
        Err(violations) => {
            for violation in &violations {
                wrong.add(path.field("test"), violation.message.clone());
            }
            None
        }
    });
    if test == Some(HealthTest::None) {
        return Healthcheck::none();
    }
    for key in HEALTHCHECK.into_iter().filter(|key| map.get(*key).is_none_or(Value::is_null)) {
        wrong.add(path.field(key), "is missing: all five keys are stated (kolla: Missing healthcheck option)");
    }
    Healthcheck {
        test,
        interval: seconds(map, "interval", wrong),
        timeout: seconds(map, "timeout", wrong),
        retries: number(map, "retries", "the number of failures in a row", wrong).and_then(|number| {
            let retries = u32::try_from(number).ok();
            if retries.is_none() {
                wrong.add(path.field("retries"), format!("is at most {}", u32::MAX));
            }
            retries
        }),
        start_period: seconds(map, "start_period", wrong),
        start_interval: None,
    }
}

fn seconds(map: &Map<String, Value>, key: &str, wrong: &mut Violations) -> Option<TimeSpan> {
    number(map, key, "the seconds", wrong).map(TimeSpan::from_secs)
}

/// The number at `key`; 0 is what engines take for "not stated".
fn number(map: &Map<String, Value>, key: &str, what: &str, wrong: &mut Violations) -> Option<u64> {
    let value = map.get(key).filter(|value| !value.is_null())?;
    let number = whole_number(value);
    if number.is_none() {
        let written = match value {
            Value::String(text) => format!(" {}", Shown::text(format!("{text:?}"))),
            Value::Number(number) => format!(" {number}"),
            _ => String::new(),
        };
        wrong.add(
            FieldPath::from("healthcheck").field(key),
            format!("cannot parse healthcheck{written}: expected an integer, {what}"),
        );
    }
    number.filter(|number| *number > 0)
}
