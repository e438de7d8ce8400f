//! Shows demand paging in ring 3: a region whose pages come from a signal handler, one at a time, as they are touched.
//!
//! The kernel only says where somebody reached for a page without right; the handler decides what belongs there, makes the
//! page and returns, and the processor runs the instruction again. It runs on a stack of its own, since any access may
//! fault, those of the main stack too.
#![no_std]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rt::abi::general::{SA_ONSTACK, SEGV_ACCERR};
use rt::handler::{self, Context, Info};
use rt::memory::{Mapping, PAGE, PROT_NONE, PROT_READ, PROT_WRITE, mprotect};
use rt::signal::Signal;
use rt::{println, probe, process};

const PAGES: usize = 64;

static REGION: AtomicUsize = AtomicUsize::new(0);
static SERVED: AtomicUsize = AtomicUsize::new(0);

/// What page `index` holds everywhere.
fn content(index: usize) -> u8 {
    (index * 7 + 1) as u8
}

/// The pager: only faults in the region that are about missing rights are its own.
extern "C" fn page_in(_: i32, info: &mut Info, _: &mut Context) {
    let page = info.address() as usize & !(PAGE - 1);
    let index = page.wrapping_sub(REGION.load(Relaxed)) / PAGE;
    if info.code != SEGV_ACCERR as i32 || index >= PAGES {
        println!("not the pager's: code {}", info.code);
        process::exit(3);
    }
    mprotect(page, PAGE, PROT_READ | PROT_WRITE).expect("mprotect");
    (page..page + PAGE).for_each(|address| probe::store(address, content(index)));
    SERVED.fetch_add(1, Relaxed);
}

fn main() {
    let region = Mapping::with(PAGES, PROT_NONE, 0);
    REGION.store(region.page(0), Relaxed);
    let stack = Mapping::new(16);
    handler::set_stack(stack.page(0), stack.length(), 0).expect("sigaltstack");
    handler::handle(Signal::SEGV, page_in, SA_ONSTACK);
    println!("{PAGES} pages are promised, none is there");

    let last = probe::load(region.page(PAGES) - 1);
    assert_eq!((last, served()), (content(PAGES - 1), 1));
    println!("the last byte is read: {last}, 1 page made");

    let wanted: usize = (0..PAGES).map(|index| usize::from(content(index))).sum();
    let sum: usize = region
        .each_page()
        .map(|page| usize::from(probe::load(page)))
        .sum();
    assert_eq!((sum, served()), (wanted, PAGES));
    println!("one byte of each is read: they add up to {sum}, {PAGES} pages made");

    region.fill(0xff);
    assert!(region.holds(0xff) && served() == PAGES);
    println!("all are written: no page is made twice");

    let child = process::run_in_child(|| {
        region.unmap();
        probe::load(region.page(0))
    });
    println!("in a child that unmapped the region: {child}");
}

fn served() -> usize {
    SERVED.load(Relaxed)
}
