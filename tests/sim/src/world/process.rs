//! Processes begin, replace themselves, fork, share a space and end. The last to leave a space takes it down.
use std::cell::RefCell;
use std::rc::Rc;

use mm::space::{Layout, Limits};
use mm::{AddressSpace, OutOfMemory, Page};

use super::{Answer, Fired, World, did};
use crate::broken::{Sound, demand};
use crate::failing_heap::in_mm;
use crate::op::{Limit, Pid};
use crate::oracle::{Oracle, Overcommit, Refusal};
use crate::plan::program;

/// The memory of a process, or of several that share it, on both sides.
pub(super) struct Process {
    /// What `mm` has.
    pub(super) space: Rc<RefCell<AddressSpace>>,
    /// What should be.
    pub(super) oracle: Oracle,
}

impl Process {
    /// The number of the top-level table's frame.
    pub(super) fn root(&self) -> u64 {
        self.space.borrow().table().root().number().into()
    }
}

impl World {
    pub(super) fn spawn(&mut self, pid: Pid) -> Sound<Answer> {
        if !matches!(self.processes.get(pid), Some(None)) {
            return Ok(Answer::Nothing);
        }
        self.begin(pid)
    }

    /// The old program goes only when the new one stands, as in execve(2).
    pub(super) fn exec(&mut self, pid: Pid) -> Sound<Answer> {
        let Some(old) = self.processes.get_mut(pid).and_then(Option::take) else {
            return Ok(Answer::Nothing);
        };
        let answer = self.begin(pid)?;
        match self.processes[pid] {
            Some(_) => self.leave(old),
            None => self.processes[pid] = Some(old),
        }
        Ok(answer)
    }

    fn begin(&mut self, pid: Pid) -> Sound<Answer> {
        let rules = &self.config.rules;
        let layout = Layout {
            mmap_base: Page::new(rules.mmap_base),
            bottom_up_base: Page::new(rules.bottom_up_base),
            heap_start: rules.heap_start,
            data_size: rules.data_size,
        };
        let limits = Limits {
            address_space: rules.address_space,
            data: rules.data,
            data_hard: rules.data_hard,
            stack: rules.stack,
            locked: rules.locked,
        };
        let memory = &self.kernel.memory;
        let space = match self.call(|| AddressSpace::new(memory, layout, limits)) {
            (Ok(space), _) => space,
            (Err(OutOfMemory), Fired::Yes) => return Ok(Answer::HeapFailed),
            (Err(OutOfMemory), Fired::No) => {
                let free = self.kernel.frames_left();
                demand!(free == 0, "no new space, but {free} frames are free");
                return Ok(Answer::Refused(Refusal::ENOMEM));
            }
        };
        let oracle = Oracle::new(rules.clone(), self.contents.clone());
        let space = Rc::new(RefCell::new(space));
        self.enter(pid, Process { space, oracle });
        for segment in program(self.config.stack_top) {
            self.map(pid, &segment)?;
        }
        Ok(Answer::Done)
    }

    pub(super) fn fork(&mut self, parent: Pid, child: Pid) -> Sound<Answer> {
        let has_room = matches!(self.processes.get(child), Some(None));
        let Some(process) = self.process(parent).filter(|_| has_room) else {
            return Ok(Answer::Nothing);
        };
        let (space, root) = (process.space.clone(), process.root());
        let oracle = process.oracle.child();
        let (free, tables) = (
            self.kernel.memory.free_frames(),
            1 + self.kernel.mmu().tables(root).len(),
        );
        self.tell_of_others(parent);
        let may_fork = self
            .process(parent)
            .is_some_and(|process| process.oracle.may_fork());
        let kernel = self.kernel.clone();
        let (result, fired) = self.call(|| space.borrow_mut().fork(&kernel.memory));
        match result {
            Ok(space) => {
                demand!(may_fork, "fork promised what it must not");
                let space = Rc::new(RefCell::new(space));
                self.enter(child, Process { space, oracle });
                Ok(Answer::Done)
            }
            Err(OutOfMemory) if fired == Fired::Yes => Ok(Answer::HeapFailed),
            Err(OutOfMemory) => {
                // Each page that a device has is copied.
                let needed = tables + self.kernel.pinned_frames();
                demand!(
                    free.min(kernel.frames_left()) < needed || !may_fork,
                    "fork needs {needed} frames at most, but failed with {free} frames free"
                );
                Ok(Answer::Refused(Refusal::ENOMEM))
            }
        }
    }

    /// setrlimit(2), for all who run in the same space.
    pub(super) fn limit(&mut self, pid: Pid, limit: Limit, bytes: u64) -> Answer {
        let Some(process) = self.process(pid) else {
            return Answer::Nothing;
        };
        let mut space = process.space.borrow_mut();
        let limits = &mut space.limits;
        *match limit {
            Limit::AddressSpace => &mut limits.address_space,
            Limit::Data => &mut limits.data,
            Limit::DataHard => &mut limits.data_hard,
            Limit::Stack => &mut limits.stack,
            Limit::Locked => &mut limits.locked,
        } = bytes;
        process.oracle.limit(limit, bytes);
        Answer::Done
    }

    /// sysctl(8), for all there are and those to come.
    pub(super) fn set_overcommit(&mut self, mode: Overcommit, ratio: u32) -> Answer {
        let memory = &self.kernel.memory;
        memory.set_overcommit(super::mode_of(mode));
        memory.set_overcommit_ratio(ratio);
        let rules = &mut self.config.rules;
        (rules.overcommit, rules.overcommit_ratio) = (mode, ratio);
        for process in self.spaces.iter_mut().flatten() {
            process.oracle.set_overcommit(mode, ratio);
        }
        Answer::Done
    }

    pub(super) fn share(&mut self, parent: Pid, child: Pid) -> Answer {
        let space = self.processes.get(parent).copied().flatten();
        let has_room = matches!(self.processes.get(child), Some(None));
        let Some(space) = space.filter(|_| has_room) else {
            return Answer::Nothing;
        };
        self.processes[child] = Some(space);
        Answer::Done
    }

    pub(super) fn exit(&mut self, pid: Pid) -> Answer {
        let space = self.processes.get_mut(pid).and_then(Option::take);
        did(space.map(|space| self.leave(space)).is_some())
    }

    /// Lets `pid` run in a space that is new.
    fn enter(&mut self, pid: Pid, process: Process) {
        let vacant = self.spaces.iter().position(Option::is_none);
        let space = vacant.expect("there are more places than processes");
        self.spaces[space] = Some(process);
        self.processes[pid] = Some(space);
    }

    fn leave(&mut self, space: usize) {
        if self.processes.contains(&Some(space)) {
            return;
        }
        if let Some(process) = self.spaces[space].take() {
            self.kernel.machine().deactivate(process.root());
            let space = Rc::into_inner(process.space).expect("nobody else has the space now");
            in_mm(|| space.into_inner().destroy(&self.kernel.memory));
            self.forget_objects();
        }
    }
}
