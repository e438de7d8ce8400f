//! What `execve` needs to know of an ELF file: the loadable segments, the entry, the stack's rights.
use alloc::vec::Vec;
use core::ops::Range;

use abi::Errno;
use elf::abi::{
    EI_CLASS, EI_NIDENT, EI_VERSION, ELFCLASS64, ELFDATA2LSB, EM_X86_64, ET_DYN, ET_EXEC,
    EV_CURRENT, PF_R, PF_W, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_PHDR,
};
use elf::endian::LittleEndian;
use elf::file::{Class, FileHeader, parse_ident};
use elf::parse::ParsingTable;
use elf::segment::ProgramHeader;
use mm::{PAGE_SIZE, VmFlags};

use super::interpreter::path_of;
use crate::fs::path::PATH_MAX;
use crate::fs::program::Program;

/// Bytes of the file header.
const HEADER: usize = 64;

/// The headers may have at most this many bytes: Linux's limit.
const MAX_TABLE: usize = 65_536;

/// The headers of a program.
pub(super) struct Image {
    header: FileHeader<LittleEndian>,
    table: Vec<u8>,
}

/// A part of the file that is to be in memory.
#[derive(Clone)]
pub(super) struct Segment {
    /// Byte addresses, before the bias.
    pub(super) memory: Range<u64>,
    /// Offset of the first byte in the file.
    pub(super) offset: u64,
    /// How many bytes the file has of it; the rest is zeroes.
    pub(super) file_size: u64,
    pub(super) access: VmFlags,
}

impl Segment {
    /// The segment at other addresses; where they wrap around, an end below the start.
    pub(super) fn moved_by(self, bias: u64) -> Self {
        let Range { start, end } = self.memory;
        Self {
            memory: start.wrapping_add(bias)..end.wrapping_add(bias),
            ..self
        }
    }
}

impl Image {
    /// Reads the headers; `ENOEXEC` for all that is no program for this machine.
    pub(super) fn parse(file: &Program) -> Result<Self, Errno> {
        let mut start = [0; HEADER];
        if file.read_at(0, &mut start)? < HEADER {
            return Err(Errno::ENOEXEC);
        }
        let header = parse_header(&start).ok_or(Errno::ENOEXEC)?;
        let size = usize::from(header.e_phentsize) * usize::from(header.e_phnum);
        let known = header.e_machine == EM_X86_64 && matches!(header.e_type, ET_EXEC | ET_DYN);
        if !known || header.e_phentsize != 56 || size == 0 || size > MAX_TABLE {
            return Err(Errno::ENOEXEC);
        }
        let mut table = Vec::new();
        table.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        table.resize(size, 0);
        if file.read_at(header.e_phoff, &mut table)? < size {
            return Err(Errno::ENOEXEC);
        }
        Ok(Self { header, table })
    }

    /// The path of the loader that `file`, whose headers these are, names.
    pub(super) fn interpreter(&self, file: &Program) -> Result<Option<Vec<u8>>, Errno> {
        let wish = self.headers().find(|header| header.p_type == PT_INTERP);
        let Some(header) = wish else {
            return Ok(None);
        };
        let size = header.p_filesz as usize;
        if !(2..=PATH_MAX).contains(&size) {
            return Err(Errno::ENOEXEC);
        }
        let mut path = Vec::new();
        path.try_reserve_exact(size).map_err(|_| Errno::ENOMEM)?;
        path.resize(size, 0);
        if file.read_at(header.p_offset, &mut path)? < size {
            return Err(Errno::EIO);
        }
        path_of(path).map(Some)
    }

    /// From the first to the last byte of all segments, before the bias.
    pub(super) fn span(&self) -> Range<u64> {
        let loadable = self.headers().filter(|header| header.p_type == PT_LOAD);
        let range =
            |header: ProgramHeader| header.p_vaddr..header.p_vaddr.saturating_add(header.p_memsz);
        let whole =
            |all: Range<u64>, one: Range<u64>| all.start.min(one.start)..all.end.max(one.end);
        loadable.map(range).reduce(whole).unwrap_or_default()
    }

    /// Whether its addresses are where it must lie.
    pub(super) fn has_fixed_place(&self) -> bool {
        self.header.e_type == ET_EXEC
    }

    fn headers(&self) -> impl Iterator<Item = ProgramHeader> {
        ParsingTable::<_, ProgramHeader>::new(LittleEndian, Class::ELF64, &self.table).iter()
    }

    /// The loadable segments, in the file's order.
    pub(super) fn segments(&self) -> impl Iterator<Item = Result<Segment, Errno>> {
        self.headers()
            .filter(|header| header.p_type == PT_LOAD && header.p_memsz > 0)
            .map(|header| segment(&header))
    }

    /// Bytes of data, as Linux counts them: from where the highest segment begins to where the file's bytes end.
    pub(super) fn data_size(&self) -> u64 {
        let loadable = || self.headers().filter(|header| header.p_type == PT_LOAD);
        let start = loadable().map(|header| header.p_vaddr).max();
        let end = loadable().map(|header| header.p_vaddr.saturating_add(header.p_filesz));
        let size = end.max().zip(start).map(|(end, start)| end - start);
        size.unwrap_or(0)
    }

    /// What is added to every address: 0 unless the program may lie anywhere.
    pub(super) fn bias(&self, base: u64) -> u64 {
        if self.has_fixed_place() {
            return 0;
        }
        let loadable = self.headers().filter(|header| header.p_type == PT_LOAD);
        let place = |header: ProgramHeader| (header.p_vaddr & !(PAGE_SIZE - 1), header.p_align);
        let least = |(low, align): (u64, u64), (address, its): (u64, u64)| {
            (low.min(address), align.max(its))
        };
        let (lowest, align) = loadable.map(place).reduce(least).unwrap_or((0, 1));
        let align = if align.is_power_of_two() { align } else { 1 };
        (base & !(align - 1)).wrapping_sub(lowest)
    }

    /// The entry point, before the bias.
    pub(super) fn entry(&self) -> u64 {
        self.header.e_entry
    }

    /// Where the program finds its own program headers, before the bias.
    pub(super) fn headers_address(&self) -> u64 {
        if let Some(own) = self.headers().find(|header| header.p_type == PT_PHDR) {
            return own.p_vaddr;
        }
        let offset = self.header.e_phoff;
        let holds = |header: &ProgramHeader| {
            header.p_type == PT_LOAD
                && (header.p_offset..header.p_offset.saturating_add(header.p_filesz))
                    .contains(&offset)
        };
        self.headers().find(holds).map_or(0, |header| {
            header.p_vaddr.wrapping_add(offset - header.p_offset)
        })
    }

    pub(super) fn header_size(&self) -> u64 {
        self.header.e_phentsize.into()
    }

    pub(super) fn header_count(&self) -> u64 {
        self.header.e_phnum.into()
    }

    /// What may be done with the stack.
    pub(super) fn stack_access(&self) -> VmFlags {
        let wish = self.headers().find(|header| header.p_type == PT_GNU_STACK);
        let data = VmFlags::READ | VmFlags::WRITE;
        if wish.is_some_and(|header| header.p_flags & PF_X != 0) {
            data | VmFlags::EXEC
        } else {
            data
        }
    }
}

fn parse_header(start: &[u8; HEADER]) -> Option<FileHeader<LittleEndian>> {
    // Linux doesn't look at what the file says of its class, byte order and version.
    let mut start = *start;
    start[EI_CLASS..=EI_VERSION].copy_from_slice(&[ELFCLASS64, ELFDATA2LSB, EV_CURRENT]);
    let ident = parse_ident::<LittleEndian>(&start).ok()?;
    FileHeader::parse_tail(ident, &start[EI_NIDENT..]).ok()
}

/// Checks what the file says of a segment against arithmetic.
fn segment(header: &ProgramHeader) -> Result<Segment, Errno> {
    let ProgramHeader {
        p_offset,
        p_vaddr,
        p_filesz,
        p_memsz,
        p_flags,
        ..
    } = *header;
    let end = p_vaddr.checked_add(p_memsz).ok_or(Errno::ENOEXEC)?;
    // Without bytes in the file there is nothing whose place must match.
    let aligned = p_filesz == 0 || p_vaddr % PAGE_SIZE == p_offset % PAGE_SIZE;
    let sane = p_filesz <= p_memsz && p_offset.checked_add(p_filesz).is_some();
    if !aligned || !sane {
        return Err(Errno::ENOEXEC);
    }
    let mut access = VmFlags::empty();
    access.set(VmFlags::READ, p_flags & PF_R != 0);
    access.set(VmFlags::WRITE, p_flags & PF_W != 0);
    access.set(VmFlags::EXEC, p_flags & PF_X != 0);
    Ok(Segment {
        memory: p_vaddr..end,
        offset: p_offset,
        file_size: p_filesz,
        access,
    })
}
