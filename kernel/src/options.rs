//! The kernel's command line: which port carries what, how much is logged, how the machine ends.
//!
//! The line comes from the image's first file, as words that each end with a NUL byte, so that a word may hold spaces.
//! Words before `--` are options of the kernel, those after it are the program to run and its arguments. A word that
//! the kernel does not know is warned of and skipped: an old image on a new stick must still boot.
//!
//! | option | values | default | what it says |
//! |---|---|---|---|
//! | `log=` | `ttyS0`, `ttyS2`, `none` | `ttyS0` | the serial port of the kernel's log |
//! | `loglevel=` | `error` to `trace`, `off` | `info` | the least important message that is logged |
//! | `console=` | `ttyS0`, `ttyS2`, `none` | `ttyS0` | the serial port of the programs' standard streams |
//! | `stdin=` | `raw`, `framed` | `raw` | a terminal is at the other end, or bytes with an escape for end of file |
//! | `stdio=` | `tty`, `pipe` | `tty` | what the standard streams claim to be |
//! | `exit=` | `halt`, `qemu` | `halt` | how the machine ends: power off, or through `isa-debug-exit` |
//! | `trace=` | `none`, or of `faults`, `syscalls`, `sched` some, with commas between | `none` | what is logged as it happens |
//! | `traceformat=` | `text`, `json` | `text` | whether the trace is for a person or for a program |
//! | `bug=` | a kind of [`Bug`], `none` | `none` | what goes wrong on purpose, so that its report can be seen |
//! | `drift=` | seconds | 0 | how long the clock is compared with the battery clock before init starts |
//! | `failheap=` | a number | 0 | one allocation of the heap in so many fails, once a program has a child |
//! | `failframes=` | a number | 0 | the same for frames |
//! | `overcommit=` | `0`, `1`, `2` | `0` | how readily memory is promised: Linux's `vm.overcommit_memory` |
//! | `mem=` | `8M`, `512K` | all | how much of the memory that the loader left free is used |
//! | `hertz=` | 100 to 50000 | 250 | ticks of the timer in a second |
//! | `norandomize` | | off | stack, heap and mappings at the same addresses in every run |
use alloc::boxed::Box;

use bitflags::bitflags;
use log::LevelFilter;
use mm::commit::Overcommit;
use spin::Once;

use crate::bugs::Bug;
use crate::drivers::serial::Port;

/// What the serial port that feeds standard input carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stdin {
    /// Keys from a terminal: echoed, and edited a line at a time.
    Raw,
    /// A program's bytes, with DLE as escape for end of file.
    Framed,
}

/// What the standard streams of a program claim to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stdio {
    /// A terminal.
    Tty,
    /// A pipe.
    Pipe,
}

/// How the machine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Power off, or halt where that is not possible.
    Halt,
    /// Tell QEMU the exit code through its debug devices.
    Qemu,
}

bitflags! {
    /// What is logged as it happens.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Kinds: u8 {
        /// Page faults that were served.
        const FAULTS = 1 << 0;
        /// System calls that came back.
        const SYSCALLS = 1 << 1;
        /// Who runs, and who wakes whom.
        const SCHED = 1 << 2;
    }
}

/// For whom the trace is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceFormat {
    /// A person: lines of text.
    Text,
    /// A program: an object of JSON a line.
    Json,
}

/// Where a program's stack, heap and mappings lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Elsewhere in each run.
    Random,
    /// At the same addresses in each run.
    Fixed,
}

/// Every option, as given or by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The port of the kernel's log.
    pub(crate) log: Option<Port>,
    /// The least important message that is logged.
    pub(crate) level: LevelFilter,
    /// The port of the programs' standard streams.
    pub(crate) console: Option<Port>,
    /// What that port carries towards the programs.
    pub(crate) stdin: Stdin,
    /// What the standard streams claim to be.
    pub(crate) stdio: Stdio,
    /// How the machine ends.
    pub(crate) exit: Exit,
    /// What is logged as it happens.
    pub(crate) trace: Kinds,
    /// For whom that is written.
    pub(crate) trace_format: TraceFormat,
    /// What goes wrong on purpose.
    pub(crate) bug: Option<Bug>,
    /// Seconds that the clock is compared with the battery clock.
    pub(crate) drift: u64,
    /// One allocation of the heap in so many fails; 0: none.
    pub(crate) fail_heap: u32,
    /// The same for frames.
    pub(crate) fail_frames: u32,
    /// Bytes of free memory that are used.
    pub(crate) memory: u64,
    /// Ticks of the timer in a second.
    pub(crate) hertz: u64,
    /// Where a program's parts lie.
    pub(crate) layout: Layout,
    /// How readily memory is promised.
    pub(crate) overcommit: Overcommit,
}

impl Options {
    /// A real machine with a terminal on its first serial port.
    pub(crate) const DEFAULT: Self = Self {
        log: Some(Port::Com1),
        level: LevelFilter::Info,
        console: Some(Port::Com1),
        stdin: Stdin::Raw,
        stdio: Stdio::Tty,
        exit: Exit::Halt,
        trace: Kinds::empty(),
        trace_format: TraceFormat::Text,
        bug: None,
        drift: 0,
        fail_heap: 0,
        fail_frames: 0,
        memory: u64::MAX,
        hertz: 250,
        layout: Layout::Random,
        overcommit: Overcommit::Heuristic,
    };

    /// Reads the options of a command line.
    pub(crate) fn parse(line: &[u8]) -> Self {
        let mut options = Self::DEFAULT;
        kernel_words(line).for_each(|word| {
            options.set(word);
        });
        options
    }

    /// Takes one word of the command line, or `None` where it is not an option or not a value of it.
    fn set(&mut self, word: &[u8]) -> Option<()> {
        let word = str::from_utf8(word).ok()?;
        match word.split_once('=').unwrap_or((word, "")) {
            ("log", value) => self.log = port(value)?,
            ("loglevel", value) => self.level = value.parse().ok()?,
            ("console", value) => self.console = port(value)?,
            ("stdin", value) => {
                self.stdin = choose(value, [("raw", Stdin::Raw), ("framed", Stdin::Framed)])?
            }
            ("stdio", value) => {
                self.stdio = choose(value, [("tty", Stdio::Tty), ("pipe", Stdio::Pipe)])?
            }
            ("exit", value) => {
                self.exit = choose(value, [("halt", Exit::Halt), ("qemu", Exit::Qemu)])?
            }
            ("trace", value) => self.trace = kinds(value)?,
            ("traceformat", value) => {
                let formats = [("text", TraceFormat::Text), ("json", TraceFormat::Json)];
                self.trace_format = choose(value, formats)?
            }
            ("bug", "none") => self.bug = None,
            ("bug", value) => self.bug = Some(Bug::named(value)?),
            ("drift", value) => self.drift = value.parse().ok().filter(|&time| time <= 60)?,
            ("failheap", value) => self.fail_heap = value.parse().ok()?,
            ("failframes", value) => self.fail_frames = value.parse().ok()?,
            ("mem", value) => self.memory = size(value)?,
            ("hertz", value) => {
                self.hertz = value.parse().ok().filter(|rate| HERTZ.contains(rate))?
            }
            ("norandomize", "") => self.layout = Layout::Fixed,
            ("overcommit", value) => {
                self.overcommit = choose(
                    value,
                    [
                        ("0", Overcommit::Heuristic),
                        ("1", Overcommit::Always),
                        ("2", Overcommit::Never),
                    ],
                )?
            }
            _ => return None,
        }
        Some(())
    }
}

/// Rates that both the timer and whoever looks at it can bear.
const HERTZ: core::ops::RangeInclusive<u64> = 100..=50_000;

/// A number of bytes, with a unit.
fn size(value: &str) -> Option<u64> {
    let (digits, unit) = match value.strip_suffix('M') {
        Some(digits) => (digits, 1 << 20),
        None => (value.strip_suffix('K')?, 1 << 10),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

fn port(value: &str) -> Option<Option<Port>> {
    choose(
        value,
        [
            ("ttyS0", Some(Port::Com1)),
            ("ttyS2", Some(Port::Com3)),
            ("none", None),
        ],
    )
}

/// Kinds with commas between, each a value of its own.
fn kinds(value: &str) -> Option<Kinds> {
    let kind = |name| {
        choose(
            name,
            [
                ("none", Kinds::empty()),
                ("faults", Kinds::FAULTS),
                ("syscalls", Kinds::SYSCALLS),
                ("sched", Kinds::SCHED),
            ],
        )
    };
    value
        .split(',')
        .try_fold(Kinds::empty(), |all, name| Some(all | kind(name)?))
}

fn choose<T, const N: usize>(value: &str, choices: [(&str, T); N]) -> Option<T> {
    choices
        .into_iter()
        .find_map(|(name, choice)| (name == value).then_some(choice))
}

/// The words of a command line, without the NUL bytes that end them. A word may be empty.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split_inclusive(|&byte| byte == 0)
        .map(|word| word.strip_suffix(&[0]).unwrap_or(word))
}

fn kernel_words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    words(line).take_while(|&word| word != b"--")
}

/// The words of the kernel's part that are no options.
pub(crate) fn unknown_words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    kernel_words(line).filter(|word| Options::DEFAULT.clone().set(word).is_none())
}

/// The program's path and its arguments: what follows `--`.
pub(crate) fn program_words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    words(line).skip_while(|&word| word != b"--").skip(1)
}

/// The line as it was handed over, and what it says.
struct CommandLine {
    options: Options,
    line: Box<[u8]>,
}

static COMMAND_LINE: Once<CommandLine> = Once::new();

/// Reads the command line, once. The memory of `line` may be given back afterwards.
pub(crate) fn init(line: &[u8]) {
    COMMAND_LINE.call_once(|| CommandLine {
        options: Options::parse(line),
        line: line.into(),
    });
}

/// The options of this boot; the defaults as long as the command line has not been read.
pub(crate) fn get() -> &'static Options {
    COMMAND_LINE
        .get()
        .map_or(&Options::DEFAULT, |command| &command.options)
}

/// The program that the command line names, and its arguments; none where it names none.
pub(crate) fn program() -> impl Iterator<Item = &'static [u8]> {
    program_words(line())
}

/// Says in the log which words of the command line were skipped.
pub(crate) fn warn_unknown() {
    for word in unknown_words(line()) {
        log::warn!(
            "unknown option on the command line: {}",
            word.escape_ascii()
        );
    }
}

fn line() -> &'static [u8] {
    COMMAND_LINE.get().map_or(&[], |command| &command.line)
}
