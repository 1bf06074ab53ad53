//! The files: which containers they describe, in either of the two forms, and everything that is wrong with them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use kolla_container_core::dialect::kolla::{Document, Host};
use kolla_container_core::{ContainerName, ContainerSpec, Error, FieldPath, Violations};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::document;

/// The keys that say which form a file has.
const OURS: &str = "containers";
const KOLLAS: [&str; 3] = ["services", "oneshots", "common_options"];
/// For whoever reads the file; in either form.
const ABOUT: &str = "about";

/// The containers of all files, each with the place that it comes from.
#[derive(Debug, Default)]
pub(crate) struct Containers {
    pub(crate) specs: BTreeMap<ContainerName, ContainerSpec>,
    origins: BTreeMap<ContainerName, Origin>,
}

/// Where a container is described.
#[derive(Clone, Debug)]
struct Origin {
    file: String,
    path: FieldPath,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Mistake {
    /// The file; none where it is about all of them.
    pub(crate) file: Option<String>,
    /// The field; empty where it is about the whole file.
    pub(crate) path: String,
    /// What is wrong, and what would be right.
    pub(crate) message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_deref().unwrap_or_default();
        for place in [file, &self.path] {
            if !place.is_empty() {
                write!(f, "{place}: ")?;
            }
        }
        f.write_str(&self.message)
    }
}

/// Reads all files; says everything that is wrong with any of them.
pub(crate) fn read(files: &[PathBuf], input: &mut dyn Read, host: &Host) -> Result<Containers, Vec<Mistake>> {
    let mut containers = Containers::default();
    let mut mistakes = Vec::new();
    for path in files {
        let file = label(path);
        let wrong = match text(path, input).and_then(|text| document::parse(&text)) {
            Ok(value) => containers.add(&file, value, host),
            Err(message) => one(FieldPath::root(), message),
        };
        mistakes.extend(wrong.iter().map(|violation| Mistake {
            file: Some(file.clone()),
            path: violation.path.to_string(),
            message: violation.message.clone(),
        }));
    }
    if mistakes.is_empty() { Ok(containers) } else { Err(mistakes) }
}

fn is_input(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// What a file is called in messages.
pub(crate) fn label(path: &Path) -> String {
    if is_input(path) { "standard input".to_owned() } else { path.display().to_string() }
}

/// The text of a file; `-` is the standard input.
pub(crate) fn text(path: &Path, input: &mut dyn Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = if is_input(path) {
        input.read_to_end(&mut bytes).map(|_| bytes)
    } else if path.is_dir() {
        return Err("this is a folder, here goes a file".to_owned());
    } else {
        std::fs::read(path)
    };
    let bytes = read.map_err(|error| format!("cannot be read: {error}"))?;
    String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        format!("is no text in UTF-8: byte {place} does not belong there")
    })
}

fn one(path: impl Into<FieldPath>, message: impl Into<String>) -> Violations {
    let mut wrong = Violations::none();
    wrong.add(path, message);
    wrong
}

impl Containers {
    /// What is wrong with `error`, with the places where the containers come from.
    pub(crate) fn mistakes(&self, error: &Error) -> Vec<Mistake> {
        let violations = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Violations>());
        let place = |path: &str| {
            self.origins.iter().find_map(|(name, origin)| {
                let rest = path.strip_prefix(FieldPath::from(OURS).key(name).as_str())?;
                Some((Some(origin.file.clone()), format!("{}{rest}", origin.path)))
            })
        };
        violations
            .into_iter()
            .flatten()
            .map(|violation| {
                let path = violation.path.as_str();
                let (file, path) = place(path).unwrap_or_else(|| (None, path.to_owned()));
                Mistake { file, path, message: violation.message.clone() }
            })
            .collect()
    }

    fn add(&mut self, file: &str, value: Value, host: &Host) -> Violations {
        let Value::Object(keys) = value else {
            return one(FieldPath::root(), format!("here goes an object with the key `{OURS}`, or with `services`"));
        };
        let is_kollas = keys.keys().any(|key| KOLLAS.contains(&key.as_str()));
        match (keys.contains_key(OURS), is_kollas) {
            (true, true) => {
                let theirs = KOLLAS.iter().find(|key| keys.contains_key(**key)).copied().unwrap_or_default();
                one(theirs, format!("is a key of kolla-ansible's form, and `{OURS}` of the other: a file has one form"))
            }
            (true, false) => self.add_ours(file, keys),
            (false, true) => self.add_kollas(file, keys, host),
            (false, false) => {
                let wrong = unknown(&keys, &[&[OURS, ABOUT], KOLLAS.as_slice()].concat());
                if wrong.is_empty() { one(OURS, "is missing: it is the map of containers by name") } else { wrong }
            }
        }
    }

    fn add_ours(&mut self, file: &str, mut keys: Map<String, Value>) -> Violations {
        let described = keys.remove(OURS);
        let mut wrong = unknown(&keys, &[OURS, ABOUT]);
        let Some(Value::Object(described)) = described else {
            wrong.add(OURS, "here goes an object: containers by name");
            return wrong;
        };
        for (key, value) in described {
            let path = FieldPath::from(OURS).key(&key);
            let name = match key.parse::<ContainerName>() {
                Ok(name) => name,
                Err(error) => {
                    wrong.add(path, error.to_string());
                    continue;
                }
            };
            if let Some(suffix) = name.reserved_suffix() {
                wrong.add(path.clone(), format!("names that end in {suffix} are reserved for replacements"));
            }
            self.claim(&name, file, &path, &mut wrong);
            match ContainerSpec::from_value(value) {
                Ok(spec) => {
                    wrong.add_below(&path, spec.validate());
                    self.specs.insert(name, spec);
                }
                Err(violations) => wrong.add_below(&path, violations),
            }
        }
        wrong
    }

    fn add_kollas(&mut self, file: &str, keys: Map<String, Value>, host: &Host) -> Violations {
        let known = [KOLLAS.as_slice(), &[ABOUT]].concat();
        let mut wrong = unknown(&keys, &known);
        // Whoever is in another file too is said also where the document has mistakes.
        let services = keys.get("services").and_then(Value::as_array).into_iter().flatten();
        let names: BTreeSet<ContainerName> = services
            .filter_map(|service| service.get("container_name").or_else(|| service.get("name")))
            .filter_map(|name| name.as_str()?.parse().ok())
            .collect();
        for name in names {
            self.claim(&name, file, &FieldPath::from("services").key(&name), &mut wrong);
        }
        let keys = keys.into_iter().filter(|(key, _)| known.contains(&key.as_str())).collect();
        match Document::read(Value::Object(keys), host) {
            Ok(document) => self.specs.extend(document.containers),
            Err(violations) => wrong.add_below(&FieldPath::root(), violations),
        }
        wrong
    }

    /// A container has one description.
    fn claim(&mut self, name: &ContainerName, file: &str, path: &FieldPath, wrong: &mut Violations) {
        match self.origins.entry(name.clone()) {
            Entry::Vacant(free) => {
                free.insert(Origin { file: file.to_owned(), path: path.clone() });
            }
            Entry::Occupied(taken) => {
                let Origin { file, path: there } = taken.get();
                wrong.add(path.clone(), format!("is described in {file} too, at {there}"));
            }
        }
    }
}

fn unknown(keys: &Map<String, Value>, known: &[&str]) -> Violations {
    let mut wrong = Violations::none();
    for key in keys.keys().filter(|key| !known.contains(&key.as_str())) {
        let nearest = known
            .iter()
            .map(|known| (strsim::jaro_winkler(key, known), known))
            .filter(|(similarity, _)| *similarity > 0.8)
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        let message = match nearest {
            Some((_, known)) => format!("unknown key, did you mean `{known}`?"),
            None => format!("unknown key; known here are {}", known.join(", ")),
        };
        wrong.add(key.as_str(), message);
    }
    wrong
}
