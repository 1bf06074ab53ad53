//! The 24 real services of kolla-ansible on a real engine: made, left alone, put right.
//!
//! Their images are one that does nothing, under their names. Containers, volumes and most folders of the host are the
//! case's own, and new containers are watched for a moment only. Besides, only what nobody may have so much of is adapted:
//! see `lowered`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use kolla_container_core::dialect::kolla::{Host, read_document};
use kolla_container_core::diff::Comparison;
use kolla_container_core::plan::Effect;
use kolla_container_core::spec::{Mount, Mounts, Ulimit};
use kolla_container_core::state::Status;
use kolla_container_core::{ContainerName, ContainerSpec, Goal, Goals, ImageRef, Limit, Plan, TimeSpan};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{by_hand, changed, sh};
use crate::cases;
use crate::harness::Harness;

cases! { "services";
    all_are_made_and_then_nothing_is_to_do exclusive;
    what_others_did_to_some_is_named_and_put_right exclusive;
    one_with_a_stale_configuration_is_restarted_and_the_others_are_left_alone exclusive;
}

const SERVICES: &str = include_str!("../../../kolla-container-core/testdata/kolla_services.json");

/// What is mounted of the host itself. The rest is not on every machine, and is not to be made on this one.
const EVERYWHERE: [&str; 5] = ["/", "/dev", "/dev/shm", "/run", "/sys/fs/cgroup"];

/// Has the check of the configuration say that it is stale, as long as the main program is the one that it is now.
const STALE: &str = "
    began='read -r stat </proc/1/stat; set -- $stat; shift 21'
    eval \"$began\"
    echo \"$began; [ \\$1 != $1 ]\" >>/usr/local/bin/kolla_set_configs
";

struct Services<'a> {
    h: &'a Harness,
    specs: BTreeMap<ContainerName, ContainerSpec>,
    _folder: TempDir,
}

impl<'a> Services<'a> {
    async fn of(h: &'a Harness) -> Self {
        let mut document: Value = serde_json::from_str(SERVICES).unwrap();
        document["common_options"]["container_engine"] = json!(h.runtime().engine().kind.to_string());
        let host = Host { time_zone: "Europe/Berlin".to_owned() };
        let services = read_document(document, &host).unwrap();
        let images: BTreeSet<&ImageRef> = services.values().filter_map(|spec| spec.image.as_ref()).collect();
        let stub = h.see_image(&"localhost/kit/stub:1".parse().unwrap()).await.id;
        for image in images {
            h.remember_image(image);
            h.runtime().tag_image(&stub, image).await.unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let own = |(name, spec): (ContainerName, _)| (h.name(name.as_str()), own(h, &folder, spec));
        Self { h, specs: services.into_iter().map(own).collect(), _folder: folder }
    }

    /// They run.
    async fn running(h: &'a Harness) -> Self {
        let services = Self::of(h).await;
        let report = h.reconciler().reconcile(&services.goals()).await.unwrap();
        assert!(report.is_success(), "{report}");
        assert_eq!(report.counts(), BTreeMap::from([(Effect::Created, 24)]));
        services
    }

    fn goals(&self) -> Goals {
        self.specs.iter().map(|(name, spec)| (name.clone(), Goal::running(spec.clone()))).collect()
    }

    /// Sees that nothing is to do, compared strictly and as kolla-ansible compares.
    async fn assert_reached(&self) {
        for comparison in [Comparison::strict(), Comparison::kolla()] {
            let (reconciler, tally) = self.h.watched();
            let reconciler = reconciler.with_comparison(comparison);

            let plan = reconciler.plan(&self.goals()).await.unwrap();
            let report = reconciler.reconcile(&self.goals()).await.unwrap();

            assert_eq!(plan.to_string(), "Nothing to do: 24 containers as they should be.\n");
            assert!(report.is_success() && !report.is_changed(), "{report}");
            assert_eq!(tally.writes(), Vec::<&str>::new());
        }
    }

    /// Each service with something to do: what is done, and what differs.
    fn named(&self, plan: &Plan) -> Vec<(String, Effect, Vec<String>)> {
        let prefix = self.h.name("");
        let to_do = plan.containers.iter().filter(|plan| !plan.is_empty());
        let named = to_do.map(|plan| {
            let service = plan.name.as_str().strip_prefix(prefix.as_str()).unwrap();
            (service.to_owned(), plan.effect, changed(plan))
        });
        let mut named: Vec<_> = named.collect();
        named.sort();
        named
    }
}

/// A service with volumes and folders of the case's own, which is watched for a moment only.
fn own(h: &Harness, folder: &TempDir, mut spec: ContainerSpec) -> ContainerSpec {
    for mount in spec.mounts.iter_mut().flat_map(|Mounts(mounts)| mounts.values_mut()) {
        match mount {
            Mount::Volume(volume) => volume.name = volume.name.take().map(|name| h.volume(name.as_str())),
            Mount::Bind(bind) if !EVERYWHERE.contains(&bind.source.as_str()) => {
                bind.source = format!("{}{}", folder.path().display(), bind.source).parse().unwrap();
            }
            _ => {}
        }
    }
    spec.deploy.settle = Some(TimeSpan::from_secs(1));
    // Their first check comes half a minute after the start.
    spec.deploy.healthy = Some(false);
    lowered(spec)
}

/// Limits above those of this process take a capability that it may not have: they are lowered to them.
fn lowered(mut spec: ContainerSpec) -> ContainerSpec {
    for (name, stated) in spec.resources.ulimits.iter_mut().flatten() {
        let most = match name.as_str() {
            "memlock" => most("Max locked memory"),
            "nofile" => most("Max open files"),
            _ => None,
        };
        let lower = |limit: Limit<u64>| {
            most.map_or(limit, |most| Limit::At(limit.value().map_or(most, |stated| stated.min(most))))
        };
        *stated = Ulimit { soft: lower(stated.soft), hard: lower(stated.hard) };
    }
    spec
}

/// How much of something a program may have, where that is limited.
fn most(limit: &str) -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix(limit)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().ok()
}

async fn all_are_made_and_then_nothing_is_to_do(h: &Harness) {
    let services = Services::running(h).await;

    services.assert_reached().await;

    for name in services.specs.keys() {
        assert_eq!(h.see(name).await.status, Status::Running, "{name}");
    }
}

async fn what_others_did_to_some_is_named_and_put_right(h: &Harness) {
    let services = Services::running(h).await;
    let [limited, remade, stopped, paused] = ["mariadb", "horizon", "etcd", "haproxy"].map(|name| h.name(name));

    // What others change is seen where the engine keeps it.
    let is_limited = h.runtime().engine().features.can_update("resources.memory");
    if is_limited {
        by_hand(h, &["update", "--memory", "512m", "--memory-swap", "-1", limited.as_str()]).await;
    }
    by_hand(h, &["rm", "--force", remade.as_str()]).await;
    h.start(&remade, &services.specs[&remade].clone().with_environment([("ENABLE_HEAT", "no")])).await;
    by_hand(h, &["stop", stopped.as_str()]).await;
    by_hand(h, &["pause", paused.as_str()]).await;

    for comparison in [Comparison::strict(), Comparison::kolla()] {
        let plan = h.reconciler().with_comparison(comparison).plan(&services.goals()).await.unwrap();
        let named = services.named(&plan);
        let is = |(name, effect, differs): &(&str, Effect, &[&str])| {
            ((*name).to_owned(), *effect, differs.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>())
        };
        let mut expected: Vec<(&str, Effect, &[&str])> = vec![
            ("etcd", Effect::Started, &[]),
            ("haproxy", Effect::Unpaused, &[]),
            ("horizon", Effect::Replaced, &["environment[ENABLE_HEAT]"]),
        ];
        if is_limited {
            expected.push(("mariadb", Effect::Replaced, &["resources.memory"]));
        }
        assert_eq!(named, expected.iter().map(is).collect::<Vec<_>>(), "{plan}");
    }
    let report = h.reconciler().reconcile(&services.goals()).await.unwrap();
    assert!(report.is_success(), "{report}");
    let replaced = 1 + usize::from(is_limited);
    let counts =
        [(Effect::Unchanged, 22 - replaced), (Effect::Started, 1), (Effect::Replaced, replaced), (Effect::Unpaused, 1)];
    assert_eq!(report.counts(), counts.into());
    services.assert_reached().await;
}

async fn one_with_a_stale_configuration_is_restarted_and_the_others_are_left_alone(h: &Harness) {
    let services = Services::running(h).await;
    let check = async || {
        let (reconciler, tally) = h.watched();
        let report = reconciler.checking_config(true).reconcile(&services.goals()).await.unwrap();
        assert!(report.is_success(), "{report}");
        (report, tally)
    };
    let name = h.name("mariadb");
    let before = h.see(&name).await;

    let (fresh, asked) = check().await;
    sh(h, &before.id, STALE).await;
    let plan = h.reconciler().checking_config(true).plan(&services.goals()).await.unwrap();
    let (stale, acted) = check().await;
    let (again, _) = check().await;

    assert!(!fresh.is_changed() && !again.is_changed(), "{fresh}{again}");
    assert_eq!((asked.count("exec"), asked.writes()), (24, Vec::new()));
    assert_eq!(services.named(&plan), [("mariadb".to_owned(), Effect::Restarted, Vec::new())], "{plan}");
    assert_eq!(stale.counts(), [(Effect::Unchanged, 23), (Effect::Restarted, 1)].into());
    assert_eq!(acted.writes(), ["restart_container"]);
    let after = h.see(&name).await;
    assert_eq!(after.id, before.id);
    assert!(after.started > before.started);
}
