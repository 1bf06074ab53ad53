//! The 24 real services of kolla-ansible on a real engine: made, left alone, put right.
//!
//! Their images are one that does nothing, under their names. Containers and volumes have names of the case, and new
//! containers are watched for a moment only. Besides, only what the machine cannot do is adapted: see [`on_this_machine`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use kolla_container_core::dialect::kolla::{Host, read_document};
use kolla_container_core::diff::Comparison;
use kolla_container_core::plan::Effect;
use kolla_container_core::spec::{Mount, Mounts, Ulimit};
use kolla_container_core::state::Status;
use kolla_container_core::{ContainerName, ContainerSpec, Goal, Goals, ImageRef, Limit, Plan, TimeSpan};
use kolla_container_testkit::{Harness, cases};
use serde_json::json;

use crate::{api, changed, sh};

cases! { "services";
    all_are_made_and_then_nothing_is_to_do exclusive;
    what_others_did_to_some_is_named_and_put_right exclusive;
    one_with_a_stale_configuration_is_restarted_and_the_others_are_left_alone exclusive;
}

const SERVICES: &str = include_str!("../../../kolla-container-core/testdata/kolla_services.json");

struct Services<'a> {
    h: &'a Harness,
    specs: BTreeMap<ContainerName, ContainerSpec>,
}

impl<'a> Services<'a> {
    async fn of(h: &'a Harness) -> Self {
        let host = Host { time_zone: "Europe/Berlin".to_owned() };
        let services = read_document(serde_json::from_str(SERVICES).unwrap(), &host).unwrap();
        let images: BTreeSet<&ImageRef> = services.values().filter_map(|spec| spec.image.as_ref()).collect();
        let stub = h.see_image(&"localhost/kit/stub:1".parse().unwrap()).await.id;
        for image in images {
            h.remember_image(image);
            h.runtime().tag_image(&stub, image).await.unwrap();
        }
        let own = |(name, spec): (ContainerName, _)| (h.name(name.as_str()), own(h, spec));
        Self { h, specs: services.into_iter().map(own).collect() }
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

/// A service with volumes of the case's own, which is watched for a moment only.
fn own(h: &Harness, mut spec: ContainerSpec) -> ContainerSpec {
    for mount in spec.mounts.iter_mut().flat_map(|Mounts(mounts)| mounts.values_mut()) {
        if let Mount::Volume(volume) = mount {
            volume.name = volume.name.take().map(|name| h.volume(name.as_str()));
        }
    }
    spec.deploy.settle = Some(TimeSpan::from_secs(1));
    on_this_machine(spec)
}

/// - A limit on locked memory above that of this process takes a capability that it may not have: it is lowered to
///   that. A million open files are asked for as they are written: where nobody may have so many, the runtime of the
///   testbed sets what it can.
/// - A kernel without configfs has no `/sys/kernel/config` to mount, and nobody can make it: it is its parent then.
fn on_this_machine(mut spec: ContainerSpec) -> ContainerSpec {
    let memlock = spec.resources.ulimits.iter_mut().flatten().find(|(name, _)| name.as_str() == "memlock");
    if let (Some((_, stated)), Some(most)) = (memlock, most_locked_memory()) {
        let lower = |limit: Limit<u64>| Limit::At(limit.value().map_or(most, |stated| stated.min(most)));
        *stated = Ulimit { soft: lower(stated.soft), hard: lower(stated.hard) };
    }
    for mount in spec.mounts.iter_mut().flat_map(|Mounts(mounts)| mounts.values_mut()) {
        if let Mount::Bind(bind) = mount
            && bind.source.as_str() == "/sys/kernel/config"
            && !Path::new(bind.source.as_str()).exists()
        {
            bind.source = "/sys/kernel".parse().unwrap();
        }
    }
    spec
}

/// How much memory a program may lock, where that is limited.
fn most_locked_memory() -> Option<u64> {
    let limits = fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max locked memory")).unwrap();
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

    let limits = json!({"Memory": 512 << 20, "MemorySwap": -1});
    api::post(&format!("/containers/{limited}/update"), &limits).await;
    h.runtime().remove_container(&h.see(&remade).await.id).await.unwrap();
    h.start(&remade, &services.specs[&remade].clone().with_environment([("ENABLE_HEAT", "no")])).await;
    h.runtime().stop_container(&h.see(&stopped).await.id, None).await.unwrap();
    h.runtime().pause_container(&h.see(&paused).await.id).await.unwrap();

    for comparison in [Comparison::strict(), Comparison::kolla()] {
        let plan = h.reconciler().with_comparison(comparison).plan(&services.goals()).await.unwrap();
        let named = services.named(&plan);
        let is = |(name, effect, differs): &(&str, Effect, &[&str])| {
            ((*name).to_owned(), *effect, differs.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>())
        };
        let expected: [(&str, Effect, &[&str]); 4] = [
            ("etcd", Effect::Started, &[]),
            ("haproxy", Effect::Unpaused, &[]),
            ("horizon", Effect::Replaced, &["environment[ENABLE_HEAT]"]),
            ("mariadb", Effect::Replaced, &["resources.memory"]),
        ];
        assert_eq!(named, expected.iter().map(is).collect::<Vec<_>>(), "{plan}");
    }
    let report = h.reconciler().reconcile(&services.goals()).await.unwrap();
    assert!(report.is_success(), "{report}");
    let counts = [(Effect::Unchanged, 20), (Effect::Started, 1), (Effect::Replaced, 2), (Effect::Unpaused, 1)];
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
    // A mark that does not survive a restart.
    sh(h, &before.id, "echo '[ ! -e /dev/shm/stale ]' >>/usr/local/bin/kolla_set_configs; touch /dev/shm/stale").await;
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
