//! The API as its callers see it, on every storage.

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
