//! The cases of notifications and their digests.

pub mod digests;
pub mod notifications;

use super::{fixtures, prelude};
