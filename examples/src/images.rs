//! As whom images are pulled, and how.

use std::io::{self, BufRead};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use kolla_container_core::images::{AuthFiles, ImageManager, Known};
use kolla_container_core::state::{Credentials, EngineKind};
use kolla_container_core::{Error, ErrorKind, Runtime};

/// As whom images are pulled.
#[derive(Clone, Debug, Default, Args)]
pub struct Login {
    /// The file with the credentials of registries, as `docker login` and `podman login` write it; by default where the
    /// engine's own command has it.
    #[arg(long, value_name = "FILE")]
    pub authfile: Option<PathBuf>,

    /// The user at all registries, instead of what a file says; with --password-stdin.
    #[arg(long, value_name = "NAME", requires = "password_stdin", conflicts_with = "authfile")]
    pub username: Option<String>,

    /// Read the password for --username from the first line of the standard input.
    #[arg(long, requires = "username")]
    pub password_stdin: bool,
}

impl Login {
    /// Pulls images of `runtime` as this user.
    ///
    /// # Errors
    ///
    /// The password cannot be read.
    pub fn manager(&self, runtime: &Arc<dyn Runtime>) -> Result<ImageManager, Error> {
        let images = ImageManager::new(Arc::clone(runtime));
        if let Some(username) = &self.username {
            let password = password(&mut io::stdin().lock())?;
            let known = Known::default().with_any(Credentials::password(username, password));
            return Ok(images.with_keyring(Arc::new(known)));
        }
        let files = match (&self.authfile, runtime.engine().kind) {
            (Some(file), _) => {
                if let Err(error) = std::fs::metadata(file) {
                    return Err(Error::new(ErrorKind::Rejected, "read", file.display()).because(error));
                }
                AuthFiles::new([file.clone()])
            }
            (None, EngineKind::Docker) => AuthFiles::of_docker(),
            (None, EngineKind::Podman) => AuthFiles::of_podman(),
            (None, EngineKind::Memory) => return Ok(images),
        };
        Ok(images.with_keyring(Arc::new(files)))
    }
}

fn password(input: &mut impl BufRead) -> Result<String, Error> {
    let refused = |why: String| Error::new(ErrorKind::Rejected, "read", "the password").because(why);
    let mut line = String::new();
    input.read_line(&mut line).map_err(|error| refused(error.to_string()))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err(refused("the first line of the standard input is empty".to_owned()));
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_one_line() {
        assert_eq!(password(&mut "s3cret \r\nmore".as_bytes()).unwrap(), "s3cret ");
        assert_eq!(password(&mut "".as_bytes()).unwrap_err().kind(), ErrorKind::Rejected);
    }
}
