//! The little HTTP that a registry is spoken to with: one request, one connection.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// What a connection begins with on which TLS is spoken: engines try it first.
const TLS: u8 = 0x16;

/// The beginning of a request or of an answer, up to the empty line.
pub(super) fn head(from: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if from.read(&mut byte)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if head.is_empty() && byte[0] == TLS {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "this is TLS"));
        }
        head.push(byte[0]);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// A header of it.
pub(super) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(": "));
    lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// Asks who listens on a socket.
pub(super) fn ask(socket: &Path, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = UnixStream::connect(socket).unwrap();
    let headers: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let (headers, length) = (headers.concat(), body.len());
    let always = format!("Host: localhost:5000\r\nConnection: close\r\nContent-Length: {length}\r\n");
    stream.write_all(format!("{line} HTTP/1.1\r\n{always}{headers}\r\n").as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let head = head(&mut stream).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: answer }
}
