//! kolla-ansible's container module and its facts module, as one program: `kolla_container ARGUMENTS.json`.
//!
//! Ansible runs it in place of its Python namesakes: the file has the parameters, and one JSON document comes back on the
//! standard output. [`arguments`] has the parameters in a table, [`convert`] and [`python`] treat them as Ansible does,
//! [`call`] is what is asked for. [`act`] has it done by the library: [`container`], [`image`], [`volume`]; [`facts`] are
//! the engine's own documents. [`answer`] is the document; [`differences`] and [`failure`] say what it says in the words of
//! the Python module, and [`secrets`] is what it does not say.

mod act;
mod answer;
mod arguments;
mod call;
mod config;
mod connect;
mod container;
mod convert;
mod differences;
mod document;
mod facts;
mod failure;
mod image;
mod interrupt;
mod python;
mod secrets;
mod volume;

use std::path::Path;
use std::process::ExitCode;

use examples::console;

use crate::answer::Answer;
use crate::call::Call;

const HELP: &str = "\
kolla-ansible's container module, as one program for Docker and Podman.

Usage: kolla_container ARGUMENTS.json

Ansible runs it: put it into the `library` folder of a playbook under the name kolla_container, in place of the
Python module, and once more under the name kolla_container_facts. The file has the module's parameters; the answer is
one JSON document on the standard output. It exits with 0, and with 1 where the answer says `failed`.";

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args_os();
    let program = arguments.next().unwrap_or_default();
    let answer = match (arguments.next(), arguments.next()) {
        (Some(word), None) if word == "--help" || word == "-h" => {
            return if console::print(HELP).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        (Some(file), None) => {
            let program = Path::new(&program).file_stem().unwrap_or_default().to_string_lossy();
            match Call::read(&program, Path::new(&file)) {
                Ok(call) => Box::pin(act::act(&call)).await,
                Err(failure) => failure.into(),
            }
        }
        _ => Answer::failed("give one argument, the file with the parameters; --help says more"),
    };
    if console::print_json(&answer).is_err() || answer.failed {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
