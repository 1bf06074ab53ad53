//! The Docker engine behind the [`Runtime`](kolla_container_core::Runtime) of `kolla-container-core`.
//!
//! ```no_run
//! use std::sync::Arc;
//! use kolla_container_core::{ContainerSpec, Goal, Goals, Reconciler};
//! use kolla_container_docker::Docker;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let docker = Docker::from_env().await?;
//! let spec = ContainerSpec::new("nginx:1.27".parse()?).with_ports(["8080:80"])?;
//! let goals = Goals::one("web".parse()?, Goal::running(spec));
//!
//! let reconciler = Reconciler::new(Arc::new(docker));
//! println!("{}", reconciler.plan(&goals).await?); // the dry run
//! println!("{}", reconciler.reconcile(&goals).await?); // do it, or put it back
//! # Ok(()) }
//! ```
//!
//! # The model
//!
//! This crate translates and decides nothing. What a container should be goes out as a request, what it is comes back
//! in the same words; [`EngineFacts`](kolla_container_core::state::EngineFacts) say what this engine can do and what it
//! gives to a field that nobody states. The rest is core's.
//!
//! - [`Docker`] is the engine; [`Connection`] and [`Address`] say where it listens, [`Tls`] who it must be.
//! - [`decode`] reads the documents that `docker inspect` prints, without an engine; [`recorded_facts`] go with them.
//!
//! Docker 20.10 (API 1.41) is the oldest that works. Podman's imitation of this API is refused: it has a crate of its
//! own.
//!
//! # Features
//!
//! A socket of this machine always works; `tcp`, `tls` and `ssh` add other machines. A certificate is always verified.
//!
//! # What Docker does not say
//!
//! - Which flags its daemon has. Where a flag gives something to every container (`--default-ulimit`, `--log-opt`,
//!   `--default-shm-size`, `--default-ipc-mode`), the default is not known, and such a field is compared only when it is
//!   stated; of ulimits and log options, only the stated keys are. `dockerd --init` reads as `init: false`.
//! - Whether a hardware address was asked for: stating one is refused.
//! - What it discards of an update: looked at afterwards, and said.
//!
//! - Limits of single block devices, masked paths, options of volume drivers and of endpoints, and a few more options of
//!   `docker run` have no field here: they are neither compared nor exported. A range of host ports counts as a random
//!   port, and an address of `0.0.0.0` or `::` as every address.
//!
//! # What stays with you
//!
//! - Credentials of registries are not read: pull an image that needs some beforehand.
//! - `DOCKER_API_VERSION` is not read: the newest level that both sides know is spoken.
//! - bollard logs request bodies and answers at `debug` and `trace`, and the environment of containers is in them: where
//!   your program logs at that level, filter the target `bollard`.
//!
//! # What it does not do in time
//!
//! Docker makes a container also in a network, or with a namespace of another container, that is not there, and finds
//! out when it is started. They are looked at before, so that no old container is stopped for such a new one.

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
