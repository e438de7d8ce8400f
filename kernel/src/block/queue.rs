//! Requests on their way: in line, joined with their neighbours, with the device, answered.
//!
//! Nothing here knows devices or pages, so it is tested on the workstation. Requests stand in slots and are linked by
//! number: once one was taken in, no step of its way needs memory, so none can fail. Neighbours that are still in line
//! become one command; where that fails each is tried once more alone, so an error meets only those whom it concerns.
use alloc::vec::Vec;
use core::ops::Range;

/// Sectors that fill a frame.
const SECTORS_A_FRAME: u64 = 8;

/// How many commands in line are looked at for a neighbour, so that this is soon over.
const LOOK: usize = 64;

/// What a queue must know of a request.
pub(crate) trait Extent {
    /// The sectors that it is about.
    fn sectors(&self) -> Range<u64>;
    /// How many frames they fill.
    fn frames(&self) -> usize;
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
    /// Of the command that begins here: its last request, its sectors, its frames.
    last: u32,
    sectors: Range<u64>,
    frames: usize,
    /// By when the device is to have answered, in nanoseconds since boot.
    deadline: u64,
    may_join: bool,
    answer: Answer,
}

/// Slots in the order in which they came.
#[derive(Clone, Copy, Default)]
struct List {
    ends: Option<(u32, u32)>,
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
    most_frames: usize,
    joined: u64,
}

impl<R: Extent> Queue<R> {
    /// An empty queue, whose commands have at most so many frames.
    pub(crate) const fn new(most_frames: usize) -> Self {
        const NOBODY: List = List { ends: None };
        Self {
            slots: Vec::new(),
            free: NOBODY,
            waiting: NOBODY,
            flying: NOBODY,
            answered: NOBODY,
            most_frames,
            joined: 0,
        }
    }

    /// Takes a request in; gives it back where there is no memory for that.
    pub(crate) fn push(&mut self, request: R) -> Result<(), R> {
        let Some(slot) = self.free_slot() else {
            return Err(request);
        };
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
            sectors: request.sectors(),
            frames: request.frames(),
            last: number,
            request: Some(request),
            ..Slot::new()
        };
    }

    /// Makes the request in slot `new` part of a command in line, behind or before which its sectors are.
    fn join(&mut self, new: u32) -> bool {
        let mut next = self.waiting.first();
        for _ in 0..LOOK {
            let Some(command) = next else { break };
            if self.fits(command, new) {
                self.append(command, new);
                return true;
            }
            if self.fits(new, command) {
                self.prepend(command, new);
                return true;
            }
            next = self.slots[command as usize].next;
        }
        false
    }

    /// Whether command `behind` may follow on `front`. All frames but the last must be full.
    fn fits(&self, front: u32, behind: u32) -> bool {
        let (front, behind) = (&self.slots[front as usize], &self.slots[behind as usize]);
        let length = front.sectors.end - front.sectors.start;
        front.may_join
            && behind.may_join
            && front.sectors.end == behind.sectors.start
            && length == front.frames as u64 * SECTORS_A_FRAME
            && front.frames + behind.frames <= self.most_frames
    }

    fn append(&mut self, command: u32, new: u32) {
        let (end, frames) = (self.slot(new).sectors.end, self.slot(new).frames);
        let last = self.slot(command).last;
        self.slot(last).part = Some(new);
        let head = self.slot(command);
        head.last = new;
        head.sectors.end = end;
        head.frames += frames;
        self.joined += 1;
    }

    /// Swaps the two requests' slots, so that the command keeps its place in line.
    fn prepend(&mut self, command: u32, new: u32) {
        let (old, rest) = (self.slot(command).request.take(), self.slot(command).part);
        let request = self.slot(new).request.take();
        let (sectors, frames) = (self.slot(new).sectors.clone(), self.slot(new).frames);
        let behind = self.slot(new);
        behind.request = old;
        behind.part = rest;
        let head = self.slot(command);
        head.request = request;
        head.part = Some(new);
        head.sectors.start = sectors.start;
        head.frames += frames;
        if head.last == command {
            head.last = new;
        }
        self.joined += 1;
    }

    fn slot(&mut self, number: u32) -> &mut Slot<R> {
        &mut self.slots[number as usize]
    }

    /// The command that is to go to the device next.
    pub(crate) fn first(&self) -> Option<Command> {
        self.waiting.first().map(Command)
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

    /// How many requests were joined to another's.
    pub(crate) fn joined(&self) -> u64 {
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

    /// Answers each request of a command; `None` sends each alone.
    fn take_apart(&mut self, command: u32, answer: Option<Answer>) {
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
                None => self.waiting.push(&mut self.slots, number),
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
        self.free.push(&mut self.slots, number);
        Some((request, answer))
    }
}

impl<R> Slot<R> {
    const fn new() -> Self {
        Self {
            request: None,
            next: None,
            part: None,
            last: 0,
            sectors: 0..0,
            frames: 0,
            deadline: 0,
            may_join: true,
            answer: Answer::Failed,
        }
    }
}

impl List {
    fn first(&self) -> Option<u32> {
        self.ends.map(|(first, _)| first)
    }

    fn push<R>(&mut self, slots: &mut [Slot<R>], number: u32) {
        slots[number as usize].next = None;
        let first = match self.ends {
            Some((first, last)) => {
                slots[last as usize].next = Some(number);
                first
            }
            None => number,
        };
        self.ends = Some((first, number));
    }

    fn pop<R>(&mut self, slots: &mut [Slot<R>]) -> Option<u32> {
        let (first, last) = self.ends?;
        let next = slots[first as usize].next.take();
        self.ends = next.map(|next| (next, last));
        Some(first)
    }

    /// Takes `number` out; false where it is not in the list.
    fn remove<R>(&mut self, slots: &mut [Slot<R>], number: u32) -> bool {
        let mut rest = core::mem::take(self);
        let mut found = false;
        while let Some(next) = rest.pop(slots) {
            if next == number {
                found = true;
            } else {
                self.push(slots, next);
            }
        }
        found
    }
}
