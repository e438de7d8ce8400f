//! A program: lines that the interpreter reads (`userspace/programs/src/bin/oracle`), and how people read them.

use std::fmt::{self, Write};

use anyhow::{Context, Result};

/// Where the heap's numbers begin.
pub(crate) const HEAP: u64 = 0x100_0000;
/// The number that stands for the address 0.
pub(crate) const ANYWHERE: u64 = 0xffff_ffff;
/// Where distances below the window begin.
pub(crate) const BELOW: u64 = 0x200_0000;
/// The number of the file of data; those behind it are slots of files in memory.
pub(crate) const DATA: u64 = 1;
/// The limit that is none.
pub(crate) const LIFTED: u64 = 0xffff;

const RIGHTS: [&str; 8] = ["---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx"];
const TOUCHES: [&str; 5] = ["read", "write", "execute", "rewrite", "plant a return"];
const ADVICE: &[(u64, &str)] = &[
    (0, "NORMAL"),
    (1, "RANDOM"),
    (2, "SEQUENTIAL"),
    (3, "WILLNEED"),
    (4, "DONTNEED"),
    (8, "FREE"),
    (9, "REMOVE"),
    (10, "DONTFORK"),
    (11, "DOFORK"),
    (14, "HUGEPAGE"),
    (15, "NOHUGEPAGE"),
    (16, "DONTDUMP"),
    (17, "DODUMP"),
    (18, "WIPEONFORK"),
    (19, "KEEPONFORK"),
    (20, "COLD"),
    (21, "PAGEOUT"),
    (22, "POPULATE_READ"),
    (23, "POPULATE_WRITE"),
    (24, "DONTNEED_LOCKED"),
];
const MAP: &[(u64, &str)] = &[
    (0x01, "SHARED"),
    (0x02, "PRIVATE"),
    (0x10, "FIXED"),
    (0x20, "ANONYMOUS"),
    (0x100, "GROWSDOWN"),
    (0x2000, "LOCKED"),
    (0x4000, "NORESERVE"),
    (0x8000, "POPULATE"),
    (0x10_0000, "FIXED_NOREPLACE"),
];
const SEALS: &[(u64, &str)] = &[
    (1, "SEAL"),
    (2, "SHRINK"),
    (4, "GROW"),
    (8, "WRITE"),
    (16, "FUTURE_WRITE"),
    (32, "EXEC"),
];
const ALLOCATE: &[(u64, &str)] = &[(1, "KEEP_SIZE"), (2, "PUNCH_HOLE"), (16, "ZERO_RANGE")];
const RESOURCES: &[(u64, &str)] = &[(2, "DATA"), (3, "STACK"), (8, "MEMLOCK"), (9, "AS")];
const REPAIRS: [&str; 7] = [
    "map",
    "map shared",
    "protect",
    "unmap",
    "move the next page",
    "lengthen file 0",
    "nothing",
];
const MREMAP: &[(u64, &str)] = &[(1, "MAYMOVE"), (2, "FIXED"), (4, "DONTUNMAP")];

/// Verbs of programs that have a folder of their own.
const NAMED: [char; 3] = ['O', 'n', 'v'];

/// One line: a letter and numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) verb: char,
    pub(crate) numbers: Vec<u64>,
}

/// What is compared beside what the program's own lines say: less where a file is mapped (see README).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shows {
    /// Minor faults and residency.
    Faults,
    /// Residency.
    Residency,
    /// Nothing.
    Nothing,
}

impl Shows {
    const ALL: [Self; 3] = [Self::Faults, Self::Residency, Self::Nothing];

    /// The bits of a program's mode.
    fn bits(self) -> u64 {
        match self {
            Self::Faults => 1 | 4,
            Self::Residency => 4,
            Self::Nothing => 0,
        }
    }
}

/// Lines in order. Any of them alone would be a program too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) shows: Shows,
    pub(crate) lines: Vec<Line>,
}

impl Program {
    /// As the interpreter reads it.
    pub(crate) fn text(&self, name: usize, full: bool) -> String {
        let has_files = self.lines.iter().any(|line| line.verb == 'M');
        let has_names = self.lines.iter().any(|line| NAMED.contains(&line.verb));
        let mode = self.shows.bits() | u64::from(full) << 1;
        let mode = mode | u64::from(has_files) << 3 | u64::from(has_names) << 4;
        let mut text = format!("P {name:x} {mode:x}\n");
        for line in &self.lines {
            text.push(line.verb);
            for number in &line.numbers {
                let _ = write!(text, " {number:x}");
            }
            text.push('\n');
        }
        text
    }

    /// Reads what `text` wrote; what stands behind `#` is for people.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or(line).trim_end());
        let mut lines = lines.filter(|line| !line.is_empty()).map(Line::parse);
        let head = lines.next().context("the program is empty")??;
        let mode = *head.numbers.get(1).context("the program has no mode")?;
        let shown = |shows: &Shows| mode & 5 == shows.bits();
        Ok(Self {
            shows: Shows::ALL
                .into_iter()
                .find(shown)
                .context("the program's mode is unknown")?,
            lines: lines.collect::<Result<_>>()?,
        })
    }
}

impl Line {
    pub(crate) fn new<const N: usize>(verb: char, numbers: [u64; N]) -> Self {
        Self {
            verb,
            numbers: numbers.to_vec(),
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let mut words = text.split(' ');
        let verb = words.next().and_then(|word| word.chars().next());
        let numbers = words.map(|word| u64::from_str_radix(word, 16));
        Ok(Self {
            verb: verb.with_context(|| format!("no letter in `{text}`"))?,
            numbers: numbers
                .collect::<Result<_, _>>()
                .with_context(|| format!("no number in `{text}`"))?,
        })
    }

    pub(crate) fn number(&self, index: usize) -> u64 {
        self.numbers.get(index).copied().unwrap_or(0)
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut depth = 0usize;
        for (index, line) in self.lines.iter().enumerate() {
            if line.verb == 'e' {
                depth = depth.saturating_sub(1);
            }
            writeln!(f, "{index:>4x}  {:indent$}{line}", "", indent = 4 * depth)?;
            if line.verb == 'f' {
                depth += 1;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = place(self.number(0));
        let [second, third, fourth, fifth] = [1, 2, 3, 4].map(|index| self.number(index));
        let length = pages(second);
        match self.verb {
            'm' => {
                let flags = flags(fourth, MAP);
                let rights = RIGHTS[third as usize & 7];
                write!(f, "mmap({at}, {length}, {rights}, {flags}")?;
                match self.number(5) {
                    0 => write!(f, ")"),
                    DATA => write!(f, ", data from {})", pages(fifth)),
                    file => write!(f, ", file {} from {})", file - DATA - 1, pages(fifth)),
                }
            }
            'u' => write!(f, "munmap({at}, {length})"),
            'p' => {
                let grows = if third > 7 { ", GROWSDOWN" } else { "" };
                let rights = RIGHTS[third as usize & 7];
                write!(f, "mprotect({at}, {length}, {rights}{grows})")
            }
            'r' => {
                let (flags, target) = (flags(fourth, MREMAP), place(fifth));
                write!(
                    f,
                    "mremap({at}, {length}, {}, {flags}, {target})",
                    pages(third)
                )
            }
            'a' => write!(f, "madvise({at}, {length}, {})", name(third, ADVICE)),
            'l' => write!(f, "mlock2({at}, {length}, {third})"),
            'k' => write!(f, "munlock({at}, {length})"),
            'L' => write!(f, "mlockall({})", self.number(0)),
            'K' => write!(f, "munlockall()"),
            's' => write!(f, "msync({at}, {length}, {third})"),
            'c' => write!(f, "mincore({at}, {length})"),
            'b' => write!(f, "brk(heap + {})", pages(self.number(0))),
            't' => write!(f, "{} {at}", TOUCHES[second as usize % TOUCHES.len()]),
            'h' => write!(f, "look at {} pages from {at}", second),
            'A' | 'V' => write!(f, "look at the areas"),
            'w' => {
                let touch = TOUCHES[second as usize % TOUCHES.len()];
                let way = REPAIRS[(third as usize & 0xf).min(REPAIRS.len() - 1)];
                let aside = if third > 0xf { ", aside" } else { "" };
                write!(f, "{touch} {at}, repaired by: {way}{aside}")
            }
            'y' => self.show_limit(f),
            'M' | 'D' | 'T' | 'F' | 'S' | 'W' | 'i' | 'o' | 'Z' => self.show_file(f),
            'O' | 'n' | 'd' | 'R' | 'B' | 'j' | 'x' | 'z' | 'N' | 'E' | 'Q' | 'v' => {
                self.show_named(f)
            }
            'f' => write!(f, "fork"),
            'e' => write!(f, "end of the child"),
            'X' => write!(f, "exec, and go on"),
            'q' => write!(f, "exit({})", self.number(0)),
            'g' => write!(f, "raise({})", self.number(0)),
            other => write!(f, "{other} {:?}", self.numbers),
        }
    }
}

impl Line {
    fn show_limit(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let resource = name(self.number(0), RESOURCES);
        match self.number(1) {
            LIFTED => write!(f, "setrlimit({resource}, none)"),
            more => write!(f, "setrlimit({resource}, {more}p more)"),
        }
    }

    /// Lines about files in memory.
    fn show_file(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [slot, second, third, fourth] = [0, 1, 2, 3].map(|index| self.number(index));
        match self.verb {
            'M' => write!(f, "file {slot} = memfd_create({second:#x})"),
            'D' => write!(f, "close(file {slot})"),
            'T' => write!(f, "ftruncate(file {slot}, {})", pages(second)),
            'F' => {
                let (start, length) = (pages(third), pages(fourth));
                let mode = flags(second, ALLOCATE);
                write!(f, "fallocate(file {slot}, {mode}, {start}, {length})")
            }
            'S' => write!(f, "seal(file {slot}, {})", flags(second, SEALS)),
            'W' => write!(
                f,
                "pwrite(file {slot}, {}, at {})",
                pages(third),
                pages(second)
            ),
            'Z' => write!(f, "look at the files"),
            verb => {
                let call = if verb == 'i' { "pread" } else { "pwrite" };
                let (at, length, from) = (place(second), pages(third), pages(fourth));
                write!(f, "{call}(file {slot}, memory {at}, {length}, at {from})")
            }
        }
    }
}

/// A place in the window, as page and byte.
fn place(number: u64) -> String {
    match number {
        ANYWHERE => "0".to_owned(),
        BELOW.. => format!("[-{}]", pages(number - BELOW)),
        HEAP.. => format!("heap[{}]", pages(number - HEAP)),
        _ => format!("[{}]", pages(number)),
    }
}

pub(crate) fn pages(bytes: u64) -> String {
    match bytes % 4096 {
        0 => format!("{}p", bytes / 4096),
        rest => format!("{}p+{rest:#x}", bytes / 4096),
    }
}

pub(crate) fn flags(value: u64, names: &[(u64, &str)]) -> String {
    let known = names.iter().filter(|(bit, _)| value & bit != 0);
    let words: Vec<_> = known.map(|&(_, name)| name).collect();
    let rest = names.iter().fold(value, |rest, (bit, _)| rest & !bit);
    match (words.is_empty(), rest) {
        (false, 0) => words.join("|"),
        _ => format!("{} {rest:#x}", words.join("|")),
    }
}

pub(crate) fn name(value: u64, names: &[(u64, &str)]) -> String {
    let found = names.iter().find(|(number, _)| *number == value);
    found.map_or_else(|| value.to_string(), |(_, name)| (*name).to_owned())
}
