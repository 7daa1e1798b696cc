//! Every list of the core, once: ids, stores, codes, limits and events. A new area adds its lines here.
//!
//! `every_id!(name)`, `every_store!(name)` and the like call the macro `name!` with the list. The macro that makes the types of a
//! list is in the module of these types, where its syntax is explained.

/// Every id, as `$($(#[$doc:meta])* $id:ident),+ $(,)?`.
#[macro_export]
macro_rules! every_id {
    ($callback:ident) => {
        $callback! {
        /// A person with an account.
        UserId,
        /// One login of a user, with its family of refresh tokens.
        SessionId,
        /// An organization: the tenant.
        OrgId,
        /// An invitation into an organization.
        InvitationId,
        /// A project.
        ProjectId,
        /// A status of a project: a column of its board.
        StatusId,
        /// A label of a project.
        LabelId,
        /// A task.
        TaskId,
        /// A relation between two tasks.
        RelationId,
        /// A comment on a task.
        CommentId,
        /// An entry of the history.
        ActivityId,
        /// A notification to one person.
        NotificationId,
        /// A job in the queue.
        JobId,
        /// An endpoint of an organization, which receives messages about events.
        WebhookId,
        /// A message to one or more endpoints.
        WebhookMessageId,
        /// The delivery of a message to one endpoint.
        WebhookDeliveryId,
        /// A single-use token that is sent by mail.
        OneTimeTokenId,
        /// One HTTP request, or one piece of background work, in logs and problem documents.
        RequestId,
        }
    };
}

/// Every store, by its accessor in a unit of work, as `$($(#[$doc:meta])* $accessor:ident: $store:path;)+`.
#[macro_export]
macro_rules! every_store {
    ($callback:ident) => {
        $callback! {
        /// Users and their credentials.
        users: $crate::identity::UserStore;
        /// Failed logins, by account.
        attempts: $crate::identity::AttemptStore;
        /// Addresses that refuse mail.
        bounces: $crate::identity::BounceStore;
        /// Sessions and single-use tokens.
        tokens: $crate::identity::TokenStore;
        /// Organizations, and the door into them.
        organizations: $crate::tenancy::OrganizationStore;
        /// Members of an organization.
        members: $crate::tenancy::MemberStore;
        /// Invitations into an organization.
        invitations: $crate::tenancy::InvitationStore;
        /// Projects, and the door to one.
        projects: $crate::work::ProjectStore;
        /// The statuses of a project.
        statuses: $crate::work::StatusStore;
        /// The labels of a project and of its tasks.
        labels: $crate::work::LabelStore;
        /// Tasks, and the door to one.
        tasks: $crate::work::TaskStore;
        /// The order of tasks in the columns of boards.
        board: $crate::work::BoardStore;
        /// Relations between tasks.
        relations: $crate::work::RelationStore;
        /// Comments on tasks.
        comments: $crate::work::CommentStore;
        /// The history.
        activity: $crate::work::ActivityStore;
        /// Notifications to people.
        notifications: $crate::notifications::NotificationStore;
        /// The search index.
        search: $crate::search::SearchStore;
        /// Whole organizations, row by row, for export and import.
        transfer: $crate::transfer::TransferStore;
        /// Webhooks, their messages and their deliveries.
        webhooks: $crate::webhooks::WebhookStore;
        /// Answers stored for repeated requests.
        idempotency: $crate::idempotency::IdempotencyStore;
        /// Enqueues jobs in the transaction of the rows that cause them.
        outbox: $crate::outbox::Outbox;
        /// The queue, for workers and operators.
        jobs: $crate::outbox::JobStore;
        }
    };
}

/// Every code of an error: its name, its text, its kind, and its title for people.
macro_rules! every_code {
    ($callback:ident) => { $callback! {
        /// One or more fields are invalid.
        ValidationFailed = "VALIDATION_FAILED", Invalid, "Some fields are not valid";
        /// The e-mail address belongs to an account.
        EmailTaken = "EMAIL_TAKEN", Conflict, "This e-mail address is taken";
        /// The address or the password is wrong.
        InvalidCredentials = "INVALID_CREDENTIALS", Unauthenticated, "Wrong e-mail address or password";
        /// The account was disabled by an operator.
        AccountDisabled = "ACCOUNT_DISABLED", Forbidden, "This account is disabled";
        /// The account's address must be verified first.
        EmailNotVerified = "EMAIL_NOT_VERIFIED", Forbidden, "The e-mail address is not verified";
        /// There is no access token, or the access token is not accepted.
        Unauthenticated = "UNAUTHENTICATED", Unauthenticated, "Log in first";
        /// The refresh token is not accepted.
        InvalidRefreshToken = "INVALID_TOKEN", Unauthenticated, "The refresh token is not valid";
        /// A refresh token was used a second time; its session has ended.
        TokenReused = "TOKEN_REUSED", Unauthenticated, "The refresh token was used before";
        /// The mailed token is unknown, used or expired.
        InvalidToken = "INVALID_TOKEN", BadRequest, "The token is not valid";
        /// The invitation is for an existing account: log in to accept it.
        LoginRequired = "LOGIN_REQUIRED", Unauthenticated, "Log in to accept this invitation";
        /// The invitation was sent to another address.
        EmailMismatch = "EMAIL_MISMATCH", Forbidden, "This invitation is for another e-mail address";
        /// The role does not allow it.
        InsufficientRole = "INSUFFICIENT_ROLE", Forbidden, "Your role does not allow this";
        /// The caller has no such session.
        SessionNotFound = "SESSION_NOT_FOUND", NotFound, "No such session";
        /// The caller has no such organization.
        OrganizationNotFound = "ORGANIZATION_NOT_FOUND", NotFound, "No such organization";
        /// The organization has no such member.
        MemberNotFound = "MEMBER_NOT_FOUND", NotFound, "No such member";
        /// There is no such invitation.
        InvitationNotFound = "INVITATION_NOT_FOUND", NotFound, "No such invitation";
        /// There is no such job.
        JobNotFound = "JOB_NOT_FOUND", NotFound, "No such job";
        /// A worker runs the job.
        JobRunning = "JOB_RUNNING", Conflict, "This job is running";
        /// The job has ended.
        JobFinished = "JOB_FINISHED", Conflict, "This job has ended";
        /// The organization has no such webhook.
        WebhookNotFound = "WEBHOOK_NOT_FOUND", NotFound, "No such webhook";
        /// The webhook is disabled.
        WebhookDisabled = "WEBHOOK_DISABLED", Conflict, "This webhook is off";
        /// The webhook has no such delivery.
        DeliveryNotFound = "DELIVERY_NOT_FOUND", NotFound, "No such delivery";
        /// The invitation has expired.
        InvitationExpired = "INVITATION_EXPIRED", Gone, "This invitation has expired";
        /// The invitation was already accepted.
        InvitationAccepted = "INVITATION_ACCEPTED", Conflict, "This invitation was accepted";
        /// The slug belongs to another organization.
        SlugTaken = "SLUG_TAKEN", Conflict, "This slug is taken";
        /// The person is already a member.
        AlreadyMember = "ALREADY_MEMBER", Conflict, "Already a member";
        /// An organization keeps at least one owner.
        LastOwner = "LAST_OWNER", Conflict, "The last owner must stay";
        /// The organization has no such project.
        ProjectNotFound = "PROJECT_NOT_FOUND", NotFound, "No such project";
        /// The project's key belongs to another project of the organization.
        KeyTaken = "KEY_TAKEN", Conflict, "This key is taken";
        /// An archived project is read-only.
        ProjectArchived = "PROJECT_ARCHIVED", Conflict, "This project is archived";
        /// The project has no such status.
        StatusNotFound = "STATUS_NOT_FOUND", NotFound, "No such status";
        /// Another status of the project has this name.
        StatusNameTaken = "STATUS_NAME_TAKEN", Conflict, "This status name is taken";
        /// Tasks have the status, and the request does not say to which status they move.
        StatusInUse = "STATUS_IN_USE", Conflict, "Tasks have this status";
        /// A project keeps at least one status.
        LastStatus = "LAST_STATUS", Conflict, "The last status must stay";
        /// The number of these things has reached its limit.
        LimitReached = "LIMIT_REACHED", Conflict, "There are as many as there can be";
        /// The project has no such label.
        LabelNotFound = "LABEL_NOT_FOUND", NotFound, "No such label";
        /// Another label of the project has this name.
        LabelNameTaken = "LABEL_NAME_TAKEN", Conflict, "This label name is taken";
        /// The caller has no such task.
        TaskNotFound = "TASK_NOT_FOUND", NotFound, "No such task";
        /// The parent is the task itself, or one of its descendants.
        ParentCycle = "PARENT_CYCLE", Conflict, "A task cannot be below itself";
        /// The task has no such relation.
        RelationNotFound = "RELATION_NOT_FOUND", NotFound, "No such relation";
        /// The two tasks have a relation of this type already.
        RelationExists = "RELATION_EXISTS", Conflict, "These tasks have this relation";
        /// A task would block itself, directly or through others.
        RelationCycle = "RELATION_CYCLE", Conflict, "A task cannot block itself";
        /// The task has no such comment.
        CommentNotFound = "COMMENT_NOT_FOUND", NotFound, "No such comment";
        /// The caller has no such notification.
        NotificationNotFound = "NOTIFICATION_NOT_FOUND", NotFound, "No such notification";
        /// `If-Match` names another version.
        StaleVersion = "STALE_VERSION", PreconditionFailed, "This was changed in the meantime";
        /// Two requests changed the same row at the same time.
        WriteConflict = "WRITE_CONFLICT", Conflict, "Another request changed this at the same time";
        /// The idempotency key was used for another request.
        IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", Invalid, "This idempotency key was used for another request";
        /// The first request with this idempotency key is still running.
        IdempotencyInProgress = "IDEMPOTENCY_IN_PROGRESS", Conflict, "The first request with this key is still running";
        /// The body is not JSON.
        MalformedBody = "MALFORMED_BODY", BadRequest, "The body is not valid JSON";
        /// Too many requests from this address or for this account.
        RateLimited = "RATE_LIMITED", TooManyRequests, "Too many requests";
        /// More requests wait than the queue accepts.
        Overloaded = "OVERLOADED", Unavailable, "The server is busy";
        /// The database, or another required part, does not answer.
        Unavailable = "SERVICE_UNAVAILABLE", Unavailable, "The service is not available right now";
        /// A fault of the server.
        Internal = "INTERNAL_ERROR", Internal, "Something went wrong on our side";
    } };
}

/// Every limit: its name, its default with its unit, whether an operator can change it, the code of the refusal and the sentence.
macro_rules! every_limit {
    ($callback:ident) => { $callback! {
        /// Organizations that one person owns. It is checked when the person creates another one.
        OrganizationsPerOwner = "organizations_per_owner", 50, Items, Yes, "LIMIT_REACHED", "A person owns at most {} organizations.";
        /// Members of an organization.
        MembersPerOrganization = "members_per_organization", 5_000, Items, Yes, "LIMIT_REACHED", "An organization has at most {} members.";
        /// Pending invitations of an organization, including expired ones.
        InvitationsPerOrganization = "invitations_per_organization", 1_000, Items, Yes, "LIMIT_REACHED", "An organization has at most {} pending invitations.";
        /// Projects of an organization, including archived ones.
        ProjectsPerOrganization = "projects_per_organization", 1_000, Items, Yes, "LIMIT_REACHED", "An organization has at most {} projects, archived ones among them.";
        /// Webhooks of an organization.
        WebhooksPerOrganization = "webhooks_per_organization", 20, Items, Yes, "LIMIT_REACHED", "An organization has at most {} webhooks.";
        /// Statuses of a project: one answer contains all of them.
        StatusesPerProject = "statuses_per_project", 50, Items, Yes, "LIMIT_REACHED", "A project has at most {} statuses.";
        /// Labels of a project.
        LabelsPerProject = "labels_per_project", 1_000, Items, Yes, "LIMIT_REACHED", "A project has at most {} labels.";
        /// Tasks that a project has ever had, since their numbers are not used again.
        TasksPerProject = "tasks_per_project", 1_000_000, Items, Yes, "LIMIT_REACHED", "A project gives at most {} numbers to tasks.";
        /// Tasks directly below a task.
        SubtasksPerTask = "subtasks_per_task", 1_000, Items, Yes, "LIMIT_REACHED", "A task has at most {} tasks directly below it.";
        /// Relations of a task, on either side.
        RelationsPerTask = "relations_per_task", 100, Items, Yes, "LIMIT_REACHED", "A task has at most {} relations.";
        /// Tasks that a task blocks, directly or through others: a new relation looks at all of them for a cycle.
        TasksBlocked = "tasks_blocked", 10_000, Items, Yes, "LIMIT_REACHED", "A task blocks at most {} others, directly or through others.";
        /// Comments on a task.
        CommentsPerTask = "comments_per_task", 5_000, Items, Yes, "LIMIT_REACHED", "A task has at most {} comments.";
        /// Labels on a task: the task's answer contains all of them.
        LabelsPerTask = "labels_per_task", 50, Items, Yes, "LIMIT_REACHED", "A task has at most {} labels.";
        /// The size of a page in bytes of JSON. A page that reaches it ends early, with a cursor.
        PageBytes = "page_bytes", 1_048_576, Bytes, Yes, "", "A page that shows {} bytes or more ends there and has a cursor; it shows at least one item.";
        /// Items on a page.
        PageItems = "page_items", 100, Items, No, "OUT_OF_RANGE", "A page has at most {} items.";
        /// The body of a request.
        BodyBytes = "body_bytes", 1_048_576, Bytes, No, "BODY_TOO_LARGE", "A body has at most {} bytes.";
        /// The nesting of a body.
        BodyDepth = "body_depth", 100, Levels, No, "MALFORMED_BODY", "A body is nested at most {} deep.";
        /// A task's description, or a comment's body, as compact JSON.
        DocumentBytes = "document_bytes", 262_144, Bytes, No, "TOO_LARGE", "A document has at most {} bytes.";
        /// The nesting of such a document.
        DocumentDepth = "document_depth", 64, Levels, No, "TOO_DEEP", "A document is nested at most {} deep.";
        /// The name of a person, an organization or a project.
        NameCharacters = "name_characters", 100, Characters, No, "TOO_LONG", "A name has at most {} characters.";
        /// The name of a status or a label.
        LabelNameCharacters = "label_name_characters", 50, Characters, No, "TOO_LONG", "The name of a status or label has at most {} characters.";
        /// A task's title.
        TitleCharacters = "title_characters", 500, Characters, No, "TOO_LONG", "A title has at most {} characters.";
        /// A project's description.
        DescriptionCharacters = "description_characters", 10_000, Characters, No, "TOO_LONG", "A project's description has at most {} characters.";
        /// A webhook's description.
        WebhookDescriptionCharacters = "webhook_description_characters", 200, Characters, No, "TOO_LONG", "A webhook's description has at most {} characters.";
        /// A password.
        PasswordCharacters = "password_characters", 128, Characters, No, "TOO_LONG", "A password has at most {} characters.";
        /// An e-mail address.
        EmailBytes = "email_bytes", 254, Bytes, No, "INVALID_EMAIL", "An e-mail address has at most {} bytes.";
        /// An organization's name in URLs.
        SlugCharacters = "slug_characters", 30, Characters, No, "INVALID_SLUG", "A slug has at most {} characters.";
        /// A project's key.
        KeyCharacters = "key_characters", 10, Characters, No, "INVALID_KEY", "A project's key has at most {} characters.";
        /// The URL of a picture.
        AvatarUrlBytes = "avatar_url_bytes", 2_048, Bytes, No, "INVALID_URL", "The address of a picture has at most {} bytes.";
        /// The URL of a webhook.
        WebhookUrlCharacters = "webhook_url_characters", 2_000, Characters, No, "TOO_LONG", "The address of a webhook has at most {} characters.";
        /// Names of events in one request for a webhook.
        EventsPerWebhook = "events_per_webhook", 50, Items, No, "TOO_MANY", "A webhook names at most {} events.";
        /// The text of a search.
        SearchCharacters = "search_characters", 200, Characters, No, "OUT_OF_RANGE", "A search is for at most {} characters.";
        /// Tasks that one request changes.
        TasksPerChange = "tasks_per_change", 100, Items, No, "OUT_OF_RANGE", "One request changes at most {} tasks.";
        /// Requests that wait for the hash of a password. Further requests are refused.
        HashesWaiting = "hashes_waiting", 64, Items, No, "OVERLOADED", "At most {} requests wait for a password's hash.";
        /// Those of one user. One more is being hashed.
        HashesWaitingPerUser = "hashes_waiting_per_user", 2, Items, Lifted, "OVERLOADED", "Of a user, at most {} requests wait for a password's hash.";
        /// Those without a user from one network: a quarter of all. One more is being hashed.
        HashesWaitingPerNetwork = "hashes_waiting_per_network", 16, Items, Lifted, "OVERLOADED", "From a network (an IPv4 /24, an IPv6 /64), at most {} requests without a user wait for a password's hash.";
        /// Requests with an access token, by user. Ten seconds' worth may come at once.
        RequestsPerUser = "requests_per_user", 50, Requests per 1, Lifted, "RATE_LIMITED", "A user makes at most {} requests a second on each server; those of ten seconds may come at once.";
        /// Requests in an organization. Ten seconds' worth may come at once.
        RequestsPerOrganization = "requests_per_organization", 500, Requests per 1, Lifted, "RATE_LIMITED", "In an organization at most {} requests a second are made on each server; those of ten seconds may come at once.";
        /// Requests of a user that run at a time. Three that take 5 ms are 600 a second, and three slow ones leave cores to others.
        RequestsAtOncePerUser = "requests_at_once_per_user", 3, Items, Lifted, "", "Of a user, {} requests are worked on at a time on each server; others wait.";
        /// Requests of a user that wait to run.
        RequestsWaitingPerUser = "requests_waiting_per_user", 64, Items, Lifted, "OVERLOADED", "Of a user, at most {} requests wait for their turn on each server.";
        /// Units of work of a party that wait for a connection to the database.
        DatabaseWaitingPerParty = "database_waiting_per_party", 128, Items, No, "OVERLOADED", "Of an organization or a person, at most {} requests wait for a connection to the database on each server.";
        /// Logins. Here and below, an IPv6 address counts as its /64.
        LoginsPerAddress = "logins_per_address", 30, Requests per 60, Lifted, "RATE_LIMITED", "From an address (IPv6: a /64), at most {} logins are tried a minute.";
        /// Registrations.
        RegistrationsPerAddress = "registrations_per_address", 30, Requests per 3_600, Lifted, "RATE_LIMITED", "From an address (IPv6: a /64), at most {} registrations are made an hour.";
        /// Requests for a link to set a new password.
        PasswordResetsPerAddress = "password_resets_per_address", 30, Requests per 3_600, Lifted, "RATE_LIMITED", "From an address (IPv6: a /64), a new password is asked for at most {} times an hour.";
        /// The same by the named account, whether it exists or not.
        PasswordResetsPerAccount = "password_resets_per_account", 5, Requests per 3_600, Lifted, "RATE_LIMITED", "For an account, a new password is asked for at most {} times an hour.";
        /// Uses of a link from a mail.
        MailedTokensPerAddress = "mailed_tokens_per_address", 60, Requests per 3_600, Lifted, "RATE_LIMITED", "From an address (IPv6: a /64), links of mails are used at most {} times an hour.";
        /// Changes of a password, including failed attempts.
        PasswordChangesPerUser = "password_changes_per_user", 20, Requests per 3_600, Lifted, "RATE_LIMITED", "A user changes the password, or tries to, at most {} times an hour.";
        /// Repeated mails that verify an address.
        VerificationsPerUser = "verifications_per_user", 5, Mails per 3_600, Lifted, "RATE_LIMITED", "The mail that verifies an address is sent again to a user at most {} times an hour.";
        /// Invitations that are created or sent again, by the inviting user.
        InvitationsPerUser = "invitations_per_user", 200, Requests per 3_600, Lifted, "RATE_LIMITED", "A user sends at most {} invitations an hour.";
        /// The same by organization.
        InvitationMailsPerOrganization = "invitation_mails_per_organization", 500, Mails per 86_400, Lifted, "RATE_LIMITED", "An organization sends at most {} invitations a day.";
        /// The same by organization and recipient. The limiter stores a hash of the recipient's address.
        InvitationMailsPerRecipientAndOrganization = "invitation_mails_per_recipient_and_organization", 3, Mails per 3_600, Lifted, "RATE_LIMITED", "An organization sends an e-mail address at most {} invitations an hour.";
        /// The same by recipient, from all organizations.
        InvitationMailsPerRecipient = "invitation_mails_per_recipient", 10, Mails per 86_400, Lifted, "RATE_LIMITED", "An e-mail address is sent at most {} invitations a day, by all organizations.";
        /// Repeated mails of one invitation.
        MailsPerInvitation = "mails_per_invitation", 3, Mails per 3_600, Lifted, "RATE_LIMITED", "An invitation is sent again at most {} times an hour.";
        /// Mails which say that an account already exists, under `verify_first`. Further mails are dropped without an error, since an
        /// error would reveal the account.
        AlreadyRegisteredMailsPerRecipient = "already_registered_mails_per_recipient", 3, Mails per 86_400, Lifted, "", "An e-mail address is told at most {} times a day that it has an account already.";
        /// Exports that run at a time. Each uses a file on the server.
        ExportsAtOnce = "exports_at_once", 16, Items, Yes, "OVERLOADED", "At most {} exports are taken at a time from each server.";
        /// Those of one organization.
        ExportsPerOrganization = "exports_per_organization", 1, Items, Yes, "OVERLOADED", "Of an organization, at most {} exports are taken at a time from each server.";
        /// Those of one person.
        ExportsPerUser = "exports_per_user", 2, Items, Yes, "OVERLOADED", "A person takes at most {} exports at a time from each server.";
        /// Those that read from the database at a time. Each holds a connection.
        ExportsReading = "exports_reading", 2, Items, Yes, "OVERLOADED", "At most {} exports read the database at a time on each server; others wait up to a minute.";
        /// The maximum duration of an export. For a longer one, use `workscribe export`.
        ExportSeconds = "export_seconds", 900, Seconds, Yes, "", "An export is broken off after {} seconds.";
        /// The maximum time in which a body arrives.
        BodySeconds = "body_seconds", 10, Seconds, No, "REQUEST_TIMEOUT", "A body arrives within {} seconds.";
        /// The maximum time in which a client reads nothing of an answer.
        UnreadSeconds = "unread_seconds", 30, Seconds, No, "", "A client that takes nothing of an answer for {} seconds is cut off.";
        /// Messages of an organization to one host, for all kinds of events. Further messages are postponed and arrive later.
        WebhookMessagesPerHost = "webhook_messages_per_host", 600, Messages per 60, Yes, "", "An organization sends at most {} messages a minute to one host from each worker; others are put off.";
        /// Pings and messages that members send again, of an organization to one host.
        WebhookMessagesByHand = "webhook_messages_by_hand", 10, Messages per 60, Lifted, "RATE_LIMITED", "An organization sends at most {} pings and repeats by hand a minute to one host.";
        /// Messages that are being sent to one host.
        WebhookPlacesPerHost = "webhook_places_per_host", 8, Items, Yes, "", "At most {} messages are on their way to one host from each worker; others are put off.";
        /// Those of one organization, so that a slow endpoint leaves places to other organizations.
        WebhookPlacesPerHostAndOrganization = "webhook_places_per_host_and_organization", 2, Items, Yes, "", "Of an organization, at most {} messages are on their way to one host from each worker; others are put off.";
        /// The share of the webhook queue that one organization may use.
        WebhookShareOfOrganization = "webhook_share_of_organization", 25, Percent, Yes, "", "An organization holds at most {} percent of a worker's places for webhooks.";
        /// The same for every other queue.
        JobShareOfOrganization = "job_share_of_organization", 50, Percent, Yes, "", "An organization holds at most {} percent of a worker's places in any other queue.";
    } };
}

/// Every event: its fields; under which project or task the history has its entries; what the `data` of its message to webhooks
/// says, in Markdown, and the data. `said(…)` is a thing as the API shows it. See [`crate::events`].
macro_rules! every_event {
    ($callback:ident) => { $callback! {
        /// An account was created.
        UserRegistered = "user.registered" { user: UserId };
        /// A refresh token was used a second time; its session was ended.
        RefreshTokenReused = "session.token_reused" { user: UserId, session: SessionId };
        /// A password was changed or reset.
        PasswordChanged = "user.password_changed" { user: UserId };
        /// An organization was created.
        OrganizationCreated = "organization.created" { organization: Organization, owner: UserId };
        /// An organization's name or slug was changed.
        OrganizationUpdated = "organization.updated" { organization: Organization };
        /// An organization was removed with everything that belongs to it.
        OrganizationDeleted = "organization.deleted" { org: OrgId, actor: UserId };
        /// A user became a member.
        MemberJoined = "member.joined" { org: OrgId, user: UserId, role: Role }
            webhooks "`member`: `user_id`, `role`" = json!({ "member": { "user_id": user, "role": role } });
        /// A member's role was changed.
        MemberRoleChanged = "member.role_changed" { org: OrgId, user: UserId, role: Role }
            webhooks "`member`: `user_id`, `role`" = json!({ "member": { "user_id": user, "role": role } });
        /// A member left or was removed.
        MemberRemoved = "member.removed" { org: OrgId, user: UserId }
            webhooks "`member`: `user_id`" = json!({ "member": { "user_id": user } });
        /// An address was invited.
        InvitationCreated = "invitation.created" { invitation: Invitation }
            webhooks "`invitation`: an `Invitation`" = json!({ "invitation": said(invitation) });
        /// An invitation was revoked.
        InvitationRevoked = "invitation.revoked" { org: OrgId, invitation: InvitationId }
            webhooks "`invitation`: `id`" = json!({ "invitation": { "id": invitation } });
        /// A project was created.
        ProjectCreated = "project.created" { project: Project } history of project
            webhooks "`project`: a `Project`" = json!({ "project": said(project) });
        /// A project was changed, archived or restored.
        ProjectUpdated = "project.updated" { project: Project } history of project
            webhooks "`project`: a `Project`" = json!({ "project": said(project) });
        /// A status was created. The statuses of a new project have no event of their own.
        StatusCreated = "status.created" { status: Status } history of status
            webhooks "`project_id`; `status`: a `Status`" = json!({ "project_id": status.project_id, "status": said(status) });
        /// A status was changed or moved. The positions of other statuses may change with it.
        StatusUpdated = "status.updated" { status: Status } history of status
            webhooks "`project_id`; `status`: a `Status`" = json!({ "project_id": status.project_id, "status": said(status) });
        /// A status was removed. There is no event for each of its tasks: a status may have all tasks of a project.
        StatusDeleted = "status.deleted" { status: Status, moved_to: Option<StatusId> } history of status
            webhooks "`project_id`; `status`: a `Status`; `moved_to`: the id of the status that its tasks have now, null if it had none"
            = json!({ "project_id": status.project_id, "status": said(status), "moved_to": moved_to });
        /// A label was created.
        LabelCreated = "label.created" { label: Label } history of label
            webhooks "`project_id`; `label`: a `Label`" = json!({ "project_id": label.project_id, "label": said(label) });
        /// A label was changed.
        LabelUpdated = "label.updated" { label: Label } history of label
            webhooks "`project_id`; `label`: a `Label`" = json!({ "project_id": label.project_id, "label": said(label) });
        /// A label was removed, also from its tasks. There is no event for each task.
        LabelDeleted = "label.deleted" { label: Label } history of label
            webhooks "`project_id`; `label`: a `Label`" = json!({ "project_id": label.project_id, "label": said(label) });
        /// A task was created.
        TaskCreated = "task.created" { task: Task } history of task
            webhooks "`task`: a `TaskSummary`" = json!({ "task": said(task) });
        /// Fields or labels of a task were changed. This includes changes because its parent was removed or its assignee left.
        TaskUpdated = "task.updated" { before: Box<Task>, after: Box<Task> } history of after
            webhooks "`task`: a `TaskSummary`; `changed`: the names of the fields that were changed"
            = json!({ "task": said(after.as_ref()), "changed": changed(before, after) });
        /// A task was removed.
        TaskDeleted = "task.deleted" { task: Task } history of task
            webhooks "`task`: a `TaskSummary`" = json!({ "task": said(task) });
        /// Two tasks were related. The task is the one from whose side it happened.
        RelationCreated = "relation.created" { task: Task, relation: crate::work::Relation } history of task
            webhooks "`relation`: `id`, `kind`, `source_id`, `target_id`, `created_at`; `task`: `id`, `task_id`, `project_id`, `title`"
            = json!({ "relation": relation, "task": brief(task) });
        /// A relation was removed. There is no event when it goes with one of its tasks.
        RelationDeleted = "relation.deleted" { task: Task, relation: crate::work::Relation } history of task
            webhooks "`relation`: `id`, `kind`, `source_id`, `target_id`, `created_at`; `task`: `id`, `task_id`, `project_id`, `title`"
            = json!({ "relation": relation, "task": brief(task) });
        /// A comment was created.
        CommentCreated = "comment.created" { task: Task, comment: Comment } history of task
            webhooks "`comment`: a `Comment`; `task`: `id`, `task_id`, `project_id`, `title`"
            = json!({ "comment": said(comment), "task": brief(task) });
        /// A comment was changed.
        CommentUpdated = "comment.updated" { task: Task, comment: Comment } history of task
            webhooks "`comment`: a `Comment`; `task`: `id`, `task_id`, `project_id`, `title`"
            = json!({ "comment": said(comment), "task": brief(task) });
        /// A comment was removed.
        CommentDeleted = "comment.deleted" { task: Task, comment: Comment } history of task
            webhooks "`comment`: a `Comment`; `task`: `id`, `task_id`, `project_id`, `title`"
            = json!({ "comment": said(comment), "task": brief(task) });
    } };
}
