//! What tests that boot machines share: the tool behind `cargo run`, runs with a deadline, and two transcripts side by
//! side. The oracle uses it too.

pub mod run;
pub mod tool;
pub mod transcript;
