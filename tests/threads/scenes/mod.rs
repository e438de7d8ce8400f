//! Scenes: two or three threads meet in one place of `mm`, and afterwards every frame must be accounted for.
//!
//! A scene is one execution from an empty world to an empty world. Its name says what must not happen.
mod advice;
mod cache;
mod cow;
mod disk;
mod faults;
mod frames;
mod reverse;
mod shared;
mod verbs;

/// Every scene by name.
pub(crate) const ALL: &[(&str, fn())] = &[
    ("faults_never_install_twice", faults::same_page),
    ("a_read_never_hides_a_write", faults::read_beside_write),
    ("tables_are_never_made_twice", faults::tables),
    (
        "a_race_without_memory_never_keeps_any",
        faults::without_memory,
    ),
    ("no_stale_frame_after_a_copy", cow::stale_reader),
    ("no_stale_zero_page_after_a_write", cow::stale_zero_reader),
    (
        "the_last_copy_never_frees_a_frame_too_early",
        cow::reader_of_the_last_copy,
    ),
    (
        "the_kernels_hold_never_ends_a_frame_too_early",
        cow::copy_beside_remote_read,
    ),
    ("copy_and_reuse_never_share_a_frame", cow::copy_beside_reuse),
    (
        "no_thread_overwrites_anothers_copy",
        cow::copies_in_one_space,
    ),
    (
        "a_childs_end_never_frees_the_parents_page",
        cow::exit_beside_write,
    ),
    ("the_kernel_never_reads_a_strangers_frame", cow::remote_read),
    ("no_page_of_a_file_is_read_twice", cache::readers),
    (
        "a_copy_never_forgets_the_caches_frame",
        cache::read_beside_copy,
    ),
    ("a_failed_read_never_loses_its_frame", cache::failing_read),
    ("no_frame_is_handed_out_twice", frames::mixed_orders),
    (
        "memory_never_runs_out_while_frames_are_free",
        frames::last_frames,
    ),
    ("no_block_is_withheld", frames::last_block),
    ("no_traced_fault_is_lost_in_silence", frames::trace),
    (
        "no_frame_is_free_while_a_program_reaches_it",
        verbs::unmap_beside_access,
    ),
    (
        "no_store_passes_a_withdrawn_right",
        verbs::protect_beside_store,
    ),
    (
        "a_child_never_sees_a_later_store_alone",
        verbs::fork_beside_stores,
    ),
    (
        "no_family_shares_a_page_that_one_has_written",
        advice::fork_beside_copies,
    ),
    (
        "forks_at_once_never_miscount_what_they_share",
        advice::fork_beside_fork,
    ),
    (
        "no_store_is_undone_beside_the_kernels_own",
        cow::remote_writes,
    ),
    (
        "no_store_to_a_lazily_freed_page_is_lost",
        advice::reclaim_beside_store,
    ),
    ("no_dropped_page_is_a_strangers", advice::drop_beside_access),
    ("no_move_forgets_a_store", advice::move_beside_store),
    ("no_shared_page_is_made_twice", shared::two_spaces),
    (
        "no_fault_keeps_what_its_file_lost",
        shared::cut_beside_faults,
    ),
    (
        "no_copy_outlives_what_its_file_lost",
        shared::cut_beside_copies,
    ),
    ("no_child_keeps_what_its_file_lost", shared::cut_beside_fork),
    (
        "no_table_is_searched_that_is_a_strangers",
        shared::cut_beside_unmap,
    ),
    (
        "no_table_of_an_ended_space_is_searched",
        shared::cut_beside_exit,
    ),
    (
        "no_lost_page_is_overlooked_on_its_way",
        shared::cut_beside_move,
    ),
    (
        "no_copy_brings_back_what_was_punched_out",
        shared::hole_beside_copy,
    ),
    (
        "no_page_is_dropped_that_was_written_again",
        shared::cut_beside_write,
    ),
    (
        "no_length_comes_before_its_bytes",
        shared::read_beside_write,
    ),
    (
        "no_sealed_file_is_mapped_for_stores",
        shared::seal_beside_map,
    ),
    (
        "a_page_taken_from_all_never_stays_with_a_relative",
        reverse::expel_beside_relatives,
    ),
    (
        "no_walk_miscounts_beside_forks_and_moves",
        reverse::expel_beside_moves,
    ),
    (
        "no_entry_is_overlooked_on_its_way_back",
        reverse::expel_beside_return,
    ),
    (
        "no_walk_looks_into_a_table_that_is_gone",
        reverse::expel_beside_unmap,
    ),
    (
        "no_store_is_in_no_mark_and_on_no_disk",
        disk::stores_beside_write,
    ),
    (
        "no_store_is_given_back_to_the_disk",
        disk::give_back_beside_accesses,
    ),
    (
        "no_lookup_finds_what_was_given_back",
        disk::give_back_beside_lookups,
    ),
    (
        "no_read_brings_back_what_its_file_lost",
        disk::cut_beside_reads,
    ),
];
