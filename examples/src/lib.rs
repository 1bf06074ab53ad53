//! What the programs have in common: which engine is meant, whose credentials are used, and how something is said.

pub mod console;
pub mod engine;
pub mod images;
