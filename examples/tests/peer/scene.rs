//! What is done: the scenes of the files in `scenes`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::engine::Engine;

/// Where the scenes are.
pub(crate) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peer/scenes");

const FILES: [&str; 4] = ["compare.yml", "act.yml", "facts.yml", "wrong.yml"];

/// Tasks that follow one another, of one container.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scene {
    /// Its name, and that of its containers.
    pub(crate) name: String,
    /// Where it is not played on both.
    engines: Option<Vec<Engine>>,
    /// What a container of it is made with. It is there at the start, unless `absent`.
    #[serde(default)]
    pub(crate) container: Map<String, Value>,
    /// There is no container at the start.
    #[serde(default)]
    pub(crate) absent: bool,
    /// What is done before, by kolla-ansible's module, for both; on the engine; or on the machine.
    #[serde(default)]
    pub(crate) before: Vec<Step>,
    /// What both do.
    pub(crate) tasks: Vec<Task>,
    /// It touches what is there once: no other such scene is played meanwhile, and the modules take turns.
    #[serde(default)]
    pub(crate) alone: bool,
    /// The images that are looked at besides.
    #[serde(default)]
    pub(crate) images: Vec<String>,
}

/// Something that is done before the tasks.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// A task for kolla-ansible's module.
    Task(Task),
    /// A request to the engine: a method and a path, below that of the API.
    Engine(String),
    /// A command on the machine.
    Shell(String),
}

/// A task, as a playbook has it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Task {
    /// What it is called among those of its scene, where the action does not say it.
    #[serde(rename = "as")]
    title: Option<String>,
    /// The action.
    #[serde(rename = "do", default = "comparing")]
    pub(crate) action: String,
    /// Parameters, beside those of the scene and of any container; null takes one away.
    #[serde(default, rename = "with")]
    parameters: Map<String, Value>,
    /// Without the parameters of the scene and of any container.
    #[serde(default)]
    bare: bool,
    /// The differences that are meant and show here.
    #[serde(default, rename = "differs")]
    differs: Meant,
    /// What is done right before it, in addition.
    #[serde(default)]
    pub(crate) after: Vec<Step>,
}

fn comparing() -> String {
    "compare_container".to_owned()
}

/// Differences, of both engines or of each.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Meant {
    Both(Vec<String>),
    Each(BTreeMap<Engine, Vec<String>>),
}

impl Default for Meant {
    fn default() -> Self {
        Self::Both(Vec::new())
    }
}

impl Scene {
    pub(crate) fn is_for(&self, engine: Engine) -> bool {
        self.engines.as_ref().is_none_or(|engines| engines.contains(&engine))
    }

    /// Whether nothing is changed by it, so that both can do it with one container.
    pub(crate) fn only_looks(&self) -> bool {
        self.tasks.iter().all(Task::only_looks)
    }
}

impl Task {
    /// A container of this scene is started.
    pub(crate) fn starting() -> Self {
        Self {
            title: None,
            action: "start_container".to_owned(),
            parameters: Map::new(),
            bare: false,
            differs: Meant::default(),
            after: Vec::new(),
        }
    }

    pub(crate) fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(&self.action)
    }

    pub(crate) fn only_looks(&self) -> bool {
        self.after.is_empty() && (self.action.starts_with("compare_") || self.asks_for_facts())
    }

    fn asks_for_facts(&self) -> bool {
        self.action.starts_with("get_")
    }

    /// Whether a container may run after it that did not before.
    pub(crate) fn may_start(&self) -> bool {
        ["start_container", "restart_container", "recreate_or_restart_container"].contains(&self.action.as_str())
    }

    /// The module that does it.
    pub(crate) fn module(&self) -> &'static str {
        if self.asks_for_facts() { "kolla_container_facts" } else { "kolla_container" }
    }

    /// The ids of the differences that are meant.
    pub(crate) fn meant(&self, engine: Engine) -> &[String] {
        match &self.differs {
            Meant::Both(ids) => ids,
            Meant::Each(ids) => ids.get(&engine).map_or(&[], Vec::as_slice),
        }
    }

    /// What Ansible hands over; names are not yet in it.
    pub(crate) fn arguments(&self, scene: &Scene, engine: Engine) -> Value {
        let mut arguments = Map::from_iter([
            ("action".to_owned(), json!(self.action)),
            ("_ansible_module_name".to_owned(), json!(self.module())),
        ]);
        if self.asks_for_facts() {
            arguments.insert("container_engine".to_owned(), json!(engine));
        } else {
            let common = json!({
                "container_engine": engine, "restart_policy": "unless-stopped", "graceful_timeout": 60,
                "environment": {"KOLLA_CONFIG_STRATEGY": "COPY_ALWAYS"},
            });
            arguments.insert("common_options".to_owned(), common);
        }
        if !self.bare && !self.asks_for_facts() {
            arguments.insert("name".to_owned(), json!("<name>"));
            arguments.insert("image".to_owned(), json!("localhost/kit/service:1"));
            arguments.insert("volumes".to_owned(), json!([]));
            arguments.extend(scene.container.clone());
        }
        arguments.extend(self.parameters.clone());
        // All services of kolla mount it.
        if let Some(Value::Array(volumes)) = arguments.get_mut("volumes") {
            volumes.push(json!("/etc/localtime:/etc/localtime:ro"));
        }
        arguments.retain(|_, value| !value.is_null());
        Value::Object(arguments)
    }
}

/// All scenes.
pub(crate) fn all() -> Vec<Scene> {
    let read = |file: &str| -> Vec<Scene> {
        let text = std::fs::read_to_string(Path::new(FOLDER).join(file)).unwrap();
        serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
    };
    FILES.into_iter().flat_map(read).collect()
}
