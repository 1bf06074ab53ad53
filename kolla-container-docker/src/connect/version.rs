//! Who answers: whether it is a Docker engine, and one that is young enough.

use bollard::body_full;
use bollard::models::SystemVersion;
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use hyper::header::SERVER;
use hyper::{Request, StatusCode};
use kolla_container_core::ErrorKind;
use kolla_container_core::state::ApiLevel;

use super::failure::Failure;
use super::transport::Transport;
use crate::defaults::OLDEST;

/// More than any engine says of its version.
const LONGEST: usize = 1 << 20;

/// What the engine says of its version, and the newest level of its API.
///
/// It is asked without a level in the path, which engines of every age answer, and not by bollard, which hides the
/// header by which Podman is known.
pub(super) async fn ask(transport: &Transport) -> Result<(SystemVersion, ApiLevel), Failure> {
    let request = Request::get(transport.url() + "/version")
        .body(body_full(Bytes::new()))
        .map_err(|error| Failure::new(ErrorKind::Rejected, error))?;
    let (head, body) = transport.send(request).await.map_err(|error| Failure::of(&error))?.into_parts();
    let server = head.headers.get(SERVER).and_then(|server| server.to_str().ok()).unwrap_or_default();
    let body = Limited::new(body, LONGEST).collect().await.map_err(|error| match error.downcast_ref() {
        Some(error) => Failure::of_http(error),
        None => Failure::new(ErrorKind::Undecodable, no_docker("an endless text to /version")),
    })?;
    judge(head.status, server, &body.to_bytes())
}

fn judge(status: StatusCode, server: &str, body: &[u8]) -> Result<(SystemVersion, ApiLevel), Failure> {
    if server.starts_with("Libpod/") {
        return Err(podman(server));
    }
    if !status.is_success() {
        return Err(refused(status, body));
    }
    let undecodable = |what: &str| Failure::new(ErrorKind::Undecodable, no_docker(what));
    let version: SystemVersion =
        serde_json::from_slice(body).map_err(|error| undecodable(&format!("something else to /version ({error})")))?;
    if let Some(engine) = version.components.iter().flatten().find(|component| component.name.starts_with("Podman")) {
        return Err(podman(&format!("{} {}", engine.name, engine.version)));
    }
    let api = version.api_version.as_deref().unwrap_or_default();
    let api: ApiLevel = api.parse().map_err(|error| undecodable(&format!("a version without ApiVersion ({error})")))?;
    if api < OLDEST {
        let engine = version.version.as_deref().unwrap_or("of an unknown version");
        let cause =
            format!("Docker {engine} speaks API {api}; {OLDEST}, that of Docker 20.10, is the oldest that works");
        return Err(Failure::new(ErrorKind::Unsupported, cause));
    }
    Ok((version, api))
}

fn no_docker(answer: &str) -> String {
    format!("no Docker engine listens there: it answers {answer}")
}

fn podman(who: &str) -> Failure {
    let cause = format!("Podman answers ({who}), whose imitation of Docker is not enough: use kolla-container-podman");
    Failure::new(ErrorKind::Unsupported, cause)
}

/// What an answer means that is none.
fn refused(status: StatusCode, body: &[u8]) -> Failure {
    let said = said(body);
    // The words of Go's server for HTTP on a port of TLS.
    if status == StatusCode::BAD_REQUEST && said.contains("HTTPS server") {
        let cause = "it speaks TLS, and was spoken to without: state TLS, with DOCKER_TLS_VERIFY=1 for instance";
        return Failure::new(ErrorKind::Rejected, cause);
    }
    let kind = match status.as_u16() {
        401 | 403 | 407 => ErrorKind::Denied,
        502..=504 => ErrorKind::Unreachable,
        500.. => ErrorKind::EngineFailed,
        _ => return Failure::new(ErrorKind::Undecodable, no_docker(&format!("{status} to /version"))),
    };
    Failure::new(kind, if said.is_empty() { status.to_string() } else { format!("{status}: {said}") })
}

/// The message of an error of Docker, or the first line of any other text.
fn said(body: &[u8]) -> String {
    #[derive(serde::Deserialize)]
    struct Answer {
        message: String,
    }
    let text = match serde_json::from_slice(body) {
        Ok(Answer { message }) => message,
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    text.lines().next().unwrap_or_default().trim().chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, server: &str, body: &str) -> Failure {
        judge(StatusCode::from_u16(status).unwrap(), server, body.as_bytes()).unwrap_err()
    }

    #[test]
    fn an_engine_that_is_young_enough_is_taken_with_its_level() {
        let answer = r#"{"Version": "20.10.24+dfsg1", "ApiVersion": "1.41", "Components": [{"Name": "Engine", "Version": "20.10.24"}]}"#;

        let (version, api) = judge(StatusCode::OK, "Docker/20.10.24 (linux)", answer.as_bytes()).unwrap();

        assert_eq!(version.version.as_deref(), Some("20.10.24+dfsg1"));
        assert_eq!(api, ApiLevel::new(1, 41));
    }

    #[test]
    fn an_engine_that_is_too_old_is_said_to_be() {
        let failure = judged(200, "", r#"{"Version": "18.09.1", "ApiVersion": "1.39"}"#);

        assert_eq!(failure.kind, ErrorKind::Unsupported);
        assert_eq!(
            failure.cause,
            "Docker 18.09.1 speaks API 1.39; 1.41, that of Docker 20.10, is the oldest that works"
        );
    }

    #[test]
    fn podman_is_known_by_its_header_and_by_its_components() {
        let by_header = judged(200, "Libpod/4.3.1 (linux)", r#"{"ApiVersion": "1.41"}"#);
        let by_component =
            judged(200, "", r#"{"ApiVersion": "1.41", "Components": [{"Name": "Podman Engine", "Version": "4.3.1"}]}"#);

        assert_eq!((by_header.kind, by_component.kind), (ErrorKind::Unsupported, ErrorKind::Unsupported));
        assert_eq!(
            by_header.cause,
            "Podman answers (Libpod/4.3.1 (linux)), whose imitation of Docker is not enough: use kolla-container-podman"
        );
        assert!(by_component.cause.starts_with("Podman answers (Podman Engine 4.3.1), "), "{}", by_component.cause);
    }

    #[test]
    fn what_is_no_answer_of_docker_means_what_its_status_says() {
        let tls = "Client sent an HTTP request to an HTTPS server.\n";
        let cases = [
            (200, "<html>", ErrorKind::Undecodable, "no Docker engine listens there: it answers something else to"),
            (
                200,
                "{}",
                ErrorKind::Undecodable,
                "no Docker engine listens there: it answers a version without ApiVersion",
            ),
            (404, "", ErrorKind::Undecodable, "no Docker engine listens there: it answers 404 Not Found to /version"),
            (301, "", ErrorKind::Undecodable, "no Docker engine listens there: it answers 301 Moved Permanently to"),
            (400, tls, ErrorKind::Rejected, "it speaks TLS, and was spoken to without"),
            (401, "", ErrorKind::Denied, "401 Unauthorized"),
            (403, r#"{"message": "by the plugin"}"#, ErrorKind::Denied, "403 Forbidden: by the plugin"),
            (500, "it broke\nin here", ErrorKind::EngineFailed, "500 Internal Server Error: it broke"),
            (503, "", ErrorKind::Unreachable, "503 Service Unavailable"),
        ];

        for (status, body, kind, cause) in cases {
            let failure = judged(status, "", body);
            assert_eq!(failure.kind, kind, "{status} {body}");
            assert!(failure.cause.starts_with(cause), "{}", failure.cause);
        }
    }
}
