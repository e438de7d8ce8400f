//! The vDSO, as a program sees it: an ELF file in memory, whose functions are found by their names.

use core::ffi::CStr;

use rt::abi::auxvec::AT_SYSINFO_EHDR;
use rt::{env, probe};

/// The tags of the dynamic section that are needed to find a function.
const HASH: u64 = 4;
const NAMES: u64 = 5;
const SYMBOLS: u64 = 6;

/// Bytes of an entry of the table of symbols.
const SYMBOL: usize = 24;

/// The object that the kernel put into this program's memory.
#[derive(Clone, Copy, Debug)]
pub struct Object {
    /// Where it begins.
    pub start: usize,
    dynamic: usize,
}

impl Object {
    /// This program's.
    pub fn own() -> Option<Self> {
        let start = env::auxiliary_value(AT_SYSINFO_EHDR)?;
        let headers = start + probe::load_word(start + 32) as usize;
        let count = probe::load_half(start + 56) as usize & 0xffff;
        let mut headers = (0..count).map(|number| headers + 56 * number);
        let dynamic = headers.find(|&header| probe::load_half(header) == 2)?;
        let dynamic = start + probe::load_word(dynamic + 16) as usize;
        Some(Self { start, dynamic })
    }

    /// Whether it begins as ELF files do.
    pub fn is_elf(self) -> bool {
        probe::load_half(self.start).to_le_bytes() == *b"\x7fELF"
    }

    /// Where the table that `tag` names is.
    fn table(self, tag: u64) -> Option<usize> {
        let entries = (0..).map(|number| self.dynamic + 16 * number);
        let mut entries = entries.take_while(|&entry| probe::load_word(entry) != 0);
        let entry = entries.find(|&entry| probe::load_word(entry) == tag)?;
        Some(self.start + probe::load_word(entry + 8) as usize)
    }

    /// How many symbols there are; `None` where there is no table of the old kind that says so.
    fn count(self) -> Option<usize> {
        self.table(HASH)
            .map(|hash| probe::load_half(hash + 4) as usize)
    }

    /// Where the function called `name` begins.
    pub fn function(self, name: &CStr) -> Option<usize> {
        let (names, symbols) = (self.table(NAMES)?, self.table(SYMBOLS)?);
        // Where nobody says how many there are, the names stand behind the symbols.
        let most = names.saturating_sub(symbols) / SYMBOL;
        let count = self.count().unwrap_or(most);
        let mut all = (1..count).map(|number| symbols + SYMBOL * number);
        let symbol = all.find(|&symbol| is(names + probe::load_half(symbol) as usize, name))?;
        Some(self.start + probe::load_word(symbol + 8) as usize)
    }
}

/// Whether the string at `address` is `name`.
fn is(address: usize, name: &CStr) -> bool {
    let bytes = name.to_bytes_with_nul().iter().enumerate();
    let mut bytes = bytes;
    bytes.all(|(at, &byte)| probe::load(address + at) == byte)
}
