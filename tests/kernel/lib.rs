//! The pure parts of the kernel's machine side, compiled for the workstation: ordinary tests reach them here.
//!
//! The kernel itself is a program for a bare machine and can't be linked against. Its files that touch no device are
//! included by path instead, all as modules of this root, and each is tested in a file beside this one.
#![cfg(test)]
#![feature(allocator_api)]
#![expect(dead_code, reason = "the kernel uses what the tests do not")]

extern crate alloc;

mod drivers {
    pub(crate) mod serial {
        //! Stands in for the driver, of which the options need only the ports' names.

        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Port {
            Com1,
            Com3,
        }
    }
}

#[path = "../../kernel/src/acpi.rs"]
mod acpi;
#[path = "../../kernel/src/block/queue.rs"]
mod block_queue;
#[path = "../../kernel/src/block/list.rs"]
mod list;
#[path = "../../kernel/src/block/partition.rs"]
mod partition;
mod request {
    //! Stands in for requests, of which partitions need only the unit.
    pub(crate) const SECTOR: u64 = 512;
}
#[path = "../../kernel/src/trace/call.rs"]
mod call;
mod bugs {
    pub(crate) use crate::kind::Bug;
}

mod process {
    pub(crate) use crate::{deadlines, queue};
}

#[path = "../../kernel/src/drivers/framebuffer/canvas.rs"]
mod canvas;
#[path = "../../kernel/src/process/deadlines.rs"]
mod deadlines;
#[path = "../../kernel/src/trace/event.rs"]
mod event;
#[path = "../../kernel/src/console/framing.rs"]
mod framing;
#[path = "../../kernel/src/process/futex/operation.rs"]
mod futex_operation;
#[path = "../../kernel/src/process/futex/queue.rs"]
mod futex_queue;
#[path = "../../kernel/src/drivers/framebuffer/grid.rs"]
mod grid;
#[path = "../../kernel/src/process/signal/info.rs"]
mod info;
#[path = "../../kernel/src/bugs/kind.rs"]
mod kind;
#[path = "../../kernel/src/fs/locks/table.rs"]
mod locks;
#[path = "../../kernel/src/machine_check.rs"]
mod machine_check;
#[path = "../../kernel/src/trace/names.rs"]
mod names;
#[path = "../../kernel/src/options.rs"]
mod options;
#[path = "../../kernel/src/process/signal/pending.rs"]
mod pending;
#[path = "../../kernel/src/process/queue.rs"]
mod queue;
#[path = "../../kernel/src/rate_limit.rs"]
mod rate_limit;
#[path = "../../kernel/src/block/readahead.rs"]
mod readahead;
#[path = "../../kernel/src/console/ring.rs"]
mod ring;
#[path = "../../kernel/src/process/script.rs"]
mod script;
#[path = "../../kernel/src/process/signal/set.rs"]
mod set;
#[path = "../../kernel/src/trace/shape.rs"]
mod shape;
#[path = "../../kernel/src/heap/sizes.rs"]
mod sizes;
#[path = "../../kernel/src/heap/slab.rs"]
mod slab;
#[path = "../../kernel/src/fs/pipe/slots.rs"]
mod slots;
#[path = "../../kernel/src/console/terminal.rs"]
mod terminal;

mod test_acpi;
mod test_block_queue;
mod test_canvas;
mod test_deadlines;
mod test_futex;
mod test_grid;
mod test_locks;
mod test_machine_check;
mod test_options;
mod test_partition;
mod test_pending;
mod test_rate_limit;
mod test_readahead;
mod test_script;
mod test_slab;
mod test_slots;
mod test_terminal;
mod test_trace;
