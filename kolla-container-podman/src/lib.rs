//! The Podman engine behind the [`Runtime`](kolla_container_core::Runtime) of `kolla-container-core`.
//!
//! ```no_run
//! use std::sync::Arc;
//! use kolla_container_core::{ContainerSpec, Goal, Goals, Reconciler};
//! use kolla_container_podman::Podman;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let podman = Podman::from_env().await?;
//! let spec = ContainerSpec::new("docker.io/library/nginx:1.27".parse()?).with_ports(["8080:80"])?;
//! let goals = Goals::one("web".parse()?, Goal::running(spec));
//!
//! let reconciler = Reconciler::new(Arc::new(podman));
//! println!("{}", reconciler.plan(&goals).await?); // the dry run
//! println!("{}", reconciler.reconcile(&goals).await?); // do it, or put it back
//! # Ok(()) }
//! ```
//!
//! # The model
//!
//! This crate translates and decides nothing. What a container should be goes out as a request to Podman's own API
//! (libpod, not the one that imitates Docker), what it is comes back in the same words;
//! [`EngineFacts`](kolla_container_core::state::EngineFacts) say what this engine can do, what it gives to a field that
//! nobody states, and what it adds by itself. The rest is core's.
//!
//! - [`Podman`] is the engine; [`Connection`] and [`Address`] say where it listens, [`Tls`] who it must be.
//! - [`decode`] reads the documents that `podman inspect` prints, without an engine; [`recorded_facts`] go with them.
//!
//! Podman 4.0 is the oldest that works; 4.3 and 5.4 are tested.
//!
//! # Features
//!
//! A socket of this machine always works; `tcp` and `tls` add other machines. A certificate is always verified.
//!
//! # What Podman does not say
//!
//! - What a container was made with of log options, sysctls, storage options, rules of the devices cgroup, and the kinds
//!   of ipc and user namespaces: compared through a record that core makes
//!   ([`Applied`](kolla_container_core::state::Applied)), and exported by nobody.
//! - Whether a port of the host or an address was asked for or picked: what is there counts as picked. Stating a hardware
//!   address is refused.
//! - What may be done with a device; the options that it adds to mounts (`nodev`, `nosuid`, `exec`) are not told from
//!   those that were stated.
//! - Which devices a privileged container was given, or any without the privileges of root: a change of them is not noticed.
//! - From version 5 on, which limits of files and processes were stated, and which its service has: an export states both.
//! - Which capabilities were added and dropped: computed from those that a container has.
//! - What its containers.conf says. Limits of processes (2048) and the size of /dev/shm (65536 kB) are expected as Podman
//!   has them by default, and so is its network, `podman`; the log driver, the runtime and the capabilities are asked for.
//!   Variables and annotations that it gives to each container have to be stated in each spec; otherwise they differ.
//!
//! # What Podman does otherwise
//!
//! - Before 5.1 it forgets what `podman update` has changed at the next start: a new limit is a new container then.
//! - Health checks are run by timers of systemd: where that is not there, nobody runs them.
//! - Restart policies other than `no` outlive the machine's restart only with `podman-restart.service`.
//! - Its DNS keeps the name that a container had when it was started: `start-first` is stop-first for one in a network of
//!   its own, unless its name is one of its aliases there. The plan says so.
//! - `podman-restart.service` starts all containers with the policy `always`, also what an interrupted replacement left: run
//!   the program again after the machine's restart.
//! - The runtime of a container is not taken over the API before 6.0: it is refused.
//! - A missing source of a bind mount is found only at the start; on this machine it is looked at, or made where
//!   `deploy.create_missing_sources` says so, before.
//!
//! # What stays with you
//!
//! - Credentials of registries are those that the engine finds (`podman login`).

mod connect;
pub mod decode;
mod defaults;
mod encode;
mod error;
mod frames;
#[cfg(test)]
mod law;
mod place;
mod runtime;
mod stream;
mod wire;

pub use self::connect::{Address, Connection, Tls};
pub use self::defaults::recorded_facts;
pub use self::runtime::Podman;
