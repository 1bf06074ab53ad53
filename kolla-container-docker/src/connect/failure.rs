//! What went wrong while connecting, before it is said of which address.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;

use kolla_container_core::ErrorKind;

/// What went wrong, and what that means.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) kind: ErrorKind,
    pub(super) cause: String,
}

impl Failure {
    pub(super) fn new(kind: ErrorKind, cause: impl fmt::Display) -> Self {
        Self { kind, cause: cause.to_string() }
    }

    /// A file that we need and cannot read. A missing one is not `NotFound`, which is said of sockets.
    pub(super) fn file(what: &str, path: &Path, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            _ => ErrorKind::Rejected,
        };
        Self::new(kind, format!("{what} {} cannot be read ({error})", path.display()))
    }

    /// What this program was built without.
    #[cfg_attr(all(feature = "tls", feature = "ssh"), expect(dead_code, reason = "everything is built in"))]
    pub(super) fn without_feature(feature: &str) -> Self {
        Self::new(ErrorKind::Unsupported, format!("kolla-container-docker was built without the feature \"{feature}\""))
    }

    /// What a request failed for.
    pub(super) fn of(error: &bollard::errors::Error) -> Self {
        match error {
            bollard::errors::Error::IOError { err } => Self::of_io(err),
            bollard::errors::Error::HyperResponseError { err } => Self::of_http(err),
            error => Self::new(ErrorKind::Undecodable, error),
        }
    }

    fn of_io(error: &io::Error) -> Self {
        #[cfg(feature = "tls")]
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
            return super::tls::client::failure(error);
        }
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Self::new(ErrorKind::NotFound, "there is no such socket")
            }
            io::ErrorKind::PermissionDenied if error.raw_os_error().is_some() => {
                Self::new(ErrorKind::Denied, "permission denied")
            }
            io::ErrorKind::PermissionDenied => Self::new(ErrorKind::Denied, error),
            io::ErrorKind::InvalidInput => Self::new(ErrorKind::Rejected, error),
            io::ErrorKind::TimedOut => Self::new(ErrorKind::TimedOut, error),
            io::ErrorKind::ConnectionRefused => Self::new(ErrorKind::Unreachable, "nobody listens there"),
            _ => Self::new(ErrorKind::Unreachable, error),
        }
    }

    pub(super) fn of_http(error: &hyper::Error) -> Self {
        let causes = || std::iter::successors(Some(error as &(dyn StdError + 'static)), |error| (*error).source());
        let is_parse = |error: &(dyn StdError + 'static)| error.downcast_ref().is_some_and(hyper::Error::is_parse);
        match causes().find_map(|cause| cause.downcast_ref::<io::Error>()) {
            Some(error) => Self::of_io(error),
            None if causes().any(is_parse) => {
                Self::new(ErrorKind::Undecodable, format!("what listens there does not speak HTTP ({error})"))
            }
            None => Self::new(ErrorKind::Unreachable, format!("it hung up before it answered ({error})")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_of_the_system_means_what_its_kind_says() {
        let cases = [
            (io::Error::from_raw_os_error(2), ErrorKind::NotFound, "there is no such socket"),
            (io::Error::from_raw_os_error(13), ErrorKind::Denied, "permission denied"),
            (io::Error::from_raw_os_error(111), ErrorKind::Unreachable, "nobody listens there"),
            (io::Error::from_raw_os_error(110), ErrorKind::TimedOut, "Connection timed out (os error 110)"),
            (io::Error::from_raw_os_error(104), ErrorKind::Unreachable, "Connection reset by peer (os error 104)"),
            (io::Error::new(io::ErrorKind::PermissionDenied, "ssh says no"), ErrorKind::Denied, "ssh says no"),
        ];

        for (error, kind, cause) in cases {
            let failure = Failure::of(&bollard::errors::Error::from(error));
            assert_eq!((failure.kind, failure.cause.as_str()), (kind, cause));
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_and_is_no_missing_socket() {
        let failure = |kind| Failure::file("the CA certificate", Path::new("/certs/ca.pem"), &io::Error::from(kind));

        let missing = failure(io::ErrorKind::NotFound);

        assert_eq!(missing.kind, ErrorKind::Rejected);
        assert_eq!(missing.cause, "the CA certificate /certs/ca.pem cannot be read (entity not found)");
        assert_eq!(failure(io::ErrorKind::PermissionDenied).kind, ErrorKind::Denied);
    }
}
