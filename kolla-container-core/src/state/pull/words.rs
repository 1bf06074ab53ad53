//! What the words mean that registries, the way to them and engines use for a pull that failed.

use std::time::Duration;

use super::PullFailure::{
    self, Denied, InvalidName, NoCredentials, NoManifest, NoPlatform, NoRepository, NoSpace, NotTls, Other,
    RateLimited, Refused, RegistryFailed, Unreachable, Untrusted, WrongCredentials,
};

/// The first that is said counts. The way to the registry comes first ("no such host" is nothing that the registry does
/// not have), what may be said of anything last.
const KNOWN: [(PullFailure, &[&str]); 15] = [
    (NotTls, &["http response to https client"]),
    (
        Untrusted,
        &["x509: ", "certificate signed by unknown authority", "failed to verify certificate", "tls: bad certificate"],
    ),
    (
        Unreachable,
        &[
            "no such host",
            "connection refused",
            "connection reset",
            "broken pipe",
            "no route to host",
            "network is unreachable",
            "server misbehaving",
            "temporary failure in name resolution",
            "i/o timeout",
            "tls handshake timeout",
            "deadline exceeded",
            "client.timeout",
        ],
    ),
    (NoSpace, &["no space left on device", "disk quota exceeded", "not enough space"]),
    (RateLimited, &["toomanyrequests", "too many requests", "rate limit", "status code 429"]),
    (
        NoPlatform,
        &[
            "no matching manifest for",
            "no image found in",
            "does not match the specified platform",
            "no match for platform",
        ],
    ),
    (Refused, &["rejected by policy", "signature was required", "signature"]),
    (InvalidName, &["invalid reference format", "invalid repository name", "must be lowercase"]),
    // Before "denied", which Docker says as well of what may be missing.
    (NoRepository, &["name unknown", "name_unknown", "repository name not known"]),
    (NoManifest, &["manifest unknown", "manifest_unknown", "404 (not found)"]),
    (
        WrongCredentials,
        &[
            "unauthorized",
            "authentication required",
            "no basic auth credentials",
            "invalid username/password",
            "incorrect username or password",
            "401 (unauthorized)",
        ],
    ),
    (Denied, &["denied", "forbidden"]),
    (
        RegistryFailed,
        &[
            "received unexpected http status: 5",
            "status code from registry 5",
            "unknown blob",
            "internal server error",
            "bad gateway",
            "service unavailable",
            "gateway timeout",
            "unavailable:",
            "eof",
        ],
    ),
    (NoManifest, &["not found"]),
    (Unreachable, &["timeout"]),
];

/// What `said` means of a pull that was asked for with credentials, or without. Podman says the same of wrong ones as of
/// none.
pub(super) fn meaning(said: &str, has_credentials: bool) -> PullFailure {
    let said = said.to_ascii_lowercase();
    let known = KNOWN.iter().find(|(_, words)| words.iter().any(|words| said.contains(words)));
    match known {
        Some((WrongCredentials, _)) if !has_credentials => NoCredentials,
        Some((failure, _)) => *failure,
        None => Other,
    }
}

/// How long a registry wants to be left alone. The header does not get through an engine; some registries say so in their
/// message too: `retry-after: 1.5s`.
pub(super) fn retry_after(said: &str) -> Option<Duration> {
    let said = said.to_ascii_lowercase();
    let (_, after) = said.split_once("retry-after: ").or_else(|| said.split_once("retry after "))?;
    let end = after.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(after.len());
    let (number, unit) = after.split_at_checked(end)?;
    let number: f64 = number.trim_end_matches('.').parse().ok()?;
    let unit: String = unit.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
    let seconds = match unit.as_str() {
        "ns" => number / 1e9,
        "us" | "µs" => number / 1e6,
        "ms" => number / 1e3,
        "m" | "minute" | "minutes" => number * 60.0,
        "h" | "hour" | "hours" => number * 3600.0,
        _ => number,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Docker 20.10 and 26.1, Podman 4.3 and 5.4 said of real registries, or of those that were played.
    #[test]
    fn what_engines_say_means_what_the_registry_meant() {
        let cases = [
            (NoCredentials, r#"Head "https://registry.test:5001/v2/kit/app/manifests/1": no basic auth credentials"#),
            (NoCredentials, "reading manifest 1 in registry.test:5001/kit/app: unauthorized: authentication required"),
            (NoCredentials, "initializing source docker://registry.test:5001/kit/app:1: authentication required"),
            (NoManifest, "manifest for localhost:5000/kit/app:9 not found: manifest unknown: manifest unknown"),
            (NoManifest, "reading manifest 9 in localhost:5000/kit/app: manifest unknown: manifest unknown"),
            (NoRepository, "manifest for localhost:5000/kit/app:1 not found: name unknown: repository name not known"),
            (
                NoRepository,
                "reading manifest 1 in localhost:5000/kit/app: name unknown: repository name not known to registry",
            ),
            (Unreachable, r#"Get "http://localhost:5003/v2/": dial tcp 127.0.0.1:5003: connect: connection refused"#),
            (Unreachable, "dial tcp: lookup nohost: no such host"),
            (
                Unreachable,
                r#"Get "https://nohost.test/v2/": dial tcp: lookup nohost.test on 10.0.0.1:53: dial udp 10.0.0.1:53: connect: network is unreachable"#,
            ),
            (Unreachable, "net/http: TLS handshake timeout"),
            (Untrusted, r#"Get "https://other.test:5001/v2/": x509: certificate signed by unknown authority"#),
            (
                Untrusted,
                "pinging container registry other.test:5001: tls: failed to verify certificate: x509: certificate signed by unknown authority",
            ),
            (NotTls, r#"Get "https://192.0.2.1:5004/v2/": http: server gave HTTP response to HTTPS client"#),
            (NoPlatform, "no matching manifest for linux/arm64 in the manifest list entries"),
            (
                NoPlatform,
                r#"choosing an image from manifest list docker://kit/app:1: no image found in manifest list for architecture arm64, variant "", OS linux"#,
            ),
            (
                NoPlatform,
                "image with reference kit/app:1 was found but does not match the specified platform: wanted linux/arm64, actual: linux/amd64",
            ),
            (RateLimited, "toomanyrequests: retry-after: 1s, allowed: 1/minute"),
            (RateLimited, "reading blob sha256:7dff: too many requests to registry"),
            (
                RateLimited,
                "toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating",
            ),
            (RegistryFailed, "received unexpected HTTP status: 503 Service Unavailable"),
            (
                RegistryFailed,
                "reading blob sha256:7dff: Error fetching blob: invalid status code from registry 500 (Internal Server Error)",
            ),
            (RegistryFailed, "unknown blob"),
            (RegistryFailed, "writing blob: storing blob to file \"/tmp/1\": happened during read: unexpected EOF"),
            (NoSpace, "failed to register layer: write /data-x: no space left on device"),
            (NoSpace, "writing blob: adding layer with blob: unpacking failed: write /data-x: no space left on device"),
            (Denied, "denied"),
            (
                Denied,
                "pull access denied for kit/app, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
            ),
            (InvalidName, "invalid reference format: repository name must be lowercase"),
            (Refused, "Source image rejected: Running image docker://kit/app:1 is rejected by policy."),
            (Other, "something that nobody has seen before"),
        ];
        for (failure, said) in cases {
            assert_eq!(meaning(said, false), failure, "{said}");
        }
    }

    #[test]
    fn who_gave_credentials_and_is_not_known_gave_wrong_ones() {
        for said in [
            "unauthorized: authentication required",
            "unable to retrieve auth token: invalid username/password: unauthorized: incorrect username or password",
        ] {
            assert_eq!((meaning(said, true), meaning(said, false)), (WrongCredentials, NoCredentials), "{said}");
        }
    }

    #[test]
    fn a_registry_may_say_when_to_come_back() {
        for (said, seconds) in [
            ("toomanyrequests: retry-after: 1.5s, allowed: 44000/minute", Some(1.5)),
            ("toomanyrequests: retry-after: 250ms, allowed: 44000/minute", Some(0.25)),
            ("toomanyrequests: Retry-After: 30", Some(30.0)),
            ("too many requests, retry after 2 minutes", Some(120.0)),
            ("toomanyrequests: retry-after: soon", None),
            ("toomanyrequests: you have reached your pull rate limit", None),
        ] {
            assert_eq!(retry_after(said).map(|span| span.as_secs_f64()), seconds, "{said}");
        }
    }
}
