//! What Ansible asks for: an action, its parameters, and how it is to be done.

use std::path::Path;

use kolla_container_core::dialect::kolla::{Engine, Host, Parameters, Restart};
use kolla_container_core::{ContainerName, ContainerSpec, ImageRef, VolumeName};
use serde_json::{Map, Value};

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Each action by its name, and what it needs.
const ACTIONS: [(&str, Action, &[&str]); 13] = [
    ("compare_container", Action::CompareContainer, &["name"]),
    ("compare_image", Action::CompareImage, &["name"]),
    ("create_volume", Action::CreateVolume, &["name"]),
    ("ensure_image", Action::EnsureImage, &["image"]),
    ("pull_image", Action::PullImage, &["image"]),
    ("recreate_or_restart_container", Action::RecreateOrRestartContainer, &["name"]),
    ("remove_container", Action::RemoveContainer, &["name"]),
    ("remove_image", Action::RemoveImage, &["image"]),
    ("remove_volume", Action::RemoveVolume, &["name"]),
    ("restart_container", Action::RestartContainer, &["name"]),
    ("start_container", Action::StartContainer, &["name", "image"]),
    ("stop_container", Action::StopContainer, &["name"]),
    ("stop_and_remove_container", Action::StopAndRemoveContainer, &["name"]),
];

/// A call of the module.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) action: Action,
    pub(crate) parameters: Parameters,
    /// Nothing is to be changed; the answer says what would be.
    pub(crate) check: bool,
    /// The answer says what was before, and what is after.
    pub(crate) diff: bool,
}

impl Call {
    /// Reads the file that Ansible has written.
    pub(crate) fn read(file: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        // What is wrong may be a password.
        let document: Value = serde_json::from_str(&text).map_err(|error| {
            format!("{}: no JSON at line {} column {}", file.display(), error.line(), error.column())
        })?;
        match document {
            Value::Object(arguments) => Self::of(arguments),
            _ => Err(format!("{}: the parameters are an object", file.display())),
        }
    }

    fn of(mut arguments: Map<String, Value>) -> Result<Self, String> {
        let is_set = |arguments: &Map<String, Value>, name: &str| arguments.get(name) == Some(&Value::Bool(true));
        let (check, diff) = (is_set(&arguments, "_ansible_check_mode"), is_set(&arguments, "_ansible_diff"));
        arguments.retain(|name, value| !name.starts_with("_ansible_") && !value.is_null());
        let action = match arguments.remove("action") {
            Some(Value::String(action)) => action,
            Some(_) => return Err("action: it is a text".to_owned()),
            None => return Err("missing required arguments: action".to_owned()),
        };
        let Some((_, action, needs)) = ACTIONS.iter().find(|(name, ..)| *name == action) else {
            let known: Vec<&str> = ACTIONS.iter().map(|(name, ..)| *name).collect();
            return Err(format!("value of action must be one of: {}, got: {action}", known.join(", ")));
        };
        let missing: Vec<&str> = needs.iter().copied().filter(|need| !arguments.contains_key(*need)).collect();
        if !missing.is_empty() {
            return Err(format!("action is {}, but these are missing: {}", name_of(*action), missing.join(", ")));
        }
        let common = arguments.remove("common_options");
        let parameters = Parameters::from_value(common.as_ref(), Value::Object(arguments));
        let parameters = parameters.map_err(|violations| violations.to_string())?;
        Ok(Self { action: *action, parameters, check, diff })
    }

    /// The engine.
    pub(crate) fn engine(&self) -> Engine {
        self.parameters.container_engine.unwrap_or(Engine::Docker)
    }

    /// The container that it is about; there is one wherever an action needs it.
    pub(crate) fn name(&self) -> Result<ContainerName, String> {
        self.parameters.name.clone().ok_or_else(|| "name: is missing".to_owned())
    }

    pub(crate) fn volume(&self) -> Result<VolumeName, String> {
        self.name()?.as_str().parse().map_err(|error| format!("name: {error}"))
    }

    pub(crate) fn image(&self) -> Result<ImageRef, String> {
        self.parameters.image.clone().ok_or_else(|| "image: is missing".to_owned())
    }

    /// The container that is described.
    pub(crate) fn spec(&self) -> Result<(ContainerName, ContainerSpec), String> {
        self.parameters.clone().into_spec(&Host::local()).map_err(|violations| violations.to_string())
    }

    /// Whether the container is run by its unit.
    pub(crate) fn is_supervised(&self) -> bool {
        self.parameters.restart_policy != Some(Restart::Oneshot)
    }
}

fn name_of(action: Action) -> &'static str {
    ACTIONS.iter().find(|(_, known, _)| *known == action).map_or("", |(name, ..)| name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(arguments: Value) -> Result<Call, String> {
        match arguments {
            Value::Object(arguments) => Call::of(arguments),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn parameters_are_read_without_what_ansible_adds() {
        let call = call(json!({
            "action": "compare_container",
            "name": "keystone",
            "image": "quay.io/openstack.kolla/keystone:2025.1",
            "command": null,
            "common_options": {"container_engine": "podman", "graceful_timeout": 60},
            "_ansible_check_mode": true,
            "_ansible_diff": true,
            "_ansible_no_log": false,
            "_ansible_version": "2.18.1",
        }))
        .unwrap();

        assert_eq!(
            (call.action, call.engine(), call.check, call.diff),
            (Action::CompareContainer, Engine::Podman, true, true)
        );
        assert_eq!(call.spec().unwrap().0.as_str(), "keystone");
    }

    #[test]
    fn what_is_wrong_is_said_without_secrets() {
        for (arguments, why) in [
            (json!({"name": "x"}), "missing required arguments: action"),
            (json!({"action": "dance"}), "value of action must be one of: compare_container, "),
            (
                json!({"action": "start_container", "name": "x"}),
                "action is start_container, but these are missing: image",
            ),
            (
                json!({"action": "stop_container", "name": "x", "imgae": "y"}),
                "imgae: unknown key, did you mean `image`?",
            ),
            (json!({"action": "stop_container", "name": "x", "auth_password": ["hunter2"]}), "auth_password"),
        ] {
            let said = call(arguments).unwrap_err();
            assert!(said.contains(why) && !said.contains("hunter2"), "{said}");
        }
    }
}
