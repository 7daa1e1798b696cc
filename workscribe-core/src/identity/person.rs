//! A user as others see them: [`Person`].

use serde::{Deserialize, Serialize};

use crate::id::UserId;

/// A user as others see them, next to what the user did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The id of the user.
    pub id: UserId,
    /// Their name.
    pub display_name: String,
    /// Their picture.
    pub avatar_url: Option<String>,
}
