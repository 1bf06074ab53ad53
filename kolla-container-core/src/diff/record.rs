//! What stands in for what an engine does not tell: what we recorded when we made the container.
//!
//! Recorded and compared is what a user states, never what an image or an engine adds to it. A field that the engine
//! does not report is recorded in any case; one of which only its default is not known, where it is stated: then it
//! can be told that it is stated no more.

use std::collections::BTreeSet;

use super::fields::{Cure, Field, Visitor, visit};
use super::value::Value;
use super::{Change, Comparing, Entry, Mode, Remedy};
use crate::shown::Shown;
use crate::spec::{ContainerSpec, TextMap};
use crate::state::{Applied, ContainerState, Features, ImageState, Owner, Recorded};

/// The record of a container that is made from `spec`, on an engine with these features and defaults.
pub(crate) fn record(spec: &ContainerSpec, features: &Features, defaults: &ContainerSpec) -> Applied {
    let mut recording = Recording { spec, features, defaults, applied: Applied::default() };
    visit(&mut recording);
    recording.applied
}

struct Recording<'a> {
    spec: &'a ContainerSpec,
    features: &'a Features,
    defaults: &'a ContainerSpec,
    applied: Applied,
}

impl Recording<'_> {
    fn note(&mut self, path: &str, recorded: Recorded) {
        self.applied = std::mem::take(&mut self.applied).with(path, recorded);
    }
}

impl Visitor for Recording<'_> {
    fn field<T: Value>(&mut self, field: &Field<T>) {
        let value = (field.get)(self.spec).as_ref();
        if !self.features.is_reported(field.path) {
            if let Some(recorded) = recorded(field, value) {
                self.note(field.path, recorded);
            }
            return;
        }
        for (path, part) in untold_parts::<T>(field.path, self.features) {
            self.note(&path, recorded_part(&path, part, value));
        }
        let Some(value) = value.filter(|value| has_unknown_default(field, self.defaults) && !value.is_nothing()) else {
            return;
        };
        let settings = value.settings();
        for (key, text, _) in settings.iter().filter(|(key, ..)| !key.contains([' ', '='])) {
            let path = setting(field.path, key);
            self.note(&path, Recorded::value(&path, text));
        }
        if let (true, Some(recorded)) = (settings.is_empty(), recorded(field, Some(value))) {
            self.note(field.path, recorded);
        }
    }
}

/// Whether only the flags of a daemon decide what the field is where nobody states it. What an image is, and for which
/// platform, no engine has a default of; and what was changed in place is in no record.
fn has_unknown_default<T: Value>(field: &Field<T>, defaults: &ContainerSpec) -> bool {
    (field.get)(defaults).is_none() && field.cure == Cure::Recreate && !["image", "platform"].contains(&field.path)
}

/// The line of a key of a map.
fn setting(field: &str, key: &str) -> String {
    format!("{field}[{key}]")
}

/// The parts of a field of which the engine says nothing, by their paths.
fn untold_parts<'a, T: Value>(
    field: &'a str,
    features: &'a Features,
) -> impl Iterator<Item = (String, &'static str)> + use<'a, T> {
    let parts = T::PARTS.iter().map(move |part| (format!("{field}.{part}"), *part));
    parts.filter(|(path, _)| !features.is_reported(path))
}

fn recorded_part<T: Value>(path: &str, part: &str, value: Option<&T>) -> Recorded {
    match value.map(|value| value.part(part)).filter(|text| !text.is_empty()) {
        None => Recorded::Nothing,
        Some(text) => Recorded::value(path, &text),
    }
}

/// What is recorded of a field that has this value; `None` where the value cannot be written.
fn recorded<T: Value>(field: &Field<T>, value: Option<&T>) -> Option<Recorded> {
    match value.filter(|value| !value.is_nothing()) {
        None => Some(Recorded::Nothing),
        Some(value) => Some(Recorded::value(field.path, &serde_json::to_string(value).ok()?)),
    }
}

/// The record of `container`, unless it is that of another container, from which the image was made.
pub(super) fn of<'a>(container: &'a ContainerState, image: Option<&ImageState>) -> Option<&'a Applied> {
    let labels = image.and_then(|image| image.config.labels.clone());
    let inherited = labels.and_then(|TextMap(mut labels)| Owner::take_from(&mut labels).applied);
    container.owner.applied.as_ref().filter(|applied| inherited.as_ref() != Some(*applied))
}

impl Comparing<'_> {
    /// What is recorded otherwise of those parts of a field that the engine does not report.
    pub(super) fn differing_parts<T: Value>(&self, field: &Field<T>) -> Vec<Entry> {
        let stated = (field.get)(self.wanted).as_ref();
        let features = &self.surroundings.engine.features;
        let differing = untold_parts::<T>(field.path, features).filter_map(|(path, part)| {
            let there = self.record?.field(&path)?;
            let text = stated.map(|value| value.part(part)).unwrap_or_default();
            let desired = if text.is_empty() { Shown::not_set() } else { Shown::text(text) };
            let differs = there != recorded_part(&path, part, stated);
            differs.then(|| Entry { key: Some(part.to_owned()), current: current(there), desired })
        });
        differing.collect()
    }

    /// Compares a field that the engine does not report with what is recorded of it.
    pub(super) fn compare_with_record<T: Value>(&mut self, field: &Field<T>) {
        let stated = (field.get)(self.wanted).as_ref();
        let image = self.surroundings.image.map(|image| &image.config);
        let sources = image.into_iter().chain([&self.surroundings.engine.defaults]);
        let by_itself = sources.into_iter().find_map(|source| (field.get)(source).as_ref());
        // What nobody states and nobody knows is expected too: a record says whether it was ever anything else.
        let is_unknown =
            stated.is_none() && by_itself.is_none() && self.surroundings.comparison.mode(field.path) == Mode::Strict;
        if (field.get)(self.expected).is_none() && !is_unknown {
            return;
        }
        let there = self.record.and_then(|record| record.field(field.path));
        let (Some(there), Some(wanted), Some(by_itself)) = (there, recorded(field, stated), recorded(field, by_itself))
        else {
            if stated.is_some() {
                self.found.unreported.push(field.path.into());
            }
            return;
        };
        // Not to state it, and to state what it is by itself, mean the same.
        let meaning = |recorded| if recorded == Recorded::Nothing { by_itself } else { recorded };
        if meaning(there) != meaning(wanted) {
            let entry =
                Entry { key: None, current: current(there), desired: stated.map_or_else(Shown::not_set, Value::shown) };
            self.found.changes.push(Change {
                field: field.path.into(),
                entries: vec![entry],
                remedy: Remedy::Recreate,
            });
        }
    }
}

impl Comparing<'_> {
    /// What was stated when the container was made and is stated no more, where nobody knows what it is by itself.
    pub(super) fn stated_no_more<T: Value>(&self, field: &Field<T>, current: &T) -> Vec<Entry> {
        let is_strict = self.surroundings.comparison.mode(field.path) == Mode::Strict;
        let Some(record) = self.record.filter(|_| is_strict && has_unknown_default(field, self.defaults())) else {
            return Vec::new();
        };
        let was_stated = |path: &str| matches!(record.field(path), Some(Recorded::Value(_)));
        let expected = (field.get)(self.expected).as_ref();
        let gone = |key, current| Entry { key, current, desired: Shown::not_set() };
        let settings = current.settings();
        if settings.is_empty() {
            let is_gone = expected.is_none() && was_stated(field.path);
            return if is_gone { vec![gone(None, current.shown())] } else { Vec::new() };
        }
        let expected: BTreeSet<String> =
            expected.iter().flat_map(|value| value.settings()).map(|(key, ..)| key).collect();
        let all =
            settings.into_iter().filter(|(key, ..)| !expected.contains(key) && was_stated(&setting(field.path, key)));
        all.map(|(key, _, shown)| gone(Some(key), shown)).collect()
    }

    fn defaults(&self) -> &ContainerSpec {
        &self.surroundings.engine.defaults
    }
}

/// What is there, as far as a record knows.
fn current(recorded: Recorded) -> Shown {
    match recorded {
        Recorded::Nothing => Shown::not_set(),
        Recorded::Value(_) => Shown::text("another value"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::field_names;
    use super::*;

    /// Each field, with a value that shows the parts of its text; a type with several forms has them all.
    const STATED: &str = r#"{
        "image": "quay.io/kolla/nova-api:2025.1", "command": ["serve", "--port", "80"], "entrypoint": ["/init"],
        "environment": {"A": "1", "B": {"secret": "2"}, "C": {"unset": true}}, "labels": {"a": "1"},
        "annotations": {"b": "2"}, "user": "1000:1000", "group_add": ["1001", "audio"], "working_dir": "/srv",
        "hostname": "web", "domainname": "example.org", "tty": true, "stdin_open": true, "init": true,
        "stop_signal": "INT", "stop_timeout": "90s",
        "mounts": [
            "/etc:/etc/host:ro,rslave,z,nosuid", "data:/data:nocopy", "/anonymous",
            {"type": "bind", "source": "/run", "target": "/run/host", "non_recursive": true},
            {"type": "tmpfs", "target": "/run", "size": "64m", "mode": "700", "options": ["noexec"]},
            {"type": "devpts", "target": "/dev/pts"}
        ],
        "volumes_from": ["other:ro"], "devices": ["/dev/null:/dev/zero:rw"], "device_cgroup_rules": ["c 42:* rmw"],
        "device_requests": [{"driver": "nvidia", "count": -1, "capabilities": [["gpu"]], "options": {"k": "v"}}],
        "network": {
            "mode": "container:other",
            "networks": {"back": {"aliases": ["web"], "ipv4": "10.0.0.2", "ipv6": "fd00::2", "mac": "02:00:00:00:00:01"}},
            "ports": ["127.0.0.1:8080:80/tcp", "53:53/udp", "443"], "expose": ["81/udp"], "publish_all": true,
            "dns": ["10.0.0.1"], "dns_search": ["example.org"], "dns_options": ["ndots:2"],
            "extra_hosts": {"db": ["10.0.0.3", "host-gateway"]}, "links": ["other:alias"]
        },
        "namespaces": {
            "ipc": "shareable", "pid": "container:other", "cgroup": "private", "user": "keep-id", "uts": "host"
        },
        "security": {
            "privileged": true, "cap_add": ["net_admin"], "cap_drop": ["ALL"],
            "security_opt": ["seccomp=unconfined", "label=disable"], "no_new_privileges": true, "read_only": true
        },
        "resources": {
            "memory": "64m", "memory_reservation": "32m", "memory_swap": "unlimited", "swappiness": 10,
            "kernel_memory": "16m", "cpu_period": "50ms", "cpu_quota": "20ms", "cpu_shares": 512, "cpus": 0.75,
            "cpuset_cpus": "0-1,3", "cpuset_mems": "0", "blkio_weight": 200, "pids_limit": 100, "shm_size": "32m",
            "ulimits": {"nofile": {"soft": 512, "hard": 1024}, "core": "unlimited"}, "sysctls": {"net.core.somaxconn": "256"},
            "oom_kill_disable": true, "oom_score_adj": -500
        },
        "healthcheck": {
            "test": ["CMD", "true"], "interval": "2s", "timeout": "1m30s", "retries": 5, "start_period": "500ms",
            "start_interval": "1s"
        },
        "restart": "on-failure:3", "logging": {"driver": "json-file", "options": {"max-size": "1m"}}, "runtime": "crun",
        "cgroup_parent": "machine.slice", "storage_opt": {"size": "10G"}, "auto_remove": true, "platform": "linux/arm64"
    }"#;

    /// These digests are in the labels of containers: where one changes, each of those containers would differ from
    /// its unchanged spec. Read a value as before, or raise the version of the label.
    #[test]
    fn no_value_is_digested_from_another_text_than_before() {
        let spec: ContainerSpec = serde_json::from_str(STATED).unwrap();

        let text = record(&spec, &Features::all().unreporting(&field_names()), &spec).to_string();

        for field in field_names() {
            assert!(text.contains(&format!(" {field}=")) && !text.contains(&format!(" {field}=-")), "{field}: {text}");
        }
        insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!("record", text.replace(' ', "\n"));
        });
    }

    #[test]
    fn no_part_of_a_value_is_digested_from_another_text_than_before() {
        let spec: ContainerSpec = serde_json::from_str(STATED).unwrap();
        let parts = ["devices.host", "devices.permissions", "mounts.relabel", "network.networks.addresses"];

        let text = record(&spec, &Features::all().unreporting(&parts), &spec).to_string();

        assert_eq!(
            text,
            "v1 devices.host=c1406fb7c79ad5c6843ceb11fe8cc054 devices.permissions=1eca4585d4db5f2ae595ecf711caaed6 mounts.relabel=80613def3a28e2f9c062b77f607cfa5c network.networks.addresses=ba7ab2b9d030f46a358bb248bb524590"
        );
    }

    #[test]
    fn nothing_stated_whose_default_is_not_known_is_digested_from_another_text_than_before() {
        let spec: ContainerSpec = serde_json::from_str(STATED).unwrap();
        let mut defaults = spec.clone();
        (defaults.image, defaults.platform, defaults.restart) = (None, None, None);
        (defaults.hostname, defaults.namespaces.ipc) = (None, None);
        (defaults.resources.shm_size, defaults.resources.ulimits, defaults.logging.options) = (None, None, None);

        let text = record(&spec, &Features::all(), &defaults).to_string();
        let nothing = record(&ContainerSpec::default(), &Features::all(), &defaults).to_string();

        insta::with_settings!({snapshot_path => "../../tests/snapshots", prepend_module_to_snapshot => false}, {
            insta::assert_snapshot!("record_of_stated", text.replace(' ', "\n"));
        });
        assert_eq!(nothing, "v1");
    }

    #[test]
    fn what_is_reported_is_not_recorded_and_what_asks_for_nothing_is_nothing() {
        let spec: ContainerSpec =
            serde_json::from_str(r#"{"image": "a", "tty": true, "storage_opt": {}, "cgroup_parent": "a"}"#).unwrap();
        let text = |fields| record(&spec, &Features::all().unreporting(fields), &spec).to_string();

        assert_eq!(text(&[]), "v1");
        assert_eq!(text(&["runtime", "storage_opt"]), "v1 runtime=- storage_opt=-");
    }
}
