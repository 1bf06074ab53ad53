//! Which image a container is made from: the text after `image:`, in the one form all spellings share.
//!
//! `nginx`, `docker.io/nginx` and `index.docker.io/library/nginx:latest` are the same reference. Parsing
//! fills in what was left out, by the rules of Docker's `distribution/reference`, so that equality of
//! two [`ImageRef`]s is equality of what they point at. This module knows grammar only: whether the
//! image exists, and which id a name stands for today, is for an engine to say.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::text::{ParseError, debug_as_text, text_serde};

/// A reference to an image, in canonical form: a name, or a bare image id.
///
/// - A **name** has a registry, a repository, and a tag, a digest, or both.
/// - An **id** is `sha256:` and 64 hex digits; the 64 digits alone mean the same. Anything shorter,
///   such as `deadbeef` or `sha256:deadbeef`, is a name, as it is to Docker.
///
/// [`Display`](fmt::Display) prints the full canonical text, [`familiar`](Self::familiar) the short one.
///
/// ```
/// use kolla_container_core::ImageRef;
///
/// let image: ImageRef = "nginx".parse()?;
///
/// assert_eq!(image.to_string(), "docker.io/library/nginx:latest");
/// assert_eq!(image, "index.docker.io/nginx:latest".parse()?);
/// assert_eq!(image.familiar(), "nginx:latest");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef(Form);

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Form {
    Name {
        registry: String,
        repository: String,
        tag: Option<String>,
        digest: Option<String>,
    },
    /// The 64 lower-case hex digits.
    Id(String),
}

impl ImageRef {
    /// The registry, with its port: `docker.io`, `localhost:4000`; none for an id.
    pub fn registry(&self) -> Option<&str> {
        match &self.0 {
            Form::Name { registry, .. } => Some(registry),
            Form::Id(_) => None,
        }
    }

    /// The path inside the registry: `library/nginx`; none for an id.
    pub fn repository(&self) -> Option<&str> {
        match &self.0 {
            Form::Name { repository, .. } => Some(repository),
            Form::Id(_) => None,
        }
    }

    /// The tag: `latest` where neither tag nor digest was written; none for an id, or a digest alone.
    pub fn tag(&self) -> Option<&str> {
        match &self.0 {
            Form::Name { tag, .. } => tag.as_deref(),
            Form::Id(_) => None,
        }
    }

    /// The digest with its algorithm: `sha256:…`; none for an id, which is no registry's digest.
    pub fn digest(&self) -> Option<&str> {
        match &self.0 {
            Form::Name { digest, .. } => digest.as_deref(),
            Form::Id(_) => None,
        }
    }

    /// The 64 hex digits of an id, without `sha256:`; none for a name.
    pub fn id(&self) -> Option<&str> {
        match &self.0 {
            Form::Name { .. } => None,
            Form::Id(hex) => Some(hex),
        }
    }

    /// Whether this is a bare image id rather than a name.
    pub fn is_id(&self) -> bool {
        matches!(self.0, Form::Id(_))
    }

    /// Registry and repository without tag and digest: `docker.io/library/nginx`; none for an id.
    pub fn name(&self) -> Option<String> {
        match &self.0 {
            Form::Name { registry, repository, .. } => Some(format!("{registry}/{repository}")),
            Form::Id(_) => None,
        }
    }

    /// The same name with another tag.
    ///
    /// - A digest is kept, as Docker keeps it; the digest, not the tag, then says which image it is.
    /// - An id has no tag, and is refused.
    pub fn with_tag(&self, tag: &str) -> Result<Self, ParseError> {
        match &self.0 {
            Form::Name { registry, repository, digest, .. } => Ok(Self(Form::Name {
                registry: registry.clone(),
                repository: repository.clone(),
                tag: Some(read_tag(tag)?),
                digest: digest.clone(),
            })),
            Form::Id(_) => Err(ParseError::new("an image id takes no tag: a tag needs a name such as `nginx`")),
        }
    }

    /// The short text an operator writes: `docker.io/library/nginx:latest` is `nginx:latest`.
    ///
    /// The text always parses to this reference again, so the prefix stays where the rest alone would
    /// mean something else: `docker.io/localhost/app:1` is not `localhost/app:1`.
    pub fn familiar(&self) -> String {
        let full = self.to_string();
        let Some(on_hub) = full.strip_prefix("docker.io/") else {
            return full;
        };

        [on_hub.strip_prefix(LIBRARY), Some(on_hub)]
            .into_iter()
            .flatten()
            .find(|short| short.parse().as_ref() == Ok(self))
            .map_or_else(|| full.clone(), str::to_owned)
    }
}

impl FromStr for ImageRef {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        refuse_other_texts(text)?;
        if let Some(hex) = read_id(text)? {
            return Ok(Self(Form::Id(hex)));
        }

        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(read_digest(digest)?)),
            None => (text, None),
        };
        let (registry, path) = split_registry(name);
        let (repository, tag) = match path.split_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        check_registry(registry)?;
        check_repository(repository)?;
        let tag = tag.map(read_tag).transpose()?;

        let repository = if registry == DOCKER_HUB && !repository.contains('/') {
            format!("{LIBRARY}{repository}")
        } else {
            repository.to_owned()
        };
        let length = registry.len() + 1 + repository.len();
        if length > NAME_LENGTH {
            return Err(ParseError::new(format!(
                "the image name has {length} characters with its registry, but must have at most {NAME_LENGTH}"
            )));
        }

        Ok(Self(Form::Name {
            registry: registry.to_owned(),
            repository,
            tag: tag.or_else(|| digest.is_none().then(|| DEFAULT_TAG.to_owned())),
            digest,
        }))
    }
}

impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Name { registry, repository, tag, digest } => {
                write!(f, "{registry}/{repository}")?;
                if let Some(tag) = tag {
                    write!(f, ":{tag}")?;
                }
                if let Some(digest) = digest {
                    write!(f, "@{digest}")?;
                }
                Ok(())
            }
            Form::Id(hex) => write!(f, "sha256:{hex}"),
        }
    }
}

debug_as_text!(ImageRef);
text_serde!(ImageRef);

const DOCKER_HUB: &str = "docker.io";
const DOCKER_HUB_FORMERLY: &str = "index.docker.io";
const LIBRARY: &str = "library/";
const DEFAULT_TAG: &str = "latest";
const NAME_LENGTH: usize = 255;
const TAG_LENGTH: usize = 128;

/// Texts that are no reference as a whole, whatever their parts look like.
fn refuse_other_texts(text: &str) -> Result<(), ParseError> {
    if text.is_empty() {
        return Err(ParseError::new("the image is empty: write a name such as `nginx:1.27`"));
    }
    if text.trim() != text {
        return Err(ParseError::new(format!("image `{text}` has spaces around it: write `{}`", text.trim())));
    }
    // The rest of a URL may hold a password, so only its scheme is repeated.
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(ParseError::new(format!("an image is not a URL: drop the scheme `{scheme}://`")));
    }
    Ok(())
}

/// The hex digits, if the text is an image id.
fn read_id(text: &str) -> Result<Option<String>, ParseError> {
    let (algorithm, hex) = text.split_once(':').unwrap_or(("sha256", text));
    if !is_hex(hex) || hex_length(algorithm) != Some(hex.len()) {
        return Ok(None);
    }
    if algorithm != "sha256" {
        return Err(ParseError::new(format!(
            "an image id is `sha256:` and 64 hex digits: write `name@{algorithm}:…` for a digest"
        )));
    }
    Ok(Some(hex.to_ascii_lowercase()))
}

/// The registry, and the repository with its tag.
fn split_registry(name: &str) -> (&str, &str) {
    match name.split_once('/') {
        Some((DOCKER_HUB_FORMERLY, path)) => (DOCKER_HUB, path),
        Some((first, path)) if is_registry(first) => (first, path),
        _ => (DOCKER_HUB, name),
    }
}

/// Whether the first part of a path names a registry rather than a user or project on Docker Hub.
fn is_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':']) || first.contains(|letter: char| letter.is_uppercase())
}

fn check_registry(registry: &str) -> Result<(), ParseError> {
    let (address_is_good, port) = if let Some(rest) = registry.strip_prefix('[') {
        let (address, port) = rest.split_once(']').unwrap_or((rest, "without a bracket"));
        let plain = address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
        (plain && address.parse::<Ipv6Addr>().is_ok(), port)
    } else {
        let (host, port) = registry.split_at(registry.find(':').unwrap_or(registry.len()));
        (host.split('.').all(is_host_label), port)
    };
    if !address_is_good {
        return Err(ParseError::new(format!(
            "registry `{registry}` must be a host name such as `quay.io` or an address such as `[::1]`, with an \
             optional port"
        )));
    }
    if !port.is_empty() && !port.strip_prefix(':').is_some_and(is_port) {
        return Err(ParseError::new(format!(
            "registry `{registry}` must end with a port from 1 to 65535, or without `:`"
        )));
    }
    Ok(())
}

fn is_host_label(label: &str) -> bool {
    let ends = |letter: char| letter.is_ascii_alphanumeric();
    label.starts_with(ends) && label.ends_with(ends) && label.chars().all(|letter| ends(letter) || letter == '-')
}

fn is_port(port: &str) -> bool {
    port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn check_repository(repository: &str) -> Result<(), ParseError> {
    if repository.is_empty() {
        return Err(ParseError::new("the image has no repository: write a name such as `nginx`"));
    }
    if repository.contains(|letter: char| letter.is_uppercase()) {
        return Err(ParseError::new(format!(
            "repository `{repository}` must be lower case: write `{}`",
            repository.to_lowercase()
        )));
    }
    match repository.split('/').find(|component| !is_component(component)) {
        None => Ok(()),
        Some("") => {
            Err(ParseError::new(format!("repository `{repository}` must have a name on both sides of each `/`")))
        }
        Some(component) => Err(ParseError::new(format!(
            "`{component}` in repository `{repository}` must be lower-case letters and digits, joined by `.`, `_`, \
             `__` or dashes"
        ))),
    }
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(component: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    component.starts_with(plain)
        && component.ends_with(plain)
        && component
            .split(plain)
            .all(|joint| matches!(joint, "." | "_" | "__") || joint.bytes().all(|byte| byte == b'-'))
}

/// `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
fn read_tag(tag: &str) -> Result<String, ParseError> {
    if tag.is_empty() {
        return Err(ParseError::new("the tag is empty: write one after `:`, or leave out the `:`"));
    }
    if tag.len() > TAG_LENGTH {
        return Err(ParseError::new(format!(
            "the tag has {} characters, but must have at most {TAG_LENGTH}",
            tag.len()
        )));
    }
    let first = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if !tag.starts_with(first) || !tag.chars().all(|letter| first(letter) || matches!(letter, '.' | '-')) {
        return Err(ParseError::new(format!(
            "tag `{tag}` must be letters, digits, `_`, `.` and `-`, and start with none of the last two"
        )));
    }
    Ok(tag.to_owned())
}

/// The digest with its hex digits in lower case.
fn read_digest(digest: &str) -> Result<String, ParseError> {
    let Some((algorithm, hex)) = digest.split_once(':') else {
        return Err(ParseError::new(format!(
            "`{digest}` after `@` must be a digest such as `sha256:` and 64 hex digits"
        )));
    };
    if !algorithm.split(['-', '_', '+', '.']).all(is_algorithm_word) {
        return Err(ParseError::new(format!(
            "digest algorithm `{algorithm}` must be a lower-case word such as `sha256`"
        )));
    }
    if !is_hex(hex) {
        return Err(ParseError::new(format!("`{hex}` in a digest must be hex digits, 0-9 and a-f")));
    }
    match hex_length(algorithm) {
        Some(length) if hex.len() != length => Err(ParseError::new(format!(
            "a {algorithm} digest must have {length} hex digits, and this one has {}",
            hex.len()
        ))),
        None if hex.len() < 32 => {
            Err(ParseError::new(format!("a digest must have at least 32 hex digits, and this one has {}", hex.len())))
        }
        _ => Ok(format!("{algorithm}:{}", hex.to_ascii_lowercase())),
    }
}

fn is_algorithm_word(word: &str) -> bool {
    word.starts_with(|letter: char| letter.is_ascii_lowercase())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// How many hex digits a digest of this algorithm has, for those the image specification registers.
fn hex_length(algorithm: &str) -> Option<usize> {
    match algorithm {
        "sha256" => Some(64),
        "sha384" => Some(96),
        "sha512" => Some(128),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "dbcc1c35ac38df41fd2f5e4130b32ffdb93ebae8b3dbe638c23575912276fc9c";

    fn image(text: &str) -> ImageRef {
        text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn refusal(text: &str) -> String {
        match text.parse::<ImageRef>() {
            Ok(image) => panic!("{text} was read as {image}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_spelling_has_one_canonical_and_one_familiar_form() {
        let digest = format!("sha256:{HEX}");
        let cases = [
            ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            ("nginx:1.27", "docker.io/library/nginx:1.27", "nginx:1.27"),
            ("docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            ("docker.io/library/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            ("index.docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            ("index.docker.io/a/b:c", "docker.io/a/b:c", "a/b:c"),
            ("library/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
            ("kolla/nova-api:2025.1", "docker.io/kolla/nova-api:2025.1", "kolla/nova-api:2025.1"),
            ("library/foo/bar", "docker.io/library/foo/bar:latest", "library/foo/bar:latest"),
            (
                "quay.io/openstack.kolla/nova-api:2025.1-rocky-9",
                "quay.io/openstack.kolla/nova-api:2025.1-rocky-9",
                "quay.io/openstack.kolla/nova-api:2025.1-rocky-9",
            ),
            ("quay.io/nginx", "quay.io/nginx:latest", "quay.io/nginx:latest"),
            ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
            ("localhost:4000/kolla/app:x", "localhost:4000/kolla/app:x", "localhost:4000/kolla/app:x"),
            ("test-com:8080/foo", "test-com:8080/foo:latest", "test-com:8080/foo:latest"),
            (
                "127.0.0.1:5000/docker/docker",
                "127.0.0.1:5000/docker/docker:latest",
                "127.0.0.1:5000/docker/docker:latest",
            ),
            ("[::1]:5000/x", "[::1]:5000/x:latest", "[::1]:5000/x:latest"),
            ("[fc00::1]/x:1", "[fc00::1]/x:1", "[fc00::1]/x:1"),
            (
                "[fc00:1:2:3:4:5:6:7]:5000/library/debian",
                "[fc00:1:2:3:4:5:6:7]:5000/library/debian:latest",
                "[fc00:1:2:3:4:5:6:7]:5000/library/debian:latest",
            ),
            ("xn--n3h.com:18080/foo", "xn--n3h.com:18080/foo:latest", "xn--n3h.com:18080/foo:latest"),
            // An upper-case letter in the first part makes it a registry, even without a dot.
            ("Foo/bar", "Foo/bar:latest", "Foo/bar:latest"),
            ("DOCKER/docker", "DOCKER/docker:latest", "DOCKER/docker:latest"),
            // Without a slash there is no registry.
            ("localhost", "docker.io/library/localhost:latest", "localhost:latest"),
            ("192.168.0.1:80", "docker.io/library/192.168.0.1:80", "192.168.0.1:80"),
            ("test_com/foo", "docker.io/test_com/foo:latest", "test_com/foo:latest"),
            ("docker---rules/dock__er", "docker.io/docker---rules/dock__er:latest", "docker---rules/dock__er:latest"),
            ("d/t:_A.b-C", "docker.io/d/t:_A.b-C", "d/t:_A.b-C"),
            // Short hex texts are names.
            ("deadbeef", "docker.io/library/deadbeef:latest", "deadbeef:latest"),
            ("sha256:deadbeef", "docker.io/library/sha256:deadbeef", "sha256:deadbeef"),
            // Short texts that would be read as something else keep their prefix.
            ("docker.io/localhost/app:1", "docker.io/localhost/app:1", "docker.io/localhost/app:1"),
            ("docker.io/quay.io/app:1", "docker.io/quay.io/app:1", "docker.io/quay.io/app:1"),
            ("docker.io/library/quay.io/app:1", "docker.io/library/quay.io/app:1", "library/quay.io/app:1"),
        ];
        for (text, full, familiar) in cases {
            assert_eq!(image(text).to_string(), full, "{text}");
            assert_eq!(image(text).familiar(), familiar, "{text}");
        }
        assert_eq!(image(&format!("redis@{digest}")).to_string(), format!("docker.io/library/redis@{digest}"));
        assert_eq!(image(&format!("redis@{digest}")).familiar(), format!("redis@{digest}"));
        assert_eq!(image(&format!("redis:7@{digest}")).to_string(), format!("docker.io/library/redis:7@{digest}"));
    }

    #[test]
    fn an_id_is_64_hex_digits_with_or_without_its_algorithm() {
        for text in [HEX.to_owned(), format!("sha256:{HEX}"), HEX.to_uppercase()] {
            let id = image(&text);

            assert_eq!(id.to_string(), format!("sha256:{HEX}"));
            assert_eq!(id.familiar(), format!("sha256:{HEX}"));
            assert_eq!(id.id(), Some(HEX));
            assert!(id.is_id());
            assert_eq!((id.registry(), id.repository(), id.tag(), id.digest()), (None, None, None, None));
            assert_eq!(id.name(), None);
        }
        assert!(!image(&HEX[..63]).is_id());
        assert!(!image(&format!("docker.io/{HEX}")).is_id());
    }

    #[test]
    fn a_repository_called_sha256_is_not_shortened_into_an_id() {
        let full = format!("docker.io/library/sha256:{HEX}");

        assert!(!image(&full).is_id());
        assert_eq!(image(&image(&full).familiar()), image(&full));
    }

    #[test]
    fn the_parts_of_a_name_are_told_apart() {
        let image = image(&format!("localhost:4000/kolla/app:1.2@sha256:{HEX}"));

        assert_eq!(image.registry(), Some("localhost:4000"));
        assert_eq!(image.repository(), Some("kolla/app"));
        assert_eq!(image.tag(), Some("1.2"));
        assert_eq!(image.digest(), Some(format!("sha256:{HEX}").as_str()));
        assert_eq!(image.name().as_deref(), Some("localhost:4000/kolla/app"));
        assert_eq!(image.id(), None);
        assert!(!image.is_id());
    }

    #[test]
    fn a_digest_invents_no_tag_and_is_lower_case() {
        let digested = image(&format!("redis@sha256:{}", HEX.to_uppercase()));

        assert_eq!(digested.tag(), None);
        assert_eq!(digested, image(&format!("redis@sha256:{HEX}")));
        assert!(image(&format!("a@sha512:{HEX}{HEX}")).digest().is_some());
        assert!(image("a@md5+x.y:0123456789abcdef0123456789abcdef").digest().is_some());
    }

    #[test]
    fn another_tag_keeps_everything_else() {
        assert_eq!(image("nginx").with_tag("1.27"), Ok(image("nginx:1.27")));
        assert_eq!(image(&format!("nginx@sha256:{HEX}")).with_tag("a"), Ok(image(&format!("nginx:a@sha256:{HEX}"))));
        assert!(image("nginx").with_tag("-a").is_err());
        assert!(image(HEX).with_tag("a").is_err());
    }

    #[test]
    fn a_refusal_says_what_would_be_right() {
        let cases = [
            ("", "is empty"),
            (" nginx", "write `nginx`"),
            ("nginx\n", "write `nginx`"),
            ("https://quay.io/x", "drop the scheme `https://`"),
            ("docker://nginx", "drop the scheme `docker://`"),
            ("nginx:", "tag is empty"),
            ("quay.io/nginx:", "tag is empty"),
            ("nginx:-a", "tag `-a` must be"),
            ("nginx:.a", "tag `.a` must be"),
            ("nginx:a b", "tag `a b` must be"),
            ("nginx:a:b", "tag `a:b` must be"),
            ("Nginx", "repository `Nginx` must be lower case: write `nginx`"),
            ("docker/Docker", "must be lower case"),
            ("docker.io/docker/Docker:X", "must be lower case"),
            ("-docker", "`-docker` in repository"),
            ("docker-/docker", "`docker-` in repository"),
            ("____/____", "`____` in repository"),
            ("dock..er/docker", "registry `dock..er` must be"),
            ("a/dock..er", "`dock..er` in repository"),
            ("a/dock_.er", "`dock_.er` in repository"),
            ("a/dock-.er", "`dock-.er` in repository"),
            ("a/dock___er", "`dock___er` in repository"),
            ("ngi nx", "`ngi nx` in repository"),
            ("docker///docker", "both sides of each `/`"),
            ("docker/", "both sides of each `/`"),
            ("/docker", "both sides of each `/`"),
            ("quay.io/", "no repository"),
            ("quay.io/:a", "no repository"),
            ("@sha256:abc", "must have 64 hex digits, and this one has 3"),
            ("-docker.io/docker", "registry `-docker.io` must be"),
            ("foo_bar.com/x", "registry `foo_bar.com` must be"),
            ("quay.io:/x", "port from 1 to 65535"),
            ("quay.io:0/x", "port from 1 to 65535"),
            ("quay.io:65536/x", "port from 1 to 65535"),
            ("quay.io:+1/x", "port from 1 to 65535"),
            ("quay.io:a/x", "port from 1 to 65535"),
            ("[::1]5000/x", "port from 1 to 65535"),
            ("[::1/x", "port from 1 to 65535"),
            ("[zz]:5000/x", "must be a host name"),
            ("[]:5000/x", "must be a host name"),
            ("[fe80::1%eth0]:5000/x", "must be a host name"),
            ("[2001:db8:3:4::192.0.2.33]:5000/x", "must be a host name"),
            ("fc00::1:5000/x", "port from 1 to 65535"),
            ("[fc00::1]:5000", "`[fc00` in repository"),
            ("nginx@", "after `@` must be a digest"),
            ("nginx@sha256", "after `@` must be a digest"),
            ("nginx@sha256:", "must be hex digits"),
            ("nginx@sha256:xyz", "must be hex digits"),
            ("nginx@sha512:abc", "must have 128 hex digits"),
            ("nginx@md5:abc", "at least 32 hex digits"),
            ("nginx@SHA256:abc", "must be a lower-case word"),
            ("nginx@sha+:abc", "must be a lower-case word"),
        ];
        for (text, part) in cases {
            let refusal = refusal(text);
            assert!(refusal.contains(part), "{text:?}: {refusal}");
            assert!(!refusal.ends_with('.'), "{refusal}");
        }
        assert!(refusal(&format!("sha512:{HEX}{HEX}")).contains("an image id is `sha256:`"));
    }

    #[test]
    fn a_refusal_of_a_url_does_not_repeat_its_password() {
        assert!(!refusal("https://admin:hunter2@quay.io/x").contains("hunter2"));
    }

    #[test]
    fn names_and_tags_have_a_greatest_length() {
        let longest = format!("quay.io/{}", "a".repeat(255 - "quay.io/".len()));

        assert_eq!(image(&longest).name(), Some(longest.clone()));
        assert!(refusal(&format!("{longest}a")).contains("at most 255"));
        // What is filled in counts as well.
        assert!(refusal(&"a".repeat(255 - "docker.io/library/".len() + 1)).contains("at most 255"));
        assert!(format!("a:{}", "t".repeat(128)).parse::<ImageRef>().is_ok());
        assert!(refusal(&format!("a:{}", "t".repeat(129))).contains("at most 128"));
    }

    #[test]
    fn debug_and_serde_use_the_text() {
        let nginx = image("nginx");

        assert_eq!(format!("{nginx:?}"), "docker.io/library/nginx:latest");
        assert_eq!(serde_json::to_string(&nginx).unwrap(), r#""docker.io/library/nginx:latest""#);
        assert_eq!(serde_json::from_str::<ImageRef>(r#""nginx""#).unwrap(), nginx);
        assert!(serde_json::from_str::<ImageRef>(r#""Nginx""#).is_err());
    }

    proptest! {
        #[test]
        fn canonical_and_familiar_text_parse_to_the_same_image(
            registry in "((localhost|docker\\.io|index\\.docker\\.io|quay\\.io|Hub|[a-z]{1,5}|\\[::1\\])(:[1-9][0-9]{3})?/)?",
            path in "([a-z]{1,5}[._]|library/|localhost/|quay\\.io/)?[a-z0-9]{1,6}((__|-{1,3}|/|\\.)[a-z0-9]{1,5}){0,3}",
            tag in "(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,20})?",
            digest in "(@sha256:[0-9a-f]{64})?",
        ) {
            // A path such as `a_b.c/d` would begin with a registry, and no host has such a name.
            let image = format!("{registry}{path}{tag}{digest}").parse::<ImageRef>();
            prop_assume!(image.is_ok());
            let image = image.unwrap();

            prop_assert_eq!(&image.to_string().parse::<ImageRef>().unwrap(), &image);
            prop_assert_eq!(&image.familiar().parse::<ImageRef>().unwrap(), &image);
        }

        #[test]
        fn any_text_is_refused_or_has_a_canonical_form(text in "[a-zA-Z0-9:/@.\\[\\]_ é-]{0,40}") {
            if let Ok(image) = text.parse::<ImageRef>() {
                prop_assert_eq!(&image.to_string().parse::<ImageRef>().unwrap(), &image);
                prop_assert_eq!(&image.familiar().parse::<ImageRef>().unwrap(), &image);
            }
        }
    }
}
