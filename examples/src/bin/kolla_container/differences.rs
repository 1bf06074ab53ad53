//! What differs of a container, in the words of the Python module.

use kolla_container_core::dialect::kolla::Engine;
use kolla_container_core::diff::{Change, Entry};
use kolla_container_core::plan::{Cause, ContainerPlan};
use kolla_container_core::state::ContainerState;
use kolla_container_core::{ImageId, Shown, TimeSpan};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::call::ContainerCall;

/// What is compared, in the order in which it is listed.
const ORDER: [&str; 19] = [
    "cap_add",
    "security_opt",
    "image",
    "ipc_mode",
    "labels",
    "privileged",
    "pid_mode",
    "cgroupns_mode",
    "tmpfs",
    "volumes",
    "volumes_from",
    "environment",
    "container_state",
    "dimensions",
    "command",
    "healthcheck",
    "config",
    "systemd_unit",
    // What the Python module does not compare.
    "restart_policy",
];

/// What our fields are called there: those that are compared whole.
const WHOLE: [(&str, &str); 7] = [
    ("image", "image"),
    ("namespaces.ipc", "ipc_mode"),
    ("namespaces.pid", "pid_mode"),
    ("namespaces.cgroup", "cgroupns_mode"),
    ("security.privileged", "privileged"),
    ("command", "command"),
    ("restart", "restart_policy"),
];

/// Those that are compared key by key.
const BY_KEY: [(&str, &str); 7] = [
    ("security.cap_add", "cap_add"),
    ("security.security_opt", "security_opt"),
    ("security.no_new_privileges", "security_opt"),
    ("mounts", "volumes"),
    ("volumes_from", "volumes_from"),
    ("environment", "environment"),
    ("labels", "labels"),
];

/// Those that are a part of something else there, with its name in that.
const PARTS: [(&str, &str, &str); 18] = [
    ("resources.memory", "dimensions", "mem_limit"),
    ("resources.memory_reservation", "dimensions", "mem_reservation"),
    ("resources.memory_swap", "dimensions", "memswap_limit"),
    ("resources.kernel_memory", "dimensions", "kernel_memory"),
    ("resources.cpu_period", "dimensions", "cpu_period"),
    ("resources.cpu_quota", "dimensions", "cpu_quota"),
    ("resources.cpu_shares", "dimensions", "cpu_shares"),
    ("resources.cpus", "dimensions", "cpus"),
    ("resources.cpuset_cpus", "dimensions", "cpuset_cpus"),
    ("resources.cpuset_mems", "dimensions", "cpuset_mems"),
    ("resources.blkio_weight", "dimensions", "blkio_weight"),
    ("resources.ulimits", "dimensions", "ulimits"),
    ("healthcheck.test", "healthcheck", "test"),
    ("healthcheck.interval", "healthcheck", "interval"),
    ("healthcheck.timeout", "healthcheck", "timeout"),
    ("healthcheck.retries", "healthcheck", "retries"),
    ("healthcheck.start_period", "healthcheck", "start_period"),
    ("healthcheck.start_interval", "healthcheck", "start_interval"),
];

/// One difference, as `comparison_failures` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) name: String,
    pub(crate) current: Value,
    pub(crate) desired: Value,
}

impl Difference {
    pub(crate) fn new(name: &str, current: impl Into<Value>, desired: impl Into<Value>) -> Self {
        Self { name: name.to_owned(), current: current.into(), desired: desired.into() }
    }
}

/// What differs, each name once.
#[derive(Debug, Default)]
pub(crate) struct Differences(Vec<Difference>);

impl Differences {
    /// What the plan would change of the container, and whether it is in the state that is asked for.
    pub(crate) fn of(plan: &ContainerPlan, there: &ContainerState, call: &ContainerCall) -> Self {
        let mut found = Self::default();
        for change in &plan.changes {
            found.add_change(change, &there.image_id, call);
        }
        if plan.steps.iter().any(|step| step.cause == Cause::OutsideUnit) {
            found.add_unit();
        }
        let wanted = call.wanted_status();
        if there.status != wanted {
            found.add(Difference::new("container_state", there.status.to_string(), wanted.to_string()));
        }
        found
    }

    /// Adds one that is not there yet.
    pub(crate) fn add(&mut self, difference: Difference) {
        if !self.0.iter().any(|known| known.name == difference.name) {
            self.0.push(difference);
        }
    }

    /// That the container has another image.
    pub(crate) fn add_image(&mut self, there: &ImageId, call: &ContainerCall) {
        let algorithm = if call.engine() == Engine::Docker { "sha256:" } else { "" };
        self.add(Difference::new("image", format!("{algorithm}{there}"), call.image.as_str()));
    }

    /// All of them, in the order of the Python module.
    pub(crate) fn in_order(self) -> Vec<Difference> {
        let mut all = self.0;
        all.sort_by_key(|one| ORDER.iter().position(|name| *name == one.name).unwrap_or(ORDER.len()));
        all
    }

    fn add_unit(&mut self) {
        self.add(Difference::new("systemd_unit", "out_of_date", "up_to_date"));
    }

    fn add_change(&mut self, change: &Change, there: &ImageId, call: &ContainerCall) {
        let field = change.field.as_str();
        let whole = WHOLE.iter().find(|(ours, _)| *ours == field);
        let part = PARTS.iter().find(|(ours, ..)| *ours == field);
        let by_key = BY_KEY.iter().find(|(ours, _)| *ours == field);
        for entry in &change.entries {
            match (whole, part, by_key) {
                _ if field == "unit" => self.add_unit(),
                (Some((_, "image")), ..) => self.add_image(there, call),
                (Some((_, name)), ..) => self.add(in_its_words(name, entry, call)),
                (_, Some((_, name, key)), _) => {
                    let key = entry.key.as_ref().map_or_else(|| (*key).to_owned(), |inner| format!("{key}[{inner}]"));
                    let [current, desired] = [&entry.current, &entry.desired].map(|value| match *name {
                        "healthcheck" if key != "test" => of_a_check(value),
                        _ => shown(value),
                    });
                    let is_off = key == "test" && desired.is_null() && call.switches_check_off();
                    self.add_key(name, &key, [current, if is_off { "NONE".into() } else { desired }]);
                }
                (.., Some((_, name))) => {
                    let name = if field == "mounts" && is_tmpfs(entry) { "tmpfs" } else { name };
                    let key = entry.key.clone().unwrap_or_else(|| "no-new-privileges".to_owned());
                    self.add_key(name, &key, [shown(&entry.current), shown(&entry.desired)]);
                }
                _ => self.add(Difference::new(field, shown(&entry.current), shown(&entry.desired))),
            }
        }
    }

    fn add_key(&mut self, name: &str, key: &str, [current, desired]: [Value; 2]) {
        self.add(Difference::new(name, Map::new(), Map::new()));
        let Some(known) = self.0.iter_mut().find(|known| known.name == name) else { return };
        for (side, value) in [(&mut known.current, current), (&mut known.desired, desired)] {
            if let Value::Object(side) = side {
                side.insert(key.to_owned(), value);
            }
        }
    }
}

/// A value that is compared whole: what is asked for as it was written, and nothing for what an engine has anyway.
fn in_its_words(name: &str, entry: &Entry, call: &ContainerCall) -> Difference {
    let parameters = &call.parameters;
    let asked = |mode: &Option<String>| json!(mode.as_ref().filter(|mode| !mode.is_empty()));
    let current = shown(&entry.current);
    match name {
        "privileged" => Difference::new(name, current == "true", parameters.privileged.unwrap_or(false)),
        "ipc_mode" => Difference::new(name, current, asked(&parameters.ipc_mode)),
        "pid_mode" if current == "private" && call.engine() == Engine::Docker => {
            Difference::new(name, Value::Null, asked(&parameters.pid_mode))
        }
        "pid_mode" => Difference::new(name, current, asked(&parameters.pid_mode)),
        "cgroupns_mode" => Difference::new(name, current, asked(&parameters.cgroupns_mode)),
        _ => Difference::new(name, current, shown(&entry.desired)),
    }
}

/// A text, or null where there is none; secrets are hidden in it.
fn shown(value: &Shown) -> Value {
    if value.is_not_set() { Value::Null } else { Value::from(value.to_string()) }
}

/// The numbers of a health check are numbers, and its times are seconds where they are whole ones.
fn of_a_check(value: &Shown) -> Value {
    let text = value.to_string();
    let seconds = || text.parse().ok().filter(|time: &TimeSpan| time.as_duration().subsec_nanos() == 0);
    let number = text.parse().ok().or_else(|| seconds().map(TimeSpan::whole_seconds));
    number.map_or_else(|| shown(value), Value::from)
}

fn is_tmpfs(entry: &Entry) -> bool {
    [&entry.current, &entry.desired].iter().any(|value| value.to_string().starts_with("tmpfs"))
}

/// What Ansible's diff mode shows of a plan: what was before, and what is after.
pub(crate) fn sides(before: &str, after: &str, plan: Option<&ContainerPlan>) -> Value {
    let (mut old, mut new) = (format!("state: {before}\n"), format!("state: {after}\n"));
    for change in plan.into_iter().flat_map(|plan| &plan.changes) {
        for Entry { key, current, desired } in &change.entries {
            let key = key.as_ref().map(|key| format!("[{key}]")).unwrap_or_default();
            for (side, value) in [(&mut old, current), (&mut new, desired)] {
                if !value.is_not_set() {
                    side.extend([change.field.as_str(), &key, ": ", &value.to_string(), "\n"]);
                }
            }
        }
    }
    json!({"before": old, "after": new})
}

#[cfg(test)]
mod tests {
    use kolla_container_core::diff::{Remedy, field_names};

    use super::*;

    fn call() -> ContainerCall {
        let arguments = json!({
            "action": "compare_container", "name": "x", "image": "y:1", "pid_mode": "host", "healthcheck": {"test": "NONE"},
        });
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), arguments.to_string()).unwrap();
        match crate::call::Call::read("kolla_container", file.path()).unwrap() {
            crate::call::Call::Container(call) => *call,
            facts @ crate::call::Call::Facts(_) => panic!("{facts:?}"),
        }
    }

    fn there() -> ImageId {
        "ab".repeat(32).parse().unwrap()
    }

    fn change(field: &str, key: Option<&str>, current: &str, desired: &str) -> Change {
        let value = |text: &str| if text.is_empty() { Shown::not_set() } else { Shown::text(text) };
        let entry = Entry { key: key.map(str::to_owned), current: value(current), desired: value(desired) };
        Change { field: field.into(), entries: vec![entry], remedy: Remedy::Recreate }
    }

    #[test]
    fn every_field_that_is_compared_has_a_name_of_the_python_module() {
        let comparison = kolla_container_core::diff::Comparison::kolla();
        let compared = field_names()
            .into_iter()
            .filter(|field| comparison.mode(field) != kolla_container_core::diff::Mode::Ignore);
        for field in compared {
            let mut found = Differences::default();
            found.add_change(&change(field, None, "a", "b"), &there(), &call());

            let found = found.in_order();
            assert!(matches!(found.as_slice(), [one] if ORDER.contains(&one.name.as_str())), "{field}: {found:?}");
        }
    }

    #[test]
    fn each_name_is_there_once_and_in_order() {
        let mut found = Differences::default();
        for change in [
            change("environment", Some("B"), "1", "2"),
            change("environment", Some("A"), "", "2"),
            change("resources.ulimits", Some("nofile"), "1:2", "3:4"),
            change("resources.memory", None, "unlimited", "1 GiB"),
            change("healthcheck.interval", None, "30s", "1m"),
            change("healthcheck.timeout", None, "1500ms", "2s"),
            change("healthcheck.retries", None, "", "3"),
            change("healthcheck.test", None, "5", ""),
            change("mounts", Some("/run"), "", "tmpfs"),
            change("mounts", Some("/data"), "data", ""),
            change("namespaces.pid", None, "private", "host"),
            change("security.privileged", None, "true", "false"),
            change("unit", Some("Unit.After"), "a", "b"),
            change("image", Some("id"), "1", "2"),
        ] {
            found.add_change(&change, &there(), &call());
        }

        let listed = serde_json::to_value(found.in_order()).unwrap();
        let expected = json!([
            {"name": "image", "current": format!("sha256:{}", there()), "desired": "y:1"},
            {"name": "privileged", "current": true, "desired": false},
            {"name": "pid_mode", "current": null, "desired": "host"},
            {"name": "tmpfs", "current": {"/run": null}, "desired": {"/run": "tmpfs"}},
            {"name": "volumes", "current": {"/data": "data"}, "desired": {"/data": null}},
            {"name": "environment", "current": {"A": null, "B": "1"}, "desired": {"A": "2", "B": "2"}},
            {
                "name": "dimensions",
                "current": {"mem_limit": "unlimited", "ulimits[nofile]": "1:2"},
                "desired": {"mem_limit": "1 GiB", "ulimits[nofile]": "3:4"},
            },
            {
                "name": "healthcheck",
                "current": {"interval": 30, "retries": null, "test": "5", "timeout": "1500ms"},
                "desired": {"interval": 60, "retries": 3, "test": "NONE", "timeout": 2},
            },
            {"name": "systemd_unit", "current": "out_of_date", "desired": "up_to_date"},
        ]);
        assert_eq!(listed, expected);
    }
}
