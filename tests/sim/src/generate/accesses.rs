//! Loads, stores and fetches of programs, and the kernel's own reaching into their memory.
use super::Author;
use crate::op::{Disk, Kind, Op, Pid, Rival, Span, Touch};

impl Author<'_> {
    pub(super) fn touch(&mut self, pid: Pid) -> Op {
        let (word, area) = (self.word(), self.area(pid));
        let address = match self.random.below(300) {
            0 => 0xffff_8000_0000_0000 | self.random.word() >> 17,
            1 => self.random.word() >> 17,
            _ => self.places.touched_page(&mut self.random, area) * 4096,
        };
        let touch = Touch {
            address: (address & !4095) + word * 8,
            kind: self.kind(),
            disk: self
                .random
                .weighted(&[(70, Disk::Prompt), (22, Disk::Late), (8, Disk::Broken)]),
        };
        let rival = self.random.chance(10).then(|| Rival {
            cpu: self.cpu(),
            word: self.word(),
            kind: self.kind(),
        });
        Op::Touch(pid, touch, rival)
    }

    fn kind(&mut self) -> Kind {
        match self.random.below(20) {
            0..9 => Kind::Read,
            9 => Kind::Execute,
            _ => Kind::Write(self.random.word()),
        }
    }

    /// Few words, so that they meet again; the first and last of a page among them.
    fn word(&mut self) -> u64 {
        self.random.pick(&[0, 1, 7, 64, 255, 256, 510, 511])
    }

    /// A range of bytes that may cross words and pages.
    pub(super) fn bytes(&mut self, pid: Pid) -> Span {
        let area = self.area(pid);
        let page = match self.random.below(50) {
            0 => 0xf_ffff_8000_0000 + self.random.below(1 << 20),
            _ => self.places.page(&mut self.random, area),
        };
        let offset = self.random.pick(&[0, 3, 8, 2040, 4070, 4088, 4095]);
        Span {
            address: page * 4096 + offset,
            length: self.random.between(0, 40),
        }
    }
}
