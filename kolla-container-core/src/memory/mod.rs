//! In memory: coming.
