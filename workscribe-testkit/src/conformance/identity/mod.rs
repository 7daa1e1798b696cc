//! The cases of accounts and failed logins.

pub mod attempts;
pub mod bounces;
pub mod kept_sessions;
pub mod users;

use super::{fixtures, prelude};
