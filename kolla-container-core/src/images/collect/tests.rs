//! Which images go, and that they do.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::error::ErrorKind;
use crate::memory::{ImageTemplate, MemoryEngine};
use crate::quantity::TimeSpan;
use crate::runtime::Runtime;
use crate::spec::ContainerSpec;

fn at(minutes: u64) -> Timestamp {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    begin.after(Duration::from_mins(minutes))
}

/// An image of 10 bytes that came at one minute, and was last used at another.
fn stock(digit: &str, first: Option<u64>, used: Option<u64>) -> Stock {
    Stock {
        id: digit.repeat(64).parse().unwrap(),
        names: vec![format!("kit/{digit}:1").parse().unwrap()],
        size: 10,
        pinned: false,
        users: Vec::new(),
        first_seen: first.map(at),
        last_used: used.map(at),
    }
}

/// An hour after the first look; the disk has room for 100 bytes.
fn inventory(images: Vec<Stock>, used: u64) -> Inventory {
    let disk = Some(Disk { capacity: 100, available: 100 - used });
    Inventory { images, disk, now: at(60), since: at(0) }
}

fn goes(plan: &CollectPlan) -> String {
    plan.deletions.iter().map(|deletion| &deletion.id.as_str()[..1]).collect()
}

#[test]
fn a_disk_that_is_not_too_full_keeps_everything() {
    let plan = CollectPolicy::default().plan(&inventory(vec![stock("a", None, None)], 84));

    assert!(plan.is_empty() && !plan.is_short());
}

#[test]
fn a_disk_that_is_too_full_loses_what_was_used_least_recently_until_it_is_empty_enough() {
    let images = vec![
        stock("a", Some(30), Some(50)),
        stock("b", Some(20), None),
        stock("c", Some(10), None),
        stock("d", None, Some(40)),
    ];
    let plan = |used| CollectPolicy::default().plan(&inventory(images.clone(), used));

    assert_eq!(goes(&plan(85)), "c");
    assert_eq!(goes(&plan(91)), "cb");
    assert_eq!(goes(&plan(100)), "cb");
    let policy = CollectPolicy { low: 50, ..CollectPolicy::default() };
    let all = policy.plan(&inventory(images, 100));
    assert_eq!(goes(&all), "cbda");
    assert_eq!((all.wanted, all.freed, all.is_short()), (50, 40, true));
    assert_eq!(all.deletions[0].reason, Reason::Disk { full: 100, low: 50 });
}

#[test]
fn what_is_used_pinned_or_young_stays() {
    let mut used = stock("a", None, None);
    used.users = vec!["web".parse().unwrap()];
    let pinned = Stock { pinned: true, ..stock("b", None, None) };
    let images = vec![used, pinned, stock("c", Some(59), None), stock("d", None, Some(59)), stock("e", Some(58), None)];

    let plan = CollectPolicy { low: 0, high: 0, ..CollectPolicy::default() }.plan(&inventory(images.clone(), 100));

    assert_eq!(goes(&plan), "e");
    assert_eq!(plan.kept, Kept { used: 1, pinned: 1, young: 2 });
    assert_eq!(goes(&CollectPolicy::default().plan_all(&inventory(images, 10))), "e");
}

#[test]
fn what_nobody_has_used_for_too_long_goes_however_empty_the_disk_is() {
    let policy = CollectPolicy { max_age: Some(TimeSpan::from_secs(30 * 60)), ..CollectPolicy::default() };
    let images = vec![stock("a", Some(10), Some(31)), stock("b", Some(29), None), stock("c", None, None)];

    let plan = policy.plan(&inventory(images.clone(), 10));
    assert_eq!(goes(&plan), "cb");
    assert_eq!(plan.deletions[1].reason, Reason::Unused(TimeSpan::from_secs(31 * 60)));

    // Nobody knows what was before the first look.
    let early = Inventory { now: at(20), ..inventory(vec![stock("c", None, None)], 10) };
    assert!(policy.plan(&early).is_empty());

    // What goes for its age counts for the disk: it may be enough.
    let later = Inventory { now: at(70), ..inventory(images, 90) };
    let plan = policy.plan(&Inventory { images: later.images[1..].to_vec(), ..later.clone() });
    assert_eq!((goes(&plan).as_str(), plan.wanted), ("cb", 0));
    let young = stock("d", Some(50), Some(60));
    let plan = policy.plan(&Inventory { images: vec![later.images[2].clone(), young.clone()], ..later.clone() });
    assert_eq!(goes(&plan), "c");
    let fuller = Inventory { images: vec![later.images[2].clone(), young], ..inventory(Vec::new(), 96) };
    let plan = policy.plan(&Inventory { now: at(70), ..fuller });
    assert_eq!(
        (goes(&plan).as_str(), plan.wanted, plan.deletions[1].reason),
        ("cd", 16, Reason::Disk { full: 86, low: 80 })
    );
}

#[test]
fn a_disk_without_a_size_says_nothing() {
    let empty =
        Inventory { disk: Some(Disk { capacity: 0, available: 0 }), ..inventory(vec![stock("a", None, None)], 0) };
    let unknown = Inventory { disk: None, ..empty.clone() };

    assert!(CollectPolicy::default().plan(&empty).is_empty());
    assert!(CollectPolicy::default().plan(&unknown).is_empty());
}

#[test]
fn all_that_is_wrong_with_a_policy_is_said() {
    let span = TimeSpan::from_secs;
    let wrong = CollectPolicy { high: 50, low: 120, min_age: span(60), max_age: Some(span(30)) };

    let said = wrong.check().unwrap_err().to_string();

    assert!(CollectPolicy::default().check().is_ok());
    for part in ["low: 120 % is more than all", "low: 120 % is above high, 50 %", "max_age: it is below min_age"] {
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_plan_is_text_to_be_read_first() {
    let mut other = stock("b", Some(0), None);
    other.names.push("kit/other:1".parse().unwrap());
    let policy = CollectPolicy { low: 10, ..CollectPolicy::default() };

    let text = policy.plan(&inventory(vec![stock("a", None, Some(3)), other], 90)).to_string();

    assert_eq!(
        text,
        "- kit/b:1 and 1 more names: 10 B, the disk is 90 % full, and shall be 10 %\n\
         - kit/a:1: 10 B, the disk is 90 % full, and shall be 10 %\n\
         2 to remove, 20 B; 0 in use, 0 pinned, 0 too young; 80 B had to become free.\n"
    );
}

#[tokio::test(start_paused = true)]
async fn images_are_surveyed_and_collected() {
    let engine = MemoryEngine::new();
    let name = |what: &str| format!("registry.example/{what}:1").parse::<ImageRef>().unwrap();
    for what in ["used", "pinned", "old", "late", "later"] {
        engine.load(&name(what), ImageTemplate::default());
    }
    let late = engine.image(&name("late")).await.unwrap().unwrap();
    // Another name of the same image.
    engine.tag_image(&late.id, &name("later")).await.unwrap();
    engine.tag_image(&late.id, &name("a")).await.unwrap();
    let old = engine.image(&name("old")).await.unwrap().unwrap();
    engine.tag_image(&old.id, &name("alias")).await.unwrap();
    engine.create_container(&"web".parse().unwrap(), &ContainerSpec::new(name("used"))).await.unwrap();
    let images = ImageManager::new(Arc::new(engine.clone()));
    let (mut usage, pinned) = (Usage::default(), BTreeSet::from([name("pinned")]));

    let inventory = images.survey(&mut usage, &pinned, None, at(0)).await.unwrap();
    let plan = CollectPolicy::default().plan_all(&inventory);
    assert_eq!((plan.deletions.len(), plan.kept), (3, Kept { used: 1, pinned: 1, young: 0 }));
    // Somebody comes to use one of them after the plan was made.
    engine.create_container(&"late".parse().unwrap(), &ContainerSpec::new(name("late"))).await.unwrap();
    let collected = images.collect(&plan).await;

    assert!(collected.removed.iter().any(|gone| gone.id == old.id));
    let (deletion, error) = &collected.failed[0];
    assert_eq!((&deletion.id, error.kind()), (&late.id, ErrorKind::Conflict));
    assert!(error.report().ends_with("it is in use by late"), "{}", error.report());
    assert_eq!(collected.freed, old.size * 2);
    for (what, is_there) in [
        ("old", false),
        ("alias", false),
        ("late", true),
        ("later", true),
        ("a", true),
        ("pinned", true),
        ("used", true),
    ] {
        assert_eq!(engine.image(&name(what)).await.unwrap().is_some(), is_there, "{what}");
    }
    let later = images.survey(&mut usage, &pinned, None, at(10)).await.unwrap();
    assert_eq!(later.images.len(), 3);
    assert_eq!(later.images.iter().filter(|image| image.last_used == Some(at(10))).count(), 2);
}
