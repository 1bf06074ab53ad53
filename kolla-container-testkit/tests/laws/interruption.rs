//! A replacement that is cut at every call, in its undo too, and what the next run makes of it.

use std::collections::{BTreeMap, BTreeSet};

use kolla_container_core::layer::Fault;
use kolla_container_core::state::{ContainerState, Status};
use kolla_container_core::{ContainerSpec, ErrorKind, Goal, VolumeName};
use kolla_container_testkit::matrix::merge;
use serde_json::{Value, json};

use crate::world::{World, goals, in_time, much_later, spec};

/// A replacement: what is there before, and what is wanted.
struct Replacement {
    old: ContainerSpec,
    /// What the old container is doing.
    doing: Doing,
    new: ContainerSpec,
    /// Whether the new container is one that cannot be verified.
    fails: bool,
    supervised: bool,
    /// Whether the old container removes itself when it stops, so that only its data can come back.
    vanishes: bool,
    /// How many calls there are at least until the old container is touched and the new one in place.
    calls: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Running,
    Stopped,
    Paused,
}

/// What is wanted before: data in an anonymous and in a named volume.
fn old(more: Value) -> ContainerSpec {
    let mut written = json!({"environment": {"NUMBER": "1"}, "mounts": ["/data", "data-a:/named"]});
    merge(&mut written, more);
    spec(written)
}

/// As `old`, but without the anonymous volume: what writes to one cannot run twice.
fn shareable() -> ContainerSpec {
    old(json!({"mounts": ["data-a:/named"]}))
}

/// What is wanted then: the same data, a further anonymous volume, and a further named one.
fn new(more: Value) -> ContainerSpec {
    let mounts = json!(["/data", "data-a:/named", "/more", "data-b:/new"]);
    let mut written = json!({"environment": {"NUMBER": "2"}, "mounts": mounts});
    merge(&mut written, more);
    spec(written)
}

fn replacement(old: ContainerSpec, new: ContainerSpec) -> Replacement {
    Replacement { old, doing: Doing::Running, new, fails: false, supervised: false, vanishes: false, calls: 11 }
}

impl Replacement {
    fn failing(self) -> Self {
        Self { fails: true, ..self }
    }

    fn supervised(self) -> Self {
        Self { supervised: true, ..self }
    }

    fn of_one_that_vanishes(self) -> Self {
        Self { vanishes: true, ..self }
    }

    fn while_old_is(self, doing: Doing) -> Self {
        Self { doing, ..self }
    }

    fn wanted(&self) -> Goal {
        Goal::running(self.new.clone())
    }

    async fn begin(&self) -> (World, ContainerState) {
        let world = if self.supervised { World::supervised().await } else { World::new().await };
        world.reach(Goal::running(self.old.clone())).await;
        match self.doing {
            Doing::Running => {}
            Doing::Stopped => drop(world.reach(Goal::Stopped { grace: None }).await),
            Doing::Paused => drop(world.reach(Goal::Paused(Box::new(self.old.clone()))).await),
        }
        let before = world.subject().await;
        (world, before)
    }

    /// Cuts the replacement at every call, before its effect and after it; each time the next run has to make it good.
    async fn is_made_good_wherever_it_is_cut(&self) {
        for after in [false, true] {
            let mut cuts = 0;
            for n in 1.. {
                let (world, before) = self.begin().await;
                let fault = if after { Fault::cut_nth_after(n) } else { Fault::cut_nth(n) };
                let (reconciler, fault) = world.faulty(fault);
                drop(reconciler.reconcile(&goals(self.wanted())).await);
                if !fault.is_cut() {
                    break;
                }
                cuts += 1;

                let crash = world.containers().await;
                self.nothing_is_lost(&world, &crash, &before, n).await;
                self.waits_for_a_run_that_may_be_alive(&world, &crash).await;
                self.is_made_good(&world, &before, &crash, n % 2 == 0).await;
            }
            assert!(cuts > self.calls, "there were only {cuts} cuts");
        }
    }

    /// At every moment the old container or a new one under its name is there, and so is the data.
    async fn nothing_is_lost(
        &self,
        world: &World,
        crash: &BTreeMap<String, ContainerState>,
        before: &ContainerState,
        n: u64,
    ) {
        let old_is_there = crash.values().any(|state| state.id == before.id);
        let new_is_there = crash.get("subject").is_some_and(|state| state.status == Status::Running);
        assert!(old_is_there || new_is_there || self.vanishes, "cut at call {n}: {:?}", crash.keys());
        for volume in before.volumes.values() {
            assert!(world.has_volume(volume).await, "cut at call {n}: {volume} is gone");
        }
    }

    /// As long as the run that made the new container may be alive, another one touches nothing.
    async fn waits_for_a_run_that_may_be_alive(&self, world: &World, crash: &BTreeMap<String, ContainerState>) {
        if !crash.keys().any(|name| name.ends_with(".next") || name.ends_with(".previous")) {
            return;
        }
        world.clear_requests();
        let report = world.reconciler().reconcile(&goals(self.wanted())).await.unwrap();

        let failure = &report.failures().next().unwrap().1.error;
        assert_eq!(failure.kind(), ErrorKind::Conflict);
        let until = crash.values().find_map(|state| state.owner.until).unwrap();
        let until = until.whole_seconds().to_string();
        assert!(failure.report().contains(until.trim_end_matches('Z')), "{failure:?} does not say {until}");
        assert_eq!(world.writes(), Vec::<String>::new());
    }

    /// The next run, taking over or late enough.
    async fn is_made_good(
        &self,
        world: &World,
        before: &ContainerState,
        crash: &BTreeMap<String, ContainerState>,
        takes_over: bool,
    ) {
        let reconciler = world.reconciler();
        let reconciler = if takes_over { reconciler.taking_over(true) } else { reconciler.with_clock(much_later) };

        let report = reconciler.reconcile(&goals(self.wanted())).await.unwrap();

        let subject = world.subject().await;
        if self.fails {
            assert!(!report.is_success());
            assert_eq!(subject.id, before.id);
            assert_eq!(subject.volumes, before.volumes);
            assert!(subject.status == before.status || subject.status == Status::Running, "{:?}", subject.status);
            world.reach(Goal::running(self.old.clone())).await;
            assert_eq!(world.subject().await.id, before.id);
            world.assert_reached(Goal::running(self.old.clone())).await;
        } else {
            assert!(report.is_success(), "{report}");
            world.assert_reached(self.wanted()).await;
            assert_ne!(subject.id, before.id);
        }
        assert_eq!(world.names().await, ["other", "subject"]);
        self.keeps_the_data(world, before, crash).await;
    }

    async fn keeps_the_data(&self, world: &World, before: &ContainerState, crash: &BTreeMap<String, ContainerState>) {
        let subject = world.subject().await;
        for (target, volume) in &before.volumes {
            assert_eq!(subject.volumes.get(target), Some(volume), "what is mounted at {target}");
            assert!(world.has_volume(volume).await, "the volume of {target} is gone");
        }
        let left: BTreeSet<VolumeName> = world.anonymous().await;
        for volume in crash.values().flat_map(|state| state.volumes.values()).filter(|volume| volume.is_anonymous()) {
            assert!(left.contains(volume) || !world.has_volume(volume).await, "{volume} is left over");
        }
    }
}

fn image(name: &str) -> Value {
    json!({"image": format!("localhost/kit/{name}:1")})
}

fn start_first(mut more: Value) -> Value {
    merge(&mut more, json!({"deploy": {"replace": "start-first"}, "mounts": ["data-a:/named", "/more"]}));
    more
}

macro_rules! laws {
    ($($(#[$meta:meta])* $name:ident: $replacement:expr;)+) => {$(
        $(#[$meta])*
        #[test]
        fn $name() {
            in_time($replacement.is_made_good_wherever_it_is_cut());
        }
    )+};
}

laws! {
    a_replacement_is_made_good: replacement(old(json!({})), new(json!({})));
    a_replacement_that_starts_first_is_made_good: replacement(shareable(), new(start_first(json!({}))));
    a_replacement_that_may_not_start_first_is_made_good:
        replacement(old(json!({})), new(json!({"deploy": {"replace": "start-first"}})));
    an_undo_after_an_exit_is_made_good: replacement(old(json!({})), new(image("exits"))).failing();
    an_undo_after_a_later_exit_is_made_good: replacement(old(json!({})), new(image("exits-later"))).failing();
    an_undo_after_a_bad_health_is_made_good: replacement(old(json!({})), new(image("unhealthy"))).failing();
    an_undo_after_a_failed_start_is_made_good: replacement(old(json!({})), new(image("fails-to-start"))).failing();
    an_undo_when_the_new_one_was_started_first_is_made_good:
        replacement(shareable(), new(start_first(image("exits")))).failing();
    an_undo_of_a_crash_loop_is_made_good:
        replacement(old(json!({})), new(json!({"image": "localhost/kit/exits:1", "restart": "always"}))).failing();
    a_replacement_of_one_that_restarts_always_is_made_good:
        replacement(old(json!({"restart": "always"})), new(json!({"restart": "always"})));
    an_undo_of_one_that_restarts_always_is_made_good:
        replacement(old(json!({"restart": "always"})), new(image("exits"))).failing();
    a_replacement_of_a_stopped_one_is_made_good:
        replacement(old(json!({})), new(json!({}))).while_old_is(Doing::Stopped);
    an_undo_of_a_stopped_one_is_made_good:
        replacement(old(json!({})), new(image("exits"))).while_old_is(Doing::Stopped).failing();
    a_replacement_of_a_paused_one_is_made_good:
        replacement(old(json!({})), new(json!({}))).while_old_is(Doing::Paused);
    an_undo_of_a_paused_one_is_made_good:
        replacement(old(json!({})), new(image("exits"))).while_old_is(Doing::Paused).failing();
    a_replacement_by_an_image_that_has_to_be_pulled_is_made_good: replacement(old(json!({})), new(image("remote")));
    a_replacement_of_one_whose_image_declares_the_volume_is_made_good:
        replacement(old(json!({"image": "{furnished}"})), new(json!({"image": "{furnished}"})));
    a_replacement_of_one_that_removes_itself_is_made_good:
        replacement(old(json!({"auto_remove": true})), new(json!({"auto_remove": true}))).of_one_that_vanishes();
    a_supervised_replacement_is_made_good: replacement(old(json!({})), new(json!({}))).supervised();
    a_supervised_replacement_with_another_unit_is_made_good:
        replacement(old(json!({})), new(json!({"stop_timeout": "20s", "restart": "always"}))).supervised();
    a_supervised_undo_is_made_good: replacement(old(json!({})), new(image("exits-later"))).supervised().failing();
    a_supervised_undo_after_a_failed_start_is_made_good:
        replacement(old(json!({})), new(image("fails-to-start"))).supervised().failing();
    a_supervised_undo_with_another_unit_is_made_good:
        replacement(old(json!({})), new(json!({"image": "localhost/kit/exits-later:1", "stop_timeout": "20s"})))
            .supervised()
            .failing();
}

/// A run that makes an interruption good may be interrupted itself.
async fn is_made_good_when_the_recovery_is_cut_too(replacement: Replacement) {
    for (first_after, second_after) in [(false, true), (true, false)] {
        let cut = |n, after| if after { Fault::cut_nth_after(n) } else { Fault::cut_nth(n) };
        let mut cuts = 0;
        for n in 1.. {
            let (world, _) = replacement.begin().await;
            let (reconciler, fault) = world.faulty(cut(n, first_after));
            drop(reconciler.reconcile(&goals(replacement.wanted())).await);
            if !fault.is_cut() {
                break;
            }
            for m in 1.. {
                let (world, before) = replacement.begin().await;
                let (reconciler, _) = world.faulty(cut(n, first_after));
                drop(reconciler.reconcile(&goals(replacement.wanted())).await);
                let (reconciler, fault) = world.faulty(cut(m, second_after));
                drop(reconciler.taking_over(true).reconcile(&goals(replacement.wanted())).await);
                if !fault.is_cut() {
                    break;
                }
                cuts += 1;
                let crash = world.containers().await;
                replacement.nothing_is_lost(&world, &crash, &before, n).await;
                replacement.is_made_good(&world, &before, &crash, m % 2 == 0).await;
            }
        }
        assert!(cuts > 100, "there were only {cuts} cuts");
    }
}

#[test]
fn a_replacement_is_made_good_when_the_recovery_is_cut_too() {
    in_time(is_made_good_when_the_recovery_is_cut_too(replacement(old(json!({})), new(json!({})))));
}

#[test]
fn an_undo_is_made_good_when_the_recovery_is_cut_too() {
    in_time(is_made_good_when_the_recovery_is_cut_too(replacement(old(json!({})), new(image("exits"))).failing()));
}

/// Data of a container that is gone lives on in the new one that was made to replace it.
#[test]
fn the_inherited_volume_survives_when_the_old_container_is_gone() {
    in_time(async {
        let replacement = replacement(old(json!({})), new(json!({})));
        let (world, before) = replacement.begin().await;
        let (reconciler, _) = world.faulty(Fault::cut_nth_after(1).on("create_container"));
        drop(reconciler.reconcile(&goals(replacement.wanted())).await);
        kolla_container_core::Runtime::remove_container(&world.engine, &before.id).await.unwrap();

        let goals = goals(replacement.wanted());
        world.reconciler().taking_over(true).reconcile(&goals).await.unwrap();

        world.assert_reached(replacement.wanted()).await;
        for (target, volume) in &before.volumes {
            assert!(world.has_volume(volume).await, "the volume of {target} is gone");
        }
    });
}
