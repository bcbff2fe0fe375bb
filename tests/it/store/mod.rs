//! The conformance suites of the two store ports: the same cases over every adapter.
//!
//! A case takes a [`World`] and knows only the port. `conformance!` makes one test of each case for an adapter; another
//! adapter adds one line. What only one adapter promises (file modes, crashes) stands in a file of its own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod access;
mod aliases;
mod approvals;
mod calls;
mod delivery;
mod keys;
mod log;
mod messages;
mod modes;
mod outreach;
mod policies;
mod rights;
mod routes;
mod scratch;
mod sqlite;
mod suppressions;
mod tokens;
mod verifications;
mod webhooks;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bauta::clock::{Clock, ManualClock, Timestamp};
use bauta::event::{Actor, Event, Mode, What};
use bauta::ids::{TenantId, fresh};
use bauta::store::{BlindIndex, Change, Committed, Conflict, Store, StoreError, TenantRow, Write};

/// Opens an adapter on what the folder holds.
pub type Open = fn(&Path, Arc<ManualClock>) -> Arc<dyn Store>;

/// An adapter with a clock that tests move.
pub struct World {
    pub open: Open,
    pub folder: tempfile::TempDir,
    pub clock: Arc<ManualClock>,
    pub store: Arc<dyn Store>,
}

impl World {
    pub fn new(open: Open) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::starting_at(Timestamp::from_millis(1_795_000_000_000)));
        let store = open(folder.path(), Arc::clone(&clock));
        Self { open, folder, clock, store }
    }

    /// A second instance on the same data, as another process would have it.
    pub fn another(&self) -> Arc<dyn Store> {
        (self.open)(self.folder.path(), Arc::clone(&self.clock))
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn pass(&self, secs: u64) {
        self.clock.advance(Duration::from_secs(secs));
    }

    pub fn event(&self, tenant: Option<TenantId>, what: What) -> Event {
        Event { at: self.now(), tenant, actor: Actor::Worker, policy: None, what }
    }

    /// A change that tells of something harmless.
    pub fn telling(&self) -> Change {
        Change::telling(self.event(None, What::AuditRead { entries: 1 }))
    }

    pub async fn write(&self, write: Write) -> Result<Committed, StoreError> {
        self.store.commit(self.telling().with(write)).await
    }

    /// Asserts that the write is refused for this reason.
    #[track_caller]
    pub fn refused(result: Result<Committed, StoreError>, why: Conflict) {
        match result {
            Err(StoreError::Conflict(conflict)) if conflict == why => {}
            other => panic!("not refused with {why:?}: {other:?}"),
        }
    }

    pub async fn tenant(&self) -> TenantId {
        let row = self.tenant_row();
        let id = row.id;
        self.write(Write::Tenant(row)).await.unwrap();
        id
    }

    pub fn tenant_row(&self) -> TenantRow {
        let id = fresh();
        TenantRow { id, name: format!("Shop {id}"), mode: Mode::Test, region: None, created_at: self.now() }
    }
}

/// The index of the `n`-th person.
pub fn person(n: u64) -> BlindIndex {
    let mut index = [0xA5; 16];
    index[..8].copy_from_slice(&n.to_be_bytes());
    BlindIndex(index)
}

macro_rules! conformance {
    ($adapter:ident, $open:expr; $($subject:ident: $($case:ident),+ $(,)?);+ $(;)?) => {
        mod $adapter {
            $(mod $subject {
                $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    crate::store::$subject::$case(crate::store::World::new($open)).await;
                })+
            })+
        }
    };
}

conformance! { over_sqlite, crate::store::sqlite::open;
    access:
        the_directory_moves_with_whatever_decides_who_a_caller_is,
        names_and_ids_are_given_once,
        an_ended_credential_keeps_the_earlier_end,
        a_key_version_is_made_once;
    policies:
        the_first_policies_are_adopted_once,
        a_proposal_comes_into_force_over_its_base_alone,
        racing_activations_put_one_into_force,
        proposals_are_withdrawn_and_bounded,
        versions_are_listed_last_proposed_first;
    routes:
        a_set_comes_into_force_over_the_version_before_and_is_each_tenants_own,
        of_several_who_close_or_open_a_way_one_does,
        a_claim_takes_no_more_of_a_lane_than_there_is_room_for;
    approvals:
        an_approval_is_kept_whole_and_found_by_its_tenant_alone,
        of_racing_uses_of_one_approval_one_has_its_effect,
        an_approval_is_decided_once_and_in_time,
        an_approval_is_not_used_while_one_of_the_two_is_out_of_office,
        what_lapsed_is_found_and_ended_once,
        approvals_are_listed_newest_first_by_filter,
        a_budget_is_never_passed_by_spenders_at_once,
        a_reservation_takes_what_is_left_and_a_day_starts_anew,
        an_exhausted_budget_is_told_once_a_day,
        budgets_outlive_an_end_without_notice;
    keys:
        every_change_of_keys_moves_their_version_for_every_process,
        a_key_is_rewrapped_from_what_stands_and_retired_once,
        a_kek_stays_doomed_until_it_is_destroyed,
        uses_add_up_over_processes_and_go_with_their_key,
        a_pass_is_found_again_where_it_was_left,
        a_look_finds_what_older_versions_of_the_tenants_asked_for_sealed_and_nothing_else,
        a_ciphertext_that_changed_meanwhile_is_not_written_over;
    tokens:
        one_canonical_record_stands_for_a_number,
        records_are_seen_by_their_tenant_alone,
        a_lookalikes_place_is_one_records_for_good,
        sixty_four_racing_tokenizers_make_one_record,
        numbers_are_held_by_the_records_that_stand_for_them,
        sixty_four_holders_of_one_number_get_one_record,
        record_ids_are_never_given_twice_and_grow_with_time;
    verifications:
        a_thousand_racing_guesses_spend_exactly_five_attempts,
        attempts_and_sends_need_a_pending_unexpired_verification,
        an_ending_forgets_the_salt_and_happens_once,
        a_lapsed_verification_is_never_approved,
        one_undertaking_has_one_pending_verification,
        failures_are_counted_by_day;
    aliases:
        pools_are_seen_by_owner_and_sharers_of_its_mode,
        a_number_is_in_one_pool,
        binders_at_once_never_share_a_place,
        a_star_shares_its_number_with_nobody,
        a_pair_place_cools_for_others_but_not_for_the_same_counterpart,
        a_star_number_rests_for_others_but_comes_back_to_its_person,
        a_refused_alias_leaves_nothing,
        allocation_minds_region_draining_and_wish,
        the_exact_leg_goes_before_anyone_and_lapsed_ones_carry_nothing,
        extending_and_ending_need_an_active_alias,
        aliases_are_listed_newest_first_by_filter;
    modes:
        extensions_share_a_number_with_each_other_and_nobody_else,
        an_extension_is_nobody_elses_for_long_and_its_number_stays_one_of_extensions,
        a_number_of_old_extensions_is_free_once_nobody_writes_to_them,
        a_session_is_the_callers_last_and_ends_by_itself,
        an_alias_on_two_numbers_stands_on_both_or_on_none,
        a_team_is_kept_whole_and_has_its_place_back_alone,
        other_people_come_in_whole_or_not_at_all,
        callers_stay_in_their_sessions_when_another_answers,
        forgetting_a_person_finds_them_in_teams_and_on_second_numbers,
        a_person_moves_in_a_team_and_on_a_second_number,
        a_number_set_aside_is_given_to_nobody_until_it_is_taken_back,
        a_pool_runs_low_once_and_fills_again,
        the_same_people_get_their_number_back_and_the_emptiest_is_found,
        numbers_of_one_pool_are_of_few_kinds;
    messages:
        history_is_newest_first_and_the_tenants_own,
        a_message_is_assembled_once,
        parts_are_stale_by_their_newest,
        a_live_sender_keeps_its_tag,
        a_sweep_forgets_what_outlived_its_time;
    outreach:
        a_profile_takes_the_place_of_the_one_before_and_is_told_to_every_process,
        a_templates_name_is_given_once_and_it_is_its_tenants_own,
        a_message_is_complained_of_once,
        a_cap_is_never_passed_and_a_day_starts_anew,
        racing_spenders_never_pass_a_cap,
        messages_count_where_they_went_and_what_became_of_them,
        codes_count_and_so_does_how_verifications_end;
    suppressions:
        a_suppression_stands_until_it_is_lifted_and_for_its_tenant_alone,
        suppressions_are_listed_newest_first_and_the_first_is_told_to_every_process,
        a_message_that_no_alias_brings_about_is_kept_whole,
        a_message_is_found_with_what_its_person_is_spared;
    webhooks:
        an_endpoint_is_kept_whole_and_is_its_tenants_alone,
        endpoints_are_listed_newest_first_by_audience_and_bounded,
        an_event_goes_to_those_who_want_it_of_its_tenant,
        an_audience_hears_of_its_own_verifications_and_messages,
        what_was_taken_back_told_nobody_and_what_another_process_made_counts,
        only_the_head_is_given_out_until_it_is_done,
        deliveries_go_by_age_and_with_their_tenant;
    calls:
        a_call_begins_is_answered_and_ends_once_each,
        a_call_is_forgotten_when_its_time_is_over;
    delivery:
        claims_take_the_oldest_of_each_conversation_codes_first,
        a_head_that_waits_holds_back_its_conversation,
        leases_lapse_and_are_given_back,
        an_older_row_that_comes_late_goes_first_unless_one_is_under_way,
        two_claimers_never_get_one_row,
        a_task_ends_with_its_worst_part,
        an_early_receipt_waits_for_its_submission,
        a_receipt_that_may_mean_several_takes_the_one_whose_device_agrees,
        an_id_given_twice_is_told_apart_by_the_device,
        an_early_receipt_of_many_spellings_waits_for_its_device,
        parts_that_a_carrier_gave_one_id_end_with_one_receipt,
        a_failure_keeps_its_class_with_the_worst_part,
        delivery_never_goes_back,
        a_final_state_takes_the_body,
        codes_settle_by_their_send,
        silence_ends_as_unknown;
    rights:
        an_erasure_takes_all_of_a_person_and_keeps_the_other_partys_place_from_strangers,
        what_came_in_since_the_reading_is_not_erased_unseen,
        a_record_alone_goes_with_what_stands_on_it,
        the_list_of_erased_people_moves_forward_only_and_is_told,
        a_move_renames_a_person_or_nothing_at_all,
        a_proof_is_used_once,
        each_class_goes_by_its_age_and_nothing_else_does,
        what_test_tenants_made_goes_and_live_ones_keep_theirs,
        an_erased_tenant_is_nobody_and_leaves_nothing;
    log:
        a_change_is_written_whole_or_not_at_all_with_its_event,
        a_failed_change_spares_those_beside_it,
        the_chain_is_unbroken_over_two_writers_at_once,
        what_was_answered_survives_an_end_without_notice,
        entries_are_found_by_every_filter,
}
