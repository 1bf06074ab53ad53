//! The words of kolla-ansible's container module.
//!
//! [`Parameters`] are the module's parameters, under the names and with the defaults that they have
//! there; [`Parameters::into_spec`] says the same in a [`ContainerSpec`](crate::spec::ContainerSpec). A [`Document`]
//! is a file of many of them. What kolla-ansible crashed at, dropped or misread is either read as it was meant, or a
//! violation that names the parameter.
//!
//! Where this differs from kolla-ansible, on purpose:
//!
//! - An unknown key is a violation everywhere, also in `common_options`.
//! - One source may be mounted at several targets, and one target has one mount.
//! - A volume `/path:ro` is an anonymous volume that cannot be written.
//! - The healthcheck `NONE` switches the image's check off.
//! - An empty command is the image's, and an empty or null volume or tmpfs entry is none.
//! - A healthcheck number of 0 is not stated: engines take a 0 as "the image's, else the default".
//! - The configuration check runs where a `KOLLA_CONFIG_STRATEGY` says what a stale configuration calls
//!   for; kolla's images do not start without one, so that without one there is nothing to compare.

mod dimensions;
mod document;
mod healthcheck;
mod host;
mod mounts;
mod parameters;
#[cfg(test)]
mod tests;
mod translate;
mod words;

pub use self::dimensions::DIMENSIONS;
pub use self::document::{Document, read_document, read_oneshots};
pub use self::healthcheck::HEALTHCHECK;
pub use self::host::Host;
pub use self::parameters::Parameters;
pub use self::words::{Engine, Password, Restart, State, Unread};
