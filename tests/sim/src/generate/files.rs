//! Files: which are mapped, where they get holes, and how they are sealed.
use super::Author;
use crate::files::Store;
use crate::op::{Growth, Nature, Op, Request, Rights, Sharing, Source, Span, seals};

/// What is sealed at a time: most often one thing alone.
const SEALS: [(u64, u32); 8] = [
    (3, seals::SHRINK),
    (3, seals::GROW),
    (4, seals::WRITE),
    (3, seals::FUTURE_WRITE),
    (1, seals::EXEC),
    (1, seals::SEAL),
    (1, seals::SHRINK | seals::GROW | seals::WRITE),
    (1, 0),
];

impl Author<'_> {
    pub(super) fn file(&mut self) -> usize {
        self.random.below(self.config.rules.files.len() as u64) as usize
    }

    pub(super) fn source(&mut self) -> (Source, Sharing) {
        if !self.random.chance(35) {
            let source = match self.random.below(12) {
                0 => Source::ZeroDevice {
                    offset: self.random.below(6),
                },
                _ => Source::Zero,
            };
            return (source, Sharing::Private);
        }
        let file = match self.random.chance(40) {
            true => self.disk_file(),
            false => self.file(),
        };
        let offset = match self.random.below(40) {
            0 => u64::MAX - self.random.below(8),
            _ => self.random.below(6),
        };
        let sharing = self
            .random
            .pick(&[Sharing::Private, Sharing::Shared, Sharing::Shared]);
        let sharing = match self.config.rules.files[file].store {
            Store::Object => Sharing::Shared,
            Store::Memory | Store::Archive | Store::Disk => sharing,
        };
        (Source::File { file, offset }, sharing)
    }

    pub(super) fn hole(&mut self) -> Span {
        let (start, pages) = (self.random.below(8 * 4096), self.random.between(0, 4));
        match self.random.below(2) {
            0 => Span {
                address: start & !4095,
                length: pages * 4096,
            },
            _ => Span {
                address: start,
                length: self.random.below(3 * 4096),
            },
        }
    }

    /// The request, or every second time that it would show a private page of what never changes, one like the kernel's own
    /// for the vDSO.
    pub(super) fn handed_to_the_kernel(&self, request: Request) -> Request {
        let number = request.span.address / 4096 % 4;
        let is_private = request.sharing == Sharing::Private;
        if number > 1 || !is_private || !self.is_archived(request.source) {
            return request;
        }
        let (nature, rights) = match number {
            0 => (Nature::Raw, Rights::R),
            _ => (Nature::Special, Rights::RX),
        };
        let span = Span {
            length: request.span.length.min(4096),
            ..request.span
        };
        Request {
            span,
            nature,
            rights,
            growth: Growth::Fixed,
            ..request
        }
    }

    pub(super) fn is_archived(&self, source: Source) -> bool {
        match source {
            Source::Zero | Source::ZeroDevice { .. } => false,
            Source::File { file, .. } => self.config.rules.files[file].store == Store::Archive,
        }
    }

    /// Seals a file, or lets another take its place, or no call would be left that a seal does not refuse. The others in
    /// memory stay as busy as they are.
    pub(super) fn seal(&mut self) -> Op {
        let mut files = self.config.rules.files.iter();
        let last = files.rposition(|file| file.store == Store::Memory);
        let file = last.unwrap_or_default();
        match self.random.below(3) {
            0 => Op::Evict(file),
            _ => Op::Seal(file, self.random.weighted(&SEALS)),
        }
    }
}
