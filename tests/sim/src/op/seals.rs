//! The bits of F_ADD_SEALS; see fcntl(2).

/// No more seals.
pub const SEAL: u32 = 1;
/// The file becomes no shorter.
pub const SHRINK: u32 = 2;
/// The file becomes no longer.
pub const GROW: u32 = 4;
/// Its contents stay.
pub const WRITE: u32 = 8;
/// They stay, but for what areas that are there already store.
pub const FUTURE_WRITE: u32 = 16;
/// It becomes no program, or stays one.
pub const EXEC: u32 = 32;
/// Both that forbid calls to change contents.
pub const ANY_WRITE: u32 = WRITE | FUTURE_WRITE;
