//! A disk that is there: its queue of requests, and those who wait for it.
//!
//! An interrupt only wakes; what is done is taken back with interrupts on and no lock held, by whoever waits for the
//! disk, or by whoever is next on the way to ring 3. A disk that stops answering is given up: it is reset, so that it lets
//! go of memory, and every request fails from then on.
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::hint::spin_loop;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use abi::Errno;
use mm::Frame;

use super::queue::{Answer, Command, Extent, Queue};
use super::request::{Request, Ticket};
use crate::arch::{percpu, timer};
use crate::lock::{IrqLock, Rank};
use crate::process::{signal, waiting};
use crate::rate_limit::RateLimit;

/// How long a disk may take to answer, in nanoseconds. Linux gives most of them as long.
const PATIENCE: u64 = 30_000_000_000;

/// How often a disk is asked whether it has answered, in nanoseconds: one that can't interrupt, and one whose interrupt may
/// have been lost.
const ASKED: u64 = 4_000_000;
const LOST: u64 = 1_000_000_000;

/// What a driver makes of a device. No method waits, and each is called with the queue's lock held.
pub(crate) trait Device: Send {
    /// What is known of it.
    fn facts(&self) -> Facts;

    /// Has the device read `sectors` into `frames`; false where it has no room for a command more.
    fn start(
        &mut self,
        command: Command,
        sectors: Range<u64>,
        frames: &mut dyn Iterator<Item = Frame>,
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
    pub(crate) most_frames: usize,
    /// Whether it says by interrupt that it is done.
    pub(crate) interrupts: bool,
}

/// What a disk has done since boot.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Commands that were answered.
    pub(crate) reads: AtomicU64,
    pub(crate) sectors: AtomicU64,
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
}

impl Drive {
    pub(super) fn try_new(device: impl Device + 'static) -> Result<Self, Errno> {
        let facts = device.facts();
        let state = State {
            queue: Queue::new(facts.most_frames),
            device: Box::try_new(device).map_err(|_| Errno::ENOMEM)?,
            is_gone: false,
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

    /// How many requests went with another's, and how many commands the device has now.
    pub(crate) fn joined_and_flying(&self) -> (u64, usize) {
        let state = self.state.lock();
        (state.queue.joined(), state.queue.flying())
    }

    /// What is waited for: a change of any request.
    fn key(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// Sends a request on its way. Where there is no memory to remember it, it has failed.
    pub(super) fn send(&self, request: Request) -> Result<Arc<Ticket>, Errno> {
        let ticket = request.ticket();
        let refused = {
            let mut state = self.state.lock();
            let refused = state.queue.push(request).err();
            state.go_on();
            refused
        };
        match refused {
            Some(request) => {
                request.finish(Answer::Failed);
                self.wake();
                Err(Errno::ENOMEM)
            }
            None => Ok(ticket),
        }
    }

    /// Waits for the answer: `EIO` where the disk failed, `EINTR` where the process has to end first.
    pub(super) fn wait_for(&self, ticket: &Ticket) -> Result<(), Errno> {
        self.wait_until(|| ticket.answer().is_some())?;
        match ticket.answer() {
            Some(Answer::Done) => Ok(()),
            _ => Err(Errno::EIO),
        }
    }

    /// Waits for what a request of whomever brings about; `EINTR` where the process has to end first. The caller holds no
    /// lock.
    pub(crate) fn wait_until(&self, is_over: impl Fn() -> bool) -> Result<(), Errno> {
        loop {
            self.take_back();
            if is_over() {
                return Ok(());
            }
            self.check_patience();
            if percpu::try_with_current(|_| ()).is_none() {
                // Boot: there is nobody else.
                spin_loop();
                continue;
            }
            if signal::is_dying() {
                return Err(Errno::EINTR);
            }
            let period = if self.facts.interrupts { LOST } else { ASKED };
            let look_again = || is_over() || self.has_news() || signal::is_dying();
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
        }
    }

    fn next_answered(&self) -> Option<(Request, Answer)> {
        let state = &mut *self.state.lock();
        while let Some((command, answer)) = state.device.finish() {
            let sectors = state.queue.sectors(command);
            self.counts.reads.fetch_add(1, Relaxed);
            self.counts
                .sectors
                .fetch_add(sectors.end - sectors.start, Relaxed);
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

/// Programs can cause such lines, by reading a bad disk again and again.
fn tell_of(failed: &Request) {
    static LINES: RateLimit = RateLimit::new();
    let Some(left_out) = LINES.admit(timer::nanoseconds()) else {
        return;
    };
    if left_out > 0 {
        log::warn!("{left_out} lines about disks that failed were left out");
    }
    log::warn!("a disk could not read sectors {:?}", failed.sectors());
}

impl State {
    /// Gives the device as much as it takes.
    fn go_on(&mut self) {
        if self.is_gone {
            self.queue.fail_all();
        }
        while let Some(command) = self.queue.first() {
            let sectors = self.queue.sectors(command);
            let mut frames = self.queue.parts(command).flat_map(Request::frames_to_fill);
            if !self.device.start(command, sectors, &mut frames) {
                return;
            }
            drop(frames);
            self.queue.start_first(timer::nanoseconds() + PATIENCE);
        }
    }
}
