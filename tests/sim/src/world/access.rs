//! Loads, stores and fetches of programs, and the kernel's own access to their memory.
use std::cell::Cell;
use std::rc::Rc;

use mm::Outcome;
use mm::foreign::Right;

use super::{Answer, World, did};
use crate::broken::{Broken, Sound, demand};
use crate::failing_heap::in_mm;
use crate::kernel::End;
use crate::op::{Disk, Kind, Pid, Reach, Rival, Signal, Span, Touch};
use crate::oracle::Oracle;
use crate::plan::Exhaustion;
use crate::random::mix;

/// What the intruder of a fault experienced, once it had its turn.
type Experience = Rc<Cell<Option<Sound<End>>>>;

impl World {
    pub(super) fn touch(&mut self, pid: Pid, touch: Touch, rival: Option<Rival>) -> Sound<Answer> {
        let kernel = self.kernel.clone();
        let Some(space) = self.process(pid).map(|process| process.space.clone()) else {
            return Ok(Answer::Nothing);
        };
        let rival = rival.map(|rival| self.prepare(pid, &touch, rival));
        let end = kernel.execute(&space, touch);
        kernel.machine().calm();
        let end = end?;
        drop(space);
        if let Some((touch, experience)) = rival
            && let Some(end) = experience.take()
        {
            self.judge(pid, touch, end?)?;
        }
        self.judge(pid, touch, end)?;
        self.survive(pid, end)
    }

    /// Lets `rival` have its turn in the middle of the coming fault.
    fn prepare(&mut self, pid: Pid, touch: &Touch, rival: Rival) -> (Touch, Experience) {
        let experience = Experience::default();
        let address = (touch.address & !4095) + rival.word * 8;
        let touch = Touch {
            address,
            kind: rival.kind,
            disk: Disk::Late,
        };
        if let Some(space) = self.process(pid).map(|process| process.space.clone()) {
            let (kernel, experience) = (self.kernel.clone(), experience.clone());
            self.kernel.machine().intrude(move || {
                let interrupted = kernel.machine().run_on(rival.cpu);
                experience.set(Some(kernel.execute(&space, touch)));
                kernel.machine().run_on(interrupted);
            });
        }
        (touch, experience)
    }

    /// Compares an access's end with what the oracle says, and lets the oracle follow.
    pub(super) fn judge(&mut self, pid: Pid, touch: Touch, end: End) -> Sound {
        self.tell_of_others(pid);
        match self.process(pid) {
            Some(process) => process.judge(touch, end, Reach::Own),
            None => Ok(()),
        }
    }

    /// A process for which there was no memory may have to go; another takes its place.
    fn survive(&mut self, pid: Pid, end: End) -> Sound<Answer> {
        if matches!(end, End::NoMemory(_)) && self.config.exhaustion == Exhaustion::Kills {
            self.exit(pid);
            self.spawn(pid)?;
            return Ok(Answer::Killed);
        }
        Ok(Answer::End(end))
    }

    pub(super) fn peek(&mut self, pid: Pid, span: Span, reach: Reach) -> Sound<Answer> {
        let kernel = self.kernel.clone();
        self.remotely(pid, (span, reach), Kind::Read, |process, address, count| {
            let mut buffer = vec![0; count];
            let (space, memory) = (process.space.borrow(), &kernel.memory);
            let count = in_mm(|| match right(reach) {
                None => space.read_remote(memory, address, &mut buffer),
                Some(right) => space.read_foreign(memory, address, &mut buffer, right),
            })?;
            buffer.truncate(count);
            Ok(buffer)
        })
    }

    pub(super) fn poke(
        &mut self,
        pid: Pid,
        (span, reach): (Span, Reach),
        bytes: u64,
    ) -> Sound<Answer> {
        let kernel = self.kernel.clone();
        let kind = Kind::Write(bytes);
        self.remotely(pid, (span, reach), kind, |process, address, count| {
            let buffer: Vec<u8> = (0..count as u64)
                .map(|at| byte_of(bytes, address + at))
                .collect();
            let (space, memory) = (process.space.borrow(), &kernel.memory);
            let count = in_mm(|| match right(reach) {
                None => space.write_remote(memory, address, &buffer),
                Some(right) => space.write_foreign(memory, address, &buffer, right),
            })?;
            Ok(buffer[..count].to_vec())
        })
    }

    /// Moves the bytes of `span` piece by piece, as far as that goes, and compares each piece.
    fn remotely(
        &mut self,
        pid: Pid,
        (span, reach): (Span, Reach),
        kind: Kind,
        mut step: impl FnMut(&super::Process, u64, usize) -> Result<Vec<u8>, Outcome>,
    ) -> Sound<Answer> {
        self.tell_of_others(pid);
        let kernel = self.kernel.clone();
        let Some(process) = self.process(pid) else {
            return Ok(Answer::Nothing);
        };
        let (mut at, end) = (span.address, span.address.saturating_add(span.length));
        while at < end {
            let outcome = match step(process, at, (end - at) as usize) {
                Ok(bytes) => {
                    compare(&mut process.oracle, (at, reach), kind, &bytes)?;
                    at += bytes.len() as u64;
                    continue;
                }
                Err(outcome) => outcome,
            };
            if let Some(end) = kernel.settle(&process.space, at, outcome, Disk::Prompt)? {
                let touch = Touch {
                    address: at & !7,
                    kind,
                    disk: Disk::Prompt,
                };
                // Pages before this one may have taken what was left to promise.
                self.tell_of_others(pid);
                if let Some(process) = self.process(pid) {
                    process.judge(touch, end, reach)?;
                }
                return Ok(Answer::End(end));
            }
        }
        Ok(did(span.length > 0))
    }
}

/// The right by which the kernel reaches into a space for others.
fn right(reach: Reach) -> Option<Right> {
    match reach {
        Reach::Own => None,
        Reach::Granted => Some(Right::Granted),
        Reach::Forced => Some(Right::Forced),
    }
}

/// What the kernel writes to the byte at `address`.
fn byte_of(bytes: u64, address: u64) -> u8 {
    mix(bytes ^ address) as u8
}

/// Compares bytes that the kernel read or wrote with the oracle's.
fn compare(oracle: &mut Oracle, (start, reach): (u64, Reach), kind: Kind, bytes: &[u8]) -> Sound {
    for (address, &byte) in (start..).zip(bytes) {
        oracle.want(address);
        let allowed = oracle.access_for(address, kind, reach);
        demand!(
            allowed.is_ok(),
            "the kernel reached {address:#x} against {allowed:?}"
        );
        let (word, shift) = (address & !7, 8 * (address % 8));
        let old = oracle.load(word);
        if kind == Kind::Read {
            let expected = (old >> shift) as u8;
            demand!(
                byte == expected,
                "the kernel read {byte:#x} at {address:#x}, not {expected:#x}"
            );
        } else {
            oracle.store(word, old & !(0xff << shift) | u64::from(byte) << shift);
        }
    }
    Ok(())
}

impl super::Process {
    /// Compares an access's end with what the oracle says, and lets the oracle follow.
    fn judge(&mut self, touch: Touch, end: End, reach: Reach) -> Sound {
        judge(&mut self.oracle, touch, end, reach)?;
        if matches!(touch.kind, Kind::Write(_)) && !matches!(end, End::Done(_)) {
            self.touched(touch.address >> 12);
        }
        Ok(())
    }

    /// A store to `page` that did not come to its end may have got as far as to make the area ready for a page of its own:
    /// how far depends on when memory ran out, so `mm` is asked.
    pub(super) fn touched(&mut self, page: u64) {
        let space = self.space.borrow();
        let is_ready = |vma: &mm::Vma| !vma.identity().is_none();
        let vma = space.find_vma(page << 12);
        if vma.is_some_and(|vma| vma.start.number() <= page && is_ready(vma)) {
            self.oracle.touch(page);
        }
    }
}

fn judge(oracle: &mut Oracle, touch: Touch, end: End, reach: Reach) -> Sound {
    let Touch { address, kind, .. } = touch;
    oracle.want(address);
    let verdict = oracle.access_for(address, kind, reach);
    // Before a fetch is refused, the page comes in as for a read.
    let arrival = match kind {
        Kind::Execute => oracle.access(address, Kind::Read),
        _ => verdict,
    };
    match (end, verdict, kind) {
        (End::Done(value), Ok(()), Kind::Read) => {
            let expected = oracle.load(address);
            demand!(
                value == expected,
                "{address:#x} held {value:#x}, the oracle says {expected:#x}"
            );
        }
        (End::Done(_), Ok(()), Kind::Write(value)) => oracle.store(address, value),
        (End::Done(_), Ok(()), Kind::Execute) => {}
        (End::Signal(got), Err(expected), _) if got == expected => {}
        (End::Signal(Signal::Bus), ..) if arrival.is_ok() && oracle.may_lack_promise(address) => {}
        // Tables come before the look into the file.
        (End::NoMemory(free), ..) if matches!(arrival, Ok(()) | Err(Signal::Bus)) => demand!(
            free == 0,
            "no memory for {address:#x}, but {free} frames are free"
        ),
        (End::Asleep | End::DiskError, ..) if arrival.is_ok() && oracle.may_need_disk(address) => {}
        (end, verdict, _) => {
            return Err(Broken(format!(
                "the access to {address:#x} ended with {end:x?}, the oracle says {verdict:?}"
            )));
        }
    }
    Ok(())
}
