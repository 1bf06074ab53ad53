//! The Docker engine behind [`kolla-container-core`]'s `Runtime`.
//!
//! **Not built yet: this crate holds only its docs, and exports nothing.**
//!
//! It will implement one port of core, `Runtime`, over the API of the Docker Engine: connect to the
//! engine, write a `ContainerSpec` as a create request, read an inspected container back as a
//! `ContainerState`, and say which fields this engine and version can do and what it gives to a
//! field that nobody states. It will decide nothing: what differs, and what to do about it, is
//! core's.
//!
//! [`kolla-container-core`]: https://docs.rs/kolla-container-core
