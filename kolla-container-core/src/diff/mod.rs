//! 3. What differs, field by field, and what cures it.
//!
//! Pure functions over data: `expect` adds to what a user states what the image and the engine
//! imply; [`diff`] compares that with what is there. No difference is missed for being unstated, and
//! none is claimed that the engine made by itself.

mod added;
mod borrowed;
mod comparison;
mod expect;
mod fields;
mod minimal;
mod record;
mod update;
mod value;

use std::fmt;

use serde::Serialize;

pub use self::comparison::{Comparison, Mode};
use self::fields::{Cure, Field, Visitor, visit};
pub use self::minimal::minimal;
pub(crate) use self::record::record;
pub use self::update::discarded;
pub(crate) use self::update::{limits_that_were_not_set, reverse_update, update_for, without_engine_restart};
use self::value::Value;
use crate::shown::Shown;
use crate::spec::ContainerSpec;
use crate::state::{Applied, ContainerState, EngineFacts, Features, ImageState};
use crate::violation::{FieldPath, Violations};

/// What it takes to close a difference; a plan takes the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Remedy {
    /// The engine can change it while the container runs.
    Update,
    /// A new container has to take its place.
    Recreate,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Update => "update",
            Self::Recreate => "recreate",
        })
    }
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which field.
    pub field: FieldPath,
    /// What differs in it: one entry, or one per differing key of a map or a set.
    pub entries: Vec<Entry>,
    /// What it takes to close the difference.
    pub remedy: Remedy,
}

/// What differs in a field, fit to be shown: secrets are hidden in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The key, in a map or a set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is there.
    pub current: Shown,
    /// What should be there.
    pub desired: Shown,
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "[{key}]")?;
        }
        write!(f, ": {} -> {}", self.current, self.desired)
    }
}

impl fmt::Display for Change {
    /// One line per entry: `environment[MODE]: slow -> fast`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.entries.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}{entry}", self.field)?;
        }
        Ok(())
    }
}

/// Everything that a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// The fields that differ, in the order of the spec.
    pub changes: Vec<Change>,
    /// Fields that are stated, that this engine does not report and of which there is no record: nobody can tell.
    pub unreported: Vec<FieldPath>,
}

impl Diff {
    /// The greatest remedy of all changes; `None` when there is none.
    pub fn remedy(&self) -> Option<Remedy> {
        self.changes.iter().map(|change| change.remedy).max()
    }
}

/// What a comparison needs to know besides the two sides.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The image that the container was made from, where the engine still has it.
    pub image: Option<&'a ImageState>,
    /// The image that the wanted name stands for now, where the engine has it.
    pub wanted_image: Option<&'a ImageState>,
    /// The engine.
    pub engine: &'a EngineFacts,
    /// Which fields are compared, and how.
    pub comparison: &'a Comparison,
}

/// What differs between what is wanted and what is there.
pub fn diff(wanted: &ContainerSpec, container: &ContainerState, surroundings: &Surroundings<'_>) -> Diff {
    let container = &*borrowed::own(wanted, container);
    let expected = expect::expect(wanted, container, surroundings);
    let mut visitor = Comparing {
        wanted,
        expected: &expected,
        observed: &container.config,
        record: record::of(container, surroundings.image),
        surroundings,
        found: Diff::default(),
    };
    visit(&mut visitor);
    let mut found = visitor.found;
    compare_image_ids(wanted, container, surroundings, &mut found);
    found
}

struct Comparing<'a> {
    wanted: &'a ContainerSpec,
    expected: &'a ContainerSpec,
    observed: &'a ContainerSpec,
    record: Option<&'a Applied>,
    surroundings: &'a Surroundings<'a>,
    found: Diff,
}

impl Visitor for Comparing<'_> {
    fn field<T: Value>(&mut self, field: &Field<T>) {
        let Some(current) = (field.get)(self.observed) else { return self.compare_with_record(field) };
        let stated_no_more = self.stated_no_more(field, current);
        let Some(desired) = (field.get)(self.expected) else {
            return self.change(field, stated_no_more, Remedy::Recreate);
        };
        // What an image that is gone, or a daemon's own flags, put into a map cannot be known.
        let unknown_image = self.surroundings.image.is_none() && expect::FROM_IMAGES.contains(&field.path);
        let unknown_default = (field.get)(&self.surroundings.engine.defaults).is_none();
        let extra =
            self.surroundings.comparison.mode(field.path) == Mode::AllowExtra || unknown_image || unknown_default;
        let mut entries = T::differences(desired, current, extra);
        entries.extend(stated_no_more);
        // What is made anew for the rest gets its parts in any case.
        if entries.is_empty() {
            entries = self.differing_parts(field);
        }
        let can_update = self.surroundings.engine.features.can_update(field.path);
        let remedy = match field.cure {
            Cure::Update if can_update && !desired.is_no_limit() => Remedy::Update,
            Cure::UpdateToAny if can_update => Remedy::Update,
            Cure::Recreate | Cure::Update | Cure::UpdateToAny => Remedy::Recreate,
        };
        self.change(field, entries, remedy);
    }
}

impl Comparing<'_> {
    fn change<T: Value>(&mut self, field: &Field<T>, entries: Vec<Entry>, remedy: Remedy) {
        if !entries.is_empty() {
            self.found.changes.push(Change { field: field.path.into(), entries, remedy });
        }
    }
}

/// An image that was built or pulled anew has another id under the same name.
fn compare_image_ids(
    wanted: &ContainerSpec,
    container: &ContainerState,
    surroundings: &Surroundings<'_>,
    found: &mut Diff,
) {
    let Some(wanted_image) = surroundings.wanted_image else { return };
    let ignored = surroundings.comparison.mode("image") == Mode::Ignore;
    if ignored || wanted.image.is_none() || wanted_image.id == container.image_id {
        return;
    }
    let entry = Entry {
        key: Some("id".to_owned()),
        current: Shown::text(container.image_id.short()),
        desired: Shown::text(wanted_image.id.short()),
    };
    match found.changes.iter_mut().find(|change| change.field.as_str() == "image") {
        Some(change) => change.entries.push(entry),
        None => {
            found.changes.insert(0, Change { field: "image".into(), entries: vec![entry], remedy: Remedy::Recreate });
        }
    }
}

/// Which fields there are, in the order in which they are compared and shown.
pub fn field_names() -> Vec<&'static str> {
    struct Names(Vec<&'static str>);

    impl Visitor for Names {
        fn field<T: Value>(&mut self, field: &Field<T>) {
            self.0.push(field.path);
        }
    }

    let mut names = Names(Vec::new());
    visit(&mut names);
    names.0
}

/// What of `spec` an engine with these features cannot do, all at once.
pub fn unsupported(spec: &ContainerSpec, features: &Features) -> Violations {
    struct Stated<'a> {
        spec: &'a ContainerSpec,
        features: &'a Features,
        refused: Violations,
    }

    impl Visitor for Stated<'_> {
        fn field<T: Value>(&mut self, field: &Field<T>) {
            let Some(value) = (field.get)(self.spec) else { return };
            if value.is_nothing() {
                return;
            }
            if let Some(reason) = self.features.refusal(field.path) {
                self.refused.add(field.path, reason);
            }
            for (key, part) in value.uses() {
                if let Some(reason) = self.features.refusal(&format!("{}.{part}", field.path)) {
                    let path = FieldPath::from(field.path);
                    self.refused.add(key.map_or_else(|| path.clone(), |key| path.key(key)), reason);
                }
            }
        }
    }

    let mut stated = Stated { spec, features, refused: Violations::none() };
    visit(&mut stated);
    stated.refused
}

/// The paths of the fields that are stated in `spec`.
pub(crate) fn stated_fields(spec: &ContainerSpec) -> Vec<&'static str> {
    struct Stated<'a>(&'a ContainerSpec, Vec<&'static str>);

    impl Visitor for Stated<'_> {
        fn field<T: Value>(&mut self, field: &Field<T>) {
            if (field.get)(self.0).is_some() {
                self.1.push(field.path);
            }
        }
    }

    let mut stated = Stated(spec, Vec::new());
    visit(&mut stated);
    stated.1
}
