//! Plans and files made from what engines said: `recorded/` has the answers of a Docker 20.10 as they were, and those of a
//! Podman 4.3 but for the paths of its machine.

use serde_json::{Value, json};

use crate::{Folder, Ran, keys};

const CONTAINERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/containers.json");
const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/images.json");
const PODMANS_CONTAINERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/podman/containers.json");
const PODMANS_IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded/podman/images.json");
const ALL: [&str; 4] = ["shop-db", "shop-job", "shop-metrics", "shop-web"];

fn documents(path: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

impl Folder {
    /// The program on the recording, with the images where `images` says so.
    fn recorded(&self, arguments: &[&str], images: bool) -> Ran {
        let images = if images { &["--images", IMAGES][..] } else { &[] };
        self.run(&[arguments, &["--engine", "docker", "--recorded", CONTAINERS], images].concat())
    }

    /// A file that describes the recorded containers as they are.
    fn exported(&self, name: &str, images: bool) -> String {
        let ran = self.recorded(&[&["export"], ALL.as_slice()].concat(), images);
        assert_eq!(ran.code, Some(0), "{}", ran.err);
        self.write(name, &ran.out);
        ran.out
    }
}

#[test]
fn recorded_containers_are_exported_as_a_user_would_have_written_them() {
    let folder = Folder::new("recorded-export");

    let ran = folder.recorded(&[&["export"], ALL.as_slice()].concat(), true);

    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    insta::assert_snapshot!(ran.out);
    let json = folder.recorded(&[&["export", "--json"], ALL.as_slice()].concat(), true).json();
    assert_eq!(keys(&json), ["containers"]);
    assert_eq!(keys(&json["containers"]), ALL);
    assert_eq!(json["containers"]["shop-web"]["environment"]["MOTD"], "Welcome,\nstranger.\n");
    assert_eq!(folder.recorded(&["export", "--all"], true).out, ran.out);
}

#[test]
fn nothing_is_to_do_about_recorded_containers_that_are_as_they_were_exported() {
    let folder = Folder::new("recorded-as-exported");
    let whole = folder.exported("whole.yaml", true);
    let without = folder.exported("without.yaml", false);

    assert!(!whole.contains("KIT_IMAGE") && without.contains("KIT_IMAGE"), "{without}");
    for (file, images) in [("whole.yaml", true), ("whole.yaml", false), ("without.yaml", true), ("without.yaml", false)]
    {
        let ran = folder.recorded(&["plan", file], images);

        // One of them was made, and never started.
        let expected = concat!(
            "~ shop-job: start (it is created)\n    steps: start, verify that it stays up\n",
            "4 containers: 1 to start, 3 as they should be.\n",
        );
        assert_eq!((ran.code, ran.out.as_str()), (Some(2), expected), "{file} {images}: {}", ran.err);
    }
}

#[test]
fn what_differs_from_a_recording_is_planned_and_no_secret_is_shown() {
    let folder = Folder::new("recorded-differs");
    let file = folder.exported("shop.yaml", true);
    assert!(file.contains("DB_PASSWORD: hunter2"), "{file}");
    let file = file
        .replace("DB_PASSWORD: hunter2", "DB_PASSWORD: hunter3")
        .replace("memory: 256m", "memory: 512m")
        .replace("shop-data:/data", "shop-new:/data")
        .replace("ROOT_TOKEN: xyzzy", "ROOT_TOKEN: xyzzz");
    folder.write("shop.yaml", &file);

    let whole = folder.recorded(&["plan", "shop.yaml"], true);
    let without = folder.recorded(&["plan", "shop.yaml"], false);

    assert_eq!(whole.code, Some(2), "{}", whole.err);
    insta::assert_snapshot!(whole.out);
    // The image may declare the volume, or not.
    let note = "    note: the anonymous volume of /data is mounted again if the new image declares one there; ";
    let (notes, rest): (Vec<&str>, Vec<&str>) = without.out.lines().partition(|line| line.starts_with(note));
    assert_eq!((notes.len(), rest), (1, whole.out.lines().collect()));
    assert_eq!(
        without.err,
        "warning: without --images, what comes from the images cannot be told from what was stated\n"
    );
    for secret in ["hunter", "xyzz"] {
        assert!(!whole.out.contains(secret), "{}", whole.out);
    }
}

#[test]
fn a_recorded_container_that_cannot_be_read_is_refused_and_the_others_are_planned() {
    let folder = Folder::new("recorded-unreadable");
    folder.exported("shop.yaml", true);
    let mut containers = documents(CONTAINERS);
    let document =
        containers.as_array_mut().unwrap().iter_mut().find(|document| document["Name"] == "/shop-db").unwrap();
    document["HostConfig"]["RestartPolicy"]["Name"] = json!("when-it-rains");
    folder.write("containers.json", &containers.to_string());
    let run = |arguments: &[&str]| {
        let recorded = ["--engine", "docker", "--recorded", "containers.json", "--images", IMAGES];
        folder.run(&[arguments, &recorded].concat())
    };

    let plan = run(&["plan", "shop.yaml"]);
    let json = run(&["plan", "--json", "shop.yaml"]).json();
    let all = run(&["export", "--all"]);
    let one = run(&["export", "shop-web", "shop-db"]);

    assert_eq!((plan.code, plan.err.as_str()), (Some(1), ""));
    assert!(plan.out.contains("shop-db"), "{}", plan.out);
    assert!(plan.out.ends_with("4 containers: 1 to start, 1 refused, 2 as they should be.\n"), "{}", plan.out);
    let refused =
        json["plan"]["containers"].as_array().unwrap().iter().filter(|container| !container["refused"].is_null());
    assert_eq!(refused.map(|container| &container["name"]).collect::<Vec<_>>(), ["shop-db"]);
    assert_eq!(all.code, Some(1));
    assert!(all.out.contains("shop-web:") && !all.out.contains("shop-db:"), "{}", all.out);
    assert!(all.err.starts_with("error: ") && all.err.contains("shop-db"), "{}", all.err);
    assert_eq!((one.code, one.out.as_str()), (Some(1), ""));
}

#[test]
fn a_recording_can_come_from_the_standard_input_and_be_of_one_container() {
    let folder = Folder::new("recorded-input");
    let web =
        documents(CONTAINERS).as_array().unwrap().iter().find(|document| document["Name"] == "/shop-web").cloned();
    folder.write("web.json", &web.unwrap().to_string());
    let input = std::fs::File::open(folder.path("web.json")).unwrap();

    let arguments = ["export", "shop-web", "--engine", "docker", "--images", IMAGES, "--recorded", "-"];
    let ran = Ran::of(folder.reconcile(&arguments).stdin(input).output().unwrap());

    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.starts_with("containers:\n  shop-web:\n    image: localhost/kit/furnished:1\n"), "{}", ran.out);
}

#[test]
fn an_unknown_name_is_an_error_that_names_it() {
    let ran = Folder::new("recorded-unknown").recorded(&["export", "shop-web", "shop-gone"], true);

    assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
    assert_eq!(ran.err, "error: export container shop-gone: not found: there is no such container\n");
}

#[test]
fn a_container_that_is_not_recorded_is_to_be_made() {
    let folder = Folder::new("recorded-missing");
    folder.write("new.yaml", "containers: {shop-new: {image: 'localhost/kit/plain:1', mounts: ['shop-data:/data']}}\n");

    let ran = folder.recorded(&["plan", "new.yaml"], false);

    let expected = "+ shop-new: create from localhost/kit/plain:1\n    steps: create, start, verify that it stays up\n";
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), format!("{expected}1 container: 1 to create.\n").as_str()));
}

#[test]
fn whose_answers_are_recorded_has_to_be_said() {
    let folder = Folder::new("recorded-engine");
    folder.write("web.yaml", "containers: {web: {image: nginx}}\n");

    for (arguments, why) in [
        (&["plan", "web.yaml"][..], "say whose answers are recorded: `--engine docker` or `--engine podman`"),
        (&["export", "web"], "say whose answers are recorded: `--engine docker` or `--engine podman`"),
        (&["plan", "web.yaml", "--engine", "memory"], "the engine in memory has no recordings"),
        (
            &["plan", "web.yaml", "--engine", "docker", "--config-check"],
            "nothing can be asked in a recorded container: leave --config-check out",
        ),
    ] {
        let ran = folder.run(&[arguments, &["--recorded", CONTAINERS]].concat());

        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(ran.err.starts_with("error: use --recorded: ") && ran.err.contains(why), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn mistakes_of_a_recording_are_said_with_their_places() {
    let folder = Folder::new("recorded-mistakes");
    folder.write("web.yaml", "containers: {web: {image: nginx}}\n");
    folder.write("text.json", "Error: No such object: web");
    folder.write("number.json", "42");
    let mistakes = |containers: &str, images: &str| {
        let recorded = ["--engine", "docker", "--recorded", containers, "--images", images];
        let ran = folder.run(&[&["plan", "web.yaml"][..], &recorded].concat());
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        ran.err.replace(env!("CARGO_MANIFEST_DIR"), "examples")
    };

    insta::assert_snapshot!(
        [mistakes("text.json", "number.json"), mistakes(IMAGES, CONTAINERS), mistakes("missing.json", IMAGES)]
            .join("---\n")
    );
}

#[test]
fn a_recording_of_podman_is_exported_and_planned_and_what_podman_does_not_tell_is_named() {
    let folder = Folder::new("recorded-podman");
    let run = |arguments: &[&str]| {
        let recorded = ["--engine", "podman", "--recorded", PODMANS_CONTAINERS, "--images", PODMANS_IMAGES];
        folder.run(&[arguments, &recorded].concat())
    };

    let exported = run(&["export", "--all"]);
    folder.write("shop.yaml", &exported.out);
    let plan = run(&["plan", "shop.yaml"]);

    assert_eq!(exported.code, Some(0), "{}", exported.err);
    assert_eq!(
        exported.err,
        "warning: shop-db: not in it, for podman does not report it: resources.sysctls; applying the file to this \
         container would take it away\n"
    );
    insta::assert_snapshot!(exported.out);
    assert_eq!(plan.code, Some(2), "{}", plan.err);
    assert!(plan.out.contains("resources.sysctls: another value -> not set\n"), "{}", plan.out);
    assert!(plan.out.ends_with("2 containers: 1 to replace, 1 as they should be.\n"), "{}", plan.out);
}

#[test]
fn a_recording_of_the_other_engine_is_a_mistake_that_says_so() {
    let folder = Folder::new("recorded-other");

    for (containers, whose, engine) in [(CONTAINERS, "docker", "podman"), (PODMANS_CONTAINERS, "podman", "docker")] {
        let ran = folder.run(&["export", "--all", "--engine", engine, "--recorded", containers]);

        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""));
        let wrong = format!("[0]: is a container of {whose}, and --engine says {engine}\n");
        assert!(ran.err.contains(&wrong), "{}", ran.err);
    }
}
