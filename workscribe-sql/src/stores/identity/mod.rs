//! The stores of accounts, sessions and tokens.

pub(crate) mod addresses;
mod attempts;
mod bounces;
pub(crate) mod tokens;
pub(crate) mod users;

use super::*;
