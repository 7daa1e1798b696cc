//! What each role may do, in one table: [`RoleTable`], and [`Authorizer`] to replace it.

use super::model::Role;

/// An action in an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See the organization and its members.
    ViewOrganization,
    /// Change its name or slug.
    UpdateOrganization,
    /// Remove it with everything that belongs to it.
    DeleteOrganization,
    /// Invite, and see, send again and revoke invitations.
    ManageInvitations,
    /// Make a member an admin, or remove a member.
    ManageMembers,
    /// Change or remove admins and owners, and make owners.
    ManageAdmins,
    /// See projects, tasks, comments and the history, and search.
    ViewWork,
    /// Create, change and move tasks, comment, and remove own tasks and comments.
    EditWork,
    /// Remove tasks and comments of other members.
    ModerateWork,
    /// Create, change and archive projects, with their statuses and labels.
    ManageProjects,
    /// Export the organization.
    ExportOrganization,
    /// Create, see, change and remove webhooks, and see what was sent to them.
    ManageWebhooks,
}

impl Action {
    /// All actions.
    pub const ALL: [Self; 12] = [
        Self::ViewOrganization,
        Self::UpdateOrganization,
        Self::DeleteOrganization,
        Self::ManageInvitations,
        Self::ManageMembers,
        Self::ManageAdmins,
        Self::ViewWork,
        Self::EditWork,
        Self::ModerateWork,
        Self::ManageProjects,
        Self::ExportOrganization,
        Self::ManageWebhooks,
    ];
}

/// Decides what a role may do. Replace it to apply other rules; the default is [`RoleTable`].
pub trait Authorizer: Send + Sync {
    /// Whether a member with this role may do this.
    fn allows(&self, role: Role, action: Action) -> bool;
}

/// The default rules: the only place that maps roles to actions.
#[derive(Debug, Clone, Copy, Default)]
pub struct RoleTable;

impl Authorizer for RoleTable {
    fn allows(&self, role: Role, action: Action) -> bool {
        let least = match action {
            Action::ViewOrganization | Action::ViewWork | Action::EditWork => Role::Member,
            Action::UpdateOrganization
            | Action::ManageInvitations
            | Action::ManageMembers
            | Action::ModerateWork
            | Action::ManageProjects
            | Action::ManageWebhooks => Role::Admin,
            Action::DeleteOrganization | Action::ManageAdmins | Action::ExportOrganization => Role::Owner,
        };
        role >= least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A change of permissions shows here as a changed line.
    #[test]
    fn the_whole_matrix_of_roles_and_actions() {
        let rows: Vec<String> = Action::ALL
            .into_iter()
            .map(|action| {
                let allowed: Vec<_> = Role::ALL
                    .into_iter()
                    .filter(|role| RoleTable.allows(*role, action))
                    .map(Role::as_str)
                    .collect();
                format!("{action:?}: {}", allowed.join(" "))
            })
            .collect();
        assert_eq!(
            rows,
            [
                "ViewOrganization: member admin owner",
                "UpdateOrganization: admin owner",
                "DeleteOrganization: owner",
                "ManageInvitations: admin owner",
                "ManageMembers: admin owner",
                "ManageAdmins: owner",
                "ViewWork: member admin owner",
                "EditWork: member admin owner",
                "ModerateWork: admin owner",
                "ManageProjects: admin owner",
                "ExportOrganization: owner",
                "ManageWebhooks: admin owner",
            ]
        );
    }
}
