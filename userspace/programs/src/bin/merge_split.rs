//! Shows how areas split and merge: a change of some pages cuts them out, and what touches and is alike is one again.
//!
//! After each step the program draws the areas (`drawing.rs`). No page is ever touched, so that nothing but areas counts;
//! `anon_merge` shows what pages have to do with it.
#![no_std]
#![forbid(unsafe_code)]

use programs::drawing::{Drawing, PAGES};
use rt::abi::general::{
    MADV_DODUMP, MADV_DOFORK, MADV_DONTDUMP, MADV_DONTFORK, MADV_NORMAL, MADV_RANDOM,
    MADV_SEQUENTIAL,
};
use rt::memory::{MAP_NORESERVE, MAP_STACK, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE};

const RW: u32 = PROT_READ | PROT_WRITE;

fn main() {
    let it = Drawing::full();
    it.draw("twelve pages");
    rights(&it);
    holes(&it);
    notes(&it);
    moves(&it);
    stacks(&it);
}

fn rights(it: &Drawing) {
    it.protect(4, 4, PROT_READ);
    it.draw("the middle read-only");
    it.protect(0, 4, PROT_READ);
    it.draw("what is below it too");
    it.protect(8, 4, PROT_READ);
    it.draw("and what is above it");
    it.protect(0, 3, RW);
    it.protect(9, 3, RW);
    it.draw("both ends writable");
    it.protect(3, 6, RW);
    it.draw("and what is between");
    it.protect(2, 2, PROT_NONE);
    it.protect(4, 2, PROT_READ);
    it.protect(6, 2, PROT_READ | PROT_EXEC);
    it.draw("three kinds in the middle");
    it.protect(3, 4, PROT_READ);
    it.draw("a change across two borders");
    it.protect(1, 10, RW);
    it.draw("a change of all");
}

fn holes(it: &Drawing) {
    it.unmap(5, 2);
    it.draw("a hole");
    it.map(5, 2, RW, 0);
    it.draw("filled with the same");
    it.unmap(5, 2);
    it.map(5, 2, PROT_READ, 0);
    it.draw("filled with something else");
    it.map(4, 4, RW, 0);
    it.draw("mapped over");
    it.map(4, 4, RW, MAP_NORESERVE);
    it.draw("mapped over without reserve");
    it.map(3, 6, RW, 0);
    it.draw("and with");
    it.unmap(0, 3);
    it.unmap(9, 3);
    it.draw("cut at both ends");
    it.map(0, 3, RW, 0);
    it.draw("joined below");
    it.map(9, 3, RW, 0);
    it.draw("joined above");
}

fn notes(it: &Drawing) {
    it.advise(2, 4, MADV_RANDOM);
    it.advise(6, 4, MADV_SEQUENTIAL);
    it.draw("random, sequential");
    it.advise(4, 4, MADV_RANDOM);
    it.draw("more of it random");
    it.advise(0, PAGES, MADV_NORMAL);
    it.draw("all as ever");
    it.advise(1, 2, MADV_DONTFORK);
    it.advise(2, 2, MADV_DONTDUMP);
    it.draw("not for children; not for dumps");
    it.advise(0, PAGES, MADV_DOFORK);
    it.draw("for children again");
    it.advise(0, PAGES, MADV_DODUMP);
    it.draw("and for dumps");
}

/// What is to be a stack gets no huge pages, which an ordinary neighbour may.
fn stacks(it: &Drawing) {
    it.unmap(0, PAGES);
    it.map(0, 3, RW, 0);
    it.map(3, 3, RW, MAP_STACK);
    it.map(6, 3, RW, MAP_STACK);
    it.draw("a stack beside other memory, and another beside it");
}

fn moves(it: &Drawing) {
    it.resize(0, PAGES, 6);
    it.draw("half of it");
    it.map(9, 3, RW, 0);
    it.draw("an area farther up");
    it.resize(0, 6, 9);
    it.draw("grown until they touch");
    it.protect(2, 2, PROT_READ);
    it.unmap(6, 2);
    it.draw("a piece and a hole");
    it.carry(2, 6, 2);
    it.draw("the piece is moved into the hole");
    it.carry(0, 2, 2);
    it.draw("and its neighbour after it");
    it.protect(6, 2, RW);
    it.draw("made alike");
}
