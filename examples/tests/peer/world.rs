//! The things of one module in one scene: a container of its own, with its unit and volumes.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::document::{map_texts, names_of_anonymous_volumes};
use crate::engine::Engine;
use crate::modules::Machine;
use crate::scene::{Scene, Step, Task};

/// A container that was started is waited for so long: systemd says that it runs before it does.
const START: Duration = Duration::from_secs(30);
/// And one that has ended again, so long: it may be started once more.
const ENDED: Duration = Duration::from_secs(15);

/// Whose they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Theirs,
    Ours,
}

#[derive(Debug)]
pub(crate) struct World<'a> {
    pub(crate) engine: Engine,
    pub(crate) scene: &'a Scene,
    pub(crate) machine: &'a Machine,
    /// The name of its container, which is in that of everything else.
    name: String,
    /// Anonymous volumes that its containers have had.
    anonymous: BTreeSet<String>,
}

impl<'a> World<'a> {
    pub(crate) fn new(engine: Engine, scene: &'a Scene, machine: &'a Machine, side: Side) -> Self {
        let side = match side {
            Side::Theirs => "py",
            Side::Ours => "rs",
        };
        let name = format!("{}_{engine}_{side}", scene.name);
        Self { engine, scene, machine, name, anonymous: BTreeSet::new() }
    }

    /// Its name in place of the one that scenes have.
    pub(crate) fn fill(&self, value: Value) -> Value {
        map_texts(value, &|text| self.fill_text(text))
    }

    fn fill_text(&self, text: &str) -> String {
        text.replace("<name>", &self.name).replace("<engine>", &self.engine.to_string())
    }

    /// The other way round.
    pub(crate) fn blank(&self, value: Value) -> Value {
        let dashed = self.name.replace('_', "-");
        map_texts(value, &|text| text.replace(&self.name, "<name>").replace(&dashed, "<name>"))
    }

    /// What is there before the tasks.
    pub(crate) async fn prepare(&mut self) -> Result<(), String> {
        if !self.scene.absent {
            self.do_their_task(&Task::starting()).await?;
            self.settle().await;
        }
        self.do_steps(&self.scene.before).await
    }

    pub(crate) async fn do_steps(&mut self, steps: &[Step]) -> Result<(), String> {
        for step in steps {
            match step {
                Step::Task(task) => {
                    self.do_their_task(task).await?;
                    self.settle().await;
                }
                Step::Engine(request) => self.engine.act(&self.machine.folder, &self.fill_text(request)).await?,
                Step::Shell(script) => drop(self.machine.shell(&self.fill_text(script)).await?),
            }
        }
        self.look().await;
        Ok(())
    }

    async fn do_their_task(&self, task: &Task) -> Result<(), String> {
        let answer = self.ask(Side::Theirs, task, false).await?;
        if answer["failed"] == true { Err(format!("{}: {answer}", task.title())) } else { Ok(()) }
    }

    /// What a module answers to a task.
    pub(crate) async fn ask(&self, side: Side, task: &Task, check: bool) -> Result<Value, String> {
        let mut arguments = self.fill(task.arguments(self.scene, self.engine));
        if check {
            arguments["_ansible_check_mode"] = json!(true);
        }
        match side {
            Side::Theirs => self.machine.theirs(task.module(), &arguments, &self.name).await,
            Side::Ours => self.machine.ours(task.module(), &arguments).await,
        }
    }

    /// Waits until a container that was started runs: kolla-ansible's module does not wait for the end of systemd's job.
    pub(crate) async fn settle(&self) {
        let job = format!("systemctl show --property Job --value {}", self.unit());
        drop(self.machine.shell(&format!("until [ -z \"$({job})\" ]; do sleep 0.2; done")).await);
        let since = tokio::time::Instant::now();
        while let Some(container) = self.engine.container(&self.machine.folder, &self.name).await {
            let patience = match container["State"]["Status"].as_str() {
                Some("running") => return,
                Some("exited") => ENDED,
                _ => START,
            };
            if since.elapsed() > patience {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn unit(&self) -> String {
        format!("kolla-{}-container.service", self.name)
    }

    fn units(&self) -> PathBuf {
        self.machine.folder.join("units")
    }

    /// What there is of it, as the engine and the files say it.
    pub(crate) async fn look(&mut self) -> Value {
        let folder = &self.machine.folder;
        let container = self.engine.container(folder, &self.name).await;
        self.anonymous.extend(container.iter().flat_map(names_of_anonymous_volumes));
        let all = self.engine.volumes(folder).await;
        let left = self.anonymous.iter().filter(|name| all.contains(name)).count();
        let mut volumes = Map::from_iter([("anonymous".to_owned(), json!(left))]);
        for name in all.into_iter().filter(|name| name.starts_with(&self.name)) {
            let volume = self.engine.volume(folder, &name).await.unwrap_or_default();
            volumes.insert(name, json!({"driver": volume["Driver"], "labels": volume["Labels"]}));
        }
        let mut images = Map::new();
        for name in &self.scene.images {
            images.insert(name.clone(), json!(self.engine.image(folder, name).await.is_some()));
        }
        let unit = std::fs::read_to_string(self.units().join(self.unit())).ok();
        let link = self.units().join("multi-user.target.wants").join(self.unit());
        json!({
            "container": container, "volumes": volumes, "images": images,
            "unit": unit.map(|text| settings(&text)), "enabled": link.symlink_metadata().is_ok(),
        })
    }

    /// Takes all of it away.
    pub(crate) async fn clean_up(&mut self) -> Result<(), String> {
        let folder = &self.machine.folder;
        self.look().await;
        let is_own =
            |name: &String| name.strip_prefix(&self.name).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
        for name in self.engine.containers(folder).await.iter().filter(|name| is_own(name)) {
            self.engine.act(folder, &format!("DELETE /containers/{name}?force=true&v=true")).await?;
        }
        let all = self.engine.volumes(folder).await;
        for name in all.iter().filter(|name| is_own(name) || self.anonymous.contains(*name)) {
            self.engine.act(folder, &format!("DELETE /volumes/{name}")).await?;
        }
        let own = format!("kolla-{}*", self.name);
        let files = format!("/etc/systemd/system/{own} /etc/systemd/system/multi-user.target.wants/{own}");
        // Else they would be started again, for a while.
        self.machine.shell(&format!("systemctl stop '{own}'; rm -f {files}")).await.map(drop)
    }
}

/// A unit file by its settings; lines that are none are `about`.
fn settings(text: &str) -> Value {
    let mut section = "about".to_owned();
    let mut all = Map::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
            continue;
        }
        let (key, value) = line.split_once('=').filter(|_| !line.starts_with('#')).unwrap_or(("about", line));
        let values = all.entry(format!("{section}.{key}")).or_insert_with(|| json!([]));
        values.as_array_mut().unwrap().push(json!(value));
    }
    Value::Object(all)
}
