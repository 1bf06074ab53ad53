//! Where an engine listens, as text.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

use kolla_container_core::ParseError;

/// Where an engine listens: `unix:///PATH`, `tcp://HOST:PORT` or `ssh://[USER@]HOST[:PORT]`.
///
/// An address never holds a password. Text with one is refused, and one that is put in by hand is not shown.
///
/// ```
/// use kolla_container_docker::Address;
///
/// let address: Address = "tcp://node1:2376".parse()?;
///
/// assert_eq!(address, Address::Tcp("node1:2376".to_owned()));
/// assert!("node1".parse::<Address>().is_err());
/// # Ok::<(), kolla_container_core::ParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// On a socket of this machine: its absolute path.
    Unix(PathBuf),
    /// At `HOST:PORT` or `[IPV6]:PORT`.
    Tcp(String),
    /// On the default socket of another machine, `[USER@]HOST[:PORT]`, where `docker system dial-stdio` is run over
    /// the system's `ssh`.
    Ssh(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{}", Shown(authority)),
            Self::Ssh(authority) => write!(f, "ssh://{}", Shown(authority)),
        }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl FromStr for Address {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = |why: &str| {
            let right = "an engine listens at unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST[:PORT]";
            ParseError::new(format!("{why}: {right}"))
        };
        let Some((scheme, rest)) = text.split_once("://") else { return Err(wrong("it has no scheme")) };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(PathBuf::from(rest))),
            "unix" => Err(wrong("the path of the socket does not begin with a slash")),
            "tcp" => Authority::of_tcp(authority).map(|_| Self::Tcp(authority.to_owned())).map_err(wrong),
            "ssh" => Authority::of(authority).map(|_| Self::Ssh(authority.to_owned())).map_err(wrong),
            // Neither is an address of docker's own command; as aliases they would say twice whether there is TLS.
            "http" | "https" => Err(wrong(&format!("{scheme}:// is written tcp://, and TLS is stated beside it"))),
            "npipe" => Err(wrong("npipe:// is for Windows only")),
            scheme => Err(wrong(&format!("{scheme}:// is not supported"))),
        }
    }
}

/// `[USER@]HOST[:PORT]` without the password that does not belong there.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let userinfo = self.0.rsplit_once('@').and_then(|(userinfo, host)| Some((userinfo.split_once(':')?.0, host)));
        match userinfo {
            Some((user, host)) => write!(f, "{user}:(secret)@{host}"),
            None => f.write_str(self.0),
        }
    }
}

/// `[USER@]HOST[:PORT]`, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Authority<'a> {
    pub(super) user: Option<&'a str>,
    /// A name, or an IP address without brackets.
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// The parts of `text`, or what is wrong with it.
    ///
    /// They become words of `ssh`'s command line and, by a user's configuration of ssh, of a shell's. So users and
    /// hosts are of plain characters, and do not begin with the dash of an option.
    pub(super) fn of(text: &'a str) -> Result<Self, &'static str> {
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, _)) if user.contains(':') => return Err("a password has no place in it"),
            Some((user, rest)) => (Some(user), rest),
            None => (None, text),
        };
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => match rest.split_once(']') {
                Some((host, "")) => (host, None),
                Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or("no port follows the bracket")?)),
                None => return Err("the bracket is not closed"),
            },
            None => rest.split_once(':').map_or((rest, None), |(host, port)| (host, Some(port))),
        };
        let is_plain = |word: &str| {
            let begins = word.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
            begins && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        if !is_plain(host) && host.parse::<Ipv6Addr>().is_err() {
            return Err("it names no host");
        }
        if user.is_some_and(|user| !is_plain(user)) {
            return Err("it names no user");
        }
        let number = |port: &str| port.parse().ok().filter(|_| port.bytes().all(|b| b.is_ascii_digit()));
        let port = port.map(|port| number(port).ok_or("the port is no number up to 65535")).transpose()?;
        Ok(Self { user, host, port })
    }

    /// As [`Authority::of`], for an engine that listens on TCP.
    pub(super) fn of_tcp(text: &'a str) -> Result<Self, &'static str> {
        let authority = Self::of(text)?;
        match authority {
            Self { user: Some(_), .. } => Err("a user has no place in it"),
            Self { port: None, .. } => Err("the port is missing (2376 with TLS, 2375 without)"),
            authority => Ok(authority),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_socket_or_a_host_and_is_written_as_it_is_read() {
        let cases = [
            ("unix:///run/docker.sock", Address::Unix("/run/docker.sock".into())),
            ("tcp://node1:2375", Address::Tcp("node1:2375".to_owned())),
            ("tcp://192.0.2.1:2375", Address::Tcp("192.0.2.1:2375".to_owned())),
            ("tcp://[::1]:2375", Address::Tcp("[::1]:2375".to_owned())),
            ("ssh://node1", Address::Ssh("node1".to_owned())),
            ("ssh://root@node1.example.org:2222", Address::Ssh("root@node1.example.org:2222".to_owned())),
            ("ssh://root@[2001:db8::1]:22", Address::Ssh("root@[2001:db8::1]:22".to_owned())),
        ];

        for (text, address) in cases {
            assert_eq!(text.parse::<Address>().unwrap(), address);
            assert_eq!(address.to_string(), text);
        }
        assert_eq!("tcp://node1:2375/".parse::<Address>().unwrap().to_string(), "tcp://node1:2375");
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        let cases = [
            ("", "it has no scheme"),
            ("/run/docker.sock", "it has no scheme"),
            ("node1:2375", "it has no scheme"),
            ("unix://run/docker.sock", "the path of the socket does not begin with a slash"),
            ("tcp://node1", "the port is missing (2376 with TLS, 2375 without)"),
            ("tcp://node1:", "the port is no number up to 65535"),
            ("tcp://node1:+80", "the port is no number up to 65535"),
            ("tcp://node1:65536", "the port is no number up to 65535"),
            ("tcp://:2375", "it names no host"),
            ("tcp://::1:2375", "it names no host"),
            ("tcp://[::1:2375", "the bracket is not closed"),
            ("tcp://[::1]2375", "no port follows the bracket"),
            ("tcp://me@node1:2375", "a user has no place in it"),
            ("tcp://node1:2375/prefix", "the port is no number up to 65535"),
            ("ssh://", "it names no host"),
            ("ssh://node1/run/docker.sock", "it names no host"),
            ("ssh://-oProxyCommand=reboot", "it names no host"),
            ("ssh://$(reboot)", "it names no host"),
            ("ssh://-l@node1", "it names no user"),
            ("ssh://`id`@node1", "it names no user"),
            ("http://node1:2375", "http:// is written tcp://, and TLS is stated beside it"),
            ("https://node1:2376", "https:// is written tcp://, and TLS is stated beside it"),
            ("npipe:////./pipe/docker_engine", "npipe:// is for Windows only"),
            ("fd://", "fd:// is not supported"),
        ];

        for (text, why) in cases {
            let right = "an engine listens at unix:///PATH, tcp://HOST:PORT or ssh://[USER@]HOST[:PORT]";
            assert_eq!(text.parse::<Address>().unwrap_err().to_string(), format!("{why}: {right}"), "{text}");
        }
    }

    #[test]
    fn a_password_is_refused_and_never_shown() {
        for text in ["ssh://me:hunter2@node1", "tcp://me:hunter2@node1:2375", "https://me:hunter2@node1:2375"] {
            assert!(!text.parse::<Address>().unwrap_err().to_string().contains("hunter2"));
        }
        let made = Address::Ssh("me:hunter2@node1".to_owned());

        assert_eq!(format!("{made} {made:?}"), "ssh://me:(secret)@node1 Address(ssh://me:(secret)@node1)");
    }

    #[test]
    fn an_authority_is_taken_apart() {
        let parts = |user, host, port| Ok(Authority { user, host, port });

        assert_eq!(Authority::of("root@node1:2222"), parts(Some("root"), "node1", Some(2222)));
        assert_eq!(Authority::of("[::1]"), parts(None, "::1", None));
    }
}
