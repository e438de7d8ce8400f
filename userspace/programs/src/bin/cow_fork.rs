//! Shows copy-on-write: after `fork` parent and child share every frame, and whoever writes first pays for the copy.
//!
//! The last process to share a frame needn't copy: it is alone with it, so the kernel only makes the entry writable
//! again. Both cost one fault a page; which of the two it was, the fault trace tells.
#![no_std]
#![forbid(unsafe_code)]

use programs::gate::Gate;
use programs::lesson::counted;
use rt::memory::Mapping;
use rt::process::{Status, run_in_child, spawn, wait};
use rt::{println, probe};

const PAGES: usize = 16;

fn main() {
    let memory = Mapping::new(PAGES);
    memory.fill(b'P');
    // A second byte in each page, which nobody writes again: it is there after a copy only if the whole page was copied.
    memory
        .each_page()
        .for_each(|page| probe::store(page + 2048, b'w'));
    println!("parent: wrote P to {PAGES} pages");

    child_writes_first(memory);
    parent_writes_first(memory);
    three_generations(memory);
    zero_page();
}

/// The child copies; the parent, alone afterwards, reuses its frames.
fn child_writes_first(memory: Mapping) {
    let status = run_in_child(|| {
        counted("child: reading what the parent wrote", 0, || {
            assert!(memory.holds(b'P'))
        });
        counted("child: writing C, page by page", PAGES, || {
            memory.fill(b'C')
        });
        counted("child: writing C again", 0, || memory.fill(b'C'));
        assert!(memory.holds(b'C') && whole(memory));
        0
    });
    assert_eq!(status, Status::Exited(0));
    assert!(memory.holds(b'P') && whole(memory));
    println!("parent: still reads P; the child has gone");
    counted("parent: writing p, alone with its frames", PAGES, || {
        memory.fill(b'p')
    });
    counted("parent: writing p again", 0, || memory.fill(b'p'));
}

/// The parent copies, while the child waits; the child keeps what was there at the fork, and reuses it.
fn parent_writes_first(memory: Mapping) {
    let gate = Gate::close();
    let child = spawn(|| {
        gate.pass();
        assert!(memory.holds(b'p') && whole(memory));
        println!("child: still reads p after the parent's write");
        counted("child: writing c, alone with its frames", PAGES, || {
            memory.fill(b'c')
        });
        0
    });
    counted("parent: writing Q while a child shares", PAGES, || {
        memory.fill(b'Q')
    });
    gate.open();
    let ended = wait(child.expect("fork")).expect("wait");
    assert_eq!(ended.status, Status::Exited(0));
    assert!(memory.holds(b'Q') && whole(memory));
    println!("parent: reads its own Q");
}

/// A frame with three users: each of the first two writers copies, and nobody sees another's bytes.
fn three_generations(memory: Mapping) {
    let status = run_in_child(|| {
        let status = run_in_child(|| {
            counted("grandchild: writing 3", PAGES, || memory.fill(b'3'));
            u8::from(!memory.holds(b'3'))
        });
        assert_eq!(status, Status::Exited(0));
        assert!(memory.holds(b'Q'));
        counted("child: writing 2", PAGES, || memory.fill(b'2'));
        u8::from(!memory.holds(b'2'))
    });
    assert_eq!(status, Status::Exited(0));
    assert!(memory.holds(b'Q') && whole(memory));
    counted("parent: writing 1", PAGES, || memory.fill(b'1'));
    memory.unmap();
}

/// The zero page is shared by everybody anyway: a fork changes nothing about it, and a write never reaches it.
fn zero_page() {
    let memory = Mapping::new(PAGES);
    assert!(memory.holds(0));
    let status = run_in_child(|| {
        counted("child: writing to pages only read so far", PAGES, || {
            memory.fill(b'Z')
        });
        0
    });
    assert_eq!(status, Status::Exited(0));
    counted("parent: reading zeros all the same", 0, || {
        assert!(memory.holds(0))
    });
    memory.unmap();
}

/// Whether the byte in the middle of each page is still there.
fn whole(memory: Mapping) -> bool {
    memory
        .each_page()
        .all(|page| probe::load(page + 2048) == b'w')
}
