//! The cases of sessions and single-use tokens, which a token store of its own has to keep too.

pub mod one_time;
pub mod rotation;
pub mod sessions;

use super::{fixtures, prelude};
