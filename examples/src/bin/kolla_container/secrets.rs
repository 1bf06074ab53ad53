//! What is in no answer: passwords of registries, and variables of the environment whose names say that they are secret.

use std::fmt;

use kolla_container_core::is_secret_name;
use serde_json::{Map, Value};

use crate::python;

/// What Ansible writes in the place of a value that may not be shown.
const HIDDEN: &str = "********";

/// Shorter ones would be found everywhere.
const SHORTEST: usize = 4;

/// What is in no answer.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    passwords: Vec<String>,
    variables: Vec<String>,
}

impl Secrets {
    /// Those among these arguments.
    pub(crate) fn of(arguments: [&Map<String, Value>; 2]) -> Self {
        let mut secrets = Self::default();
        for given in arguments {
            secrets.passwords.extend(given.get("auth_password").map(python::text));
            let variables = given.get("environment").and_then(Value::as_object).into_iter().flatten();
            let secret = variables.filter(|(name, value)| is_secret_name(name) && !value.is_null());
            secrets.variables.extend(secret.map(|(_, value)| python::text(value)));
        }
        secrets.passwords.retain(|password| !password.is_empty());
        secrets.variables.retain(|value| value.len() >= SHORTEST);
        secrets
    }

    /// The text without them. What a container has printed is what a role asks for, and keeps its variables; a failure is
    /// shown to whoever looks on.
    pub(crate) fn hide(&self, text: &str, is_failure: bool) -> String {
        let variables = self.variables.iter().filter(|_| is_failure);
        let mut secrets: Vec<&String> = variables.chain(&self.passwords).collect();
        // One may be a part of another.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        let hidden = secrets.iter().fold(text.to_owned(), |text, secret| {
            let quoted = format!("{secret:?}");
            text.replace(quoted.trim_matches('"'), HIDDEN).replace(secret.as_str(), HIDDEN)
        });
        // The quotes of a shell may stand in the middle of one.
        let has_one = |word: &String| secrets.iter().any(|secret| word.contains(secret.as_str()));
        let is_quoted = !secrets.is_empty() && shlex::split(&hidden).is_some_and(|words| words.iter().any(has_one));
        if is_quoted { HIDDEN.to_owned() } else { hidden }
    }

    /// Takes them out of all texts in a value.
    pub(crate) fn hide_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.hide(text, true),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(map) => map.values_mut().for_each(|value| self.hide_in(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn passwords_are_always_hidden_and_variables_in_failures() {
        let map = |value: Value| serde_json::from_value::<Map<String, Value>>(value).unwrap();
        let secrets = Secrets::of([
            &map(json!({"auth_password": "hunter2", "environment": {"DB_PASSWORD": "s3cret", "MODE": "fast"}})),
            &map(json!({"environment": {"API_KEY": "s3cret-2", "PIN_TOKEN": "1", "TOKEN": null}})),
        ]);

        let text = "1 fast hunter2 s3cret s3cret-2";

        assert_eq!(secrets.hide(text, true), "1 fast ******** ******** ********");
        assert_eq!(secrets.hide(text, false), "1 fast ******** s3cret s3cret-2");
        let nested = Secrets::of([
            &map(json!({"auth_password": "abc-s3cret"})),
            &map(json!({"environment": {"KEY": "s3cret"}})),
        ]);
        assert_eq!(nested.hide("abc-s3cret s3cret", true), "******** ********");
        let lines = Secrets::of([&map(json!({"environment": {"KEY": "one\ntwo"}})), &Map::new()]);
        assert_eq!(lines.hide("\"one\\ntwo\" one\ntwo", true), "\"********\" ********");
        let quotes = Secrets::of([&map(json!({"environment": {"KEY": "it's \"$5\""}})), &Map::new()]);
        let command = shlex::try_join(["run", "--pin=it's \"$5\""]).unwrap();
        assert!(!command.contains("it's \"$5\""), "{command}");
        assert_eq!(quotes.hide(&command, true), "********");
        assert_eq!(quotes.hide("run 'it is'", true), "run 'it is'");
        let mut differs = json!({"command": ["run --pin s3cret"], "image": null});
        secrets.hide_in(&mut differs);
        assert_eq!(differs, json!({"command": ["run --pin ********"], "image": null}));
        assert!(!format!("{secrets:?}").contains("hunter2"));
    }
}
