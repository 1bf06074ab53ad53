//! Sees to it that images are there: `pull_images IMAGE...`.
//!
//! [`cli`] is what can be asked, [`progress`] what is shown meanwhile, [`summary`] what is said at the end. When an image is
//! pulled, and as whom, is the library's to decide.

mod cli;
mod progress;
mod summary;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use examples::console;
use examples::engine::{self, Surroundings};
use futures_util::future::join_all;
use kolla_container_core::Error;
use kolla_container_core::images::{ImageListener, ImageRequest};

use crate::cli::Cli;
use crate::progress::Progress;
use crate::summary::Summary;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli).await {
        Ok(summary) => {
            let printed = if cli.json { console::print_json(&summary) } else { console::print(&summary) };
            if let Err(error) = printed {
                console::say(&format!("error: cannot write the output: {error}"));
                return ExitCode::FAILURE;
            }
            if summary.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            if cli.json {
                // The error is said below, too.
                let _ = console::print_json(&summary::Refused::of(&error));
            }
            console::say(&format!("error: {}", error.report()));
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: &Cli) -> Result<Summary, Error> {
    let choice = Surroundings::of_process(cli.at.host.clone()).select(cli.at.engine, false, engine::is_there)?;
    let runtime = choice.connect().await?;
    let progress: Arc<dyn ImageListener> = Arc::new(Progress::of(&cli.images));
    let images = cli.limit(cli.login.manager(&runtime)?).with_listener(Arc::clone(&progress));
    let request = |image: &kolla_container_core::ImageRef| {
        ImageRequest::new(image.clone()).with_policy(cli.pull).with_platform(cli.platform.clone())
    };
    let requests: Vec<ImageRequest> = cli.images().iter().map(request).collect();
    let outcomes = join_all(requests.iter().map(|request| images.ensure(request))).await;
    drop(images);
    drop(progress);
    Ok(Summary::new(runtime.engine(), requests.into_iter().map(|request| request.image).zip(outcomes)))
}
