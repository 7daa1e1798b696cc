//! Organizations, members and invitations, and the proof of a membership: [`OrgScope`].
//!
//! | file | what |
//! |---|---|
//! | `scope.rs`, `door.rs` | the proofs, such as [`OrgScope`], and the doors, which make them by look-ups |
//! | `permission.rs` | what each role may do, in one table |
//! | `model.rs` | [`Organization`], [`Member`], [`Invitation`] and their rules |
//! | `store.rs` | the store traits; every tenant-scoped call takes an [`OrgScope`] |
//! | `organizations.rs`, `members.rs`, `invitations.rs` | the services |

mod door;
mod invitations;
mod members;
mod model;
mod organizations;
mod permission;
mod scope;
mod store;

pub(crate) use door::no_such_organization;
pub use invitations::{AcceptedInvitation, NewAccount, NewInvitation, SendInvitationMail, invitation_token};
pub use model::{
    Invitation, InvitationPreview, InvitationStatus, ListedInvitation, Member, Organization,
    OrganizationChange, Role, Slug,
};
pub(crate) use organizations::gone;
pub use organizations::{ClearOrganization, NewOrganization, OrganizationEdit, Organizations};
pub use permission::{Action, Authorizer, RoleTable};
pub use scope::{In, InvitationPass, OrgScope, VacatedOrg};
pub use store::{InvitationStore, MemberStore, OrganizationStore};
