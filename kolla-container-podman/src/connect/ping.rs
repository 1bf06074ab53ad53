//! Who answers: whether it is Podman, and one that is young enough.

use hyper::header::SERVER;
use hyper::{HeaderMap, StatusCode};
use kolla_container_core::ErrorKind;
use kolla_container_core::state::ApiLevel;

use crate::error::Failure;
use crate::wire::{Call, Client};

/// The oldest level of the API that works: Podman 4.0.
const OLDEST: ApiLevel = ApiLevel::new(4, 0);

/// In which Podman says the level of its own API.
const LEVEL: &str = "Libpod-Api-Version";

/// In which any engine says that of the one that is Docker's.
const DOCKERS_LEVEL: &str = "Api-Version";

/// The newest level of Podman's own API.
///
/// It is pinged without a level in the path, which engines of every age and kind answer, and at once: to tell their
/// version, they start the programs that they use.
pub(super) async fn ping(client: &Client) -> Result<ApiLevel, Failure> {
    let answer = client.whole(Call::unversioned("_ping")).await?;
    judge(answer.status, &answer.headers, &answer.body)
}

fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<ApiLevel, Failure> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (server, level, dockers) = (header(SERVER.as_str()), header(LEVEL), header(DOCKERS_LEVEL));
    if server.starts_with("Docker/") {
        return Err(docker(server));
    }
    if !status.is_success() {
        return Err(refused(status, body));
    }
    if level.is_empty() && !dockers.is_empty() {
        return Err(docker(&format!("API {dockers}")));
    }
    if level.is_empty() {
        return Err(Failure::new(ErrorKind::Undecodable, no_podman(&format!("no {LEVEL} to /_ping"))));
    }
    let api = level_of(level).ok_or_else(|| {
        let cause = no_podman(&format!("{LEVEL}: {level:?}, which is no version such as 4.3.1"));
        Failure::new(ErrorKind::Undecodable, cause)
    })?;
    if api < OLDEST {
        let cause = format!("Podman {level} is too old; 4.0 is the oldest that works");
        return Err(Failure::new(ErrorKind::Unsupported, cause));
    }
    Ok(api)
}

/// The level is the version of Podman, behind which distributions write more: `4.9.4-rhel`.
fn level_of(text: &str) -> Option<ApiLevel> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

fn no_podman(answer: &str) -> String {
    format!("no Podman engine listens there: it answers {answer}")
}

fn docker(who: &str) -> Failure {
    Failure::new(ErrorKind::Unsupported, format!("this is not Podman, but Docker ({who}): use kolla-container-docker"))
}

/// What an answer means that is none.
fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let said = crate::wire::message(body);
    // The words of Go's server for HTTP on a port of TLS.
    if status == StatusCode::BAD_REQUEST && said.contains("HTTPS server") {
        return Failure::new(ErrorKind::Rejected, "it speaks TLS, and was spoken to without: state `Connection::tls`");
    }
    let kind = match status.as_u16() {
        401 | 403 | 407 => ErrorKind::Denied,
        502..=504 => ErrorKind::Unreachable,
        500.. => ErrorKind::EngineFailed,
        _ => return Failure::new(ErrorKind::Undecodable, no_podman(&format!("{status} to /_ping"))),
    };
    Failure::new(kind, if said.is_empty() { status.to_string() } else { format!("{status}: {said}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(stated: &[(&'static str, &str)]) -> HeaderMap {
        stated.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn judged(status: u16, stated: &[(&'static str, &str)], body: &str) -> Failure {
        judge(StatusCode::from_u16(status).unwrap(), &headers(stated), body.as_bytes()).unwrap_err()
    }

    #[test]
    fn an_engine_that_is_young_enough_is_taken_with_its_level() {
        for server in ["Libpod/4.3.1 (linux)", "a proxy"] {
            let headers = headers(&[("server", server), ("libpod-api-version", "4.3.1"), ("api-version", "1.41")]);

            assert_eq!(judge(StatusCode::OK, &headers, b"OK").unwrap(), ApiLevel::new(4, 3));
        }
    }

    #[test]
    fn what_distributions_and_developers_write_behind_a_version_is_no_part_of_its_level() {
        for (level, api) in [
            ("4.9.4-rhel", ApiLevel::new(4, 9)),
            ("5.0.0-dev", ApiLevel::new(5, 0)),
            ("5.2.0-rc1", ApiLevel::new(5, 2)),
            ("4.3.1+ds1", ApiLevel::new(4, 3)),
        ] {
            assert_eq!(judge(StatusCode::OK, &headers(&[("libpod-api-version", level)]), b"OK").unwrap(), api);
        }
        let odd = judged(200, &[("libpod-api-version", "new")], "OK");

        assert_eq!(odd.kind(), ErrorKind::Undecodable);
        assert!(odd.to_string().ends_with("Libpod-Api-Version: \"new\", which is no version such as 4.3.1"), "{odd}");
    }

    #[test]
    fn an_engine_that_is_too_old_is_said_to_be() {
        let failure = judged(200, &[("libpod-api-version", "3.4.4")], "OK");

        let cause = "Podman 3.4.4 is too old; 4.0 is the oldest that works";
        assert_eq!(failure, Failure::new(ErrorKind::Unsupported, cause));
    }

    #[test]
    fn docker_is_known_by_its_header_and_by_what_it_lacks() {
        let by_header = judged(200, &[("server", "Docker/20.10.24 (linux)"), ("api-version", "1.41")], "OK");
        let by_lack = judged(200, &[("api-version", "1.41")], "OK");

        let docker = |who| format!("this is not Podman, but Docker ({who}): use kolla-container-docker");
        assert_eq!(by_header, Failure::new(ErrorKind::Unsupported, docker("Docker/20.10.24 (linux)")));
        assert_eq!(by_lack, Failure::new(ErrorKind::Unsupported, docker("API 1.41")));
    }

    #[test]
    fn what_is_no_answer_of_podman_means_what_its_status_says() {
        let tls = "Client sent an HTTP request to an HTTPS server.\n";
        let nobody = "no Podman engine listens there: it answers ";
        let cases = [
            (200, "<html>", ErrorKind::Undecodable, format!("{nobody}no Libpod-Api-Version to /_ping")),
            (404, "", ErrorKind::Undecodable, format!("{nobody}404 Not Found to /_ping")),
            (301, "", ErrorKind::Undecodable, format!("{nobody}301 Moved Permanently to /_ping")),
            (400, tls, ErrorKind::Rejected, "it speaks TLS, and was spoken to without".to_owned()),
            (401, "", ErrorKind::Denied, "401 Unauthorized".to_owned()),
            (403, r#"{"message": "by the proxy"}"#, ErrorKind::Denied, "403 Forbidden: by the proxy".to_owned()),
            (500, "it broke", ErrorKind::EngineFailed, "500 Internal Server Error: it broke".to_owned()),
            (503, "", ErrorKind::Unreachable, "503 Service Unavailable".to_owned()),
        ];

        for (status, body, kind, cause) in cases {
            let failure = judged(status, &[], body);
            assert_eq!(failure.kind(), kind, "{status} {body}");
            assert!(failure.to_string().starts_with(&cause), "{failure}");
        }
    }
}
