//! The sections of the OpenAPI document.

use poem_openapi::Tags as OpenApiTags;

/// The sections of the document.
#[derive(OpenApiTags)]
pub enum Tags {
    /// Accounts, sessions, passwords, and invitations to oneself.
    Identity,
    /// Organizations, their members and their invitations.
    Organizations,
    /// Whether the server runs and is ready.
    Health,
}
