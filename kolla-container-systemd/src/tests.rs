//! What needs no systemd: the text of units, and their files.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use kolla_container_core::state::EngineKind;
use kolla_container_core::{ContainerSpec, Service};
use serde_json::json;

use crate::config::{Config, Scope};
use crate::files::{Files, There};
use crate::unit::{self, OURS};

const UNIT: &str = "kolla-nova_api-container.service";

fn service(engine: EngineKind, spec: serde_json::Value) -> Service {
    Service::new("nova_api".parse().unwrap(), engine, &ContainerSpec::from_value(spec).unwrap())
}

fn folder() -> (tempfile::TempDir, Files) {
    let folder = tempfile::tempdir().unwrap();
    let files = Files { folder: folder.path().to_owned() };
    (folder, files)
}

#[test]
fn a_unit_is_what_kolla_ansible_writes_without_its_mistakes() {
    let spec = json!({"restart": "unless-stopped", "stop_timeout": 120});

    let text = unit::render(&service(EngineKind::Docker, spec), &Config::default());

    let expected = "\
# kolla-nova_api-container.service
# Written by kolla-container, which replaces what is changed here: use a drop-in.
[Unit]
Description=docker kolla-nova_api-container.service
After=docker.service
Wants=docker.service
PartOf=kolla.target
StartLimitIntervalSec=120
StartLimitBurst=10

[Service]
ExecStart=/usr/bin/docker start -a nova_api
ExecStop=/usr/bin/docker stop -t 120 nova_api
TimeoutStopSec=150
Restart=always
RestartSec=6
SuccessExitStatus=143

[Install]
WantedBy=multi-user.target
";
    assert_eq!(text, expected);
}

#[test]
fn the_engine_the_policy_and_the_limit_are_in_the_unit() {
    let text = |engine, spec| unit::render(&service(engine, spec), &Config::default());
    let podman = text(EngineKind::Podman, json!({"restart": "on-failure:3"}));

    assert!(podman.contains("After=network-online.target\nWants=network-online.target\n"), "{podman}");
    assert!(podman.contains("ExecStart=/usr/bin/podman start -a nova_api\n"), "{podman}");
    assert!(podman.contains("ExecStop=/usr/bin/podman stop -t 10 nova_api\n"), "{podman}");
    // The first start, and three more.
    assert!(podman.contains("StartLimitBurst=4\n") && podman.contains("RestartSec=15\n"), "{podman}");
    assert!(podman.contains("Restart=on-failure\n"), "{podman}");
    assert!(text(EngineKind::Docker, json!({})).contains("Restart=no\n"));
    assert!(text(EngineKind::Docker, json!({"restart": "always"})).contains("Restart=always\n"));
    let short = text(EngineKind::Docker, json!({"stop_timeout": "1500ms"}));
    assert!(short.contains("stop -t 2 nova_api\nTimeoutStopSec=32\n"), "{short}");
}

#[test]
fn a_limit_that_cannot_be_reached_leaves_no_time_between_starts() {
    let delay = |burst: u32, interval: u64| {
        let mut service = service(EngineKind::Docker, json!({}));
        service.start_limit.burst = burst;
        service.start_limit.interval = kolla_container_core::TimeSpan::from_secs(interval);
        service.restart_delay().map(|delay| delay.as_duration().as_secs())
    };

    assert_eq!(delay(10, 120), Some(6));
    assert_eq!(delay(60, 120), Some(1));
    assert_eq!(delay(61, 120), None);
    assert_eq!(delay(120, 120), None);
    assert_eq!(delay(0, 120), None);
}

#[test]
fn no_value_of_the_configuration_adds_a_setting() {
    let config = Config {
        program: Some("/opt/my tools/docker%n\"".to_owned()),
        environment: BTreeMap::from([("A".to_owned(), "1\nExecStart=/bin/sh \"\\ %h".to_owned())]),
        ..Config::default()
    };

    let text = unit::render(&service(EngineKind::Docker, json!({})), &config);

    assert_eq!(text.matches("\nExecStart=").count(), 1, "{text}");
    assert!(text.contains(r#"Environment="A=1\nExecStart=/bin/sh \"\\ %%h""#), "{text}");
    assert!(text.contains(r#"ExecStart="/opt/my tools/docker%%n\"" start -a nova_api"#), "{text}");
}

#[test]
fn a_user_has_targets_of_its_own() {
    let text = |engine| unit::render(&service(engine, json!({})), &Config { scope: Scope::User, ..Config::default() });

    assert!(text(EngineKind::Docker).contains("After=docker.service"));
    assert!(!text(EngineKind::Podman).contains("After="));
    assert!(text(EngineKind::Podman).contains("WantedBy=default.target\n"));
}

#[test]
fn what_is_written_is_read_again_with_its_drop_ins() {
    let (_kept, files) = folder();
    let drop_ins =
        [("limits", "[Service]\nNice=5\n\n# a word\nMemoryMax=1G"), ("after", "[Unit]\nAfter=mnt.mount\n\n")];
    let drop_ins = drop_ins.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let config = Config { drop_ins: BTreeMap::from(drop_ins), ..Config::default() };
    let text = unit::render(&service(EngineKind::Docker, json!({})), &config);

    files.write(UNIT, &text).unwrap();

    assert_eq!(files.read(UNIT).unwrap(), Some(There::Unit { text: text.clone(), ours: true }));
    let path = files.folder.join(UNIT);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
    let drop_in = fs::read_to_string(files.folder.join(format!("{UNIT}.d/limits.conf"))).unwrap();
    assert_eq!(drop_in, format!("# {UNIT}.d/limits.conf\n{OURS}\n[Service]\nNice=5\n\n# a word\nMemoryMax=1G\n"));

    // Somebody else's stays; ours that is not wanted any more goes.
    let others = files.folder.join(format!("{UNIT}.d/override.conf"));
    fs::write(&others, "[Service]\nNice=1\n").unwrap();
    let plain = unit::render(&service(EngineKind::Docker, json!({})), &Config::default());
    files.write(UNIT, &plain).unwrap();
    assert_eq!(files.read(UNIT).unwrap(), Some(There::Unit { text: plain, ours: true }));
    assert!(others.exists());

    files.remove(UNIT).unwrap();
    files.remove(UNIT).unwrap();
    assert_eq!(files.read(UNIT).unwrap(), None);
    assert!(others.exists());
}

#[test]
fn nothing_is_left_of_a_unit_and_its_writing() {
    let (_kept, files) = folder();
    let config = Config { drop_ins: BTreeMap::from([("a".to_owned(), "[Unit]\n".to_owned())]), ..Config::default() };
    files.write(UNIT, &unit::render(&service(EngineKind::Docker, json!({})), &config)).unwrap();
    assert_eq!(fs::read_dir(&files.folder).unwrap().count(), 2);

    files.remove(UNIT).unwrap();

    assert_eq!(fs::read_dir(&files.folder).unwrap().count(), 0);
}

#[test]
fn somebody_elses_a_linked_and_a_masked_unit_are_told_apart() {
    let (_kept, files) = folder();
    let path = files.folder.join(UNIT);

    fs::write(&path, "# by hand\n[Service]\nExecStart=/bin/true\n").unwrap();
    assert!(matches!(files.read(UNIT).unwrap(), Some(There::Unit { ours: false, .. })));

    let ours = unit::render(&service(EngineKind::Docker, json!({})), &Config::default());
    let elsewhere = files.folder.join("elsewhere");
    fs::write(&elsewhere, &ours).unwrap();
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
    assert!(matches!(files.read(UNIT).unwrap(), Some(There::Unit { ours: false, .. })));

    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/null", &path).unwrap();
    assert_eq!(files.read(UNIT).unwrap(), Some(There::Masked));
}

#[test]
fn a_folder_that_cannot_be_written_keeps_what_was_there() {
    let (_kept, files) = folder();
    files.write(UNIT, "# a\n# b\nold\n").unwrap();
    // A file is in the place of the folder of drop-ins.
    fs::write(files.folder.join(format!("{UNIT}.d")), "").unwrap();
    let config = Config { drop_ins: BTreeMap::from([("a".to_owned(), "[Unit]\n".to_owned())]), ..Config::default() };

    assert!(files.write(UNIT, &unit::render(&service(EngineKind::Docker, json!({})), &config)).is_err());

    let names = fs::read_dir(&files.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_quadlet_says_the_same_as_arguments_of_podman() {
    let spec = json!({
        "image": "docker.io/library/redis:7", "command": ["redis-server", "--appendonly", "a b $x %h"],
        "environment": {"A": "1", "B": {"unset": true}}, "mounts": ["data:/data", "/etc:/host:ro,rslave", "/scratch"],
        "network": {"ports": ["127.0.0.1:8080:80"], "networks": {"back": {"aliases": ["cache"]}}},
        "resources": {"memory": "64m"}, "restart": "always", "stop_timeout": 30,
    });
    let spec = ContainerSpec::from_value(spec).unwrap();
    let service = Service::new("cache".parse().unwrap(), EngineKind::Podman, &spec);

    let text = crate::quadlet(&service, &spec, &Config::default()).unwrap();

    let expected = "\
# kolla-cache-container.container
# Written by kolla-container, which replaces what is changed here: use a drop-in.
[Unit]
Description=podman kolla-cache-container.service
After=network-online.target
Wants=network-online.target
PartOf=kolla.target
StartLimitIntervalSec=120
StartLimitBurst=10

[Container]
ContainerName=cache
Image=docker.io/library/redis:7
PodmanArgs=--env=A=1
PodmanArgs=--unsetenv=B
PodmanArgs=--stop-timeout=30
PodmanArgs=--volume=data:/data
PodmanArgs=--volume=/etc:/host:ro,rslave
PodmanArgs=--volume=/scratch
PodmanArgs=--network=back:alias=cache
PodmanArgs=--publish=127.0.0.1:8080:80/tcp
PodmanArgs=--memory=67108864b
Exec=redis-server --appendonly \"a b $$x %%h\"

[Service]
TimeoutStopSec=60
Restart=always
RestartSec=6
SuccessExitStatus=143

[Install]
WantedBy=multi-user.target
";
    assert_eq!(text, expected);
}

#[test]
fn all_that_a_quadlet_cannot_say_is_said_at_once_and_no_secret_is_in_it() {
    let spec = json!({
        "image": "redis:7", "environment": {"PASSWORD": {"secret": "hunter2"}}, "domainname": "example.org",
        "network": {"links": ["db"]}, "auto_remove": false,
    });
    let spec = ContainerSpec::from_value(spec).unwrap();
    let service = Service::new("cache".parse().unwrap(), EngineKind::Docker, &spec);

    let wrong = crate::quadlet(&service, &spec, &Config::default()).unwrap_err();

    let paths: Vec<String> = wrong.iter().map(|violation| violation.path.to_string()).collect();
    assert_eq!(paths, ["engine", "environment[PASSWORD]", "network.links", "domainname", "auto_remove"]);
    assert!(!wrong.to_string().contains("hunter2"), "{wrong}");
}

#[test]
fn no_value_of_a_variable_is_in_a_debug() {
    let environment = BTreeMap::from([("DB_PASSWORD".to_owned(), "hunter2".to_owned())]);
    let config = Config { environment, ..Config::default() };
    let text = unit::render(&service(EngineKind::Docker, json!({})), &config);
    let text = kolla_container_core::UnitText::from(text.as_str());

    assert!(text.as_str().contains("hunter2"));
    assert!(!format!("{config:?} {text:?}").contains("hunter2"));
    assert!(format!("{config:?}").contains("DB_PASSWORD"));
}
