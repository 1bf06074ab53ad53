//! A plan as text for people: stable, one headline per container, no secret in it.

use std::fmt;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::{Action, Cause, ContainerPlan, Effect, Plan, Step, Target, Undo};
use crate::diff::stated_fields;

impl Effect {
    /// What is going to be done, as a verb.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Unchanged => "leave",
            Self::Created => "create",
            Self::Started => "start",
            Self::Updated => "update",
            Self::Restarted => "restart",
            Self::Replaced => "replace",
            Self::Stopped => "stop",
            Self::Paused => "pause",
            Self::Unpaused => "unpause",
            Self::Killed => "kill",
            Self::Ran => "run",
            Self::Removed => "remove",
            Self::Repaired => "repair",
            Self::Verified => "verify",
        }
    }
}

pub(super) fn plan(plan: &Plan, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let unchanged = plan.containers.iter().filter(|container| container.is_empty() && container.notes.is_empty());
    let unchanged = unchanged.count();
    for container in &plan.containers {
        if !(container.is_empty() && container.notes.is_empty()) {
            write!(f, "{container}")?;
        }
    }
    let mut parts: Vec<String> = plan
        .counts()
        .into_iter()
        .filter(|(effect, _)| *effect != Effect::Unchanged)
        .map(|(effect, count)| format!("{count} to {}", effect.verb()))
        .collect();
    let refused = plan.refused().count();
    if refused > 0 {
        parts.push(format!("{refused} refused"));
    }
    if parts.is_empty() {
        return writeln!(f, "Nothing to do: {} as they should be.", containers(plan.containers.len()));
    }
    if unchanged > 0 {
        parts.push(format!("{unchanged} as they should be"));
    }
    writeln!(f, "{}: {}.", containers(plan.containers.len()), parts.join(", "))
}

fn containers(count: usize) -> String {
    if count == 1 { "1 container".to_owned() } else { format!("{count} containers") }
}

impl fmt::Display for ContainerPlan {
    /// A headline, a line per difference, a line of steps, and a line per note.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(error) = &self.refused {
            return writeln!(f, "! {}: refused\n    {}", self.name, error.report());
        }
        let mark = match self.effect {
            Effect::Unchanged => '=',
            Effect::Created | Effect::Ran => '+',
            Effect::Removed => '-',
            _ => '~',
        };
        write!(f, "{mark} {}: {}", self.name, self.effect.verb())?;
        match self.steps.last().map(|step| &step.cause) {
            // What the changes say already needs no repetition, and neither does a creation.
            None | Some(Cause::Differs(_)) => writeln!(f)?,
            Some(Cause::Missing | Cause::Asked) => writeln!(f, "{}", self.image().unwrap_or_default())?,
            Some(cause) => writeln!(f, " ({cause})")?,
        }
        for change in &self.changes {
            for line in change.to_string().lines() {
                writeln!(f, "    {line}")?;
            }
        }
        if !self.steps.is_empty() {
            writeln!(f, "    steps: {}", self.outline().join(", "))?;
        }
        if !self.together.is_empty() {
            writeln!(f, "    together with {}, or not at all", crate::text::join(&self.together, ", "))?;
        }
        for note in &self.notes {
            writeln!(f, "    note: {note}")?;
        }
        Ok(())
    }
}

impl ContainerPlan {
    /// The image of the container that is made.
    fn image(&self) -> Option<String> {
        self.steps.iter().find_map(|step| match &step.action {
            Action::Create { spec, .. } => spec.image.as_ref().map(|image| format!(" from {}", image.familiar())),
            _ => None,
        })
    }

    /// The steps in as few words as tell them apart.
    fn outline(&self) -> Vec<String> {
        let mut outline: Vec<String> = Vec::new();
        let mut volumes: Vec<&str> = Vec::new();
        for step in &self.steps {
            if let Action::CreateVolume { volume } = &step.action {
                if !volumes.is_empty() {
                    outline.pop();
                }
                volumes.push(volume.as_str());
                outline.push(match volumes.as_slice() {
                    [before @ .., last] if !before.is_empty() => {
                        format!("create volumes {} and {last}", before.join(", "))
                    }
                    _ => self.describe(&step.action),
                });
            } else {
                volumes.clear();
                outline.push(self.describe(&step.action));
            }
        }
        outline
    }

    /// An action, with the containers by what they are to this one instead of by their ids.
    pub(crate) fn describe(&self, action: &Action) -> String {
        let replaces = self.effect == Effect::Replaced;
        let who = |target: &Target| match target {
            Target::New if replaces => " the new one".to_owned(),
            Target::Existing(id) if self.subject() != Some(id) => format!(" container {}", id.short()),
            Target::Existing(_) if replaces => " the old one".to_owned(),
            Target::New | Target::Existing(_) => String::new(),
        };
        match action {
            Action::PullImage { .. } => "pull the image".to_owned(),
            Action::Create { name, .. } if *name == self.name => "create".to_owned(),
            Action::Create { name, .. } => format!("create {name}"),
            Action::Start { target } => format!("start{}", who(target)),
            Action::Stop { target, .. } => format!("stop{}", who(target)),
            Action::Restart { target, .. } => format!("restart{}", who(target)),
            Action::Kill { target, signal } => format!("send {signal}{}", who(target)),
            Action::Pause { target } => format!("pause{}", who(target)),
            Action::Unpause { target } => format!("unpause{}", who(target)),
            Action::Rename { target, to } => format!("rename{} to {to}", who(target)),
            Action::Update { target, update } => {
                let fields = stated_fields(&update.as_spec());
                format!("update {}{} in place", fields.join(" and "), who(target).replacen(' ', " of ", 1))
            }
            Action::Revive { target } => format!("start{} again", who(target)),
            Action::Remove { target, .. } | Action::Discard { target } => format!("remove{}", who(target)),
            Action::Verify { healthy: true, .. } => "verify that it stays up and well".to_owned(),
            Action::Verify { .. } => "verify that it stays up".to_owned(),
            Action::WaitForExit { .. } => "wait for its end".to_owned(),
            Action::InstallUnit { .. } => "install its unit".to_owned(),
            Action::RemoveUnit { .. } => "remove its unit".to_owned(),
            Action::StartUnit { .. } => "start its unit".to_owned(),
            Action::StopUnit { .. } => "stop its unit".to_owned(),
            Action::RestartUnit { .. } => "restart its unit".to_owned(),
            Action::CreateVolume { .. } | Action::RemoveVolume { .. } => action.to_string(),
        }
    }
}

impl Serialize for ContainerPlan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut plan = serializer.serialize_struct("ContainerPlan", 8)?;
        plan.serialize_field("name", &self.name)?;
        plan.serialize_field("effect", &self.effect)?;
        plan.serialize_field("changes", &self.changes)?;
        plan.serialize_field("steps", &self.steps)?;
        plan.serialize_field("notes", &self.notes)?;
        plan.serialize_field("after", &self.after)?;
        plan.serialize_field("together", &self.together)?;
        plan.serialize_field("refused", &self.refused.as_ref().map(crate::error::Error::report))?;
        plan.end()
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut step = serializer.serialize_struct("Step", 3)?;
        step.serialize_field("action", &self.action.to_string())?;
        step.serialize_field("cause", &self.cause.to_string())?;
        let undo: Option<Vec<String>> = match &self.undo {
            Undo::Nothing => Some(Vec::new()),
            Undo::By(actions) => Some(actions.iter().map(ToString::to_string).collect()),
            Undo::Committed => None,
        };
        step.serialize_field("undo", &undo)?;
        step.end()
    }
}
