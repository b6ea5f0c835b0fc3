//! The contracts that every store fulfills, each a function over a [`Subject`].
//!
//! A store joins by a way to open it and one line, `fulfilled_by!`, at the end.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and says where")]

mod accepting;
mod bounded_reading;
mod claiming;
mod clock_steps;
mod committing;
mod data_loss;
mod events;
mod fairness;
mod health;
mod leases;
mod limits;
mod memory;
mod model;
mod model_ops;
mod name_marks;
mod names;
mod operating;
mod processes;
mod reading;
mod redis_damage;
mod redis_greeting;
mod redis_lost;
mod redis_migration;
mod redis_outage;
mod redis_place;
mod redis_renewal;
mod redis_rights;
mod redis_server;
mod redis_spoiled;
mod redis_unwritable;
mod refetching;
mod retention;
mod sqlite_damage;
mod sqlite_file;
mod sqlite_locked;
mod sqlite_loss;
mod sqlite_space;
mod subject;
mod transitions;
mod twins;
mod waking;
mod webhooks;

macro_rules! tests {
    ($subject:path; $($theme:ident { $($contract:ident)+ })+) => {
        $($(
            #[test]
            fn $contract() {
                $crate::subject::check(|| Box::pin($subject()), |subject| {
                    Box::pin($crate::$theme::$contract(subject))
                });
            }
        )+)+
    };
}

/// Makes a test of every contract, in a module named after the store.
macro_rules! fulfilled_by {
    ($store:ident, $subject:path) => {
        mod $store {
            tests! { $subject;
                accepting {
                    an_accepted_submission_waits_for_a_worker
                    all_that_a_producer_sends_is_stored
                    a_deadline_counts_from_acceptance_or_from_a_later_start
                    a_start_in_the_past_is_now
                    answers_are_in_the_order_of_the_batch
                    a_batch_is_stored_whole_or_not_at_all
                    the_same_key_with_the_same_content_is_known
                    the_same_key_with_other_content_is_a_conflict
                    equal_keys_in_one_batch_are_accepted_once
                    the_same_key_on_another_account_is_another_submission
                    a_key_is_known_as_long_as_its_submission_is_stored
                    a_decision_to_overwrite_does_not_change_what_a_key_means
                    a_dataset_comes_back_as_it_was_submitted
                    a_submission_that_is_not_there_is_not_found
                }
                claiming {
                    an_accepted_submission_is_claimed_once
                    a_claimed_upload_is_an_attempt_for_every_reader
                    a_claimed_poll_changes_nothing_but_the_lease
                    a_step_is_not_due_a_millisecond_early
                    a_claim_says_how_long_the_step_was_due
                    a_claim_takes_no_more_than_its_limit
                    a_claim_takes_only_its_kind_of_step
                    fences_grow_with_every_claim
                    an_upload_after_a_lost_one_is_ambiguous
                    the_urgent_go_first_and_then_those_due_longest
                    an_urgent_step_that_is_not_due_delays_no_other
                    concurrent_claims_never_yield_a_step_twice
                }
                fairness {
                    a_backlog_of_one_account_does_not_delay_the_step_of_another
                    accounts_take_turns_whatever_else_is_claimed_between
                    accounts_get_equal_shares_while_others_are_idle
                    what_an_account_does_not_use_goes_to_the_others
                    urgency_counts_within_an_account_only
                    a_paused_account_yields_nothing
                    an_account_can_be_paused_before_its_first_submission
                    a_step_that_runs_when_its_account_is_paused_still_counts
                    a_throttled_account_runs_no_step_for_the_time_asked
                    a_throttled_account_reopens_with_a_ramp
                    a_ramp_counts_the_steps_of_all_kinds
                    a_recovered_account_is_as_good_as_new
                    failures_in_a_row_open_the_breaker_for_all
                    a_probe_that_is_given_back_or_lost_makes_room_for_another
                    a_step_that_always_fails_is_not_every_probe
                    an_urgent_step_that_always_fails_is_not_every_probe
                    an_endpoint_that_always_throttles_does_not_starve_another
                    denied_credentials_pause_the_account
                    a_resumption_ends_a_throttling_and_an_open_breaker
                    a_resumption_brings_forward_what_the_platform_postponed
                    a_resumption_brings_forward_the_fetch_of_results
                    the_next_step_is_the_earliest_of_all_accounts
                }
                limits {
                    a_rate_of_uploads_holds_for_all_handles_together
                    an_account_without_limits_is_not_blocked_by_those_of_another
                    a_rate_of_requests_counts_steps_of_every_kind
                    a_rate_of_requests_counts_the_requests_of_a_step
                    no_more_uploads_than_allowed_are_in_flight
                    a_submission_says_that_it_waits_for_the_limit
                }
                health {
                    signals_do_to_an_account_what_its_health_says
                    throttling_teaches_a_store_what_it_teaches_an_account
                }
                names {
                    the_later_of_two_waits_for_the_earlier
                    another_account_has_names_of_its_own
                    revisions_run_in_the_order_of_their_acceptance
                    every_final_state_frees_the_name
                    a_held_submission_keeps_its_name_until_it_is_decided
                    a_cancelled_one_frees_the_name_whether_it_ran_or_not
                    a_freed_one_is_due_at_once_or_at_its_own_time
                    a_failed_one_is_not_retried_past_a_newer_unfinished_one
                    a_failed_one_is_retried_although_a_newer_one_has_ended
                    a_retried_one_queues_behind_an_earlier_one
                    a_step_behind_a_predecessor_is_not_runnable
                    no_retry_overwrites_what_a_newer_one_may_have_left
                    a_retried_one_takes_the_name_again
                    a_name_with_many_waiting_is_served_one_by_one
                }
                name_marks {
                    who_ends_without_a_verdict_marks_the_name_for_the_next
                    an_end_with_nothing_sent_or_with_a_verdict_marks_nothing
                    a_mark_stays_until_an_upload_is_accepted
                    a_mark_outlives_its_submission_and_the_process
                    a_verdict_removes_the_mark_of_its_own_submission_alone
                    the_next_of_a_name_waits_until_no_earlier_upload_can_arrive
                    an_upload_waits_for_none_of_its_own_and_a_wait_outlives_the_process
                }
                committing {
                    a_commit_schedules_the_next_step
                    a_submission_goes_all_the_way
                    the_last_request_stays_until_another_was_sent
                    only_the_newest_fence_may_commit
                    a_second_commit_of_a_claim_is_stale
                    a_claim_that_was_given_back_cannot_commit
                    a_repeated_fence_is_not_taken_for_another_claim
                    a_stale_commit_still_says_what_the_platform_asks_of_the_account
                    a_late_commit_counts_if_no_other_worker_owns_the_step
                    an_illegal_transition_changes_nothing
                    each_commit_of_a_batch_stands_on_its_own
                    contents_come_back_as_they_were_fetched
                    contents_under_one_key_replace_each_other
                    a_rejection_keeps_its_feedback
                    an_attempt_that_does_not_count_is_given_back
                    a_reason_comes_back_as_it_was_given
                    a_repeated_reason_does_not_lengthen_the_timeline
                    a_timeline_keeps_its_beginning_and_its_newest_lines
                }
                leases {
                    a_renewed_lease_is_not_rescued
                    only_a_holder_may_renew
                    a_lease_that_ran_out_can_be_renewed_until_it_is_rescued
                    what_is_given_back_was_never_claimed
                    giving_back_keeps_an_older_doubt_and_its_reason
                    claiming_and_giving_back_is_not_poison
                    a_lost_step_is_due_again
                    a_step_that_ended_its_worker_five_times_is_held
                    an_outcome_resets_the_count_of_lost_workers
                    a_lost_step_of_a_cancelled_submission_is_not_due_again
                    a_step_of_a_cancelled_submission_that_is_given_back_ends
                    many_lost_steps_are_all_rescued
                    a_lease_for_ever_is_one
                }
                refetching {
                    results_are_replaced_only_by_the_ones_that_are_here
                    feedback_is_fetched_again
                    a_verdict_is_learned_although_ferry_gave_up
                    a_refetch_takes_no_turn_among_the_submissions_of_its_name
                    only_a_final_submission_with_a_processing_token_is_refetched
                    a_refetch_and_a_delivery_exclude_each_other
                    a_refetch_delivers_what_is_new_and_what_was_not_delivered
                }
                operating {
                    what_waits_is_cancelled_at_once
                    what_has_ended_cannot_be_cancelled
                    a_running_step_is_cancelled_when_it_ends
                    a_final_outcome_wins_over_a_cancellation
                    a_request_to_cancel_is_recorded_in_the_timeline_once
                    a_failed_submission_resumes_where_it_stopped
                    only_a_failed_submission_can_be_retried
                    a_retry_forgets_an_older_wish_to_cancel
                    a_retry_keeps_the_doubt_about_an_upload
                    a_retried_submission_is_not_swept_or_counted_as_failed
                    a_held_submission_is_retried_as_it_is
                    a_person_may_allow_to_overwrite
                    after_the_upload_there_is_nothing_to_overwrite
                    a_person_may_give_up
                    only_a_held_submission_can_be_resolved
                    a_poisonous_step_that_is_resolved_has_five_lives_again
                    what_is_declared_ambiguous_is_so_at_its_next_upload
                }
                reading {
                    an_empty_store_has_nothing_to_show
                    a_list_is_read_page_by_page
                    a_full_last_page_is_the_last
                    a_page_is_found_again_without_what_came_later
                    a_count_is_that_of_the_list_as_far_as_it_reads
                    a_list_is_filtered_by_state
                    filters_are_all_met
                    a_list_is_of_the_time_that_is_asked_for
                    stats_count_ready_scheduled_and_leased_steps
                    what_waits_for_its_name_is_ready
                    stats_count_the_submissions_by_state
                }
                bounded_reading {
                    a_read_of_an_account_touches_as_many_records_whatever_others_have
                    a_sparse_list_ends_within_its_bound_and_continues
                    a_list_of_all_accounts_is_in_their_common_order
                }
                processes {
                    every_process_sees_the_last_heartbeat_of_each
                    a_process_that_ends_is_listed_no_longer
                    a_process_that_is_silent_for_long_is_forgotten
                    of_many_processes_those_with_the_newest_heartbeats_are_listed
                    a_heartbeat_touches_no_submission_and_is_no_event
                }
                retention {
                    what_ended_long_ago_is_removed_with_all_it_had
                    every_final_state_ages_and_no_other
                    a_sweep_is_bounded_and_continues
                    a_retention_for_ever_removes_nothing
                    a_cursor_outlives_the_removal_of_what_it_points_at
                }
                events {
                    every_change_of_a_state_is_an_event_in_its_order
                    changes_by_operators_and_lost_workers_are_events
                    a_reader_that_continues_misses_no_event_and_reads_none_twice
                    old_events_are_removed_and_a_reader_can_detect_it
                }
                data_loss {
                    a_store_names_its_epoch_and_counts_its_events
                    an_acknowledgement_gives_a_new_epoch_and_is_no_loss
                }
                webhooks {
                    every_final_state_is_delivered_whatever_caused_it
                    a_failed_delivery_is_retried_when_it_is_due
                    only_a_final_state_with_a_webhook_is_delivered
                    a_due_delivery_delays_no_other_step
                    a_retry_continues_while_the_failure_is_being_delivered
                    a_lost_worker_costs_a_try_and_no_outcome
                    lost_uploads_do_not_count_against_the_delivery
                    a_committed_attempt_resets_the_count_of_lost_deliveries
                    a_receiver_that_is_gone_gets_no_later_outcome
                    failures_of_other_steps_do_not_delay_a_delivery
                    a_running_delivery_is_not_requested_again
                    a_redelivered_failure_is_retried_from_its_step
                    retention_does_not_wait_for_deliveries
                }
                waking {
                    an_accepted_submission_wakes_an_uploader
                    what_is_scheduled_between_a_look_and_a_sleep_is_not_missed
                    an_earlier_step_wakes_a_worker_that_waits_for_a_later_one
                    a_commit_wakes_the_worker_of_the_next_step
                    a_final_state_wakes_the_worker_of_the_next_of_its_name
                    what_people_set_going_wakes_workers
                    what_comes_back_from_a_worker_wakes_another
                    another_process_wakes_workers_too
                }
                model {
                    random_operations_do_what_a_small_model_says
                }
                twins {
                    random_acts_do_to_a_store_what_the_pure_rules_say
                }
            }
        }
    };
}

macro_rules! clock_steps_pass {
    ($store:ident, $subject:path) => {
        mod $store {
            tests! { $subject;
                clock_steps {
                    a_step_of_the_clock_moves_no_due_time
                    a_step_of_the_clock_moves_no_upload_that_failed_as_soon_as_it_was_accepted
                    a_process_that_only_looks_shows_a_lease_by_a_clock_that_went_back
                    a_step_of_the_clock_ends_no_living_lease_and_extends_no_dead_one
                    a_step_of_the_clock_moves_neither_a_throttle_nor_a_breaker
                    a_step_of_the_clock_uses_up_no_limit
                    a_step_of_the_clock_moves_no_deadline_and_ends_no_retention
                    a_step_of_the_clock_moves_no_webhook
                    another_process_agrees_about_a_step_of_the_clock
                    a_step_back_that_no_process_saw_delays_nothing
                    a_step_that_no_process_saw_moves_nothing_while_the_machine_runs
                    a_start_that_a_producer_named_is_by_the_wall_clock
                    a_step_of_the_clock_moves_no_wait_for_a_late_upload
                    times_are_shown_by_the_wall_clock
                }
            }
        }
    };
}

clock_steps_pass!(sqlite_clock, super::sqlite_file::subject);
clock_steps_pass!(redis_clock, super::redis_place::subject);
clock_steps_pass!(in_memory_clock, super::memory::subject);
fulfilled_by!(sqlite, super::sqlite_file::subject);
fulfilled_by!(redis, super::redis_place::subject);
fulfilled_by!(in_memory, super::memory::subject);
