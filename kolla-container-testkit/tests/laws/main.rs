//! The laws, by proptest on the engine in memory: convergence, idempotence, minimality, safety, and
//! interruption at every call.

mod interruption;
mod joined;
mod late;
mod moments;
mod properties;
mod specs;
mod together;
mod transitions;
mod world;
