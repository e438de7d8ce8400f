//! A run before it runs: the machine, the rules of its spaces, and every step.
use crate::op::Step;
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
    /// It kills the process that asked.
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
