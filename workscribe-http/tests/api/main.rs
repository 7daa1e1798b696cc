//! The API as its callers see it, on every storage.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test cannot go on without what it asked for")]

mod accounts;
mod activity;
mod admin;
mod boards;
mod bounces;
mod bulk;
mod comments;
mod conditions;
mod export;
mod forged;
mod invitations;
mod limits;
mod matrix;
mod members;
mod names;
mod notifications;
mod organizations;
mod passwords;
mod projects;
mod protocol;
mod relations;
mod requests;
mod search;
mod sessions;
mod statuses;
mod support;
mod task_lists;
mod tasks;
mod throttling;
mod together;
mod tokens;
mod webhooks;
mod workshop;
