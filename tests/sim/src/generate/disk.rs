//! What the disk does, and to which files.
use super::Author;
use crate::files::Store;
use crate::op::{DiskResult, Meanwhile, Op, Pid};

impl Author<'_> {
    pub(super) fn finish_read(&mut self) -> Op {
        Op::FinishRead {
            skip: self.random.below(4) as usize,
            result: self.disk_result(),
        }
    }

    /// A word that goes past the processor.
    pub(super) fn device(&mut self, pid: Pid) -> Op {
        let address = self.bytes(pid).address & !7;
        let child = self.pid();
        let meanwhile = self.random.pick(&[
            Meanwhile::Nothing,
            Meanwhile::Forks(child),
            Meanwhile::Unmaps,
            Meanwhile::Stores,
            Meanwhile::WritesBack,
        ]);
        Op::Device(pid, address, self.random.word(), meanwhile)
    }

    pub(super) fn disk_result(&mut self) -> DiskResult {
        self.random.pick(&[
            DiskResult::Done,
            DiskResult::Done,
            DiskResult::Done,
            DiskResult::Failed,
        ])
    }

    /// One that is written back.
    pub(super) fn disk_file(&mut self) -> usize {
        let files = self.config.rules.files.iter().enumerate();
        let on_disk = files.filter(|(_, file)| file.store == Store::Disk);
        let numbers: Vec<usize> = on_disk.map(|(number, _)| number).collect();
        self.random.pick(&numbers)
    }
}
