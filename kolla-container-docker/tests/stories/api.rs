//! What a port has no words for: the bare API of the engine, as any other program would speak it.

use std::env;
use std::path::PathBuf;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

/// The socket of the engine.
pub(crate) fn socket() -> PathBuf {
    let address = env::var(crate::subject::VARIABLE).unwrap();
    address.strip_prefix("unix://").unwrap_or_else(|| panic!("{address} is no socket")).into()
}

/// Posts a document, which must succeed; answers what it is answered.
pub(crate) async fn post(path: &str, document: &Value) -> Value {
    let mut connection = UnixStream::connect(socket()).await.unwrap();
    let body = document.to_string();
    let length = body.len();
    // Of version 1.0, so that the answer comes in one piece.
    let head = format!("POST {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    connection.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap();
    assert!(status.starts_with('2'), "{path}: {answer}");
    if body.is_empty() { Value::Null } else { serde_json::from_str(body).unwrap() }
}
