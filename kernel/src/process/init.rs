//! The first process: made from nothing, out of the program that the initramfs calls `/bin/init`.
use alloc::sync::Arc;

use abi::Errno;

use super::capabilities::Rights;
use super::exec::{Asked, Failure};
use super::group::Membership;
use super::layout::{self, Chance};
use super::limits::Limits;
use super::signal::Signals;
use super::stack::{Arguments, List};
use super::table::{INIT, Reserved};
use super::thread::Thread;
use super::{Process, audit, exec, fork, sched, vdso};
use crate::arch::trap::TrapFrame;
use crate::fs::files::Files;
use crate::fs::paged::flusher;
use crate::fs::place::Place;
use crate::{fs, options};

const PATH: &[u8] = b"/bin/init";

/// What init finds in its environment.
const ENVIRONMENT: [&[u8]; 3] = [b"HOME=/", b"TERM=linux", b"PATH=/bin"];

/// As many bytes of arguments as the loader could bring.
const LIMIT: usize = 128 * 1024;

/// Starts init and lets the processor go to it for good.
pub(crate) fn start() -> ! {
    vdso::init();
    if let Err(errno) = flusher::start() {
        panic!("no thread can be started that writes back: {errno:?}");
    }
    let thread = match make() {
        Ok(thread) => thread,
        Err(why) => panic!("init can't be started: {}: {why:?}", PATH.escape_ascii()),
    };
    audit::open();
    sched::run_first(thread)
}

fn make() -> Result<Arc<Thread>, Failure> {
    let no_memory = |_| Errno::ENOMEM;
    let limits = Limits::new();
    let file = fs::open_program(Place::root(), PATH)?;
    let memory = limits.memory(&Rights::of_init());
    let plan = layout::choose(&memory, Chance::Usual);
    let program = exec::load(&file, &Asked::by(PATH), arguments()?, (memory, plan))?;
    let reserved = Reserved::new()?;
    assert_eq!(reserved.pid(), INIT, "init is the first process");
    let files = Files::with_console().map_err(no_memory)?;
    let process = Process::new(
        INIT,
        program.name,
        Some(program.space),
        files,
        Signals::of_init().map_err(no_memory)?,
        Membership::of_init(),
        limits,
    );
    let process = Arc::try_new(process).map_err(|_| Errno::ENOMEM)?;
    let (fpu, bases) = fork::fresh_state().map_err(no_memory)?;
    let frame = TrapFrame::user(program.entry, program.stack);
    let thread = Thread::try_new(process.clone(), &frame, fpu, bases).map_err(no_memory)?;
    *process.thread.lock() = Arc::downgrade(&thread);
    reserved.announce_first(process);
    Ok(thread)
}

/// `init`, then what the command line names.
fn arguments() -> Result<Arguments, Errno> {
    let mut arguments = Arguments::default();
    arguments.push(List::Arguments, b"init", LIMIT)?;
    for word in options::program() {
        arguments.push(List::Arguments, word, LIMIT)?;
    }
    for word in ENVIRONMENT {
        arguments.push(List::Environment, word, LIMIT)?;
    }
    Ok(arguments)
}
