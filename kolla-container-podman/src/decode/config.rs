//! What containers and images have in common.

use std::collections::BTreeMap;

use kolla_container_core::TimeSpan;
use kolla_container_core::spec::{Environment, ExposedPorts, HealthTest, Healthcheck, Variable};
use serde_json::Value;

use super::document;
use super::{Wrong, read_all};

/// A name without `=` is a variable that was taken away.
pub(super) fn environment(variables: Vec<String>) -> Environment {
    let variable = |text: String| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Variable::Value(value.to_owned())),
        None => (text, Variable::Unset),
    };
    Environment(variables.into_iter().map(variable).collect())
}

pub(super) fn exposed(ports: &BTreeMap<String, Value>) -> Result<ExposedPorts, Wrong> {
    read_all("ExposedPorts", ports.keys()).map(ExposedPorts)
}

/// A zero is "not stated".
pub(super) fn healthcheck(check: document::Healthcheck) -> Healthcheck {
    let document::Healthcheck { test, interval, timeout, start_period, retries } = check;
    let span = |nanos: i64| u64::try_from(nanos).ok().filter(|nanos| *nanos > 0).map(TimeSpan::from_nanos);
    Healthcheck {
        test: health_test(test),
        interval: span(interval),
        timeout: span(timeout),
        retries: u32::try_from(retries).ok().filter(|retries| *retries > 0),
        start_period: span(start_period),
        start_interval: None,
    }
}

/// A text alone is run by the shell; what is none of the known forms is a program, as Podman runs it.
fn health_test(words: Vec<String>) -> Option<HealthTest> {
    match HealthTest::from_words(&words) {
        Ok(test) => test,
        Err(_) => match words.split_first() {
            Some((kind, [text, ..])) if kind == "CMD-SHELL" => Some(HealthTest::Shell(text.clone())),
            _ => Some(HealthTest::Exec(words)),
        },
    }
}
