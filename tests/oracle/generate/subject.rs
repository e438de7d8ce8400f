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
    /// Files with names.
    NamedFiles,
    /// Areas that grow down.
    Growth,
    /// Handlers that repair a mapping and return.
    Repair,
    /// Limits of memory.
    Limits,
}

/// Each, and in how many of a hundred programs that have subjects it is.
const ALL: [(Subject, u64); 6] = [
    (Subject::SharedMemory, 35),
    (Subject::MemoryFiles, 35),
    (Subject::NamedFiles, 55),
    (Subject::Growth, 35),
    (Subject::Repair, 35),
    (Subject::Limits, 35),
];

impl Subject {
    /// Those of a seed's program: none in a third of all, so that there private memory has the program for itself.
    pub(super) fn drawn(seed: u64) -> Vec<Self> {
        let mut random = Random::new(mix(!seed));
        if random.chance(33) {
            return Vec::new();
        }
        let is_drawn = |&(_, chance): &(Self, u64)| random.chance(chance);
        let drawn = ALL.into_iter().filter(is_drawn);
        drawn.map(|(subject, _)| subject).collect()
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
            Self::NamedFiles => &[
                (10, Verb::Open),
                (3, Verb::Duplicate),
                (1, Verb::Close),
                (8, Verb::ReadBytes),
                (12, Verb::WriteBytes),
                (5, Verb::Seek),
                (6, Verb::Truncate),
                (6, Verb::Allocate),
                (4, Verb::ReadInto),
                (4, Verb::WriteFrom),
                (14, Verb::Names),
                (7, Verb::Copy),
                (5, Verb::HoldLock),
                (2, Verb::SettleBytes),
                (3, Verb::Mark),
                (3, Verb::Describe),
                (1, Verb::Seal),
                (1, Verb::Files),
                (2, Verb::Tree),
                (3, Verb::Rows),
            ],
            Self::Repair => &[(20, Verb::Repaired)],
            Self::Limits => &[(8, Verb::Limit)],
        }
    }
}
