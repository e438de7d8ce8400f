//! The table of descriptors by which a process holds its open files.
//!
//! There may be hundreds of thousands, and to copy, to search or to enlarge their table then takes milliseconds: its lock
//! leaves interrupts on, and whoever has to wait for it lets others run.
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

use abi::Errno;
use abi::general::O_RDWR;
use mm::OutOfMemory;
use spin::rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::locks;
use super::locks::table::Owner;
use super::open::OpenFile;
use super::stream::Stream;
use crate::arch::percpu;
use crate::process::sched;

/// What becomes of a descriptor at `execve`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnExec {
    Keep,
    Close,
}

/// A place in the table.
#[derive(Clone)]
pub(crate) struct Descriptor {
    pub(crate) file: Arc<OpenFile>,
    pub(crate) on_exec: OnExec,
}

/// Descriptors by number.
type Table = Vec<Option<Descriptor>>;

/// The descriptors of a process.
pub(crate) struct Files {
    table: RwLock<Table>,
    /// The process's number once it took a lock by fcntl(2), before that 0: to close any descriptor of a file gives up all
    /// locks that the process has there.
    locker: AtomicU32,
}

impl Files {
    fn new(table: Table) -> Self {
        Self {
            table: RwLock::new(table),
            locker: AtomicU32::new(0),
        }
    }

    /// Waits until nobody changes the table. The caller holds no lock: it may have to let others run.
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        debug_assert_eq!(
            percpu::ranks(),
            0,
            "descriptors are waited for with a lock held"
        );
        loop {
            match self.table.try_read() {
                Some(table) => return table,
                None => sched::yield_now(),
            }
        }
    }

    /// Waits until nobody uses the table, in the same way.
    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        debug_assert_eq!(
            percpu::ranks(),
            0,
            "descriptors are waited for with a lock held"
        );
        loop {
            match self.table.try_write() {
                Some(table) => return table,
                None => sched::yield_now(),
            }
        }
    }

    /// No descriptor at all: the kernel's own.
    pub(crate) fn none() -> Self {
        Self::new(Vec::new())
    }

    /// 0, 1 and 2 are the console.
    pub(crate) fn with_console() -> Result<Self, OutOfMemory> {
        let console = OpenFile::try_new(Stream, O_RDWR)?;
        let mut table = Vec::new();
        table.try_reserve_exact(3)?;
        table.resize(
            3,
            Some(Descriptor {
                file: console,
                on_exec: OnExec::Keep,
            }),
        );
        Ok(Self::new(table))
    }

    /// The same descriptors for a child.
    pub(crate) fn fork(&self) -> Result<Self, OutOfMemory> {
        let table = self.read();
        let mut copy = Vec::new();
        copy.try_reserve_exact(table.len())?;
        copy.extend(table.iter().cloned());
        Ok(Self::new(copy))
    }

    /// What descriptor `number` stands for.
    pub(crate) fn get(&self, number: u64) -> Result<Descriptor, Errno> {
        let table = self.read();
        let place = usize::try_from(number)
            .ok()
            .and_then(|number| table.get(number)?.as_ref());
        place.cloned().ok_or(Errno::EBADF)
    }

    /// Gives `descriptor` the lowest free number of `numbers`.
    pub(crate) fn add(
        &self,
        descriptor: Descriptor,
        numbers: Range<usize>,
    ) -> Result<usize, Errno> {
        let mut table = self.write();
        let free = numbers
            .into_iter()
            .find(|&number| table.get(number).is_none_or(Option::is_none));
        let number = free.ok_or(Errno::EMFILE)?;
        make_room(&mut table, number)?;
        table[number] = Some(descriptor);
        Ok(number)
    }

    /// `EMFILE` where none of the first `limit` numbers is free.
    pub(crate) fn check_room(&self, limit: usize) -> Result<(), Errno> {
        let table = self.read();
        if table.len() < limit || table[..limit].iter().any(Option::is_none) {
            Ok(())
        } else {
            Err(Errno::EMFILE)
        }
    }

    /// Gives `descriptor` the number `number`, in the place of what was there.
    pub(crate) fn put(&self, descriptor: Descriptor, number: usize) -> Result<(), Errno> {
        let mut table = self.write();
        make_room(&mut table, number)?;
        let old = table[number].replace(descriptor);
        drop(table);
        if let Some(old) = old {
            self.let_go(old);
        }
        Ok(())
    }

    /// How many places the table has, taken or not.
    pub(crate) fn places(&self) -> usize {
        self.read().len()
    }

    /// Bytes of the heap that the table takes.
    pub(crate) fn bytes(&self) -> usize {
        self.read().capacity() * size_of::<Option<Descriptor>>()
    }

    /// Changes what becomes of descriptor `number` at `execve`.
    pub(crate) fn set_on_exec(&self, number: u64, on_exec: OnExec) -> Result<(), Errno> {
        let mut table = self.write();
        let place = usize::try_from(number)
            .ok()
            .and_then(|number| table.get_mut(number)?.as_mut());
        place.ok_or(Errno::EBADF)?.on_exec = on_exec;
        Ok(())
    }

    /// Frees descriptor `number`.
    pub(crate) fn close(&self, number: u64) -> Result<(), Errno> {
        let old = {
            let mut table = self.write();
            usize::try_from(number)
                .ok()
                .and_then(|number| table.get_mut(number)?.take())
        };
        old.map(|old| self.let_go(old)).ok_or(Errno::EBADF)
    }

    /// In whose name the process, which has this number, takes locks.
    pub(crate) fn as_owner(&self, pid: u32) -> Owner {
        self.locker.store(pid, Relaxed);
        Owner::Process(pid)
    }

    fn let_go(&self, old: Descriptor) {
        let locker = self.locker.load(Relaxed);
        if locker != 0 && !old.file.is_path() {
            locks::forget(Owner::Process(locker), Some(locks::file_of(&old.file)));
        }
    }

    /// Frees those that don't outlive `execve`.
    pub(crate) fn close_on_exec(&self) {
        let count = self.places();
        for number in 0..count as u64 {
            if self
                .get(number)
                .is_ok_and(|descriptor| descriptor.on_exec == OnExec::Close)
            {
                let closed = self.close(number);
                debug_assert!(closed.is_ok(), "descriptor {number} was there");
            }
        }
    }

    /// Frees all of them.
    pub(crate) fn close_all(&self) {
        let table = core::mem::take(&mut *self.write());
        match self.locker.swap(0, Relaxed) {
            0 => {}
            locker => locks::forget(Owner::Process(locker), None),
        }
        drop(table);
    }
}

fn make_room(table: &mut Table, number: usize) -> Result<(), Errno> {
    let missing = (number + 1).saturating_sub(table.len());
    table.try_reserve(missing).map_err(|_| Errno::ENOMEM)?;
    table.resize(table.len() + missing, None);
    Ok(())
}
