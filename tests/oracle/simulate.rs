//! The same programs in the simulator: carried out by `mm` on a machine of vectors that runs short of memory, and held to
//! the simulator's own oracle after every line.
//!
//! Lines that the simulator has no word for (`msync`, some advice) are left out. What Linux says of a program and what
//! the simulator says are thus two opinions on one text.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, bail};
use sim::files::{File, Store};
use sim::op::{
    Advice, Call, Disk, Extent, Growth, Kind, Lock, Op, Pid, Place, Populate, Remap, Request,
    Reserve, Rights, Sharing, Source, Span, Step, Touch, Way,
};
use sim::oracle::{Overcommit, Rules};
use sim::plan::{Config, Exhaustion, Plan};
use sim::random::Random;
use sim::{run, shrink};

use crate::generate::generate;
use crate::program::{ANYWHERE, HEAP, Line, Program};

/// Programs of a run: a second of processor time for a hundred thousand lines.
const RUNS: u64 = 2000;

/// Where the interpreter has its window, and here the heap.
const WINDOW: u64 = 0x10_001f_0000;
const HEAP_START: u64 = 0x40_6000;

/// The file that programs map; the simulator's first is the program itself.
const DATA: usize = 1;

/// How long shrinking a program may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// No program meets a contradiction in the simulator.
pub(crate) fn agrees() -> Result<()> {
    for seed in 0..RUNS {
        if let Err(failure) = run::run(&plan(seed, &generate(seed))) {
            bail!("{}", shrink::shrink(failure, PATIENCE));
        }
    }
    Ok(())
}

/// The program on a machine that follows from the seed, too.
fn plan(seed: u64, program: &Program) -> Plan {
    let mut random = Random::new(!seed);
    let config = config(&mut random);
    let mut author = Author {
        pid: 0,
        steps: Vec::new(),
        cpus: config.cpus,
        random,
    };
    author.add(Op::Spawn(0));
    program.lines.iter().for_each(|line| author.line(line));
    Plan {
        seed,
        config,
        steps: author.steps,
    }
}

fn config(random: &mut Random) -> Config {
    let file = |size, store| File { size, store };
    let frames = random.pick(&[30, 45, 90, 500]);
    let mmap_base = 0x7_ffff_0000;
    Config {
        levels: random.pick(&[4, 5]),
        cpus: random.between(2, 4) as usize,
        frames,
        processes: 4,
        rules: Rules {
            mmap_base,
            bottom_up_base: 0x2_aaaa_0000,
            heap_start: HEAP_START,
            address_space: u64::MAX,
            data_size: 0,
            data: u64::MAX,
            stack: 8 << 20,
            locked: u64::MAX,
            memory: frames.into(),
            overcommit: Overcommit::Always,
            files: Rc::from([
                file(10 * 4096, Store::Disk),
                file(3 * 4096 + 100, Store::Disk),
            ]),
        },
        stack_top: mmap_base + 0x400,
        exhaustion: Exhaustion::Waits,
    }
}

/// Turns lines into steps. A process has the number of its depth.
struct Author {
    pid: Pid,
    steps: Vec<Step>,
    cpus: usize,
    random: Random,
}

impl Author {
    fn add(&mut self, op: Op) {
        let cpu = self.random.below(self.cpus as u64) as usize;
        self.steps.push(Step { cpu, op });
    }

    fn line(&mut self, line: &Line) {
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
                return self.add(Op::Protect(pid, span, rights, Extent::Named));
            }
            'b' => return self.add(Op::Brk(pid, HEAP_START + number(0))),
            't' => return self.touch(span.address, number(1)),
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
                self.add(Op::Fork { parent: pid, child });
            }
            'e' if pid > 0 => {
                self.add(Op::Exit(pid));
                self.pid -= 1;
            }
            'X' => self.add(Op::Exec(pid)),
            'g' if HARMLESS.contains(&number) => {}
            'q' | 'g' => self.add(Op::Exit(pid)),
            _ => {}
        }
    }

    fn map(&mut self, line: &Line, span: Span) {
        const FIXED: u64 = 0x10;
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
        let request = Request {
            span,
            place: match () {
                () if has(NOREPLACE) => Place::NoReplace,
                () if has(FIXED) => Place::Fixed,
                () => Place::Hint,
            },
            rights: Rights(rights as u8),
            growth: Growth::Fixed,
            reserve: if has(NORESERVE) {
                Reserve::Not
            } else {
                Reserve::Accounted
            },
            sharing: Sharing::Private,
            source: match file {
                0 => Source::Zero,
                _ => Source::File {
                    file: DATA,
                    offset: offset / 4096,
                },
            },
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

fn address(number: u64) -> u64 {
    match number {
        ANYWHERE => 0,
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
        4 => Advice::DontNeed,
        8 => Advice::Free,
        10 => Advice::DontFork,
        11 => Advice::DoFork,
        18 => Advice::WipeOnFork,
        19 => Advice::KeepOnFork,
        20 => Advice::Cold,
        24 => Advice::DontNeedLocked,
        _ => return None,
    })
}
