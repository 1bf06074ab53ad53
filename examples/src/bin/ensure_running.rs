//! Ensures that one container runs: `ensure_running [IMAGE [NAME]]`.

use std::{env, error::Error, process::ExitCode, sync::Arc};

use kolla_container_core::{ContainerSpec, ErrorKind, Goal, Goals, Reconciler, Runtime, memory::MemoryEngine};
use kolla_container_docker::Docker;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "the report is what this program is for")]
#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let image = env::args().nth(1).unwrap_or_else(|| "nginx:1.27".to_owned());
    let name = env::args().nth(2).unwrap_or_else(|| "web".to_owned());

    let spec = ContainerSpec::new(image.parse()?).with_ports(["8080:80"])?;
    let goals = Goals::one(name.parse()?, Goal::running(spec));

    // Any engine will do, and nothing else changes with it.
    let engine: Arc<dyn Runtime> = match Docker::from_env().await {
        Ok(docker) => Arc::new(docker),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("on an engine in memory, because there is no Docker: {}", error.report());
            Arc::new(MemoryEngine::new())
        }
        Err(error) => return Err(error.into()),
    };
    let report = Reconciler::new(engine).reconcile(&goals).await?;

    print!("{report}");
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
