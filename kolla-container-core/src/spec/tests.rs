//! What the types of a spec promise together: reading, writing, validating.

use super::*;

fn read(yaml_like_json: &str) -> Result<ContainerSpec, Violations> {
    ContainerSpec::from_value(serde_json::from_str(yaml_like_json).unwrap())
}

fn complaints(json: &str) -> Vec<String> {
    read(json).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn short_and_long_forms_mean_the_same() {
    let short = read(
        r#"{"image": "nginx", "command": "sh -c 'x y'", "mounts": ["/a/:/b/:ro", "data:/d", "/anon"],
            "network": {"ports": ["8080:80"]}, "resources": {"memory": "1g", "ulimits": {"RLIMIT_NOFILE": 1024}},
            "healthcheck": {"test": "true", "interval": 30}}"#,
    );
    let long = read(
        r#"{"image": "docker.io/library/nginx:latest", "command": ["sh", "-c", "x y"],
            "mounts": [{"type": "volume", "target": "/anon"},
                       {"type": "bind", "source": "/a", "target": "/b", "read_only": true},
                       {"type": "volume", "source": "data", "target": "/d"}],
            "network": {"ports": ["0.0.0.0:8080:80/tcp"]},
            "resources": {"memory": 1073741824, "ulimits": {"nofile": {"soft": 1024, "hard": "1024"}}},
            "healthcheck": {"test": ["CMD-SHELL", "true"], "interval": "30s"}}"#,
    );

    assert_eq!(short.unwrap(), long.unwrap());
}

#[test]
fn an_unknown_key_is_answered_with_the_nearest_known_one_and_its_path() {
    assert_eq!(complaints(r#"{"image": "a", "comand": []}"#), ["comand: unknown key, did you mean `command`?"]);
    assert_eq!(complaints(r#"{"image": "a", "memory": 1}"#), ["memory: unknown key, did you mean `resources.memory`?"]);
    assert_eq!(complaints(r#"{"image": "a", "volumes": []}"#), ["volumes: unknown key, did you mean `mounts`?"]);
    assert_eq!(
        complaints(r#"{"image": "a", "resources": {"memroy": "1g"}}"#),
        ["resources.memroy: unknown key, did you mean `memory`?"]
    );
    assert!(complaints(r#"{"image": "a", "logging": {"zzz": 1}}"#)[0].contains("known here are driver, options"));
}

#[test]
fn all_mistakes_of_a_document_are_said_at_once() {
    let complaints = complaints(
        r#"{"image": "https://a", "tty": "perhaps",
            "mounts": ["/a:/b", "relative", "/c:/d:xyz"], "environment": {"A": []}, "security": ["x"],
            "resources": {"memory": "1 furlong", "cpus": "2", "ulimits": {"nofile": {"soft": "x"}}}, "unheard_of": 1}"#,
    );

    let paths: Vec<&str> = complaints.iter().filter_map(|complaint| complaint.split(": ").next()).collect();
    for path in [
        "image",
        "tty",
        "resources.memory",
        "resources.ulimits[nofile].soft",
        "mounts[1]",
        "mounts[2]",
        "environment[A]",
        "security",
        "unheard_of",
    ] {
        assert!(paths.contains(&path), "{path} in {complaints:#?}");
    }
    assert_eq!(paths.len(), 9, "{complaints:#?}");
}

#[test]
fn a_mistake_never_prints_the_value() {
    let complaints = complaints(r#"{"image": "a", "environment": "DB_PASSWORD=hunter2", "labels": ["hunter2"]}"#);

    assert!(!complaints.join("").contains("hunter2"), "{complaints:?}");
}

#[test]
fn one_source_at_two_targets_is_fine_and_one_target_twice_is_not() {
    assert!(read(r#"{"image": "a", "mounts": ["data:/a", "data:/b"]}"#).is_ok());

    let twice = complaints(r#"{"image": "a", "mounts": ["data:/a/", "/x:/a"]}"#);
    assert_eq!(twice, ["mounts: two mounts at /a: data and /x; a target has one mount"]);
}

#[test]
fn what_says_nothing_of_a_mount_here_is_taken_and_left_out() {
    let with = read(r#"{"image": "a", "mounts": ["/x:/a:ro,cached", "data:/b:delegated", "/y:/c:consistent"]}"#);

    assert_eq!(with, read(r#"{"image": "a", "mounts": ["/x:/a:ro", "data:/b", "/y:/c"]}"#));
    assert_eq!(complaints(r#"{"image": "a", "mounts": ["/x:/a:nonsense"]}"#).len(), 1);
}

#[test]
fn an_entrypoint_that_is_empty_is_told_from_one_that_is_not_stated() {
    let cleared = read(r#"{"image": "a", "entrypoint": []}"#).unwrap();

    assert_eq!(cleared.entrypoint, Some(Command::default()));
    assert_eq!(read(r#"{"image": "a"}"#).unwrap().entrypoint, None);
    assert_eq!(serde_json::to_value(&cleared).unwrap()["entrypoint"], serde_json::json!([]));
}

#[test]
fn the_canonical_form_is_written_and_read_back() {
    let spec = read(
        r#"{"image": "a:1", "mounts": [{"type": "tmpfs", "target": "/run", "size": "64m", "mode": "755"},
                                       {"type": "devpts", "target": "/dev/pts"},
                                       {"type": "bind", "source": "/with:colon", "target": "/c"},
                                       "v:/v:ro,nocopy,subpath=x"],
            "environment": {"A": {"secret": "s"}, "B": {"unset": true}, "C": ""},
            "network": {"networks": {"front": {"aliases": ["web"], "ipv4": "10.0.0.2"}},
                        "extra_hosts": {"a": "1.2.3.4", "b": ["::1", "host-gateway"]}},
            "restart": "on-failure:3", "stop_signal": 15, "platform": "linux/x86_64"}"#,
    )
    .unwrap();

    let written = serde_json::to_value(&spec).unwrap();

    assert_eq!(ContainerSpec::from_value(written.clone()).unwrap(), spec);
    assert_eq!(written["stop_signal"], "SIGTERM");
    assert_eq!(written["platform"], "linux/amd64");
    assert!(matches!(&ContainerSpec::from_value(written).unwrap().environment.unwrap().0["A"], Variable::Secret(_)));
}

#[test]
fn validation_says_everything_that_is_wrong_across_fields() {
    let spec = read(
        r#"{"hostname": "h", "auto_remove": true, "restart": "always", "labels": {"io.kolla-container.replaces": "x"},
            "network": {"mode": "host", "ports": ["80:80"], "networks": {"n": {}}},
            "resources": {"cpus": 1, "cpu_quota": "50ms", "memory_swap": "1g", "ulimits": {"nofile": "2:1"},
                          "shm_size": "1m", "oom_score_adj": 2000, "blkio_weight": 5},
            "namespaces": {"ipc": "host", "pid": "keep-id"},
            "security": {"cap_add": ["NET_ADMIN"], "cap_drop": ["cap_net_admin"]},
            "healthcheck": {"test": "NONE", "interval": 5}, "stop_timeout": "1.5s",
            "deploy": {"start_limit": {"burst": 0, "interval": 1}}}"#,
    )
    .unwrap();

    let violations = spec.validate();

    let paths: BTreeSet<&str> = violations.iter().map(|violation| violation.path.as_str()).collect();
    for path in [
        "image",
        "hostname",
        "auto_remove",
        "labels[io.kolla-container.replaces]",
        "network.ports",
        "network.networks",
        "resources.cpus",
        "resources.memory_swap",
        "resources.ulimits[nofile]",
        "resources.shm_size",
        "resources.oom_score_adj",
        "resources.blkio_weight",
        "namespaces.pid",
        "security.cap_add",
        "healthcheck",
        "stop_timeout",
        "deploy.start_limit.burst",
    ] {
        assert!(paths.contains(path), "{path} in {violations}");
    }
    assert_eq!(paths.len(), 17, "{violations}");
}

#[test]
fn debug_of_a_spec_shows_no_secret() {
    let spec = read(
        r#"{"image": "a", "environment": {"DB_PASSWORD": "hunter2", "X": {"secret": "hunter2"}},
            "command": ["run", "--token=hunter2"], "labels": {"api.key": "hunter2"},
            "healthcheck": {"test": "curl http://u:hunter2@h"},
            "logging": {"driver": "splunk", "options": {"splunk-token": "hunter2"}}}"#,
    )
    .unwrap();

    assert!(!format!("{spec:?} {spec:#?}").contains("hunter2"), "{spec:?}");
}
