//! The same service as a quadlet: a file from which Podman's own generator makes the unit, and the container at each start.

mod arguments;

use kolla_container_core::spec::Command;
use kolla_container_core::state::EngineKind;
use kolla_container_core::{ContainerSpec, FieldPath, Service, Violations};

use self::arguments::Arguments;
use crate::config::Config;
use crate::unit::{self, Text};

/// The text of `<unit>.container`, for `/etc/containers/systemd`: a container of `spec` that Podman 4.4 or later makes
/// anew at each start of the unit, which has the name that [`Systemd`](crate::Systemd) would give it.
///
/// It is for those who leave a container to Podman's quadlet, and is not what [`Systemd`](crate::Systemd) installs: a
/// container that is made at each start has no predecessor to go back to. Everything is an argument of `podman run`
/// (`PodmanArgs=`), so that no name is taken for another quadlet's, and no version of Podman misses a key.
///
/// All that cannot be said is said at once: another engine than Podman, a spec without an image, fields that `podman run`
/// has no argument for, and variables that were declared secret, as everybody on the machine can read the file.
///
/// ```
/// use kolla_container_core::{ContainerSpec, Service, state::EngineKind};
/// use kolla_container_systemd::{Config, quadlet};
///
/// let spec = ContainerSpec::new("docker.io/library/redis:7".parse()?).with_mounts(["data:/data"])?;
/// let service = Service::new("cache".parse()?, EngineKind::Podman, &spec);
///
/// let text = quadlet(&service, &spec, &Config::default())?;
///
/// assert!(text.contains("\nImage=docker.io/library/redis:7\n"));
/// assert!(text.contains("\nPodmanArgs=--volume=data:/data\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn quadlet(service: &Service, spec: &ContainerSpec, config: &Config) -> Result<String, Violations> {
    let mut wrong = Violations::none();
    if let Err(others) = config.validate() {
        wrong.add_below(&FieldPath::from("config"), others);
    }
    if service.engine != EngineKind::Podman {
        wrong.add("engine", "only Podman makes units of quadlets");
    }
    let Some(image) = &spec.image else {
        wrong.add("image", "is not stated: there is nothing to run");
        return Err(wrong);
    };
    let arguments = Arguments::of(spec, &mut wrong);
    wrong.into_result()?;

    let unit = config.unit_name(&service.container);
    let mut text = Text::default();
    unit::unit_section(&mut text, service, config, &unit);
    text.section("Container").set("ContainerName", service.container.as_str()).set("Image", &image.to_string());
    for argument in &arguments.0 {
        text.set("PodmanArgs", &unit::argument(argument));
    }
    if let Some(command) = spec.command.as_ref().filter(|command| !command.is_empty()) {
        text.set("Exec", &words(command));
    }
    text.section("Service");
    unit::restart_settings(&mut text, service);
    unit::install_section(&mut text, config);
    let name = unit.strip_suffix("service").unwrap_or(&unit);
    Ok(unit::file(&format!("{name}container"), &text.0))
}

fn words(command: &Command) -> String {
    command.argv().iter().map(|word| unit::argument(word)).collect::<Vec<_>>().join(" ")
}
