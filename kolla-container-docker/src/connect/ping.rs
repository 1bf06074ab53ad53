//! Who answers: whether it is a Docker engine, and one that is young enough.

use bollard::body_full;
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use hyper::header::SERVER;
use hyper::{HeaderMap, Request, StatusCode};
use kolla_container_core::ErrorKind;
use kolla_container_core::state::ApiLevel;

use super::failure::Failure;
use super::transport::Transport;
use crate::defaults::OLDEST;

/// More than any engine says of itself.
const LONGEST: usize = 1 << 20;

/// In which an engine says the newest level of its API.
const LEVEL: &str = "Api-Version";

/// In which Podman says that of its own.
const PODMANS_LEVEL: &str = "Libpod-Api-Version";

/// The newest level of the engine's API.
///
/// It is pinged without a level in the path, which engines of every age answer, and at once: to tell their version,
/// they start the programs that they use. Not by bollard, which hides the headers by which Podman is known.
pub(super) async fn ping(transport: &Transport) -> Result<ApiLevel, Failure> {
    let request = Request::get(transport.url() + "/_ping")
        .body(body_full(Bytes::new()))
        .map_err(|error| Failure::new(ErrorKind::Rejected, error))?;
    let (head, body) = transport.send(request).await.map_err(|error| Failure::of(&error))?.into_parts();
    let body = Limited::new(body, LONGEST).collect().await.map_err(|error| match error.downcast_ref() {
        Some(error) => Failure::of_http(error),
        None => Failure::new(ErrorKind::Undecodable, no_docker("an endless text to /_ping")),
    })?;
    judge(head.status, &head.headers, &body.to_bytes())
}

fn judge(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Result<ApiLevel, Failure> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (server, podmans_level) = (header(SERVER.as_str()), header(PODMANS_LEVEL));
    if server.starts_with("Libpod/") {
        return Err(podman(server));
    }
    if !podmans_level.is_empty() {
        return Err(podman(&format!("version {podmans_level}")));
    }
    if !status.is_success() {
        return Err(refused(status, body));
    }
    let level = header(LEVEL);
    if level.is_empty() {
        return Err(Failure::new(ErrorKind::Undecodable, no_docker(&format!("no {LEVEL} to /_ping"))));
    }
    let api: ApiLevel =
        level.parse().map_err(|error| Failure::new(ErrorKind::Undecodable, no_docker(&format!("{LEVEL}: {error}"))))?;
    if api < OLDEST {
        let engine = if server.is_empty() { "the engine" } else { server };
        let cause = format!("{engine} speaks API {api}; {OLDEST}, that of Docker 20.10, is the oldest that works");
        return Err(Failure::new(ErrorKind::Unsupported, cause));
    }
    Ok(api)
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
        _ => return Failure::new(ErrorKind::Undecodable, no_docker(&format!("{status} to /_ping"))),
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

    fn headers(stated: &[(&'static str, &str)]) -> HeaderMap {
        stated.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    fn judged(status: u16, stated: &[(&'static str, &str)], body: &str) -> Failure {
        judge(StatusCode::from_u16(status).unwrap(), &headers(stated), body.as_bytes()).unwrap_err()
    }

    #[test]
    fn an_engine_that_is_young_enough_is_taken_with_its_level() {
        for server in ["Docker/20.10.24+dfsg1 (linux)", "a proxy"] {
            let headers = headers(&[("server", server), ("api-version", "1.41")]);

            assert_eq!(judge(StatusCode::OK, &headers, b"OK").unwrap(), ApiLevel::new(1, 41));
        }
    }

    #[test]
    fn an_engine_that_is_too_old_is_said_to_be() {
        let failure = judged(200, &[("server", "Docker/18.09.1 (linux)"), ("api-version", "1.39")], "OK");

        assert_eq!(failure.kind, ErrorKind::Unsupported);
        assert_eq!(
            failure.cause,
            "Docker/18.09.1 (linux) speaks API 1.39; 1.41, that of Docker 20.10, is the oldest that works"
        );
    }

    #[test]
    fn a_level_that_is_none_is_said() {
        let failure = judged(200, &[("api-version", "new")], "OK");

        let cause = "no Docker engine listens there: it answers Api-Version: \"new\" is no API level such as 1.41";
        assert_eq!((failure.kind, failure.cause.as_str()), (ErrorKind::Undecodable, cause));
    }

    #[test]
    fn podman_is_known_by_each_of_its_headers() {
        let by_server = judged(200, &[("server", "Libpod/4.3.1 (linux)"), ("api-version", "1.41")], "OK");
        let by_level = judged(200, &[("libpod-api-version", "4.3.1"), ("api-version", "1.41")], "OK");

        assert_eq!((by_server.kind, by_level.kind), (ErrorKind::Unsupported, ErrorKind::Unsupported));
        assert_eq!(
            by_server.cause,
            "Podman answers (Libpod/4.3.1 (linux)), whose imitation of Docker is not enough: use kolla-container-podman"
        );
        assert!(by_level.cause.starts_with("Podman answers (version 4.3.1), "), "{}", by_level.cause);
    }

    #[test]
    fn what_is_no_answer_of_docker_means_what_its_status_says() {
        let tls = "Client sent an HTTP request to an HTTPS server.\n";
        let cases = [
            (200, "<html>", ErrorKind::Undecodable, "no Docker engine listens there: it answers no Api-Version to"),
            (404, "", ErrorKind::Undecodable, "no Docker engine listens there: it answers 404 Not Found to /_ping"),
            (301, "", ErrorKind::Undecodable, "no Docker engine listens there: it answers 301 Moved Permanently to"),
            (400, tls, ErrorKind::Rejected, "it speaks TLS, and was spoken to without"),
            (401, "", ErrorKind::Denied, "401 Unauthorized"),
            (403, r#"{"message": "by the plugin"}"#, ErrorKind::Denied, "403 Forbidden: by the plugin"),
            (500, "it broke\nin here", ErrorKind::EngineFailed, "500 Internal Server Error: it broke"),
            (503, "", ErrorKind::Unreachable, "503 Service Unavailable"),
        ];

        for (status, body, kind, cause) in cases {
            let failure = judged(status, &[], body);
            assert_eq!(failure.kind, kind, "{status} {body}");
            assert!(failure.cause.starts_with(cause), "{}", failure.cause);
        }
    }
}
