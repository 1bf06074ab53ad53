//! What our own labels say of a container.

use std::collections::{BTreeMap, BTreeSet};

use super::Applied;
use crate::name::ContainerId;
use crate::spec::{ContainerSpec, LABEL_NAMESPACE, RestartPolicy, TextMap};
use crate::timestamp::Timestamp;

const REPLACES: &str = "replaces";
const UNTIL: &str = "until";
const RESTART: &str = "restart";
const SECRETS: &str = "secrets";
const APPLIED: &str = "applied";

/// What the labels below `io.kolla-container.` say; backends take them out of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The container that this one was made to replace (`io.kolla-container.replaces`).
    pub replaces: Option<ContainerId>,
    /// Until when the run that made it may still be at work on it (`io.kolla-container.until`).
    pub until: Option<Timestamp>,
    /// The restart policy of that container, which it lost while it was set aside
    /// (`io.kolla-container.restart`).
    pub restart: Option<RestartPolicy>,
    /// The variables whose values were declared secret (`io.kolla-container.secrets`).
    pub secrets: BTreeSet<String>,
    /// What was stated of the fields that its engine does not report, or of which it does not tell the default
    /// (`io.kolla-container.applied`). Every container that a plan of ours made has it.
    pub applied: Option<Applied>,
    /// Labels of ours that this version does not know, without the namespace.
    pub others: BTreeMap<String, String>,
}

impl Owner {
    /// Takes our labels out of `labels`.
    pub fn take_from(labels: &mut BTreeMap<String, String>) -> Self {
        let mut owner = Self::default();
        labels.retain(|key, value| {
            let Some(key) = key.strip_prefix(LABEL_NAMESPACE) else { return true };
            let known = match key {
                REPLACES => value.parse().map(|id| owner.replaces = Some(id)).is_ok(),
                UNTIL => value.parse().map(|moment| owner.until = Some(moment)).is_ok(),
                RESTART => value.parse().map(|policy| owner.restart = Some(policy)).is_ok(),
                SECRETS => {
                    owner.secrets.extend(value.split(',').map(str::to_owned));
                    true
                }
                APPLIED => value.parse().map(|applied| owner.applied = Some(applied)).is_ok(),
                _ => false,
            };
            if !known {
                owner.others.insert(key.to_owned(), value.clone());
            }
            false
        });
        owner
    }

    /// These labels, as they are written to a container.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let replaces = self.replaces.as_ref().map(|id| (REPLACES.to_owned(), id.to_string()));
        let until = self.until.map(|moment| (UNTIL.to_owned(), moment.to_string()));
        let restart = self.restart.map(|policy| (RESTART.to_owned(), policy.to_string()));
        let secrets = (!self.secrets.is_empty()).then(|| (SECRETS.to_owned(), crate::text::join(&self.secrets, ",")));
        let applied = self.applied.as_ref().map(|applied| (APPLIED.to_owned(), applied.to_string()));
        let others = self.others.iter().map(|(key, value)| (key.clone(), value.clone()));
        replaces
            .into_iter()
            .chain(until)
            .chain(restart)
            .chain(secrets)
            .chain(applied)
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
            restart: Some(RestartPolicy::OnFailure(Some(3))),
            secrets: BTreeSet::from(["A".to_owned(), "B".to_owned()]),
            applied: Some("v1 logging.options=-".parse().unwrap()),
            others: BTreeMap::from([("later".to_owned(), "x".to_owned())]),
        };
        let mut labels = owner.labels();
        labels.insert("io.kolla-containers".to_owned(), "theirs".to_owned());

        let read = Owner::take_from(&mut labels);

        assert_eq!(read, owner);
        assert_eq!(labels.into_keys().collect::<Vec<_>>(), ["io.kolla-containers"]);
    }

    #[test]
    fn a_record_of_another_version_is_kept_and_not_read() {
        let later = BTreeMap::from([("io.kolla-container.applied".to_owned(), "v2 anything=at all".to_owned())]);

        let owner = Owner::take_from(&mut later.clone());

        assert_eq!(owner.applied, None);
        assert_eq!(owner.labels(), later);
    }
}
