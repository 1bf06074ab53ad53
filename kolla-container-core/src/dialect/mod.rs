//! Other tools' words for a container, turned into a [`ContainerSpec`](crate::spec::ContainerSpec).
//!
//! A dialect reads what another tool's users have written already. It talks to no engine and decides
//! nothing: once the words are ours, everything else is as for any other spec.

pub mod kolla;
