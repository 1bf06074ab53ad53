//! What the container may do, and which namespaces it shares.

use kolla_container_core::Violations;
use kolla_container_core::spec::{NamespaceMode, Namespaces, Security};

use super::generator::{Generator, Namespace};

pub(super) fn namespaces(namespaces: &Namespaces, generator: &mut Generator) {
    let Namespaces { ipc, pid, cgroup, user, uts } = namespaces;
    generator.ipcns = ipc.as_ref().map(namespace);
    generator.pidns = pid.as_ref().map(namespace);
    generator.cgroupns = cgroup.as_ref().map(namespace);
    generator.userns = user.as_ref().map(namespace);
    generator.utsns = uts.as_ref().map(namespace);
}

fn namespace(mode: &NamespaceMode) -> Namespace {
    let (mode, value) = match mode {
        NamespaceMode::Container(container) => ("container".to_owned(), Some(container.to_string())),
        NamespaceMode::Path(path) => ("path".to_owned(), Some(path.clone())),
        NamespaceMode::NoMap => ("no-map".to_owned(), None),
        mode => (mode.to_string(), None),
    };
    Namespace { nsmode: Some(mode), value }
}

/// Of profiles and labels Podman tells only what is remembered in annotations, as its own command does.
pub(super) fn encode(security: &Security, generator: &mut Generator, wrong: &mut Violations) {
    let Security { privileged, cap_add, cap_drop, security_opt, no_new_privileges, read_only } = security;
    generator.privileged = *privileged;
    generator.cap_add = cap_add.as_ref().map(super::texts);
    generator.cap_drop = cap_drop.as_ref().map(super::texts);
    generator.no_new_privileges = *no_new_privileges;
    generator.read_only_filesystem = *read_only;
    let mut labels = Vec::new();
    for option in security_opt.iter().flatten() {
        match option.as_str().split_once('=') {
            Some(("label", label)) => labels.push(label.to_owned()),
            Some(("seccomp", profile)) => {
                generator.seccomp_profile_path = Some(profile.to_owned());
                super::remember(generator, "seccomp", profile.to_owned());
            }
            Some(("apparmor", profile)) => {
                generator.apparmor_profile = Some(profile.to_owned());
                super::remember(generator, "apparmor", profile.to_owned());
            }
            _ => wrong.add(
                format!("security.security_opt[{option}]").as_str(),
                "of these Podman's API takes apparmor=, label= and seccomp=",
            ),
        }
    }
    if !labels.is_empty() {
        super::remember(generator, "label", labels.join(",label="));
        generator.selinux_opts = Some(labels);
    }
}
