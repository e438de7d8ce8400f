//! A device that fills a page of a process while the process goes on: direct I/O.
//!
//! What arrives is as good as a store of the program at that moment: it is there afterwards, whatever was copied, shared or
//! written back meanwhile, unless the program has unmapped the page; where that was a file's and shared, the file has it.
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use mm::machine::WORDS;
use mm::pin::Pin;
use mm::{Access, AddressSpace};

use super::{Answer, World};
use crate::broken::{Sound, demand};
use crate::failing_heap::in_mm;
use crate::kernel::End;
use crate::op::{Disk, DiskResult, Kind, Meanwhile, Pid, Sharing, Span, Touch};
use crate::random::mix;

impl World {
    /// Pins the page of `address`, lets happen what shall, stores `word` and lets go.
    pub(super) fn device(
        &mut self,
        pid: Pid,
        address: u64,
        word: u64,
        meanwhile: Meanwhile,
    ) -> Sound<Answer> {
        let Some(space) = self.process(pid).map(|process| process.space.clone()) else {
            return Ok(Answer::Nothing);
        };
        let touch = |value| Touch {
            address,
            kind: Kind::Write(value),
            disk: Disk::Prompt,
        };
        let pin = match self.pin(&space, address)? {
            Ok(pin) => pin,
            Err(end) => {
                self.judge(pid, touch(word), end)?;
                return Ok(Answer::End(end));
            }
        };
        drop(space);
        // As far as the page itself goes the program has stored what was there.
        let old = self
            .process(pid)
            .map(|process| process.oracle.load(address));
        let old = old.unwrap_or_default();
        self.judge(pid, touch(old), End::Done(old))?;
        self.inspect()?;
        let shared = self.shared_page(pid, address >> 12);
        let is_there = self.let_happen(pid, address, meanwhile)?;
        self.inspect()?;
        let index = (address / 8) as usize % WORDS;
        let frame = pin.frame().number().into();
        let place = self.kernel.machine().word(frame, index);
        place
            .expect("a pinned frame is memory")
            .store(word, Relaxed);
        in_mm(|| pin.release(&self.kernel.memory));
        if is_there {
            self.judge(pid, touch(word), End::Done(word))?;
        } else if let Some((file, page)) = shared {
            self.contents.store((file, page, index), word);
        }
        Ok(Answer::Done)
    }

    /// The page of a file that `page` shares with all who see the file.
    fn shared_page(&mut self, pid: Pid, page: u64) -> Option<(usize, u64)> {
        let process = self.process(pid)?;
        let area = process.oracle.area_at(page)?;
        let is_shared = area.sharing == Sharing::Shared;
        area.file_page(page).filter(|_| is_shared)
    }

    fn pin(&mut self, space: &Rc<RefCell<AddressSpace>>, address: u64) -> Sound<Result<Pin, End>> {
        let kernel = self.kernel.clone();
        loop {
            let pinned = in_mm(|| space.borrow().pin(&kernel.memory, address, Access::Write));
            let outcome = match pinned {
                Ok(pin) => return Ok(Ok(pin)),
                Err(outcome) => outcome,
            };
            if let Some(end) = kernel.settle(space, address, outcome, Disk::Prompt)? {
                return Ok(Err(end));
            }
        }
    }

    /// Whether the process still has the page afterwards.
    fn let_happen(&mut self, pid: Pid, address: u64, meanwhile: Meanwhile) -> Sound<bool> {
        match meanwhile {
            Meanwhile::Nothing => {}
            Meanwhile::Forks(child) => {
                self.fork(pid, child)?;
            }
            Meanwhile::Unmaps => {
                let span = Span {
                    address: address & !4095,
                    length: 4096,
                };
                return Ok(self.unmap(pid, span)? != Answer::Done);
            }
            Meanwhile::Stores => {
                let touch = Touch {
                    address: address ^ 8,
                    kind: Kind::Write(mix(address)),
                    disk: Disk::Prompt,
                };
                let stored = self.touch(pid, touch, None)?;
                demand!(
                    matches!(stored, Answer::End(End::Done(_))),
                    "a store to a page that a device has: {stored}"
                );
            }
            Meanwhile::WritesBack => {
                for file in 0..self.files.len() {
                    while self.flush(file, 1)? == Answer::Done {}
                }
                self.kernel.finish_writes(DiskResult::Done)?;
            }
        }
        Ok(true)
    }
}
