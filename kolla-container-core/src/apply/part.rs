//! The parts of a way back: what one container does at once, containers that have joined each other do part by part.

use std::ops::Range;

use super::run::target;
use crate::plan::{Action, Target};

/// A part of the way back to an old container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The new one is stopped, and both get their names back.
    Away,
    /// The old one is started.
    Start,
    /// What is not needed any more is removed.
    Remove,
}

impl Part {
    /// Where it is among `actions`.
    pub(super) fn of(self, actions: &[&Action]) -> Range<usize> {
        let end = actions.len();
        let first = |is_it: fn(&Action) -> bool| actions.iter().position(|action| is_it(action));
        let remove = first(removes).unwrap_or(end);
        let start = first(starts).unwrap_or(remove).min(remove);
        match self {
            Self::Away => 0..start,
            Self::Start => start..remove,
            Self::Remove => remove..end,
        }
    }
}

fn removes(action: &Action) -> bool {
    matches!(action, Action::Remove { .. } | Action::Discard { .. })
}

/// Whether it starts a container that was there before.
fn starts(action: &Action) -> bool {
    matches!(
        action,
        Action::Start { target: Target::Existing(_) }
            | Action::Revive { .. }
            | Action::Restart { .. }
            | Action::StartUnit { .. }
            | Action::RestartUnit { .. }
    )
}

/// The container or the unit that an action is about, where it is about one that was there before.
pub(super) fn whom(action: &Action) -> Option<&str> {
    match action {
        Action::StartUnit { name } | Action::StopUnit { name } | Action::RestartUnit { name } => Some(name.as_str()),
        action => match target(action)? {
            Target::Existing(id) => Some(id.as_str()),
            Target::New => None,
        },
    }
}
