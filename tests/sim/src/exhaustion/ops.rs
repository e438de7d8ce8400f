//! The operations of the scenes: on a few pages far from all others, in process 0 and with a prompt disk.
use crate::op::{
    Advice, Call, Disk, Growth, Kind, Lock, Nature, Op, Place, Populate, Remap, Request, Reserve,
    Rights, Sharing, Source, Span, Touch, Way,
};

/// A page far from all others: its tables are its own up to the top level.
pub(super) const FAR: u64 = 0x3_0000_0000;

pub(super) const FORK: Op = Op::Fork {
    parent: 0,
    child: 1,
};

pub(super) const ANONYMOUS: Request = Request {
    span: Span {
        address: FAR * 4096,
        length: 0,
    },
    place: Place::Fixed,
    rights: Rights::RW,
    growth: Growth::Fixed,
    reserve: Reserve::Not,
    sharing: Sharing::Private,
    source: Source::Zero,
    populate: Populate::Lazy,
    nature: Nature::Own,
};

/// Of the file on the disk.
pub(super) const FILE: Request = Request {
    source: Source::File { file: 0, offset: 0 },
    ..ANONYMOUS
};

/// Of the file in memory, which is shared.
pub(super) const SHARED: Request = Request {
    sharing: Sharing::Shared,
    source: Source::File { file: 1, offset: 0 },
    ..ANONYMOUS
};

/// `request` for `count` far pages.
pub(super) fn map(count: u64, request: Request) -> Op {
    map_at(FAR, count, request)
}

pub(super) fn map_at(start: u64, count: u64, request: Request) -> Op {
    let span = pages(start, count);
    Op::Map(0, Request { span, ..request })
}

pub(super) fn populated(count: u64) -> Op {
    let populate = Populate::Now;
    map(
        count,
        Request {
            populate,
            ..ANONYMOUS
        },
    )
}

/// Moves `count` of the far pages, as far again.
pub(super) fn carry(count: u64) -> Op {
    remap(count, count, Way::Fixed)
}

/// Makes `count` of the far pages `length`.
pub(super) fn remap(count: u64, length: u64, way: Way) -> Op {
    Op::Call(
        0,
        Call::Remap(Remap {
            old: pages(FAR, count),
            length: length * 4096,
            way,
            target: 2 * FAR * 4096,
        }),
    )
}

pub(super) fn lock_all() -> Op {
    Op::Call(0, Call::LockAll(Some(Lock::Now), None))
}

pub(super) fn advise(span: Span, advice: Advice) -> Op {
    Op::Call(0, Call::Advise(span, advice))
}

pub(super) fn pages(start: u64, count: u64) -> Span {
    Span {
        address: start * 4096,
        length: count * 4096,
    }
}

pub(super) fn read(page: u64) -> Op {
    touch(page, Kind::Read)
}

pub(super) fn write(page: u64) -> Op {
    touch(page, Kind::Write(page))
}

fn touch(page: u64, kind: Kind) -> Op {
    let touch = Touch {
        address: page * 4096,
        kind,
        disk: Disk::Prompt,
    };
    Op::Touch(0, touch, None)
}

/// The same touch by another process.
pub(super) fn on(pid: usize, op: Op) -> Op {
    match op {
        Op::Touch(_, touch, rival) => Op::Touch(pid, touch, rival),
        other => other,
    }
}
