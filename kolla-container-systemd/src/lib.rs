//! systemd units behind [`kolla_container_core`]'s [`Supervisor`](kolla_container_core::Supervisor).
//!
//! Each container has a unit, `kolla-<container>-container.service`, that starts it by the engine's own command and
//! starts it again when it ends. [`Systemd`] writes these units, says what they are doing, and starts and stops them;
//! it decides nothing: who starts a container, and when its unit has to change, is for core to plan.
//!
//! - A unit file is there whole or not at all, and is ours by its second line. Somebody else's file of that name is
//!   never overwritten, unless [`Config::adopt`] says so.
//! - systemd is spoken to over D-Bus. A start, a stop or a restart is over when systemd says so and the container is as
//!   it should be; a failure says how the job and the service ended, with the last lines of the journal.
//! - Units want their engine (`Wants=`), and do not require it: an engine that is restarted takes nothing down with it.

mod bus;
mod config;
mod failure;
mod files;
mod job;
mod journal;
mod quadlet;
mod supervisor;
#[cfg(test)]
mod tests;
mod unit;

pub use config::{Config, Dialect, Scope};
pub use failure::{JobResult, UnitFailure};
pub use quadlet::quadlet;
pub use supervisor::Systemd;
