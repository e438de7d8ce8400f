//! A disk that is there: its queue of requests, and those who wait for it.
//!
//! An interrupt only wakes; what is done is taken back with interrupts on and no lock held, by whoever waits for the
//! disk, or by whoever is next on the way to ring 3. A disk that stops answering is given up: it is reset, so that it lets
//! go of memory, and every request fails from then on.
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hint::spin_loop;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::Errno;

use super::batch::Batch;
use super::queue::{Action, Answer, Command, Extent, Queue};
use super::request::{Piece, Request};
use crate::arch::{percpu, timer};
use crate::fs::paged;
use crate::lock::{IrqLock, Rank};
use crate::process::{signal, waiting};
use crate::rate_limit::RateLimit;

/// How long a disk may take to answer, in nanoseconds. Linux gives most of them as long.
const PATIENCE: u64 = 30_000_000_000;

/// Requests that find room in line however little memory there is.
const ROOM: usize = 64;

/// How often a disk is asked whether it has answered, in nanoseconds: one that can't interrupt, and one whose interrupt may
/// have been lost.
const ASKED: u64 = 4_000_000;
const LOST: u64 = 1_000_000_000;

/// What a driver makes of a device. No method waits, and each is called with the queue's lock held.
pub(crate) trait Device: Send {
    /// What is known of it.
    fn facts(&self) -> Facts;

    /// Has the device read `sectors` into memory, write them from there, or flush what it keeps in a cache; false where it
    /// has no room for a command more.
    fn start(
        &mut self,
        command: Command,
        action: Action,
        sectors: Range<u64>,
        pieces: &mut dyn Iterator<Item = Piece>,
    ) -> bool;

    /// A command that the device is done with.
    fn finish(&mut self) -> Option<(Command, Answer)>;

    /// Whether there is one.
    fn has_finished(&self) -> bool;

    /// Makes the device let go of memory, for good.
    fn give_up(&mut self);
}

/// How a disk is reached, which decides what it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bus {
    Virtio,
    Nvme,
}

/// What is known of a disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    pub(crate) bus: Bus,
    pub(crate) sectors: u64,
    /// Bytes of its own sectors.
    pub(crate) sector_size: u32,
    pub(crate) is_read_only: bool,
    /// Whether what it has written is safe only when it was flushed.
    pub(crate) has_cache: bool,
    pub(crate) most_frames: usize,
    /// Whether it says by interrupt that it is done.
    pub(crate) interrupts: bool,
}

/// What a disk has done since boot.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) read: Done,
    pub(crate) written: Done,
    pub(crate) flushed: Done,
}

/// Commands of a kind that were answered, and their sectors.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) commands: AtomicU64,
    pub(crate) sectors: AtomicU64,
}

impl Counts {
    fn add(&self, action: Action, sectors: u64) {
        let done = match action {
            Action::Read => &self.read,
            Action::Write => &self.written,
            Action::Flush => &self.flushed,
        };
        done.commands.fetch_add(1, Relaxed);
        done.sectors.fetch_add(sectors, Relaxed);
    }
}

/// A disk.
pub(crate) struct Drive {
    /// Which of those on such a bus.
    pub(super) number: usize,
    facts: Facts,
    counts: Counts,
    state: IrqLock<State>,
}

struct State {
    queue: Queue<Request>,
    device: Box<dyn Device>,
    is_gone: bool,
    /// Sectors that somebody has the right to write.
    claims: Vec<Range<u64>>,
}

impl Drive {
    pub(super) fn try_new(device: impl Device + 'static) -> Result<Self, Errno> {
        let facts = device.facts();
        let mut queue = Queue::new(facts.most_frames);
        queue.reserve(ROOM).ok_or(Errno::ENOMEM)?;
        let state = State {
            queue,
            device: Box::try_new(device).map_err(|_| Errno::ENOMEM)?,
            is_gone: false,
            claims: Vec::new(),
        };
        Ok(Self {
            number: 0,
            facts,
            counts: Counts::default(),
            state: IrqLock::new(Rank::Disks, state),
        })
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How many reads and writes went with another's, and how many commands the device has now.
    pub(crate) fn joined_and_flying(&self) -> ([u64; 2], usize) {
        let state = self.state.lock();
        (state.queue.joined(), state.queue.flying())
    }

    /// What is waited for: a change of any request.
    fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// Gives the right to write `sectors` to one: `EROFS` where nobody can, `EBUSY` where another has it of some of them.
    pub(super) fn claim(&self, sectors: &Range<u64>) -> Result<(), Errno> {
        if self.facts.is_read_only {
            return Err(Errno::EROFS);
        }
        let mut state = self.state.lock();
        let is_taken = |claim: &Range<u64>| claim.start < sectors.end && sectors.start < claim.end;
        if state.claims.iter().any(is_taken) {
            return Err(Errno::EBUSY);
        }
        state.claims.try_reserve(1).map_err(|_| Errno::ENOMEM)?;
        state.claims.push(sectors.clone());
        Ok(())
    }

    /// Whether anybody has it.
    pub(crate) fn is_claimed(&self) -> bool {
        !self.state.lock().claims.is_empty()
    }

    /// Takes that right back.
    pub(super) fn disclaim(&self, sectors: &Range<u64>) {
        self.state.lock().claims.retain(|claim| claim != sectors);
    }

    /// Sends requests on their way, neighbours together; what writes where nobody has the right to has failed. May wait for
    /// room, for which no memory is needed.
    pub(super) fn send(&self, requests: impl IntoIterator<Item = Request>) {
        for mut request in requests {
            while let Some(refused) = self.try_push(request) {
                request = refused;
                self.state.lock().go_on();
                self.wait_out(|| self.state.lock().queue.has_room());
            }
        }
        self.state.lock().go_on();
    }

    /// Puts a request in line; gives it back where there is no room now.
    fn try_push(&self, request: Request) -> Option<Request> {
        let mut state = self.state.lock();
        if state.may_send(&request) {
            return state.queue.push(request).err();
        }
        drop(state);
        if may_say() {
            log::error!("a write to a disk that nobody asked to be written was refused");
        }
        request.finish(Answer::Failed);
        None
    }

    /// Has what was written survive the loss of power: all that was answered before.
    pub(crate) fn flush(&self) -> Result<(), Errno> {
        if !self.facts.has_cache {
            return Ok(());
        }
        let batch = Batch::try_new(0)?;
        batch.send_flush(self);
        self.wait_out(|| batch.is_over());
        batch.result()
    }

    /// Waits for what a request of whomever brings about; `EINTR` where the process has to end first. The caller holds no
    /// lock.
    pub(crate) fn wait_until(&self, is_over: impl Fn() -> bool) -> Result<(), Errno> {
        let is_dying = || percpu::try_with_current(|_| ()).is_some() && signal::is_dying();
        self.wait_out(|| is_over() || is_dying());
        if is_over() { Ok(()) } else { Err(Errno::EINTR) }
    }

    /// The same to the end, which comes: a disk that does not answer is given up.
    pub(crate) fn wait_out(&self, is_over: impl Fn() -> bool) {
        loop {
            self.take_back();
            if is_over() {
                return;
            }
            self.check_patience();
            if percpu::try_with_current(|_| ()).is_none() {
                // Boot: there is nobody else.
                spin_loop();
                continue;
            }
            let period = if self.facts.interrupts { LOST } else { ASKED };
            let look_again = || is_over() || self.has_news();
            waiting::wait(self.key(), Some(timer::nanoseconds() + period), look_again);
        }
    }

    fn has_news(&self) -> bool {
        self.state.lock().device.has_finished()
    }

    /// Has those look again who wait for the disk.
    pub(super) fn wake(&self) {
        waiting::wake(self.key());
    }

    /// Completes what is done.
    pub(super) fn take_back(&self) {
        let mut any = false;
        while let Some((request, answer)) = self.next_answered() {
            if answer == Answer::Failed {
                tell_of(&request);
            }
            request.finish(answer);
            any = true;
        }
        if any {
            self.wake();
            paged::collect_left_over();
        }
    }

    fn next_answered(&self) -> Option<(Request, Answer)> {
        let state = &mut *self.state.lock();
        while let Some((command, answer)) = state.device.finish() {
            let sectors = state.queue.sectors(command);
            let action = state.queue.action(command);
            self.counts.add(action, sectors.end - sectors.start);
            state.queue.end(command, answer);
        }
        state.go_on();
        state.queue.pop_answered()
    }

    /// Gives up a disk that owes an answer for too long.
    fn check_patience(&self) {
        let mut state = self.state.lock();
        if !state.queue.is_overdue(timer::nanoseconds()) {
            return;
        }
        log::error!(
            "a disk has not answered for {} s, and is given up",
            PATIENCE / 1_000_000_000
        );
        state.device.give_up();
        state.is_gone = true;
        state.go_on();
    }
}

/// Whether there may be a line more: programs can cause them, by reading a bad disk again and again.
fn may_say() -> bool {
    static LINES: RateLimit = RateLimit::new();
    let Some(left_out) = LINES.admit(timer::nanoseconds()) else {
        return false;
    };
    if left_out > 0 {
        log::warn!("{left_out} lines about disks that failed were left out");
    }
    true
}

fn tell_of(failed: &Request) {
    if !may_say() {
        return;
    }
    match failed.action() {
        Action::Read => log::warn!("a disk could not read sectors {:?}", failed.sectors()),
        Action::Write => log::warn!("a disk could not write sectors {:?}", failed.sectors()),
        Action::Flush => log::warn!("a disk could not flush its cache"),
    }
}

impl State {
    /// Whether a request reads, or writes what somebody has the right to.
    fn may_send(&self, request: &Request) -> bool {
        let sectors = request.sectors();
        let is_inside =
            |claim: &Range<u64>| claim.start <= sectors.start && sectors.end <= claim.end;
        request.action() != Action::Write || self.claims.iter().any(is_inside)
    }

    /// Gives the device as much as it takes.
    fn go_on(&mut self) {
        if self.is_gone {
            self.queue.fail_all();
        }
        while let Some(command) = self.queue.first() {
            let (action, sectors) = (self.queue.action(command), self.queue.sectors(command));
            let mut pieces = self.queue.parts(command).flat_map(Request::memory);
            if !self.device.start(command, action, sectors, &mut pieces) {
                return;
            }
            drop(pieces);
            self.queue.start_first(timer::nanoseconds() + PATIENCE);
        }
    }
}
