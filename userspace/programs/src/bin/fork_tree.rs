//! Shows that processes come and go by the thousand: trees of them, each forked, executed anew, waited for and gone.
//!
//! `fork_tree N` raises N processes (2,000 by default) in trees of up to 85: a process has four children, they have four
//! each, and so on, four generations deep. Each process executes this program again with the size of its subtree, and
//! exits with that size, so a parent can check that its children understood what they are. Whatever a process holds must
//! be given back at its end; what isn't adds up here.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use rt::process::{Pid, Status, execve, spawn, wait};
use rt::{env, println};

/// Processes in a full tree: 1 + 4 + 16 + 64.
const TREE: usize = 85;
const CHILDREN: usize = 4;

fn main() -> u8 {
    let number = |index| env::arg(index).and_then(|text| text.parse::<usize>().ok());
    match env::arg(1) {
        Some("subtree") => grow(number(2).expect("fork_tree subtree SIZE")),
        None => plant(2000),
        Some(_) => plant(number(1).expect("fork_tree [NUMBER OF PROCESSES]")),
    }
}

/// Raises trees one after another until they have had `total` processes.
fn plant(total: usize) -> u8 {
    let mut left = total;
    while left > 0 {
        let size = left.min(TREE);
        harvest(sprout(size), size);
        left -= size;
    }
    println!(
        "{total} processes forked, executed, ended and waited for; each knew its place in the tree"
    );
    0
}

/// Is one process of a tree: spreads the rest of its subtree over its children, which live side by side.
fn grow(size: usize) -> u8 {
    let shares = (0..CHILDREN).map(|child| (size - 1 + child) / CHILDREN);
    let mut children = [(0, 0); CHILDREN];
    for (place, share) in children.iter_mut().zip(shares) {
        *place = (if share == 0 { 0 } else { sprout(share) }, share);
    }
    children
        .into_iter()
        .filter(|&(_, share)| share > 0)
        .for_each(|(child, share)| harvest(child, share));
    size as u8
}

/// Starts a process that is the root of a subtree of `size`.
fn sprout(size: usize) -> Pid {
    let mut digits = [b'0'; 4];
    digits[3] = 0;
    digits[..3].iter_mut().rev().fold(size, |rest, digit| {
        *digit = b'0' + (rest % 10) as u8;
        rest / 10
    });
    spawn(|| {
        let size = CStr::from_bytes_with_nul(&digits).expect("three digits and a NUL");
        let errno = execve(env::program_path(), &[c"fork_tree", c"subtree", size], &[]);
        panic!("execve: {errno:?}")
    })
    .expect("fork")
}

/// Waits for the process that [`sprout`] started.
fn harvest(child: Pid, size: usize) {
    let ended = wait(child).expect("wait");
    assert_eq!(
        ended.status,
        Status::Exited(size as u8),
        "the root of a subtree of {size}"
    );
}
