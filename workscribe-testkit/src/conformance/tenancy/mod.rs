//! The cases of organizations, members and invitations.

pub mod invitations;
pub mod members;
pub mod organizations;

use super::{fixtures, prelude};
