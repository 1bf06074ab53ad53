//! The images that cases are made of, and what the programs in them do.

use kolla_container_core::ImageRef;

/// The test images of a backend. All but `remote` and `absent` are in the engine before a case begins.
///
/// Where a case says nothing else, the programs `sh`, `sleep`, `true`, `env` and `nice` are in an image.
#[derive(Clone, Debug)]
pub struct Images {
    /// Runs until it is asked to stop, by the command `sleep 1000000`. Has no entrypoint, labels, volumes,
    /// exposed ports, user and health check; of variables at most `PATH`.
    pub plain: ImageRef,
    /// As `plain`, and another image.
    pub other: ImageRef,
    /// Runs; implies what is listed at [`Images::FURNITURE`].
    pub furnished: ImageRef,
    /// Prints [`Images::STDOUT`] and [`Images::STDERR`] at each start, and runs.
    pub prints: ImageRef,
    /// Prints as `prints` does, and ends with exit status 0.
    pub done: ImageRef,
    /// Ends right after its start with exit status 3.
    pub exits: ImageRef,
    /// Ends a second after its start with exit status 3.
    pub exits_later: ImageRef,
    /// Has a health check, and is healthy some seconds after its start at the latest.
    pub healthy: ImageRef,
    /// Has a health check, and is unhealthy some seconds after its start.
    pub unhealthy: ImageRef,
    /// Has a health check that says nothing for an hour.
    pub never_healthy: ImageRef,
    /// Cannot be started: its program is not there.
    pub fails_to_start: ImageRef,
    /// Runs, and ends by nothing but SIGKILL.
    pub stubborn: ImageRef,
    /// As `plain`, declares an anonymous volume at `/data`, and ends right after its start with exit status 3.
    pub exits_with_volume: ImageRef,
    /// Can be pulled, and is not in the engine. Cases that pull it are [`exclusive`](crate::Case::exclusive).
    pub remote: ImageRef,
    /// Its registry answers, and has no such image.
    pub absent: ImageRef,
}

impl Images {
    /// What the image `furnished` implies.
    pub const FURNITURE: &str = r#"{
        "entrypoint": ["nice"],
        "command": ["sleep", "1000000"],
        "environment": {"KIT_IMAGE": "image", "KIT_BOTH": "image"},
        "labels": {"kit.image": "image", "kit.both": "image"},
        "user": "1000:1000",
        "working_dir": "/srv",
        "stop_signal": "SIGINT",
        "mounts": ["/data"],
        "network": {"expose": ["8080"]},
        "healthcheck": {"test": ["CMD", "true"], "interval": "1s", "retries": 4}
    }"#;
    /// What `prints` and `done` print to standard output at each start.
    pub const STDOUT: &str = "one\ntwo\nthree\n";
    /// What they print to standard error.
    pub const STDERR: &str = "oops\n";
}

/// A program that a case runs inside a running container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// Ends well, and prints nothing.
    Succeeds,
    /// Prints `out` and `err`, and ends with exit status 7.
    Fails,
    /// Ends with exit status 1, which a config check means by "stale".
    SaysStale,
    /// Is not there: exit status 126 or 127.
    Missing,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Succeeds, Self::Fails, Self::SaysStale, Self::Missing];

    /// Its command line.
    pub fn argv(self) -> &'static [&'static str] {
        match self {
            Self::Succeeds => &["true"],
            Self::Fails => &["sh", "-c", "echo out; echo err >&2; exit 7"],
            Self::SaysStale => &["sh", "-c", "exit 1"],
            Self::Missing => &["/no/such/program"],
        }
    }
}
