//! The table of fields is complete because it cannot be anything else: a field of a spec that has no
//! row does not compile.

#![expect(clippy::expect_used, reason = "what fails to be prepared fails the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// This crate, alone in a workspace of its own, where it can be changed and compiled.
struct Copy(PathBuf);

impl Copy {
    fn make(name: &str) -> Self {
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&place);
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let workspace = here.parent().expect("the crate stands in its workspace");
        let manifest = fs::read_to_string(workspace.join("Cargo.toml")).expect("the workspace's manifest is there");
        let (before, rest) = manifest.split_once("members = [").expect("the manifest lists its members");
        let (_, after) = rest.split_once(']').expect("the list of members ends");
        let inside = place.join("kolla-container-core");
        for folder in ["src", "benches"] {
            copy(&here.join(folder), &inside.join(folder));
        }
        fs::copy(here.join("Cargo.toml"), inside.join("Cargo.toml")).expect("the manifest can be copied");
        fs::write(place.join("Cargo.toml"), format!("{before}members = [\"kolla-container-core\"]{after}"))
            .expect("the copied workspace can be written");
        let _ = fs::copy(workspace.join("Cargo.lock"), place.join("Cargo.lock"));
        Self(place)
    }

    fn check(&self) -> Output {
        Command::new(env!("CARGO"))
            .args(["check", "--offline", "--lib", "--quiet", "--target-dir"])
            .arg(Path::new(env!("CARGO_TARGET_TMPDIR")).join("table-target"))
            .current_dir(&self.0)
            .output()
            .expect("cargo can be run")
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the sources can be listed") {
        let path = entry.expect("the sources can be listed").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("a source can be copied");
        }
    }
}

#[test]
fn a_field_without_a_row_does_not_compile() {
    let copy = Copy::make("table");
    let unchanged = copy.check();
    assert!(unchanged.status.success(), "{}", String::from_utf8_lossy(&unchanged.stderr));

    let resources = copy.0.join("kolla-container-core/src/spec/resources.rs");
    let text = fs::read_to_string(&resources).expect("the source is there");
    let with_field = text.replacen(
        "pub struct Resources {",
        "pub struct Resources {\n    /// One more.\n    #[serde(skip_serializing_if = \"Option::is_none\")]\n    pub one_more: Option<u64>,",
        1,
    );
    assert_ne!(text, with_field);
    fs::write(&resources, with_field).expect("the source can be changed");
    let changed = copy.check();

    let complaint = String::from_utf8_lossy(&changed.stderr);
    assert!(!changed.status.success());
    assert!(complaint.contains("pattern does not mention field `one_more`"), "{complaint}");
    assert!(complaint.contains("diff/fields.rs"), "{complaint}");
}
