//! The actions on volumes.

use std::collections::BTreeMap;

use kolla_container_core::spec::TextMap;
use kolla_container_core::state::VolumeToCreate;
use kolla_container_core::{ErrorKind, Runtime, VolumeName};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::call::ContainerCall;
use crate::failure::Failure;

/// What the module marks the volumes with that it makes.
const MANAGED: (&str, &str) = ("kolla_managed", "true");

pub(crate) async fn create(call: &ContainerCall, runtime: &dyn Runtime) -> Result<Answer, Failure> {
    let name = call.volume()?;
    let is_there = runtime.volume(&name).await?.is_some();
    if !is_there && !call.check {
        make(&name, runtime).await?;
    }
    let before = if is_there { "present" } else { "absent" };
    Ok(Answer { diff: sides(call, &name, before, "present"), ..Answer::of(!is_there) })
}

/// Makes a volume with the module's mark.
pub(crate) async fn make(name: &VolumeName, runtime: &dyn Runtime) -> Result<(), Failure> {
    let labels = TextMap(BTreeMap::from([(MANAGED.0.to_owned(), MANAGED.1.to_owned())]));
    Ok(runtime.create_volume(&VolumeToCreate { labels, ..VolumeToCreate::local(name.clone()) }).await?)
}

pub(crate) async fn remove(call: &ContainerCall, runtime: &dyn Runtime) -> Result<Answer, Failure> {
    let name = call.volume()?;
    let is_there = runtime.volume(&name).await?.is_some();
    if is_there && !call.check {
        match runtime.remove_volume(&name).await {
            Err(error) if error.kind() == ErrorKind::Conflict => {
                return Err(Failure::said(format!("Volume named '{name}' is currently in-use")));
            }
            removed => removed?,
        }
    }
    let before = if is_there { "present" } else { "absent" };
    Ok(Answer { diff: sides(call, &name, before, "absent"), ..Answer::of(is_there) })
}

fn sides(call: &ContainerCall, name: &VolumeName, before: &str, after: &str) -> Option<Value> {
    let line = |state: &str| format!("volume {name}: {state}\n");
    call.diff.then(|| json!({"before": line(before), "after": line(after)}))
}
