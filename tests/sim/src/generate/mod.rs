//! From a seed to a plan: a machine of some size, habits of its programs, and steps that follow them.
//!
//! Seeds differ in kind and not only in chance: each draws how often every operation happens, including never, and the
//! few places in the address space where everything happens. Crowded places make neighbours, and neighbours make bugs.
mod accesses;
mod disk;
mod files;
mod forecast;
mod machine;
mod places;
mod verbs;

use crate::op::{
    Call, Extent, Failing, Growth, Length, Nature, Op, Pid, Place, Populate, Reach, Request,
    Reserve, Rights, Sharing, Span, Step,
};
use crate::oracle::{Area, Overcommit};
use crate::plan::{Config, Plan};
use crate::random::Random;
use forecast::Forecast;
use places::Places;

/// The plan of `seed`, with `length` steps. A longer plan begins like a shorter one.
pub fn generate(seed: u64, length: usize) -> Plan {
    let mut random = Random::new(seed);
    let config = machine::config(&mut random);
    let places = Places::new(&mut random, &config);
    let mut author = Author {
        weights: weights(&mut random),
        places,
        random,
        forecast: Forecast::new(&config.rules, config.stack_top, config.processes),
        config: &config,
    };
    let first = author.write(Op::Spawn(0));
    let rest = std::iter::repeat_with(|| author.step());
    let mut steps: Vec<_> = std::iter::once(first).chain(rest).take(length).collect();
    if seed % 8 == OTHER_PROMISES {
        change_promises(seed, &mut steps);
    }
    Plan {
        seed,
        steps,
        config,
    }
}

/// Seeds with this rest by eight change how readily memory is promised.
const OTHER_PROMISES: u64 = 5;

/// Every thousandth step or so memory is promised otherwise. Drawn apart: the other steps are as without.
fn change_promises(seed: u64, steps: &mut [Step]) {
    let mut random = Random::new(!seed);
    for chunk in steps.chunks_mut(1000) {
        let modes = [Overcommit::Heuristic, Overcommit::Always, Overcommit::Never];
        let op = Op::Overcommit(random.pick(&modes), random.pick(&[50, 20, 80, 150]));
        if let Some(step) = chunk.get_mut(random.between(1, 999) as usize) {
            step.op = op;
        }
    }
}

/// The kinds of operations, each with a habit of its own in every seed.
#[derive(Clone, Copy, Debug)]
enum Verb {
    Spawn,
    Exec,
    Fork,
    Share,
    Exit,
    Map,
    Unmap,
    Protect,
    Brk,
    Lock,
    Advise,
    Remap,
    Sync,
    Reclaim,
    Expel,
    Touch,
    Peek,
    Poke,
    Device,
    FinishRead,
    Evict,
    Resize,
    Punch,
    Seal,
    Allocate,
    Seek,
    Limit,
    ReadFile,
    WriteFile,
    SyncFile,
    Flush,
    FinishWrite,
    GiveBack,
    DropUnused,
    Invalidate,
    Hoard,
    Release,
    RefuseFrame,
    FailHeap,
}

/// How often each verb happens where a seed is average.
const USUAL: [(u64, Verb); 39] = [
    (20, Verb::Spawn),
    (1, Verb::Exec),
    (10, Verb::Fork),
    (4, Verb::Share),
    (6, Verb::Exit),
    (40, Verb::Map),
    (20, Verb::Unmap),
    (30, Verb::Protect),
    (10, Verb::Brk),
    (16, Verb::Lock),
    (50, Verb::Advise),
    (30, Verb::Remap),
    (4, Verb::Sync),
    (6, Verb::Reclaim),
    (6, Verb::Expel),
    (400, Verb::Touch),
    (10, Verb::Peek),
    (10, Verb::Poke),
    (10, Verb::Device),
    (16, Verb::FinishRead),
    (2, Verb::Evict),
    (5, Verb::Resize),
    (3, Verb::Punch),
    (4, Verb::Seal),
    (4, Verb::Allocate),
    (2, Verb::Seek),
    (4, Verb::Limit),
    (3, Verb::ReadFile),
    (8, Verb::WriteFile),
    (3, Verb::SyncFile),
    (10, Verb::Flush),
    (12, Verb::FinishWrite),
    (6, Verb::GiveBack),
    (2, Verb::DropUnused),
    (2, Verb::Invalidate),
    (3, Verb::Hoard),
    (8, Verb::Release),
    (1, Verb::RefuseFrame),
    (3, Verb::FailHeap),
];

fn weights(random: &mut Random) -> [(u64, Verb); USUAL.len()] {
    USUAL.map(|(weight, verb)| match verb {
        // Without processes, accesses and memory nothing happens.
        Verb::Spawn | Verb::Touch | Verb::Release => (weight, verb),
        _ => (weight * random.pick(&[0, 1, 1, 2, 4]), verb),
    })
}

/// For whom the kernel does it: one in three is the process itself.
fn reach(span: Span) -> Reach {
    match span.address / 8 % 3 {
        0 => Reach::Own,
        1 => Reach::Granted,
        _ => Reach::Forced,
    }
}

/// Writes the steps.
struct Author<'a> {
    random: Random,
    config: &'a Config,
    weights: [(u64, Verb); USUAL.len()],
    places: Places,
    forecast: Forecast,
}

impl Author<'_> {
    fn step(&mut self) -> Step {
        let op = self.op();
        self.write(op)
    }

    fn write(&mut self, op: Op) -> Step {
        self.forecast.follow(&op);
        let cpu = self.cpu();
        Step { cpu, op }
    }

    fn op(&mut self) -> Op {
        let any = self.pid();
        let pid = self.forecast.living(any);
        match self.random.weighted(&self.weights) {
            Verb::Spawn => Op::Spawn(any),
            Verb::Exec => Op::Exec(pid),
            Verb::Fork => Op::Fork {
                parent: pid,
                child: self.pid(),
            },
            Verb::Share => Op::Share {
                parent: pid,
                child: self.pid(),
            },
            Verb::Exit => Op::Exit(pid),
            Verb::Map => {
                let request = self.request(pid);
                Op::Map(pid, self.handed_to_the_kernel(request))
            }
            Verb::Unmap => Op::Unmap(pid, self.span(pid)),
            Verb::Protect => Op::Protect(pid, self.span(pid), self.rights(), self.extent()),
            Verb::Brk => Op::Brk(pid, self.brk()),
            Verb::Lock => Op::Call(pid, self.lock(pid)),
            Verb::Advise => Op::Call(pid, self.advise(pid)),
            Verb::Remap => Op::Call(pid, self.remap(pid)),
            Verb::Sync => Op::Call(pid, Call::Sync(self.span(pid), self.random.below(8) as u32)),
            Verb::Reclaim => Op::Call(pid, Call::Reclaim),
            Verb::Expel => Op::Call(pid, Call::Expel(self.random.below(1000))),
            Verb::Touch => self.touch(pid),
            Verb::Peek => {
                let span = self.bytes(pid);
                Op::Peek(pid, span, reach(span))
            }
            Verb::Poke => {
                let span = self.bytes(pid);
                Op::Poke(pid, span, self.random.word(), reach(span))
            }
            Verb::Device => self.device(pid),
            Verb::FinishRead => self.finish_read(),
            Verb::Evict => Op::Evict(self.file()),
            Verb::Resize => Op::Resize(self.file(), self.random.below(10 * 4096)),
            Verb::Punch => Op::Punch(self.file(), self.hole()),
            Verb::Seal => self.seal(),
            Verb::Allocate => {
                let length = self.random.pick(&[Length::Grows, Length::Stays]);
                Op::Allocate(self.file(), self.hole(), length)
            }
            Verb::Seek => Op::Seek(self.file(), self.random.below(10 * 4096)),
            Verb::Limit => self.limit(pid),
            Verb::ReadFile => Op::ReadFile(self.file(), self.hole()),
            Verb::WriteFile => Op::WriteFile(self.file(), self.hole(), self.random.word()),
            Verb::SyncFile => Op::Sync(self.disk_file(), self.disk_result()),
            Verb::Flush => Op::Flush(self.disk_file(), self.random.between(1, 4)),
            Verb::FinishWrite => Op::FinishWrite {
                skip: self.random.below(4) as usize,
                result: self.disk_result(),
            },
            Verb::GiveBack => Op::GiveBack(self.disk_file(), self.random.between(1, 10)),
            Verb::DropUnused => Op::DropUnused(self.disk_file(), self.hole()),
            Verb::Invalidate => Op::Invalidate(self.disk_file(), self.hole()),
            Verb::Hoard => self.hoard(),
            Verb::Release => Op::Release,
            Verb::RefuseFrame => Op::RefuseFrame(self.random.below(5) as u32),
            Verb::FailHeap => Op::FailHeap(self.failing()),
        }
    }

    fn failing(&mut self) -> Failing {
        let number = self.random.below(3);
        self.random
            .pick(&[Failing::Only(number), Failing::From(number)])
    }

    fn cpu(&mut self) -> usize {
        self.random.below(self.config.cpus as u64) as usize
    }

    fn pid(&mut self) -> Pid {
        self.random.below(self.config.processes as u64) as Pid
    }

    /// An area that `pid` should have.
    fn area(&mut self, pid: Pid) -> Option<Area> {
        self.forecast.area(pid, &mut self.random)
    }

    fn rights(&mut self) -> Rights {
        self.random.weighted(&[
            (50, Rights::RW),
            (15, Rights::R),
            (14, Rights::NONE),
            (8, Rights::RX),
            (8, Rights::RWX),
            (5, Rights::W),
            (4, Rights::X),
        ])
    }

    fn extent(&mut self) -> Extent {
        self.random.pick(&[
            Extent::Named,
            Extent::Named,
            Extent::Named,
            Extent::Named,
            Extent::GrowsDown,
        ])
    }

    fn request(&mut self, pid: Pid) -> Request {
        let place = self.random.weighted(&[
            (35, Place::Hint),
            (45, Place::Fixed),
            (10, Place::NoReplace),
            (10, Place::Low),
        ]);
        let mut span = self.span(pid);
        if place != Place::Fixed && self.random.chance(60) {
            span.address = 0;
        }
        let (source, sharing) = self.source();
        let is_read_only = sharing == Sharing::Shared && self.is_archived(source);
        let rights = match self.rights() {
            // open(2) for reading, and mmap(2) would say EACCES.
            Rights(rights) if is_read_only => Rights(rights & !Rights::W.0),
            rights => rights,
        };
        Request {
            span,
            place,
            rights,
            sharing,
            growth: if self.random.chance(12) {
                Growth::Down
            } else {
                Growth::Fixed
            },
            reserve: if self.random.chance(25) {
                Reserve::Not
            } else {
                Reserve::Accounted
            },
            source,
            nature: Nature::Own,
            populate: if span.length < 32 * 4096 && self.random.chance(15) {
                Populate::Now
            } else {
                Populate::Lazy
            },
        }
    }

    /// A range of pages; now and then one that makes no sense.
    fn span(&mut self, pid: Pid) -> Span {
        let pages = match self.random.below(20) {
            0 => self.random.between(16, 600),
            1..4 => self.random.between(4, 16),
            _ => self.random.between(1, 4),
        };
        let area = self.area(pid);
        let mut span = Span {
            address: self.places.page(&mut self.random, area) * 4096,
            length: pages * 4096,
        };
        match self.random.below(200) {
            0 => span.address += self.random.below(4096),
            1 => span.length = 0,
            2 => span.length = self.random.word(),
            3 => span.length = u64::MAX - self.random.below(4096),
            4 => span.length = 1 << self.random.between(40, 50),
            5 => span.address = self.random.word() & !4095,
            6 => span.address = 0,
            7..20 => span.length -= self.random.below(4096),
            _ => {}
        }
        span
    }

    fn brk(&mut self) -> u64 {
        let start = self.config.rules.heap_start;
        match self.random.below(20) {
            0 => start - 1,
            1 => self.random.word() >> 16,
            _ => start + self.random.below(16 * 4096),
        }
    }

    fn hoard(&mut self) -> Op {
        match self.random.below(3) {
            0 => Op::LeaveFree(self.random.below(24) as usize),
            _ => Op::Hoard(self.random.below(4) as u32),
        }
    }
}
