//! The stores of organizations, their members and invitations.

mod invitations;
pub(crate) mod members;
pub(crate) mod organizations;
pub(crate) mod slugs;

use super::*;
