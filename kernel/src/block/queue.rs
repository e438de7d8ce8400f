//! Requests on their way: in line, joined with their neighbours, with the device, answered.
//!
//! Nothing here knows devices or pages, so it is tested on the workstation. Requests stand in slots and are linked by
//! number: once one was taken in, no step of its way needs memory, so none can fail. Neighbours that are still in line
//! become one command; where that fails each is tried once more alone, so an error meets only those whom it concerns.
//!
//! A device may carry out what it has in any order. So a command that shares sectors with one that it has, where either
//! writes, waits in line until that was answered, and nobody behind it goes before it.
use alloc::vec::Vec;
use core::ops::Range;

use super::list::{Linked, List};

/// How many commands in line are looked at for a neighbour, so that this is soon over.
const LOOK: usize = 64;

/// What the device is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Read,
    Write,
    /// Make last what it has answered as written.
    Flush,
}

/// What a queue must know of a request.
pub(crate) trait Extent {
    fn action(&self) -> Action;
    /// The sectors that it is about; none for a flush.
    fn sectors(&self) -> Range<u64>;
    /// In how many pieces of memory they lie.
    fn pieces(&self) -> usize;
    /// Whether the first piece begins where a page does, and the last one ends where one does: devices want it so of
    /// everything inside a command.
    fn is_aligned(&self) -> (bool, bool);
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Answer {
    Done = 1,
    Failed = 2,
}

/// One request or several neighbours, as the device is told of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Command(u32);

struct Slot<R> {
    /// `None` where the slot is free.
    request: Option<R>,
    /// The next one in the list in which this one's command stands.
    next: Option<u32>,
    /// The next request of the same command.
    part: Option<u32>,
    action: Action,
    /// Of the command that begins here: its last request, its sectors, its pieces and how they lie in pages.
    last: u32,
    sectors: Range<u64>,
    pieces: usize,
    is_aligned: (bool, bool),
    /// By when the device is to have answered, in nanoseconds since boot.
    deadline: u64,
    may_join: bool,
    answer: Answer,
}

/// The requests to one device.
pub(crate) struct Queue<R> {
    slots: Vec<Slot<R>>,
    free: List,
    waiting: List,
    /// With the device, the one that went first in front.
    flying: List,
    /// One by one.
    answered: List,
    most_pieces: usize,
    /// Reads, writes.
    joined: [u64; 2],
    /// How many of the requests write.
    writes: usize,
}

impl<R: Extent> Queue<R> {
    /// An empty queue, whose commands have at most so many pieces.
    pub(crate) const fn new(most_pieces: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: List::new(),
            waiting: List::new(),
            flying: List::new(),
            answered: List::new(),
            most_pieces,
            joined: [0; 2],
            writes: 0,
        }
    }

    /// Has room for so many requests more, whatever memory there will be; `None` where there is too little now.
    pub(crate) fn reserve(&mut self, requests: usize) -> Option<()> {
        self.slots.try_reserve(requests).ok()?;
        for _ in 0..requests {
            let slot = self.slots.len() as u32;
            self.slots.push(Slot::new());
            self.free.push(&mut self.slots, slot);
        }
        Some(())
    }

    /// Whether there is room for a request more.
    pub(crate) fn has_room(&self) -> bool {
        self.free.first().is_some() || self.slots.len() < self.slots.capacity()
    }

    /// Takes a request in; gives it back where there is no room, and no memory for more.
    pub(crate) fn push(&mut self, request: R) -> Result<(), R> {
        let Some(slot) = self.free_slot() else {
            return Err(request);
        };
        self.writes += usize::from(request.action() == Action::Write);
        self.put(slot, request);
        if !self.join(slot) {
            self.waiting.push(&mut self.slots, slot);
        }
        Ok(())
    }

    fn free_slot(&mut self) -> Option<u32> {
        if let Some(slot) = self.free.pop(&mut self.slots) {
            return Some(slot);
        }
        self.slots.try_reserve(1).ok()?;
        self.slots.push(Slot::new());
        Some(self.slots.len() as u32 - 1)
    }

    fn put(&mut self, number: u32, request: R) {
        self.slots[number as usize] = Slot {
            action: request.action(),
            sectors: request.sectors(),
            pieces: request.pieces(),
            is_aligned: request.is_aligned(),
            last: number,
            request: Some(request),
            ..Slot::new()
        };
    }

    /// Makes the request in slot `new` part of a command in line, behind or before which its sectors are.
    fn join(&mut self, new: u32) -> bool {
        let Some(command) = self.neighbour(new) else {
            return false;
        };
        if self.fits(command, new) {
            self.append(command, new);
        } else {
            self.prepend(command, new);
        }
        let is_write = self.slot(command).action == Action::Write;
        self.joined[usize::from(is_write)] += 1;
        true
    }

    /// A command in line that the request in slot `new` may become part of: so it must not overtake what it conflicts with.
    fn neighbour(&self, new: u32) -> Option<u32> {
        let mut found = None;
        let mut next = self.waiting.first();
        for _ in 0..LOOK {
            let Some(command) = next else { return found };
            if found.is_some() && self.conflict(command, new) {
                return None;
            }
            if found.is_none() && (self.fits(command, new) || self.fits(new, command)) {
                found = Some(command);
            }
            next = self.slots[command as usize].next;
        }
        found.filter(|_| self.writes == 0)
    }

    /// Whether command `behind` may follow on `front`.
    fn fits(&self, front: u32, behind: u32) -> bool {
        let (front, behind) = (&self.slots[front as usize], &self.slots[behind as usize]);
        front.may_join
            && behind.may_join
            && front.action == behind.action
            && front.action != Action::Flush
            && front.sectors.end == behind.sectors.start
            && front.is_aligned.1
            && behind.is_aligned.0
            && front.pieces + behind.pieces <= self.most_pieces
    }

    /// Whether it matters which of two commands comes first.
    fn conflict(&self, one: u32, other: u32) -> bool {
        let (one, other) = (&self.slots[one as usize], &self.slots[other as usize]);
        (one.action == Action::Write || other.action == Action::Write)
            && one.sectors.start < other.sectors.end
            && other.sectors.start < one.sectors.end
    }

    fn append(&mut self, command: u32, new: u32) {
        let behind = self.slot(new);
        let (end, pieces, is_aligned) = (behind.sectors.end, behind.pieces, behind.is_aligned.1);
        let last = self.slot(command).last;
        self.slot(last).part = Some(new);
        let head = self.slot(command);
        head.last = new;
        head.sectors.end = end;
        head.pieces += pieces;
        head.is_aligned.1 = is_aligned;
    }

    /// Swaps the two requests' slots, so that the command keeps its place in line.
    fn prepend(&mut self, command: u32, new: u32) {
        let (old, rest) = (self.slot(command).request.take(), self.slot(command).part);
        let request = self.slot(new).request.take();
        let behind = self.slot(new);
        let (start, pieces, is_aligned) =
            (behind.sectors.start, behind.pieces, behind.is_aligned.0);
        behind.request = old;
        behind.part = rest;
        let head = self.slot(command);
        head.request = request;
        head.part = Some(new);
        head.sectors.start = start;
        head.pieces += pieces;
        head.is_aligned.0 = is_aligned;
        if head.last == command {
            head.last = new;
        }
    }

    fn slot(&mut self, number: u32) -> &mut Slot<R> {
        &mut self.slots[number as usize]
    }

    /// The command that is to go to the device next, if the device has none that must be over before.
    pub(crate) fn first(&self) -> Option<Command> {
        let first = self.waiting.first()?;
        let mut next = self.flying.first();
        while let Some(command) = next {
            if self.conflict(command, first) {
                return None;
            }
            next = self.slots[command as usize].next;
        }
        Some(Command(first))
    }

    /// What a command has the device do.
    pub(crate) fn action(&self, command: Command) -> Action {
        self.slots[command.0 as usize].action
    }

    /// The sectors of a command.
    pub(crate) fn sectors(&self, command: Command) -> Range<u64> {
        self.slots[command.0 as usize].sectors.clone()
    }

    /// The requests of a command, by their sectors.
    pub(crate) fn parts(&self, command: Command) -> impl Iterator<Item = &R> {
        let mut next = Some(command.0);
        core::iter::from_fn(move || {
            let slot = &self.slots[next? as usize];
            next = slot.part;
            slot.request.as_ref()
        })
    }

    /// The first command in line went to the device, which is to answer by `deadline`, later than all before it.
    pub(crate) fn start_first(&mut self, deadline: u64) {
        if let Some(command) = self.waiting.pop(&mut self.slots) {
            self.slot(command).deadline = deadline;
            self.flying.push(&mut self.slots, command);
        }
    }

    /// Whether the device owes an answer since before `now`.
    pub(crate) fn is_overdue(&self, now: u64) -> bool {
        let first = self.flying.first();
        first.is_some_and(|first| self.slots[first as usize].deadline < now)
    }

    /// How many commands the device has.
    pub(crate) fn flying(&self) -> usize {
        let mut next = self.flying.first();
        let mut count = 0;
        while let Some(command) = next {
            count += 1;
            next = self.slots[command as usize].next;
        }
        count
    }

    /// How many reads and how many writes were joined to another's.
    pub(crate) fn joined(&self) -> [u64; 2] {
        self.joined
    }

    /// The device has answered. What it never had is not counted as an answer: devices are not trusted.
    pub(crate) fn end(&mut self, command: Command, answer: Answer) {
        if self.flying.remove(&mut self.slots, command.0) {
            let is_joined = self.slot(command.0).part.is_some();
            let again = answer == Answer::Failed && is_joined;
            self.take_apart(command.0, (!again).then_some(answer));
        }
    }

    /// Answers each request of a command; `None` sends each alone, before all that are in line: some may have waited for
    /// the command.
    fn take_apart(&mut self, command: u32, answer: Option<Answer>) {
        let mut again = List::new();
        self.take_parts(command, answer, &mut again);
        let line = core::mem::replace(&mut self.waiting, again);
        self.waiting.append(&mut self.slots, line);
    }

    fn take_parts(&mut self, command: u32, answer: Option<Answer>, again: &mut List) {
        let mut next = Some(command);
        while let Some(number) = next {
            next = self.slot(number).part;
            let Some(request) = self.slot(number).request.take() else {
                return;
            };
            self.put(number, request);
            self.slot(number).may_join = false;
            match answer {
                Some(answer) => {
                    self.slot(number).answer = answer;
                    self.answered.push(&mut self.slots, number);
                }
                None => again.push(&mut self.slots, number),
            }
        }
    }

    /// The device is gone: everything that it had or was to have has failed.
    pub(crate) fn fail_all(&mut self) {
        while let Some(command) = self.flying.pop(&mut self.slots) {
            self.take_apart(command, Some(Answer::Failed));
        }
        while let Some(command) = self.waiting.pop(&mut self.slots) {
            self.take_apart(command, Some(Answer::Failed));
        }
    }

    /// A request that has been answered.
    pub(crate) fn pop_answered(&mut self) -> Option<(R, Answer)> {
        let number = self.answered.pop(&mut self.slots)?;
        let slot = self.slot(number);
        let (request, answer) = (slot.request.take()?, slot.answer);
        self.writes -= usize::from(request.action() == Action::Write);
        self.free.push(&mut self.slots, number);
        Some((request, answer))
    }
}

impl<R> Linked for Slot<R> {
    fn next(&mut self) -> &mut Option<u32> {
        &mut self.next
    }
}

impl<R> Slot<R> {
    const fn new() -> Self {
        Self {
            request: None,
            next: None,
            part: None,
            last: 0,
            action: Action::Read,
            sectors: 0..0,
            pieces: 0,
            is_aligned: (false, false),
            deadline: 0,
            may_join: true,
            answer: Answer::Failed,
        }
    }
}
