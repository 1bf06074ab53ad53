//! What the words mean that registries, the way to them and engines use for a pull that failed.

use std::time::Duration;

use super::PullFailure::{
    self, Denied, InvalidName, NoCredentials, NoManifest, NoPlatform, NoRepository, NoSpace, NotTls, Other,
    RateLimited, Refused, RegistryFailed, Unreachable, Untrusted, WrongCredentials,
};
use super::{Credentials, ImageToPull};

use crate::secret::HIDDEN;

/// How long a registry is left alone at most, whatever it says.
const LONGEST: Duration = Duration::from_hours(1);

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
    (Refused, &["rejected by policy", "source image rejected", "signature was required", "invalid gpg signature"]),
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

/// What `said` means of a pull. Names may have any words in them, and so may what a registry leads to: both do not count.
/// Podman says the same of wrong credentials as of none.
pub(super) fn meaning(said: &str, pull: &ImageToPull) -> PullFailure {
    let mut said = without_urls(&said.to_ascii_lowercase());
    let image = &pull.image;
    let names = [Some(image.to_string()), Some(image.familiar()), image.name(), image.repository().map(str::to_owned)];
    let registry = image.registry().map(str::to_owned);
    for name in names.into_iter().chain([registry]).flatten() {
        said = said.replace(&name.to_ascii_lowercase(), "(name)");
    }
    let known = KNOWN.iter().find(|(_, words)| words.iter().any(|words| is_said(&said, words)));
    match known {
        Some((WrongCredentials, _)) if pull.credentials.is_none() => NoCredentials,
        Some((failure, _)) => *failure,
        None => Other,
    }
}

/// Whether some words are said; a single one not as a part of another.
fn is_said(said: &str, words: &str) -> bool {
    let is_single = words.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '/' | '.');
    said.match_indices(words).any(|(at, _)| {
        let before = said.get(..at).and_then(|before| before.chars().next_back());
        let after = said.get(at + words.len()..).and_then(|after| after.chars().next());
        !is_single || !(before.is_some_and(is_part) || after.is_some_and(|letter| is_part(letter) && letter != '.'))
    })
}

/// The text without what stands between `http://` or `https://` and the end of the quotes, or the next space.
fn without_urls(said: &str) -> String {
    let mut text = String::new();
    let mut rest = said;
    while let Some(at) = rest.find("http://").into_iter().chain(rest.find("https://")).min() {
        let (before, url) = rest.split_at_checked(at).unwrap_or((rest, ""));
        text.push_str(before);
        text.push_str("(url)");
        let end = url.find(|letter: char| letter == '"' || letter.is_whitespace()).unwrap_or(url.len());
        rest = url.get(end..).unwrap_or_default();
    }
    text + rest
}

/// The text without who asked: the user, the password, and any account that an engine asked for by itself.
pub(super) fn without_identity(said: &str, credentials: Option<&Credentials>) -> String {
    let mut text = said.to_owned();
    let secrets = match credentials {
        Some(Credentials::Password { username, password, email }) => {
            text = without_word(&text, username);
            vec![Some(password.as_str()), email.as_deref()]
        }
        Some(Credentials::IdentityToken(token)) => vec![Some(token.as_str())],
        None => Vec::new(),
    };
    for secret in secrets.into_iter().flatten().filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, HIDDEN);
    }
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("account=")) {
        let start = at + found + "account=".len();
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.find(|letter: char| matches!(letter, '&' | '"') || letter.is_whitespace()).unwrap_or(rest.len());
        let (before, after) = (text.get(..start).unwrap_or_default(), rest.get(end..).unwrap_or_default());
        text = format!("{before}{HIDDEN}{after}");
        at = start + HIDDEN.len();
    }
    text
}

/// The text without a word; what is a part of a path is a name of something else.
fn without_word(said: &str, word: &str) -> String {
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '/' | '.');
    let mut text = String::new();
    let mut rest = said;
    while let Some((before, after)) = rest.split_once(word).filter(|_| !word.is_empty()) {
        let from = text.chars().chain(before.chars()).next_back();
        let ends = after.trim_start_matches('.');
        let is_whole = !from.is_some_and(is_part) && (ends.is_empty() || !after.starts_with(is_part));
        text.push_str(before);
        text.push_str(if is_whole { HIDDEN } else { word });
        rest = after;
    }
    text + rest
}

/// How long a registry wants to be left alone. The header does not get through an engine; some registries say so in their
/// message too: `retry-after: 1.5s`. A date is not read.
pub(super) fn retry_after(said: &str) -> Option<Duration> {
    let said = said.to_ascii_lowercase();
    let (_, after) = said.split_once("retry-after").or_else(|| said.split_once("retry after"))?;
    let mut rest = after.trim_start_matches([':', '=', ' ']);
    let mut seconds = None;
    // One number without a unit, or several with one each: `1m30s`.
    loop {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(rest.len());
        let (number, next) = rest.split_at_checked(end)?;
        let Ok(number) = number.trim_end_matches('.').parse::<f64>() else { break };
        let next = next.trim_start();
        let end = next.find(|letter: char| !letter.is_alphabetic()).unwrap_or(next.len());
        let (unit, more) = next.split_at_checked(end)?;
        let unit = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
            _ => 1.0,
        };
        *seconds.get_or_insert(0.0) += number * unit;
        rest = more;
    }
    Some(Duration::try_from_secs_f64(seconds?).map_or(LONGEST, |span| span.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(image: &str) -> ImageToPull {
        ImageToPull::new(image.parse().unwrap())
    }

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
            assert_eq!(meaning(said, &pull("kit/app:1")), failure, "{said}");
        }
    }

    #[test]
    fn who_gave_credentials_and_is_not_known_gave_wrong_ones() {
        for said in [
            "unauthorized: authentication required",
            "unable to retrieve auth token: invalid username/password: unauthorized: incorrect username or password",
        ] {
            let nobody = pull("kit/app:1");
            let somebody = ImageToPull { credentials: Some(Credentials::password("kit", "x")), ..nobody.clone() };
            assert_eq!((meaning(said, &somebody), meaning(said, &nobody)), (WrongCredentials, NoCredentials), "{said}");
        }
    }

    #[test]
    fn names_and_addresses_may_have_any_words_in_them() {
        for (image, failure, said) in [
            (
                "quay.io/kit/signature-tool:9",
                NoManifest,
                "manifest for quay.io/kit/signature-tool:9 not found: manifest unknown: manifest unknown",
            ),
            ("team/geofence:9", NoManifest, "docker.io/team/geofence:9: not found"),
            ("kit/unavailable:1", NoManifest, "docker.io/kit/unavailable:1: not found"),
            (
                "registry.test:5000/unauthorized/app:1",
                RegistryFailed,
                "reading manifest 1 in registry.test:5000/unauthorized/app: received unexpected HTTP status: 503 X",
            ),
            (
                "denied.test/app",
                RegistryFailed,
                "reading manifest latest in denied.test/app: received unexpected HTTP status: 500 X",
            ),
            ("kit/app", RegistryFailed, r#"Get "https://cdn.example/denied/sha256:7dff?X-Amz-Signature=ab12": EOF"#),
            ("kit/app", Denied, "errors: denied: requested access to the resource is denied"),
        ] {
            assert_eq!(meaning(said, &pull(image)), failure, "{said}");
        }
    }

    #[test]
    fn nobody_is_told_who_asked() {
        let alice = Credentials::password("alice", "hunter2");
        let hidden = |said: &str| without_identity(said, Some(&alice));

        let token = r#"Get "https://auth.example/token?account=bob&scope=alice/app": EOF"#;
        assert_eq!(hidden(token), r#"Get "https://auth.example/token?account=(secret)&scope=alice/app": EOF"#);
        assert_eq!(hidden("no robot with username: alice."), "no robot with username: (secret).");
        assert_eq!(hidden("no robot with username: alice"), "no robot with username: (secret)");
        assert_eq!(hidden("user \"alice\" has hunter2, malice"), "user \"(secret)\" has (secret), malice");
        assert_eq!(without_identity("token t0k", Some(&Credentials::IdentityToken("t0k".into()))), "token (secret)");
    }

    #[test]
    fn a_registry_may_say_when_to_come_back() {
        for (said, seconds) in [
            ("toomanyrequests: retry-after: 1.5s, allowed: 44000/minute", Some(1.5)),
            ("toomanyrequests: retry-after: 250ms, allowed: 44000/minute", Some(0.25)),
            ("toomanyrequests: Retry-After: 30", Some(30.0)),
            ("too many requests, retry after 2 minutes", Some(120.0)),
            ("too many requests, retry-after:5 min", Some(300.0)),
            ("toomanyrequests: retry-after: 1m30s, allowed: 1/minute", Some(90.0)),
            ("toomanyrequests: retry-after: 99999999999s", Some(3600.0)),
            ("toomanyrequests: retry-after: soon", None),
            ("toomanyrequests: you have reached your pull rate limit", None),
        ] {
            assert_eq!(retry_after(said).map(|span| span.as_secs_f64()), seconds, "{said}");
        }
    }
}
