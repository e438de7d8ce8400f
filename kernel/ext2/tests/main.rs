//! The file system against what it should hold, against e2fsprogs, and against the worst: `cargo test -p ext2`.
//!
//! Images are made by mke2fs and judged by e2fsck. Where those are missing the tests are ignored, and say so.
mod compare;
mod disk;
mod model;
mod operations;
mod plan;
mod random;
mod tools;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for format in tools::FORMATS {
        let name = format!(
            "operations::{}_revision_{}{}",
            format.block_size,
            format.revision,
            format.options.concat()
        );
        trials.push(trial(name, move || {
            operations::agree_with_the_model(format)
        }));
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A trial, ignored without e2fsprogs.
fn trial(name: String, body: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Trial {
    Trial::ignorable_test(name, move || match tools::missing() {
        Some(missing) => Ok(Completion::ignored_with(missing)),
        None => body().map(|()| Completion::Completed),
    })
}
