//! Keeping images present: whether to pull, and when to try again.
//!
//! What decides is pure: time and what is there are passed in.

mod backoff;
mod policy;

pub use backoff::{Backoff, BackoffLimits, Waiting};
pub use policy::{Decision, Presence, PullPolicy};
