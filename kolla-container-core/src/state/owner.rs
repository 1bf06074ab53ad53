//! What our own labels say of a container.

use std::collections::BTreeMap;

use crate::name::ContainerId;
use crate::spec::{ContainerSpec, LABEL_NAMESPACE, TextMap};
use crate::timestamp::Timestamp;

const REPLACES: &str = "replaces";
const UNTIL: &str = "until";

/// What the labels below `io.kolla-container.` say; backends take them out of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The container that this one was made to replace (`io.kolla-container.replaces`).
    pub replaces: Option<ContainerId>,
    /// Until when the run that made it may still be at work on it (`io.kolla-container.until`).
    pub until: Option<Timestamp>,
    /// Labels of ours that this version does not know, without the namespace.
    pub others: BTreeMap<String, String>,
}

impl Owner {
    /// Takes our labels out of `labels`.
    pub fn take_from(labels: &mut BTreeMap<String, String>) -> Self {
        let mut owner = Self::default();
        labels.retain(|key, value| {
            let Some(key) = key.strip_prefix(LABEL_NAMESPACE) else { return true };
            match (key, value.parse(), value.parse()) {
                (REPLACES, Ok(id), _) => owner.replaces = Some(id),
                (UNTIL, _, Ok(moment)) => owner.until = Some(moment),
                _ => {
                    owner.others.insert(key.to_owned(), value.clone());
                }
            }
            false
        });
        owner
    }

    /// These labels, as they are written to a container.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let replaces = self.replaces.as_ref().map(|id| (REPLACES.to_owned(), id.to_string()));
        let until = self.until.map(|moment| (UNTIL.to_owned(), moment.to_string()));
        let others = self.others.iter().map(|(key, value)| (key.clone(), value.clone()));
        replaces
            .into_iter()
            .chain(until)
            .chain(others)
            .map(|(key, value)| (format!("{LABEL_NAMESPACE}{key}"), value))
            .collect()
    }

    /// `spec` with these labels in it.
    pub fn mark(&self, mut spec: ContainerSpec) -> ContainerSpec {
        let ours = self.labels();
        if !ours.is_empty() {
            let TextMap(labels) = spec.labels.get_or_insert_default();
            labels.extend(ours);
        }
        spec
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_labels_read_back_and_leave_the_others_alone() {
        let owner = Owner {
            replaces: Some("ab".repeat(32).parse().unwrap()),
            until: Some("2026-11-21T03:27:37Z".parse().unwrap()),
            others: BTreeMap::from([("later".to_owned(), "x".to_owned())]),
        };
        let mut labels = owner.labels();
        labels.insert("io.kolla-containers".to_owned(), "theirs".to_owned());

        let read = Owner::take_from(&mut labels);

        assert_eq!(read, owner);
        assert_eq!(labels.into_keys().collect::<Vec<_>>(), ["io.kolla-containers"]);
    }
}
