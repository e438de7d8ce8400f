//! One system call, kept as numbers until somebody reads the trace, and then written as strace(1) would.
use core::fmt::{self, Display, Formatter, Write};

use abi::{Errno, Sysno};

use super::names::Named;
use super::shape::{self, Kind};

/// Bytes of a string that are kept.
pub(crate) const KEPT: usize = 40;

/// A call that has come back.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) number: u32,
    pub(crate) arguments: [u64; 6],
    pub(crate) answer: u64,
    /// The beginning of the string among the arguments, if there was one.
    pub(crate) string: Option<Snippet>,
}

/// The beginning of a string of ring 3's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snippet {
    bytes: [u8; KEPT],
    len: usize,
    rest: Rest,
}

/// Whether a string goes on behind what was kept of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rest {
    None,
    Some,
}

/// Where a call's string lies, and how it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// At a NUL byte.
    Path(u64),
    /// After so many bytes.
    Data(u64, u64),
}

/// The string among the arguments of a call, if it has one.
pub(crate) fn place(number: u32, arguments: [u64; 6]) -> Option<Place> {
    let kinds = shape::arguments(Sysno::new(number as usize));
    let mut places = kinds.iter().enumerate();
    places.find_map(|(at, kind)| match kind {
        Kind::Path => Some(Place::Path(arguments[at])),
        Kind::Data => Some(Place::Data(arguments[at], arguments[at + 1])),
        _ => None,
    })
}

impl Place {
    /// Where the bytes begin.
    pub(crate) fn address(self) -> u64 {
        match self {
            Self::Path(address) | Self::Data(address, _) => address,
        }
    }

    /// What is kept of a string of which `bytes` could be read.
    pub(crate) fn snippet(self, bytes: &[u8]) -> Snippet {
        let whole = match self {
            Self::Path(_) => bytes.iter().position(|&byte| byte == 0),
            Self::Data(_, length) => usize::try_from(length)
                .ok()
                .filter(|&all| all <= bytes.len()),
        };
        let len = whole.unwrap_or(bytes.len()).min(KEPT);
        let rest = if whole.is_some_and(|whole| whole <= KEPT) {
            Rest::None
        } else {
            Rest::Some
        };
        let mut kept = [0; KEPT];
        kept[..len].copy_from_slice(&bytes[..len]);
        Snippet {
            bytes: kept,
            len,
            rest,
        }
    }
}

impl Display for Snippet {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let dots = match self.rest {
            Rest::None => "",
            Rest::Some => "...",
        };
        write!(f, "\"{}\"{dots}", self.bytes[..self.len].escape_ascii())
    }
}

impl Call {
    fn sysno(&self) -> Option<Sysno> {
        Sysno::new(self.number as usize)
    }

    /// The call's name, or its number.
    pub(crate) fn name(&self) -> impl Display {
        fmt::from_fn(|f| match self.sysno() {
            Some(call) => f.write_str(call.name()),
            None => write!(f, "syscall_{}", self.number),
        })
    }

    /// The arguments, each as its kind is written.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = impl Display> {
        let kinds = shape::arguments(self.sysno());
        kinds
            .iter()
            .zip(self.arguments)
            .map(|(&kind, value)| Argument {
                kind,
                value,
                string: self.string,
            })
    }

    /// The error's number, if the call was refused.
    pub(crate) fn refusal(&self) -> Option<Errno> {
        const LARGEST: i64 = 4095;
        let answer = self.answer as i64;
        let refused = (-LARGEST..0).contains(&answer);
        refused.then(|| Errno::new(-answer as i32))
    }

    /// What came back, without the error's name.
    pub(crate) fn answer(&self) -> impl Display {
        Argument {
            kind: shape::answer(self.sysno()),
            value: self.answer,
            string: None,
        }
    }
}

/// `name(arguments) = answer`.
impl Display for Call {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name())?;
        for (number, argument) in self.arguments().enumerate() {
            let separator = if number == 0 { "" } else { ", " };
            write!(f, "{separator}{argument}")?;
        }
        f.write_str(") = ")?;
        match self.refusal() {
            Some(errno) => {
                let (name, text) = errno.name_and_description().unwrap_or(("?", "unknown"));
                write!(f, "-1 {name} ({text})")
            }
            None => write!(f, "{}", self.answer()),
        }
    }
}

struct Argument {
    kind: Kind,
    value: u64,
    string: Option<Snippet>,
}

impl Display for Argument {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let value = self.value;
        match (self.kind, self.string) {
            (Kind::Path | Kind::Data, Some(string)) => string.fmt(f),
            (Kind::Pointer | Kind::Path | Kind::Data, _) if value == 0 => f.write_str("NULL"),
            (Kind::Pointer | Kind::Path | Kind::Data | Kind::Bits, _) => write!(f, "{value:#x}"),
            (Kind::Size, _) => write!(f, "{}", value as i64),
            (Kind::Int, _) => write!(f, "{}", value as i32),
            (Kind::Mode, _) => write!(f, "0{:03o}", value as u32),
            (Kind::Directory, _) if value as i32 == abi::general::AT_FDCWD => {
                f.write_str("AT_FDCWD")
            }
            (Kind::Directory, _) => write!(f, "{}", value as i32),
            (Kind::Named(names), _) => Named(value, names).fmt(f),
            (Kind::Never, _) => f.write_char('?'),
        }
    }
}
