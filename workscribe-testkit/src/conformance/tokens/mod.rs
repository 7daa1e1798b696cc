//! The cases of sessions and single-use tokens, which also apply to a separate token store.

pub mod one_time;
pub mod rotation;
pub mod sessions;

use super::{fixtures, prelude};
