//! The cases of notifications and their digests.

pub mod digests;
pub mod kept;

use super::{fixtures, prelude};
