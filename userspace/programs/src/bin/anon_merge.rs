//! Shows which neighbours are one area once pages were written, moved and inherited.
//!
//! Linux joins two anonymous areas only where one reverse map will do for both: where their pages are as far from each
//! other as they were when they were mapped, and belong to no two `anon_vma`s. Each step draws the areas (`drawing.rs`).
#![no_std]
#![forbid(unsafe_code)]

use programs::drawing::Drawing;
use programs::lesson::ends;
use rt::abi::general::{MADV_KEEPONFORK, MADV_WIPEONFORK};
use rt::memory::{MREMAP_DONTUNMAP, PAGE, PROT_EXEC, PROT_READ, PROT_WRITE, brk, mremap};
use rt::process::Status;
use rt::{Errno, println, probe};

const RW: u32 = PROT_READ | PROT_WRITE;
const DONE: Status = Status::Exited(0);

fn main() {
    let it = Drawing::empty();
    touched(&it);
    kin(&it);
    moved(&it);
    left_behind(&it);
    inherited(&it);
    wiped(&it);
    heap();
}

fn touched(it: &Drawing) {
    it.map(0, 4, RW, 0);
    it.write(0);
    it.map(4, 4, RW, 0);
    it.draw("one written, one new");
    it.clear();
    it.map(0, 4, RW, 0);
    it.map(6, 4, RW, 0);
    it.write(0);
    it.write(6);
    it.map(4, 2, RW, 0);
    it.draw("two written apart, and a new one between");
    it.clear();
    it.map(0, 4, RW, 0);
    it.map(6, 4, RW, 0);
    it.write(6);
    it.resize(0, 4, 6);
    it.draw("one grows until it meets a written one");
    it.clear();
}

fn kin(it: &Drawing) {
    it.map(0, 4, RW, 0);
    it.map(4, 4, RW | PROT_EXEC, 0);
    it.write(0);
    it.write(4);
    it.protect(4, 4, RW);
    it.draw("written side by side with other rights, then made alike");
    it.clear();
    it.map(0, 4, RW, 0);
    it.map(4, 4, PROT_READ, 0);
    it.read(4);
    it.write(0);
    it.protect(0, 4, PROT_READ);
    it.draw("written or only read, both read-only: one is still accounted");
    it.clear();
    it.map(0, 4, RW, 0);
    it.write(0);
    it.protect(2, 2, PROT_READ);
    it.map(4, 4, PROT_READ, 0);
    it.draw("half of a written one read-only, and a new one");
    it.clear();
}

fn moved(it: &Drawing) {
    it.map(0, 4, RW, 0);
    it.map(8, 4, RW, 0);
    it.read(8);
    it.carry(8, 4, 4);
    it.draw("one that was read is moved beside another");
    it.clear();
    it.map(0, 4, RW, 0);
    it.map(8, 4, RW, 0);
    it.write(8);
    it.carry(8, 4, 4);
    it.draw("one that was written");
    it.carry(4, 8, 4);
    it.map(4, 4, RW, 0);
    it.draw("it is moved home, and the gap is filled");
    it.clear();
    it.map(0, 4, RW, 0);
    it.write(0);
    it.carry(2, 10, 2);
    it.carry(0, 8, 2);
    it.draw("two halves, moved one after the other");
    it.clear();
}

fn left_behind(it: &Drawing) {
    it.map(0, 2, RW, 0);
    it.write(0);
    it.carry(0, 4, 2);
    it.carry_with(4, 8, 2, MREMAP_DONTUNMAP);
    it.map(6, 2, RW, 0);
    it.draw("a moved area moves on and stays, and a new one beside it");
    it.carry(4, 2, 2);
    it.map(4, 2, RW, 0);
    it.draw("what stayed is moved, and the gap is filled");
    it.clear();
    it.map(0, 6, RW, 0);
    it.map(10, 1, PROT_READ, 0);
    it.carry(10, 1, 1);
    it.write(4);
    it.carry_with(0, 1, 1, MREMAP_DONTUNMAP);
    it.draw("one moves beside itself and stays, and all are one");
    it.map(8, 1, RW, 0);
    it.carry(3, 9, 1);
    it.draw("an unwritten page of it is moved beside a new one");
    it.clear();
}

fn inherited(it: &Drawing) {
    it.map(0, 4, RW, 0);
    it.write(0);
    it.protect(2, 2, PROT_READ);
    ends("a child of two halves", DONE, || {
        it.protect(2, 2, RW);
        it.draw("the child made them alike");
        it.map(4, 2, RW, 0);
        it.draw("and mapped more");
        it.unmap(4, 2);
        it.map(8, 2, RW, 0);
        it.resize(2, 2, 6);
        it.draw("the second half grew until it met a new one");
        0
    });
    it.protect(2, 2, RW);
    it.draw("the parent makes them alike");
    ends("a child of one", DONE, || {
        it.map(6, 2, RW, 0);
        it.resize(0, 4, 6);
        it.draw("it grew until it met a new one");
        it.map(10, 2, RW, 0);
        it.write(10);
        it.resize(0, 8, 10);
        it.draw("and a written one");
        0
    });
    it.clear();
}

fn wiped(it: &Drawing) {
    it.map(0, 4, RW, 0);
    it.write(0);
    it.advise(0, 4, MADV_WIPEONFORK);
    ends("a child that got it empty", DONE, || {
        it.map(4, 4, RW, 0);
        it.advise(0, 4, MADV_KEEPONFORK);
        it.draw("and mapped more");
        0
    });
    it.clear();
}

/// Whether the two pages below `end` are of one area: then there is no room to grow, else no sense in it.
fn are_one(end: usize) -> bool {
    match mremap(end - 2 * PAGE, 2 * PAGE, 1 << 46, 0, 0) {
        Err(Errno::ENOMEM) => true,
        Err(Errno::EFAULT) => false,
        other => panic!("mremap without room: {other:?}"),
    }
}

fn heap() {
    let start = brk(0).next_multiple_of(PAGE);
    assert_eq!(brk(start + PAGE), start + PAGE);
    probe::store(start, 1);
    ends("a child's heap", DONE, || {
        let end = brk(start + 2 * PAGE);
        println!("the child's heap is one area: {}", are_one(end));
        0
    });
    let end = brk(start + 2 * PAGE);
    println!("the parent's is: {}", are_one(end));
}
