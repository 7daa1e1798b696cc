//! What every adapter has to keep: one case a sentence, run on each of them.
//!
//! | macro | for |
//! |---|---|
//! | [`conformance!`](crate::conformance!) | a [`Storage`](workscribe_core::Storage): every case but those of limiters |
//! | [`token_store_conformance!`](crate::token_store_conformance!) | a storage whose `tokens()` is of another kind than the rest |
//! | [`rate_limiter_conformance!`](crate::rate_limiter_conformance!) | a [`RateLimiter`](workscribe_core::ports::RateLimiter) |
//!
//! Each case gets what the factory makes, which must be empty, and panics where the adapter does otherwise.
//!
//! # How to add a case
//!
//! 1. A `pub async fn` in the file of its area. Its name is a sentence that says what holds, so it has no comment.
//! 2. Its name in the list below. A test of this module fails until it is there.
//!
//! Times come from `at(seconds)`; what a case needs comes from `fixtures.rs`; `commit!`, `attempt!` and `read!` run one
//! statement in a unit of its own. After an error drop the unit: on some databases it takes no more statements.
//! Between writing and reading tokens commit: a token store may write at the commit alone.
#![expect(missing_docs, reason = "the name of a case is the sentence that says what it checks")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a case panics where an adapter does otherwise than it must"
)]

pub mod activity;
pub mod attempts;
pub mod board;
pub mod bounces;
pub mod comments;
pub mod digests;
mod fixtures;
pub mod idempotency;
pub mod invitations;
pub mod isolation;
pub mod job_records;
pub mod jobs;
pub mod labels;
pub mod limiter;
pub mod members;
pub mod notifications;
pub mod one_time;
pub mod organizations;
pub mod projects;
pub mod races;
pub mod rotation;
pub mod search;
pub mod sessions;
pub mod statuses;
pub mod task_lists;
pub mod tasks;
pub mod transfer;
pub mod units;
pub mod users;
pub mod webhooks;

/// What nearly every file of cases names.
mod prelude {
    pub(super) use std::collections::BTreeSet;
    pub(super) use std::sync::Arc;
    pub(super) use std::sync::atomic::{AtomicUsize, Ordering};
    pub(super) use std::time::Duration;

    pub(super) use workscribe_core::clock::{Clock, Timestamp};
    pub(super) use workscribe_core::id::{InvitationId, JobId, LabelId, ProjectId, StatusId, TaskId, UserId};
    pub(super) use workscribe_core::idempotency::{Claim, IdempotencyKey, StoredAnswer};
    pub(super) use workscribe_core::identity::{
        Client, Email, NewUser, OneTimeToken, ProfileChange, Purpose, Rotated, Rotation, Session, TokenHash,
        User,
    };
    pub(super) use workscribe_core::outbox::{ClaimedJob, NewJob};
    pub(super) use workscribe_core::page::{Cursor, PageRequest};
    pub(super) use workscribe_core::search::{SearchKind, SearchQuery, Words};
    pub(super) use workscribe_core::tenancy::{
        Invitation, InvitationPass, InvitationStatus, Member, OrgScope, Organization, OrganizationChange,
        Role, RoleTable, Slug,
    };
    pub(super) use workscribe_core::{Storage, WorkScribe};

    pub(super) use crate::clock::FrozenClock;
}

/// Runs every case of storages, one test each, in a module of this name.
///
/// The factory is an async function, or a closure that gives a future, without arguments. It answers an empty
/// `Arc<dyn Storage>` and a value that is kept until the case has ended, such as a guard that drops the database.
/// The crate that uses it needs `tokio` with `macros` and `rt-multi-thread`.
#[macro_export]
macro_rules! conformance {
    ($module:ident, $factory:expr) => {
        mod $module {
            $crate::__storage_cases! { $factory }
            $crate::__token_cases! { $factory }
        }
    };
}

/// Runs the cases that concern the token store alone, on a storage whose `tokens()` is of another kind than the rest.
/// The factory is as for [`conformance!`](crate::conformance!).
#[macro_export]
macro_rules! token_store_conformance {
    ($module:ident, $factory:expr) => {
        mod $module {
            $crate::__token_cases! { $factory }
        }
    };
}

/// Runs every case of limiters. The factory answers an `Arc<dyn RateLimiter>` and a value that is kept until the case
/// has ended.
#[macro_export]
macro_rules! rate_limiter_conformance {
    ($module:ident, $factory:expr) => {
        mod $module {
            $crate::__limiter_cases! { $factory }
        }
    };
}

/// Makes a module for each area and a test for each case. The factory is named from two modules further out.
#[doc(hidden)]
#[macro_export]
macro_rules! __cases {
    ($factory:expr; $($area:ident, $tests:ident: $($case:ident)+;)+) => {$(
        mod $tests {
            use super::super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
                async fn $case() {
                    let (subject, _guard) = ($factory)().await;
                    $crate::conformance::$area::$case(subject).await;
                }
            )+
        }
    )+};
}

/// The list of the cases of storages, but for those of the token store.
#[doc(hidden)]
#[macro_export]
macro_rules! __storage_cases {
    ($factory:expr) => {
        $crate::__cases! {
            $factory;
            users, users:
                a_user_is_found_as_they_were_stored
                a_user_without_a_password_has_no_hash
                nobody_is_found_under_an_unknown_id_or_address
                changes_of_an_unknown_user_find_nobody
                an_address_belongs_to_one_user
                an_id_belongs_to_one_user
                a_profile_change_leaves_alone_what_it_does_not_name
                a_profile_change_of_another_version_is_stale
                a_new_password_begins_a_new_session_epoch
                a_rehash_keeps_the_epoch_and_needs_the_old_hash
                an_address_is_verified_only_if_it_still_is_the_users
                disabling_begins_a_new_epoch_and_enabling_does_not_bring_the_old_one_back
                stored_times_keep_their_microseconds
            ;
            attempts, attempts:
                failures_are_counted_by_account
                failures_from_before_the_time_to_forget_do_not_count
                a_block_lasts_until_its_end
                clearing_forgets_failures_and_blocks_of_an_account_from_anywhere
                a_login_forgets_the_failures_of_its_network_alone
                what_an_account_waits_for_spares_networks_that_logged_in_lately
                a_sweep_removes_forgotten_failures_only
            ;
            bounces, bounces:
                a_bounce_is_found_as_it_was_noted
                a_later_bounce_takes_the_place_of_the_earlier
                an_address_is_forgotten_and_no_other
                a_sweep_forgets_what_was_noted_before_a_time
                of_twenty_bounces_noted_at_once_one_stays
                an_account_shows_whether_its_address_refuses_mail
                the_list_of_invitations_shows_whose_address_refuses_mail
            ;
            organizations, organizations:
                an_organization_is_found_by_its_first_owner_as_it_was_stored
                the_door_is_shut_to_outsiders_and_former_members
                a_slug_belongs_to_one_organization
                an_organization_needs_an_owner_who_is_there
                organizations_are_listed_by_age_page_by_page
                the_list_shows_ones_role_in_each_organization
                an_organization_changes_in_what_is_named_only
                a_change_or_removal_of_another_version_is_stale
                an_organization_goes_with_all_that_belongs_to_it
                what_is_gone_is_neither_changed_nor_removed_nor_stale
                the_lock_is_held_until_the_end_of_the_transaction
                a_vacated_organization_is_nobodys_and_goes_in_portions
                an_organization_is_large_by_the_bytes_of_its_texts_too
            ;
            members, members:
                a_member_joins_as_what_the_invitation_says
                a_member_shows_the_users_profile_as_it_is_now
                an_outsider_is_no_member
                a_user_joins_an_organization_once
                nobody_cannot_join
                members_are_listed_by_time_of_joining_page_by_page
                those_who_join_and_leave_between_pages_shift_nobody
                a_role_changes_with_its_version
                a_member_is_removed_with_the_expected_version
                owners_are_counted_apart
                those_of_many_users_who_are_members_are_told_apart
                a_member_who_is_held_stays_until_the_end_of_the_transaction
            ;
            invitations, invitations:
                an_invitation_is_found_as_it_was_stored
                the_bearer_of_a_token_sees_the_organization_and_the_inviter
                an_invitation_ends_with_the_right_of_its_maker
                a_second_invitation_to_an_address_takes_the_place_of_the_pending_one
                accepted_and_revoked_invitations_stay_beside_a_new_one
                two_organizations_invite_one_address_independently
                invitations_are_listed_newest_first_page_by_page
                newer_invitations_between_pages_shift_none
                a_renewed_invitation_has_a_new_token_and_time
                an_expired_invitation_can_be_renewed_and_replaced
                a_revoked_invitation_is_not_pending_any_more
                an_invitation_is_accepted_once
                the_pass_of_a_replaced_invitation_has_ended
                an_invitation_comes_from_somebody_who_is_there
                what_came_to_nothing_is_swept_some_time_after_its_end
            ;
            transfer, transfer:
                rows_come_back_page_by_page_as_they_were_restored
                a_page_has_the_rows_of_one_organization_alone
                a_restored_row_has_an_id_of_its_own_and_what_it_refers_to
                a_task_that_is_adopted_is_a_part_and_is_not_counted_again
                a_restored_membership_takes_the_place_of_the_persons
                a_snapshot_sees_nothing_that_is_committed_after_its_first_statement
            ;
            projects, projects:
                a_project_is_found_as_it_was_stored
                the_door_to_a_project_is_shut_to_outsiders_and_former_members
                a_key_belongs_to_one_project_of_an_organization
                a_project_comes_with_its_statuses_or_not_at_all
                a_project_is_made_by_somebody_who_is_there
                projects_are_listed_by_age_page_by_page
                a_project_changes_in_what_is_named_only
                a_change_of_a_project_of_another_version_is_stale
                a_projects_lock_is_held_until_the_end_of_the_transaction
                the_last_position_of_a_project_moves_on
                of_twenty_projects_with_one_key_one_is_added
            ;
            statuses, statuses:
                a_status_is_found_as_it_was_stored
                statuses_stand_by_their_position_and_then_by_their_id
                a_status_name_is_taken_whatever_its_case
                a_status_belongs_to_a_project_that_is_there
                a_status_changes_in_what_is_named_only
                a_change_or_removal_of_a_status_of_another_version_is_stale
                statuses_are_numbered_in_the_order_given_and_keep_their_versions
                a_status_in_which_a_task_stands_stays
                of_twenty_statuses_with_one_name_one_is_added
            ;
            labels, labels:
                a_label_is_found_as_it_was_stored
                a_label_name_is_taken_whatever_its_case
                labels_are_listed_by_age_page_by_page
                many_labels_are_found_at_once_by_name
                a_label_changes_in_what_is_named_only
                a_change_or_removal_of_a_label_of_another_version_is_stale
                labels_are_put_on_a_task_and_taken_off
                a_label_goes_from_its_tasks_and_shows_there_as_it_is_now
                a_label_or_task_that_is_gone_is_not_put_together
                labels_may_be_put_on_a_task_before_it_is_stored
                of_twenty_labels_with_one_name_one_is_added
            ;
            tasks, tasks:
                a_task_is_found_as_it_was_stored
                no_task_is_found_under_another_id_or_number
                the_door_to_a_task_is_shut_to_outsiders_and_former_members
                tasks_are_numbered_from_one_in_each_project
                a_hundred_tasks_at_once_are_numbered_without_gaps
                a_task_that_is_rolled_back_leaves_its_number_to_the_next
                an_archived_or_missing_project_takes_no_tasks
                a_task_refers_to_what_is_there
                a_whole_counts_its_parts_as_they_come_change_and_go
                a_task_changes_in_all_its_fields
                a_change_or_removal_of_a_task_of_another_version_is_stale
                a_document_comes_back_as_it_was
                a_task_is_added_where_there_is_room_alone
                a_task_counts_its_parts_and_comments
                a_task_goes_with_its_comments_its_labels_and_what_is_found_of_it
                a_task_that_has_parts_stays
                locked_tasks_come_in_the_order_of_their_ids_without_those_that_are_gone
                a_tasks_lock_is_held_until_the_end_of_the_transaction
                the_parts_of_a_task_are_those_right_below_it
                a_persons_open_tasks_are_listed_by_id
                of_twenty_changes_of_one_version_of_a_task_one_succeeds
                what_is_done_to_a_task_while_it_is_removed_is_done_or_finds_it_gone
            ;
            task_lists, task_lists:
                every_sort_shows_every_task_once_page_by_page
                tasks_without_a_due_date_come_last_and_first_when_falling
                a_list_shows_tasks_in_full_but_for_their_descriptions
                every_filter_and_every_two_show_and_count_what_fits_them
                a_filter_by_what_is_not_there_shows_nothing
                a_list_by_words_looks_at_tasks_and_not_at_their_comments
                tasks_added_between_pages_shift_none
            ;
            board, board:
                a_place_in_a_column_is_found_by_its_index
                the_places_before_and_from_a_place_are_the_nearest_first
                a_lifted_task_comes_with_the_places_around_a_landmark
                tasks_are_given_new_positions_and_nothing_else
                many_tasks_are_placed_at_once
                a_column_moves_behind_another_in_its_order
                the_tasks_of_a_column_are_listed_by_id
                sixteen_moving_tasks_under_the_projects_lock_lose_none
            ;
            comments, comments:
                a_comment_is_found_as_it_was_stored
                a_comment_is_on_a_task_and_by_somebody_who_are_there
                comments_are_listed_by_age_page_by_page
                a_changed_comment_says_so
                a_change_or_removal_of_a_comment_of_another_version_is_stale
            ;
            activity, activity:
                a_line_is_found_as_it_was_stored_with_who_did_it
                every_action_is_kept
                lines_are_listed_newest_first_page_by_page_of_one_task_or_of_all
                a_line_with_the_id_of_another_is_refused_with_all_that_came_with_it
                hundreds_of_lines_are_added_at_once
            ;
            notifications, notifications:
                a_notification_is_found_as_it_was_stored_with_who_caused_it
                notifications_are_listed_newest_first_page_by_page
                a_person_marks_their_own_as_read_and_as_not
                all_that_fit_a_filter_are_marked_as_read
                a_former_member_has_none_of_the_organization
                a_notification_goes_to_somebody_who_is_there
                hundreds_of_notifications_are_added_at_once
                every_kind_comes_by_mail_until_it_is_turned_off
                a_sweep_removes_notifications_from_before_a_time
            ;
            digests, digests:
                a_person_has_one_open_digest
                a_digest_that_is_rolled_back_is_not_open
                of_twenty_digests_opened_at_once_one_is
                a_digest_says_what_waits_for_a_mail_oldest_first
                a_closed_digest_says_the_same_again_and_leaves_the_rest_to_the_next
                what_was_read_before_a_digest_closed_is_not_in_it_or_any_later_one
                a_digest_says_nothing_of_organizations_that_its_reader_left
                a_digest_that_was_sent_says_the_same_again_and_the_next_nothing_of_it
                what_is_added_under_an_open_digest_is_in_it_whoever_closes_it_meanwhile
                a_digest_is_somebodys_who_is_there
            ;
            search, search:
                projects_tasks_and_comments_are_found_as_what_they_are
                what_is_found_has_all_of_the_words_and_the_last_may_go_on
                nothing_in_a_query_is_a_sign_of_a_query_language
                case_and_accents_do_not_matter
                chinese_and_japanese_are_found_by_their_characters
                words_in_the_title_weigh_more_and_then_the_newest_comes_first
                a_document_put_again_takes_the_place_of_the_earlier
                many_documents_are_put_at_once_each_in_place_of_an_earlier
                a_document_that_is_removed_is_not_found
                a_document_may_be_put_before_its_task_and_not_without_it
                an_organization_finds_its_own_alone
                a_long_text_is_found_by_its_last_word
                a_word_that_is_everywhere_is_found_like_another
            ;
            isolation, isolation:
                a_scope_neither_sees_nor_changes_another_organizations_rows
                an_invitation_that_names_another_organization_does_not_reach_it
                a_removal_leaves_the_other_organization_whole
                a_pass_leads_into_its_own_organization_only
                a_scope_neither_sees_nor_changes_another_organizations_work
                work_of_one_organization_refers_to_none_of_another
                an_organizations_work_goes_with_it_and_no_other
            ;
            jobs, jobs:
                a_job_is_claimed_as_it_was_enqueued
                a_payload_of_a_megabyte_comes_back_whole
                the_numbers_of_a_payload_come_back_as_they_were
                an_id_belongs_to_one_job
                a_job_is_not_claimed_before_its_time
                only_the_kinds_asked_for_are_claimed
                jobs_are_claimed_in_the_order_of_their_time_and_id
                a_job_whose_lease_ran_out_goes_to_another_worker
                a_lease_that_ran_out_may_still_be_kept_if_nobody_took_the_job
                a_finished_job_hears_no_further_word
                a_job_that_is_not_claimed_hears_no_word
                a_job_given_back_is_claimed_again_at_its_new_time
                a_job_given_back_takes_its_place_by_its_new_time
                the_next_due_time_is_that_of_the_kinds_asked_for
                a_sweep_removes_finished_jobs_of_before_the_given_times
                a_sweep_of_jobs_ends_where_those_before_have_the_bytes_of_a_portion
                a_claim_that_is_rolled_back_leaves_the_job_to_others
                eight_workers_claim_each_of_two_hundred_jobs_once
                many_jobs_are_enqueued_at_once_and_answered_for_in_order
                a_unique_key_keeps_others_out_until_the_job_has_ended
                a_unique_key_lets_go_when_it_is_said_to
                a_hundred_jobs_of_one_key_at_once_are_one
                jobs_of_a_higher_priority_come_first_and_queues_stand_apart
                nothing_is_claimed_from_a_queue_that_is_paused
                claims_go_from_organization_to_organization
                who_has_the_most_jobs_waiting_is_told
                whoever_is_passed_over_gets_nothing_and_nobody_more_than_they_may
                jobs_that_come_due_take_part_in_the_turns
                a_job_that_is_put_off_loses_no_attempt
                many_leases_are_extended_and_many_words_taken_at_once
                a_slot_of_a_schedule_is_taken_once
            ;
            job_records, job_records:
                an_operator_sees_all_of_a_job
                jobs_are_listed_from_the_newest_by_state_kind_and_queue
                a_waiting_job_is_cancelled_at_once_and_a_running_one_is_asked
                a_job_that_has_ended_runs_again_when_an_operator_says_so
                jobs_are_counted_by_queue_kind_and_state
                queues_are_those_with_a_job_and_those_that_are_paused
            ;
            webhooks, webhooks:
                a_webhook_is_found_as_it_was_stored_and_by_its_organization_alone
                webhooks_are_listed_by_age_page_by_page
                a_webhook_is_written_as_it_is_given_but_for_what_a_worker_notes
                those_that_are_on_listen
                deliveries_are_listed_newest_first_by_status_without_their_payloads
                a_delivery_is_found_with_its_payload_by_its_webhook
                a_worker_enters_a_delivery_with_its_webhook_and_organization
                attempts_are_noted_in_order_and_once
                a_webhook_is_turned_off_once_and_not_when_it_took_a_message_meanwhile
                a_removed_webhook_takes_its_deliveries_with_it
                a_removed_webhook_takes_a_long_log_with_it
                messages_go_after_their_deliveries_in_portions_of_so_many_bytes
                an_organization_takes_its_webhooks_with_it
                old_deliveries_are_swept_oldest_first_up_to_a_limit
                secrets_under_another_key_are_found_and_sealed_anew_unless_they_changed
            ;
            idempotency, idempotency:
                a_key_is_claimed_once_and_then_shows_its_answer
                an_answer_may_be_empty_or_large
                an_answer_comes_back_with_whatever_a_document_may_hold
                a_key_is_told_apart_by_its_scope
                another_request_sees_the_fingerprint_of_the_first
                a_claim_of_a_dead_process_is_taken_over
                an_expired_key_is_free_again
                a_released_key_is_free_again
                a_sweep_removes_expired_keys_only
                a_sweep_of_answers_ends_where_those_before_have_the_bytes_of_a_portion
                an_answer_that_is_rolled_back_leaves_the_claim
                a_claim_is_answered_once
                of_many_claims_at_once_one_is_fresh
            ;
            units, units:
                a_storage_that_is_well_is_ready
                a_job_goes_with_a_rollback_and_comes_with_the_commit
                a_unit_knows_whether_a_job_was_enqueued
                one_transaction_spans_every_store
                what_is_not_committed_is_seen_by_no_other_unit
                a_unit_for_reading_sees_what_is_committed_when_a_statement_runs
                a_dropped_unit_leaves_its_locks_behind
                a_unit_that_broke_a_rule_leaves_nothing
                a_unit_that_did_nothing_commits
                a_sweep_of_the_application_removes_what_has_ended
            ;
            races, races:
                of_fifty_users_with_one_address_one_is_added
                of_fifty_organizations_with_one_slug_one_is_added
                of_twenty_renamings_to_one_slug_one_succeeds
                of_twenty_changes_of_one_version_one_succeeds
                every_failure_of_many_at_once_is_counted
                of_twenty_joins_of_one_user_one_succeeds
                an_invitation_accepted_by_twenty_at_once_lets_one_in
                thirty_invitations_of_one_address_at_once_leave_one_pending
                the_last_owner_stays_whatever_two_owners_do_at_once
            ;
            sessions, sessions_kept_by_the_storage:
                a_sweep_removes_expired_sessions_and_tokens_and_counts_them
                a_session_or_token_of_nobody_is_refused
            ;
        }
    };
}

/// The list of the cases of the token store.
#[doc(hidden)]
#[macro_export]
macro_rules! __token_cases {
    ($factory:expr) => {
        $crate::__cases! {
            $factory;
            sessions, sessions:
                a_session_is_found_as_it_was_stored
                a_session_comes_with_its_user_as_they_are_now
                an_unknown_session_is_not_found
                a_session_ends_at_the_very_moment_it_expires
                the_sessions_of_a_user_are_listed_newest_first
                no_more_than_the_100_newest_sessions_are_listed
                a_session_moves_into_a_new_epoch
                a_user_ends_their_own_sessions_only
                all_sessions_of_a_user_end_but_the_one_to_keep
                an_ended_session_cannot_be_refreshed
                what_a_dropped_unit_did_to_sessions_and_tokens_did_not_happen
                a_sweep_leaves_live_sessions_and_tokens
            ;
            rotation, rotation:
                a_live_token_is_swapped_for_its_successor
                a_chain_of_swaps_keeps_one_session_alive
                a_token_repeated_within_the_grace_gets_the_same_successor
                the_grace_ends_at_its_very_end_and_repeats_do_not_prolong_it
                a_used_successor_ends_the_grace_of_the_token_before_it
                a_repeat_that_names_another_successor_is_refused
                an_unknown_token_or_session_swaps_nothing
                an_expired_session_is_not_swapped_back_to_life
                a_token_that_follows_itself_stays_good
                a_hundred_uses_of_one_token_at_once_leave_one_live_branch
                of_many_successors_offered_at_once_one_is_taken
                a_hundred_refreshes_at_once_through_the_service_give_one_token
            ;
            one_time, one_time:
                a_token_is_found_as_it_was_stored_and_taken_once
                a_token_is_good_for_its_own_purpose_only
                a_token_ends_at_the_very_moment_it_expires
                a_token_put_again_is_left_as_it_is
                a_token_that_was_taken_or_removed_does_not_come_back
                a_users_tokens_of_one_purpose_are_removed_and_no_others
                of_a_hundred_takers_at_once_one_gets_the_token
            ;
        }
    };
}

/// The list of the cases of limiters.
#[doc(hidden)]
#[macro_export]
macro_rules! __limiter_cases {
    ($factory:expr) => {
        $crate::__cases! {
            $factory;
            limiter, limiter:
                the_limit_is_free_at_once_and_then_refused_with_a_time_to_wait
                after_the_time_to_wait_the_next_may_go_on
                after_the_window_the_whole_limit_is_free_again
                keys_and_rules_are_limited_apart
                a_clock_that_goes_back_gives_nothing_away
                of_a_hundred_at_once_the_limit_goes_through
            ;
        }
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_case_is_in_the_list() {
        // Whatever files there are: a list of them would forget one.
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/src/conformance");
        let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
        let sources: Vec<String> = files.map(|file| std::fs::read_to_string(file).unwrap()).collect();
        assert!(sources.len() > 25, "they are read: {}", sources.len());
        let list: Vec<&str> =
            include_str!("mod.rs").split(|c: char| !c.is_alphanumeric() && c != '_').collect();
        let cases = sources
            .iter()
            .flat_map(|source| source.split("\npub async fn ").skip(1))
            .filter_map(|rest| rest.split('(').next());
        let missing: Vec<&str> = cases.filter(|case| !list.contains(case)).collect();
        assert!(missing.is_empty(), "add to the list: {missing:?}");
    }
}
