//! Images.

use kolla_container_core::ContainerSpec;
use kolla_container_core::spec::{Command, ExposedPorts, Mount, Mounts, Platform, Signal, TextMap, Volume};
use kolla_container_core::state::ImageState;

use super::{Wrong, config, document, filled, read};

pub(super) fn decode(document: document::Image) -> Result<ImageState, Wrong> {
    let document::Image {
        id,
        repo_tags,
        repo_digests,
        created,
        config: inner,
        architecture,
        os,
        variant,
        size,
        healthcheck,
    } = document;
    let mut spec = configuration(inner)?;
    spec.healthcheck = healthcheck.map(config::healthcheck).unwrap_or_default();
    Ok(ImageState {
        id: read("Id", &id)?,
        names: repo_tags.into_iter().chain(repo_digests).filter_map(|name| name.parse().ok()).collect(),
        config: spec,
        platform: platform(os, architecture, variant),
        size: u64::try_from(size).unwrap_or_default(),
        created: created.parse().ok(),
    })
}

/// As a spec; a field that says nothing is left out of it.
fn configuration(config: document::ImageConfig) -> Result<ContainerSpec, Wrong> {
    let document::ImageConfig { user, exposed_ports, env, entrypoint, cmd, volumes, working_dir, labels, stop_signal } =
        config;
    let list = |words: Option<Vec<String>>| words.filter(|words| !words.is_empty()).map(Command::new);
    let anonymous = |target: &String| Ok((read("Volumes", target)?, Mount::Volume(Volume::default())));
    let mounts = volumes.keys().map(anonymous).collect::<Result<_, Wrong>>()?;
    let mut spec = ContainerSpec {
        user: filled(user),
        command: list(cmd),
        entrypoint: list(entrypoint),
        environment: Some(env).filter(|env| !env.is_empty()).map(config::environment),
        labels: Some(TextMap(labels)).filter(|labels| !labels.0.is_empty()),
        working_dir: filled(working_dir).map(|path| read("WorkingDir", &path)).transpose()?,
        stop_signal: filled(stop_signal).map(|signal| read::<Signal>("StopSignal", &signal)).transpose()?,
        mounts: Some(Mounts(mounts)).filter(|mounts| !mounts.0.is_empty()),
        ..ContainerSpec::default()
    };
    let exposed: ExposedPorts = config::exposed(&exposed_ports)?;
    spec.network.expose = Some(exposed).filter(|exposed| !exposed.0.is_empty());
    Ok(spec)
}

fn platform(os: String, architecture: String, variant: String) -> Option<Platform> {
    let parts: Vec<String> = [filled(os)?, filled(architecture)?].into_iter().chain(filled(variant)).collect();
    parts.join("/").parse().ok()
}
