//! What every backend of kolla-container must do: the conformance suite, and the field matrix.
//!
//! - A [`Case`] is a plain asynchronous function over a [`Harness`]: an engine, images whose behaviour is
//!   known, and names that nobody else has. It knows no backend and uses no control that only one has.
//! - A [`Subject`] is a backend that is put to the test: it connects, and says how its clock runs.
//! - [`trials`] runs all cases on a subject under libtest-mimic, each in a runtime of its own. A case
//!   that needs what the engine refuses shows as ignored, with the reason; it never passes unrun.
//! - [`matrix`] has, for every field of the table in core, pairs of a value and another one: each
//!   must be one change, named as such, that a reconcile closes and an export keeps.
//!
//! A failed assertion is what this crate is for, so it panics where a library must not. Whatever a case
//! made is removed after it, failed or not.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a failed assertion is what this crate is for"
)]
#![expect(
    clippy::case_sensitive_file_extension_comparisons,
    reason = "`.next` and `.previous` are parts of container names"
)]

pub mod cases;
pub mod command_line;
mod harness;
mod images;
mod live;
pub mod matrix;
pub mod memory;
pub mod registry;
mod runner;
pub mod stories;
mod tally;

pub use command_line::CommandLine;
pub use harness::{Harness, Kind};
pub use images::{Images, Program};
pub use live::{Connecting, Live, Supervise, Supervising};
pub use runner::{Case, Clock, Ground, Outcome, Subject, Unavailable, run, trials};
pub use tally::Tally;
