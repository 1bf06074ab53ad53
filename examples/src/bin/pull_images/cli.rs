//! What can be asked of the program, and its help.

use std::collections::BTreeSet;

use clap::{Args, Parser};
use examples::engine::At;
use examples::images::Login;
use kolla_container_core::images::{Concurrency, ImageManager, PullPolicy, Rate};
use kolla_container_core::spec::Platform;
use kolla_container_core::{ImageRef, TimeSpan};

const NOTES: &str = "\
Policies:
  always    each time: what is up to date is not sent again, and is no change
  missing   when it is not there
  newer     when it is not there, or the registry has another one under that name
  never     not at all: one that is not there is an error

Exit codes:
  0 all images are there, 1 one of them is not, or there is no engine; 2 wrong arguments

Example:
  pull_images --pull newer --parallel 4 nginx:1.27 quay.io/prometheus/prometheus:v3.1.0";

/// Sees to it that images are there, many at once, and shows how far each is.
///
/// One that fails does not keep the others from being pulled. Credentials are those of `docker login` or `podman login`.
#[derive(Debug, Parser)]
#[command(name = "pull_images", version, term_width = 120, after_help = NOTES)]
pub(crate) struct Cli {
    /// Which images.
    #[arg(required = true, value_name = "IMAGE")]
    pub(crate) images: Vec<ImageRef>,

    /// When an image is pulled: always, missing, newer, never.
    #[arg(long, value_name = "POLICY", default_value_t = PullPolicy::Missing)]
    pub(crate) pull: PullPolicy,

    /// What the images have to run on, such as linux/arm64; the engine's own platform unless stated.
    #[arg(long, value_name = "OS/ARCH")]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    pub(crate) login: Login,

    #[command(flatten)]
    pub(crate) at: At,

    /// Print one JSON document to the standard output instead of text.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
struct Limits {
    /// How many are pulled at the same time.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,

    /// How many pulls begin in a second, in the long run; as many as there are unless stated.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    qps: Option<u32>,

    /// How many of them may begin at once after a pause.
    #[arg(long, value_name = "N", default_value_t = 10, requires = "qps", value_parser = clap::value_parser!(u32).range(1..))]
    burst: u32,

    /// How long a pull may go on without anything arriving.
    #[arg(long, value_name = "TIME", default_value = "2m")]
    silence: TimeSpan,

    /// How long a pull may take in all.
    #[arg(long, value_name = "TIME", default_value = "30m")]
    deadline: TimeSpan,
}

impl Cli {
    /// The images, each once, in the order in which they were named.
    pub(crate) fn images(&self) -> Vec<ImageRef> {
        let mut seen = BTreeSet::new();
        self.images.iter().filter(|image| seen.insert(*image)).cloned().collect()
    }

    /// Within these limits.
    pub(crate) fn limit(&self, images: ImageManager) -> ImageManager {
        let Limits { parallel, qps, burst, silence, deadline } = self.limits;
        images
            .with_concurrency(Concurrency::Parallel(parallel.into()))
            .with_rate(qps.map(|qps| Rate::per_second(qps, burst)))
            .with_silence(silence.as_duration())
            .with_deadline(deadline.as_duration())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_image_that_is_named_twice_is_pulled_once() {
        let cli = Cli::parse_from(["pull_images", "nginx", "redis:7", "docker.io/library/nginx:latest"]);

        let names: Vec<String> = cli.images().iter().map(ImageRef::familiar).collect();
        assert_eq!(names, ["nginx:latest", "redis:7"]);
    }
}
