//! Layers: coming.
