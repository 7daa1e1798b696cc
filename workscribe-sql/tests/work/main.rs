//! Projects and tasks through their services, on real databases.

#![expect(clippy::unwrap_used, reason = "a test fails where something else happens than it says")]

mod model;
mod operations;
mod races;
mod side_by_side;
mod support;
