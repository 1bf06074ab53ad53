//! kolla-ansible's container module, as one program: `kolla_container ARGUMENTS.json`.
//!
//! Ansible runs it in place of its Python namesake: the file has the parameters, and one JSON document comes back on the
//! standard output. [`mod@call`] reads what is asked for, [`mod@act`] has it done by the library, [`names`] says what differs
//! in the words of the Python module, [`mod@answer`] is the document.

mod act;
mod answer;
mod call;
mod names;

use std::path::Path;
use std::process::ExitCode;

use examples::console;
use kolla_container_core::Error;

use crate::answer::Answer;
use crate::call::Call;

const HELP: &str = "\
kolla-ansible's container module, as one program for Docker and Podman.

Usage: kolla_container ARGUMENTS.json

Ansible runs it: put it into the `library` folder of a playbook under the name kolla_container, in place of the
Python module. The file has the module's parameters; the answer is one JSON document on the standard output.
It exits with 0, and with 1 where the answer says `failed`.";

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let answer = match (arguments.next(), arguments.next()) {
        (Some(word), None) if word == "--help" || word == "-h" => {
            return if console::print(HELP).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        (Some(file), None) => answer(Path::new(&file)).await,
        _ => Answer::failed("give one argument, the file with the parameters; --help says more"),
    };
    if console::print_json(&answer).is_err() || answer.failed {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

async fn answer(file: &Path) -> Answer {
    let call = match Call::read(file) {
        Ok(call) => call,
        Err(why) => return Answer::failed(why),
    };
    match act::act(&call).await {
        Ok(answer) => answer,
        Err(error) => Answer::failed(because(&error)),
    }
}

/// What is said of an error.
fn because(error: &Error) -> String {
    error.report()
}
