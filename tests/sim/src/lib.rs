//! The simulator: the whole of `mm` on a machine made of vectors, against an oracle, from one seed.
//!
//! ```text
//!  seed -> generate -> Plan -> World -+-> mm on SoftMachine (TLBs that remember, walked by Mmu) --+-> equal?
//!                                     +-> Oracle (areas and words; no frames, no paging) ---------+
//! ```
//! After each step the contradictions are looked for (`world/inspect.rs`); at the end every frame must be free again.
//! `tests/README.md` says how to replay a seed.
pub mod broken;

mod disk;
mod drawing;
pub mod exhaustion;
pub mod failing_heap;
pub mod files;
pub mod generate;
pub mod run;
pub mod shrink;

pub mod kernel;
pub mod machine;
pub mod mmu;
pub mod op;
pub mod oracle;
pub mod plan;
pub mod random;

pub mod tlb;
pub mod world;
mod writes;
