//! Scenes: two or three threads meet in one place of `mm`, and afterwards every frame must be accounted for.
//!
//! A scene is one execution from an empty world to an empty world. Its name says what must not happen.
mod cache;
mod cow;
mod faults;
mod frames;
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
];
