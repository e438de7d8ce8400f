//! The kinds of bugs that can be planted, by the names that the command line has for them.
//!
//! Apart from what plants them, so that the options can be tested on the workstation.

/// What the kernel does wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// A panic.
    Panic,
    /// A load through a kernel address that leads nowhere.
    Read,
    /// A store through such an address.
    Write,
    /// A load through a null pointer.
    Null,
    /// A load through a non-canonical address.
    NonCanonical,
    /// A jump to an address that leads nowhere.
    Jump,
    /// A store to constants.
    Rodata,
    /// A store to code.
    Text,
    /// A jump into data.
    Nx,
    /// A load from ring 3's memory outside of a user copy.
    Smap,
    /// A jump into ring 3's code.
    Smep,
    /// A user entry with a reserved bit set.
    Reserved,
    /// The stack of boot runs over.
    BootStack,
    /// The stack of a thread runs over.
    Stack,
    /// A division by zero.
    Divide,
    /// An undefined instruction.
    Opcode,
    /// A fault in the timer's interrupt.
    Interrupt,
    /// An allocation that can't fail does.
    Heap,
    /// Locks are taken out of order; seen by checked builds.
    Lock,
    /// A lock is waited for that is never given back.
    Deadlock,
    /// A panic while a panic is reported.
    Nested,
    /// The stack runs over while a panic is reported.
    NestedStack,
    /// A page of the kernel's is writable and executable.
    TableWx,
    /// A page of the kernel's is open to ring 3.
    TableUser,
    /// Something is mapped in the kernel's own lower half.
    TableLow,
    /// The guard page of a stack is mapped.
    TableGuard,
    /// The direct map shows code as writable.
    TableAlias,
    /// The direct map shows code as executable.
    TableDirect,
}

impl Bug {
    /// Every kind, by its name on the command line.
    pub(crate) const ALL: [(&str, Self); 28] = [
        ("panic", Self::Panic),
        ("read", Self::Read),
        ("write", Self::Write),
        ("null", Self::Null),
        ("noncanonical", Self::NonCanonical),
        ("jump", Self::Jump),
        ("rodata", Self::Rodata),
        ("text", Self::Text),
        ("nx", Self::Nx),
        ("smap", Self::Smap),
        ("smep", Self::Smep),
        ("reserved", Self::Reserved),
        ("boot-stack", Self::BootStack),
        ("stack", Self::Stack),
        ("divide", Self::Divide),
        ("opcode", Self::Opcode),
        ("interrupt", Self::Interrupt),
        ("heap", Self::Heap),
        ("lock", Self::Lock),
        ("deadlock", Self::Deadlock),
        ("nested", Self::Nested),
        ("nested-stack", Self::NestedStack),
        ("table-wx", Self::TableWx),
        ("table-user", Self::TableUser),
        ("table-low", Self::TableLow),
        ("table-guard", Self::TableGuard),
        ("table-alias", Self::TableAlias),
        ("table-direct", Self::TableDirect),
    ];

    /// The kind of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let kind = Self::ALL.iter().find(|(known, _)| *known == name);
        kind.map(|&(_, bug)| bug)
    }
}
