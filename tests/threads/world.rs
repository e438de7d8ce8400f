//! What scenes are staged in: a world of few frames, spaces that threads share, and the loop around a page fault.
//!
//! The lock of a space is the kernel's: faults share it, changes exclude, and instructions take none.
use std::sync::Arc;

use crate::atomic::Ordering::Relaxed;
use crate::machine::{CPUS, Deed, Machine, run_on};
use crate::mm::machine::{PhysMem, WORDS};
use crate::mm::mmap::{Mapping, Place};
use crate::mm::mremap::{Remap, RemapFlags};
use crate::mm::opening::Opening;
use crate::mm::page_cache::{CachedFile, Read, ReadResult, Source};
use crate::mm::page_table::Levels;
use crate::mm::space::{Layout, Limits};
use crate::mm::{
    AddressSpace, Backing, Error, Frame, Memory, Outcome, PAGE_SIZE, Page, VmFlags, check,
};
use crate::sync::{Barrier, RwLock, RwLockReadGuard, RwLockWriteGuard};
use crate::{quietly, thread};

/// Where the scenes' areas begin: the last page of a last-level table, so that the next page needs another.
pub(crate) const FIRST: Page = Page::new(0x1ff);

/// Readable and writable.
pub(crate) const RW: VmFlags = VmFlags::READ.union(VmFlags::WRITE);

/// Memory whose frames are counted at the end.
pub(crate) struct World {
    /// What the spaces share.
    pub(crate) memory: Memory<Machine>,
    free: usize,
}

/// A space and its lock.
pub(crate) struct Space(RwLock<AddressSpace>);

impl World {
    /// A world with `frames` frames that can be given away.
    pub(crate) fn new(frames: u32) -> Self {
        let all = 0..frames + 1;
        let memory = Memory::new(
            Machine::new(all.end),
            std::slice::from_ref(&all),
            Levels::Four,
        );
        let memory = memory.expect("there is a frame for the zero page");
        let free = memory.free_frames();
        Self { memory, free }
    }

    /// A world with frames for everybody, some in each CPU's cache already: where a thread has to look for one in the
    /// others' caches it takes a thousand steps for that, and few of a scene's schedules are left for what it is about.
    pub(crate) fn roomy() -> Self {
        let world = Self::new(CPUS as u32 * 36);
        for cpu in (0..CPUS).rev() {
            run_on(cpu);
            let frame = world.memory.allocate(0).expect("there are many");
            world.memory.free(frame);
        }
        world
    }

    /// A space with `pages` pages of private memory, from [`FIRST`] on.
    pub(crate) fn space(&self, pages: u64, backing: Backing) -> Space {
        self.space_with(mapping(FIRST, pages, backing))
    }

    fn space_with(&self, request: Mapping) -> Space {
        let layout = Layout {
            mmap_base: FIRST + 0x1000,
            bottom_up_base: FIRST + 0x2000,
            heap_start: (FIRST + 0x3000).address(),
            data_size: 0,
        };
        let mut space = AddressSpace::new(&self.memory, layout, Limits::default())
            .expect("there is a frame for the root");
        let mapped = space.mmap(&self.memory, request);
        mapped.expect("the place is free");
        Space(RwLock::new(space))
    }

    /// A space with anonymous memory.
    pub(crate) fn anonymous(&self, pages: u64) -> Space {
        self.space(pages, Backing::Anonymous)
    }

    /// A file of `pages` pages, none in memory, whose words are [`World::content`].
    pub(crate) fn file(&self, pages: u64) -> Arc<CachedFile> {
        Arc::new(CachedFile::new(0, Source::Disk, pages * PAGE_SIZE))
    }

    /// A file of `pages` pages of zeroes that lives in memory.
    pub(crate) fn memory_file(&self, pages: u64) -> Arc<CachedFile> {
        Arc::new(CachedFile::new(1, Source::Memory, pages * PAGE_SIZE))
    }

    /// A space that shares the first `pages` pages of `file` with others.
    pub(crate) fn sharing(&self, pages: u64, file: &Arc<CachedFile>) -> Space {
        self.space_with(Self::shared_mapping(FIRST, pages, file))
    }

    /// A space that copies those of them that it writes.
    pub(crate) fn copying(&self, pages: u64, file: &Arc<CachedFile>) -> Space {
        let request = Self::shared_mapping(FIRST, pages, file);
        self.space_with(Mapping {
            flags: RW,
            ..request
        })
    }

    /// A request for the first `pages` pages of `file` at `page`, shared.
    pub(crate) fn shared_mapping(page: Page, pages: u64, file: &Arc<CachedFile>) -> Mapping {
        let file = file.clone();
        Mapping {
            flags: RW | VmFlags::SHARED,
            ..mapping(page, pages, Backing::File { file, offset: 0 })
        }
    }

    /// What the file holds in every word of page `index`.
    pub(crate) fn content(index: u64) -> u64 {
        1000 + index
    }

    /// Executes one instruction of a program; an error is how its fault ended instead.
    pub(crate) fn execute(
        &self,
        space: &Space,
        page: Page,
        word: usize,
        deed: Deed,
    ) -> Result<u64, Outcome> {
        let root = space.read().table().root();
        loop {
            if let Some(value) = self.memory.machine.instruction(root, page, word, deed) {
                return Ok(value);
            }
            let outcome = {
                let space = space.read();
                space.handle_fault(&self.memory, page.address(), deed.access())
            };
            self.settle(outcome)?;
        }
    }

    /// Does what an outcome asks for before the instruction may run again.
    pub(crate) fn settle(&self, outcome: Outcome) -> Result<(), Outcome> {
        match outcome {
            Outcome::Resolved(_) => Ok(()),
            Outcome::NeedsRead(read) => {
                self.complete(read, ReadResult::Filled);
                Ok(())
            }
            Outcome::Busy => {
                thread::yield_now();
                Ok(())
            }
            other => Err(other),
        }
    }

    /// Fills a read's frame, if it succeeds, and completes it.
    pub(crate) fn complete(&self, read: Read, result: ReadResult) {
        if result == ReadResult::Filled {
            let content = Self::content(read.index());
            let words = self.memory.machine.words(read.frame());
            quietly(|| words.iter().for_each(|word| word.store(content, Relaxed)));
        }
        read.complete(&self.memory, result);
    }

    /// A load that must succeed.
    pub(crate) fn load(&self, space: &Space, page: Page, word: usize) -> u64 {
        let loaded = self.execute(space, page, word, Deed::Load);
        loaded.unwrap_or_else(|outcome| panic!("a load ended with {outcome:?}"))
    }

    /// A store that must succeed.
    pub(crate) fn store(&self, space: &Space, page: Page, word: usize, value: u64) {
        if let Err(outcome) = self.execute(space, page, word, Deed::Store(value)) {
            panic!("a store ended with {outcome:?}");
        }
    }

    /// Stores to both ends of a page.
    pub(crate) fn store_ends(&self, space: &Space, page: Page, value: u64) {
        for word in ENDS {
            self.store(space, page, word, value);
        }
    }

    /// Fails unless all invariants hold for `spaces` and `files`, which are all there are.
    pub(crate) fn check(&self, spaces: &[&Space], files: &[&CachedFile]) {
        let guards: Vec<_> = spaces.iter().map(|space| space.read()).collect();
        let spaces: Vec<&AddressSpace> = guards.iter().map(|guard| &**guard).collect();
        let checked = quietly(|| check::check(&self.memory, &spaces, files));
        if let Err(broken) = checked {
            panic!("{broken}");
        }
    }

    /// Ends `space`, as `exit` does.
    pub(crate) fn end(&self, space: Space) {
        let space = space.0.into_inner().expect("no thread has panicked");
        self.memory.machine.deactivate(space.table().root());
        space.destroy(&self.memory);
    }

    /// Ends everything: each frame must come back.
    pub(crate) fn close(self, spaces: Vec<Space>, files: Vec<Arc<CachedFile>>) {
        let shown: Vec<&CachedFile> = files.iter().map(|file| &**file).collect();
        self.check(&spaces.iter().collect::<Vec<_>>(), &shown);
        for space in spaces {
            self.end(space);
        }
        for file in files {
            file.release(&self.memory);
        }
        self.check(&[], &[]);
        assert_eq!(self.memory.free_frames(), self.free, "frames are lost");
    }

    /// Takes frames away until `left` are free; give them back with [`World::restore`].
    pub(crate) fn hoard(&self, left: usize) -> Vec<Frame> {
        let count = self.memory.free_frames() - left;
        let take = |_| self.memory.allocate(0).expect("as many are free");
        (0..count).map(take).collect()
    }

    /// Gives hoarded frames back.
    pub(crate) fn restore(&self, hoard: Vec<Frame>) {
        hoard.into_iter().for_each(|frame| self.memory.free(frame));
    }
}

impl Space {
    /// The space as faults have it.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, AddressSpace> {
        self.0.read().expect("no thread has panicked")
    }

    /// The space as changes have it.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, AddressSpace> {
        self.0.write().expect("no thread has panicked")
    }

    /// A child, as `fork` makes it; the parent's other threads go on meanwhile.
    pub(crate) fn fork(&self, world: &World) -> Self {
        let child = self.write().fork(&world.memory);
        Self(RwLock::new(child.expect("memory is left")))
    }

    /// `mremap` of the `pages` pages at [`FIRST`] to `target`.
    pub(crate) fn remap(&self, world: &World, pages: u64, target: Page) {
        let request = Remap {
            address: FIRST.address(),
            old_length: pages * PAGE_SIZE,
            new_length: pages * PAGE_SIZE,
            flags: RemapFlags::MAY_MOVE | RemapFlags::FIXED,
            new_address: target.address(),
        };
        let moved = self.write().mremap(&world.memory, request);
        assert_eq!(moved, Ok(target.address()));
    }

    /// `munmap`.
    pub(crate) fn munmap(&self, world: &World, page: Page, pages: u64) -> Result<(), Error> {
        let mut space = self.write();
        space.munmap(&world.memory, page.address(), pages * PAGE_SIZE)
    }
}

/// A request for `pages` writable pages at `page`.
pub(crate) fn mapping(page: Page, pages: u64, backing: Backing) -> Mapping {
    Mapping {
        address: page.address(),
        length: pages * PAGE_SIZE,
        place: Place::Fixed,
        flags: RW,
        backing,
        opening: Opening::default(),
    }
}

/// Runs the threads side by side, each on a CPU of its own, the first on CPU 1. CPU 0 is the caller's. They begin together:
/// the first would often be over before the last is there.
pub(crate) fn side_by_side(threads: &[&(dyn Fn() + Sync)]) {
    let start = &Barrier::new(threads.len());
    thread::scope(|scope| {
        for (number, &body) in threads.iter().enumerate() {
            scope.spawn(move || {
                run_on(number + 1);
                start.wait();
                body();
            });
        }
    });
}

/// The words of a page, first and last, which no fault may tell apart.
pub(crate) const ENDS: [usize; 2] = [0, WORDS - 1];
