//! ACPI's tables: how to switch the machine off, how to reset it, and a clock of known rate, read from what firmware left
//! in memory.
//!
//! Pure: bytes in, facts out, and `arch::firmware` brings the one and acts on the other. Firmware's tables are believed
//! only as far as their lengths and sums agree. Which value switches off stands in code that is interpreted (AML), as
//! the package `\_S5`; the package is found by its bytes, since all firmware writes it as a constant, instead of by an
//! interpreter of ten thousand lines that would first run the rest of that code.
use core::ops::Range;

/// Physical memory, of which firmware's tables are a part.
pub(crate) trait Physical {
    /// The bytes from `address` on; `None` where there are none.
    fn bytes(&self, address: u64, length: usize) -> Option<&[u8]>;
}

/// The header that every table begins with.
const HEADER: usize = 36;

/// No table is larger; a length beyond it is rubbish.
const LARGEST: usize = 16 << 20;

/// The table of tables, checked.
pub(crate) struct Tables<'m> {
    memory: &'m dyn Physical,
    root: &'m [u8],
    /// Bytes of an address in it.
    width: usize,
}

impl<'m> Tables<'m> {
    /// Follows the pointer that firmware left at `rsdp`.
    pub(crate) fn open(memory: &'m dyn Physical, rsdp: u64) -> Option<Self> {
        const FIRST: usize = 20;
        const SECOND: usize = 36;
        let first = memory.bytes(rsdp, FIRST)?;
        if !first.starts_with(b"RSD PTR ") || sum(first) != 0 {
            return None;
        }
        let open = |signature: &[u8; 4], address, width| {
            let root = table(memory, address).filter(|root| root.starts_with(signature))?;
            Some(Self {
                memory,
                root,
                width,
            })
        };
        // From revision 2 on there is a table with long addresses, which old machines filled in badly.
        let second = memory.bytes(rsdp, SECOND).filter(|_| first[15] >= 2);
        let long = second.filter(|second| sum(second) == 0);
        long.and_then(|long| open(b"XSDT", number(long, 24..32)?, 8))
            .or_else(|| open(b"RSDT", number(first, 16..20)?, 4))
    }

    /// The tables with this signature: `FACP`, `APIC`, `SSDT` ...
    pub(crate) fn all(&self, signature: [u8; 4]) -> impl Iterator<Item = &'m [u8]> {
        let addresses = self.root.get(HEADER..).unwrap_or_default();
        addresses
            .chunks_exact(self.width)
            .filter_map(|entry| table(self.memory, number(entry, 0..entry.len())?))
            .filter(move |table| table.starts_with(&signature))
    }
}

/// The table at `address`, if its length and its sum are right.
fn table(memory: &dyn Physical, address: u64) -> Option<&[u8]> {
    let header = memory.bytes(address, HEADER).filter(|_| address != 0)?;
    let length = number(header, 4..8)? as usize;
    if !(HEADER..=LARGEST).contains(&length) {
        return None;
    }
    let whole = memory.bytes(address, length)?;
    (sum(whole) == 0).then_some(whole)
}

/// Of a good table, 0.
fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// The little-endian number in `place`; `None` where the table is too short for it.
fn number(bytes: &[u8], place: Range<usize>) -> Option<u64> {
    let bytes = bytes.get(place)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)),
    )
}

/// A register, where a generic address structure says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Register {
    /// At a physical address.
    Memory(u64),
    /// At an I/O port.
    Port(u16),
}

/// How the machine ends, by registers `R`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Power<R = Register> {
    /// The control registers of power management, and for each the kind of sleep that is "off".
    pub(crate) off: [Option<(R, u8)>; 2],
    /// A port and what to write to it, so that firmware lets go of those registers.
    pub(crate) enable: Option<(u16, u8)>,
    /// A register and what to write to it, so that the machine starts anew.
    pub(crate) reset: Option<(R, u8)>,
}

impl<R> Power<R> {
    /// The same by what `reach` makes of the registers; without those that can't be reached.
    pub(crate) fn by<S>(self, reach: impl Fn(R) -> Option<S>) -> Power<S> {
        let reach = |(register, value)| Some((reach(register)?, value));
        Power {
            off: self.off.map(|off| off.and_then(reach)),
            enable: self.enable,
            reset: self.reset.and_then(reach),
        }
    }
}

impl Power {
    /// What the fixed table (FADT) and the code behind it say.
    pub(crate) fn read(tables: &Tables<'_>) -> Option<Self> {
        let fixed = tables.all(*b"FACP").next()?;
        let kinds = sleep_kinds(tables, fixed);
        let control =
            |old: usize, new| generic(fixed, new).or_else(|| port(number(fixed, old..old + 4)?));
        let off = |register: Option<Register>, number: usize| Some((register?, kinds?[number]));
        Some(Self {
            off: [off(control(64, 172), 0), off(control(68, 184), 1)],
            enable: enable(fixed),
            reset: reset(fixed),
        })
    }
}

/// The power-management timer, a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CounterFacts {
    /// Where it is read, 4 bytes at a time.
    pub(crate) register: Register,
    /// The bits that count: 24 of them, or 32.
    pub(crate) mask: u32,
}

impl CounterFacts {
    /// What the fixed table says; machines without the old registers of power management have no such timer.
    pub(crate) fn read(tables: &Tables<'_>) -> Option<Self> {
        const LONG: u64 = 1 << 8;
        const WITHOUT_REGISTERS: u64 = 1 << 20;
        let fixed = tables.all(*b"FACP").next()?;
        let flags = number(fixed, 112..116)?;
        if flags & WITHOUT_REGISTERS != 0 || number(fixed, 91..92)? != 4 {
            return None;
        }
        let register = generic(fixed, 208).or_else(|| port(number(fixed, 76..80)?))?;
        let mask = if flags & LONG != 0 {
            u32::MAX
        } else {
            0xff_ffff
        };
        Some(Self { register, mask })
    }
}

/// A port's number, unless it is 0, which stands for none.
fn port(number: u64) -> Option<Register> {
    let number = u16::try_from(number).ok().filter(|&number| number != 0)?;
    Some(Register::Port(number))
}

/// The register that the generic address structure at `at` leads to.
fn generic(table: &[u8], at: usize) -> Option<Register> {
    const MEMORY: u64 = 0;
    const PORT: u64 = 1;
    let address = number(table, at + 4..at + 12).filter(|&address| address != 0)?;
    match number(table, at..at + 1)? {
        MEMORY => Some(Register::Memory(address)),
        PORT => port(address),
        _ => None,
    }
}

fn enable(fixed: &[u8]) -> Option<(u16, u8)> {
    let (command, value) = (number(fixed, 48..52)?, number(fixed, 52..53)?);
    let command = u16::try_from(command).ok()?;
    (command != 0 && value != 0).then_some((command, value as u8))
}

fn reset(fixed: &[u8]) -> Option<(Register, u8)> {
    const SUPPORTED: u64 = 1 << 10;
    let supported = number(fixed, 112..116)? & SUPPORTED != 0;
    let value = number(fixed, 128..129)? as u8;
    Some((generic(fixed, 116)?, value)).filter(|_| supported)
}

/// The two numbers of `\_S5`, from the first table of code that has it.
fn sleep_kinds(tables: &Tables<'_>, fixed: &[u8]) -> Option<[u8; 2]> {
    let old = number(fixed, 40..44)?;
    let main = number(fixed, 140..148)
        .filter(|&new| new != 0)
        .unwrap_or(old);
    let main = table(tables.memory, main).filter(|main| main.starts_with(b"DSDT"));
    main.into_iter()
        .chain(tables.all(*b"SSDT"))
        .find_map(find_s5)
}

/// Looks in AML for `Name (\_S5, Package () { a, b, ... })`.
fn find_s5(code: &[u8]) -> Option<[u8; 2]> {
    const NAME: u8 = 0x08;
    let mut places = code.windows(4).enumerate();
    places.find_map(|(at, word)| {
        let named = code[..at].ends_with(&[NAME]) || code[..at].ends_with(&[NAME, b'\\']);
        let found = word == b"_S5_" && named;
        found.then(|| package(&code[at + 4..])).flatten()
    })
}

/// The first two numbers of a package.
fn package(code: &[u8]) -> Option<[u8; 2]> {
    const PACKAGE: u8 = 0x12;
    let (&first, rest) = code.split_first()?;
    // The length's first byte says in its two upper bits how many more there are; then comes the count of elements.
    let more = usize::from(rest.first()? >> 6);
    let (a, rest) = small_number(rest.get(more + 2..)?)?;
    let (b, _) = small_number(rest)?;
    (first == PACKAGE).then_some([a, b])
}

/// A number as AML writes it, of which only the low three bits can matter here; and what follows.
fn small_number(code: &[u8]) -> Option<(u8, &[u8])> {
    let (&prefix, rest) = code.split_first()?;
    let size = match prefix {
        0x00 | 0x01 => return Some((prefix, rest)),
        0x0a => 1,
        0x0b => 2,
        0x0c => 4,
        _ => return None,
    };
    Some((*rest.first()?, rest.get(size..)?))
}
