//! What Ansible asks for: an action, its parameters, and how it is to be done.

use std::collections::BTreeMap;
use std::path::Path;

use kolla_container_core::dialect::kolla::{DIMENSIONS, Engine, HEALTHCHECK, Host, Parameters, Restart, State, Unread};
use kolla_container_core::state::{EngineKind, Status};
use kolla_container_core::{ContainerName, ContainerSpec, ImageRef, Service, TimeSpan, VolumeName};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::answer::Answer;
use crate::arguments::{CONTAINER, FACTS};
use crate::failure::Failure;
use crate::python;
use crate::secrets::Secrets;

/// What of `common_options` is a text, and says nothing where it is empty.
const LOGIN: [&str; 4] = ["auth_email", "auth_password", "auth_registry", "auth_username"];

/// What can be asked of the module that changes something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    CompareContainer,
    CompareImage,
    CreateVolume,
    EnsureImage,
    PullImage,
    RecreateOrRestartContainer,
    RemoveContainer,
    RemoveImage,
    RemoveVolume,
    RestartContainer,
    StartContainer,
    StopContainer,
    StopAndRemoveContainer,
}

/// What can be asked of the one that only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Look {
    #[serde(rename = "get_containers")]
    Containers,
    #[serde(rename = "get_containers_env")]
    Environments,
    #[serde(rename = "get_containers_names")]
    Names,
    #[serde(rename = "get_containers_state")]
    States,
    #[serde(rename = "get_volumes")]
    Volumes,
}

/// A call of one of the modules.
#[derive(Debug)]
pub(crate) enum Call {
    /// Of the one that changes something.
    Container(Box<ContainerCall>),
    /// Of the one that only looks.
    Facts(FactsCall),
}

/// A call of the module that changes something.
#[derive(Debug)]
pub(crate) struct ContainerCall {
    pub(crate) action: Action,
    pub(crate) parameters: Parameters,
    /// The image as it was written.
    pub(crate) image: String,
    /// Nothing is to be changed; the answer says what would be.
    pub(crate) check: bool,
    /// The answer says what was before, and what is after.
    pub(crate) diff: bool,
    /// What is in no answer.
    pub(crate) secrets: Secrets,
    /// What is wrong with the keys of dimensions and health check.
    unsupported: Option<Answer>,
}

/// A call of the module that only looks.
#[derive(Debug)]
pub(crate) struct FactsCall {
    pub(crate) look: Look,
    pub(crate) engine: Engine,
    pub(crate) names: Vec<String>,
    /// Also those containers that do not run.
    pub(crate) all: bool,
}

impl Call {
    /// Reads the file that Ansible has written for the program that was started under the name `program`.
    pub(crate) fn read(program: &str, file: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()));
        // What is wrong may be a password.
        let document = text.and_then(|text| {
            serde_json::from_str(&text).map_err(|error| {
                format!("{}: no JSON at line {} column {}", file.display(), error.line(), error.column())
            })
        });
        match document.map_err(Failure::said)? {
            Value::Object(arguments) => Self::of(program, arguments),
            _ => Err(Failure::said(format!("{}: the parameters are an object", file.display()))),
        }
    }

    fn of(program: &str, mut given: Map<String, Value>) -> Result<Self, Failure> {
        let is_set = |name: &str| given.get(name) == Some(&Value::Bool(true));
        let (check, diff) = (is_set("_ansible_check_mode"), is_set("_ansible_diff"));
        let called = given.get("_ansible_module_name").and_then(Value::as_str).map(str::to_owned);
        given.retain(|name, _| !name.starts_with("_ansible_"));
        let begins = |action: &Value| action.as_str().is_some_and(|action| action.starts_with("get_"));
        // Ansible puts its own prefix in front of the program's name.
        let is_facts = program.ends_with(FACTS.name) || given.get("action").is_some_and(begins);
        let module = if is_facts { FACTS } else { CONTAINER };
        let mut given = module.read(called.as_deref().unwrap_or(module.name), given).map_err(Failure::said)?;
        let action = given.remove("action").unwrap_or_default();
        if is_facts {
            return FactsCall::of(known(action)?, &given).map(Self::Facts);
        }
        ContainerCall::of(known(action)?, check, diff, given).map(|call| Self::Container(Box::new(call)))
    }
}

/// The action, which is among the choices of the module.
fn known<T: DeserializeOwned>(action: Value) -> Result<T, Failure> {
    serde_json::from_value(action).map_err(|_| Failure::said("value of action is not known"))
}

fn text(value: Option<Value>) -> String {
    match value {
        Some(Value::String(text)) => text,
        _ => String::new(),
    }
}

impl FactsCall {
    fn of(look: Look, given: &Map<String, Value>) -> Result<Self, Failure> {
        let names = given.get("name").and_then(Value::as_array).into_iter().flatten();
        Ok(Self {
            look,
            engine: engine(given.get("container_engine"))?,
            names: names.map(python::text).collect(),
            all: given.get("args").and_then(|args| args.get("get_all_containers")) == Some(&Value::Bool(true)),
        })
    }
}

/// The Python modules take everything but docker for podman.
fn engine(given: Option<&Value>) -> Result<Engine, Failure> {
    match given.and_then(Value::as_str) {
        None | Some("docker") => Ok(Engine::Docker),
        Some("podman") => Ok(Engine::Podman),
        Some(other) => {
            Err(Failure::said(format!("value of container_engine must be one of: docker, podman, got: {other}")))
        }
    }
}

impl ContainerCall {
    fn of(action: Action, check: bool, diff: bool, mut given: Map<String, Value>) -> Result<Self, Failure> {
        let mut common = match given.remove("common_options") {
            Some(Value::Object(common)) => converted(common).map_err(Failure::said)?,
            _ => Map::new(),
        };
        engine(given.get("container_engine").or_else(|| common.get("container_engine")))?;
        given.retain(|name, value| !is_empty_login(name, value));
        for variables in [&mut common, &mut given].into_iter().filter_map(|given| given.get_mut("environment")) {
            flatten(variables);
        }
        let secrets = Secrets::of([&common, &given]);
        let unsupported = unsupported(&given);
        let image = text(given.get("image").cloned());
        if unsupported.is_some() {
            // They are said by themselves, where they matter.
            given.remove("dimensions");
            given.remove("healthcheck");
        }
        let parameters = Parameters::from_value(Some(&Value::Object(common)), Value::Object(given));
        let parameters = parameters.map_err(|violations| Answer::failed(violations.to_string()).without(&secrets))?;
        Ok(Self { action, parameters, image, check, diff, secrets, unsupported })
    }

    /// The engine.
    pub(crate) fn engine(&self) -> Engine {
        self.parameters.container_engine.unwrap_or(Engine::Docker)
    }

    /// The container that it is about.
    pub(crate) fn name(&self) -> Result<ContainerName, Failure> {
        self.parameters.name.clone().ok_or_else(|| Failure::said("name: is missing"))
    }

    pub(crate) fn volume(&self) -> Result<VolumeName, Failure> {
        self.name()?.as_str().parse().map_err(|error| Failure::said(format!("name: {error}")))
    }

    pub(crate) fn image(&self) -> Result<ImageRef, Failure> {
        self.parameters.image.clone().ok_or_else(|| Failure::said("image: is missing"))
    }

    /// The container that is described.
    pub(crate) fn spec(&self) -> Result<ContainerSpec, Failure> {
        if let Some(unsupported) = &self.unsupported {
            return Err(unsupported.clone().into());
        }
        let read = self.parameters.clone().into_spec(&Host::local());
        let (_, mut spec) = read.map_err(|violations| Failure::said(violations.to_string()))?;
        // The start of a unit has watched it for a second already.
        spec.deploy.settle = Some(TimeSpan::from_secs(1));
        // Some get healthy only by what later roles do, and a check comes half a minute after the start.
        spec.deploy.healthy = Some(false);
        Ok(spec)
    }

    /// What its unit is made from, which does not depend on the image.
    pub(crate) fn service(&self, engine: EngineKind) -> Result<Service, Failure> {
        let image = self.parameters.image.clone().or_else(|| "none".parse().ok());
        let read = Parameters { image, ..self.parameters.clone() }.into_spec(&Host::local());
        let (name, spec) = read.map_err(|violations| Failure::said(violations.to_string()))?;
        Ok(Service::new(name, engine, &spec))
    }

    /// Whether the container is run by its unit.
    pub(crate) fn is_supervised(&self) -> bool {
        self.parameters.restart_policy != Some(Restart::Oneshot)
    }

    /// The state that the container is to be in.
    pub(crate) fn wanted_status(&self) -> Status {
        match self.parameters.state {
            Some(State::Exited) => Status::Exited,
            Some(State::Paused) => Status::Paused,
            None | Some(State::Running) => Status::Running,
        }
    }

    /// Whether the health check of the image is not to be made.
    pub(crate) fn switches_check_off(&self) -> bool {
        self.parameters.healthcheck.as_ref().and_then(|Unread(check)| check.get("test")).is_some_and(is_none)
    }

    /// How long engine and service manager may take for one thing.
    pub(crate) fn client_timeout(&self) -> Option<TimeSpan> {
        seconds(self.parameters.client_timeout)
    }

    /// How long the container may take to stop.
    pub(crate) fn grace(&self) -> Option<TimeSpan> {
        seconds(self.parameters.graceful_timeout)
    }
}

/// A time, where one is given; none is no time.
fn seconds(given: Option<u32>) -> Option<TimeSpan> {
    given.filter(|seconds| *seconds > 0).map(|seconds| TimeSpan::from_secs(seconds.into()))
}

/// The common options as the types that they have as arguments: Ansible looks at none of them.
fn converted(common: Map<String, Value>) -> Result<Map<String, Value>, String> {
    let mut converted = Map::new();
    for (name, value) in common.into_iter().filter(|(name, value)| !value.is_null() && !is_empty_login(name, value)) {
        let value = match CONTAINER.kind(&name) {
            Some(kind) => kind.convert(value).map_err(|why| format!("common_options.{name}: {why}"))?,
            None => value,
        };
        converted.insert(name, value);
    }
    Ok(converted)
}

/// Who has no password writes an empty one into the variables of a deployment.
fn is_empty_login(name: &str, value: &Value) -> bool {
    LOGIN.contains(&name) && *value == ""
}

/// A variable that is a list or a dictionary is the text that Python makes of it.
fn flatten(variables: &mut Value) {
    let values = variables.as_object_mut().into_iter().flat_map(Map::values_mut);
    for value in values.filter(|value| value.is_array() || value.is_object()) {
        *value = Value::from(python::text(value));
    }
}

/// Whether it is the test of a health check that switches the image's off.
fn is_none(test: &Value) -> bool {
    *test == "NONE" || *test == json!(["NONE"])
}

/// What is wrong with the keys of dimensions and health check, as the Python module says it.
fn unsupported(given: &Map<String, Value>) -> Option<Answer> {
    let keys = |name: &str| given.get(name).and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let said = |msg: &str, key: &str, mut names: Vec<&str>| {
        names.sort_unstable();
        let more = BTreeMap::from([(key.to_owned(), json!(names))]);
        (!names.is_empty()).then(|| Answer { more, ..Answer::failed(format!("'{msg}'")) })
    };
    let dimensions = keys("dimensions").map(String::as_str).filter(|key| !DIMENSIONS.contains(key)).collect();
    let checks = keys("healthcheck").map(String::as_str).filter(|key| !HEALTHCHECK.contains(key)).collect();
    let check = given.get("healthcheck").and_then(Value::as_object).filter(|check| !check.is_empty());
    // One that switches the image's off needs nothing else.
    let check = check.filter(|check| !check.get("test").is_some_and(is_none));
    let missing = HEALTHCHECK.into_iter().filter(|key| check.is_some_and(|check| !check.contains_key(*key))).collect();
    said("Unsupported dimensions", "unsupported_dimensions", dimensions)
        .or_else(|| said("Unsupported healthcheck options", "unsupported_healthcheck", checks))
        .or_else(|| said("Missing healthcheck option", "missing_healthcheck", missing))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(arguments: Value) -> Result<ContainerCall, String> {
        match Call::of("kolla_container", serde_json::from_value(arguments).unwrap()) {
            Ok(Call::Container(call)) => Ok(*call),
            Ok(Call::Facts(call)) => Err(format!("{call:?}")),
            Err(failure) => Err(Answer::from(failure).msg.unwrap()),
        }
    }

    #[test]
    fn parameters_are_read_without_what_ansible_adds() {
        let call = call(json!({
            "action": "compare_container",
            "name": "keystone",
            "image": "quay.io/openstack.kolla/keystone:2025.1",
            "command": null,
            "common_options": {
                "container_engine": "podman", "graceful_timeout": "60", "auth_username": "", "auth_password": 4711,
            },
            "_ansible_check_mode": true,
            "_ansible_diff": true,
            "_ansible_no_log": false,
            "_ansible_version": "2.18.1",
        }))
        .unwrap();

        assert_eq!((call.action, call.engine()), (Action::CompareContainer, Engine::Podman));
        assert!(call.check && call.diff);
        assert_eq!(call.spec().unwrap().stop_timeout, Some(TimeSpan::from_secs(60)));
        assert_eq!(call.parameters.auth_username, None);
        assert!(!format!("{call:?}").contains("4711"));
    }

    #[test]
    fn a_variable_is_the_text_that_python_makes_of_it() {
        let call = call(json!({
            "action": "start_container", "name": "x", "image": "y",
            "environment": {"A": ["a", 1], "B": true}, "common_options": {"environment": {"C": {"d": null}, "A": "b"}},
        }))
        .unwrap();

        let environment = call.spec().unwrap().environment.unwrap();
        let value = |name: &str| environment.0[name].value().map(str::to_owned);
        assert_eq!(value("A").as_deref(), Some("['a', 1]"));
        assert_eq!(value("B").as_deref(), Some("True"));
        assert_eq!(value("C").as_deref(), Some("{'d': None}"));
    }

    #[test]
    fn each_choice_is_an_action() {
        for action in CONTAINER.actions() {
            assert!(known::<Action>(json!(action)).is_ok(), "{action}");
        }
        for action in FACTS.actions() {
            assert!(known::<Look>(json!(action)).is_ok(), "{action}");
        }
    }

    #[test]
    fn a_module_is_known_by_the_name_of_the_program_or_by_its_action() {
        let arguments = |action: &str| {
            serde_json::from_value(json!({"action": action, "container_engine": "podman", "name": "a,b"})).unwrap()
        };

        let by_action = Call::of("kolla_container", arguments("get_volumes")).unwrap();
        let by_name = Call::of("AnsiballZ_kolla_container_facts", arguments("stop_container")).unwrap_err();

        let Call::Facts(facts) = by_action else { panic!("{by_action:?}") };
        assert_eq!((facts.names.len(), facts.all), (2, false));
        assert!(Answer::from(by_name).msg.unwrap().starts_with("value of action must be one of: get_containers, "));
    }

    #[test]
    fn keys_that_are_no_dimensions_or_checks_are_said_as_the_python_module_says_it() {
        let wrong = |more: Value| {
            let mut arguments = json!({"action": "start_container", "name": "x", "image": "y"});
            arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let answer = Answer::from(call(arguments).unwrap().spec().unwrap_err());
            (answer.msg.unwrap(), answer.more)
        };

        let (msg, more) = wrong(json!({"dimensions": {"mem_limt": 1, "cpu": 1, "mem_limit": 1}}));
        assert_eq!(
            (msg.as_str(), &more["unsupported_dimensions"]),
            ("'Unsupported dimensions'", &json!(["cpu", "mem_limt"]))
        );
        let (msg, more) = wrong(json!({"healthcheck": {"tset": "x"}}));
        assert_eq!(
            (msg.as_str(), &more["unsupported_healthcheck"]),
            ("'Unsupported healthcheck options'", &json!(["tset"]))
        );
        let (msg, more) = wrong(json!({"healthcheck": {"test": "x", "retries": 3}}));
        let missing = json!(["interval", "start_period", "timeout"]);
        assert_eq!((msg.as_str(), &more["missing_healthcheck"]), ("'Missing healthcheck option'", &missing));
    }

    #[test]
    fn no_message_has_a_secret_in_it() {
        for arguments in [
            json!({"action": "dance", "auth_password": "hunter2"}),
            json!({"action": "stop_container", "name": "x", "imgae": "hunter2"}),
            json!({"action": "stop_container", "name": "x", "environment": ["PASSWORD=hunter2"]}),
            json!({"action": "stop_container", "name": "x", "environment": "{PASSWORD=hunter2"}),
            json!({"action": "stop_container", "name": "x", "labels": {"PASSWORD": ["hunter2"]}}),
            json!({"action": "stop_container", "name": "x", "common_options": {"auth_password": "hunter2", "nmae": 1}}),
            json!({"action": "stop_container", "name": "x", "common_options": {"environment": "PASSWORD hunter2"}}),
            json!({"action": "stop_container", "name": "x", "common_options": "auth_password hunter2"}),
        ] {
            let said = call(arguments.clone()).map(|call| format!("{call:?}")).unwrap_err();
            assert!(!said.contains("hunter2"), "{arguments}: {said}");
        }
    }
}
