//! Organizations over HTTP, with their members and their invitations.

mod invitations;
mod members;
mod organizations;

pub use invitations::*;
pub use members::*;
pub use organizations::*;
