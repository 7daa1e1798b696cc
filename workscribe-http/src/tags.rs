//! The sections of the OpenAPI document.

use poem_openapi::Tags as OpenApiTags;

/// The sections of the document.
#[derive(OpenApiTags)]
pub enum Tags {
    /// Accounts, sessions, passwords, and invitations to oneself.
    Identity,
    /// Organizations, their members and their invitations.
    Organizations,
    /// Projects, with their statuses and labels.
    Projects,
    /// Tasks, boards, comments, and what happened.
    Tasks,
    /// Who is told of what.
    Notifications,
    /// Finding things.
    Search,
    /// Whether the server runs and is ready.
    Health,
}
