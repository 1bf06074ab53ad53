//! What can be asked of the program, and its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use examples::engine::At;
use kolla_container_core::ContainerName;
use kolla_container_core::diff::Comparison;
use kolla_container_core::images::PullPolicy;

const FILES: &str = "\
Files:
  A FILE is YAML or JSON; `-` is the standard input. It has one of two forms, told apart by their keys:

    containers:                      common_options: {restart_policy: unless-stopped, ...}
      web:                           services:
        image: nginx:1.27              - container_name: web
        network: {ports: [8080:80]}      image: nginx:1.27

  The right one is kolla-ansible's. Several files are read as one; a container may be in one of them only.
  All mistakes of all files are said at once, and nothing is done before they are mended.
  examples/README.md describes both forms, and the document that --json prints.";

const ENGINES: &str = "\
Engines:
  `--engine docker` takes what --host names, else what docker's own command would take: DOCKER_HOST, DOCKER_CONTEXT,
  the current context, the default socket. With TLS as DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say.
  `--engine podman` takes what --host names, else what podman's own command would take: CONTAINER_HOST, the socket
  of this user's engine. Without TLS.
  `--engine auto` takes whoever answers at --host, else the engine that Docker's environment (as above) or
  CONTAINER_HOST names, the first of them that names one; else the first of these sockets that is there:
    /var/run/docker.sock, $XDG_RUNTIME_DIR/podman/podman.sock, /run/podman/podman.sock
  One that refuses, or that nobody answers at, is an error: the next one may be the wrong engine. Where there is
  none at all, `plan` plans on an empty engine in memory, and says so.
  `--engine memory` is an engine in this program, which begins empty and ends with it.";

const RECORDED: &str = "\
Recorded engines:
  `plan` and `export` work without a connection on what an engine said elsewhere, or at another time:
    docker inspect web db > containers.json
    docker image inspect nginx:1.27 mariadb:11 > images.json
    reconcile plan web.yaml --engine docker --recorded containers.json --images images.json
  The same with `podman` instead of `docker`.
  A container that is not recorded is not there. Without its image, what only the image could tell is not compared.";

const CODES: &str = "\
Exit codes:
  plan            0 nothing to do, 2 something to do, 1 an error, or a container that may not be touched
  apply, remove   0 everything is as it should be, 1 an error; what could be done is done, and the rest is listed
  export          0 the file is complete, 1 an error
  all             1 wrong arguments, 130 interrupted twice (the next run puts right what was begun)";

const EXAMPLE: &str = "\
Example:
  reconcile plan examples/data/kolla_services.json
  reconcile apply --engine memory examples/data/kolla_services.json
  reconcile export web db > shop.yaml && reconcile plan shop.yaml";

fn closing() -> String {
    [FILES, ENGINES, RECORDED, CODES, EXAMPLE].join("\n\n")
}

/// Brings containers to what files say they should be: says field by field what differs, and closes the difference.
#[derive(Debug, Parser)]
#[command(name = "reconcile", version, term_width = 120, after_help = format!("{CODES}\n\n{EXAMPLE}"), after_long_help = closing())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    #[command(flatten)]
    Job(Job),
    /// Print containers, whoever made them, as a file that describes them, passwords included
    ///
    /// The file states what neither the image nor the engine implies, and `plan` finds nothing to do about it. THE VALUES
    /// OF ALL ENVIRONMENT VARIABLES ARE IN IT, passwords too: it is meant to run the same containers. With --json the file
    /// is JSON instead of YAML.
    #[command(after_help = CODES, after_long_help = closing(), verbatim_doc_comment)]
    Export(Export),
}

impl Command {
    pub(crate) fn common(&self) -> &Common {
        match self {
            Self::Job(job) => job.common(),
            Self::Export(export) => &export.common,
        }
    }

    /// The recording to work on, where that is possible at all.
    pub(crate) fn recorded(&self) -> Option<&Recorded> {
        match self {
            Self::Job(Job::Plan { recorded, .. }) | Self::Export(Export { recorded, .. }) => Some(recorded),
            Self::Job(Job::Apply { .. } | Job::Remove { .. }) => None,
        }
    }
}

/// What is done about the containers that files describe.
#[derive(Debug, Subcommand)]
pub(crate) enum Job {
    /// Show what would be done; change nothing.
    #[command(after_help = CODES, after_long_help = closing())]
    Plan {
        #[command(flatten)]
        described: Described,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        wanted: Wanted,
        #[command(flatten)]
        supervision: Supervision,
        #[command(flatten)]
        recorded: Recorded,
    },
    /// Show the plan, make the containers what the files say, and watch that they stay up
    ///
    /// Each new container is made and its image fetched before the old one is touched; when it does not stay up, the
    /// old one is put back. A failure of one container does not keep the others from being dealt with. The first
    /// Ctrl-C ends the steps under way and puts back what was begun; the second one drops everything.
    #[command(after_help = CODES, after_long_help = closing(), verbatim_doc_comment)]
    Apply {
        #[command(flatten)]
        described: Described,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        wanted: Wanted,
        #[command(flatten)]
        supervision: Supervision,
        #[command(flatten)]
        pulling: Pulling,
    },
    /// Stop and remove the containers that the files name.
    #[command(after_help = CODES, after_long_help = closing())]
    Remove {
        #[command(flatten)]
        described: Described,
        /// Remove their anonymous volumes too; named ones always stay.
        #[arg(long)]
        volumes: bool,
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        supervision: Supervision,
    },
}

impl Job {
    /// Its name, as it is written.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Plan { .. } => "plan",
            Self::Apply { .. } => "apply",
            Self::Remove { .. } => "remove",
        }
    }

    pub(crate) fn described(&self) -> &Described {
        match self {
            Self::Plan { described, .. } | Self::Apply { described, .. } | Self::Remove { described, .. } => described,
        }
    }

    pub(crate) fn supervision(&self) -> &Supervision {
        match self {
            Self::Plan { supervision, .. } | Self::Apply { supervision, .. } | Self::Remove { supervision, .. } => {
                supervision
            }
        }
    }

    pub(crate) fn common(&self) -> &Common {
        match self {
            Self::Plan { common, .. } | Self::Apply { common, .. } | Self::Remove { common, .. } => common,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Which containers.
    #[arg(value_name = "NAME", required_unless_present = "all")]
    pub(crate) names: Vec<ContainerName>,

    /// All containers of the engine; one that cannot be exported does not keep the others from it.
    #[arg(long, conflicts_with = "names")]
    pub(crate) all: bool,

    #[command(flatten)]
    pub(crate) common: Common,

    #[command(flatten)]
    pub(crate) recorded: Recorded,
}

#[derive(Debug, Args)]
pub(crate) struct Described {
    /// What should run: YAML or JSON, `-` for the standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,

    /// How many containers are dealt with at the same time, 1 to 256.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,

    /// Take over replacements that another run may still be at work on.
    #[arg(long)]
    pub(crate) take_over: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Common {
    #[command(flatten)]
    pub(crate) at: At,

    /// Print one JSON document to the standard output instead of text, also for errors.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Recorded {
    /// Ask no engine but what `docker inspect NAME` (or podman) has printed; `-` is the standard input.
    #[arg(long = "recorded", value_name = "FILE", conflicts_with = "host")]
    pub(crate) containers: Option<PathBuf>,

    /// The images of the recorded containers: what `image inspect NAME...` has printed.
    #[arg(long, value_name = "FILE", requires = "containers")]
    pub(crate) images: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// What counts as a difference.
    #[arg(long, value_enum, default_value_t = Policy::Strict)]
    pub(crate) policy: Policy,

    /// When a container is as it should be.
    #[arg(long, value_enum, default_value_t = State::Running)]
    pub(crate) goal: State,

    /// Also ask in each running container whether it uses its present configuration files.
    #[arg(long)]
    pub(crate) config_check: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Supervision {
    /// Who starts the containers, and starts them again.
    #[arg(long, value_enum, default_value_t = Supervisor::None)]
    pub(crate) supervisor: Supervisor,

    /// What the names of units begin with: kolla-web-container.service.
    #[arg(long, value_name = "PREFIX", default_value = "kolla", requires = "supervisor")]
    pub(crate) unit_prefix: String,

    /// Where unit files are, if not in /etc/systemd/system, or a user's own systemd/user.
    #[arg(long, value_name = "FOLDER", requires = "supervisor")]
    pub(crate) unit_folder: Option<PathBuf>,

    /// Use this user's own systemd, as `systemctl --user` does.
    #[arg(long, requires = "supervisor")]
    pub(crate) user_units: bool,

    /// A variable for the commands of the units. Where the engine listens somewhere else than by default, they get
    /// DOCKER_HOST or CONTAINER_HOST unless it is given here. Everybody can read units: no place for passwords.
    #[arg(long, value_name = "NAME=VALUE", requires = "supervisor", value_parser = variable)]
    pub(crate) unit_environment: Vec<(String, String)>,

    /// Take over units of these names that somebody else wrote, such as kolla-ansible's.
    #[arg(long, requires = "supervisor")]
    pub(crate) adopt_units: bool,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("it is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

#[derive(Debug, Args)]
pub(crate) struct Pulling {
    /// When images are pulled, before anything is planned: always, missing, newer, never. Where one cannot be had, nothing
    /// is done. With `missing`, a part of the plan.
    #[arg(long, value_name = "POLICY", default_value_t = PullPolicy::Missing)]
    pub(crate) pull: PullPolicy,

    /// The file with the credentials of registries, as `docker login` and `podman login` write it; by default where the
    /// engine's own command has it.
    #[arg(long, value_name = "FILE")]
    pub(crate) authfile: Option<PathBuf>,
}

/// Who starts the containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Supervisor {
    /// The engine itself, by their restart policies.
    None,
    /// systemd, by a unit for each of them; DBUS_SYSTEM_BUS_ADDRESS may say where its bus is.
    Systemd,
}

/// What counts as a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Policy {
    /// Every field: one that is not stated has to be as the image and the engine have it by default.
    Strict,
    /// Stated fields only.
    Stated,
    /// The fields that kolla-ansible compares.
    Kolla,
}

impl Policy {
    pub(crate) fn comparison(self) -> Comparison {
        match self {
            Self::Strict => Comparison::strict(),
            Self::Stated => Comparison::stated(),
            Self::Kolla => Comparison::kolla(),
        }
    }
}

/// When a container is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// It runs.
    Running,
    /// It runs, and its health check passes where it has one; an unhealthy one is restarted.
    Healthy,
}
