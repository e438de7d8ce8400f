//! The first stack of a program: arguments, environment and the auxiliary vector, as the System V ABI for x86-64 lays
//! them out (section 3.4.1) and Linux fills them.
//!
//! ```text
//!  top     8 zero bytes
//!          strings: arguments, environment, file name, platform, 16 random bytes
//!          (down to a multiple of 16)
//!          auxiliary vector, ended by AT_NULL
//!          pointers to the environment, 0
//!          pointers to the arguments, 0
//!  rsp ->  number of arguments
//! ```
use alloc::vec::Vec;
use core::ops::Range;

use abi::Errno;
use abi::auxvec::AT_NULL;

/// Longest single argument with its end, in bytes: Linux's MAX_ARG_STRLEN.
pub(crate) const MAX_STRING: usize = 32 * 4096;

/// Bytes that arguments, environment and their pointers may have: a quarter of the stack's usual limit, as on Linux.
pub(crate) const MOST_BYTES: usize = 2 << 20;

/// Arguments and environment of a program to be: C strings in a row.
#[derive(Default)]
pub(crate) struct Arguments {
    strings: Vec<u8>,
    /// Offsets in `strings`.
    arguments: Vec<usize>,
    environment: Vec<usize>,
}

/// Which of the two lists a string belongs to. Arguments come first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    Arguments,
    Environment,
}

impl Arguments {
    /// Adds a string, given without its end. `limit` is how many bytes strings and pointers together may have.
    pub(crate) fn push(&mut self, list: List, string: &[u8], limit: usize) -> Result<(), Errno> {
        let place = self.strings.len();
        self.make_room(list, string.len() + 1, limit)?;
        self.strings.extend_from_slice(string);
        self.strings.push(0);
        self.list(list).push(place);
        Ok(())
    }

    fn make_room(&mut self, list: List, bytes: usize, limit: usize) -> Result<(), Errno> {
        let pointers = (self.arguments.len() + self.environment.len() + 1) * size_of::<u64>();
        if bytes > MAX_STRING || self.strings.len() + bytes + pointers > limit {
            return Err(Errno::E2BIG);
        }
        self.strings.try_reserve(bytes).map_err(|_| Errno::ENOMEM)?;
        self.list(list).try_reserve(1).map_err(|_| Errno::ENOMEM)
    }

    fn list(&mut self, list: List) -> &mut Vec<usize> {
        match list {
            List::Arguments => &mut self.arguments,
            List::Environment => &mut self.environment,
        }
    }

    /// Puts `words` in the place of the first argument.
    pub(crate) fn replace_first<'a>(
        &mut self,
        words: impl Iterator<Item = &'a [u8]>,
        limit: usize,
    ) -> Result<(), Errno> {
        let mut all = Self::default();
        for word in words {
            all.push(List::Arguments, word, limit)?;
        }
        for &place in self.arguments.iter().skip(1) {
            all.push(List::Arguments, self.string(place), limit)?;
        }
        for &place in &self.environment {
            all.push(List::Environment, self.string(place), limit)?;
        }
        *self = all;
        Ok(())
    }

    /// The string that begins at `place`.
    fn string(&self, place: usize) -> &[u8] {
        let rest = &self.strings[place..];
        let end = rest.iter().position(|&byte| byte == 0);
        &rest[..end.unwrap_or(rest.len())]
    }

    /// How many arguments there are.
    pub(crate) fn count(&self) -> usize {
        self.arguments.len()
    }
}

/// A value of the auxiliary vector: known, or the address of a string that the stack holds.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The finished stack, to be copied to `pointer`.
pub(crate) struct Image {
    /// Ring 3's first stack pointer.
    pub(crate) pointer: u64,
    /// What stands from there on, and what stands further up at `strings_at`.
    pub(crate) words: Vec<u64>,
    pub(crate) strings_at: u64,
    pub(crate) strings: Vec<u8>,
    /// Where the strings of the arguments stand, and those of the environment.
    pub(crate) arguments: Range<u64>,
    pub(crate) environment: Range<u64>,
}

/// Lays out a stack that ends at byte `top`, a multiple of 16.
pub(crate) fn build(
    top: u64,
    arguments: Arguments,
    vector: &[(u32, Value<'_>)],
) -> Result<Image, Errno> {
    let Arguments {
        mut strings,
        arguments,
        environment,
    } = arguments;
    let mut words = Vec::new();
    let count = 3 + arguments.len() + environment.len() + 2 * (vector.len() + 1);
    let extra: usize = vector.iter().map(|(_, value)| value.len()).sum();
    words
        .try_reserve_exact(count + 1)
        .map_err(|_| Errno::ENOMEM)?;
    strings
        .try_reserve_exact(extra)
        .map_err(|_| Errno::ENOMEM)?;

    let strings_at = (top - 8 - (strings.len() + extra) as u64) & !15;
    let strings_end = strings_at + strings.len() as u64;
    let environment_at = environment
        .first()
        .map_or(strings_end, |&place| strings_at + place as u64);
    words.push(arguments.len() as u64);
    for list in [arguments, environment] {
        words.extend(list.iter().map(|&place| strings_at + place as u64));
        words.push(0);
    }
    for (key, value) in vector {
        words.extend([u64::from(*key), value.place(&mut strings, strings_at)]);
    }
    words.extend([u64::from(AT_NULL), 0]);
    let pointer = (strings_at - (words.len() * size_of::<u64>()) as u64) & !15;
    Ok(Image {
        pointer,
        words,
        strings_at,
        strings,
        arguments: strings_at..environment_at,
        environment: environment_at..strings_end,
    })
}

impl Value<'_> {
    /// Bytes that the value takes among the strings.
    fn len(self) -> usize {
        match self {
            Self::Number(_) => 0,
            Self::Bytes(bytes) => bytes.len(),
        }
    }

    /// The number, or where the bytes now stand.
    fn place(self, strings: &mut Vec<u8>, strings_at: u64) -> u64 {
        match self {
            Self::Number(number) => number,
            Self::Bytes(bytes) => {
                let at = strings_at + strings.len() as u64;
                strings.extend_from_slice(bytes);
                at
            }
        }
    }
}
