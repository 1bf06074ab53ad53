//! Credentials that `docker login` and `podman login` have left in files, or given to a helper program.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use async_trait::async_trait;
use docker_credential::{CredentialRetrievalError as Failure, DockerCredential};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::keyring::{Keyring, host};
use crate::error::{Error, ErrorKind, Result};
use crate::image_ref::ImageRef;
use crate::state::Credentials;

/// How long a helper program may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What Docker Hub is called where somebody has logged in to it.
const HUB: &str = "https://index.docker.io/v1/";

/// The credentials in Docker's `config.json` and Podman's `auth.json`; needs the feature `auth-files`.
///
/// Of each file count, in this order: the helper program for the registry (`credHelpers`), the entries in `auths` for the
/// repository, for what it is in, and for the registry, and where there is none of them the program that keeps all
/// (`credsStore`). All that are found are tried, those of the first file first. A file that is not there has none; one that
/// cannot be read, and a program that fails, are errors.
///
/// ```no_run
/// use std::sync::Arc;
/// use kolla_container_core::images::{AuthFiles, ImageManager};
/// use kolla_container_core::memory::MemoryEngine;
///
/// let images = ImageManager::new(Arc::new(MemoryEngine::new())).with_keyring(Arc::new(AuthFiles::of_docker()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthFiles(Vec<PathBuf>);

impl AuthFiles {
    /// Those in these files.
    pub fn new(files: impl IntoIterator<Item = PathBuf>) -> Self {
        Self(files.into_iter().collect())
    }

    /// That of the `docker` command: `config.json` in the folder `DOCKER_CONFIG`, or else in `~/.docker`.
    pub fn of_docker() -> Self {
        Self::new(dockers(variable))
    }

    /// Those of the `podman` command: the one that `REGISTRY_AUTH_FILE` names, or else `containers/auth.json` in
    /// `XDG_RUNTIME_DIR` (`/run/containers/UID/auth.json` where that is not set), the same in `~/.config`, and that of the
    /// `docker` command.
    pub fn of_podman() -> Self {
        Self::new(podmans(variable))
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn dockers(variable: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    let folder = variable("DOCKER_CONFIG").or_else(|| Some(variable("HOME")?.join(".docker")));
    Some(folder?.join("config.json"))
}

fn podmans(variable: impl Fn(&str) -> Option<PathBuf>) -> Vec<PathBuf> {
    if let Some(file) = variable("REGISTRY_AUTH_FILE") {
        return vec![file];
    }
    let runtime = variable("XDG_RUNTIME_DIR").map(|folder| folder.join("containers")).or_else(|| {
        let user = std::fs::metadata("/proc/self").ok()?.uid();
        Some(PathBuf::from(format!("/run/containers/{user}")))
    });
    let config = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
    let own = runtime.into_iter().chain(config.map(|folder| folder.join("containers")));
    own.map(|folder| folder.join("auth.json")).chain(dockers(variable)).collect()
}

#[async_trait]
impl Keyring for AuthFiles {
    async fn credentials(&self, image: &ImageRef) -> Result<Vec<Credentials>> {
        let (files, wanted) = (self.0.clone(), image.clone());
        let (tell, told) = oneshot::channel();
        // In a thread of its own: a helper that hangs would keep a runtime from ending.
        thread::spawn(move || {
            let mut all = Ok(Vec::new());
            for file in files {
                let found = in_file(&file, &wanted).map_err(|(kind, why)| (kind, format!("{}: {why}", file.display())));
                match (&mut all, found) {
                    (Ok(all), Ok(found)) => all.extend(found),
                    (_, Err(failure)) => all = Err(failure),
                    (Err(_), _) => break,
                }
            }
            // Whoever has asked may have had enough.
            let _ = tell.send(all);
        });
        let failed = |(kind, why)| Error::new(kind, "find credentials for image", image.familiar()).because(why);
        let late =
            (ErrorKind::TimedOut, "not found within 30 s: a credential helper may be waiting for somebody".to_owned());
        let ended = (ErrorKind::EngineFailed, "they could not be looked for".to_owned());
        match tokio::time::timeout(PATIENCE, told).await {
            Ok(found) => found.unwrap_or(Err(ended)).map_err(failed),
            Err(_) => Err(failed(late)),
        }
    }
}

/// What of a file says where credentials are.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Places {
    auths: Option<BTreeMap<String, Value>>,
    creds_store: Option<String>,
    cred_helpers: Option<BTreeMap<String, Value>>,
}

/// One place where credentials are, as a file that has nothing else.
struct Place {
    key: String,
    file: Value,
}

/// A failure in words, and what it means.
type Wrong = (ErrorKind, String);

fn in_file(file: &Path, image: &ImageRef) -> Result<Vec<Credentials>, Wrong> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err((ErrorKind::Denied, "it may not be read".to_owned()));
        }
        Err(error) => return Err((ErrorKind::Rejected, error.to_string())),
    };
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    // What is wrong may be a secret: only where is said.
    let places: Places = serde_json::from_str(&text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        (ErrorKind::Rejected, format!("it is not as `login` writes it, at line {line} column {column}"))
    })?;
    let mut all = Vec::new();
    for Place { key, file } in places.of(image) {
        // The key is looked up by itself: a reader of the whole file would find other entries for it.
        match docker_credential::get_credential_from_reader(file.to_string().as_bytes(), &key) {
            Ok(DockerCredential::UsernamePassword(username, password)) => {
                all.push(Credentials::password(username, password));
            }
            Ok(DockerCredential::IdentityToken(token)) => all.push(Credentials::IdentityToken(token)),
            Err(Failure::NoCredentialConfigured) => {}
            // As the helpers say that they have none.
            Err(Failure::HelperFailure { stdout, .. }) if stdout.contains("credentials not found") => {}
            Err(failure) => return Err((ErrorKind::Rejected, why(&failure, &key))),
        }
    }
    Ok(all)
}

impl Places {
    /// Where there may be credentials for an image, the best first.
    fn of(&self, image: &ImageRef) -> Vec<Place> {
        let (Some(registry), Some(repository)) = (image.registry(), image.repository()) else { return Vec::new() };
        let (no_auths, no_helpers) = (BTreeMap::new(), BTreeMap::new());
        let auths = self.auths.as_ref().unwrap_or(&no_auths);
        let helpers = self.cred_helpers.as_ref().unwrap_or(&no_helpers);
        let is_whole = |known: &str| {
            let bare = known.split_once("://").map_or(known, |(_, rest)| rest);
            let path = bare.split_once('/').map_or("", |(_, path)| path);
            host(known) == host(registry) && matches!(path.trim_end_matches('/'), "" | "v1" | "v2")
        };
        let mut places = Vec::new();
        for (key, helper) in helpers.iter().filter(|(key, _)| is_whole(key)) {
            places.push(Place { key: key.clone(), file: json!({"credHelpers": {key: helper}}) });
        }
        // The repository, then each of the folders that it is in, then the registry.
        let whole = format!("{registry}/{repository}");
        let ends = std::iter::once(whole.len()).chain(whole.rmatch_indices('/').map(|(end, _)| end));
        let inside = ends.filter_map(|end| whole.get(..end)).filter(|inside| inside.contains('/'));
        let entries = inside.filter_map(|inside| auths.get_key_value(inside));
        for (key, entry) in entries.chain(auths.iter().filter(|(key, _)| is_whole(key))) {
            // What is empty is not there.
            let mut entry = entry.clone();
            if let Some(fields) = entry.as_object_mut() {
                fields.retain(|_, field| field.as_str() != Some(""));
            }
            if entry.as_object().is_some_and(|fields| !fields.is_empty()) {
                places.push(Place { key: key.clone(), file: json!({"auths": {key: entry}}) });
            }
        }
        if let (true, Some(store)) = (places.is_empty(), self.creds_store.as_ref().filter(|store| !store.is_empty())) {
            let key = if host(registry) == "docker.io" { HUB } else { registry };
            places.push(Place { key: key.to_owned(), file: json!({"credsStore": store}) });
        }
        places
    }
}

/// Without what a helper printed.
fn why(failure: &Failure, key: &str) -> String {
    match failure {
        Failure::HelperFailure { helper, .. } => format!("the program {helper} failed for {key}"),
        Failure::HelperCommunicationError => format!("the credential helper for {key} cannot be run"),
        Failure::MalformedHelperResponse => format!("the credential helper for {key} answers with no credentials"),
        Failure::CredentialMismatchError => format!("`auth` of {key} says otherwise than its user and password"),
        _ => format!("the credentials for {key} cannot be read"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    async fn found(text: &str, image: &str) -> Result<Vec<Credentials>> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        fs::write(&file, text).unwrap();
        AuthFiles::new([file]).credentials(&image.parse().unwrap()).await
    }

    fn who(name: &str) -> Credentials {
        Credentials::password(name, "s3cret")
    }

    /// `auth` for a user with that password.
    fn auth(name: &str) -> &'static str {
        match name {
            "hub" => "aHViOnMzY3JldA==",
            "team" => "dGVhbTpzM2NyZXQ=",
            "app" => "YXBwOnMzY3JldA==",
            "quay" => "cXVheTpzM2NyZXQ=",
            _ => panic!("{name}"),
        }
    }

    #[tokio::test]
    async fn entries_are_found_the_best_first() {
        let text = format!(
            r#"{{"auths": {{
                "https://index.docker.io/v1/": {{"auth": "{}"}},
                "quay.io": {{"auth": "{}"}},
                "quay.io/team": {{"auth": "{}"}},
                "quay.io/team/app": {{"auth": "{}"}},
                "node1:5000": {{"identitytoken": "t0ken"}}
            }}}}"#,
            auth("hub"),
            auth("quay"),
            auth("team"),
            auth("app")
        );
        for (image, expected) in [
            ("nginx", vec![who("hub")]),
            ("quay.io/team/app:1", vec![who("app"), who("team"), who("quay")]),
            ("quay.io/team/other", vec![who("team"), who("quay")]),
            ("quay.io/teams/app", vec![who("quay")]),
            ("node1:5000/app", vec![Credentials::IdentityToken("t0ken".to_owned())]),
            ("node1:5001/app", vec![]),
            ("registry-1.docker.io/library/nginx", vec![who("hub")]),
        ] {
            assert_eq!(found(&text, image).await.unwrap(), expected, "{image}");
        }
    }

    #[tokio::test]
    async fn what_is_empty_is_not_there() {
        for (text, expected) in [
            ("", vec![]),
            ("{}", vec![]),
            (r#"{"auths": null, "credsStore": ""}"#, vec![]),
            (r#"{"auths": {"quay.io": {}}}"#, vec![]),
            (r#"{"auths": {"quay.io": {"auth": "", "username": "quay", "password": "s3cret"}}}"#, vec![who("quay")]),
            (r#"{"auths": {"https://quay.io/team/": {"username": "team", "password": "s3cret"}}}"#, vec![]),
        ] {
            assert_eq!(found(text, "quay.io/app").await.unwrap(), expected, "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_wrong_is_said_with_its_file_and_without_what_is_in_it() {
        let missing = AuthFiles::new(["/nowhere/config.json".into()]);
        assert_eq!(missing.credentials(&"nginx".parse().unwrap()).await.unwrap(), []);

        let text = r#"{"auths": {"quay.io": {"auth": "hunter2"}}}"#;
        for (text, why) in [
            (text, "the credentials for quay.io cannot be read"),
            ("{\"auths\": [\"hunter2\"]}", "it is not as `login` writes it, at line 1 column"),
        ] {
            let error = found(text, "quay.io/app").await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Rejected);
            let report = error.report();
            assert!(report.contains("config.json: ") && report.contains(why), "{report}");
            assert!(!report.contains("hunter2"), "{report}");
        }
    }

    #[test]
    fn files_are_where_the_commands_look_for_them() {
        let set = |known: &'static [(&str, &str)]| {
            move |name: &str| known.iter().find(|(known, _)| *known == name).map(|(_, value)| PathBuf::from(value))
        };
        let of = |known| podmans(set(known)).iter().map(|file| file.display().to_string()).collect::<Vec<_>>();

        assert_eq!(of(&[("REGISTRY_AUTH_FILE", "/a.json"), ("HOME", "/home/kit")]), ["/a.json"]);
        let all = of(&[("XDG_RUNTIME_DIR", "/run/user/7"), ("HOME", "/home/kit")]);
        let expected = [
            "/run/user/7/containers/auth.json",
            "/home/kit/.config/containers/auth.json",
            "/home/kit/.docker/config.json",
        ];
        assert_eq!(all, expected);
        assert!(of(&[])[0].starts_with("/run/containers/"));
        assert_eq!(dockers(set(&[("DOCKER_CONFIG", "/d")])), Some(PathBuf::from("/d/config.json")));
    }
}
