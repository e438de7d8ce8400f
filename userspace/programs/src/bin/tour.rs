//! The tour: the demos in the order in which they explain each other, each with a few words on what to look for.
#![no_std]
#![forbid(unsafe_code)]

use core::ffi::CStr;

use programs::launch::start;
use rt::process::{Status, wait};
use rt::{print, println};

struct Stop {
    title: &'static str,
    text: &'static str,
    command: &'static [&'static CStr],
}

const STOPS: &[Stop] = &[
    Stop {
        title: "A promise, kept page by page",
        text: "\
mmap gives a program memory at once, and yet gives it nothing: no frame, no entry in
the page tables. The first touch of each page is a page fault, and only then does the
kernel act: one shared page of zeros for a read, a frame of the program's own for a
write. Watch the faults being counted; the second touch is always free.",
        command: &[c"lazy_zero"],
    },
    Stop {
        title: "Two processes, one memory, until somebody writes",
        text: "\
fork copies a process without copying its memory: both see the same frames, read-only.
The first to write a page faults and pays for a copy; the last one left with a frame
simply gets it back. Watch each side keep its own letters.",
        command: &[c"cow_fork"],
    },
    Stop {
        title: "All at once",
        text: "\
A program that can't afford faults later asks for them now. MAP_POPULATE keeps the
whole promise inside mmap, and every touch afterwards goes unnoticed by the kernel.",
        command: &[c"populate"],
    },
    Stop {
        title: "One mapping becomes several",
        text: "\
The kernel remembers areas, not pages. A hole in the middle splits an area, a changed
right splits it again, and equal neighbours grow together. In the pictures a letter is
a page's first byte, 0 a page of zeros, a dot a page that isn't there.",
        command: &[c"munmap_split"],
    },
    Stop {
        title: "The stack grows by faulting",
        text: "\
Nobody asks for stack; a program just uses it. A fault below the stack extends it, up
to 8 MiB, but never to within 256 pages of something else. Children who go too far end
with SIGSEGV, and their parent reads it in their status.",
        command: &[c"stack_growth"],
    },
    Stop {
        title: "Fences",
        text: "\
mprotect takes rights away and gives them back while the bytes stay where they are.
A page without any right is a fence: nothing can touch it, and nothing behind it is
lost. And data can't be run as code until somebody says so.",
        command: &[c"mprotect_guard"],
    },
    Stop {
        title: "Reaching for what isn't there",
        text: "\
Null, the kernel, an address that can't exist, one's own code: each of these children
touches something that it must not, and dies of it. The kernel goes on, the parent goes
on, and what the dead held is free again. (The kernel's log has each of the faults.)",
        command: &[c"wild_access"],
    },
    Stop {
        title: "Commanding the machine",
        text: "\
Stop the processor, turn off interrupts, replace the page tables: a few bytes suffice,
and any program may contain them. In ring 3 the processor refuses every one, and the
kernel turns its refusal into a signal.",
        command: &[c"privileged"],
    },
    Stop {
        title: "Nobody keeps the processor",
        text: "\
Two children spin for ever and never call the kernel. The timer takes the processor from
them a hundred times a second or more, so their parent wakes up in time, and ends them.",
        command: &[c"preempt"],
    },
    Stop {
        title: "A thousand lives",
        text: "\
Trees of processes, four generations deep: each is forked, executes a program anew, has
children, waits for them and ends. If a single frame were lost on the way, the kernel's
accounts would not balance at the end.",
        command: &[c"fork_tree", c"1000"],
    },
];

fn main() -> u8 {
    println!(
        "Faultline: a tour in {} stops. Every line below comes from a program in ring 3.",
        STOPS.len()
    );
    let failed = STOPS
        .iter()
        .enumerate()
        .filter(|&(index, stop)| !visit(index + 1, stop))
        .count();
    println!();
    match failed {
        0 => println!("That was the tour. Every program found what it expected."),
        _ => {
            println!("That was the tour. Programs that did not find what they expected: {failed}.")
        }
    }
    u8::from(failed != 0)
}

/// Explains a stop, runs its program, and says whether that went well.
fn visit(number: usize, stop: &Stop) -> bool {
    println!(
        "\n[{number}/{}] {}\n{}\n",
        STOPS.len(),
        stop.title,
        stop.text
    );
    print!("$");
    stop.command
        .iter()
        .for_each(|word| print!(" {}", word.to_str().unwrap_or_default()));
    println!();
    match start(stop.command).and_then(wait) {
        Ok(ended) if ended.status == Status::Exited(0) => true,
        Ok(ended) => {
            println!("[{}]", ended.status);
            false
        }
        Err(errno) => {
            println!("No process for it: {errno:?}.");
            false
        }
    }
}
