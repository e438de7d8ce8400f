//! The file system against what it should hold, against e2fsprogs, and against the worst: `cargo test -p ext2`.
//!
//! Images are made by mke2fs and judged by e2fsck. Where those are missing the tests are ignored, and say so.
mod changes;
mod compare;
mod damage;
mod disk;
mod failing;
mod heap;
mod model;
mod operations;
mod plan;
mod power;
mod random;
mod space;
mod tools;
mod tree;

use std::process::ExitCode;

use failing::Fault;
use power::Order;
use tools::{FORMATS, Format, SMALL, SMALL_LARGE_BLOCKS};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Seeds of each kind of power cut, unless `EXT2_SEEDS` says otherwise.
const SEEDS: u64 = 4;

/// What a trial of one kind of volume does.
type Body = fn(Format) -> Result<(), Failed>;

/// What needs one kind of volume only.
const SINGLE: [(&str, Body, Format); 14] = [
    (
        "tree::an_indexed_folder_loses_its_index",
        tree::an_indexed_folder_loses_its_index,
        FORMATS[0],
    ),
    (
        "tree::attributes_go_with_their_inode",
        tree::attributes_go_with_their_inode,
        FORMATS[4],
    ),
    (
        "mount::unknown_features_are_respected",
        tree::unknown_features_are_respected,
        SMALL,
    ),
    ("mount::the_state_is_kept", tree::the_state_is_kept, SMALL),
    ("space::blocks_run_out", space::blocks_run_out, SMALL),
    (
        "space::large_blocks_run_out",
        space::blocks_run_out,
        SMALL_LARGE_BLOCKS,
    ),
    (
        "space::middle_blocks_run_out",
        space::blocks_run_out,
        FORMATS[1],
    ),
    ("space::inodes_run_out", space::inodes_run_out, SMALL),
    (
        "space::a_large_request_gets_what_there_is",
        space::a_large_request_gets_what_there_is,
        FORMATS[1],
    ),
    (
        "space::a_page_gets_all_blocks_or_none",
        space::a_page_gets_all_blocks_or_none,
        SMALL,
    ),
    (
        "power_cut::a_freed_index_block_is_reused",
        power::a_freed_index_block_is_reused,
        SMALL,
    ),
    (
        "power_cut::a_freed_large_index_block_is_reused",
        power::a_freed_index_block_is_reused,
        SMALL_LARGE_BLOCKS,
    ),
    (
        "tree::a_long_file_is_announced",
        tree::a_long_file_is_announced,
        FORMATS[3],
    ),
    (
        "damage::a_tree_in_a_circle_ends",
        damage::a_tree_in_a_circle_ends,
        SMALL,
    ),
];

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for format in FORMATS {
        let name = |what: &str| {
            let Format {
                block_size,
                revision,
                ..
            } = format;
            format!(
                "{what}_{block_size}_revision_{revision}{}",
                format.options.concat()
            )
        };
        let operations = move || operations::agree_with_the_model(format);
        trials.push(trial(name("operations::agree"), operations));
        let tree = move || tree::is_read_and_removed(format);
        trials.push(trial(name("tree::is_read_and_removed"), tree));
    }
    for (name, body, format) in SINGLE {
        trials.push(trial(name.into(), move || body(format)));
    }
    trials.extend(disasters());
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// Damage, errors and power cuts.
fn disasters() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (format, cases) in [
        (SMALL, 0..3500),
        (SMALL, 3500..7000),
        (SMALL_LARGE_BLOCKS, 7000..10_000),
    ] {
        let name = format!("damage::{}_{}", format.block_size, cases.start);
        trials.push(trial(name, move || damage::survive(format, cases)));
    }
    for fault in [Fault::Read, Fault::Write, Fault::Memory] {
        let name = format!("failing::{fault:?}").to_lowercase();
        trials.push(trial(name, move || failing::survive(fault)));
    }
    for format in [SMALL, SMALL_LARGE_BLOCKS] {
        for order in [Order::AsWritten, Order::Any] {
            let name = format!("power_cut::{}_{order:?}", format.block_size).to_lowercase();
            trials.push(trial(name, move || power::survive(format, order, seeds())));
        }
    }
    trials
}

/// `EXT2_SEED=n` is that one seed.
fn seeds() -> std::ops::Range<u64> {
    let number = |name| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse().ok())
    };
    match (number("EXT2_SEED"), number("EXT2_SEEDS")) {
        (Some(seed), _) => seed..seed + 1,
        (None, seeds) => 0..seeds.unwrap_or(SEEDS),
    }
}

/// A trial, ignored without e2fsprogs.
fn trial(name: String, body: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || match tools::missing() {
        Some(missing) => Ok(Completion::ignored_with(missing)),
        None => body().map(|()| Completion::Completed),
    })
}
