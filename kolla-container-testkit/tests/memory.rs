//! The whole suite on the engine in memory: behind a pointer, and with a layer around it.

use std::process::ExitCode;
use std::sync::Arc;

use kolla_container_testkit::memory::Memory;
use kolla_container_testkit::{Subject, cases, trials};

fn main() -> ExitCode {
    let arguments = libtest_mimic::Arguments::from_args();
    let subjects: [Arc<dyn Subject>; 2] = [Arc::new(Memory::Plain), Arc::new(Memory::Layered)];
    let supervised: Arc<dyn Subject> = Arc::new(Memory::Supervised);
    let all = subjects.iter().flat_map(|subject| trials(subject, cases::all()));
    let trials = all.chain(trials(&supervised, cases::supervised::cases())).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
