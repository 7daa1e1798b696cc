//! The API as its callers see it, on every storage.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test cannot go on without what it asked for")]

mod accounts;
mod conditions;
mod invitations;
mod matrix;
mod members;
mod organizations;
mod passwords;
mod protocol;
mod sessions;
mod support;
mod throttling;
mod tokens;
