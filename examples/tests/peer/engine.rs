//! The engines, asked without either of the modules.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    Docker,
    Podman,
}

impl Engine {
    pub(crate) const ALL: [Self; 2] = [Self::Docker, Self::Podman];

    /// Where its API is that tells most.
    fn own(self) -> &'static str {
        match self {
            Self::Docker => "/v1.41",
            Self::Podman => "/v4.3.0/libpod",
        }
    }

    /// All that it knows of a container.
    pub(crate) async fn container(self, machine: &Path, name: &str) -> Option<Value> {
        let (status, found) = self.ask(machine, "GET", &format!("{}/containers/{name}/json", self.own())).await;
        (status == 200).then_some(found)
    }

    /// The id of an image.
    pub(crate) async fn image(self, machine: &Path, name: &str) -> Option<Value> {
        let (status, found) = self.ask(machine, "GET", &format!("{}/images/{name}/json", self.own())).await;
        (status == 200).then(|| found["Id"].clone())
    }

    /// A volume.
    pub(crate) async fn volume(self, machine: &Path, name: &str) -> Option<Value> {
        let (status, found) = self.ask(machine, "GET", &format!("/v1.41/volumes/{name}")).await;
        (status == 200).then_some(found)
    }

    /// The names of all containers.
    pub(crate) async fn containers(self, machine: &Path) -> Vec<String> {
        let (status, found) = self.ask(machine, "GET", "/v1.41/containers/json?all=true").await;
        assert_eq!(status, 200, "{found}");
        let all = found.as_array().cloned().unwrap_or_default();
        let names = all.iter().flat_map(|one| one["Names"].as_array().cloned().unwrap_or_default());
        names.filter_map(|name| Some(name.as_str()?.trim_start_matches('/').to_owned())).collect()
    }

    /// The names of all volumes.
    pub(crate) async fn volumes(self, machine: &Path) -> Vec<String> {
        let (status, found) = self.ask(machine, "GET", "/v1.41/volumes").await;
        assert_eq!(status, 200, "{found}");
        let all = found["Volumes"].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(|volume| Some(volume["Name"].as_str()?.to_owned())).collect()
    }

    /// What is done by a method, a path that both engines know, and a document where one is wanted.
    pub(crate) async fn act(self, machine: &Path, request: &str) -> Result<(), String> {
        let (method, path) = request.split_once(' ').unwrap();
        let (path, document) = path.split_once(' ').unwrap_or((path, ""));
        match self.send(machine, method, &format!("/v1.41{path}"), document).await {
            (200..=399 | 404, _) => Ok(()),
            (status, answer) => Err(format!("{request}: {status} {answer}")),
        }
    }

    async fn ask(self, machine: &Path, method: &str, path: &str) -> (u16, Value) {
        self.send(machine, method, path, "").await
    }

    /// By a version of HTTP whose answers end with the connection.
    async fn send(self, machine: &Path, method: &str, path: &str, document: &str) -> (u16, Value) {
        let mut stream = UnixStream::connect(machine.join(format!("{self}.sock"))).await.unwrap();
        let head = format!("{method} {path} HTTP/1.0\r\nHost: engine\r\nContent-Type: application/json");
        let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{document}", document.len());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{path}: {answer}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        (status.unwrap(), serde_json::from_str(body).unwrap_or_else(|_| body.into()))
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
        })
    }
}
