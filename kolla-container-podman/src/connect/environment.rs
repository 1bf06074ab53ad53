//! What podman's own command is configured to talk to: the variables of the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use kolla_container_core::{Error, ErrorKind, Result};

use super::{Address, Connection};

/// The variables that configure podman's own command, and whose they are. An empty one is not set.
pub(super) struct Environment<F> {
    pub(super) variables: F,
    /// The number of the user.
    pub(super) user: u32,
}

impl<F: Fn(&str) -> Option<OsString>> Environment<F> {
    /// What the podman command would talk to.
    pub(super) fn connection(&self) -> Result<Connection> {
        if let Some(name) = self.value("CONTAINER_CONNECTION") {
            let cause = "stored connections are not read: name the address in CONTAINER_HOST, and \
                         unset CONTAINER_CONNECTION";
            let error = Error::new(ErrorKind::Unsupported, "use podman connection", name.display());
            return Err(error.because(cause));
        }
        let Some(host) = self.value("CONTAINER_HOST") else { return Ok(self.local()) };
        let wrong = Error::new(ErrorKind::Rejected, "read the environment variable", "CONTAINER_HOST");
        match host.to_str().map(|host| host.trim().parse::<Address>()) {
            Some(Ok(address)) => Ok(Connection::new(address)),
            Some(Err(error)) => Err(wrong.because(error)),
            None => Err(wrong.because("it is not UTF-8")),
        }
    }

    /// The socket of this user's engine.
    pub(super) fn local(&self) -> Connection {
        let run = match (self.user, self.value("XDG_RUNTIME_DIR")) {
            (0, _) => PathBuf::from("/run"),
            (_, Some(folder)) => PathBuf::from(folder),
            (user, None) => Path::new("/run/user").join(user.to_string()),
        };
        Connection::new(Address::Unix(run.join("podman/podman.sock")))
    }

    fn value(&self, name: &str) -> Option<OsString> {
        (self.variables)(name).filter(|value| !value.as_encoded_bytes().trim_ascii().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is chosen by a user with these variables, in one line.
    fn chosen(user: u32, variables: &[(&str, &str)]) -> String {
        let variables: Vec<(String, OsString)> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let variables = move |wanted: &str| Some(variables.iter().find(|(name, _)| name == wanted)?.1.clone());
        match (Environment { variables, user }).connection() {
            Ok(connection) => connection.address.to_string(),
            Err(error) => error.report(),
        }
    }

    #[test]
    fn the_engine_is_that_of_the_user_unless_another_is_named() {
        let folder = ("XDG_RUNTIME_DIR", "/run/user/7");
        let rows: [(u32, &[_], &str); 7] = [
            (0, &[], "unix:///run/podman/podman.sock"),
            (0, &[("XDG_RUNTIME_DIR", "/run/user/0")], "unix:///run/podman/podman.sock"),
            (1000, &[], "unix:///run/user/1000/podman/podman.sock"),
            (1000, &[folder], "unix:///run/user/7/podman/podman.sock"),
            (1000, &[folder, ("CONTAINER_HOST", " unix:///run/p.sock\n")], "unix:///run/p.sock"),
            (1000, &[("CONTAINER_HOST", "tcp://node1:8080")], "tcp://node1:8080"),
            (0, &[("CONTAINER_HOST", " "), ("CONTAINER_CONNECTION", "")], "unix:///run/podman/podman.sock"),
        ];

        for (user, variables, expected) in rows {
            assert_eq!(chosen(user, variables), expected, "{user} {variables:?}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said_and_never_passed_over() {
        let ssh = chosen(0, &[("CONTAINER_HOST", "ssh://me:hunter2@node1/run/podman/podman.sock")]);
        let stored = chosen(0, &[("CONTAINER_CONNECTION", "node1"), ("CONTAINER_HOST", "unix:///run/p.sock")]);

        assert_eq!(
            ssh,
            "read the environment variable CONTAINER_HOST: the request is not valid: ssh:// is not supported (forward \
             the socket with ssh -L LOCAL.sock:/run/podman/podman.sock HOST, and name LOCAL.sock): an engine listens \
             at unix:///PATH or tcp://HOST:PORT"
        );
        assert_eq!(
            stored,
            "use podman connection node1: not supported: stored connections are not read: name the address in \
             CONTAINER_HOST, and unset CONTAINER_CONNECTION"
        );
    }
}
