//! The Docker engine behind [`kolla-container-core`]'s `Runtime`.
//!
//! [`kolla-container-core`]: https://docs.rs/kolla-container-core

mod connect;
pub mod decode;
mod defaults;
mod encode;
mod error;
#[cfg(test)]
mod law;
mod place;
mod runtime;
mod stream;

pub use self::connect::{Address, Connection, Tls};
pub use self::defaults::recorded_facts;
pub use self::runtime::Docker;
