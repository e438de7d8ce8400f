//! Shows what a handler may rely on: what is blocked while it runs, which stack it is on, and what becomes of the call that
//! it interrupted.
#![no_std]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};
use core::time::Duration;

use rt::abi::general::{
    MINSIGSTKSZ, SA_NODEFER, SA_ONSTACK, SA_RESETHAND, SA_RESTART, SI_TKILL, SI_USER,
    SS_AUTODISARM, SS_DISABLE,
};
use rt::handler::{self, Action, Context, Info};
use rt::memory::Mapping;
use rt::process::{self, Pid, Status, run_in_child, spawn, wait};
use rt::signal::{Signal, kill};
use rt::{Errno, println, time};

static CALLS: AtomicU32 = AtomicU32::new(0);
static DEPTH: AtomicU32 = AtomicU32::new(0);
static STACK: AtomicUsize = AtomicUsize::new(0);

const STACK_PAGES: usize = 16;

fn main() {
    codes();
    nesting();
    blocking();
    once();
    interrupted_sleep();
    interrupted_wait();
    waiting();
    alternate_stack();
    overflow();
    hopeless();
}

extern "C" fn count(_: i32, _: &mut Info, _: &mut Context) {
    CALLS.fetch_add(1, Relaxed);
}

fn calls() -> u32 {
    CALLS.swap(0, Relaxed)
}

extern "C" fn tell(number: i32, info: &mut Info, _: &mut Context) {
    let sender = if info.pid() == process::id() {
        "this process"
    } else {
        "another"
    };
    let code = match info.code {
        SI_TKILL => "SI_TKILL",
        code if code == SI_USER as i32 => "SI_USER",
        _ => "?",
    };
    println!("  {}: {code}, from {sender}", Signal(number as u32));
}

fn codes() {
    println!("kill and tgkill say who called:");
    handler::handle(Signal::USR1, tell, 0);
    kill(process::id(), Signal::USR1).expect("kill");
    handler::raise(Signal::USR1);
    let parent = process::id();
    let child = spawn(|| u8::from(kill(parent, Signal::USR1).is_err()));
    wait(child.expect("fork")).expect("wait");
}

extern "C" fn nest(number: i32, _: &mut Info, _: &mut Context) {
    let depth = DEPTH.fetch_add(1, Relaxed) + 1;
    println!("  depth {depth}");
    if CALLS.fetch_add(1, Relaxed) < 2 {
        handler::raise(Signal(number as u32));
    }
    println!("  back from {}", DEPTH.fetch_sub(1, Relaxed));
}

fn nesting() {
    println!("a signal raised in its own handler waits for the handler's end:");
    handler::handle(Signal::USR1, nest, 0);
    handler::raise(Signal::USR1);
    assert_eq!(calls(), 3);
    println!("with SA_NODEFER it does not:");
    handler::handle(Signal::USR1, nest, SA_NODEFER);
    handler::raise(Signal::USR1);
    assert_eq!(calls(), 3);
}

extern "C" fn show_mask(_: i32, _: &mut Info, context: &mut Context) {
    println!(
        "  blocked meanwhile: {:#x}, before: {:#x}",
        handler::mask(),
        context.mask
    );
    // Returning blocks what the context says.
    context.mask |= handler::set(&[Signal::WINCH]);
}

fn blocking() {
    println!("the mask of a handler:");
    let action = Action::new(show_mask, 0).blocking(handler::set(&[Signal::USR2, Signal::KILL]));
    handler::act(Signal::USR1, action).expect("rt_sigaction");
    handler::set_mask(handler::set(&[Signal::TERM]));
    handler::raise(Signal::USR1);
    println!(
        "  afterwards, with one that the handler put into its context: {:#x}",
        handler::mask()
    );
    handler::set_mask(u64::MAX);
    println!("  all that can be blocked: {:#x}", handler::mask());
    handler::set_mask(0);
}

fn once() {
    handler::handle(Signal::USR1, count, SA_RESETHAND);
    handler::raise(Signal::USR1);
    let action = handler::action(Signal::USR1).expect("rt_sigaction");
    assert_eq!((calls(), action.handler), (1, 0));
    let status = run_in_child(|| {
        handler::raise(Signal::USR1);
        0
    });
    println!("SA_RESETHAND: the second time it is {status}");
}

/// A child that sends this process `signals`, some time apart, and ends with 7.
fn sender(signals: &'static [Signal]) -> Pid {
    let parent = process::id();
    let send = move || {
        for &signal in signals {
            time::sleep(Duration::from_millis(30));
            kill(parent, signal).expect("kill");
        }
        time::sleep(Duration::from_millis(30));
        7
    };
    spawn(send).expect("fork")
}

fn interrupted_sleep() {
    handler::handle(Signal::USR1, count, SA_RESTART);
    let child = sender(&[Signal::USR1]);
    let (result, left) = time::nanosleep_rest(Duration::from_secs(100));
    assert_eq!(result, Err(Errno::EINTR));
    assert!(
        left > Duration::from_secs(50) && left < Duration::from_secs(100),
        "{left:?}"
    );
    assert_eq!(calls(), 1);
    wait(child).expect("wait");
    println!("nanosleep: EINTR with the rest of the time, SA_RESTART or not");

    let child = spawn(|| {
        let (result, _) = time::nanosleep_rest(Duration::from_millis(200));
        u8::from(result.is_err())
    });
    let child = child.expect("fork");
    for signal in [Signal::STOP, Signal::CONT, Signal::WINCH] {
        time::sleep(Duration::from_millis(20));
        kill(child, signal).expect("kill");
    }
    assert_eq!(wait(child).expect("wait").status, Status::Exited(0));
    println!("nanosleep: goes on after SIGSTOP and SIGCONT, and does not notice SIGWINCH");
}

fn interrupted_wait() {
    for (flags, name) in [(0, "without"), (SA_RESTART, "with")] {
        handler::handle(Signal::USR1, count, flags);
        let child = sender(&[Signal::USR1]);
        let first = process::wait_once(child).map(|ended| ended.status);
        assert_eq!(calls(), 1);
        let outcome = match first {
            Err(errno) => {
                assert_eq!(wait(child).expect("wait").status, Status::Exited(7));
                println!("wait4 {name} SA_RESTART: {errno:?}");
                continue;
            }
            Ok(status) => status,
        };
        println!("wait4 {name} SA_RESTART: {outcome}");
    }
}

fn waiting() {
    handler::handle(Signal::USR1, count, SA_RESTART);
    let child = sender(&[Signal::WINCH, Signal::USR1]);
    assert_eq!((handler::pause(), calls()), (Errno::EINTR, 1));
    wait(child).expect("wait");
    println!("pause: EINTR after a handler, and not before");

    let blocked = handler::set(&[Signal::USR1, Signal::USR2]);
    handler::handle(Signal::USR2, tell, 0);
    handler::set_mask(blocked);
    handler::raise(Signal::USR1);
    assert_eq!(
        (calls(), handler::pending()),
        (0, handler::set(&[Signal::USR1]))
    );
    assert_eq!(
        handler::suspend(handler::set(&[Signal::USR2])),
        Errno::EINTR
    );
    assert_eq!(
        (calls(), handler::pending(), handler::mask()),
        (1, 0, blocked)
    );
    handler::set_mask(0);
    println!("rt_sigsuspend: lets one in that waited, and blocks it again");
}

extern "C" fn look_at_stack(_: i32, _: &mut Info, context: &mut Context) {
    let here = &raw const context as usize;
    let start = STACK.load(Relaxed);
    let is_on = (start..start + STACK_PAGES * 4096).contains(&here);
    let refused = handler::set_stack(0, 0, SS_DISABLE).err();
    println!(
        "  on it: {is_on}; flags {:#x}, in the context {:#x}; changing it: {refused:?}",
        handler::stack().flags,
        context.stack.flags
    );
}

fn alternate_stack() {
    println!("the alternate stack:");
    let memory = Mapping::new(STACK_PAGES);
    STACK.store(memory.page(0), Relaxed);
    let set = |size, flags| handler::set_stack(memory.page(0), size, flags);
    println!("  at first: flags {:#x}", handler::stack().flags);
    handler::handle(Signal::USR1, look_at_stack, SA_ONSTACK);
    set(memory.length(), 0).expect("sigaltstack");
    handler::raise(Signal::USR1);
    set(memory.length(), SS_AUTODISARM).expect("sigaltstack");
    handler::raise(Signal::USR1);
    println!(
        "  afterwards: flags {:#x}, {} bytes",
        handler::stack().flags,
        handler::stack().size
    );
    handler::handle(Signal::USR1, look_at_stack, 0);
    handler::raise(Signal::USR1);
    let least = MINSIGSTKSZ as usize;
    println!(
        "  too small: {:?}; least: {:?}",
        set(least - 1, 0).err(),
        set(least, 0).err()
    );
    println!("  flags that are none: {:?}", set(memory.length(), 4).err());
}

extern "C" fn recover(_: i32, _: &mut Info, context: &mut Context) {
    println!(
        "  the stack is used up, {} is told on another one",
        Signal::SEGV
    );
    context.registers.rip = recovered as *const () as u64;
    context.registers.rsp = (STACK.load(Relaxed) + STACK_PAGES * 4096 / 2) as u64 - 8;
}

extern "C" fn recovered() -> ! {
    println!("  and the program goes on");
    process::exit(5)
}

/// Uses stack until there is none.
fn descend(depth: usize) -> usize {
    if depth == usize::MAX {
        return 0;
    }
    let page = core::hint::black_box([depth as u8; 4096]);
    descend(depth + 1) + usize::from(page[depth % 4096])
}

fn overflow() {
    println!("stack overflow:");
    let memory = Mapping::new(STACK_PAGES);
    STACK.store(memory.page(0), Relaxed);
    let status = run_in_child(|| {
        let start = memory.page(STACK_PAGES / 2);
        handler::set_stack(start, memory.length() / 2, 0).expect("sigaltstack");
        handler::handle(Signal::SEGV, recover, SA_ONSTACK);
        descend(0) as u8
    });
    println!("  {status}");
    let status = run_in_child(|| {
        handler::handle(Signal::SEGV, recover, 0);
        descend(0) as u8
    });
    println!("  without another stack: {status}");
}

/// Handlers and stacks that aren't there.
fn hopeless() {
    const NON_CANONICAL: usize = 1 << 63;
    const KERNEL: usize = 0xffff_ffff_8100_0000;
    for (name, address) in [
        ("non-canonical", NON_CANONICAL),
        ("the kernel's", KERNEL),
        ("unmapped", 0x10_0000),
    ] {
        let status = run_in_child(|| {
            let action = Action {
                handler: address,
                ..Action::new(count, 0)
            };
            handler::act(Signal::USR1, action).expect("rt_sigaction");
            handler::raise(Signal::USR1);
            0
        });
        println!("a handler at an address that is {name}: {status}");
        let status = run_in_child(|| {
            handler::handle(Signal::USR1, count, SA_ONSTACK);
            handler::set_stack(address, 1 << 16, 0).expect("sigaltstack");
            handler::raise(Signal::USR1);
            0
        });
        println!("a stack at such an address: {status}");
    }
    let status = run_in_child(|| {
        let action = Action {
            flags: 0,
            restorer: 0,
            ..Action::new(count, 0)
        };
        handler::act(Signal::USR1, action).expect("rt_sigaction");
        handler::raise(Signal::USR1);
        0
    });
    println!("a handler without a way back: {status}");
}
