//! Commands on their way to the device and back: the ring's descriptors lead to frames, without a copy.
//!
//! A command is a header, pieces of frames, and a byte for the answer (virtio 1.2, section 5.2.6). Header and answer of
//! each lie in one frame of the queue's own, as does nothing else.
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::ops::Range;

use abi::Errno;
use mm::{Frame, PAGE_SIZE};
use virtio_drivers::queue::VirtQueue;
use virtio_drivers::transport::Transport;
use virtio_drivers::transport::pci::PciTransport;

use super::QUEUE;
use crate::arch::dma::{self, Dma};
use crate::arch::memory::memory;
use crate::block::{Action, Answer, Command, MOST_FRAMES, Piece};

/// Descriptors in the ring.
const SIZE: usize = 128;
/// Commands that may be on their way at once.
const IN_FLIGHT: usize = 32;

/// A command's header.
const HEADER: usize = 16;
/// From one command's header and answer to the next one's.
const LETTER: usize = 32;

/// What the device reads or writes: pieces, and the header or the answer.
const BUFFERS: usize = MOST_FRAMES + 1;

type Ring = VirtQueue<Dma, SIZE>;

pub(super) struct Queue {
    /// Too large for a stack.
    ring: Box<Ring>,
    /// Headers and answers.
    letters: Frame,
    in_flight: Vec<Flight>,
}

/// A place for a command on its way.
struct Flight {
    /// What the ring calls it; `None` where the place is free.
    token: Option<u16>,
    command: Option<Command>,
    action: Action,
    /// Never more than there was room for from the start.
    pieces: Vec<Piece>,
}

impl Queue {
    pub(super) fn try_new(transport: &mut PciTransport) -> Result<Self, Errno> {
        let ring = new_ring(transport)?;
        let mut in_flight = Vec::new();
        in_flight
            .try_reserve_exact(IN_FLIGHT)
            .map_err(|_| Errno::ENOMEM)?;
        for _ in 0..IN_FLIGHT {
            in_flight.push(Flight::try_new()?);
        }
        let letters = memory().allocate(0).map_err(|_| Errno::ENOMEM)?;
        Ok(Self {
            ring,
            letters,
            in_flight,
        })
    }

    /// Hands a command to the device; false where there is no room for it.
    pub(super) fn start(
        &mut self,
        transport: &mut PciTransport,
        command: Command,
        action: Action,
        sectors: &Range<u64>,
        pieces: &mut dyn Iterator<Item = Piece>,
    ) -> bool {
        let is_free = |flight: &Flight| flight.token.is_none();
        let Some(slot) = self.in_flight.iter().position(is_free) else {
            return false;
        };
        // SAFETY: the place is free, so the device does not know of its header.
        unsafe { self.letter(slot)[..HEADER].copy_from_slice(&header(action, sectors.start)) };
        self.in_flight[slot].fill(command, action, pieces);
        // SAFETY: 1. frames and letter stay until the device has returned the command or was reset: the queue of requests
        //         keeps the pages, and the letters are this queue's own. 2. what the device fills nobody sees until then;
        //         what it only reads others may change meanwhile, as atomics: such a page will be written once more.
        let add = with_ring(|ring, inputs, outputs| unsafe { ring.add(inputs, outputs) });
        // SAFETY: as above.
        let added = unsafe { self.with_buffers(slot, add) };
        self.in_flight[slot].token = added.ok();
        if added.is_ok() && self.ring.should_notify() {
            transport.notify(QUEUE);
        }
        added.is_ok()
    }

    /// A command that the device is done with.
    pub(super) fn finish(&mut self) -> Option<(Command, Answer)> {
        const OK: u8 = 0;
        let token = self.ring.peek_used()?;
        let is_it = |flight: &Flight| flight.token == Some(token);
        let slot = self.in_flight.iter().position(is_it)?;
        // SAFETY: the buffers of `start`, made of the same frames in the same place.
        let pop =
            with_ring(|ring, inputs, outputs| unsafe { ring.pop_used(token, inputs, outputs) });
        // SAFETY: the device is done with them.
        let popped = unsafe { self.with_buffers(slot, pop) };
        // SAFETY: the device has returned it.
        let status = unsafe { self.letter(slot)[HEADER] };
        let flight = &mut self.in_flight[slot];
        flight.token = None;
        let answer = match (popped, status) {
            (Ok(_), OK) => Answer::Done,
            _ => Answer::Failed,
        };
        Some((flight.command.take()?, answer))
    }

    /// Whether there is one to take back.
    pub(super) fn has_finished(&self) -> bool {
        self.ring.can_pop()
    }

    /// Header and answer in place `slot`.
    ///
    /// # Safety
    /// The device has not been told of them, or is done with them; nobody else refers to them while the slice lives.
    unsafe fn letter<'a>(&self, slot: usize) -> &'a mut [u8] {
        // SAFETY: the frame is the queue's own; the rest is the caller's promise.
        let letters = unsafe { dma::buffer(self.letters, 0..PAGE_SIZE as usize) };
        &mut letters[slot * LETTER..][..LETTER]
    }

    /// Runs `body` with what the device reads of the command in place `slot`, and what it writes: the header in front, the
    /// answer behind, and the pieces on one side or the other.
    ///
    /// # Safety
    /// Nobody else looks at the buffers meanwhile.
    unsafe fn with_buffers<R>(
        &mut self,
        slot: usize,
        body: impl for<'a> FnOnce(&mut Ring, &'a [&'a [u8]], &'a mut [&'a mut [u8]]) -> R,
    ) -> R {
        // SAFETY: the caller's promise.
        let letter = unsafe { self.letter(slot) };
        let (header, answer) = letter.split_at_mut(HEADER);
        let Flight { action, pieces, .. } = &self.in_flight[slot];
        let buffers = pieces.iter().map(|piece| {
            let start = usize::from(piece.start);
            // SAFETY: the caller's promise.
            unsafe { dma::buffer(piece.frame, start..start + usize::from(piece.bytes)) }
        });
        let count = pieces.len();
        let mut inputs: [&[u8]; BUFFERS] = [&[]; BUFFERS];
        let mut outputs: [&mut [u8]; BUFFERS] = core::array::from_fn(|_| &mut [][..]);
        inputs[0] = header;
        let (read, written) = match action {
            Action::Read => {
                outputs
                    .iter_mut()
                    .zip(buffers)
                    .for_each(|(output, buffer)| *output = buffer);
                (0, count)
            }
            Action::Write | Action::Flush => {
                inputs[1..]
                    .iter_mut()
                    .zip(buffers)
                    .for_each(|(input, buffer)| *input = buffer);
                (count, 0)
            }
        };
        outputs[written] = &mut answer[..1];
        body(&mut self.ring, &inputs[..=read], &mut outputs[..=written])
    }
}

/// Only says to the compiler that `body` takes buffers of any lifetime.
fn with_ring<R, F>(body: F) -> F
where
    F: for<'a> FnOnce(&mut Ring, &'a [&'a [u8]], &'a mut [&'a mut [u8]]) -> R,
{
    body
}

impl Flight {
    fn try_new() -> Result<Self, Errno> {
        let mut pieces = Vec::new();
        pieces
            .try_reserve_exact(MOST_FRAMES)
            .map_err(|_| Errno::ENOMEM)?;
        Ok(Self {
            token: None,
            command: None,
            action: Action::Read,
            pieces,
        })
    }

    fn fill(&mut self, command: Command, action: Action, pieces: &mut dyn Iterator<Item = Piece>) {
        self.command = Some(command);
        self.action = action;
        self.pieces.clear();
        self.pieces.extend(pieces.take(MOST_FRAMES));
    }
}

/// In a function of its own, so that its stack is given back.
#[inline(never)]
fn new_ring(transport: &mut PciTransport) -> Result<Box<Ring>, Errno> {
    let ring = Ring::new(transport, QUEUE, false, false).map_err(|_| Errno::ENODEV)?;
    Box::try_new(ring).map_err(|_| Errno::ENOMEM)
}

/// What a command begins with: type, nothing, sector.
fn header(action: Action, sector: u64) -> [u8; HEADER] {
    let kind: u32 = match action {
        Action::Read => 0,
        Action::Write => 1,
        Action::Flush => 4,
    };
    let mut header = [0; HEADER];
    header[..4].copy_from_slice(&kind.to_le_bytes());
    header[8..].copy_from_slice(&sector.to_le_bytes());
    header
}
