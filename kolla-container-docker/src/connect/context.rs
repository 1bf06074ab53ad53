//! What docker's own command is configured to talk to: the variables of the environment, and its contexts.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use kolla_container_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::{Address, Connection, Tls};

/// The context that is not stored, and stands for the variables.
pub(super) const DEFAULT: &str = "default";

/// The variables that configure docker's own command. An empty one is not set.
pub(super) struct Environment<F>(pub(super) F);

impl<F: Fn(&str) -> Option<OsString>> Environment<F> {
    /// What the docker command would talk to.
    pub(super) fn connection(&self) -> Result<Connection> {
        if self.text("DOCKER_HOST")?.is_some() {
            return self.stated();
        }
        let context = match self.text("DOCKER_CONTEXT")? {
            Some(name) => Some(name),
            None => self.current_context()?,
        };
        match context {
            Some(name) if name != DEFAULT => self.context(&name),
            _ => self.stated(),
        }
    }

    /// What the context of this name says.
    pub(super) fn context(&self, name: &str) -> Result<Connection> {
        let failed = |Failure { kind, cause }| Error::new(kind, "use docker context", name).because(cause);
        let rejected = |cause: String| failed(Failure::new(ErrorKind::Rejected, cause));
        let Some(contexts) = self.folder().map(|folder| folder.join("contexts")) else {
            return Err(rejected("neither DOCKER_CONFIG nor HOME says where contexts are stored".to_owned()));
        };
        let id = id(name);
        let path = contexts.join("meta").join(&id).join("meta.json");
        let text = fs::read(&path).map_err(|error| failed(Failure::file("the stored context", &path, &error)))?;
        let wrong = |why: String| rejected(format!("{} is not that of a context ({why})", path.display()));
        let meta: Meta = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
        let Some(endpoint) = meta.endpoints.docker else {
            return Err(wrong("no endpoint of docker is in it".to_owned()));
        };
        let address: Address = endpoint.host.parse().map_err(|error| wrong(format!("{error}")))?;
        let found = Tls::found_in(&contexts.join("tls").join(&id).join("docker"));
        match address {
            Address::Tcp(_) if endpoint.skip_tls_verify => {
                Err(failed(Failure::new(ErrorKind::Unsupported, UNVERIFIED_CONTEXT)))
            }
            Address::Tcp(_) if found != Tls::default() => {
                Ok(Connection { tls: Some(found), ..Connection::new(address) })
            }
            address => Ok(Connection::new(address)),
        }
    }

    /// What the variables say. TLS is for TCP only; with it, not the socket but a port is the default.
    fn stated(&self) -> Result<Connection> {
        let is_verified = self.is_set("DOCKER_TLS_VERIFY");
        let is_tls = is_verified || self.is_set("DOCKER_TLS");
        let address = match self.text("DOCKER_HOST")? {
            Some(host) => host.parse().map_err(|error| wrong_variable("DOCKER_HOST").because(error))?,
            None if is_tls => Address::Tcp("localhost:2376".to_owned()),
            None => return Ok(Connection::local()),
        };
        if !is_tls || !matches!(address, Address::Tcp(_)) {
            return Ok(Connection::new(address));
        }
        if !is_verified {
            return Err(Error::new(ErrorKind::Unsupported, "connect to", address).because(UNVERIFIED_VARIABLE));
        }
        let folder = self.path("DOCKER_CERT_PATH").or_else(|| self.folder()).unwrap_or_default();
        // The variables never mean the system's authorities, so a missing file is to be missed.
        let tls = Tls { ca: Some(folder.join("ca.pem")), ..Tls::found_in(&folder) };
        Ok(Connection { tls: Some(tls), ..Connection::new(address) })
    }

    /// The context that `docker context use` has chosen.
    fn current_context(&self) -> Result<Option<String>> {
        #[derive(Deserialize)]
        struct Config {
            #[serde(rename = "currentContext", default)]
            current_context: String,
        }
        let Some(path) = self.folder().map(|folder| folder.join("config.json")) else { return Ok(None) };
        let failed = |Failure { kind, cause }| Error::new(kind, "read", path.display()).because(cause);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(Failure::file("the configuration of docker's command", &path, &error))),
        };
        // As docker's command sees it: an empty file configures nothing.
        if text.trim_ascii().is_empty() {
            return Ok(None);
        }
        let config: Config = serde_json::from_slice(&text).map_err(|error| {
            let cause = format!("it is not the configuration of docker's command ({error})");
            failed(Failure::new(ErrorKind::Rejected, cause))
        })?;
        Ok(Some(config.current_context).filter(|name| !name.is_empty()))
    }

    /// Where docker's command keeps its files.
    fn folder(&self) -> Option<PathBuf> {
        self.path("DOCKER_CONFIG").or_else(|| Some(self.path("HOME")?.join(".docker")))
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        (self.0)(name).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    fn is_set(&self, name: &str) -> bool {
        self.path(name).is_some()
    }

    fn text(&self, name: &'static str) -> Result<Option<String>> {
        let text = match self.path(name).map(|value| value.into_os_string().into_string()) {
            Some(Ok(text)) => text.trim().to_owned(),
            Some(Err(_)) => return Err(wrong_variable(name).because("it is not UTF-8")),
            None => return Ok(None),
        };
        Ok(Some(text).filter(|text| !text.is_empty()))
    }
}

const UNVERIFIED_VARIABLE: &str = "DOCKER_TLS alone asks for TLS that verifies nothing, which is refused: \
     set DOCKER_TLS_VERIFY=1, with the ca.pem of the engine in DOCKER_CERT_PATH";

const UNVERIFIED_CONTEXT: &str = "it asks for TLS that verifies nothing (SkipTLSVerify), which is refused: \
     update the context with skip-tls-verify=false and the ca.pem of the engine";

fn wrong_variable(name: &'static str) -> Error {
    Error::new(ErrorKind::Rejected, "read the environment variable", name)
}

/// What a context is stored under.
fn id(name: &str) -> String {
    Sha256::digest(name).iter().fold(String::new(), |mut id, byte| {
        // Writing into a text does not fail.
        let _ = write!(id, "{byte:02x}");
        id
    })
}

/// What is stored of a context, as far as it matters here.
#[derive(Deserialize)]
struct Meta {
    #[serde(rename = "Endpoints", default)]
    endpoints: Endpoints,
}

#[derive(Default, Deserialize)]
struct Endpoints {
    docker: Option<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    #[serde(rename = "Host", default)]
    host: String,
    #[serde(rename = "SkipTLSVerify", default)]
    skip_tls_verify: bool,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;

    /// A home with docker's folder: its files by their paths in it.
    fn home(files: &[(&str, &str)]) -> TempDir {
        let home = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = home.path().join(".docker").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        home
    }

    fn environment(home: &Path, variables: &[(&str, &str)]) -> Environment<impl Fn(&str) -> Option<OsString>> {
        let mut variables: Vec<(String, OsString)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        variables.push(("HOME".to_owned(), home.into()));
        Environment(move |wanted: &str| Some(variables.iter().find(|(name, _)| name == wanted)?.1.clone()))
    }

    /// What is chosen, in one line: the address and the files of TLS, with `~` for the home.
    fn chosen(home: &TempDir, variables: &[(&str, &str)]) -> String {
        let line = match environment(home.path(), variables).connection() {
            Ok(Connection { address, tls, .. }) => {
                let tls = tls.into_iter().flat_map(|tls| [tls.ca, tls.certificate, tls.key]).flatten();
                tls.fold(address.to_string(), |line, path| format!("{line} {}", path.display()))
            }
            Err(error) => error.report(),
        };
        line.replace(home.path().to_str().unwrap(), "~")
    }

    /// Where a context of this name is stored.
    fn meta(name: &str) -> String {
        format!("contexts/meta/{}/meta.json", id(name))
    }

    #[test]
    fn a_context_is_stored_under_the_hash_of_its_name() {
        assert_eq!(id("default"), "37a8eec1ce19687d132fe29051dca629d164e2c4958ba141d5f4133a33f0688f");
    }

    #[test]
    fn variables_choose_as_they_do_for_dockers_command() {
        let verify = ("DOCKER_TLS_VERIFY", "1");
        let tcp = ("DOCKER_HOST", "tcp://node1:2376");
        let home = home(&[("ca.pem", "")]);
        let certs = home.path().join("certs");
        fs::create_dir(&certs).unwrap();
        fs::write(certs.join("key.pem"), "").unwrap();
        let folder = ("DOCKER_CERT_PATH", certs.to_str().unwrap());
        let rows: [(&[(&str, &str)], &str); 15] = [
            (&[], "unix:///var/run/docker.sock"),
            (&[("DOCKER_HOST", ""), ("DOCKER_TLS_VERIFY", "")], "unix:///var/run/docker.sock"),
            (&[("DOCKER_HOST", " unix:///run/d.sock\n")], "unix:///run/d.sock"),
            (&[("DOCKER_HOST", "ssh://root@node1")], "ssh://root@node1"),
            (&[("DOCKER_HOST", "tcp://node1:2375")], "tcp://node1:2375"),
            (&[tcp, verify], "tcp://node1:2376 ~/.docker/ca.pem"),
            (&[tcp, ("DOCKER_TLS_VERIFY", "0")], "tcp://node1:2376 ~/.docker/ca.pem"),
            (&[tcp, verify, ("DOCKER_TLS", "1")], "tcp://node1:2376 ~/.docker/ca.pem"),
            (&[tcp, verify, folder], "tcp://node1:2376 ~/certs/ca.pem ~/certs/cert.pem ~/certs/key.pem"),
            (&[tcp, verify, ("DOCKER_CONFIG", "/etc/d")], "tcp://node1:2376 /etc/d/ca.pem"),
            (&[verify], "tcp://localhost:2376 ~/.docker/ca.pem"),
            (&[("DOCKER_HOST", "unix:///run/d.sock"), verify], "unix:///run/d.sock"),
            (&[("DOCKER_HOST", "ssh://node1"), ("DOCKER_TLS", "1")], "ssh://node1"),
            (
                &[tcp, ("DOCKER_TLS", "1"), ("DOCKER_TLS_VERIFY", "")],
                "connect to tcp://node1:2376: not supported: DOCKER_TLS alone asks for TLS that verifies nothing, \
                 which is refused: set DOCKER_TLS_VERIFY=1, with the ca.pem of the engine in DOCKER_CERT_PATH",
            ),
            (
                &[("DOCKER_HOST", "ssh://me:hunter2@node1")],
                "read the environment variable DOCKER_HOST: the request is not valid: a password has no place in it: \
                 an engine listens at unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST[:PORT]",
            ),
        ];

        for (variables, expected) in rows {
            assert_eq!(chosen(&home, variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_context_is_taken_where_no_host_is_named() {
        let (far, near) = (meta("far"), meta("near"));
        let tls = format!("contexts/tls/{}/docker", id("far"));
        let (ca, certificate) = (format!("{tls}/ca.pem"), format!("{tls}/cert.pem"));
        let home = home(&[
            (&far, r#"{"Name": "far", "Endpoints": {"docker": {"Host": "tcp://node1:2376"}}}"#),
            (&ca, ""),
            (&certificate, ""),
            (
                &near,
                r#"{"Name": "near", "Endpoints": {"docker": {"Host": "unix:///run/d.sock", "SkipTLSVerify": true}}}"#,
            ),
            ("config.json", r#"{"auths": {"r": {"auth": "aHVudGVyMg=="}}, "currentContext": "near"}"#),
        ]);
        let far = format!("tcp://node1:2376 ~/.docker/{ca} ~/.docker/{certificate} ~/.docker/{tls}/key.pem");
        let rows: [(&[(&str, &str)], &str); 5] = [
            (&[], "unix:///run/d.sock"),
            (&[("DOCKER_CONTEXT", "far")], &far),
            (&[("DOCKER_CONTEXT", "default")], "unix:///var/run/docker.sock"),
            (&[("DOCKER_CONTEXT", "far"), ("DOCKER_HOST", "tcp://node2:1")], "tcp://node2:1"),
            (&[("DOCKER_CONFIG", "/nonexistent")], "unix:///var/run/docker.sock"),
        ];

        for (variables, expected) in rows {
            assert_eq!(chosen(&home, variables), expected, "{variables:?}");
        }
    }

    #[test]
    fn a_context_that_cannot_be_used_says_what_is_wrong() {
        let stored = |path: &str, why: &str| format!("~/.docker/{path} is not that of a context ({why})");
        let missing = format!(
            "the stored context ~/.docker/{} cannot be read (No such file or directory (os error 2))",
            meta("it")
        );
        let unverified = r#"{"Endpoints": {"docker": {"Host": "tcp://node1:2376", "SkipTLSVerify": true}}}"#;
        let plain = r#"{"Endpoints": {"docker": {"Host": "https://node1"}}}"#;
        let right = "an engine listens at unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST[:PORT]";
        let rows = [
            (None, format!("the request is not valid: {missing}")),
            (Some("{"), "EOF while parsing an object at line 1 column 1".to_owned()),
            (Some("{}"), "no endpoint of docker is in it".to_owned()),
            (Some(plain), format!("https:// is written tcp://, and TLS is stated beside it: {right}")),
            (Some(unverified), format!("not supported: {UNVERIFIED_CONTEXT}")),
        ];

        for (text, expected) in rows {
            let path = meta("it");
            let home = home(&text.map(|text| (path.as_str(), text)).into_iter().collect::<Vec<_>>());
            let expected = match text {
                Some(text) if text != unverified => format!("the request is not valid: {}", stored(&path, &expected)),
                _ => expected,
            };
            assert_eq!(chosen(&home, &[("DOCKER_CONTEXT", "it")]), format!("use docker context it: {expected}"));
        }
    }

    #[test]
    fn a_configuration_that_is_broken_is_named_and_an_empty_one_is_none() {
        let broken = home(&[("config.json", r#"{"currentContext": 1}"#)]);
        let empty = home(&[("config.json", "\n")]);

        assert_eq!(
            chosen(&broken, &[]),
            "read ~/.docker/config.json: the request is not valid: it is not the configuration of docker's command \
             (invalid type: integer `1`, expected a string at line 1 column 20)"
        );
        assert_eq!(chosen(&empty, &[]), "unix:///var/run/docker.sock");
    }
}
