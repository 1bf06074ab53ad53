//! Keeping images present: whether to pull, as whom, how many at a time, and when to try again.
//!
//! [`ImageManager`] does it, alone or for the plans of a [`Reconciler`](crate::Reconciler). What decides is pure, and can be
//! used by itself: [`PullPolicy`] and [`Backoff`] are given what is there and what time it is.

#[cfg(feature = "auth-files")]
mod auth_files;
mod backoff;
mod collect;
mod event;
mod in_flight;
mod keyring;
mod manager;
mod policy;
mod progress;
mod pull;
mod queue;
mod request;
#[cfg(test)]
mod tests;
mod upkeep;
mod why;

#[cfg(feature = "auth-files")]
pub use auth_files::AuthFiles;
pub use backoff::{Backoff, BackoffLimits, Waiting};
pub use collect::{CollectPlan, CollectPolicy, Collected, Deletion, Disk, Inventory, Kept, Reason, Seen, Stock, Usage};
pub use event::{ImageEvent, ImageListener};
pub use keyring::{Keyring, Known};
pub use manager::ImageManager;
pub use policy::{Decision, Presence, PullPolicy};
pub use progress::{LayerProgress, Progress};
pub use queue::{Concurrency, Rate};
pub use request::{Ensured, ImageRequest, Pulled};
pub use why::EnsureError;
