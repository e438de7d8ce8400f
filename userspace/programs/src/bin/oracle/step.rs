//! One line of a program: a letter and hexadecimal numbers.
//!
//! Lines mean the same wherever they stand, and a `fork` without its end has the rest as its child: so any lines of a
//! program are a program, which is what shrinking needs.

/// A line that was understood.
pub(crate) struct Step {
    pub(crate) verb: u8,
    /// Those that are missing are 0.
    pub(crate) numbers: [usize; 6],
}

/// The lines of a program.
pub(crate) struct Lines<'a> {
    rest: &'a [u8],
    /// How many lines of the whole program came before.
    pub(crate) index: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a [u8], first: usize) -> Self {
        Self {
            rest: text,
            index: first,
        }
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Takes all lines up to the end of the fork that was just taken, and the end itself: what its child does.
    pub(crate) fn take_child(&mut self) -> Lines<'a> {
        let child = self.rest;
        let first = self.index;
        let mut depth = 1;
        for step in self.by_ref() {
            match step.verb {
                b'f' => depth += 1,
                b'e' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
        Lines::new(&child[..child.len() - self.rest.len()], first)
    }
}

impl Iterator for Lines<'_> {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        let length = self.rest.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = self.rest.split_at(length);
        self.rest = &rest[1..];
        self.index += 1;
        let mut words = line.split(|byte| *byte == b' ');
        let verb = *words.next()?.first()?;
        let mut numbers = [0; 6];
        for (place, word) in numbers.iter_mut().zip(words) {
            *place = number(word)?;
        }
        Some(Step { verb, numbers })
    }
}

/// Reads a hexadecimal number.
pub(crate) fn number(word: &[u8]) -> Option<usize> {
    usize::from_str_radix(core::str::from_utf8(word).ok()?, 16).ok()
}
