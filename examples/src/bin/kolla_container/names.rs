//! What differs of a container, in the words of the Python module.

use kolla_container_core::plan::{Cause, ContainerPlan, Effect};
use serde::Serialize;

/// One difference, as `comparison_failures` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) name: String,
    pub(crate) current: String,
    pub(crate) desired: String,
}

/// What our fields are called there, by how they begin; the first that fits counts.
const NAMES: [(&str, &str); 17] = [
    ("security.cap_add", "cap_add"),
    ("security.security_opt", "security_opt"),
    ("security.no_new_privileges", "security_opt"),
    ("security.privileged", "privileged"),
    ("namespaces.ipc", "ipc_mode"),
    ("namespaces.pid", "pid_mode"),
    ("namespaces.cgroup", "cgroupns_mode"),
    ("resources.", "dimensions"),
    ("healthcheck", "healthcheck"),
    ("mounts", "volumes"),
    ("volumes_from", "volumes_from"),
    ("environment", "environment"),
    ("labels", "labels"),
    ("command", "command"),
    ("image", "image"),
    ("unit", "unit"),
    ("", ""),
];

fn name(field: &str) -> String {
    let known = NAMES.iter().find(|(ours, theirs)| field.starts_with(ours) && !theirs.is_empty());
    known.map_or_else(|| field.to_owned(), |(_, theirs)| (*theirs).to_owned())
}

/// Everything that the plan would change.
pub(crate) fn differences(plan: &ContainerPlan) -> Vec<Difference> {
    let difference = |name: &str, current: String, desired: &str| Difference {
        name: name.to_owned(),
        current,
        desired: desired.to_owned(),
    };
    if plan.effect == Effect::Created {
        return vec![difference("container_missing", "absent".to_owned(), "present")];
    }
    let mut all: Vec<Difference> = Vec::new();
    for change in &plan.changes {
        for entry in &change.entries {
            let field = change.field.to_string();
            let is_tmpfs = [&entry.current, &entry.desired].iter().any(|value| value.to_string().starts_with("tmpfs"));
            let name = if is_tmpfs && field == "mounts" { "tmpfs".to_owned() } else { name(&field) };
            let place = match &entry.key {
                Some(key) => format!("{field}[{key}]"),
                None => field,
            };
            all.push(Difference {
                name,
                current: format!("{place}: {}", entry.current),
                desired: format!("{place}: {}", entry.desired),
            });
        }
    }
    for step in &plan.steps {
        let more = match &step.cause {
            Cause::Status(status) => difference("container_state", status.to_string(), "running"),
            Cause::StaleConfig => difference("config", "not that of the host".to_owned(), "that of the host"),
            Cause::Unhealthy => difference("container_state", "unhealthy".to_owned(), "healthy"),
            Cause::OutsideUnit => difference("unit", "it runs outside of its unit".to_owned(), "its unit runs it"),
            Cause::Unit if !all.iter().any(|known| known.name == "unit") => {
                difference("unit", "not as it should be".to_owned(), "installed and enabled")
            }
            _ => continue,
        };
        if !all.contains(&more) {
            all.push(more);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_fields_have_their_names() {
        for (field, expected) in [
            ("resources.memory", "dimensions"),
            ("resources.ulimits", "dimensions"),
            ("namespaces.ipc", "ipc_mode"),
            ("mounts", "volumes"),
            ("healthcheck.test", "healthcheck"),
            ("image", "image"),
            ("stop_timeout", "stop_timeout"),
        ] {
            assert_eq!(name(field), expected);
        }
    }
}
