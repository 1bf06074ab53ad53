//! What the program prints: texts for people, or one JSON document for programs.

use std::fmt;
use std::io;

use examples::console;
use kolla_container_core::state::{EngineFacts, EngineKind};
use kolla_container_core::{Error, ErrorKind, Plan, Report};
use serde::Serialize;

use crate::export;
use crate::file::Mistake;

/// The version of the JSON documents; a higher one may lack what a lower one has.
const FORMAT: u32 = 1;

/// Why the program cannot go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The arguments are wrong, as clap says it.
    Usage(String),
    /// The files are.
    Mistakes(Vec<Mistake>),
    /// Something else is.
    Because(Error),
    /// The standard output cannot be written.
    Output(io::Error),
}

impl Failure {
    /// Prints it as a JSON document.
    pub(crate) fn print_json(&self) -> Result<(), Self> {
        let kind = match self {
            Self::Usage(_) => "usage".to_owned(),
            Self::Mistakes(_) => word(ErrorKind::Rejected),
            Self::Because(error) => word(error.kind()),
            Self::Output(_) => "output".to_owned(),
        };
        let violations = match self {
            Self::Mistakes(mistakes) => mistakes.as_slice(),
            _ => &[],
        };
        print_json(&Failed { format: FORMAT, error: Said { kind, message: self.message(), violations } })
    }

    /// On one line, without the mistakes.
    fn message(&self) -> String {
        match self {
            Self::Usage(message) => {
                let what: Vec<&str> = message.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
                what.join(" ").trim_start_matches("error: ").to_owned()
            }
            Self::Mistakes(mistakes) if mistakes.len() == 1 => "1 mistake, nothing was done".to_owned(),
            Self::Mistakes(mistakes) => format!("{} mistakes, nothing was done", mistakes.len()),
            Self::Because(error) => error.report(),
            Self::Output(error) => format!("cannot write the output: {error}"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(message) => f.write_str(message.trim_end()),
            Self::Mistakes(mistakes) => {
                for mistake in mistakes {
                    writeln!(f, "{mistake}")?;
                }
                write!(f, "error: {}", self.message())
            }
            Self::Because(_) | Self::Output(_) => write!(f, "error: {}", self.message()),
        }
    }
}

/// The document that `--json` prints when the program could do what it is for.
#[derive(Serialize)]
struct Done<'a> {
    format: u32,
    command: &'a str,
    engine: Facts,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<&'a Plan>,
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<&'a Report>,
}

#[derive(Serialize)]
struct Facts {
    kind: EngineKind,
    version: String,
}

impl Facts {
    fn of(engine: &EngineFacts) -> Self {
        Self { kind: engine.kind, version: engine.version.to_string() }
    }
}

/// The document that `--json` prints when it could not.
#[derive(Serialize)]
struct Failed<'a> {
    format: u32,
    error: Said<'a>,
}

#[derive(Serialize)]
struct Said<'a> {
    kind: String,
    message: String,
    violations: &'a [Mistake],
}

/// A kind as it stands in a document.
fn word(kind: ErrorKind) -> String {
    serde_json::to_value(kind).ok().and_then(|word| Some(word.as_str()?.to_owned())).unwrap_or_default()
}

/// Prints a plan.
pub(crate) fn plan(plan: &Plan, engine: &EngineFacts, command: &str, json: bool) -> Result<(), Failure> {
    if json {
        let engine = Facts::of(engine);
        print_json(&Done { format: FORMAT, command, engine, plan: Some(plan), report: None })
    } else {
        print(plan)
    }
}

/// Prints a report.
pub(crate) fn report(report: &Report, engine: &EngineFacts, command: &str, json: bool) -> Result<(), Failure> {
    if json {
        let engine = Facts::of(engine);
        print_json(&Done { format: FORMAT, command, engine, plan: None, report: Some(report) })
    } else {
        print(report)
    }
}

/// Prints a file, which is the document itself: nothing is around it.
pub(crate) fn file(file: &export::File, json: bool) -> Result<(), Failure> {
    if json {
        print_json(file)
    } else {
        console::write(&file.to_yaml().map_err(Failure::Because)?).map_err(Failure::Output)
    }
}

/// Prints to the standard output, with one end of line at its end.
pub(crate) fn print(text: impl fmt::Display) -> Result<(), Failure> {
    console::print(text).map_err(Failure::Output)
}

fn print_json(document: &impl Serialize) -> Result<(), Failure> {
    console::print_json(document).map_err(Failure::Output)
}
