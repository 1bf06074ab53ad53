//! The time of a plan with nothing to do, beside `curl --parallel` making the same requests: 100 containers, one image.
//!
//! `testbed/run cargo bench -p kolla-container-docker` prints both medians and their ratio.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and fails where it cannot go on")]

use std::fmt::Write as _;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use kolla_container_core::{ContainerName, ContainerSpec, Goal, Goals, Reconciler, Runtime};
use kolla_container_docker::{Address, Connection, Docker};

const CONTAINERS: usize = 100;
const ROUNDS: usize = 15;
const IMAGE: &str = "localhost/kit/plain:1";

#[tokio::main]
async fn main() -> ExitCode {
    // `cargo test --all-targets` runs benchmarks too, to see that they build.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let Ok(address) = std::env::var("KOLLA_TEST_DOCKER") else {
        println!("KOLLA_TEST_DOCKER is not set: testbed/run starts an engine");
        return ExitCode::SUCCESS;
    };
    let connection: Connection = address.parse().unwrap();
    let Address::Unix(socket) = &connection.address else {
        println!("curl is compared on a unix socket only");
        return ExitCode::FAILURE;
    };
    let docker = Arc::new(Docker::connect(&connection).await.unwrap());
    let goal = || Goal::Created(Box::new(ContainerSpec::new(IMAGE.parse().unwrap())));
    let names: Vec<ContainerName> = (0..CONTAINERS).map(|number| format!("bench-{number}").parse().unwrap()).collect();
    let goals: Goals = names.iter().map(|name| (name.clone(), goal())).collect();
    let reconciler = Reconciler::new(Arc::clone(&docker) as Arc<dyn Runtime>);
    assert!(reconciler.reconcile(&goals).await.unwrap().is_success());

    let mut requests = String::new();
    let paths = names.iter().map(|name| format!("containers/{name}/json"));
    let others = [
        format!("images/{IMAGE}/json"),
        "containers/json?all=true&filters=%7B%22name%22%3A%5B%22next%24%22%5D%7D".into(),
    ];
    for path in paths.chain(others) {
        writeln!(requests, "url = \"http://localhost/{path}\"\noutput = /dev/null").unwrap();
    }
    let list = std::env::temp_dir().join(format!("kolla-bench-{}", std::process::id()));
    std::fs::write(&list, requests).unwrap();

    let (mut ours, mut curls) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        assert!(reconciler.plan(&goals).await.unwrap().is_empty());
        ours.push(begun.elapsed());

        let begun = Instant::now();
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--parallel", "--parallel-max", "16", "--unix-socket"]).arg(socket).arg("--config");
        let status = curl.arg(&list).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !status.is_ok_and(|status| status.success()) {
            println!("curl could not be run");
            break;
        }
        curls.push(begun.elapsed());
    }
    std::fs::remove_file(&list).unwrap();
    let absent: Goals = names.into_iter().map(|name| (name, Goal::Absent { volumes: false, grace: None })).collect();
    assert!(reconciler.reconcile(&absent).await.unwrap().is_success());

    let ours = median(ours);
    println!("plan of {CONTAINERS} containers: {ours:.1?}");
    if !curls.is_empty() {
        let curls = median(curls);
        println!("curl --parallel:        {curls:.1?}\nratio: {:.2}", ours.as_secs_f64() / curls.as_secs_f64());
    }
    ExitCode::SUCCESS
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
