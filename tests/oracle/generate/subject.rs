//! What a program may have beside private memory, and the verbs that come with it.

use sim::random::{Random, mix};

use super::Verb;

/// Something that most programs do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// Anonymous memory that children share.
    SharedMemory,
    /// Files made by `memfd_create`.
    MemoryFiles,
    /// Areas that grow down.
    Growth,
    /// Handlers that repair a mapping and return.
    Repair,
    /// Limits of memory.
    Limits,
}

const ALL: [Subject; 5] = [
    Subject::SharedMemory,
    Subject::MemoryFiles,
    Subject::Growth,
    Subject::Repair,
    Subject::Limits,
];

impl Subject {
    /// Those of a seed's program: none in a third of all, so that there private memory has the program for itself.
    pub(super) fn drawn(seed: u64) -> Vec<Self> {
        let mut random = Random::new(mix(!seed));
        if random.chance(33) {
            return Vec::new();
        }
        let is_drawn = |_: &Self| random.chance(35);
        ALL.into_iter().filter(is_drawn).collect()
    }

    /// How often each of its verbs happens.
    pub(super) fn verbs(self) -> &'static [(u64, Verb)] {
        match self {
            Self::SharedMemory | Self::Growth => &[(2, Verb::Rows)],
            Self::MemoryFiles => &[
                (3, Verb::Create),
                (10, Verb::Truncate),
                (6, Verb::Allocate),
                (4, Verb::Seal),
                (5, Verb::Write),
                (5, Verb::ReadInto),
                (5, Verb::WriteFrom),
                (1, Verb::Close),
                (2, Verb::Files),
            ],
            Self::Repair => &[(20, Verb::Repaired)],
            Self::Limits => &[(8, Verb::Limit)],
        }
    }
}
