//! What the words of kolla-ansible mean; bugs of kolla-ansible are named where one is ruled out.

use serde_json::{Value, json};

use super::*;
use crate::ContainerSpec;
use crate::name::ContainerName;
use crate::quantity::{ByteSize, Limit, TimeSpan};
use crate::spec::{
    CleanPath, HealthTest, Healthcheck, Mount, NamespaceMode, NetworkMode, Propagation, RestartPolicy, Stale,
    StartLimit, Variable, Volume,
};
use crate::violation::Violations;

const SERVICES: &str = include_str!("../../../testdata/kolla_services.json");

fn host() -> Host {
    Host { time_zone: "Europe/Berlin".to_owned() }
}

fn services() -> Value {
    serde_json::from_str(SERVICES).unwrap()
}

fn service(name: &str) -> ContainerSpec {
    read_document(services(), &host()).unwrap().remove(&name.parse::<ContainerName>().unwrap()).unwrap()
}

/// A container of these parameters, its name and image aside.
fn read(parameters: Value) -> Result<ContainerSpec, Violations> {
    read_with(&json!({}), parameters)
}

fn read_with(common_options: &Value, mut parameters: Value) -> Result<ContainerSpec, Violations> {
    let map = parameters.as_object_mut().unwrap();
    map.entry("name").or_insert_with(|| json!("nova_compute"));
    map.entry("image").or_insert_with(|| json!("nova:1"));
    Parameters::from_value(Some(common_options), parameters)?.into_spec(&host()).map(|(_, spec)| spec)
}

fn spec(parameters: Value) -> ContainerSpec {
    read(parameters).unwrap()
}

fn complaints(parameters: Value) -> Vec<String> {
    read(parameters).unwrap_err().iter().map(ToString::to_string).collect()
}

fn document_complaints(document: Value) -> Vec<String> {
    read_document(document, &host()).unwrap_err().iter().map(ToString::to_string).collect()
}

fn mount(spec: &ContainerSpec, target: &str) -> Mount {
    spec.mounts.as_ref().unwrap().0[&target.parse::<CleanPath>().unwrap()].clone()
}

fn variable(spec: &ContainerSpec, name: &str) -> Option<String> {
    spec.environment.as_ref()?.0.get(name)?.value().map(str::to_owned)
}

// The real services.

#[test]
fn the_24_services_and_4_oneshots_of_the_sample_are_read() {
    let services_only = read_document(services(), &host()).unwrap();
    let oneshots_only = read_oneshots(services(), &host()).unwrap();
    let document = Document::read(services(), &host()).unwrap();

    assert_eq!(services_only.len(), 24);
    assert_eq!(oneshots_only.len(), 4);
    assert_eq!(document, Document { containers: services_only, oneshots: oneshots_only });
    for (name, spec) in document.containers.iter().chain(&document.oneshots) {
        assert!(spec.validate().is_empty(), "{name}");
        assert_eq!(ContainerSpec::from_value(serde_json::to_value(spec).unwrap()).as_ref(), Ok(spec), "{name}");
    }
}

#[test]
fn a_service_of_the_sample_is_read_in_all_its_parts() {
    let mariadb = service("mariadb");

    let expected = ContainerSpec::from_value(json!({
        "image": "quay.io/openstack.kolla/mariadb-server:master-rocky-10",
        "environment": {"KOLLA_CONFIG_STRATEGY": "COPY_ALWAYS", "KOLLA_SERVICE_NAME": "mariadb", "TZ": "Europe/Berlin"},
        "stop_timeout": "60s",
        "mounts": ["/etc/kolla/mariadb:/var/lib/kolla/config_files:ro", "mariadb:/var/lib/mysql", "kolla_logs:/var/log/kolla"],
        "network": {"mode": "host"},
        "resources": {"ulimits": {"nofile": 1_048_576}},
        "healthcheck": {
            "test": ["CMD-SHELL", "/usr/bin/healthcheck.sh --defaults-file /etc/healthcheck.cnf --connect --galera_online"],
            "interval": 30, "timeout": 30, "start_period": 120, "retries": 3,
        },
        "restart": "unless-stopped",
        "deploy": {
            "config_check": {"command": ["/usr/local/bin/kolla_set_configs", "--check"], "user": "root", "stale": "restart"},
            "start_limit": {"burst": 10, "interval": 120},
            "create_missing_sources": true,
            "deadlines": {"request": 120},
        },
    }));
    assert_eq!(Ok(mariadb), expected);
}

#[test]
fn what_is_rare_in_the_sample_is_read() {
    let vpn = service("neutron_ovn_vpn_agent");
    let libvirt = service("nova_libvirt");

    assert_eq!(vpn.security.privileged, Some(false));
    assert_eq!(vpn.security.cap_add.unwrap().len(), 6);
    assert_eq!(vpn.security.security_opt.unwrap().len(), 3);
    assert_eq!(vpn.namespaces.cgroup, Some(NamespaceMode::Private));
    assert_eq!(libvirt.namespaces.pid, Some(NamespaceMode::Host));
    assert_eq!(libvirt.resources.ulimits.unwrap().values().next().unwrap().hard, Limit::At(67_108_864));
    assert_eq!(service("hacluster_corosync").namespaces.ipc, Some(NamespaceMode::Host));
    assert!(matches!(mount(&service("iscsid"), "/configfs"), Mount::Bind(_)));
}

#[test]
fn a_oneshot_runs_once_and_without_a_unit() {
    let oneshots = read_oneshots(services(), &host()).unwrap();

    let bootstrap = &oneshots[&"bootstrap_keystone".parse::<ContainerName>().unwrap()];
    assert_eq!(bootstrap.restart, Some(RestartPolicy::No));
    assert_eq!(bootstrap.deploy.supervised, Some(false));
    assert_eq!(bootstrap.deploy.start_limit, None);
    assert_eq!(variable(bootstrap, "KOLLA_BOOTSTRAP").as_deref(), Some(""));
    assert_eq!(bootstrap.labels.as_ref().unwrap().0["BOOTSTRAP"], "");
}

// Common options and defaults.

#[test]
fn an_explicit_parameter_beats_the_common_options_and_those_beat_the_default() {
    let common =
        json!({"graceful_timeout": "60", "restart_retries": "5", "environment": {"A": "common", "B": "common"}});

    let own = read_with(&common, json!({"graceful_timeout": 90, "environment": {"A": null}})).unwrap();
    let from_common = read_with(&common, json!({"graceful_timeout": null, "environment": null})).unwrap();
    let default = spec(json!({}));

    assert_eq!(own.stop_timeout, Some(TimeSpan::from_secs(90)));
    assert_eq!(from_common.stop_timeout, Some(TimeSpan::from_secs(60)));
    assert_eq!(default.stop_timeout, None);
    assert_eq!(own.deploy.start_limit, Some(StartLimit { burst: 5, interval: TimeSpan::from_secs(120) }));
    assert_eq!(default.deploy.start_limit, Some(StartLimit::default()));
    assert_eq!(variable(&own, "A").as_deref(), Some(""));
    assert_eq!(variable(&own, "B").as_deref(), Some("common"));
    assert_eq!(variable(&from_common, "A").as_deref(), Some("common"));
}

#[test]
fn common_options_give_only_what_the_peer_takes_from_there() {
    let wrong = read_with(&json!({"image": "a", "restart_retires": 1, "client_timeout": "2m"}), json!({})).unwrap_err();

    let texts: Vec<String> = wrong.iter().map(ToString::to_string).collect();
    assert!(texts.iter().any(|text| text.starts_with("common_options.image: unknown key")), "{texts:?}");
    assert!(texts.contains(&"common_options.restart_retires: unknown key, did you mean `restart_retries`?".to_owned()));
    assert!(
        texts.contains(
            &"common_options.client_timeout: this is a text, here goes a whole number from 0 to 4294967295".to_owned()
        ),
        "{texts:?}"
    );
    assert_eq!(texts.len(), 3);
}

#[test]
fn what_says_what_to_do_stays_with_the_parameters() {
    let parameters = Parameters::from_value(
        Some(&json!({"auth_username": "kolla", "auth_password": "hunter2", "container_engine": "podman", "api_version": 1.44})),
        json!({"detach": "no", "remove_on_exit": false, "ignore_missing": true, "state": "exited", "tls_verify": "True"}),
    )
    .unwrap();

    assert_eq!((parameters.detach, parameters.remove_on_exit), (Some(false), Some(false)));
    assert_eq!((parameters.ignore_missing, parameters.tls_verify), (Some(true), Some(true)));
    assert_eq!((parameters.state, parameters.container_engine), (Some(State::Exited), Some(Engine::Podman)));
    assert_eq!(parameters.auth_username.as_deref(), Some("kolla"));
    assert_eq!(parameters.auth_password.as_ref().map(Password::expose), Some("hunter2"));
}

#[test]
fn nothing_prints_a_secret() {
    let parameters = Parameters::from_value(
        Some(&json!({"auth_password": "hunter2"})),
        json!({"environment": {"DB_PASSWORD": "hunter2"}, "labels": {"api.key": "hunter2"},
               "command": "run --token hunter2", "healthcheck": {"test": "check --password hunter2"}}),
    )
    .unwrap();
    let wrong = read(json!({"auth_password": ["hunter2"], "environment": {"A": ["hunter2"]}, "labels": "hunter2"}));

    assert!(!format!("{parameters:?} {parameters:#?}").contains("hunter2"), "{parameters:?}");
    assert!(!wrong.unwrap_err().to_string().contains("hunter2"));
}

#[test]
fn parameters_are_read_by_serde_too() {
    let parameters: Parameters = serde_json::from_str(r#"{"name": "a", "restart_retries": "7"}"#).unwrap();

    assert_eq!(parameters.restart_retries, Some(7));
    assert!(serde_json::from_str::<Parameters>(r#"{"nmae": "a"}"#).unwrap_err().to_string().contains("`name`"));
}

// Name, image, command, environment, labels.

#[test]
fn name_and_image_are_needed() {
    let wrong = Parameters::from_value(None, json!({})).unwrap().into_spec(&host()).unwrap_err();

    assert_eq!(
        wrong.to_string(),
        "name: is missing: it is what the container is found by; \
         image: is missing: it is the one field that must be stated"
    );
    assert_eq!(complaints(json!({"name": "db.next"})), ["name: db.next ends in .next, which is kept for replacements"]);
    assert!(complaints(json!({"image": "https://a/b"}))[0].starts_with("image: "));
    assert!(complaints(json!({"name": "../etc"}))[0].starts_with("name: \"../etc\" is no container name"));
}

#[test]
fn an_unknown_parameter_is_answered_with_the_nearest_one() {
    assert_eq!(complaints(json!({"volume": []})), ["volume: unknown key, did you mean `volumes`?"]);
    assert_eq!(complaints(json!({"container_name": "a"})), ["container_name: unknown key, did you mean `name`?"]);
}

#[test]
fn a_command_is_split_as_a_shell_would_split_it() {
    let command = spec(json!({"command": "bash -c 'sleep 1'"})).command.unwrap();

    assert_eq!(command.argv(), ["bash", "-c", "sleep 1"]);
    assert!(complaints(json!({"command": "bash -c 'sleep"}))[0].starts_with("command: "));
}

/// Bug 3: an empty command string was an index error.
#[test]
fn an_empty_command_is_the_images() {
    for empty in [json!(""), json!("  "), json!(null), json!([])] {
        assert_eq!(spec(json!({"command": empty})).command, None);
    }
}

#[test]
fn service_name_and_time_zone_are_injected_unless_stated() {
    let injected = spec(json!({}));
    let stated = spec(json!({"environment": {"KOLLA_SERVICE_NAME": "mine", "TZ": "UTC"}}));

    assert_eq!(variable(&injected, "KOLLA_SERVICE_NAME").as_deref(), Some("nova-compute"));
    assert_eq!(variable(&injected, "TZ").as_deref(), Some("Europe/Berlin"));
    assert_eq!(variable(&stated, "KOLLA_SERVICE_NAME").as_deref(), Some("mine"));
    assert_eq!(variable(&stated, "TZ").as_deref(), Some("UTC"));
}

/// A host that an older kolla-ansible deployed, which mounts the time zone, keeps its containers.
#[test]
fn the_time_zone_is_not_injected_where_it_is_mounted() {
    let mounted = spec(json!({"volumes": ["/etc/localtime:/etc/localtime:ro", ""]}));

    assert_eq!(variable(&mounted, "KOLLA_SERVICE_NAME").as_deref(), Some("nova-compute"));
    assert_eq!(variable(&mounted, "TZ"), None);
}

/// Bug 17: `1` in the request and `"1"` at the engine differed for ever.
#[test]
fn a_variable_that_is_no_text_becomes_the_text_that_python_makes_of_it() {
    let read = spec(json!({"environment": {"A": 1, "B": true, "C": false, "D": null, "E": 1.0, "F": -2, "G": "true"}}));

    let values: Vec<Option<String>> = ["A", "B", "C", "D", "E", "F", "G"].map(|name| variable(&read, name)).into();
    assert_eq!(values, ["1", "True", "False", "", "1.0", "-2", "true"].map(|text| Some(text.to_owned())));
    assert!(read.environment.unwrap().0.values().all(|value| matches!(value, Variable::Value(_))));
    assert!(complaints(json!({"environment": {"A": {"secret": "x"}}}))[0].starts_with("environment[A]: "));
}

/// Bug 16: a label that is null differed for ever.
#[test]
fn a_null_label_is_the_empty_text() {
    let labels = spec(json!({"labels": {"BOOTSTRAP": null, "N": 1}})).labels.unwrap();

    assert_eq!((labels.0["BOOTSTRAP"].as_str(), labels.0["N"].as_str()), ("", "1"));
    assert_eq!(spec(json!({"labels": {}})).labels, None);
}

// Mounts.

#[test]
fn every_form_of_a_volume_is_read() {
    let read = spec(json!({"volumes": [
        "data:/data/", "logs:/logs:ro", "/a/:/b/", "/c:/d:rw", "/e:/f:shared", "/anonymous", "", " ", null,
    ]}));

    assert_eq!(read.mounts.as_ref().unwrap().0.len(), 6);
    assert!(matches!(mount(&read, "/data"), Mount::Volume(Volume { name: Some(_), read_only: false, .. })));
    assert!(matches!(mount(&read, "/logs"), Mount::Volume(Volume { read_only: true, .. })));
    assert!(matches!(mount(&read, "/b"), Mount::Bind(bind) if bind.source.as_str() == "/a" && !bind.read_only));
    assert!(matches!(mount(&read, "/f"), Mount::Bind(bind) if bind.propagation == Propagation::Shared));
    assert_eq!(mount(&read, "/anonymous"), Mount::Volume(Volume::default()));
    assert_eq!(spec(json!({"volumes": ["", null], "tmpfs": [""]})).mounts, None);
}

/// Bug 4: `/path:ro` was an index error on Docker and an engine error on Podman.
#[test]
fn a_path_with_a_mode_is_an_anonymous_volume() {
    let read = spec(json!({"volumes": ["/path:ro"]}));

    assert_eq!(mount(&read, "/path"), Mount::Volume(Volume { read_only: true, ..Volume::default() }));
}

/// Bug 20: Podman mounted the node exporter's `/:/host:ro,rslave` read-write and private.
#[test]
fn every_mode_of_a_bind_counts() {
    let Mount::Bind(root) = mount(&service("prometheus_node_exporter"), "/host") else { panic!("no bind") };

    assert_eq!(root.source.as_str(), "/");
    assert!(root.read_only);
    assert_eq!(root.propagation, Propagation::RSlave);
    assert!(
        complaints(json!({"volumes": ["/a:/b:ro,sideways"]}))[0].starts_with("volumes[0]: \"sideways\" is no option")
    );
}

/// Bug 26: a dictionary keyed by source lost the first of two mounts of one source.
#[test]
fn one_source_at_two_targets_is_two_mounts() {
    let read = spec(json!({"volumes": ["data:/a", "data:/b:ro", "/x:/c", "/x:/d"]}));

    assert_eq!(read.mounts.unwrap().0.len(), 4);
}

/// kolla-ansible makes one list of its own and of what operators add to it.
#[test]
fn of_one_mount_that_stands_several_times_the_last_one_counts() {
    let read = spec(json!({
        "volumes": ["/dev:/dev", "data:/a", "/anonymous", "/dev/:/dev/:ro", "data:/a", "/anonymous"],
        "tmpfs": ["/run", "/run:size=64m"],
    }));

    assert_eq!(read.mounts.as_ref().unwrap().0.len(), 4);
    assert!(matches!(mount(&read, "/dev"), Mount::Bind(bind) if bind.read_only));
    assert!(matches!(mount(&read, "/run"), Mount::Tmpfs(tmpfs) if tmpfs.size.is_some()));
}

#[test]
fn a_target_has_one_mount() {
    assert_eq!(
        complaints(json!({"volumes": ["", "data:/a/", "/x:/a"], "tmpfs": ["/a"]})),
        [
            "volumes[2]: two mounts at /a: data and /x; a target has one mount",
            "tmpfs[0]: two mounts at /a: data and tmpfs; a target has one mount"
        ]
    );
}

#[test]
fn a_volume_that_is_none_is_a_violation_of_its_own() {
    let complaints = complaints(json!({"volumes": [
        "data:/a:ro:z", ":/b", "data", "data:relative", "/x:/", "data:/c:shared", "a/b:/d", "/e:",
        "v:/f:subpath=../x",
    ]}));

    for (index, (complaint, words)) in complaints
        .iter()
        .zip([
            "has 4 fields",
            "has an empty field",
            "is no absolute path",
            "is no absolute path",
            "over the root",
            "no option of a volume",
            "is no volume name",
            "has an empty field",
            "leaves its volume",
        ])
        .enumerate()
    {
        assert!(complaint.starts_with(&format!("volumes[{index}]: ")) && complaint.contains(words), "{complaint}");
    }
    assert_eq!(complaints.len(), 9);
}

#[test]
fn devpts_is_a_file_system_for_podman_and_a_volume_for_docker() {
    let podman = spec(json!({"volumes": ["devpts:/dev/pts"], "container_engine": "podman"}));
    let docker = spec(json!({"volumes": ["devpts:/dev/pts"]}));

    assert_eq!(mount(&podman, "/dev/pts"), Mount::Devpts);
    assert!(matches!(mount(&docker, "/dev/pts"), Mount::Volume(_)));
    assert!(
        complaints(json!({"volumes": ["devpts:/dev/pts:ro"], "container_engine": "podman"}))[0].contains("no mode")
    );
}

/// Bug 18: options of a tmpfs differed for ever on Docker; Podman dropped the whole list.
#[test]
fn a_tmpfs_has_its_options() {
    let read = spec(json!({"tmpfs": ["/run:size=64m,noexec", "/tmp/", "", null]}));

    let Mount::Tmpfs(run) = mount(&read, "/run") else { panic!("no tmpfs") };
    assert_eq!(run.size, Some(ByteSize::mib(64)));
    assert_eq!(run.options_text(), "size=64m,noexec");
    assert!(matches!(mount(&read, "/tmp"), Mount::Tmpfs(_)));
    assert!(complaints(json!({"tmpfs": ["run"]}))[0].starts_with("tmpfs[0]: the target of \"run\""));
}

#[test]
fn volumes_of_other_containers_are_read() {
    let read = spec(json!({"volumes_from": ["a", "b:ro"]})).volumes_from.unwrap();

    assert_eq!(read.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a", "b:ro"]);
    assert!(complaints(json!({"volumes_from": ["a", "b:zz"]}))[0].starts_with("volumes_from[1]: "));
}

// Dimensions.

/// Bug 5: `64mb` and `0.1g` were created and then crashed the comparison.
#[test]
fn memory_is_read_in_every_unit() {
    let amounts: Vec<(Value, u64)> = vec![
        (json!(1024), 1024),
        (json!("1024"), 1024),
        (json!("1024b"), 1024),
        (json!("64M"), 64 << 20),
        (json!("64mb"), 64 << 20),
        (json!("1G"), 1 << 30),
        (json!("0.5g"), 1 << 29),
        (json!("1 GiB"), 1 << 30),
    ];
    for (written, bytes) in amounts {
        let resources = spec(json!({"dimensions": {"mem_limit": written}})).resources;

        assert_eq!(resources.memory, Some(Limit::At(ByteSize::from_bytes(bytes))), "{written}");
    }
}

#[test]
fn memory_of_zero_is_no_limit_as_it_is_to_the_engines() {
    for zero in [json!(0), json!("0"), json!("0m"), json!(-1)] {
        assert_eq!(spec(json!({"dimensions": {"mem_limit": zero}})).resources.memory, Some(Limit::Unlimited));
    }

    let swap = spec(json!({"dimensions": {"mem_limit": "1g", "memswap_limit": 0}})).resources.memory_swap;
    assert_eq!(swap, None, "engines take 0 for not stated here");
    assert_eq!(spec(json!({"dimensions": {"mem_limit": null}})).resources.memory, None);
}

#[test]
fn memory_that_cannot_be_read_is_one_violation_that_says_what_is_right() {
    assert_eq!(
        complaints(json!({"dimensions": {"mem_limit": "2E", "memswap_limit": "4g"}})),
        ["dimensions.mem_limit: the unit [E] in \"2E\" is not supported for the dimension [mem_limit]: \
          it is b, k, m, g, t or p"]
    );
    let empty = complaints(json!({"dimensions": {"mem_limit": ""}}));
    assert!(empty[0].starts_with("dimensions.mem_limit: the size is empty: write a number"), "{empty:?}");
    assert!(complaints(json!({"dimensions": {"mem_limit": [1]}}))[0].starts_with("dimensions.mem_limit: is no size"));
    assert!(complaints(json!({"dimensions": {"mem_limit": "-5m"}}))[0].contains("is negative"));
    assert!(complaints(json!({"dimensions": {"mem_limit": "0.0001k"}}))[0].contains("0 is no limit"));
}

#[test]
fn every_dimension_has_its_field() {
    let resources = spec(json!({"dimensions": {
        "cpu_period": 100_000, "cpu_quota": "50000", "cpu_shares": 512, "cpuset_cpus": "0-2,5", "cpuset_mems": 0,
        "mem_limit": "1g", "mem_reservation": "512m", "memswap_limit": "2g", "kernel_memory": "64m",
        "blkio_weight": 100,
    }}))
    .resources;

    assert_eq!(resources.cpu_period, Some(TimeSpan::from_millis(100)));
    assert_eq!(resources.cpu_quota, Some(Limit::At(TimeSpan::from_millis(50))));
    assert_eq!(resources.cpu_shares, Some(512));
    assert_eq!(resources.cpuset_cpus.unwrap().to_string(), "0-2,5");
    assert_eq!(resources.cpuset_mems.unwrap().to_string(), "0");
    assert_eq!(resources.memory_reservation, Some(Limit::At(ByteSize::mib(512))));
    assert_eq!(resources.memory_swap, Some(Limit::At(ByteSize::gib(2))));
    assert_eq!(resources.kernel_memory, Some(Limit::At(ByteSize::mib(64))));
    assert_eq!(resources.blkio_weight, Some(100));
    assert_eq!(spec(json!({"dimensions": {"cpu_quota": -1}})).resources.cpu_quota, Some(Limit::Unlimited));
}

/// Bug 28: limits of files and processes were taken away on Podman.
#[test]
fn every_ulimit_counts() {
    let ulimits = spec(json!({"dimensions": {"ulimits": {
        "nofile": {"soft": 1024, "hard": "2048"}, "RLIMIT_NPROC": {"soft": -1, "hard": -1}, "memlock": null,
    }}}))
    .resources
    .ulimits
    .unwrap();

    let texts: Vec<String> = ulimits.iter().map(|(name, limit)| format!("{name}={limit}")).collect();
    assert_eq!(texts, ["nofile=1024:2048", "nproc=unlimited"]);
}

#[test]
fn a_dimension_that_is_wrong_is_said_under_its_own_name() {
    assert_eq!(
        complaints(json!({"dimensions": {"mem_limt": 1}})),
        ["dimensions.mem_limt: unknown key, did you mean `mem_limit`? (kolla: Unsupported dimensions)"]
    );
    let complaints = complaints(json!({"dimensions": {
        "zzz": 1, "cpu_period": "10ms", "cpu_shares": 1, "cpuset_cpus": "a", "blkio_weight": 100_000,
        "memswap_limit": "1g",
        "ulimits": {"nofiles": {"soft": 1}, "nofile": {"soft": 2, "hard": 1}, "nproc": {"soft": "x", "hard": 1}, "core": {"hard": 1, "sfot": 1}},
    }}));
    for start in [
        "dimensions.zzz: unknown key; known here are blkio_weight, ",
        "dimensions.cpu_period: is no whole number of microseconds",
        "dimensions.cpu_shares: is from 2",
        "dimensions.cpuset_cpus: `a` is not a list",
        "dimensions.blkio_weight: is no whole number",
        "dimensions.memswap_limit: needs dimensions.mem_limit",
        "dimensions.ulimits[nofiles]: \"nofiles\" is no ulimit",
        "dimensions.ulimits[nofile]: the soft limit 2 is above",
        "dimensions.ulimits[nproc].soft: `x` is not a limit",
        "dimensions.ulimits[core].soft: is missing",
        "dimensions.ulimits[core].sfot: unknown key",
    ] {
        assert!(complaints.iter().any(|complaint| complaint.starts_with(start)), "{start} in {complaints:#?}");
    }
    assert_eq!(complaints.len(), 11, "{complaints:#?}");
    assert!(read(json!({"dimensions": []})).is_err());
}

// Health check.

#[test]
fn a_health_check_is_a_list_or_a_text() {
    let check = |test: Value| json!({"healthcheck": {"test": test, "interval": " 30 ", "timeout": 10.0, "start_period": 0, "retries": "3"}});

    let text = spec(check(json!("curl -f localhost"))).healthcheck;
    let shell = spec(check(json!(["CMD-SHELL", "curl -f localhost"]))).healthcheck;
    let exec = spec(check(json!(["CMD", "sleep", 1]))).healthcheck;

    assert_eq!(text, shell);
    assert_eq!(exec.test, Some(HealthTest::Exec(vec!["sleep".to_owned(), "1".to_owned()])));
    assert_eq!((text.interval, text.timeout), (Some(TimeSpan::from_secs(30)), Some(TimeSpan::from_secs(10))));
    assert_eq!((text.retries, text.start_period), (Some(3), None));
}

/// Bug 13: `NONE` never reached the engine, and the image's check stayed on.
#[test]
fn none_switches_the_images_check_off_and_needs_no_other_key() {
    for none in [json!({"test": "NONE"}), json!({"test": ["NONE"], "interval": 30, "timeout": 5})] {
        assert_eq!(spec(json!({"healthcheck": none})).healthcheck, Healthcheck::none());
    }
    for absent in [json!(null), json!({})] {
        assert!(spec(json!({"healthcheck": absent})).healthcheck.is_empty());
    }
}

#[test]
fn a_health_check_has_exactly_its_five_keys_and_whole_seconds() {
    let complaints =
        complaints(json!({"healthcheck": {"tset": "x", "interval": "30s", "timeout": 1.5, "retries": [3]}}));

    assert_eq!(
        complaints,
        [
            "healthcheck.tset: unknown key, did you mean `test`? (kolla: Unsupported healthcheck options)",
            "healthcheck.test: is missing: all five keys are stated (kolla: Missing healthcheck option)",
            "healthcheck.start_period: is missing: all five keys are stated (kolla: Missing healthcheck option)",
            "healthcheck.interval: cannot parse healthcheck \"30s\": expected an integer, the seconds",
            "healthcheck.timeout: cannot parse healthcheck 1.5: expected an integer, the seconds",
            "healthcheck.retries: cannot parse healthcheck: expected an integer, the number of failures in a row",
        ]
    );
    assert!(read(json!({"healthcheck": "NONE"})).is_err());
    assert!(
        self::complaints(
            json!({"healthcheck": {"test": "", "interval": 1, "timeout": 1, "start_period": 1, "retries": 1}})
        )[0]
        .starts_with("healthcheck.test: the test is empty")
    );
}

// Restart policy, timeouts.

#[test]
fn each_restart_policy_has_its_own() {
    let policies = [
        (json!(null), RestartPolicy::No, None),
        (json!("no"), RestartPolicy::No, None),
        (json!(false), RestartPolicy::No, None),
        (json!("oneshot"), RestartPolicy::No, Some(false)),
        (json!("on-failure"), RestartPolicy::OnFailure(None), None),
        (json!("always"), RestartPolicy::Always, None),
        (json!("unless-stopped"), RestartPolicy::UnlessStopped, None),
    ];
    for (written, policy, supervised) in policies {
        let read = spec(json!({"restart_policy": written}));

        assert_eq!((read.restart, read.deploy.supervised), (Some(policy), supervised), "{written}");
    }
    assert!(complaints(json!({"restart_policy": "sometimes"}))[0].contains("is one of no, on-failure, oneshot"));
}

/// Bug 7: no retries divided by zero, and many of them made a negative pause.
#[test]
fn the_retries_fit_into_the_client_timeout() {
    let fits = spec(json!({"restart_retries": "20", "client_timeout": 60}));

    assert_eq!(fits.deploy.start_limit, Some(StartLimit { burst: 20, interval: TimeSpan::from_secs(60) }));
    assert_eq!(fits.deploy.deadlines.request, Some(TimeSpan::from_secs(60)));
    assert_eq!(
        complaints(json!({"restart_retries": 0})),
        ["restart_retries: 0 starts would never start it: it is at least 1"]
    );
    assert!(complaints(json!({"restart_retries": 100}))[0].starts_with("restart_retries: 100 starts do not fit"));
    assert!(complaints(json!({"client_timeout": 0}))[0].starts_with("client_timeout: 0 seconds"));
    assert!(complaints(json!({"restart_retries": -1}))[0].starts_with("restart_retries: "));
}

/// Bug 7: a null graceful timeout reached the unit as `-t None`.
#[test]
fn a_graceful_timeout_that_is_null_is_not_stated() {
    assert_eq!(spec(json!({"graceful_timeout": null})).stop_timeout, None);
    assert_eq!(spec(json!({"graceful_timeout": "300"})).stop_timeout, Some(TimeSpan::from_secs(300)));
}

// Security, namespaces, what is fixed.

#[test]
fn capabilities_are_the_same_in_every_spelling() {
    let read = spec(json!({"cap_add": ["NET_ADMIN", "CAP_NET_RAW", "net_admin"]})).security.cap_add.unwrap();

    assert_eq!(read.iter().map(ToString::to_string).collect::<Vec<_>>(), ["CAP_NET_ADMIN", "CAP_NET_RAW"]);
    assert!(complaints(json!({"cap_add": ["NET_ADMIN", "no such"]}))[0].starts_with("cap_add[1]: "));
    assert_eq!(spec(json!({"cap_add": []})).security.cap_add, None);
}

#[test]
fn podman_gets_the_capability_that_the_peer_adds_there() {
    let added = |parameters| {
        spec(parameters).security.cap_add.map(|added| added.iter().map(ToString::to_string).collect::<Vec<_>>())
    };

    assert_eq!(added(json!({"container_engine": "podman"})), Some(vec!["CAP_AUDIT_WRITE".to_owned()]));
    assert_eq!(added(json!({"container_engine": "podman", "privileged": true})), None);
    assert_eq!(added(json!({"container_engine": "docker"})), None);
}

/// Bug 18: Podman dropped every security option.
#[test]
fn security_options_are_read_in_every_spelling() {
    let read = spec(json!({"security_opt": ["label:disable", "apparmor=unconfined", "no-new-privileges"]})).security;
    let off = spec(json!({"security_opt": ["no-new-privileges:false"]})).security;

    assert_eq!(read.no_new_privileges, Some(true));
    assert_eq!(read.security_opt.unwrap().len(), 2);
    assert_eq!((off.no_new_privileges, off.security_opt), (Some(false), None));
    assert!(complaints(json!({"security_opt": ["no-new-privileges=perhaps"]}))[0].starts_with("security_opt[0]: "));
}

#[test]
fn an_empty_namespace_mode_is_not_stated() {
    let read = spec(json!({"ipc_mode": "", "pid_mode": "", "cgroupns_mode": null}));

    assert_eq!(read.namespaces, crate::spec::Namespaces::default());
    assert_eq!(spec(json!({"ipc_mode": "shareable"})).namespaces.ipc, Some(NamespaceMode::Shareable));
    assert_eq!(
        complaints(json!({"ipc_mode": "none", "pid_mode": "shareable", "cgroupns_mode": "keep-id"})),
        [
            "ipc_mode: \"none\" is no ipc_mode: it is one of host, private, shareable",
            "pid_mode: \"shareable\" is no pid_mode: it is one of host, private",
            "cgroupns_mode: \"keep-id\" is no cgroupns_mode: it is one of private, host",
        ]
    );
}

#[test]
fn network_and_missing_sources_are_always_the_same() {
    let read = spec(json!({"tty": "yes", "privileged": true}));

    assert_eq!(read.network.mode, Some(NetworkMode::Host));
    assert_eq!(read.deploy.create_missing_sources, Some(true));
    assert_eq!((read.tty, read.security.privileged), (Some(true), Some(true)));
    assert!(complaints(json!({"tty": "perhaps"}))[0].starts_with("tty: this is a text, here goes true or false"));
}

#[test]
fn the_configuration_is_checked_where_a_strategy_says_what_a_stale_one_needs() {
    let stale = |strategy: &str| {
        spec(json!({"environment": {"KOLLA_CONFIG_STRATEGY": strategy}})).deploy.config_check.map(|check| check.stale)
    };

    assert_eq!(stale("COPY_ALWAYS"), Some(Stale::Restart));
    assert_eq!(stale("COPY_ONCE"), Some(Stale::Recreate));
    assert_eq!(spec(json!({})).deploy.config_check, None);
    assert!(
        complaints(json!({"environment": {"KOLLA_CONFIG_STRATEGY": "COPY_TWICE"}}))[0]
            .starts_with("environment[KOLLA_CONFIG_STRATEGY]: ")
    );
}

// Documents.

#[test]
fn all_mistakes_of_a_document_are_said_at_once_and_each_once() {
    let complaints = document_complaints(json!({
        "abuot": "x",
        "common_options": {"restart_policy": "sometimes"},
        "services": [
            {"service": "db", "container_name": "mariadb", "image": "a", "volumes": ["", "", "data"],
             "healthcheck": {"test": "x", "interval": "30s", "timeout": 1, "start_period": 1, "retries": 1}},
            {"container_name": "../x", "image": "A:b:c", "volumes": ["/a:/b:c:d"]},
            {"name": "cron", "image": "a", "enabled": true, "privileged": "perhaps", "dimensions": {"mem_limit": "1x"}},
            "text",
        ],
    }));

    let starts = [
        "abuot: unknown key, did you mean `about`?",
        "common_options.restart_policy: ",
        "services[mariadb].volumes[2]: ",
        "services[mariadb].healthcheck.interval: ",
        "services[1].container_name: ",
        "services[1].image: ",
        "services[1].volumes[0]: ",
        "services[cron].enabled: ",
        "services[cron].privileged: ",
        "services[cron].dimensions.mem_limit: ",
        "services[3]: this is a text, here goes the parameters of a container",
    ];
    for start in starts {
        assert!(complaints.iter().any(|complaint| complaint.starts_with(start)), "{start} in {complaints:#?}");
    }
    assert_eq!(complaints.len(), starts.len(), "{complaints:#?}");
}

#[test]
fn two_services_of_one_name_are_a_violation() {
    let one = json!({"container_name": "db", "image": "a"});
    let two = json!({"name": "db", "image": "b", "volumes": ["x"]});

    let complaints = document_complaints(json!({"services": [one, two]}));

    assert_eq!(complaints[0], "services[1].name: db is the name of services[0] too");
    assert!(complaints[1].starts_with("services[1].volumes[0]: "));
    assert_eq!(complaints.len(), 2);
}

#[test]
fn a_service_has_one_name() {
    assert_eq!(
        document_complaints(json!({"services": [{"container_name": "a", "name": "b", "image": "c"}]})),
        ["services[b].container_name: is the same as `name`, which is stated too: state one of them"]
    );
    assert_eq!(
        document_complaints(json!({"services": [{"image": "c"}]})),
        ["services[0].name: is missing: it is what the container is found by"]
    );
}

#[test]
fn services_and_oneshots_do_not_stand_in_each_others_way() {
    let document = json!({
        "services": [{"name": "a", "image": "a", "action": "start_container"}],
        "oneshots": [{"name": "b", "image": "b", "action": "start_container", "service": "x"}],
    });

    let services = read_document(document.clone(), &host()).unwrap_err();
    let oneshots = read_oneshots(document.clone(), &host()).unwrap_err();
    let both = Document::read(document, &host()).unwrap_err();

    assert!(services.to_string().starts_with("services[a].action: unknown key"));
    assert!(oneshots.to_string().starts_with("oneshots[b].service: unknown key"));
    assert_eq!(both.iter().count(), 2);
}

#[test]
fn a_document_that_is_none_is_one_violation() {
    assert_eq!(document_complaints(json!([])), ["this is a list, here goes an object"]);
    assert_eq!(document_complaints(json!({})), ["services: is missing: it is the list of containers"]);
    assert_eq!(document_complaints(json!({"services": {}})).len(), 1);
    assert_eq!(
        document_complaints(json!({"common_options": [], "services": [["db", "mariadb"]]})),
        ["common_options: this is a list, here goes an object", "services[0]: this is a list, here goes an object"]
    );
}
