//! Containers, whoever made them, as a file that describes them.

use std::collections::BTreeMap;

use kolla_container_core::state::{ContainerFilter, ContainerState, EngineFacts, Recorded};
use kolla_container_core::{ContainerName, ContainerSpec, Error, ErrorKind, Reconciler, Violations};
use serde::Serialize;

/// A file in the form that has `containers` by name.
#[derive(Debug, Serialize)]
pub(crate) struct File {
    containers: BTreeMap<ContainerName, ContainerSpec>,
    /// What is missing in it of containers, in words.
    #[serde(skip)]
    missing: Vec<String>,
}

impl File {
    /// As YAML. Texts that others would read as something else are quoted; a text of several lines is a block.
    pub(crate) fn to_yaml(&self) -> Result<String, Error> {
        let options = serde_saphyr::ser_options! { prefer_block_scalars: true, folded_wrap_chars: usize::MAX };
        serde_saphyr::to_string_with_options(self, options)
            .map_err(|error| Error::new(ErrorKind::Unsupported, "write the file", "").because(error))
    }

    /// What is missing in it, and what reading it again would refuse.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let wrong = |spec: &ContainerSpec| match serde_json::to_value(spec).map(ContainerSpec::from_value) {
            Ok(Ok(read)) => read.validate(),
            Ok(Err(wrong)) => wrong,
            // Whoever prints it will say so.
            Err(_) => Violations::none(),
        };
        let containers = self.containers.iter().map(|(name, spec)| (name, wrong(spec)));
        let refused = containers.filter(|(_, wrong)| !wrong.is_empty());
        let refused = refused.map(|(name, wrong)| format!("{name} cannot be planned as it is: {wrong}"));
        self.missing.iter().cloned().chain(refused).collect()
    }
}

/// The containers `names`: all of them, or an error that says everything that is wrong.
pub(crate) async fn named(names: &[ContainerName], reconciler: &Reconciler) -> Result<File, Error> {
    let (file, mut errors) = export(names, reconciler).await;
    match errors.len() {
        0 => Ok(file),
        1 => Err(errors.remove(0)),
        _ => {
            let kind = errors.first().map_or(ErrorKind::NotFound, Error::kind);
            let reports: Vec<String> = errors.iter().map(Error::report).collect();
            Err(Error::new(kind, "export containers", "").because(reports.join("; ")))
        }
    }
}

/// All containers that can be exported, and what is wrong with the others.
///
/// What a replacement has under its reserved names for the time being is nothing to describe.
pub(crate) async fn all(reconciler: &Reconciler) -> Result<(File, Vec<Error>), Error> {
    let listed = reconciler.runtime().containers(&ContainerFilter::default()).await?;
    let names = listed.into_iter().map(|summary| summary.name).filter(|name| name.reserved_suffix().is_none());
    Ok(export(&names.collect::<Vec<_>>(), reconciler).await)
}

async fn export(names: &[ContainerName], reconciler: &Reconciler) -> (File, Vec<Error>) {
    let mut containers = BTreeMap::new();
    let mut missing = Vec::new();
    let mut errors = Vec::new();
    for name in names {
        let failed = |kind| Error::new(kind, "export container", name);
        let exported = match name.reserved_suffix() {
            Some(suffix) => {
                let why = format!("names that end in {suffix} are reserved for replacements");
                Err(failed(ErrorKind::Rejected).because(why))
            }
            None => match one(name, reconciler).await {
                Ok(None) => Err(failed(ErrorKind::NotFound).because("there is no such container")),
                Ok(Some(exported)) => Ok(exported),
                Err(error) => Err(error),
            },
        };
        match exported {
            Ok((spec, untold)) => {
                containers.insert(name.clone(), spec);
                missing.extend(untold.map(|untold| format!("{name}: {untold}")));
            }
            Err(error) => errors.push(error),
        }
    }
    (File { containers, missing }, errors)
}

/// A container, and what is missing of it; none where it is not there.
async fn one(name: &ContainerName, reconciler: &Reconciler) -> Result<Option<(ContainerSpec, Option<String>)>, Error> {
    let runtime = reconciler.runtime();
    let Some(spec) = reconciler.export(name).await? else { return Ok(None) };
    if runtime.engine().features.unreported().next().is_none() {
        return Ok(Some((spec, None)));
    }
    let container = runtime.container(name).await?;
    Ok(container.map(|container| (spec, untold(&container, runtime.engine()))))
}

/// What was stated of a container, as we recorded, and what its engine does not say.
fn untold(container: &ContainerState, engine: &EngineFacts) -> Option<String> {
    let applied = container.owner.applied.as_ref()?;
    let reported = serde_json::to_value(&container.config).ok()?;
    let is_reported = |path: &str| reported.pointer(&format!("/{}", path.replace('.', "/"))).is_some();
    let was_stated = |path: &str| matches!(applied.field(path), Some(Recorded::Value(_)));
    let untold: Vec<&str> =
        engine.features.unreported().filter(|path| was_stated(path) && !is_reported(path)).collect();
    (!untold.is_empty()).then(|| {
        format!(
            "not in it, for {} does not report it: {}; applying the file to this container would take it away",
            engine.kind,
            untold.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use kolla_container_core::dialect::kolla::Host;
    use kolla_container_core::memory::MemoryEngine;
    use kolla_container_core::spec::Variable;
    use kolla_container_core::{Goal, Goals};
    use serde_json::json;

    use super::*;

    /// Texts that a careless file would give back as something else, or not at all.
    const TEXTS: [&str; 42] = [
        "",
        " ",
        "yes",
        "no",
        "on",
        "y",
        "N",
        "true",
        "null",
        "~",
        "0022",
        "3.10",
        "1_000",
        "0x1F",
        "+5",
        "1e3",
        ".inf",
        "22:22",
        "8080:80",
        "2026-11-21",
        "-",
        "- a",
        "? a",
        "!x",
        "&a",
        "*a",
        "<<",
        "---",
        "%a",
        "@a",
        "a: b",
        "a #b",
        "{a}",
        "[a",
        "'",
        "\"",
        "a'b\"c\\d",
        " a",
        "a ",
        "\ta",
        "\u{85}\u{2028}\u{feff}",
        "größe 😀",
    ];

    fn named(name: &str) -> ContainerName {
        name.parse().unwrap()
    }

    fn read(text: &str) -> BTreeMap<ContainerName, ContainerSpec> {
        let files = [PathBuf::from("-")];
        let read = crate::file::read(&files, &mut text.as_bytes(), &Host::local());
        read.unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{text}")).specs
    }

    #[test]
    fn every_text_is_read_as_it_was_written() {
        let lines = ["a\nb", "a\nb\n", "\na\n\n", "a\n\n  b\n\n\n", "set -e\n\techo \"$A\" # x\n", "a\r\nb", "a \n b"];
        let texts: Vec<&str> = TEXTS.into_iter().chain(lines).collect();
        let environment = texts.iter().enumerate().map(|(index, text)| (format!("V{index}"), *text));
        let labels = texts.iter().filter(|text| !text.is_empty()).map(|text| (*text, *text));
        let mut spec = ContainerSpec::new("nginx:1.27".parse().unwrap())
            .with_command(texts.iter().copied())
            .with_environment(environment)
            .with_labels(labels);
        spec.environment.as_mut().unwrap().0.extend([
            ("SECRET".to_owned(), Variable::Secret("a\nb\n\n".to_owned())),
            ("UNSET".to_owned(), Variable::Unset),
        ]);
        // The last text of the file, too.
        let last = ContainerSpec::new("x".parse().unwrap()).with_command(["a\n\n\n"]);
        let containers = BTreeMap::from([(named("null"), spec), (named("z"), last)]);
        let file = File { containers: containers.clone(), missing: Vec::new() };

        let yaml = file.to_yaml().unwrap();

        assert_eq!(read(&yaml), containers);
        assert_eq!(read(&serde_json::to_string_pretty(&file).unwrap()), containers);
        assert!(yaml.contains("SECRET:\n        secret: "), "{yaml}");
    }

    #[test]
    fn a_spec_of_every_kind_of_value_is_read_as_it_was_written() {
        let spec = ContainerSpec::from_value(json!({
            "image": "quay.io/a/b@sha256:".to_owned() + &"ab".repeat(32),
            "entrypoint": [],
            "mounts": ["/a:/b:ro,rslave", "data:/data", "/anonymous", {"type": "tmpfs", "target": "/run", "mode": "1777"}],
            "network": {
                "networks": {"back": {"aliases": ["on"], "ipv4": "10.0.0.9"}},
                "ports": ["8080:80", "[::1]:53:53/udp", "9000"],
                "extra_hosts": {"gate": ["10.0.0.1"]},
            },
            "namespaces": {"pid": "host", "ipc": "shareable"},
            "security": {"cap_drop": ["all"], "security_opt": ["label=disable"], "read_only": true},
            "resources": {"memory": "1g", "cpus": 1.5, "pids_limit": -1, "ulimits": {"nofile": {"soft": 1, "hard": 2}}},
            "healthcheck": {"test": "curl -f x", "interval": "1m30s", "retries": 3},
            "stop_timeout": "1m",
            "restart": "on-failure:3",
            "logging": {"driver": "json-file", "options": {"max-size": "10m"}},
        }));
        let containers = BTreeMap::from([(named("web"), spec.unwrap())]);

        assert_eq!(read(&File { containers: containers.clone(), missing: Vec::new() }.to_yaml().unwrap()), containers);
    }

    async fn engine() -> Reconciler {
        let reconciler = Reconciler::new(Arc::new(MemoryEngine::new()));
        let goal = |json| Goal::running(ContainerSpec::from_value(json).unwrap());
        let goals: Goals = [
            (named("db"), goal(json!({"image": "mariadb:11", "environment": {"DB_PASSWORD": "hunter2"}}))),
            (named("web"), goal(json!({"image": "nginx:1.27", "network": {"mode": "container:db"}}))),
        ]
        .into_iter()
        .collect();
        assert!(reconciler.reconcile(&goals).await.unwrap().is_success());
        reconciler
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_to_do_about_containers_that_are_as_they_were_exported() {
        let reconciler = engine().await;

        let file = super::named(&[named("web"), named("db")], &reconciler).await.unwrap();

        let specs = read(&file.to_yaml().unwrap());
        let goals: Goals = specs.into_iter().map(|(name, spec)| (name, Goal::running(spec))).collect();
        assert_eq!(goals.iter().count(), 2);
        assert!(reconciler.plan(&goals).await.unwrap().is_empty());
        assert!(file.warnings().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_stated_and_is_not_reported_is_named() {
        let engine = MemoryEngine::new().not_reporting(&["resources.sysctls", "logging.options", "tty"]);
        let reconciler = Reconciler::new(Arc::new(engine));
        let spec = json!({"image": "nginx:1.27", "resources": {"sysctls": {"net.core.somaxconn": "99"}}});
        let goals = Goals::one(named("web"), Goal::running(ContainerSpec::from_value(spec).unwrap()));
        assert!(reconciler.reconcile(&goals).await.unwrap().is_success());

        let file = super::named(&[named("web")], &reconciler).await.unwrap();

        let expected = "web: not in it, for memory does not report it: resources.sysctls; applying the file to this \
                        container would take it away";
        assert_eq!(file.warnings(), [expected]);
        assert!(!file.to_yaml().unwrap().contains("somaxconn"));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_cannot_be_exported_is_named_and_then_nothing_is() {
        let reconciler = engine().await;

        let one = super::named(&[named("web"), named("gone")], &reconciler).await.unwrap_err();
        let two = super::named(&[named("gone"), named("web.next"), named("web")], &reconciler).await.unwrap_err();

        assert_eq!(one.report(), "export container gone: not found: there is no such container");
        assert_eq!(
            two.report(),
            "export containers: not found: export container gone: not found: there is no such container; \
             export container web.next: the request is not valid: names that end in .next are reserved for replacements"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn all_are_all_but_what_a_replacement_has_under_its_reserved_names() {
        let reconciler = engine().await;
        let spec = ContainerSpec::new("nginx:1.27".parse().unwrap());
        reconciler.runtime().create_container(&named("web.next"), &spec).await.unwrap();

        let (file, errors) = all(&reconciler).await.unwrap();

        assert_eq!(file.containers.into_keys().collect::<Vec<_>>(), [named("db"), named("web")]);
        assert!(errors.is_empty());
    }

    #[test]
    fn what_reading_would_refuse_is_said() {
        let mut spec = ContainerSpec::new("x".parse().unwrap());
        spec.user = Some(String::new());
        let file = File { containers: BTreeMap::from([(named("web"), spec)]), missing: Vec::new() };

        let expected = "web cannot be planned as it is: user: is the empty text: leave it out for the image's user";
        assert_eq!(file.warnings(), [expected]);
    }
}
