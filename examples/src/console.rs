//! What programs say, and to whom: results on the standard output, the rest on the standard error.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;

/// Prints to the standard output, with one end of line at its end.
///
/// # Errors
///
/// It cannot be written; nobody has to read to its end, though (`| head`).
pub fn print(text: impl fmt::Display) -> io::Result<()> {
    write(&format!("{}\n", text.to_string().trim_end()))
}

/// Prints to the standard output as it is.
///
/// # Errors
///
/// As [`print()`].
pub fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// Prints a document to the standard output.
///
/// # Errors
///
/// As [`print()`].
pub fn print_json(document: &impl Serialize) -> io::Result<()> {
    print(serde_json::to_string_pretty(document).map_err(io::Error::from)?)
}

/// Says something on the standard error, where there is one.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
