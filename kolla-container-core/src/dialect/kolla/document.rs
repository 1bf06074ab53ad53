//! A file of many containers in kolla-ansible's words.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::host::Host;
use super::parameters::{CommonOptions, Parameters};
use crate::name::ContainerName;
use crate::spec::ContainerSpec;
use crate::spec::read::read;
use crate::violation::{FieldPath, Violations};

/// A file of containers: `{about?, common_options?, services: [...], oneshots?: [...]}`.
///
/// Each entry is the parameters of one container. In a service `container_name` is its name too, as
/// roles write it, and `service` is not read; in a oneshot `action` is not.
///
/// ```
/// use kolla_container_core::dialect::kolla::{Host, read_document};
/// use serde_json::json;
///
/// let host = Host { time_zone: "UTC".to_owned() };
/// let containers = read_document(
///     json!({
///         "common_options": {"restart_policy": "unless-stopped", "restart_retries": "10"},
///         "services": [{"service": "cron", "container_name": "cron", "image": "quay.io/openstack.kolla/cron:2025.1"}],
///     }),
///     &host,
/// )?;
/// assert_eq!(containers.len(), 1);
///
/// let wrong = read_document(json!({"services": [{"name": "db", "image": "mariadb", "volumes": ["data"]}]}), &host);
/// assert!(wrong.unwrap_err().to_string().starts_with("services[db].volumes[0]: "));
/// # Ok::<(), kolla_container_core::Violations>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// What runs all the time.
    pub containers: BTreeMap<ContainerName, ContainerSpec>,
    /// What is run to its end when it is called for.
    pub oneshots: BTreeMap<ContainerName, ContainerSpec>,
}

impl Document {
    /// Reads all of a document; says every mistake.
    pub fn read(value: Value, host: &Host) -> Result<Self, Violations> {
        let (mut sections, mut wrong) = Sections::read(value);
        let services = std::mem::take(&mut sections.services);
        let containers = sections.containers("services", services, host, &mut wrong);
        let oneshots = std::mem::take(&mut sections.oneshots);
        let oneshots = sections.containers("oneshots", oneshots, host, &mut wrong);
        wrong.into_result().map(|()| Self { containers, oneshots })
    }
}

/// The services of a [`Document`]; its oneshots are not looked at. Says every mistake.
pub fn read_document(value: Value, host: &Host) -> Result<BTreeMap<ContainerName, ContainerSpec>, Violations> {
    let (mut sections, mut wrong) = Sections::read(value);
    let services = std::mem::take(&mut sections.services);
    let containers = sections.containers("services", services, host, &mut wrong);
    wrong.into_result().map(|()| containers)
}

/// The oneshots of a [`Document`]; its services are not looked at. Says every mistake.
pub fn read_oneshots(value: Value, host: &Host) -> Result<BTreeMap<ContainerName, ContainerSpec>, Violations> {
    let (mut sections, mut wrong) = Sections::read(value);
    let oneshots = std::mem::take(&mut sections.oneshots);
    let containers = sections.containers("oneshots", oneshots, host, &mut wrong);
    wrong.into_result().map(|()| containers)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with services")]
struct Written {
    #[serde(rename = "about")]
    _about: Option<IgnoredAny>,
    common_options: Option<Value>,
    services: Option<Vec<Value>>,
    oneshots: Option<Vec<Value>>,
}

#[derive(Default)]
struct Sections {
    common: CommonOptions,
    services: Vec<Value>,
    oneshots: Vec<Value>,
}

impl Sections {
    fn read(value: Value) -> (Self, Violations) {
        let (written, mut wrong) = read(value, Written::deserialize);
        let Some(written) = written else { return (Self::default(), wrong) };
        let (common, of_common) = CommonOptions::read_or_default(written.common_options.as_ref());
        wrong.add_below(&FieldPath::root(), of_common);
        if written.services.is_none() && !wrong.iter().any(|violation| violation.path.as_str().starts_with("services"))
        {
            wrong.add("services", "is missing: it is the list of containers");
        }
        (
            Self {
                common,
                services: written.services.unwrap_or_default(),
                oneshots: written.oneshots.unwrap_or_default(),
            },
            wrong,
        )
    }

    fn containers(
        &self,
        section: &str,
        entries: Vec<Value>,
        host: &Host,
        wrong: &mut Violations,
    ) -> BTreeMap<ContainerName, ContainerSpec> {
        let mut containers = BTreeMap::new();
        let mut first_of = BTreeMap::new();
        for (index, mut entry) in entries.into_iter().enumerate() {
            let by_index = FieldPath::from(section).key(index);
            let mut own = Violations::none();
            let name_key = prepare(section, &mut entry, &mut own);
            let name = entry.get("name").and_then(Value::as_str).and_then(|name| name.parse::<ContainerName>().ok());
            let path = match name.map(|name| first_of.entry(name)) {
                None => by_index,
                Some(Entry::Occupied(taken)) => {
                    own.add(name_key, format!("{} is the name of {section}[{}] too", taken.key(), taken.get()));
                    by_index
                }
                Some(Entry::Vacant(free)) => {
                    let path = FieldPath::from(section).key(free.key());
                    free.insert(index);
                    path
                }
            };
            containers.extend(self.container(entry, name_key, host, &mut own));
            wrong.add_below(&path, own);
        }
        containers
    }

    fn container(
        &self,
        entry: Value,
        name_key: &str,
        host: &Host,
        wrong: &mut Violations,
    ) -> Option<(ContainerName, ContainerSpec)> {
        let (read, unreadable) = Parameters::read(&self.common, entry);
        let translated = read.map(|parameters| parameters.into_spec(host));
        // What could not be read was left out, and must not be said to be missing as well.
        let known: BTreeSet<String> = unreadable.iter().map(|violation| violation.path.to_string()).collect();
        let (container, more) = match translated {
            Some(Ok(container)) => (Some(container), Violations::none()),
            Some(Err(more)) => (None, more),
            None => (None, Violations::none()),
        };
        let more = more.iter().filter(|violation| !known.contains(violation.path.as_str()));
        for violation in unreadable.iter().chain(more) {
            let is_name = violation.path.as_str() == "name";
            let path = if is_name { FieldPath::from(name_key) } else { violation.path.clone() };
            wrong.add(path, violation.message.clone());
        }
        container
    }
}

/// Takes away what is not a parameter, and calls the name `name`; says what it was called.
fn prepare(section: &str, entry: &mut Value, wrong: &mut Violations) -> &'static str {
    let Some(map) = entry.as_object_mut() else { return "name" };
    if section == "oneshots" {
        map.remove("action");
        return "name";
    }
    map.remove("service");
    match map.remove("container_name") {
        None => "name",
        Some(_) if map.contains_key("name") => {
            wrong.add("container_name", "is the same as `name`, which is stated too: state one of them");
            "name"
        }
        Some(name) => {
            map.insert("name".to_owned(), name);
            "container_name"
        }
    }
}
