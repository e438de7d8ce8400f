//! Turns a program's lines into the simulator's steps.

use std::rc::Rc;

use sim::files::File;
use sim::op::{
    Advice, Call, Disk, Extent, Growth, Kind, Lock, Nature, Op, Pid, Place, Populate, Remap,
    Request, Reserve, Rights, Sharing, Source, Span, Step, Touch, Way,
};
use sim::random::Random;

use super::HEAP_START;
use super::files::Files;
use crate::program::{ANYWHERE, BELOW, HEAP, Line};

/// Where the interpreter has its window.
const WINDOW: u64 = 0x10_001f_0000;

/// What a handler maps where nothing was; where that is comes later.
const FRESH: Request = Request {
    span: Span {
        address: 0,
        length: 0,
    },
    place: Place::Fixed,
    rights: Rights::RWX,
    growth: Growth::Fixed,
    reserve: Reserve::Accounted,
    sharing: Sharing::Private,
    source: Source::Zero,
    nature: Nature::Own,
    populate: Populate::Lazy,
};

/// A process has the number of its depth.
pub(super) struct Author {
    pub(super) pid: Pid,
    steps: Vec<Step>,
    cpus: usize,
    random: Random,
    pub(super) files: Files,
}

impl Author {
    pub(super) fn new(cpus: usize, random: Random, files: &[File]) -> Self {
        Self {
            pid: 0,
            steps: Vec::new(),
            cpus,
            random,
            files: Files::new(files),
        }
    }

    /// What happens, and all files that it needs.
    pub(super) fn finish(self) -> (Vec<Step>, Rc<[File]>) {
        (self.steps, self.files.all())
    }

    pub(super) fn add(&mut self, op: Op) {
        let cpu = self.random.below(self.cpus as u64) as usize;
        self.steps.push(Step { cpu, op });
    }

    pub(super) fn line(&mut self, line: &Line) {
        let pid = self.pid;
        let number = |index: usize| line.numbers.get(index).copied().unwrap_or(0);
        let span = Span {
            address: address(number(0)),
            length: number(1),
        };
        let call = match line.verb {
            'm' => return self.map(line, span),
            'u' => return self.add(Op::Unmap(pid, span)),
            'p' => {
                let rights = Rights(number(2) as u8);
                let extent = if number(2) > 7 {
                    Extent::GrowsDown
                } else {
                    Extent::Named
                };
                return self.add(Op::Protect(pid, span, rights, extent));
            }
            'b' => return self.add(Op::Brk(pid, HEAP_START + number(0))),
            't' => return self.touch(span.address, number(1)),
            'w' => return self.touch_repaired(span.address, number(1), number(2)),
            'M' | 'T' | 'F' | 'S' | 'W' | 'i' | 'o' | 'Z' | 'O' | 'n' | 'd' | 'R' | 'B' => {
                return self.file(line);
            }
            'h' => {
                let pages = (0..number(1)).map(|page| span.address + page * 4096);
                return pages.for_each(|page| self.touch(page, 0));
            }
            'r' => remap(line, span),
            'a' => advice(number(2)).map(|advice| Call::Advise(span, advice)),
            'l' => lock(number(2)).map(|lock| Call::Lock(span, lock)),
            'k' => Some(Call::Unlock(span)),
            'L' => lock_all(number(0)),
            'K' => Some(Call::UnlockAll),
            'c' => Some(Call::Resident(span)),
            's' => Some(Call::Sync(span, number(2) as u32)),
            _ => return self.life(line.verb, number(0)),
        };
        if let Some(call) = call {
            self.add(Op::Call(pid, call));
        }
    }

    /// Lines about processes.
    fn life(&mut self, verb: char, number: u64) {
        const HARMLESS: [u64; 2] = [17, 18];
        let pid = self.pid;
        match verb {
            'f' => {
                self.pid += 1;
                let child = self.pid;
                self.files.fork();
                self.add(Op::Fork { parent: pid, child });
            }
            'e' if pid > 0 => {
                self.add(Op::Exit(pid));
                self.pid -= 1;
                self.files.end();
                let gone = self.files.left_alone().into_iter();
                gone.for_each(|file| self.add(Op::Evict(file)));
            }
            'X' => self.add(Op::Exec(pid)),
            'g' if HARMLESS.contains(&number) => {}
            'q' | 'g' => self.add(Op::Exit(pid)),
            _ => {}
        }
    }

    fn map(&mut self, line: &Line, span: Span) {
        const FIXED: u64 = 0x10;
        const GROWSDOWN: u64 = 0x100;
        const LOCKED: u64 = 0x2000;
        const NORESERVE: u64 = 0x4000;
        const POPULATE: u64 = 0x8000;
        const NOREPLACE: u64 = 0x10_0000;
        let [_, _, rights, flags, offset, file] = line.numbers[..] else {
            return;
        };
        if offset % 4096 != 0 {
            return;
        }
        let has = |bit: u64| flags & bit != 0;
        let Some((source, sharing)) = self.files.source(file, flags, offset / 4096, span.length)
        else {
            return;
        };
        let request = Request {
            span,
            place: match () {
                () if has(NOREPLACE) => Place::NoReplace,
                () if has(FIXED) => Place::Fixed,
                () => Place::Hint,
            },
            rights: Rights(rights as u8),
            growth: if has(GROWSDOWN) {
                Growth::Down
            } else {
                Growth::Fixed
            },
            reserve: if has(NORESERVE) {
                Reserve::Not
            } else {
                Reserve::Accounted
            },
            sharing,
            source,
            nature: Nature::Own,
            populate: if has(POPULATE) {
                Populate::Now
            } else {
                Populate::Lazy
            },
        };
        self.add(Op::Map(self.pid, request));
        if has(LOCKED) {
            self.add(Op::Call(self.pid, Call::Lock(span, Lock::Now)));
        }
    }

    /// The access, the repair that a handler would make, whether that was needed or not, and the access again.
    fn touch_repaired(&mut self, address: u64, kind: u64, way: u64) {
        self.touch(address, kind);
        let pid = self.pid;
        let page = Span {
            address: address & !4095,
            length: 4096,
        };
        self.add(match way & 0xf {
            0 => Op::Map(
                pid,
                Request {
                    span: page,
                    ..FRESH
                },
            ),
            2 => Op::Protect(pid, page, Rights::RWX, Extent::Named),
            3 => Op::Unmap(pid, page),
            _ => return,
        });
        self.touch(address, kind);
    }

    fn touch(&mut self, address: u64, kind: u64) {
        let kind = match kind {
            0 => Kind::Read,
            2 => Kind::Execute,
            _ => Kind::Write(self.steps.len() as u64 + 1),
        };
        let disk = self.random.pick(&[Disk::Prompt, Disk::Prompt, Disk::Late]);
        let touch = Touch {
            address,
            kind,
            disk,
        };
        self.add(Op::Touch(self.pid, touch, None));
    }
}

pub(super) fn address(number: u64) -> u64 {
    match number {
        ANYWHERE => 0,
        BELOW.. => WINDOW - (number - BELOW),
        HEAP.. => HEAP_START + (number - HEAP),
        _ => WINDOW + number,
    }
}

fn remap(line: &Line, old: Span) -> Option<Call> {
    let [_, _, length, flags, target] = line.numbers[..] else {
        return None;
    };
    let way = match flags {
        0 => Way::Stay,
        1 => Way::Move,
        3 => Way::Fixed,
        5 => Way::Keep,
        7 => Way::FixedKeep,
        _ => return None,
    };
    Some(Call::Remap(Remap {
        old,
        length,
        way,
        target: address(target),
    }))
}

fn lock(flags: u64) -> Option<Lock> {
    match flags {
        0 => Some(Lock::Now),
        1 => Some(Lock::OnFault),
        _ => None,
    }
}

fn lock_all(flags: u64) -> Option<Call> {
    const CURRENT: u64 = 1;
    const FUTURE: u64 = 2;
    const ON_FAULT: u64 = 4;
    let lock = lock(u64::from(flags & ON_FAULT != 0))?;
    let wanted = |bit: u64| (flags & bit != 0).then_some(lock);
    let (now, future) = (wanted(CURRENT), wanted(FUTURE));
    (now.is_some() || future.is_some()).then_some(Call::LockAll(now, future))
}

fn advice(number: u64) -> Option<Advice> {
    Some(match number {
        0 => Advice::Normal,
        1 => Advice::Random,
        2 => Advice::Sequential,
        3 => Advice::WillNeed,
        4 => Advice::DontNeed,
        8 => Advice::Free,
        9 => Advice::Remove,
        10 => Advice::DontFork,
        11 => Advice::DoFork,
        18 => Advice::WipeOnFork,
        19 => Advice::KeepOnFork,
        20 => Advice::Cold,
        22 => Advice::PopulateRead,
        23 => Advice::PopulateWrite,
        24 => Advice::DontNeedLocked,
        _ => return None,
    })
}
