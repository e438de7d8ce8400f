//! Seals of files in memory, as fcntl(2) has them under F_ADD_SEALS: what of a file is refused, for good.
use super::{Oracle, Refusal, Stores};
use crate::files::Files;
use crate::op::seals::{ANY_WRITE, GROW, SEAL, SHRINK, WRITE};
use crate::op::{Nature, Request, Rights, Sharing, Source, Span};

impl Files {
    /// F_ADD_SEALS, where so many areas may store to the file.
    pub(crate) fn add_seals(&self, file: usize, bits: u32, writers: usize) -> Result<(), Refusal> {
        if self.is_sealed(file, SEAL) {
            return Err(Refusal::EPERM);
        }
        if bits & WRITE != 0 && !self.is_sealed(file, WRITE) && writers > 0 {
            return Err(Refusal::EBUSY);
        }
        self.seal(file, bits);
        Ok(())
    }

    /// Whether it may be `size` bytes long.
    pub(crate) fn may_resize(&self, file: usize, size: u64) -> Result<(), Refusal> {
        let before = self.file(file).size;
        let forbids = if size < before { SHRINK } else { GROW };
        self.allowed(file, if size == before { 0 } else { forbids })
    }

    /// Whether it may get a hole.
    pub(crate) fn may_punch(&self, file: usize) -> Result<(), Refusal> {
        self.allowed(file, ANY_WRITE)
    }

    /// Whether its pages up to byte `end` may be reserved, with its length or without.
    pub(crate) fn may_reserve(&self, file: usize, end: u64) -> Result<(), Refusal> {
        let grows = end > self.file(file).size;
        self.allowed(file, if grows { GROW } else { 0 })
    }

    /// How many bytes of `span` may be written: a call does it page by page, and ends before the first that may not be.
    pub(crate) fn may_write(&self, file: usize, span: Span) -> Result<u64, Refusal> {
        let Span { address, length } = span;
        if length == 0 {
            return Ok(0);
        }
        self.allowed(file, ANY_WRITE)?;
        let size = self.file(file).size;
        if address + length <= size || !self.is_sealed(file, GROW) {
            return Ok(length);
        }
        match (size & !4095).saturating_sub(address) {
            0 => Err(Refusal::EPERM),
            whole => Ok(whole),
        }
    }

    /// Whether none of `seals` is there.
    fn allowed(&self, file: usize, seals: u32) -> Result<(), Refusal> {
        if self.is_sealed(file, seals) {
            return Err(Refusal::EPERM);
        }
        Ok(())
    }

    fn is_sealed(&self, file: usize, seals: u32) -> bool {
        self.seals(file) & seals != 0
    }
}

impl Oracle {
    /// How many areas may store to the file, or could be made to.
    pub fn writers(&self, file: usize) -> usize {
        let stores = self.areas.iter().filter(|area| {
            let shows = matches!(area.source, Source::File { file: other, .. } if other == file);
            shows && area.sharing == Sharing::Shared && area.stores == Stores::Possible
        });
        stores.count()
    }

    /// Whether stores may ever be allowed in a new area: not through to a file that was opened for reading, or is sealed.
    pub(super) fn stores(&self, request: &Request) -> Result<Stores, Refusal> {
        let Source::File { file, .. } = request.source else {
            return Ok(Stores::Possible);
        };
        if request.nature == Nature::Raw {
            return Ok(Stores::Never);
        }
        let is_sealed = self.files.is_sealed(file, ANY_WRITE);
        match request.sharing {
            Sharing::Shared if is_sealed && request.rights.has(Rights::W) => Err(Refusal::EPERM),
            Sharing::Shared if is_sealed || self.is_archived(file) => Ok(Stores::Never),
            Sharing::Private | Sharing::Shared => Ok(Stores::Possible),
        }
    }
}
