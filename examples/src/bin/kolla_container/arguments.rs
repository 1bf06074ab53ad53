//! The arguments of the two modules: one table each, and what Ansible says where a call does not fit it.

use serde_json::{Map, Value};

use crate::convert::Kind;
use crate::python;

/// An argument of a module.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Argument {
    name: &'static str,
    kind: Kind,
    choices: &'static [&'static str],
    /// Whether it has to be there.
    required: bool,
    /// Whether it has a default, so that it may not be null.
    has_default: bool,
    /// The arguments inside of it.
    inner: &'static [Argument],
}

const fn argument(name: &'static str, kind: Kind) -> Argument {
    Argument { name, kind, choices: &[], required: false, has_default: false, inner: &[] }
}

const fn with_default(name: &'static str, kind: Kind) -> Argument {
    Argument { has_default: true, ..argument(name, kind) }
}

const fn choice(name: &'static str, choices: &'static [&'static str]) -> Argument {
    Argument { choices, ..argument(name, Kind::Text) }
}

const fn required(argument: Argument) -> Argument {
    Argument { required: true, ..argument }
}

/// A module: its arguments, and those that an action needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Module {
    pub(crate) name: &'static str,
    arguments: &'static [Argument],
    needs: &'static [(&'static str, &'static [&'static str])],
}

/// The module that changes something.
pub(crate) const CONTAINER: Module = Module {
    name: "kolla_container",
    arguments: &[
        with_default("common_options", Kind::Map),
        required(choice(
            "action",
            &[
                "compare_container",
                "compare_image",
                "create_volume",
                "ensure_image",
                "pull_image",
                "recreate_or_restart_container",
                "remove_container",
                "remove_image",
                "remove_volume",
                "restart_container",
                "start_container",
                "stop_container",
                "stop_and_remove_container",
            ],
        )),
        argument("api_version", Kind::Text),
        argument("auth_email", Kind::Text),
        argument("auth_password", Kind::Text),
        argument("auth_registry", Kind::Text),
        argument("auth_username", Kind::Text),
        argument("command", Kind::Text),
        argument("container_engine", Kind::Text),
        with_default("detach", Kind::Flag),
        with_default("labels", Kind::Map),
        argument("name", Kind::Text),
        argument("environment", Kind::Map),
        argument("healthcheck", Kind::Map),
        argument("image", Kind::Text),
        choice("ipc_mode", &["", "host", "private", "shareable"]),
        with_default("cap_add", Kind::List),
        with_default("security_opt", Kind::List),
        choice("pid_mode", &["", "host", "private"]),
        choice("cgroupns_mode", &["private", "host"]),
        with_default("privileged", Kind::Flag),
        argument("graceful_timeout", Kind::Number),
        with_default("remove_on_exit", Kind::Flag),
        choice("restart_policy", &["no", "on-failure", "oneshot", "always", "unless-stopped"]),
        argument("restart_retries", Kind::Number),
        Argument { has_default: true, ..choice("state", &["running", "exited", "paused"]) },
        with_default("tls_verify", Kind::Flag),
        argument("tls_cert", Kind::Text),
        argument("tls_key", Kind::Text),
        argument("tls_cacert", Kind::Text),
        argument("tmpfs", Kind::List),
        argument("volumes", Kind::List),
        argument("volumes_from", Kind::List),
        with_default("dimensions", Kind::Map),
        with_default("tty", Kind::Flag),
        argument("client_timeout", Kind::Number),
        with_default("ignore_missing", Kind::Flag),
    ],
    needs: &[
        ("pull_image", &["image"]),
        ("start_container", &["image", "name"]),
        ("compare_container", &["name"]),
        ("compare_image", &["name"]),
        ("create_volume", &["name"]),
        ("ensure_image", &["image"]),
        ("recreate_or_restart_container", &["name"]),
        ("remove_container", &["name"]),
        ("remove_image", &["image"]),
        ("remove_volume", &["name"]),
        ("restart_container", &["name"]),
        ("stop_container", &["name"]),
        ("stop_and_remove_container", &["name"]),
    ],
};

/// The module that only looks.
pub(crate) const FACTS: Module = Module {
    name: "kolla_container_facts",
    arguments: &[
        with_default("name", Kind::List),
        with_default("api_version", Kind::Text),
        required(argument("container_engine", Kind::Text)),
        required(choice(
            "action",
            &["get_containers", "get_containers_env", "get_volumes", "get_containers_names", "get_containers_state"],
        )),
        Argument { inner: &[with_default("get_all_containers", Kind::Flag)], ..with_default("args", Kind::Map) },
    ],
    needs: &[],
};

impl Module {
    /// What can be asked of it.
    #[cfg(test)]
    pub(crate) fn actions(&self) -> &'static [&'static str] {
        self.arguments.iter().find(|argument| argument.name == "action").map_or(&[], |argument| argument.choices)
    }

    /// Whether an argument of this name can come from `common_options`, and what it is.
    pub(crate) fn kind(&self, name: &str) -> Option<Kind> {
        self.arguments.iter().find(|argument| argument.name == name).map(|argument| argument.kind)
    }

    /// The arguments, converted; or the first thing that is wrong with them, as Ansible says it for a module that it calls
    /// `called`. Those that are null are left out.
    pub(crate) fn read(&self, called: &str, mut given: Map<String, Value>) -> Result<Map<String, Value>, String> {
        let mut wrong = read(self.arguments, &mut given, "");
        wrong.extend(self.missing(&given));
        let mut unknown = unknown(self.arguments, &given, "");
        let mut known = self.arguments;
        for argument in self.arguments.iter().filter(|argument| !argument.inner.is_empty()) {
            let Some(Value::Object(inner)) = given.get_mut(argument.name) else { continue };
            wrong.extend(read(argument.inner, inner, argument.name));
            let more = self::unknown(argument.inner, inner, &format!("{}.", argument.name));
            if unknown.is_empty() && !more.is_empty() {
                known = argument.inner;
            }
            unknown.extend(more);
        }
        if let Some(first) = wrong.into_iter().next() {
            return Err(first);
        }
        if !unknown.is_empty() {
            unknown.sort();
            let mut known: Vec<&str> = known.iter().map(|argument| argument.name).collect();
            known.sort_unstable();
            return Err(format!(
                "Unsupported parameters for ({called}) module: {}. Supported parameters include: {}.",
                unknown.join(", "),
                known.join(", ")
            ));
        }
        given.retain(|_, value| !value.is_null());
        Ok(given)
    }

    /// What the action needs and does not have; something that is null is there.
    fn missing(&self, given: &Map<String, Value>) -> Option<String> {
        let action = given.get("action").and_then(Value::as_str)?;
        let (_, needs) = self.needs.iter().find(|(name, _)| *name == action)?;
        let missing: Vec<&str> = needs.iter().copied().filter(|need| !given.contains_key(*need)).collect();
        let said = format!("action is {action} but all of the following are missing: {}", missing.join(", "));
        (!missing.is_empty()).then_some(said)
    }
}

/// Converts what is given; says what is wrong in the order in which Ansible finds it. `inside` is the argument that
/// these are arguments of.
fn read(arguments: &[Argument], given: &mut Map<String, Value>, inside: &str) -> Vec<String> {
    let found_in = |end: &str| if inside.is_empty() { String::new() } else { format!(" found in '{inside}'{end}") };
    let mut wrong = Vec::new();
    let missing = arguments.iter().filter(|argument| argument.required && !given.contains_key(argument.name));
    let mut missing: Vec<&str> = missing.map(|argument| argument.name).collect();
    missing.sort_unstable();
    if !missing.is_empty() {
        wrong.push(format!("missing required arguments: {}", missing.join(", ")));
    }
    for argument in arguments {
        let Some(value) = given.get_mut(argument.name) else { continue };
        if value.is_null() && !argument.required && !argument.has_default {
            continue;
        }
        let was = python::type_name(value);
        match argument.kind.convert(value.clone()) {
            Ok(converted) => *value = converted,
            Err(why) => wrong.push(format!(
                "argument '{}' is of type {was}{} and we were unable to convert to {}: {why}",
                argument.name,
                found_in("."),
                argument.kind.name(),
            )),
        }
    }
    for argument in arguments.iter().filter(|argument| !argument.choices.is_empty()) {
        let Some(value) = given.get_mut(argument.name) else { continue };
        // YAML makes a boolean of a bare `no`.
        if *value == "False" && argument.choices.contains(&"no") {
            *value = Value::from("no");
        }
        if !value.as_str().is_some_and(|text| argument.choices.contains(&text)) {
            let (name, choices, said) = (argument.name, argument.choices.join(", "), python::text(value));
            wrong.push(format!("value of {name} must be one of: {choices}, got: {said}"));
        }
    }
    wrong
}

/// What is given, and is no argument.
fn unknown(arguments: &[Argument], given: &Map<String, Value>, inside: &str) -> Vec<String> {
    let is_known = |name: &String| arguments.iter().any(|argument| argument.name == name);
    given.keys().filter(|name| !is_known(name)).map(|name| format!("{inside}{name}")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(module: &Module, given: Value) -> Result<Value, String> {
        module.read(module.name, serde_json::from_value(given).unwrap()).map(Value::Object)
    }

    #[test]
    fn arguments_are_converted_and_nulls_left_out() {
        let given = json!({
            "action": "start_container", "name": 7, "image": "a", "volumes": "a:/b,c:/d", "detach": "no",
            "graceful_timeout": "60", "restart_policy": false, "healthcheck": null, "labels": "a=1",
        });

        let expected = json!({
            "action": "start_container", "name": "7", "image": "a", "volumes": ["a:/b", "c:/d"], "detach": false,
            "graceful_timeout": 60, "restart_policy": "no", "labels": {"a": "1"},
        });
        assert_eq!(read(&CONTAINER, given), Ok(expected));
    }

    #[test]
    fn what_is_wrong_is_said_in_ansibles_words() {
        for (given, expected) in [
            (json!({"name": "x"}), "missing required arguments: action"),
            (
                json!({"action": "start_container"}),
                "action is start_container but all of the following are missing: image, name",
            ),
            (
                json!({"action": "start_container", "name": null}),
                "action is start_container but all of the following are missing: image",
            ),
            (
                json!({"action": "stop_container", "name": "x", "detach": [1], "foo": 1}),
                "argument 'detach' is of type list and we were unable to convert to bool: <class 'list'> cannot be converted to a bool",
            ),
            (
                json!({"action": "stop_container", "name": "x", "labels": null}),
                "argument 'labels' is of type NoneType and we were unable to convert to dict: <class 'NoneType'> cannot be converted to a dict",
            ),
            (
                json!({"action": "stop_container", "name": "x", "ipc_mode": null}),
                "value of ipc_mode must be one of: , host, private, shareable, got: None",
            ),
            (
                json!({"action": "stop_container", "name": "x", "state": true}),
                "value of state must be one of: running, exited, paused, got: True",
            ),
        ] {
            assert_eq!(read(&CONTAINER, given), Err(expected.to_owned()));
        }
        let unknown =
            read(&CONTAINER, json!({"action": "stop_container", "name": "x", "foo": 1, "bar": "s3cret"})).unwrap_err();
        let start = "Unsupported parameters for (kolla_container) module: bar, foo. Supported parameters include: action, api_version, ";
        assert!(unknown.starts_with(start) && unknown.ends_with(", volumes, volumes_from."), "{unknown}");
    }

    #[test]
    fn the_facts_have_arguments_of_their_own() {
        let facts = |more: Value| {
            let mut given = json!({"action": "get_containers", "container_engine": "docker"});
            given.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            read(&FACTS, given)
        };

        assert_eq!(facts(json!({"name": "a,b"})).unwrap()["name"], json!(["a", "b"]));
        assert_eq!(facts(json!({"args": {"get_all_containers": "yes"}})).unwrap()["args"]["get_all_containers"], true);
        assert_eq!(
            facts(json!({"args": {"foo": 1}})).unwrap_err(),
            "Unsupported parameters for (kolla_container_facts) module: args.foo. Supported parameters include: get_all_containers."
        );
        assert!(facts(json!({"args": {"get_all_containers": "z"}})).unwrap_err().starts_with(
            "argument 'get_all_containers' is of type str found in 'args'. and we were unable to convert to bool: "
        ));
        assert_eq!(
            read(&FACTS, json!({"action": "get_volumes"})),
            Err("missing required arguments: container_engine".to_owned())
        );
    }
}
