//! ACPI's tables: good ones are read, bad ones are not believed, and none makes the reader fall over.
use std::collections::BTreeMap;

use crate::acpi::{CounterFacts, Physical, Power, Register, Tables};

/// Memory in pieces, by address.
#[derive(Default)]
struct Pieces(BTreeMap<u64, Vec<u8>>);

impl Physical for Pieces {
    fn bytes(&self, address: u64, length: usize) -> Option<&[u8]> {
        let (start, piece) = self.0.range(..=address).next_back()?;
        let from = (address - start) as usize;
        piece.get(from..from.checked_add(length)?)
    }
}

impl Pieces {
    /// Puts `bytes` at `address`, with the byte at `sum` such that all of them add up to 0.
    fn put(&mut self, address: u64, mut bytes: Vec<u8>, sum: usize) {
        bytes[sum] = bytes
            .iter()
            .fold(bytes[sum], |rest, byte| rest.wrapping_sub(*byte));
        self.0.insert(address, bytes);
    }

    fn put_table(&mut self, address: u64, signature: &[u8], body: &[u8]) {
        let mut bytes = vec![0; 36];
        bytes[..4].copy_from_slice(signature);
        bytes[4..8].copy_from_slice(&(36 + body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(body);
        self.put(address, bytes, 9);
    }
}

const RSDP: u64 = 0xf_0000;
const FACP: u64 = 0x2000;
const DSDT: u64 = 0x3000;
const S5: &[u8] = b"\x10\x08_S5_\x12\x06\x04\x0a\x05\x01\x00\x00rest";

/// A machine of the first revision, whose code is `code`.
fn machine(code: &[u8]) -> Pieces {
    let mut memory = Pieces::default();
    let mut rsdp = b"RSD PTR ".to_vec();
    rsdp.resize(20, 0);
    rsdp[16..20].copy_from_slice(&0x1000u32.to_le_bytes());
    memory.put(RSDP, rsdp, 8);
    memory.put_table(0x1000, b"RSDT", &(FACP as u32).to_le_bytes());
    let mut fixed = vec![0; 244 - 36];
    let mut set =
        |at: usize, bytes: &[u8]| fixed[at - 36..at - 36 + bytes.len()].copy_from_slice(bytes);
    set(40, &(DSDT as u32).to_le_bytes());
    set(48, &0xb2u32.to_le_bytes());
    set(52, &[0xf1]);
    set(64, &0x604u32.to_le_bytes());
    set(112, &(1u32 << 10).to_le_bytes());
    set(116, &[1, 8, 0, 1, 0xf9, 0x0c]);
    set(128, &[0x0f]);
    memory.put_table(FACP, b"FACP", &fixed);
    memory.put_table(DSDT, b"DSDT", code);
    memory
}

fn power(memory: &Pieces) -> Option<Power> {
    Power::read(&Tables::open(memory, RSDP)?)
}

#[test]
fn off_and_reset_are_found() {
    let expected = Power {
        off: [Some((Register::Port(0x604), 5)), None],
        enable: Some((0xb2, 0xf1)),
        reset: Some((Register::Port(0xcf9), 0x0f)),
    };
    assert_eq!(power(&machine(S5)), Some(expected));
}

#[test]
fn a_register_out_of_reach_is_never_used() {
    let power = Power {
        off: [
            Some((Register::Memory(0xfed0_0000), 5)),
            Some((Register::Port(0x604), 5)),
        ],
        enable: None,
        reset: Some((Register::Memory(0xfed0_0004), 1)),
    };
    let port = |register| match register {
        Register::Port(port) => Some(port),
        Register::Memory(_) => None,
    };
    let expected = Power {
        off: [None, Some((0x604, 5))],
        enable: None,
        reset: None,
    };
    assert_eq!(power.by(port), expected);
}

#[test]
fn without_the_package_there_is_no_off() {
    for code in [
        &b""[..],
        b"_S5_",
        b"\x08_S5_",
        b"\x08_S5_\x12\x06\x04\x0a",
        b"\x08_S5_\x12\xff\x04\x0a",
        b"\x08_S5_\x11\x06\x04\x0a\x05\x01",
        b"\x08_S4_\x12\x06\x04\x0a\x05\x01",
    ] {
        let power = power(&machine(code)).expect("the fixed table is there");
        assert_eq!(power.off, [None, None], "{code:x?}");
    }
}

/// The timer of a machine whose fixed table has `bytes` at these places.
fn timer(changes: &[(usize, &[u8])]) -> Option<CounterFacts> {
    let mut memory = machine(S5);
    let mut fixed = memory.0.remove(&FACP).expect("it is there");
    for (at, bytes) in changes {
        fixed[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    memory.put(FACP, fixed, 9);
    CounterFacts::read(&Tables::open(&memory, RSDP)?)
}

#[test]
fn the_timer_is_where_the_table_says_and_as_wide() {
    const PORT: (usize, &[u8]) = (76, &[0x08, 0x06, 0, 0]);
    const LENGTH: (usize, &[u8]) = (91, &[4]);
    let found = |register, mask| Some(CounterFacts { register, mask });
    let port = Register::Port(0x608);
    assert_eq!(timer(&[PORT, LENGTH]), found(port, 0xff_ffff));
    let long = (112, &[0, 1, 0, 0][..]);
    assert_eq!(timer(&[PORT, LENGTH, long]), found(port, u32::MAX));
    let address = (208, &[0, 32, 0, 3, 0, 0x10, 0, 0xfe, 0, 0, 0, 0][..]);
    let memory = Register::Memory(0xfe00_1000);
    assert_eq!(timer(&[PORT, LENGTH, address]), found(memory, 0xff_ffff));
}

#[test]
fn no_timer_is_made_up() {
    const PORT: (usize, &[u8]) = (76, &[0x08, 0x06, 0, 0]);
    const LENGTH: (usize, &[u8]) = (91, &[4]);
    let reduced = (112, &[0, 0, 0x10, 0][..]);
    assert_eq!(timer(&[]), None);
    assert_eq!(timer(&[PORT]), None, "a timer of no bytes");
    assert_eq!(timer(&[LENGTH]), None, "a timer at no port");
    assert_eq!(timer(&[PORT, LENGTH, reduced]), None, "hardware-reduced");
}

#[test]
fn a_wrong_sum_is_not_believed() {
    for address in [RSDP, 0x1000, FACP] {
        let mut memory = machine(S5);
        let piece = memory.0.get_mut(&address).expect("it is there");
        piece[10] ^= 1;
        assert_eq!(power(&memory), None, "{address:#x}");
    }
}

#[test]
fn no_length_and_no_address_makes_the_reader_fall_over() {
    for (address, at) in [
        (0x1000, 4),
        (FACP, 4),
        (DSDT, 4),
        (FACP, 40),
        (FACP, 140),
        (0x1000, 36),
    ] {
        for value in [0, 1, 35, 36, 37, u32::MAX] {
            let mut memory = machine(S5);
            let mut bytes = memory.0.remove(&address).expect("it is there");
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            memory.put(address, bytes, 9);
            let _ = power(&memory);
        }
    }
}
