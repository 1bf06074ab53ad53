//! The system's `ssh` as a way to an engine, as docker's own command goes it: keys, aliases and known hosts are those
//! of the user's configuration of ssh, and nothing is asked.

use std::ffi::OsString;
use std::io;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;

use super::address::Authority;

/// How many logins may be under way: with more than ten, sshd begins to drop them, where nothing else is configured.
const LOGINS: usize = 8;

/// How `ssh` is called.
pub(super) struct Ssh {
    pub(super) program: OsString,
    pub(super) arguments: Vec<String>,
    logins: Arc<Semaphore>,
}

impl Ssh {
    pub(super) fn new(to: Authority<'_>) -> Self {
        let mut arguments: Vec<String> =
            ["-T", "-o", "BatchMode=yes", "-o", "ConnectTimeout=30"].map(str::to_owned).into();
        arguments.extend(to.user.into_iter().flat_map(|user| ["-l".to_owned(), user.to_owned()]));
        arguments.extend(to.port.into_iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
        arguments.extend(["--", to.host, "docker", "system", "dial-stdio"].map(str::to_owned));
        Self { program: "ssh".into(), arguments, logins: Arc::new(Semaphore::new(LOGINS)) }
    }

    /// Starts it. Whether it gets through shows when something is read.
    pub(super) async fn dial(&self) -> io::Result<SshStream> {
        let login = Arc::clone(&self.logins).acquire_owned().await.map_err(io::Error::other)?;
        let mut child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| io::Error::other(format!("the program ssh cannot be started ({error})")))?;
        let (Some(stdin), Some(stdout), Some(stderr)) = (child.stdin.take(), child.stdout.take(), child.stderr.take())
        else {
            return Err(io::Error::other("ssh was started without pipes"));
        };
        let complaint = tokio::spawn(complaint(stderr));
        Ok(SshStream { stdin: Some(stdin), stdout, complaint, login: Some(login), _child: child })
    }
}

/// A connection over `ssh`, which ends with it.
///
/// When ssh gives up before the engine has said anything, reading fails with what ssh says about it.
pub(super) struct SshStream {
    /// `None` when our side is closed.
    stdin: Option<ChildStdin>,
    stdout: ChildStdout,
    complaint: JoinHandle<String>,
    /// Until the engine has said something.
    login: Option<OwnedSemaphorePermit>,
    /// Is killed when dropped.
    _child: Child,
}

impl Drop for SshStream {
    fn drop(&mut self) {
        // A master connection in the background may keep its end open for hours.
        self.complaint.abort();
    }
}

impl AsyncRead for SshStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stdout).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.login = None;
        }
        if self.login.is_none() {
            return Poll::Ready(Ok(()));
        }
        let said = ready!(Pin::new(&mut self.complaint).poll(cx)).unwrap_or_default();
        Poll::Ready(Err(given_up(&said)))
    }
}

impl AsyncWrite for SshStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Some(stdin) = &mut self.stdin else { return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())) };
        match ready!(Pin::new(stdin).poll_write(cx, buf)) {
            // That ssh has ended is said by reading, with the reason.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && self.login.is_some() => {
                Poll::Ready(Ok(buf.len()))
            }
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stdin.as_mut().map_or(Poll::Ready(Ok(())), |stdin| Pin::new(stdin).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        // A pipe is closed by dropping it.
        self.stdin = None;
        Poll::Ready(Ok(()))
    }
}

/// The beginning of what ssh says; all of it is read, so that ssh never waits for a reader.
async fn complaint(mut stderr: ChildStderr) -> String {
    let mut said = Vec::new();
    // What cannot be read was not said.
    let _ = (&mut stderr).take(2000).read_to_end(&mut said).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&said).into_owned()
}

fn given_up(said: &str) -> io::Error {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let words = if lines.is_empty() { "nothing".to_owned() } else { lines.join("; ") };
    let is_denied = words.to_ascii_lowercase().contains("permission denied");
    let kind = if is_denied { io::ErrorKind::PermissionDenied } else { io::ErrorKind::ConnectionAborted };
    io::Error::new(kind, format!("ssh gave up and said: {words}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_port_become_options_and_the_host_can_be_none() {
        let arguments = |text| Ssh::new(Authority::of(text).unwrap()).arguments.join(" ");

        let fixed = "-T -o BatchMode=yes -o ConnectTimeout=30";
        let command = "docker system dial-stdio";
        assert_eq!(arguments("node1"), format!("{fixed} -- node1 {command}"));
        assert_eq!(arguments("root@[2001:db8::1]:2222"), format!("{fixed} -l root -p 2222 -- 2001:db8::1 {command}"));
    }

    #[test]
    fn what_ssh_says_last_is_the_reason() {
        let denied = given_up("nobody@node1: Permission denied (publickey).\r\n");
        let lost = given_up("bash: line 1: docker: command not found\n\nbye\n");

        assert_eq!(denied.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(denied.to_string(), "ssh gave up and said: nobody@node1: Permission denied (publickey).");
        assert_eq!(lost.kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(lost.to_string(), "ssh gave up and said: bash: line 1: docker: command not found; bye");
        assert_eq!(given_up("").to_string(), "ssh gave up and said: nothing");
    }
}
