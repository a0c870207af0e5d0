//! Every promise, on every sequencer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "the helpers of tests fail as tests do"
)]

mod suite;
mod support;

conformance! {
    offsets_are_dense_over_partitions_and_objects,
    the_same_object_is_committed_once,
    producers_are_judged_as_kafka_judges_them,
    a_transaction_is_ended_once_in_a_partition,
    a_refused_batch_costs_only_itself,
    a_fenced_broker_changes_nothing,
    a_node_that_registers_again_ends_its_earlier_registration,
    log_starts_move_and_objects_are_let_go,
    a_deleted_topic_leaves_nothing,
    partitions_are_added_and_never_taken_away,
    slices_are_replaced_only_as_they_were_read,
    leases_belong_to_one_live_broker,
    an_abandoned_object_is_never_committed,
    producer_ids_are_given_once,
    metadata_changes_happen_together_or_not_at_all,
    a_commit_bound_to_the_registry_fails_when_brokers_change,
}
