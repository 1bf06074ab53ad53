//! What a failure on the way means: of the system, of TLS, of HTTP.

use std::error::Error as StdError;
use std::io;

use kolla_container_core::ErrorKind;

use crate::error::Failure;

impl Failure {
    /// A file that we need and cannot read. A missing one is not `NotFound`, which is said of sockets.
    #[cfg(feature = "tls")]
    pub(super) fn file(what: &str, path: &std::path::Path, error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied => ErrorKind::Denied,
            _ => ErrorKind::Rejected,
        };
        Self::new(kind, format!("{what} {} cannot be read ({error})", path.display()))
    }

    /// What this program was built without.
    #[cfg_attr(feature = "tls", expect(dead_code, reason = "everything is built in"))]
    pub(super) fn without_feature(feature: &str) -> Self {
        Self::new(ErrorKind::Unsupported, format!("kolla-container-podman was built without the feature \"{feature}\""))
    }

    pub(super) fn of_io(error: &io::Error) -> Self {
        #[cfg(feature = "tls")]
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
            return super::tls::client::failure(error);
        }
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                Self::new(ErrorKind::NotFound, "there is no such socket")
            }
            io::ErrorKind::PermissionDenied => Self::new(ErrorKind::Denied, "permission denied"),
            io::ErrorKind::InvalidInput => Self::new(ErrorKind::Rejected, error),
            io::ErrorKind::TimedOut => Self::new(ErrorKind::TimedOut, error),
            io::ErrorKind::ConnectionRefused => Self::new(ErrorKind::Unreachable, "nobody listens there"),
            _ => Self::new(ErrorKind::Unreachable, error),
        }
    }

    /// No answer has begun.
    pub(super) fn unanswered(error: &hyper::Error) -> Self {
        match system(error) {
            Some(error) => Self::of_io(error),
            None if causes(error).any(|cause| cause.downcast_ref().is_some_and(hyper::Error::is_parse)) => {
                Self::new(ErrorKind::Undecodable, format!("what listens there does not speak HTTP ({error})"))
            }
            None => Self::new(ErrorKind::Unreachable, format!("it hung up before it answered ({error})")),
        }
    }

    /// The answer has begun, and does not end as it should.
    pub(super) fn cut_off(error: &hyper::Error) -> Self {
        let cause = system(error).map_or_else(|| error.to_string(), ToString::to_string);
        Self::new(ErrorKind::Unreachable, format!("the answer was cut off ({cause})"))
    }
}

fn causes(error: &hyper::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(Some(error as &(dyn StdError + 'static)), |error| (*error).source())
}

fn system(error: &hyper::Error) -> Option<&io::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
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
        ];

        for (error, kind, cause) in cases {
            assert_eq!(Failure::of_io(&error), Failure::new(kind, cause));
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn a_file_that_cannot_be_read_is_named_and_is_no_missing_socket() {
        let failure = |kind| Failure::file("the CA certificate", "/certs/ca.pem".as_ref(), &io::Error::from(kind));

        let missing = failure(io::ErrorKind::NotFound);

        let cause = "the CA certificate /certs/ca.pem cannot be read (entity not found)";
        assert_eq!(missing, Failure::new(ErrorKind::Rejected, cause));
        assert_eq!(failure(io::ErrorKind::PermissionDenied).kind(), ErrorKind::Denied);
    }
}
