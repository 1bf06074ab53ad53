//! A scene is played, and what came of it is held side by side.

use serde_json::{Map, Value, json};

use crate::document::{Difference, comparable, differences, invented, side_by_side};
use crate::engine::Engine;
use crate::known;
use crate::modules::Machine;
use crate::report::Report;
use crate::scene::{Scene, Task};
use crate::world::{Side, World};

/// What came of a task: each thing that is compared, by its name.
type Things = Map<String, Value>;

/// What stays as it is from one task to the next.
const STAYING: [&str; 5] = ["container/", "volumes/", "unit", "enabled", "images/"];

/// Plays a scene; what is not as it should be.
pub(crate) async fn play(engine: Engine, scene: &Scene, machine: &Machine, report: &Report) -> Vec<String> {
    let mut theirs = World::new(engine, scene, machine, Side::Theirs);
    let played = if scene.only_looks() {
        look_on(&mut theirs).await
    } else {
        let mut ours = World::new(engine, scene, machine, Side::Ours);
        if scene.alone {
            let of_theirs = run(&mut theirs, Side::Theirs).await;
            let cleaned = match theirs.clean_up().await {
                Ok(()) => remove_images(engine, scene, machine).await,
                Err(why) => Err(why),
            };
            match cleaned {
                Ok(()) => Ok((of_theirs, run(&mut ours, Side::Ours).await)),
                Err(why) => Err(why),
            }
        } else {
            Ok(tokio::join!(run(&mut theirs, Side::Theirs), run(&mut ours, Side::Ours)))
        }
        .and_then(|(theirs, ours)| Ok(theirs?.into_iter().zip(ours?).collect()))
    };
    match played {
        Ok(pairs) => {
            let mut before = Vec::new();
            let mut mistakes = Vec::new();
            for (task, (theirs, ours)) in scene.tasks.iter().zip(pairs) {
                mistakes.extend(judge(engine, task, (theirs, ours), &mut before, report));
            }
            mistakes
        }
        Err(why) => vec![why],
    }
}

/// Takes away what a scene has made.
pub(crate) async fn clean_up(engine: Engine, scene: &Scene, machine: &Machine) -> Result<(), String> {
    for side in [Side::Theirs, Side::Ours] {
        World::new(engine, scene, machine, side).clean_up().await?;
    }
    remove_images(engine, scene, machine).await
}

async fn remove_images(engine: Engine, scene: &Scene, machine: &Machine) -> Result<(), String> {
    for image in &scene.images {
        engine.act(&machine.folder, &format!("DELETE /images/{image}")).await?;
    }
    Ok(())
}

/// Both look at the same container.
async fn look_on(world: &mut World<'_>) -> Result<Vec<(Things, Things)>, String> {
    world.prepare().await?;
    let mut pairs = Vec::new();
    for task in &world.scene.tasks {
        let before = unchanging(&world.look().await);
        let theirs = world.ask(Side::Theirs, task, false).await?;
        let ours = world.ask(Side::Ours, task, false).await?;
        if unchanging(&world.look().await) != before {
            return Err(format!("{}: it has changed something", task.title()));
        }
        pairs.push((answered(world, theirs), answered(world, ours)));
    }
    Ok(pairs)
}

/// One of them does the tasks with a container of its own.
async fn run(world: &mut World<'_>, side: Side) -> Result<Vec<Things>, String> {
    world.prepare().await?;
    let mut all = Vec::new();
    for task in &world.scene.tasks {
        world.do_steps(&task.after).await?;
        let before = world.look().await;
        let check = match side {
            Side::Ours if !task.only_looks() => Some(world.ask(side, task, true).await?),
            _ => None,
        };
        let is_untouched = check.is_none() || unchanging(&world.look().await) == unchanging(&before);
        let answer = world.ask(side, task, false).await?;
        if task.may_start() {
            world.settle().await;
        }
        let after = world.look().await;
        // What would be changed is what is changed, unless that fails; and looking changes nothing.
        let is_foreseen = answer["failed"] == true
            || check.is_none_or(|check| {
                changed(&check) == changed(&answer) && check.get("rc").is_some() == answer.get("rc").is_some()
            });
        let mut things = answered(world, answer);
        if !task.only_looks() {
            things.insert(
                "check".to_owned(),
                json!({
                    "answers": side == Side::Ours, "foreseen": is_foreseen, "untouched": is_untouched,
                }),
            );
        }
        things.insert("fate".to_owned(), fate(&before["container"], &after["container"]).into());
        let Value::Object(after) = world.blank(comparable(after)) else { unreachable!("it is one object") };
        things.extend(after);
        all.push(things);
    }
    Ok(all)
}

/// What has to stay as it is while somebody only looks.
fn unchanging(look: &Value) -> Value {
    let container = &look["container"];
    json!({
        "id": container["Id"], "started": container["State"]["StartedAt"], "status": container["State"]["Status"],
        "all": comparable(look.clone()),
    })
}

/// What has become of a container.
fn fate(before: &Value, after: &Value) -> &'static str {
    match (before.is_null(), after.is_null()) {
        (true, true) => "not there",
        (true, false) => "made",
        (false, true) => "removed",
        (false, false) if before["Id"] != after["Id"] => "replaced",
        (false, false) if before["State"]["StartedAt"] != after["State"]["StartedAt"] => "started",
        (false, false) => "left",
    }
}

fn changed(answer: &Value) -> Value {
    json!(answer["changed"] == true)
}

/// An answer as the things that are compared.
fn answered(world: &World<'_>, answer: Value) -> Things {
    let changed = changed(&answer);
    let Value::Object(mut answer) = world.blank(comparable(answer)) else { panic!("an answer is an object") };
    for word in ["changed", "invocation", "warnings", "deprecations", "diff", "exception"] {
        answer.remove(word);
    }
    let failed = json!(answer.remove("failed") == Some(true.into()));
    let failures = answer.remove("comparison_failures").unwrap_or_default();
    // Of facts about everything, those about other scenes are taken away.
    for word in ["containers", "volumes"] {
        if let Some(Value::Object(all)) = answer.get_mut(word) {
            all.retain(|name, _| name.starts_with("<name>"));
        }
    }
    if let Some(Value::Array(all)) = answer.get_mut("container_names") {
        all.retain(|name| name.as_str().is_some_and(|name| name.starts_with("<name>")));
    }
    let mut things = Map::from_iter([("changed".to_owned(), changed), ("failed".to_owned(), failed)]);
    for word in ["result", "msg", "rc", "stdout", "stderr"] {
        if let Some(value) = answer.remove(word) {
            things.insert(word.to_owned(), value);
        }
    }
    if let Value::Array(failures) = failures {
        let names: Vec<Value> = failures.iter().map(|one| one["name"].clone()).collect();
        let values = failures.into_iter().map(|one| {
            let name = one["name"].as_str().unwrap_or_default().to_owned();
            (name, json!({"current": one["current"], "desired": one["desired"]}))
        });
        things.insert("names".to_owned(), names.into());
        things.insert("values".to_owned(), Value::Object(values.collect()));
    }
    if !answer.is_empty() {
        things.insert("more".to_owned(), Value::Object(answer));
    }
    things
}

/// Holds both against each other; what is a mistake. What has been different `before` a task is none of its.
fn judge(
    engine: Engine,
    task: &Task,
    (mut theirs, mut ours): (Things, Things),
    before: &mut Vec<Difference>,
    report: &Report,
) -> Vec<String> {
    // What has crashed says where in the program; of one line it is not asked which.
    if theirs.get("msg").and_then(Value::as_str).is_some_and(|text| text.contains("Traceback")) {
        theirs.insert("msg".to_owned(), json!({"lines": "a traceback"}));
        if let Some(Value::String(text)) = ours.get("msg") {
            let lines = if text.contains("Traceback") { "a traceback" } else { "one" };
            ours.insert("msg".to_owned(), json!({ "lines": lines }));
        }
    }
    // They are listed in another order each time.
    for things in [&mut theirs, &mut ours] {
        if let Some(Value::String(text)) = things.get_mut("msg")
            && let Some(at) = text.find("Valid booleans include")
        {
            text.truncate(at);
        }
    }
    // Differences that both have are compared; that one is missing is said by the names.
    if let (Some(Value::Object(their)), Some(Value::Object(our))) = (theirs.get_mut("values"), ours.get_mut("values")) {
        their.retain(|name, _| our.contains_key(name));
        our.retain(|name, _| their.contains_key(name));
        let invented = invented(their, our);
        for (name, theirs) in their {
            for side in ["current", "desired"] {
                side_by_side(&mut theirs[side], &mut our[name][side]);
            }
        }
        if !invented.is_empty() {
            ours.insert("invented".to_owned(), invented.into());
        }
    } else {
        theirs.remove("values");
        ours.remove("values");
    }
    let things = theirs.keys().chain(ours.keys().filter(|thing| !theirs.contains_key(*thing))).count();
    let all = differences(&Value::Object(theirs), &Value::Object(ours));
    let is_old = |one: &Difference| STAYING.iter().any(|thing| one.place.starts_with(thing)) && before.contains(one);
    let found: Vec<Difference> = all.iter().filter(|one| !is_old(one)).cloned().collect();
    *before = all;
    let meant = task.meant(engine);
    let mut mistakes = Vec::new();
    let mut explained = Vec::new();
    for one in &found {
        let ids = known::explain(engine, meant, one);
        if ids.is_empty() {
            mistakes.push(format!("{}: {}: theirs {}, ours {}", task.title(), one.place, one.theirs, one.ours));
        }
        explained.extend(ids.into_iter().map(|id| (id.to_owned(), one.place.clone())));
    }
    let absent = meant.iter().filter(|id| !explained.iter().any(|(known, _)| known == *id));
    mistakes.extend(absent.map(|id| format!("{}: `{id}` does not show", task.title())));
    report.add(engine, things, &found, &explained);
    mistakes
}
