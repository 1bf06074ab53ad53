//! Where an engine listens, as text.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::str::FromStr;

use kolla_container_core::ParseError;

/// Where an engine listens: `unix:///PATH` or `tcp://HOST:PORT`.
///
/// An address never holds a password. Text with one is refused, and one that is put in by hand is not shown.
///
/// ```
/// use kolla_container_podman::Address;
///
/// let address: Address = "unix:///run/podman/podman.sock".parse()?;
///
/// assert_eq!(address, Address::Unix("/run/podman/podman.sock".into()));
/// assert!("ssh://node1/run/podman/podman.sock".parse::<Address>().is_err());
/// # Ok::<(), kolla_container_core::ParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    /// On a socket of this machine: its absolute path.
    Unix(PathBuf),
    /// At `HOST:PORT` or `[IPV6]:PORT`.
    Tcp(String),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp(authority) => write!(f, "tcp://{}", Shown(authority)),
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
        let wrong = |why: &str| ParseError::new(format!("{why}: an engine listens at unix:///PATH or tcp://HOST:PORT"));
        let Some((scheme, rest)) = text.split_once("://") else { return Err(wrong("it has no scheme")) };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        match scheme {
            "unix" if rest.starts_with('/') => Ok(Self::Unix(PathBuf::from(rest))),
            "unix" => Err(wrong("the path of the socket does not begin with a slash")),
            "tcp" => host(authority).map(|_| Self::Tcp(authority.to_owned())).map_err(wrong),
            "ssh" => Err(wrong(
                "ssh:// is not supported (forward the socket with ssh -L LOCAL.sock:/run/podman/podman.sock HOST, and \
                 name LOCAL.sock)",
            )),
            // Neither is an address of podman's own command; as aliases they would say twice whether there is TLS.
            "http" | "https" => Err(wrong(&format!("{scheme}:// is written tcp://, and TLS is stated beside it"))),
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

/// The host of `HOST:PORT`, a name or an IP address without brackets; or what is wrong with it.
pub(super) fn host(authority: &str) -> Result<&str, &'static str> {
    if authority.contains('@') {
        return Err("neither a user nor a password has a place in it");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or("no port follows the bracket")?)),
            None => return Err("the bracket is not closed"),
        },
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let is_plain = host.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if !is_plain && host.parse::<Ipv6Addr>().is_err() {
        return Err("it names no host");
    }
    let port = port.ok_or("the port is missing")?;
    match port.parse::<u16>() {
        Ok(_) if port.bytes().all(|b| b.is_ascii_digit()) => Ok(host),
        _ => Err("the port is no number up to 65535"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_socket_or_a_host_and_is_written_as_it_is_read() {
        let cases = [
            ("unix:///run/podman/podman.sock", Address::Unix("/run/podman/podman.sock".into())),
            ("tcp://node1:8080", Address::Tcp("node1:8080".to_owned())),
            ("tcp://192.0.2.1:8080", Address::Tcp("192.0.2.1:8080".to_owned())),
            ("tcp://[::1]:8080", Address::Tcp("[::1]:8080".to_owned())),
        ];

        for (text, address) in cases {
            assert_eq!(text.parse::<Address>().unwrap(), address);
            assert_eq!(address.to_string(), text);
        }
        assert_eq!("tcp://node1:8080/".parse::<Address>().unwrap().to_string(), "tcp://node1:8080");
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        let forward = "ssh:// is not supported (forward the socket with ssh -L \
                       LOCAL.sock:/run/podman/podman.sock HOST, and name LOCAL.sock)";
        let cases = [
            ("", "it has no scheme"),
            ("/run/podman/podman.sock", "it has no scheme"),
            ("node1:8080", "it has no scheme"),
            ("unix://run/podman.sock", "the path of the socket does not begin with a slash"),
            ("tcp://node1", "the port is missing"),
            ("tcp://[::1]", "the port is missing"),
            ("tcp://node1:", "the port is no number up to 65535"),
            ("tcp://node1:+80", "the port is no number up to 65535"),
            ("tcp://node1:65536", "the port is no number up to 65535"),
            ("tcp://:8080", "it names no host"),
            ("tcp://::1:8080", "it names no host"),
            ("tcp://[::1:8080", "the bracket is not closed"),
            ("tcp://[::1]8080", "no port follows the bracket"),
            ("tcp://me@node1:8080", "neither a user nor a password has a place in it"),
            ("tcp://node1:8080/prefix", "the port is no number up to 65535"),
            ("ssh://root@node1/run/podman/podman.sock", forward),
            ("http://node1:8080", "http:// is written tcp://, and TLS is stated beside it"),
            ("https://node1:8080", "https:// is written tcp://, and TLS is stated beside it"),
            ("fd://", "fd:// is not supported"),
        ];

        for (text, why) in cases {
            let right = "an engine listens at unix:///PATH or tcp://HOST:PORT";
            assert_eq!(text.parse::<Address>().unwrap_err().to_string(), format!("{why}: {right}"), "{text}");
        }
    }

    #[test]
    fn a_password_is_refused_and_never_shown() {
        for text in ["ssh://me:hunter2@node1", "tcp://me:hunter2@node1:8080", "https://me:hunter2@node1:8080"] {
            assert!(!text.parse::<Address>().unwrap_err().to_string().contains("hunter2"));
        }
        let made = Address::Tcp("me:hunter2@node1:8080".to_owned());

        assert_eq!(format!("{made} {made:?}"), "tcp://me:(secret)@node1:8080 Address(tcp://me:(secret)@node1:8080)");
    }

    #[test]
    fn the_host_is_found_in_an_authority() {
        assert_eq!(host("node1:8080"), Ok("node1"));
        assert_eq!(host("[::1]:8080"), Ok("::1"));
    }
}
