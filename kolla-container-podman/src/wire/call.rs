//! What a request says.

use std::fmt;
use std::time::Duration;

use std::io;

use futures_util::TryStreamExt;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request};
use kolla_container_core::ErrorKind;
use kolla_container_core::state::Archive;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::error::Failure;

/// Where Podman's own API is. Each version since 4.0 answers it.
const ROOT: &str = "/v4.0.0/libpod";

/// Where the API is that is Docker's.
const DOCKERS_ROOT: &str = "/v1.41";

/// What is sent along with a request.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What is not written as itself in a segment of a path, or in a query.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request, piece by piece.
///
/// Text that comes from elsewhere goes in by [`segment`](Self::segment), [`query`](Self::query) and
/// [`body`](Self::body), none of which it can leave.
pub(crate) struct Call {
    method: Method,
    path: String,
    query: String,
    body: Option<(&'static str, Body)>,
    headers: Vec<(&'static str, HeaderValue)>,
    patience: Patience,
    wrong: Option<String>,
}

/// How long Podman may take.
#[derive(Clone, Copy, Default)]
pub(super) struct Patience {
    /// Beyond what any request may take.
    more: Duration,
    /// Until when that counts.
    until: Until,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Until {
    #[default]
    Ended,
    Begun,
    Never,
}

impl Patience {
    /// How long the answer may take to begin, where any may take `deadline`.
    pub(super) fn beginning(self, deadline: Duration) -> Option<Duration> {
        (self.until != Until::Never).then_some(deadline.saturating_add(self.more))
    }

    /// How long it may take to end, or a stream to bring its next piece.
    pub(super) fn rest(self, deadline: Duration) -> Option<Duration> {
        (self.until == Until::Ended).then_some(deadline.saturating_add(self.more))
    }
}

impl Call {
    pub(crate) fn get(path: &'static str) -> Self {
        Self::new(Method::GET, format!("{ROOT}/{path}"))
    }

    pub(crate) fn post(path: &'static str) -> Self {
        Self::new(Method::POST, format!("{ROOT}/{path}"))
    }

    pub(crate) fn delete(path: &'static str) -> Self {
        Self::new(Method::DELETE, format!("{ROOT}/{path}"))
    }

    /// Asks as Docker is asked, for what Podman's own API does not have.
    pub(crate) fn of_docker(path: &'static str) -> Self {
        Self::new(Method::POST, format!("{DOCKERS_ROOT}/{path}"))
    }

    /// Asks for what engines of every age and kind answer.
    pub(crate) fn unversioned(path: &'static str) -> Self {
        Self::new(Method::GET, format!("/{path}"))
    }

    fn new(method: Method, path: String) -> Self {
        Self {
            method,
            path,
            query: String::new(),
            body: None,
            headers: Vec::new(),
            patience: Patience::default(),
            wrong: None,
        }
    }

    /// Further down the path.
    pub(crate) fn path(mut self, path: &'static str) -> Self {
        self.path.push('/');
        self.path.push_str(path);
        self
    }

    /// Further down the path, to what has this name. Nothing has a name that would lead back up.
    pub(crate) fn segment(mut self, name: impl fmt::Display) -> Self {
        let name = name.to_string();
        if matches!(name.as_str(), "" | "." | "..") {
            self.wrong.get_or_insert(format!("nothing can have the name {name:?}"));
        }
        self.path.push('/');
        self.path.extend(utf8_percent_encode(&name, ENCODED));
        self
    }

    pub(crate) fn query(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.query.push(if self.query.is_empty() { '?' } else { '&' });
        self.query.extend(utf8_percent_encode(key, ENCODED));
        self.query.push('=');
        self.query.extend(utf8_percent_encode(&value.to_string(), ENCODED));
        self
    }

    /// With a document.
    pub(crate) fn body(mut self, document: &impl Serialize) -> Self {
        match serde_json::to_vec(document) {
            Ok(body) => self.body = Some(("application/json", whole(body))),
            Err(error) => self.wrong = Some(format!("the request cannot be written ({error})")),
        }
        self
    }

    /// With an archive.
    pub(crate) fn archive(mut self, archive: Archive) -> Self {
        let frames = archive.map_ok(|piece| Frame::data(Bytes::from(piece)));
        self.body = Some(("application/x-tar", StreamBody::new(frames).boxed_unsync()));
        self
    }

    /// With a header that nobody may see.
    pub(crate) fn secret_header(mut self, name: &'static str, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(mut value) => {
                value.set_sensitive(true);
                self.headers.push((name, value));
            }
            Err(_) => self.wrong = Some(format!("the header {name} cannot be written")),
        }
        self
    }

    /// Podman may take that much longer, because that is how long it is asked to wait for something.
    pub(crate) fn patient(mut self, wait: Duration) -> Self {
        self.patience.more = self.patience.more.saturating_add(wait);
        self
    }

    /// Podman may take as long as it takes.
    pub(crate) fn endless(mut self) -> Self {
        self.patience.until = Until::Never;
        self
    }

    /// Podman may take as long as it takes once the answer has begun.
    pub(crate) fn endless_once_begun(mut self) -> Self {
        self.patience.until = Until::Begun;
        self
    }

    pub(super) fn patience(&self) -> Patience {
        self.patience
    }

    pub(super) fn request(self) -> Result<Request<Body>, Failure> {
        let rejected = |cause: String| Failure::new(ErrorKind::Rejected, cause);
        if let Some(wrong) = self.wrong {
            return Err(rejected(wrong));
        }
        let mut request = Request::builder().method(self.method).uri(self.path + &self.query);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let body = match self.body {
            Some((kind, body)) => {
                request = request.header(CONTENT_TYPE, kind);
                body
            }
            None => whole(Vec::new()),
        };
        request.body(body).map_err(|error| rejected(format!("the request cannot be written ({error})")))
    }
}

fn whole(bytes: Vec<u8>) -> Body {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({} {})", self.method, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(call: Call) -> String {
        call.request().unwrap().uri().to_string()
    }

    #[test]
    fn text_stays_in_the_place_it_is_put_into() {
        let image = Call::get("images").segment("docker.io/library/nginx:1.27").path("json");
        let hostile = Call::delete("containers").segment("../../x?y#z %2e\r\n").query("force", "true&all=1");
        let list = Call::get("containers/json").query("all", true).query("filters", r#"{"label":["a=b"]}"#);

        assert_eq!(url(image), "/v4.0.0/libpod/images/docker.io%2Flibrary%2Fnginx%3A1.27/json");
        assert_eq!(url(hostile), "/v4.0.0/libpod/containers/..%2F..%2Fx%3Fy%23z%20%252e%0D%0A?force=true%26all%3D1");
        assert_eq!(url(list), "/v4.0.0/libpod/containers/json?all=true&filters=%7B%22label%22%3A%5B%22a%3Db%22%5D%7D");
    }

    #[test]
    fn nothing_is_asked_under_a_name_that_leads_elsewhere() {
        for name in ["", ".", ".."] {
            let failure = Call::get("containers").segment(name).path("json").request().unwrap_err();
            assert_eq!(failure, Failure::new(ErrorKind::Rejected, format!("nothing can have the name {name:?}")));
        }
    }

    #[test]
    fn a_document_is_sent_as_json_and_never_shown() {
        let call = || Call::post("containers/create").body(&["hunter2"]);

        let request = call().request().unwrap();

        assert_eq!(request.headers()["content-type"], "application/json");
        assert!(!format!("{:?} {:?}", call(), request.headers()).contains("hunter2"));
    }
}
