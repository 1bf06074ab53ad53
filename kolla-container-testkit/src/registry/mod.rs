//! The registries of the testbed beside a real engine: images are published in them, and their way can be played with.
//!
//! - `localhost:5000` is plain HTTP, and lets anybody in.
//! - `registry.test:5001` has the same images, by TLS with a CA that the engine knows, for the user [`USER`] only; under the
//!   name `other.test:5001` it is one whose CA nobody knows.
//! - `localhost:5002` is the [`Way`] to the first one.
//! - At `localhost:5003` nobody listens.

mod archive;
mod http;
mod way;

use std::env;
use std::path::PathBuf;
use std::sync::Arc;

use kolla_container_core::ImageRef;
use kolla_container_core::state::{Credentials, EngineKind};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

pub use self::way::{Rule, Way};
use crate::harness::Harness;

/// Who may pull from the registry with a password.
pub const USER: &str = "kit";

const PASSWORD: &str = "kit-password";

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The image that the others are made from.
const BASE: &str = "kit/remote";

/// The registries of an engine.
#[derive(Debug)]
pub struct Registry {
    folder: PathBuf,
    way: Arc<Way>,
    /// What the repositories of a case begin with.
    prefix: String,
}

impl Registry {
    /// Those of the engine of a case.
    pub fn of(h: &Harness) -> Self {
        let variable = match h.runtime().engine().kind {
            EngineKind::Podman => "KOLLA_TEST_PODMAN",
            _ => "KOLLA_TEST_DOCKER",
        };
        let address = env::var(variable).unwrap();
        let folder = PathBuf::from(address.strip_prefix("unix://").unwrap().strip_suffix(".sock").unwrap());
        Self { way: Way::of(&folder), folder, prefix: h.name("r").to_string() }
    }

    /// The credentials of [`USER`].
    pub fn credentials() -> Credentials {
        Credentials::password(USER, PASSWORD)
    }

    /// A repository of the case.
    pub fn repository(&self, what: &str) -> String {
        format!("{}/{what}", self.prefix)
    }

    /// How an engine asks for an image of the case: in which registry, and by which tag.
    pub fn image(&self, h: &Harness, registry: &str, what: &str, tag: &str) -> ImageRef {
        let image = format!("{registry}/{}:{tag}", self.repository(what)).parse().unwrap();
        h.remember_image(&image);
        image
    }

    /// The way at `localhost:5002`.
    pub fn way(&self) -> Arc<Way> {
        Arc::clone(&self.way)
    }

    /// Publishes an image, or another one under the same name; `mark` makes the difference. It runs as the base does, and
    /// has a layer of its own with so many bytes.
    pub fn publish(&self, what: &str, tag: &str, mark: &str, bytes: usize) {
        let repository = self.repository(what);
        let (manifest, _) = self.assemble(&repository, mark, bytes);
        self.put_manifest(&repository, tag, MANIFEST, &manifest);
    }

    /// Publishes a list that has an image for another platform only.
    pub fn publish_for(&self, what: &str, tag: &str, architecture: &str) {
        let repository = self.repository(what);
        let (manifest, _) = self.assemble(&repository, architecture, 10);
        let manifest = manifest.to_string().into_bytes();
        let digest = digest(&manifest);
        self.put(&repository, &digest, MANIFEST, &manifest);
        let platform = json!({"os": "linux", "architecture": architecture});
        let entry = json!({"mediaType": MANIFEST, "digest": digest, "size": manifest.len(), "platform": platform});
        let list = json!({"schemaVersion": 2, "mediaType": LIST, "manifests": [entry]});
        self.put_manifest(&repository, tag, LIST, &list);
    }

    /// An image as `docker save` would write it, under that name.
    pub fn archive(&self, name: &ImageRef, mark: &str) -> Vec<u8> {
        let (manifest, config) = self.assemble(&self.repository("archive"), mark, 2000);
        let digests: Vec<String> = manifest["layers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|layer| layer["digest"].as_str().unwrap().to_owned())
            .collect();
        let blobs: Vec<Vec<u8>> = digests.iter().map(|digest| self.blob(&self.repository("archive"), digest)).collect();
        let names: Vec<String> = (0..blobs.len()).map(|number| format!("layer-{number}.tar")).collect();
        let config_name = format!("{}.json", hexadecimal(&config));
        let index = json!([{"Config": config_name, "RepoTags": [name.to_string()], "Layers": names}]).to_string();
        let layers = names.iter().map(String::as_str).zip(blobs.iter().map(Vec::as_slice));
        archive::tar(
            [(config_name.as_str(), config.as_slice()), ("manifest.json", index.as_bytes())].into_iter().chain(layers),
        )
    }

    /// The parts of an image are in the registry; answers its manifest and its configuration.
    fn assemble(&self, repository: &str, mark: &str, bytes: usize) -> (Value, Vec<u8>) {
        let base = self.ask("GET", &format!("{BASE}/manifests/1"), &[("Accept", MANIFEST)], b"", 200).body;
        let mut manifest: Value = serde_json::from_slice(&base).unwrap();
        let config = self.blob(BASE, manifest["config"]["digest"].as_str().unwrap());
        let mut config: Value = serde_json::from_slice(&config).unwrap();
        // The last layer is in no image that stays: engines may lose it with one image while another one is pulled.
        manifest["layers"].as_array_mut().unwrap().pop();
        config["rootfs"]["diff_ids"].as_array_mut().unwrap().pop();
        for layer in manifest["layers"].as_array().unwrap() {
            let digest = layer["digest"].as_str().unwrap();
            self.ask("POST", &format!("{repository}/blobs/uploads/?mount={digest}&from={BASE}"), &[], b"", 201);
        }
        // What two cases publish is never the same image.
        let seed = format!("{repository} {mark}");
        let layer = archive::tar([("kit-layer", noise(&seed, bytes).as_slice())]);
        let own = self.put_blob(repository, &layer);
        config["rootfs"]["diff_ids"].as_array_mut().unwrap().push(own.clone().into());
        config["history"] = json!([]);
        config["config"]["Labels"] = json!({"kit.mark": mark, "kit.repository": repository});
        let layers = manifest["layers"].as_array_mut().unwrap();
        let kind = layers[0]["mediaType"].clone();
        layers.push(json!({"mediaType": kind, "digest": own, "size": layer.len()}));
        let config = config.to_string().into_bytes();
        manifest["config"]["digest"] = self.put_blob(repository, &config).into();
        manifest["config"]["size"] = config.len().into();
        (manifest, config)
    }

    fn blob(&self, repository: &str, digest: &str) -> Vec<u8> {
        self.ask("GET", &format!("{repository}/blobs/{digest}"), &[], b"", 200).body
    }

    fn put_blob(&self, repository: &str, blob: &[u8]) -> String {
        let digest = digest(blob);
        let begun = self.ask("POST", &format!("{repository}/blobs/uploads/"), &[], b"", 202);
        let place = http::header(&begun.head, "Location").unwrap();
        let (_, place) = place.split_once("/v2/").unwrap();
        let sign = if place.contains('?') { '&' } else { '?' };
        let kind = [("Content-Type", "application/octet-stream")];
        self.ask("PUT", &format!("{place}{sign}digest={digest}"), &kind, blob, 201);
        digest
    }

    fn put_manifest(&self, repository: &str, tag: &str, kind: &str, manifest: &Value) {
        self.put(repository, tag, kind, manifest.to_string().as_bytes());
    }

    fn put(&self, repository: &str, name: &str, kind: &str, manifest: &[u8]) {
        self.ask("PUT", &format!("{repository}/manifests/{name}"), &[("Content-Type", kind)], manifest, 201);
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8], status: u16) -> http::Answer {
        let answer = http::ask(&self.folder.join("registry.sock"), &format!("{method} /v2/{path}"), headers, body);
        assert_eq!(answer.status, status, "{method} {path}: {}", String::from_utf8_lossy(&answer.body));
        answer
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let digits: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hexadecimal(bytes))
}

/// Bytes that do not repeat themselves, and are the same each time.
fn noise(seed: &str, bytes: usize) -> Vec<u8> {
    let mut noise = Vec::with_capacity(bytes);
    let mut block = Sha256::digest(seed.as_bytes());
    while noise.len() < bytes {
        noise.extend_from_slice(&block);
        block = Sha256::digest(block);
    }
    noise.truncate(bytes);
    noise
}
