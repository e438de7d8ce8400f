//! A run before it runs: the machine, the rules of its spaces, and every step.
use crate::op::{
    Growth, Nature, Place, Populate, Request, Reserve, Rights, Sharing, Source, Span, Step,
};
use crate::oracle::Rules;

/// What follows from a seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The seed.
    pub seed: u64,
    /// The machine.
    pub config: Config,
    /// What happens on it.
    pub steps: Vec<Step>,
}

impl Plan {
    /// The same with these steps alone, by their numbers.
    pub fn only(&self, numbers: &[usize]) -> Self {
        let steps = numbers.iter().filter_map(|&number| self.steps.get(number));
        Self {
            steps: steps.cloned().collect(),
            ..self.clone()
        }
    }
}

/// A machine and the rules on it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Levels of page tables: 4 or 5.
    pub levels: u32,
    /// How many CPUs.
    pub cpus: usize,
    /// Frames that `mm` gets.
    pub frames: u32,
    /// Processes at a time.
    pub processes: usize,
    /// Where things go in a space, limits, files.
    pub rules: Rules,
    /// The page behind a fresh program's stack.
    pub stack_top: u64,
    /// What happens to a program for which there is no memory.
    pub exhaustion: Exhaustion,
}

/// What the kernel does when no frame is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exhaustion {
    /// It kills the process that asked; a fresh program takes its number.
    Kills,
    /// It lets the instruction be tried again another time.
    Waits,
}

impl std::fmt::Display for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            levels,
            cpus,
            frames,
            ..
        } = self;
        write!(f, "{levels} levels, {cpus} CPUs, {frames} frames")
    }
}

/// What execve(2) maps: text, data and stack of a small program in the first file.
pub fn program(stack_top: u64) -> [Request; 3] {
    let segment = |start: u64, len: u64, rights, source, growth| Request {
        span: Span {
            address: start * 4096,
            length: len * 4096,
        },
        place: Place::Fixed,
        rights,
        growth,
        reserve: Reserve::Accounted,
        sharing: Sharing::Private,
        source,
        populate: Populate::Lazy,
        nature: Nature::Own,
    };
    let file = |offset| Source::File { file: 0, offset };
    [
        segment(0x400, 3, Rights::RX, file(0), Growth::Fixed),
        segment(0x403, 2, Rights::RW, file(3), Growth::Fixed),
        segment(stack_top - 2, 2, Rights::RW, Source::Zero, Growth::Down),
    ]
}
