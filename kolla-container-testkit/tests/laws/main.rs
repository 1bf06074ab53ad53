//! The laws, by proptest on the engine in memory: convergence, idempotence, minimality, safety, and
//! interruption at every call.

mod interruption;
mod late;
mod moments;
mod properties;
mod specs;
mod together;
mod world;
