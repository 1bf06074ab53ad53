//! Who answers: whether it is Podman, and one that is young enough.

use hyper::StatusCode;
use hyper::header::SERVER;
use kolla_container_core::ErrorKind;
use kolla_container_core::state::ApiLevel;
use serde::Deserialize;

use crate::error::Failure;
use crate::wire::{Call, Client};

/// The oldest level of the API that works: Podman 4.0.
const OLDEST: ApiLevel = ApiLevel::new(4, 0);

/// In which Podman says the level of its own API; that of the one that imitates Docker is in the body.
const LEVEL: &str = "Libpod-Api-Version";

/// The version of Podman, and the newest level of its API.
///
/// It is asked without a level in the path, which engines of every age and kind answer.
pub(super) async fn ask(client: &Client) -> Result<(String, ApiLevel), Failure> {
    let answer = client.whole(Call::unversioned("version")).await?;
    let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    judge(answer.status, header(SERVER.as_str()), header(LEVEL), &answer.body)
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: String,
    #[serde(default)]
    components: Vec<Component>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Component {
    name: String,
}

fn judge(status: StatusCode, server: &str, level: &str, body: &[u8]) -> Result<(String, ApiLevel), Failure> {
    if server.starts_with("Docker/") {
        return Err(docker(server));
    }
    if !status.is_success() {
        return Err(refused(status, body));
    }
    let undecodable = |what: &str| Failure::new(ErrorKind::Undecodable, no_podman(what));
    let Version { version, components } =
        serde_json::from_slice(body).map_err(|error| undecodable(&format!("something else to /version ({error})")))?;
    if level.is_empty() && !components.iter().any(|component| component.name.starts_with("Podman")) {
        return Err(docker(&format!("version {version}")));
    }
    let api: ApiLevel = level.parse().map_err(|error| undecodable(&format!("{LEVEL} as no level ({error})")))?;
    if api < OLDEST {
        let cause =
            format!("Podman {version} speaks API {api}; {OLDEST}, that of Podman 4.0, is the oldest that works");
        return Err(Failure::new(ErrorKind::Unsupported, cause));
    }
    Ok((version, api))
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
        _ => return Failure::new(ErrorKind::Undecodable, no_podman(&format!("{status} to /version"))),
    };
    Failure::new(kind, if said.is_empty() { status.to_string() } else { format!("{status}: {said}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "Libpod/4.3.1 (linux)";

    fn judged(status: u16, server: &str, level: &str, body: &str) -> Failure {
        judge(StatusCode::from_u16(status).unwrap(), server, level, body.as_bytes()).unwrap_err()
    }

    #[test]
    fn an_engine_that_is_young_enough_is_taken_with_its_level() {
        let body = r#"{"Version": "4.3.1", "ApiVersion": "1.41", "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}]}"#;

        let (version, api) = judge(StatusCode::OK, SERVER, "4.3.1", body.as_bytes()).unwrap();

        assert_eq!((version.as_str(), api), ("4.3.1", ApiLevel::new(4, 3)));
    }

    #[test]
    fn an_engine_that_is_too_old_is_said_to_be() {
        let failure = judged(200, "Libpod/3.4.4 (linux)", "3.4.4", r#"{"Version": "3.4.4"}"#);

        let cause = "Podman 3.4.4 speaks API 3.4; 4.0, that of Podman 4.0, is the oldest that works";
        assert_eq!(failure, Failure::new(ErrorKind::Unsupported, cause));
    }

    #[test]
    fn docker_is_known_by_its_header_and_by_what_it_lacks() {
        let body = r#"{"Version": "20.10.24", "ApiVersion": "1.41", "Components": [{"Name": "Engine"}]}"#;

        let by_header = judged(200, "Docker/20.10.24 (linux)", "", body);
        let by_lack = judged(200, "", "", body);

        let docker = |who| format!("this is not Podman, but Docker ({who}): use kolla-container-docker");
        assert_eq!(by_header, Failure::new(ErrorKind::Unsupported, docker("Docker/20.10.24 (linux)")));
        assert_eq!(by_lack, Failure::new(ErrorKind::Unsupported, docker("version 20.10.24")));
    }

    #[test]
    fn what_is_no_answer_of_podman_means_what_its_status_says() {
        let tls = "Client sent an HTTP request to an HTTPS server.\n";
        let nobody = "no Podman engine listens there: it answers ";
        let cases = [
            (200, "<html>", ErrorKind::Undecodable, format!("{nobody}something else to")),
            (200, r#"{"Version": "5.0.0"}"#, ErrorKind::Undecodable, format!("{nobody}Libpod-Api-Version as no level")),
            (404, "", ErrorKind::Undecodable, format!("{nobody}404 Not Found to /version")),
            (301, "", ErrorKind::Undecodable, format!("{nobody}301 Moved Permanently to /version")),
            (400, tls, ErrorKind::Rejected, "it speaks TLS, and was spoken to without".to_owned()),
            (401, "", ErrorKind::Denied, "401 Unauthorized".to_owned()),
            (403, r#"{"message": "by the proxy"}"#, ErrorKind::Denied, "403 Forbidden: by the proxy".to_owned()),
            (500, "it broke", ErrorKind::EngineFailed, "500 Internal Server Error: it broke".to_owned()),
            (503, "", ErrorKind::Unreachable, "503 Service Unavailable".to_owned()),
        ];

        for (status, body, kind, cause) in cases {
            let failure = judged(status, "", "none", body);
            assert_eq!(failure.kind(), kind, "{status} {body}");
            assert!(failure.to_string().starts_with(&cause), "{failure}");
        }
    }
}
