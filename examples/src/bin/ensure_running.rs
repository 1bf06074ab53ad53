//! Ensures that one container runs: `ensure_running [IMAGE [NAME]]`.

use std::{env, error::Error, process::ExitCode, sync::Arc};

use kolla_container_core::{ContainerSpec, Goal, Goals, Reconciler, memory::MemoryEngine};

#[expect(clippy::print_stdout, reason = "the report is what this program is for")]
#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let image = env::args().nth(1).unwrap_or_else(|| "nginx:1.27".to_owned());
    let name = env::args().nth(2).unwrap_or_else(|| "web".to_owned());

    let spec = ContainerSpec::new(image.parse()?).with_ports(["8080:80"])?;
    let goals = Goals::one(name.parse()?, Goal::running(spec));

    // Docker and Podman take the place of this engine when their crates are built; nothing else changes.
    let reconciler = Reconciler::new(Arc::new(MemoryEngine::new()));
    let report = reconciler.reconcile(&goals).await?;

    print!("{report}");
    Ok(if report.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
