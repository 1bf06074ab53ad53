//! systemd units behind [`kolla-container-core`]'s `Supervisor`.
//!
//! **Not built yet: this crate holds only its docs, and exports nothing.**
//!
//! It will implement one port of core, `Supervisor`, for systemd: write one unit file for each
//! container, report a unit that differs from what it should be, and start, stop and enable units
//! over D-Bus, waiting for the job that does it. It will decide nothing: who starts a container, and
//! when its unit must change, is core's.
//!
//! [`kolla-container-core`]: https://docs.rs/kolla-container-core
