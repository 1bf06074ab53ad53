//! TLS: whom we trust, and who we are. What is presented to us is always verified.

use std::path::PathBuf;

/// The files of TLS, in PEM: whom we trust, and who we are.
///
/// The certificate of the engine is always verified; there is no way to ask for less.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// The certificates of the authorities (CA) of which one must have signed the engine's certificate; `None` for
    /// those that this system trusts.
    pub ca: Option<PathBuf>,
    /// The certificate that the engine knows us by, where it asks for one, with what leads to its authority.
    pub certificate: Option<PathBuf>,
    /// The private key of that certificate, not encrypted.
    pub key: Option<PathBuf>,
}

#[cfg(feature = "tls")]
pub(super) mod client {
    use std::fmt;
    use std::fs;
    use std::path::Path;
    use std::sync::Arc;

    use kolla_container_core::ErrorKind;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};

    use super::Tls;
    use crate::error::Failure;

    impl Tls {
        /// The client of these files, which are read here, once.
        pub(in super::super) fn connector(&self) -> Result<TlsConnector, Failure> {
            let roots = match &self.ca {
                Some(ca) => roots(ca)?,
                None => system_roots()?,
            };
            let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(rejected)?
                .with_root_certificates(roots);
            let config = match (&self.certificate, &self.key) {
                (None, None) => builder.with_no_client_auth(),
                (Some(certificate), Some(key)) => {
                    let (chain, private) = (certificates(certificate, "the client certificate")?, private_key(key)?);
                    builder.with_client_auth_cert(chain, private).map_err(|error| {
                        let (certificate, key) = (certificate.display(), key.display());
                        rejected(format!("the client certificate {certificate} cannot be used with {key} ({error})"))
                    })?
                }
                _ => return Err(rejected("a client certificate and its private key are stated together, or neither")),
            };
            Ok(TlsConnector::from(Arc::new(config)))
        }
    }

    fn rejected(cause: impl fmt::Display) -> Failure {
        Failure::new(ErrorKind::Rejected, cause)
    }

    fn roots(ca: &Path) -> Result<RootCertStore, Failure> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates(ca, "the CA certificate")? {
            roots
                .add(certificate)
                .map_err(|error| rejected(format!("the CA certificate {} is not valid ({error})", ca.display())))?;
        }
        Ok(roots)
    }

    fn system_roots() -> Result<RootCertStore, Failure> {
        let mut roots = RootCertStore::empty();
        // A system may hold some that cannot be read or are outdated; the others will do.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(rejected("no CA certificate is stated, and this system has none"));
        }
        Ok(roots)
    }

    fn certificates(path: &Path, what: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
        let text = fs::read(path).map_err(|error| Failure::file(what, path, &error))?;
        let wrong = |why: &dyn fmt::Display| rejected(format!("{what} {} is not one in PEM ({why})", path.display()));
        let found =
            CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>().map_err(|error| wrong(&error))?;
        if found.is_empty() { Err(wrong(&"it holds no certificate")) } else { Ok(found) }
    }

    fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
        let what = "the private key of the client certificate";
        let text = fs::read(path).map_err(|error| Failure::file(what, path, &error))?;
        PrivateKeyDer::from_pem_slice(&text).map_err(|error| {
            let why = match error {
                pem::Error::NoItemsFound => "it holds no key that is not encrypted".to_owned(),
                error => error.to_string(),
            };
            rejected(format!("{what} {} is not one in PEM ({why})", path.display()))
        })
    }

    /// What a failure of TLS means.
    pub(in super::super) fn failure(error: &Error) -> Failure {
        match error {
            // The signature is wrong where an authority was made anew under its old name.
            Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
                Failure::new(
                    ErrorKind::Unreachable,
                    "no authority (CA) that we trust has signed its certificate: \
                 name the one that has (in `Tls::ca`)",
                )
            }
            Error::InvalidMessage(_) => Failure::new(ErrorKind::Unreachable, "what listens there does not speak TLS"),
            Error::AlertReceived(alert) if is_about_us(*alert) => Failure::new(
                ErrorKind::Denied,
                format!("it demands a client certificate that it trusts, and said {alert:?} to ours"),
            ),
            error => Failure::new(ErrorKind::Unreachable, error),
        }
    }

    /// Whether the engine says that it does not take our certificate, or misses it.
    fn is_about_us(alert: AlertDescription) -> bool {
        matches!(
            alert,
            AlertDescription::AccessDenied
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateRequired
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateUnknown
                | AlertDescription::DecryptError
                | AlertDescription::UnknownCA
                | AlertDescription::UnsupportedCertificate
        )
    }
}

#[cfg(test)]
#[cfg(feature = "tls")]
mod tests {
    use std::fs;

    use kolla_container_core::ErrorKind;

    use super::*;

    #[test]
    fn files_that_cannot_be_used_are_named_with_what_they_are_for() {
        let folder = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["node1".to_owned()]).unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        let files = [
            ("ca.pem", made.cert.pem()),
            ("cert.pem", made.cert.pem()),
            ("key.pem", made.signing_key.serialize_pem()),
            ("other.pem", other.serialize_pem()),
            ("encrypted.pem", encrypted.to_owned()),
            ("prose.pem", "no certificate".to_owned()),
            ("broken.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n".to_owned()),
            ("bytes.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned()),
        ];
        for (name, text) in &files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let file = |name: &str| Some(name).filter(|name| !name.is_empty()).map(|name| folder.path().join(name));
        let connect = |ca, certificate, key| {
            let tls = Tls { ca: file(ca), certificate: file(certificate), key: file(key) };
            let path = format!("{}/", folder.path().display());
            tls.connector().map(|_| ()).map_err(|failure| (failure.kind(), failure.to_string().replace(&path, "")))
        };
        let rows = [
            ("missing.pem", "", "", "the CA certificate missing.pem cannot be read ("),
            ("prose.pem", "", "", "the CA certificate prose.pem is not one in PEM (it holds no certificate)"),
            ("broken.pem", "", "", "the CA certificate broken.pem is not one in PEM (base64"),
            ("bytes.pem", "", "", "the CA certificate bytes.pem is not valid ("),
            ("ca.pem", "cert.pem", "", "a client certificate and its private key are stated together, or neither"),
            (
                "ca.pem",
                "cert.pem",
                "missing.pem",
                "the private key of the client certificate missing.pem cannot be read (",
            ),
            (
                "ca.pem",
                "cert.pem",
                "encrypted.pem",
                "the private key of the client certificate encrypted.pem is not one in PEM \
                 (it holds no key that is not encrypted)",
            ),
            (
                "ca.pem",
                "key.pem",
                "key.pem",
                "the client certificate key.pem is not one in PEM (it holds no certificate)",
            ),
            ("ca.pem", "cert.pem", "other.pem", "the client certificate cert.pem cannot be used with other.pem ("),
        ];

        for (ca, certificate, key, cause) in rows {
            let (kind, said) = connect(ca, certificate, key).unwrap_err();
            assert_eq!(kind, ErrorKind::Rejected);
            assert!(said.starts_with(cause), "{said}");
        }
        assert_eq!(connect("ca.pem", "cert.pem", "key.pem"), Ok(()));
        assert_eq!(connect("ca.pem", "", ""), Ok(()));
    }
}
