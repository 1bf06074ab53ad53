//! The laws, by proptest on the engine in memory: convergence, idempotence, minimality, safety, and
//! interruption at every call.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed assertion is what a test is for"
)]
#![expect(clippy::case_sensitive_file_extension_comparisons, reason = "`.next` is part of a container name")]

mod interruption;
mod joined;
mod late;
mod moments;
mod properties;
mod specs;
mod together;
mod transitions;
mod world;
