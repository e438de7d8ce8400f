//! One event, as a line for a person and as a line of JSON for a program (`boot/README.md` has the fields).
use core::fmt::{self, Display, Formatter, Write};

use mm::Memory;
use mm::machine::Machine;
use mm::trace::Fault;

use super::call::Call;

/// Something that happened.
#[derive(Clone, Copy)]
pub(crate) struct Event {
    /// Nanoseconds since boot, when it was over.
    pub(crate) time: u64,
    /// The process that ran, 0 where none did.
    pub(crate) pid: u32,
    /// What it was.
    pub(crate) what: What,
}

/// What happened.
#[derive(Clone, Copy)]
pub(crate) enum What {
    /// A page fault, served in so many cycles of the time-stamp counter.
    Fault(Fault, u64),
    /// A system call that came back after so many cycles.
    Call(Call, u64),
    /// The processor went from the event's process to this one; 0 is nobody.
    Switch(u32, Why),
    /// This process need not wait any more.
    Wake(u32),
    /// So many events before this one were overwritten by later ones.
    Lost(u64),
}

/// Why the processor went to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It waits for something.
    Blocked,
    /// It let others go first.
    Yielded,
    /// Its time was over.
    Preempted,
    /// It ended.
    Exited,
    /// Nobody was ready, until now.
    Idle,
}

impl Why {
    fn name(self) -> &'static str {
        match self {
            Self::Blocked => "blocked",
            Self::Yielded => "yielded",
            Self::Preempted => "preempted",
            Self::Exited => "exited",
            Self::Idle => "idle",
        }
    }
}

impl Event {
    /// The event for a person. `memory` is the world that it comes from.
    pub(crate) fn text<'a, M: Machine>(&'a self, memory: &'a Memory<M>) -> impl Display {
        let pid = self.pid;
        fmt::from_fn(move |f| match &self.what {
            What::Fault(fault, cycles) => {
                let [before, after] = fault.entries(memory);
                let path = fault.change.path.name();
                let Fault {
                    access,
                    address,
                    start,
                    end,
                    ..
                } = fault;
                write!(
                    f,
                    "fault: [{pid}] {access} {address:#x} in {start:#x}-{end:#x}: {path}, {before} -> {after}, {cycles} cycles"
                )
            }
            What::Call(call, cycles) => write!(f, "call: [{pid}] {call}, {cycles} cycles"),
            What::Switch(to, why) => write!(f, "sched: [{pid}] -> [{to}], {}", why.name()),
            What::Wake(whom) => write!(f, "sched: [{pid}] wakes [{whom}]"),
            What::Lost(count) => write!(f, "trace: {count} records were overwritten"),
        })
    }

    /// The event for a program: an object of JSON.
    pub(crate) fn json<'a, M: Machine>(&'a self, memory: &'a Memory<M>) -> impl Display {
        fmt::from_fn(move |f| {
            write!(f, "{{\"time\":{},\"pid\":{},", self.time, self.pid)?;
            match &self.what {
                What::Fault(fault, cycles) => {
                    fault_fields(f, fault, &fault.entries(memory), *cycles)
                }
                What::Call(call, cycles) => call_fields(f, call, *cycles),
                What::Switch(to, why) => {
                    write!(
                        f,
                        "\"kind\":\"switch\",\"to\":{to},\"why\":\"{}\"",
                        why.name()
                    )
                }
                What::Wake(whom) => write!(f, "\"kind\":\"wake\",\"whom\":{whom}"),
                What::Lost(count) => write!(f, "\"kind\":\"lost\",\"count\":{count}"),
            }?;
            f.write_char('}')
        })
    }
}

fn fault_fields<E: Display>(
    f: &mut Formatter<'_>,
    fault: &Fault,
    [before, after]: &[E; 2],
    cycles: u64,
) -> fmt::Result {
    let Fault {
        address,
        access,
        start,
        end,
        change,
    } = fault;
    let path = change.path.name();
    write!(
        f,
        "\"kind\":\"fault\",\"access\":\"{access}\",\"address\":\"{address:#x}\",\"start\":\"{start:#x}\",\"end\":\"{end:#x}\",\
         \"path\":\"{path}\",\"before\":\"{before}\",\"after\":\"{after}\",\"cycles\":{cycles}"
    )
}

fn call_fields(f: &mut Formatter<'_>, call: &Call, cycles: u64) -> fmt::Result {
    write!(
        f,
        "\"kind\":\"call\",\"name\":\"{}\",\"arguments\":[",
        call.name()
    )?;
    for (number, argument) in call.arguments().enumerate() {
        let separator = if number == 0 { "" } else { "," };
        write!(f, "{separator}\"")?;
        write!(Escaped(f), "{argument}")?;
        f.write_char('"')?;
    }
    match call.refusal() {
        Some(errno) => write!(f, "],\"errno\":\"{}\"", errno.name().unwrap_or("?"))?,
        None => write!(f, "],\"answer\":\"{}\"", call.answer())?,
    }
    write!(f, ",\"cycles\":{cycles}")
}

/// Puts a backslash before what a string of JSON may not hold. Control characters don't come this far: arguments are
/// escaped as in C.
struct Escaped<'a, 'b>(&'a mut Formatter<'b>);

impl Write for Escaped<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if matches!(character, '"' | '\\') {
                self.0.write_char('\\')?;
            }
            self.0.write_char(character)?;
        }
        Ok(())
    }
}
