//! A way to the registry on which a test decides what happens: who is held, refused, or cut off.
//!
//! It is one for all cases of a process; a case has its own repositories.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use super::http;

/// What happens to the requests for a repository.
#[derive(Clone, Debug, Default)]
pub enum Rule {
    /// They get through.
    #[default]
    Through,
    /// Of its layers, the first half is sent, and the rest when they are let go.
    Hold,
    /// Its layers are sent drop by drop until they are let go.
    Trickle,
    /// Of its layers, the first half is sent, and then nothing.
    Stall,
    /// Its manifests are answered with this status, these headers and this body.
    Refuse(u16, Vec<(&'static str, &'static str)>, &'static str),
}

/// A way to the registry.
#[derive(Debug)]
pub struct Way {
    registry: PathBuf,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    rules: BTreeMap<String, Rule>,
    /// The repositories whose layers are held now.
    held: BTreeSet<String>,
    let_go: BTreeSet<String>,
    requests: Vec<String>,
}

impl Way {
    /// The one of this process for the engine whose files are in that folder.
    pub(super) fn of(folder: &Path) -> Arc<Self> {
        static ALL: Mutex<BTreeMap<PathBuf, Arc<Way>>> = Mutex::new(BTreeMap::new());

        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let way = all.entry(folder.to_owned()).or_insert_with(|| {
            let socket = folder.join("way.sock");
            // That of a process that has ended.
            let _ = std::fs::remove_file(&socket);
            let listener = UnixListener::bind(socket).unwrap();
            let registry = folder.join("registry.sock");
            let way = Arc::new(Self { registry, state: Mutex::default(), changed: Condvar::new() });
            let serving = Arc::clone(&way);
            thread::spawn(move || {
                for client in listener.incoming().flatten() {
                    let way = Arc::clone(&serving);
                    thread::spawn(move || way.pass(client));
                }
            });
            way
        });
        Arc::clone(way)
    }

    /// What happens from now on to the requests for a repository.
    pub fn rule(&self, repository: &str, rule: Rule) {
        self.state().rules.insert(repository.to_owned(), rule);
        self.changed.notify_all();
    }

    /// The requests for a repository so far: `GET manifests/1`.
    pub fn requests(&self, repository: &str) -> Vec<String> {
        let wanted = format!(" /v2/{repository}/");
        self.state()
            .requests
            .iter()
            .filter(|line| line.contains(&wanted))
            .map(|line| line.replacen(&wanted, " ", 1))
            .collect()
    }

    /// Those repositories whose names begin like this and whose layers are held now.
    pub fn held(&self, beginning: &str) -> Vec<String> {
        self.state().held.iter().filter(|held| held.starts_with(beginning)).cloned().collect()
    }

    /// Lets the layers of a repository through.
    pub fn let_go(&self, repository: &str) {
        self.state().let_go.insert(repository.to_owned());
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request; the connection ends with its answer.
    fn pass(&self, mut client: UnixStream) -> io::Result<()> {
        let head = http::head(&mut client)?;
        let line = head.lines().next().unwrap_or_default().to_owned();
        let path = line.split(' ').nth(1).unwrap_or_default();
        let repository = ["/manifests/", "/blobs/"]
            .iter()
            .find_map(|kind| path.strip_prefix("/v2/")?.split_once(kind))
            .map(|(repository, _)| repository.to_owned())
            .unwrap_or_default();
        let rule = {
            let mut state = self.state();
            state.requests.push(line.trim_end_matches(" HTTP/1.1").to_owned());
            state.rules.get(&repository).cloned().unwrap_or_default()
        };
        if let (Rule::Refuse(status, headers, body), true) = (&rule, path.contains("/manifests/")) {
            let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let headers = headers.concat();
            let length = body.len();
            let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}");
            let head = format!("{head}Content-Length: {length}\r\nConnection: close\r\n\r\n");
            let body = if line.starts_with("HEAD") { "" } else { body };
            return client.write_all(format!("{head}{body}").as_bytes());
        }

        let mut registry = UnixStream::connect(&self.registry)?;
        let closing = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        registry.write_all(closing.as_bytes())?;
        let answer = http::head(&mut registry)?;
        let length: u64 = http::header(&answer, "Content-Length").and_then(|length| length.parse().ok()).unwrap_or(0);
        // What is larger than that is a layer of the test's own; the rest is quickly there.
        let is_layer = path.contains("/blobs/") && length > 100_000;
        client.write_all(answer.as_bytes())?;
        match rule {
            Rule::Hold if is_layer => {
                io::copy(&mut (&mut registry).take(length / 2), &mut client)?;
                self.hold(&repository, &mut client);
            }
            Rule::Trickle if is_layer => {
                while !self.state().let_go.contains(&repository) {
                    thread::sleep(Duration::from_millis(50));
                    io::copy(&mut (&mut registry).take(length / 1000), &mut client)?;
                }
            }
            Rule::Stall if is_layer => {
                io::copy(&mut (&mut registry).take(length / 2), &mut client)?;
                // Until the other side has had enough.
                let _ = client.read(&mut [0]);
                return Ok(());
            }
            _ => {}
        }
        io::copy(&mut registry, &mut client).map(drop)
    }

    fn hold(&self, repository: &str, client: &mut UnixStream) {
        let mut state = self.state();
        state.held.insert(repository.to_owned());
        let _ = client.set_nonblocking(true);
        while !state.let_go.contains(repository) && !is_closed(client) {
            state =
                self.changed.wait_timeout(state, Duration::from_millis(100)).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.held.remove(repository);
        let _ = client.set_nonblocking(false);
    }
}

fn is_closed(client: &mut UnixStream) -> bool {
    match client.read(&mut [0]) {
        Ok(0) => true,
        Ok(_) => false,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}
