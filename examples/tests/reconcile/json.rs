//! What `--json` prints, and what the README says of it.

use serde_json::{Value, json};

use crate::{Folder, SERVICES, keys};

#[test]
fn a_plan_as_json_has_the_documented_keys() {
    let ran = Folder::new("json-plan").run(&["plan", "--engine", "memory", "--json", SERVICES]);

    let document = ran.json();
    assert_eq!(ran.code, Some(2));
    assert_eq!(keys(&document), ["command", "engine", "format", "plan"]);
    assert_eq!((&document["format"], &document["command"]), (&json!(1), &json!("plan")));
    assert_eq!(keys(&document["engine"]), ["kind", "version"]);
    assert_eq!(document["engine"]["kind"], "memory");
    let containers = document["plan"]["containers"].as_array().unwrap();
    assert_eq!(containers.len(), 24);
    for container in containers {
        assert_eq!(keys(container), ["after", "changes", "effect", "name", "notes", "refused", "steps", "together"]);
        assert_eq!(container["effect"], "created");
        for step in container["steps"].as_array().unwrap() {
            assert_eq!(keys(step), ["action", "cause", "undo"]);
        }
    }
}

#[test]
fn a_report_as_json_has_the_documented_keys() {
    let folder = Folder::new("json-report");
    folder.write(
        "clash.yaml",
        concat!(
            "containers:\n",
            "  a: {image: nginx, network: {ports: ['8080:80']}, deploy: {settle: 0s}}\n",
            "  b: {image: nginx, network: {ports: ['8080:80']}, deploy: {settle: 0s}}\n",
        ),
    );

    let ran = folder.run(&["apply", "--engine", "memory", "--jobs", "1", "--json", "clash.yaml"]);

    let document = ran.json();
    assert_eq!(ran.code, Some(1));
    assert_eq!(keys(&document), ["command", "engine", "format", "report"]);
    let containers = document["report"]["containers"].as_array().unwrap();
    for container in containers {
        assert_eq!(keys(container), ["changes", "effect", "failure", "name", "notes", "output", "steps", "warnings"]);
    }
    assert_eq!(containers[0]["failure"], Value::Null);
    assert_eq!(keys(&containers[0]["steps"][0]), ["action", "seconds"]);
    assert_eq!(keys(&containers[1]["failure"]), ["error", "kind", "step", "undone"]);
}

#[test]
fn an_error_as_json_is_one_document_too() {
    let folder = Folder::new("json-error");
    folder.write("web.yaml", "containers: {web: {imgae: nginx}}\n");

    let mistakes = folder.run(&["plan", "--engine", "memory", "--json", "web.yaml"]);
    let usage = folder.run(&["plan", "--json", "--jobs", "many", "web.yaml"]);
    folder.write("web.yaml", "containers: {web: {image: nginx}}\n");
    let engine = folder.run(&["apply", "--json", "--host", "unix:///nowhere", "web.yaml"]);

    for ran in [&mistakes, &usage, &engine] {
        assert_eq!((ran.code, ran.err.as_str()), (Some(1), ""));
        assert_eq!(keys(&ran.json()), ["error", "format"]);
        assert_eq!(keys(&ran.json()["error"]), ["kind", "message", "violations"]);
    }
    assert_eq!(mistakes.json()["error"]["kind"], "rejected");
    assert_eq!(
        mistakes.json()["error"]["violations"][0],
        json!({"file": "web.yaml", "path": "containers[web].imgae", "message": "unknown key, did you mean `image`?"})
    );
    assert_eq!(usage.json()["error"]["kind"], "usage");
    assert_eq!(engine.json()["error"]["kind"], "not_found");
}

#[test]
fn the_examples_of_the_readme_work() {
    let folder = Folder::new("readme");
    let readme = include_str!("../../README.md");
    let blocks = |language: &str| -> Vec<&str> {
        let begin = format!("```{language}\n");
        readme.split(begin.as_str()).skip(1).map(|rest| rest.split_once("```").unwrap().0).collect()
    };

    let files = blocks("yaml");
    for file in &files {
        folder.write("example.yaml", file);
        let ran = folder.run(&["plan", "--engine", "memory", "example.yaml"]);
        assert_eq!(ran.code, Some(2), "{file}\n{}", ran.err);
    }
    folder.write("web.yaml", "containers: {web: {imgae: nginx}}\n");
    let error = folder.run(&["plan", "--engine", "memory", "--json", "web.yaml"]);

    assert_eq!(files.len(), 2);
    assert_eq!(blocks("json"), [error.out]);
}
