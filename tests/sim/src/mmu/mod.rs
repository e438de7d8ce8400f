//! The software MMU: how a processor turns an address into a frame, written from Intel's manual and not from `mm`.
//!
//! SDM 3A, chapter 4: four or five levels, P, W, U and NX of all levels together, accessed and dirty bits, reserved bits,
//! 2 MiB leaves, global ones, and what may be remembered. CR0.WP, CR4.PGE, CR4.SMEP and EFER.NXE are set. Nothing here
//! knows how `mm` encodes an entry; if the two disagree, the simulator says so.
use std::ops::Range;
use std::sync::atomic::Ordering::Relaxed;

use crate::machine::{SoftCpu, SoftMachine};
use crate::op::Kind;
use crate::tlb::{Allowed, Entry, Table};

const PRESENT: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Address bits that this processor does not have (MAXPHYADDR is 40).
const TOO_HIGH: u64 = ADDRESS & !((1 << 40) - 1);
/// Bits of a 2 MiB leaf between its PAT bit and its address.
const LARGE_GAP: u64 = 0x001f_e000;

/// The error code that a page fault pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// The page was present.
    pub const PRESENT: u32 = 1 << 0;
    /// The access was a store.
    pub const WRITE: u32 = 1 << 1;
    /// The access came from ring 3.
    pub const USER: u32 = 1 << 2;
    /// A reserved bit was set.
    pub const RESERVED: u32 = 1 << 3;
    /// The access was an instruction fetch.
    pub const FETCH: u32 = 1 << 4;

    /// Whether `bit` is set.
    pub fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }

    fn new(kind: Kind, ring: Ring, cause: u32) -> Self {
        let access = match kind {
            Kind::Read => 0,
            Kind::Write(_) => Self::WRITE,
            Kind::Execute => Self::FETCH,
        };
        let from = match ring {
            Ring::Three => Self::USER,
            Ring::Zero => 0,
        };
        Self(access | cause | from)
    }
}

/// Who makes an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ring {
    /// A program.
    Three,
    /// The kernel, in one of its copies from or to a program, for which EFLAGS.AC lifts SMAP.
    Zero,
}

/// A page fault as the handler sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFault {
    /// CR2.
    pub address: u64,
    /// What was pushed.
    pub code: ErrorCode,
}

/// Why a walk found nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// An entry is not present.
    Absent,
    /// An entry has a reserved bit set.
    Reserved,
    /// An entry leads out of memory: on a real machine, to a device or to nothing.
    Nowhere,
}

/// Where a walk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The frame, the rights of all levels, and whether the leaf is dirty. For a 2 MiB leaf: the first frame.
    pub entry: Entry,
    /// Whether the leaf maps 2 MiB.
    pub is_large: bool,
    /// The last-level table, where there is one.
    pub table: Option<Table>,
}

/// A processor's walker.
#[derive(Clone, Copy)]
pub struct Mmu<'m> {
    machine: &'m SoftMachine,
    levels: u32,
    ring: Ring,
}

impl<'m> Mmu<'m> {
    /// The walker of `machine`'s CPUs, with 4 or 5 levels.
    pub fn new(machine: &'m SoftMachine, levels: u32) -> Self {
        let ring = Ring::Three;
        Self {
            machine,
            levels,
            ring,
        }
    }

    /// The same with the kernel's rights.
    pub fn in_ring_0(self) -> Self {
        let ring = Ring::Zero;
        Self { ring, ..self }
    }

    /// The frame that an instruction of the executing CPU reaches at `address`.
    pub fn translate(&self, address: u64, kind: Kind) -> Result<u64, PageFault> {
        let cpu = &mut *self.machine.current().borrow_mut();
        let root = cpu.root.expect("a program runs in a space");
        let page = address >> 12;
        let known = cpu.tlb.find(root, page);
        let entry = match known {
            // A store must set the dirty bit in memory before it is remembered as set.
            Some(entry) if entry.dirty || !matches!(kind, Kind::Write(_)) => Ok(entry),
            _ => self.fill(cpu, root, page, kind),
        };
        let cause = match entry {
            Ok(entry) if permits(entry.allowed, kind, self.ring) => return Ok(entry.frame),
            Ok(_) => ErrorCode::PRESENT,
            Err(Miss::Absent) => 0,
            Err(Miss::Reserved | Miss::Nowhere) => ErrorCode::PRESENT | ErrorCode::RESERVED,
        };
        cpu.tlb.forget_faulting(root, page);
        let code = ErrorCode::new(kind, self.ring, cause);
        Err(PageFault { address, code })
    }

    /// Walks, sets the accessed and dirty bits if the access is allowed, and remembers.
    fn fill(&self, cpu: &mut SoftCpu, root: u64, page: u64, kind: Kind) -> Result<Entry, Miss> {
        let mut set = ACCESSED;
        if matches!(kind, Kind::Write(_)) {
            set |= DIRTY;
        }
        let known = cpu.tlb.find_table(root, page);
        let seen = match known {
            Some(table) => self.leaf(table, page, 0)?,
            None => self.walk(root, page)?,
        };
        if !permits(seen.entry.allowed, kind, self.ring) {
            return Ok(seen.entry);
        }
        self.note_use(root, page, known, set);
        let entry = Entry {
            dirty: seen.entry.dirty || set & DIRTY != 0,
            ..seen.entry
        };
        if let Some(table) = seen.table {
            cpu.tlb.fill_table(root, page, table);
        }
        self.look_ahead(cpu, root, page);
        if !seen.is_large {
            cpu.tlb.fill(root, page, entry);
            return Ok(entry);
        }
        cpu.tlb.fill_large(root, page, entry);
        Ok(Entry {
            frame: entry.frame + page % 512,
            ..entry
        })
    }

    /// Remembers the last-level tables of both neighbours, whose pages may be absent: a processor may walk for accesses
    /// that no program makes, as far as entries are present (SDM 3A, 4.10.3.1 and 4.10.4).
    fn look_ahead(&self, cpu: &mut SoftCpu, root: u64, page: u64) {
        for neighbour in [page.wrapping_sub(512), page + 512] {
            if cpu.tlb.find_table(root, neighbour).is_none()
                && let Some(table) = self.last_table(root, neighbour)
            {
                cpu.tlb.fill_table(root, neighbour, table);
            }
        }
    }

    /// Walks from the top without leaving a trace.
    pub fn walk(&self, root: u64, page: u64) -> Result<Walk, Miss> {
        let mut table = Table::top(root);
        for level in (1..self.levels).rev() {
            let bits = self.entry(table.frame, page, level)?;
            if bits & LARGE != 0 {
                return self.leaf(table, page, level);
            }
            table = below(table, bits);
        }
        self.leaf(table, page, 0)
    }

    /// The last-level table of `page`, if the walk gets that far.
    pub fn last_table(&self, root: u64, page: u64) -> Option<Table> {
        let mut table = Table::top(root);
        for level in (1..self.levels).rev() {
            table = below(table, self.entry(table.frame, page, level).ok()?);
        }
        Some(table)
    }

    /// All pages of the user half that are present, with what a walk finds.
    pub fn leaves(&self, root: u64) -> Vec<(u64, Entry)> {
        let mut found = Vec::new();
        self.visit(root, self.levels - 1, 0, &mut |page, level| {
            if level == 0
                && let Ok(walk) = self.walk(root, page)
            {
                found.push((page, walk.entry));
            }
        });
        found
    }

    /// The pages that each table of the user half serves, the top one left out.
    pub fn tables(&self, root: u64) -> Vec<Range<u64>> {
        let mut found = Vec::new();
        self.visit(root, self.levels - 1, 0, &mut |page, level| {
            if level > 0 {
                found.push(page..page + (1 << (9 * level)));
            }
        });
        found
    }

    /// Shows each present entry in and below `table`, with its first page and its level.
    fn visit(&self, table: u64, level: u32, start: u64, see: &mut impl FnMut(u64, u32)) {
        let is_top = level == self.levels - 1;
        for index in 0..if is_top { 256 } else { 512 } {
            let bits = self.machine.load(table, index);
            let Some(bits) = bits.filter(|bits| bits & PRESENT != 0) else {
                continue;
            };
            let page = start + ((index as u64) << (9 * level));
            see(page, level);
            if level > 0 && bits & LARGE == 0 {
                self.visit((bits & ADDRESS) >> 12, level - 1, page, see);
            }
        }
    }

    /// The leaf for `page` in `table` at `level`.
    fn leaf(&self, table: Table, page: u64, level: u32) -> Result<Walk, Miss> {
        let bits = self.entry(table.frame, page, level)?;
        let entry = Entry {
            frame: (bits & ADDRESS & !(((1 << (9 * level)) - 1) << 12)) >> 12,
            allowed: table.allowed.and(allowed(bits)),
            dirty: bits & DIRTY != 0,
            global: bits & GLOBAL != 0,
        };
        if self.machine.load(entry.frame, 0).is_none() {
            return Err(Miss::Nowhere);
        }
        Ok(Walk {
            entry,
            is_large: level > 0,
            table: (level == 0).then_some(table),
        })
    }

    /// Reads an entry and refuses one that is absent or malformed.
    fn entry(&self, table: u64, page: u64, level: u32) -> Result<u64, Miss> {
        let bits = self.machine.load(table, index(page, level));
        let bits = bits.ok_or(Miss::Nowhere)?;
        if bits & PRESENT == 0 {
            return Err(Miss::Absent);
        }
        let large_is_bad = match level {
            0 => 0,
            1 if bits & LARGE != 0 => LARGE_GAP,
            1 => 0,
            // 1 GiB leaves exist on real processors; this one is too old for them.
            _ => LARGE,
        };
        if bits & (TOO_HIGH | large_is_bad) != 0 {
            return Err(Miss::Reserved);
        }
        Ok(bits)
    }

    /// Sets the accessed bit in each entry on the way, and `leaf_bits` in the leaf.
    fn note_use(&self, root: u64, page: u64, known: Option<Table>, leaf_bits: u64) {
        let (mut table, top) = known.map_or((root, self.levels - 1), |table| (table.frame, 0));
        for level in (0..=top).rev() {
            let index = index(page, level);
            let bits = self.machine.load(table, index);
            let bits = bits.expect("this way was walked just now");
            let is_leaf = level == 0 || bits & LARGE != 0;
            let set = if is_leaf { leaf_bits } else { ACCESSED };
            if bits & set != set
                && let Some(word) = self.machine.word(table, index)
            {
                word.fetch_or(set, Relaxed);
            }
            if is_leaf {
                return;
            }
            table = (bits & ADDRESS) >> 12;
        }
    }
}

fn index(page: u64, level: u32) -> usize {
    (page >> (9 * level)) as usize % 512
}

/// The table that the entry `bits` of `table` leads to.
fn below(table: Table, bits: u64) -> Table {
    Table {
        frame: (bits & ADDRESS) >> 12,
        allowed: table.allowed.and(allowed(bits)),
    }
}

fn allowed(bits: u64) -> Allowed {
    Allowed {
        user: bits & USER != 0,
        write: bits & WRITE != 0,
        fetch: bits & NO_EXECUTE == 0,
    }
}

fn permits(allowed: Allowed, kind: Kind, ring: Ring) -> bool {
    let may_see = allowed.user || ring == Ring::Zero;
    may_see
        && match kind {
            Kind::Read => true,
            // With CR0.WP the kernel is bound by it, too.
            Kind::Write(_) => allowed.write,
            // SMEP: the kernel fetches from no page of a program.
            Kind::Execute => allowed.fetch && allowed.user == (ring == Ring::Three),
        }
}

#[cfg(test)]
mod tests;
