//! Shows MADV_FREE when memory runs out: pages that were given up go before anybody dies, those stored to since stay.
//!
//! For the kernel without swap only, as `touch_everything`: a workstation has memory for long.
#![no_std]
#![forbid(unsafe_code)]

use programs::hunger::free_pages;
use programs::lesson::ends;
use programs::proc::{Room, read};
use rt::abi::general::MADV_FREE;
use rt::memory::{MAP_NORESERVE, Mapping, PROT_READ, PROT_WRITE, madvise};
use rt::process::Status;
use rt::{println, probe};

/// Every so many pages one is stored to again after the advice.
const KEPT: usize = 8;

fn main() {
    ends(
        "60 % of memory given up, 60 % more wanted",
        Status::Exited(0),
        given_up,
    );
    ends(
        "the same, by a child that shares what was given up",
        Status::Exited(0),
        given_up_by_both,
    );
}

/// Pages without a promise, each with a word of its own.
fn filled(pages: usize, salt: u64) -> Mapping {
    let memory = Mapping::with(pages, PROT_READ | PROT_WRITE, MAP_NORESERVE);
    for (index, page) in memory.each_page().enumerate() {
        probe::store_word(page, salt + index as u64);
    }
    memory
}

fn give_up(memory: Mapping) {
    madvise(memory.page(0), memory.length(), MADV_FREE).expect("madvise");
    for (index, page) in memory.each_page().enumerate().step_by(KEPT) {
        probe::store_word(page, 2_000_000 + index as u64);
    }
}

fn given_up() -> u8 {
    let share = free_pages() * 6 / 10;
    let memory = filled(share, 1_000_000);
    give_up(memory);
    let lost_before = lost();
    let more = filled(share, 3_000_000);
    let mut gone = 0;
    for (index, page) in memory.each_page().enumerate() {
        let word = probe::load_word(page);
        let is_kept = index.is_multiple_of(KEPT);
        let old = if is_kept { 2_000_000 } else { 1_000_000 } + index as u64;
        assert!(word == old || word == 0 && !is_kept, "page {index}: {word}");
        gone += u64::from(word == 0);
    }
    let whole = more.each_page().enumerate();
    let mut whole = whole.map(|(index, page)| probe::load_word(page) == 3_000_000 + index as u64);
    assert!(whole.all(|is_whole| is_whole), "what was never given up");
    assert!(gone > 0 && lost() - lost_before >= gone, "{gone} pages");
    println!("pages were lost, those stored to since were not, and pglazyfreed says so");
    0
}

/// As long as two have a page, neither loses it; what only the child has given up goes.
fn given_up_by_both() -> u8 {
    let shared = filled(free_pages() / 10, 1_000_000);
    ends("  the child", Status::Exited(0), || {
        madvise(shared.page(0), shared.length(), MADV_FREE).expect("madvise");
        given_up()
    });
    let mut whole = shared.each_page().enumerate();
    let is_whole = whole.all(|(index, page)| probe::load_word(page) == 1_000_000 + index as u64);
    println!("  the parent's pages are whole: {is_whole}");
    u8::from(!is_whole)
}

/// How many pages were lost so far.
fn lost() -> u64 {
    let mut room: Room = [0; 32768];
    let text = read(c"/proc/vmstat", &mut room);
    let value = |line: &str| line.strip_prefix("pglazyfreed ")?.parse().ok();
    text.lines()
        .find_map(value)
        .expect("pglazyfreed is counted")
}
