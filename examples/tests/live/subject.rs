//! The container that is replaced again and again: its data has to survive everything.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use kolla_container_core::spec::Command;
use kolla_container_core::state::{ContainerState, Exec, Status};
use kolla_container_core::{ContainerId, ContainerName, VolumeName};
use kolla_container_testkit::Harness;
use kolla_container_testkit::matrix::merge;
use serde_json::{Value, json};

use crate::program::Program;

/// A container with data in an anonymous volume, and in a named one.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    harness: &'a Harness,
    name: ContainerName,
    named: VolumeName,
    /// The file that says what it is.
    spec: Value,
    /// How many files there have been.
    files: Cell<usize>,
}

impl<'a> Subject<'a> {
    /// Makes it.
    pub(crate) async fn new(harness: &'a Harness, what: &str) -> Self {
        let (name, named) = (harness.name(what), harness.volume(&format!("{what}-data")));
        let mut subject = Self { harness, name, named, spec: Value::Null, files: Cell::new(0) };
        subject.spec = subject.other(json!({}));
        let made = subject.program().run("apply", &subject.spec, &[]).await;
        assert_eq!(made.code, Some(0), "{made:?}");
        subject
    }

    /// The program, on its engine.
    pub(crate) fn program(&self) -> Program {
        Program::on(self.harness)
    }

    /// The file that says what it is.
    pub(crate) fn spec(&self) -> Value {
        self.spec.clone()
    }

    /// A file that wants it to be another one, of these fields.
    pub(crate) fn other(&self, more: Value) -> Value {
        let number = self.files.get() + 1;
        self.files.set(number);
        let mut spec = json!({
            "image": self.harness.images().plain.to_string(),
            "environment": {"NUMBER": number.to_string()},
            // The last one is another one each time.
            "mounts": ["/data", format!("{}:/named", self.named), format!("/more-{number}")],
            // As long as a stop takes at most, who takes over waits whether there is one.
            "stop_timeout": "1s",
            "deploy": {"settle": "300ms"},
        });
        merge(&mut spec, more);
        json!({"containers": {self.name.as_str(): spec}})
    }

    /// Has a file's run watch the new container for another time than is usual here.
    pub(crate) fn watch(&self, file: &mut Value, settle: &str) {
        file["containers"][self.name.as_str()]["deploy"]["settle"] = settle.into();
    }

    /// Whether the new container of a run that is no more comes up only now: the engine may still be at work.
    pub(crate) async fn finds_a_late_one(&self) -> bool {
        for _ in 0..60 {
            if self.look().await.places().contains_key("next") {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        false
    }

    /// Takes note that it is what another file says.
    pub(crate) fn becomes(&mut self, spec: Value) {
        self.spec = spec;
    }

    /// What there is under its name, and under those that a replacement uses.
    pub(crate) async fn look(&self) -> Found {
        let mut found = BTreeMap::new();
        for (what, name) in [("it", self.name.clone()), ("next", self.name.next()), ("previous", self.name.previous())]
        {
            if let Some(state) = self.harness.look(&name).await {
                found.insert(what, state);
            }
        }
        // Those that the containers of later replacements do not mount any more are there until the end.
        for volume in found.values().flat_map(|state| state.volumes.values()) {
            self.harness.remember_volume(volume);
        }
        Found(found)
    }

    /// It, and nothing else: it runs as its file says.
    pub(crate) async fn alone(&self) -> ContainerState {
        let Found(found) = self.look().await;
        assert_eq!(found.keys().collect::<Vec<_>>(), [&"it"]);
        assert_eq!(found["it"].status, Status::Running);
        let plan = self.program().run("plan", &self.spec, &[]).await;
        assert_eq!(plan.code, Some(0), "{plan:?}");
        found["it"].clone()
    }

    /// Writes data into both volumes.
    pub(crate) async fn write(&self, id: &ContainerId, data: &str) {
        self.sh(id, &format!("echo {data} > /data/file && echo {data} > /named/file")).await;
    }

    /// The data that was written.
    pub(crate) async fn assert_data(&self, id: &ContainerId, data: &str) {
        assert_eq!(self.sh(id, "cat /data/file /named/file").await, format!("{data}\n{data}\n"));
    }

    async fn sh(&self, id: &ContainerId, script: &str) -> String {
        let exec = Exec { command: Command::new(["sh", "-c", script]), user: None };
        let output = self.harness.runtime().exec(id, &exec).await.unwrap();
        assert_eq!(output.code, 0, "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// At every moment the container of before or a new one in its place is there, and so is the data.
    pub(crate) async fn assert_nothing_is_lost(&self, before: &ContainerState, at: &str) -> Found {
        let old_is_there = self.harness.runtime().container_by_id(&before.id).await.unwrap().is_some();
        let now = self.look().await;
        let Found(found) = &now;
        let new_runs = found.get("it").is_some_and(|state| state.status == Status::Running);
        assert!(old_is_there || new_runs, "{at}: {:?}", found.keys());
        for (target, volume) in &before.volumes {
            assert!(self.has(volume).await, "{at}: the volume of {target} is gone");
        }
        now
    }

    /// Of the volumes that were seen, those that are new are the container's, or gone.
    pub(crate) async fn assert_no_leak(&self, seen: BTreeSet<VolumeName>, before: &ContainerState, at: &str) {
        let now = self.harness.see(&self.name).await;
        let known: Vec<&VolumeName> = before.volumes.values().chain(now.volumes.values()).collect();
        for volume in seen.iter().filter(|volume| !known.contains(volume)) {
            self.harness.remember_volume(volume);
            assert!(!self.has(volume).await, "{at}: the volume {volume} is left over");
        }
    }

    /// The anonymous volumes that it has had, or was to have, as the engine has told the program.
    pub(crate) fn volumes_in(&self, answers: &[String]) -> BTreeSet<VolumeName> {
        // Docker's names begin with a slash.
        let is_own = |name: &str| {
            let name = name.strip_prefix('/').unwrap_or(name);
            [&self.name, &self.name.next(), &self.name.previous()].iter().any(|own| own.as_str() == name)
        };
        let inspected = answers.iter().filter_map(|answer| answer.split_once("\r\n\r\n"));
        let documents = inspected.filter_map(|(_, body)| serde_json::from_str::<Value>(body).ok());
        let own = documents.filter(|document| document["Name"].as_str().is_some_and(is_own));
        let mounts = own.filter_map(|document| document["Mounts"].as_array().cloned()).flatten();
        let volumes = mounts.filter_map(|mount| mount["Name"].as_str()?.parse().ok());
        volumes.filter(VolumeName::is_anonymous).collect()
    }

    async fn has(&self, volume: &VolumeName) -> bool {
        self.harness.runtime().volume(volume).await.unwrap().is_some()
    }
}

/// What there is: `it`, `next`, `previous`.
#[derive(Clone, Debug)]
pub(crate) struct Found(BTreeMap<&'static str, ContainerState>);

impl Found {
    /// Whether a replacement was interrupted.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.0.contains_key("next") || self.0.contains_key("previous")
    }

    /// What is where.
    pub(crate) fn places(&self) -> BTreeMap<&'static str, ContainerId> {
        self.0.iter().map(|(what, state)| (*what, state.id.clone())).collect()
    }

    /// The anonymous volumes.
    pub(crate) fn volumes(&self) -> BTreeSet<VolumeName> {
        let all = self.0.values().flat_map(|state| state.volumes.values());
        all.filter(|volume| volume.is_anonymous()).cloned().collect()
    }
}
