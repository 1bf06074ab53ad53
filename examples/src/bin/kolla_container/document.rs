//! The engine's own documents of what it has, as it answers them: read from its socket, and not understood.

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use kolla_container_core::dialect::kolla::Engine;
use kolla_container_core::{Error, ErrorKind};
use kolla_container_docker::Address;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::connect::place;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(2);

/// Who has them.
#[derive(Debug)]
pub(crate) struct Documents {
    engine: Engine,
    socket: PathBuf,
}

impl Documents {
    /// Those of the engine at its socket, which has to be one of this machine.
    pub(crate) fn of(engine: Engine) -> Result<Self, Error> {
        let (variable, usual) = place(engine);
        match std::env::var(variable).ok().filter(|named| !named.is_empty()).map(|named| named.parse()) {
            None => Ok(Self { engine, socket: usual.into() }),
            Some(Ok(Address::Unix(socket))) => Ok(Self { engine, socket }),
            Some(_) => Err(Error::new(ErrorKind::Unsupported, "read facts of", engine)
                .because(format!("{variable} names no socket of this machine"))),
        }
    }

    /// The containers that run, or all: the name of each, and its id.
    pub(crate) async fn containers(&self, all: bool) -> Result<Vec<(String, String)>, Error> {
        let listed = self.get(&format!("/containers/json?all={all}")).await?.unwrap_or_default();
        let entries = listed.as_array().into_iter().flatten();
        Ok(entries.filter_map(|entry| Some((name_of(entry)?, entry.get("Id")?.as_str()?.to_owned()))).collect())
    }

    /// The document of a container, by its name or its id; `None` where there is none.
    pub(crate) async fn container(&self, name: &str) -> Result<Option<Value>, Error> {
        // A name that is none would be a part of the address.
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')) {
            return Ok(None);
        }
        self.get(&format!("/containers/{name}/json")).await
    }

    /// The documents of all volumes.
    pub(crate) async fn volumes(&self) -> Result<Vec<Value>, Error> {
        let listed = match self.engine {
            Engine::Docker => {
                self.get("/volumes").await?.and_then(|mut listed| listed.get_mut("Volumes").map(Value::take))
            }
            Engine::Podman => self.get("/volumes/json").await?,
        };
        match listed {
            Some(Value::Array(volumes)) => Ok(volumes),
            _ => Ok(Vec::new()),
        }
    }

    async fn get(&self, path: &str) -> Result<Option<Value>, Error> {
        let late = |_| self.failed(ErrorKind::TimedOut, "it does not answer");
        tokio::time::timeout(PATIENCE, self.answer(path)).await.unwrap_or_else(|error| Err(late(error)))
    }

    async fn answer(&self, path: &str) -> Result<Option<Value>, Error> {
        let unreachable = |error: &dyn std::error::Error| self.failed(ErrorKind::Unreachable, error);
        let path = match self.engine {
            Engine::Docker => path.to_owned(),
            Engine::Podman => format!("/v5.0.0/libpod{path}"),
        };
        let request = Request::get(path).header(HOST, "localhost").body(Empty::<Bytes>::new());
        let request = request.map_err(|error| self.failed(ErrorKind::Rejected, error))?;
        let stream = UnixStream::connect(&self.socket).await.map_err(|error| unreachable(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| unreachable(&error))?;
        tokio::spawn(connection);
        let answer = sender.send_request(request).await.map_err(|error| unreachable(&error))?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|error| unreachable(&error))?.to_bytes();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            let said = String::from_utf8_lossy(&body).into_owned();
            // So says Podman of one that goes while it is looked at.
            if said.contains(r#""cause":"no such container""#) {
                return Ok(None);
            }
            return Err(self.failed(ErrorKind::EngineFailed, format!("{status}: {}", said.trim())));
        }
        serde_json::from_slice(&body).map(Some).map_err(|_| self.failed(ErrorKind::Undecodable, "this is no JSON"))
    }

    fn failed(&self, kind: ErrorKind, why: impl std::fmt::Display) -> Error {
        Error::new(kind, "read facts from", self.socket.display()).because(why)
    }
}

/// A name of its own, not one under which another container knows it.
fn name_of(entry: &Value) -> Option<String> {
    let names = entry.get("Names")?.as_array()?.iter().filter_map(Value::as_str);
    names.map(|name| name.strip_prefix('/').unwrap_or(name)).find(|name| !name.contains('/')).map(str::to_owned)
}
