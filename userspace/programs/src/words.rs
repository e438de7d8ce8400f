//! A command line as a list, without a heap.

use core::ffi::CStr;

/// As many words as a command line may have here.
const MAX: usize = 256;

/// The words of a command line.
pub struct Words<'a> {
    list: [&'a CStr; MAX],
    used: usize,
}

impl<'a> Words<'a> {
    /// Collects `words`, unless they are too many.
    pub fn collect(words: impl Iterator<Item = &'a CStr>) -> Option<Self> {
        let mut all = Self {
            list: [c""; MAX],
            used: 0,
        };
        for word in words {
            *all.list.get_mut(all.used)? = word;
            all.used += 1;
        }
        Some(all)
    }

    /// The words, in order.
    pub fn as_slice(&self) -> &[&'a CStr] {
        &self.list[..self.used]
    }
}
