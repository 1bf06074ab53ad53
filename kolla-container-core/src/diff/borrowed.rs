//! What a container has mounted that another one lends it: its own where it is wanted of it.

use std::borrow::Cow;

use crate::spec::ContainerSpec;
use crate::state::ContainerState;

/// The container with those of the mounts that it may have from others that `wanted` states: an engine that does not tell
/// whose they are tells what they are.
pub(super) fn own<'a>(wanted: &ContainerSpec, container: &'a ContainerState) -> Cow<'a, ContainerState> {
    let stated = wanted.mounts.iter().flat_map(|mounts| mounts.0.keys());
    let lent = stated.filter_map(|target| container.borrowed.0.get_key_value(target));
    // Nobody else's anonymous volume can be its own.
    let own: Vec<_> = lent.filter(|(_, mount)| !mount.is_anonymous()).collect();
    if own.is_empty() {
        return Cow::Borrowed(container);
    }
    let mut with_own = container.clone();
    let mounts = with_own.config.mounts.get_or_insert_default();
    mounts.0.extend(own.into_iter().map(|(target, mount)| (target.clone(), mount.clone())));
    Cow::Owned(with_own)
}
