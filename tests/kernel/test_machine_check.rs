//! A machine check's registers in words: nothing is read that the status does not vouch for, nothing is made up.
use std::cell::RefCell;

use crate::machine_check::{Bank, Global, Part};

const VALID: u64 = 1 << 63;
const UNCORRECTED: u64 = 1 << 61;
const ENABLED: u64 = 1 << 60;
const HAS_DETAIL: u64 = 1 << 59;
const HAS_ADDRESS: u64 = 1 << 58;

fn text(status: u64) -> String {
    let bank = Bank::read(3, status, |part| match part {
        Part::Address => 0xabc000,
        Part::Detail => 0x8c,
    });
    bank.map_or("empty".to_owned(), |bank| bank.to_string())
}

#[test]
fn an_empty_bank_has_no_words() {
    assert_eq!(text(0), "empty");
    assert_eq!(text(!VALID), "empty");
}

#[test]
fn no_register_is_read_that_the_status_does_not_vouch_for() {
    for (status, wanted) in [
        (HAS_ADDRESS | HAS_DETAIL, &[][..]),
        (VALID, &[]),
        (VALID | HAS_ADDRESS, &[Part::Address]),
        (VALID | HAS_DETAIL, &[Part::Detail]),
        (
            VALID | HAS_ADDRESS | HAS_DETAIL,
            &[Part::Address, Part::Detail],
        ),
    ] {
        let asked = RefCell::new(Vec::new());
        Bank::read(0, status, |part| {
            asked.borrow_mut().push(part);
            0
        });
        assert_eq!(*asked.borrow(), wanted, "{status:#x}");
    }
}

#[test]
fn the_bits_of_a_status_become_words() {
    assert_eq!(
        text(VALID | UNCORRECTED | ENABLED | HAS_ADDRESS | 0x9f),
        "bank 3, status 0xb40000000000009f: a memory controller error, not corrected; at address 0xabc000"
    );
    assert_eq!(
        text(VALID | 1 << 62 | 1 << 57 | HAS_DETAIL | 0x1136),
        "bank 3, status 0xca00000000001136: a cache error, errors before it are lost, corrected, not enabled, \
         the CPU's state is corrupt; at no address that it knows; detail 0x8c"
    );
}

#[test]
fn each_code_is_of_one_kind() {
    for (code, kind) in [
        (0, "no error"),
        (5, "an internal parity error"),
        (0x10, "a TLB error"),
        (0x400, "an internal error, or a timer that ran out"),
        (0xe0f, "a bus or interconnect error"),
        (0x2000, "an error of the maker's own kind"),
        (0x7, "an error of the maker's own kind"),
    ] {
        let text = text(VALID | code);
        assert!(text.contains(kind), "{code:#x}: {text}");
    }
}

#[test]
fn the_report_says_what_rip_is_worth() {
    for (status, words) in [
        (0, "is not valid"),
        (1, "is valid, but"),
        (2, "can't be gone on from"),
        (3, "is valid, and its instruction"),
    ] {
        let text = Global(status | 4).to_string();
        assert!(text.contains(words), "{text}");
    }
}
