//! The field matrix: for every field of the table in core, pairs of a value and another one.
//!
//! Each pair must hold on each engine:
//!
//! 1. a container made from the first value is as it should be: nothing is to do;
//! 2. the second value is exactly one change, of that field, with the remedy that the engine allows;
//! 3. a reconcile closes it: nothing is to do, and nothing is left behind;
//! 4. an export of the container is a spec with which nothing is to do;
//! 5. the field no longer stated is that one change again, back to the default, and is closed too.
//!
//! What an engine refuses is refused when it is planned, by the name of the field.

mod rows;

use std::error::Error as _;

use kolla_container_core::diff::{Remedy, unsupported};
use kolla_container_core::{ContainerSpec, ErrorKind, Goal, Goals, Plan, Report};
use serde_json::{Map, Value, json};

pub use self::rows::rows;
use crate::harness::Harness;
use crate::runner::{Case, Outcome};

/// A field, and two values that it changes between.
#[derive(Clone, Debug)]
pub struct Row {
    /// The field: `resources.memory`.
    pub field: &'static str,
    /// What becomes of it, in a word or two: `raised`.
    pub way: &'static str,
    /// What is stated besides, before and after.
    pub with: Value,
    /// The first value; `None` is "not stated".
    pub from: Option<Value>,
    /// The second value.
    pub to: Value,
    /// What the engine has to be able to do besides the field.
    pub needs: Vec<&'static str>,
    /// What closes the change.
    pub cure: Cure,
    /// What no longer stating the field is.
    pub back: Back,
    /// The fields that go along with it, where it is stated on one side only.
    pub along: Vec<&'static str>,
    /// Whether no engine gives the second value to a container by itself, whatever its flags are.
    pub never_default: bool,
    /// The part of the field that differs, of which an engine may say nothing: `mounts.relabel`.
    pub part: Option<&'static str>,
    /// What the machine has to be able to do to start such a container; where it is not, it is only made.
    pub starts_with: Option<&'static str>,
}

/// What closes a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// An update where the engine can change the field in place, else a new container.
    Update,
    /// A new container.
    Recreate,
}

/// What no longer stating a field is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// One change of that field, where the default is known.
    Change,
    /// No change: the second value is the default.
    Same,
    /// No change: nobody can know what the default is.
    Unknown,
    /// Not possible.
    Impossible,
}

impl Row {
    /// A row whose first value is "not stated", and which takes a new container.
    fn new(field: &'static str, way: &'static str, to: Value) -> Self {
        Self {
            field,
            way,
            with: json!({}),
            from: None,
            to,
            needs: Vec::new(),
            cure: Cure::Recreate,
            back: Back::Change,
            along: Vec::new(),
            never_default: false,
            part: None,
            starts_with: None,
        }
    }

    fn from(mut self, from: Value) -> Self {
        self.from = Some(from);
        self
    }

    fn with(mut self, with: Value) -> Self {
        self.with = with;
        self
    }

    fn needing(mut self, need: &'static str) -> Self {
        self.needs.push(need);
        self
    }

    fn updated(mut self) -> Self {
        self.cure = Cure::Update;
        self
    }

    fn back(mut self, back: Back) -> Self {
        self.back = back;
        self
    }

    fn never_default(mut self) -> Self {
        self.never_default = true;
        self
    }

    fn part(mut self, part: &'static str) -> Self {
        self.part = Some(part);
        self
    }

    fn starting_with(mut self, need: &'static str) -> Self {
        self.starts_with = Some(need);
        self
    }

    fn along(mut self, field: &'static str) -> Self {
        self.along.push(field);
        self
    }

    /// Its name: `resources.memory::raised`.
    pub fn name(&self) -> String {
        format!("{}::{}", self.field, self.way.replace(' ', "_"))
    }

    /// The spec with the first value, in its written form.
    pub fn before(&self) -> Value {
        self.from.as_ref().map_or_else(|| self.with.clone(), |from| self.stating(from))
    }

    /// The spec with the second value.
    pub fn after(&self) -> Value {
        self.stating(&self.to)
    }

    /// The spec without the field.
    pub fn unstated(&self) -> Value {
        self.with.clone()
    }

    fn stating(&self, value: &Value) -> Value {
        let nested = self.field.rsplit('.').fold(value.clone(), |inner, key| json!({key: inner}));
        let mut spec = self.with.clone();
        merge(&mut spec, nested);
        spec
    }
}

/// Puts what `more` states into `spec`, over what is there.
pub fn merge(spec: &mut Value, more: Value) {
    match (spec, more) {
        (Value::Object(spec), Value::Object(more)) => {
            for (key, value) in more {
                merge(spec.entry(key).or_insert(Value::Null), value);
            }
        }
        (spec, more) => *spec = more,
    }
}

/// What the placeholders of a row stand for: `{other}` and so on.
#[derive(Clone, Debug, Default)]
pub struct Places(Map<String, Value>);

impl Places {
    /// Nothing yet.
    pub fn none() -> Self {
        Self::default()
    }

    /// With `{place}` standing for `text`.
    #[expect(clippy::needless_pass_by_value, reason = "references and numbers are given alike")]
    pub fn with(mut self, place: &str, text: impl ToString) -> Self {
        self.0.insert(place.to_owned(), Value::String(text.to_string()));
        self
    }

    /// `written` with everything filled in.
    pub fn fill(&self, written: &Value) -> Value {
        let filled = self.0.iter().fold(written.to_string(), |text, (place, value)| {
            text.replace(&format!("{{{place}}}"), value.as_str().unwrap())
        });
        serde_json::from_str(&filled).unwrap()
    }
}

/// A case for each row.
pub fn cases() -> Vec<Case> {
    let case = |row: Row| {
        let (needs, names_an_image) = (row.needs.clone(), row.to == json!("{alias}"));
        let case = Case::new(format!("matrix::{}", row.name()), move |harness| Box::pin(holds(harness, row.clone())))
            .needing(&needs);
        if names_an_image { case.exclusive() } else { case }
    };
    rows().into_iter().map(case).collect()
}

async fn holds(h: &Harness, row: Row) -> Outcome {
    let places = furnish(h, &row).await;
    let spec = |written: Value| h.spec(places.fill(&written));
    let (before, after, unstated) = (spec(row.before()), spec(row.after()), spec(row.unstated()));
    if let Some(reason) = refused(h, &row, [&before, &after]).await {
        return Outcome::Ignored(reason);
    }
    let name = h.name("subject");
    let is_only_made = row.starts_with.is_some_and(|need| h.lacks(need).is_some());
    let goal = |spec: &ContainerSpec| {
        if is_only_made { Goal::Created(Box::new(spec.clone())) } else { Goal::running(spec.clone()) }
    };

    if let Some(reason) = discarded(&row, &h.try_to_reach(&name, goal(&before)).await) {
        assert_eq!(h.look(&name).await, None);
        return Outcome::Ignored(reason);
    }
    h.assert_reached(&name, goal(&before)).await;

    let plan = h.plan(&name, goal(&after)).await;
    let along = if row.from.is_none() { row.along.as_slice() } else { &[] };
    assert_eq!(changed_fields(&plan), expected(row.field, along), "{plan}");
    let can_update = h.runtime().engine().features.can_update(row.field);
    let remedy = if row.cure == Cure::Update && can_update { Remedy::Update } else { Remedy::Recreate };
    let change = plan.containers[0].changes.iter().find(|change| change.field.as_str() == row.field).unwrap();
    assert_eq!(change.remedy, remedy, "{plan}");

    if let Some(reason) = discarded(&row, &h.try_to_reach(&name, goal(&after)).await) {
        h.assert_reached(&name, goal(&before)).await;
        return Outcome::Ignored(reason);
    }
    h.assert_reached(&name, goal(&after)).await;
    assert!(h.containers().await.iter().all(|name| !name.ends_with(".next") && !name.ends_with(".previous")));

    let exported = h.reconciler().export(&name).await.unwrap().unwrap();
    // What an engine does not report is in no export; our record knows that something was stated.
    let features = &h.runtime().engine().features;
    let is_reported = [Some(row.field), row.part].into_iter().flatten().all(|path| features.is_reported(path));
    if is_reported {
        h.assert_reached(&name, goal(&exported)).await;
    } else {
        let plan = h.plan(&name, goal(&exported)).await;
        assert!(changed_fields(&plan).iter().all(|changed| *changed == row.field), "{plan}");
    }

    if row.back != Back::Impossible {
        let plan = h.plan(&name, goal(&unstated)).await;
        let default = default_of_image(h, &unstated, row.field).await.or_else(|| default_of(h, row.field));
        let is_back = row.never_default || (default.is_some() && default != value_at(&after, row.field));
        // Where nobody knows the default, the record of the container says that it was stated.
        let is_recorded = !is_reported || default.is_none() && row.back == Back::Change;
        let is_known = row.back == Back::Change && is_back || row.back != Back::Same && is_recorded;
        let wanted = if is_known { expected(row.field, &row.along) } else { Vec::new() };
        assert_eq!(changed_fields(&plan), wanted, "{plan}");
        h.reach(&name, goal(&unstated)).await;
        h.assert_reached(&name, goal(&unstated)).await;
    }
    Outcome::Passed
}

fn changed_fields(plan: &Plan) -> Vec<&str> {
    let mut fields: Vec<&str> = plan.containers[0].changes.iter().map(|change| change.field.as_str()).collect();
    fields.sort_unstable();
    fields
}

fn expected<'a>(field: &'a str, along: &[&'a str]) -> Vec<&'a str> {
    let mut fields: Vec<&str> = along.iter().copied().chain([field]).collect();
    fields.sort_unstable();
    fields
}

/// What the image implies for the field.
async fn default_of_image(h: &Harness, spec: &ContainerSpec, field: &str) -> Option<Value> {
    value_at(&h.see_image(spec.image.as_ref().unwrap()).await.config, field)
}

/// What the engine gives to the field when nobody states it, where that is known.
fn default_of(h: &Harness, field: &str) -> Option<Value> {
    value_at(&h.runtime().engine().defaults, field)
}

fn value_at(spec: &ContainerSpec, field: &str) -> Option<Value> {
    serde_json::to_value(spec).unwrap().pointer(&format!("/{}", field.replace('.', "/"))).cloned()
}

/// Why the engine's machine discards the field, if it does and says so; any other failure is one of the case.
fn discarded(row: &Row, report: &Report) -> Option<String> {
    let failure = report.containers[0].outcome.as_ref().err()?;
    let said = failure.error.report();
    let is_discarded = said.contains(&format!("{} would not be as stated", row.field));
    assert!(failure.error.kind() == ErrorKind::Unsupported && is_discarded, "{report}");
    Some(said)
}

/// Why the engine refuses one of the specs, if it does; planning has to say so by the name of the field.
async fn refused(h: &Harness, row: &Row, specs: [&ContainerSpec; 2]) -> Option<String> {
    let features = &h.runtime().engine().features;
    let spec = specs.into_iter().find(|spec| !unsupported(spec, features).is_empty())?;
    let reasons = unsupported(spec, features);
    let (reconciler, tally) = h.watched();
    let error = reconciler.plan(&Goals::one(h.name("subject"), Goal::running(spec.clone()))).await.unwrap_err();

    assert_eq!(error.kind(), ErrorKind::Rejected);
    let said = error.source().map(ToString::to_string).unwrap_or_default();
    assert!(said.contains(&format!("containers[{}].{}", h.name("subject"), row.field)), "{said}");
    assert!(reasons.iter().all(|reason| said.contains(&reason.message)), "{said:?} does not say {reasons}");
    assert!(tally.writes().is_empty());
    Some(reasons.to_string())
}

/// Makes what a row refers to, and says what it is called.
async fn furnish(h: &Harness, row: &Row) -> Places {
    let text = format!("{}{}{}", row.with, row.before(), row.after());
    let uses = |place: &str| text.contains(&format!("{{{place}}}"));
    let mut places = Places::none()
        .with("plain", &h.images().plain)
        .with("other_image", &h.images().other)
        .with("furnished", &h.images().furnished)
        .with("port", h.port());
    if uses("alias") {
        let alias = h.image_name("alias");
        let image = h.see_image(&h.images().plain).await;
        h.runtime().tag_image(&image.id, &alias).await.unwrap();
        places = places.with("alias", alias);
    }
    if uses("other") {
        let name = h.name("other");
        h.start(&name, &h.spec(json!({"namespaces": {"ipc": "shareable"}, "mounts": ["/shared"]}))).await;
        places = places.with("other", name);
    }
    for place in ["network", "second_network"].into_iter().filter(|place| uses(place)) {
        places = places.with(place, h.make_network(&place.replace('_', "-")).await);
    }
    for place in ["volume", "second_volume"].into_iter().filter(|place| uses(place)) {
        places = places.with(place, h.volume(&place.replace('_', "-")));
    }
    places
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use kolla_container_core::diff::field_names;

    use super::*;

    #[test]
    fn no_field_lacks_a_row_and_no_row_lacks_a_field() {
        let rows: BTreeSet<&str> = rows().iter().map(|row| row.field).collect();

        assert_eq!(rows, field_names().into_iter().collect());
    }

    #[test]
    fn no_two_rows_have_the_same_name() {
        let names: Vec<String> = rows().iter().map(Row::name).collect();
        let different: BTreeSet<&String> = names.iter().collect();

        assert_eq!(different.len(), names.len());
    }

    /// What can be changed in place has a row for each way that a remedy can go.
    #[test]
    fn a_limit_is_set_and_taken_away_and_changed() {
        let ways = |field: &str, cure: Cure| rows().iter().filter(|row| row.field == field && row.cure == cure).count();
        let updated: BTreeSet<&str> =
            rows().iter().filter(|row| row.cure == Cure::Update).map(|row| row.field).collect();

        assert_eq!(updated.len(), 12);
        for field in updated {
            assert!(ways(field, Cure::Update) > 0, "{field}");
            let is_always_updated = matches!(field, "restart" | "resources.memory_swap");
            assert_eq!(ways(field, Cure::Recreate) > 0, !is_always_updated, "{field}");
        }
    }

    #[test]
    fn each_value_of_a_row_is_a_spec_and_they_differ() {
        let places = ["plain", "other_image", "alias", "furnished", "other", "network", "volume"];
        let places = places
            .iter()
            .chain(&["second_network", "second_volume"])
            .fold(Places::none(), |all, place| all.with(place, place.replace('_', "-")));
        let places = places.with("port", "20080");

        for row in rows() {
            let read = |written| ContainerSpec::from_value(places.fill(&written));
            let (before, after) = (read(row.before()).unwrap(), read(row.after()).unwrap());

            assert_ne!(before, after, "{}", row.name());
        }
    }
}
