//! Declarative containers: what a container should be, what it is, what differs, and what to do about
//! it.
//!
//! Say what should run; the library says exactly what differs, field by field, with no false alarm, and
//! closes the difference safely: image and new container before the old one is touched, verified,
//! rolled back on failure, resumed after a crash.
//!
//! ```
//! use std::sync::Arc;
//! use kolla_container_core::{ContainerSpec, Goal, Goals, Reconciler, memory::MemoryEngine};
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let spec = ContainerSpec::new("nginx:1.27".parse()?)
//!     .with_mounts(["/srv/www:/usr/share/nginx/html:ro"])?
//!     .with_ports(["8080:80"])?;
//! let goals = Goals::one("web".parse()?, Goal::running(spec));
//!
//! let reconciler = Reconciler::new(Arc::new(MemoryEngine::new()));
//! println!("{}", reconciler.plan(&goals).await?);
//! println!("{}", reconciler.reconcile(&goals).await?);
//! # Ok(())
//! # }
//! ```
//!
//! # The model: five steps
//!
//! 1. [`spec`]: what should run. A [`ContainerSpec`] is the one normal form: what a user wants, what is
//!    expected and what an engine reports are the same type, and mean the same exactly when they are
//!    equal.
//! 2. [`state`]: what is there, as a backend reports it.
//! 3. [`diff`]: what differs, with what the image and the engine imply taken into account.
//! 4. [`plan`]: what to do, as data to read first. Each step carries its cause and its undo.
//! 5. [`apply`]: do it, or put it back.
//!
//! [`Reconciler`] goes through them. The first four are pure functions over data; only looking and
//! applying touch an engine, through the port [`Runtime`], or an init system, through [`Supervisor`].
//!
//! # Where things are
//!
//! - [`memory`]: an engine and a supervisor in memory, for tests and as the embedded default. Docker,
//!   Podman and systemd are crates of their own.
//! - [`images`]: keeping images present, for the plans of a reconciler and alone.
//! - [`snapshot`]: a recorded engine, for bug reports, and for plans without a connection.
//! - [`layer`]: wrappers around a runtime: deadlines, faults for tests.
//! - [`dialect`]: other tools' words for a spec; kolla-ansible's so far.
//! - `mock` (feature `mock`): mockall doubles of the two ports.
//!
//! # What is never shown
//!
//! Values declared secret, values secret by name ([`is_secret_name`]), and passwords in URLs are in no
//! `Debug`, error, plan or report.

pub mod apply;
pub mod dialect;
pub mod diff;
mod error;
mod image_ref;
pub mod images;
pub mod layer;
pub mod memory;
#[cfg(feature = "mock")]
pub mod mock;
mod name;
pub mod plan;
mod quantity;
pub mod reconcile;
mod runtime;
mod secret;
mod shown;
pub mod snapshot;
pub mod spec;
pub mod state;
mod supervisor;
mod text;
mod timestamp;
mod violation;

pub use apply::{Report, StopSignal};
pub use error::{Error, ErrorKind, Result};
pub use image_ref::ImageRef;
pub use name::{ContainerId, ContainerName, ContainerRef, ImageId, NetworkName, VolumeName};
pub use plan::{Goal, Goals, Plan};
pub use quantity::{ByteSize, CpuSet, Cpus, Limit, TimeSpan};
pub use reconcile::Reconciler;
pub use runtime::Runtime;
pub use secret::is_secret_name;
pub use shown::Shown;
pub use spec::ContainerSpec;
pub use supervisor::{Active, Service, Supervisor, UnitState, UnitText};
pub use text::ParseError;
pub use timestamp::Timestamp;
pub use violation::{FieldPath, Violation, Violations};
