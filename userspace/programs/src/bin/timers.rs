//! Shows time as signals: `alarm`, and the three interval timers of setitimer(2).
#![no_std]
#![forbid(unsafe_code)]

use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use core::time::Duration;

use rt::handler::{self, Context, Info};
use rt::process::{Status, run_in_child, spawn, wait};
use rt::signal::Signal;
use rt::time::interval::{self, ITIMER_PROF, ITIMER_REAL, ITIMER_VIRTUAL, Setting, alarm};
use rt::{Errno, println, time};

static RUNGS: AtomicU32 = AtomicU32::new(0);

const MANY: u32 = 10;

extern "C" fn ring(_: i32, _: &mut Info, _: &mut Context) {
    RUNGS.fetch_add(1, Relaxed);
}

fn rungs() -> u32 {
    RUNGS.load(Relaxed)
}

fn main() {
    for signal in [Signal::ALRM, Signal::VTALRM, Signal::PROF] {
        handler::handle(signal, ring, 0);
    }
    once();
    again_and_again();
    alarms();
    processor_time();
    belongings();
    assert_eq!(interval::get(3), Err(Errno::EINVAL));
    println!("a fourth timer: EINVAL");
    storm();
}

fn once() {
    let start = time::now();
    let long = Duration::from_millis(40);
    interval::set(ITIMER_REAL, Setting::once(long)).expect("setitimer");
    let left = interval::get(ITIMER_REAL).expect("getitimer");
    assert!(
        left.value <= long && left.value > Duration::ZERO,
        "{left:?}"
    );
    assert_eq!(handler::pause(), Errno::EINTR);
    assert!(time::now() - start >= long);
    assert_eq!(interval::get(ITIMER_REAL), Ok(Setting::default()));
    println!("the real timer, once: not too early, then it is off");
}

fn again_and_again() {
    RUNGS.store(0, Relaxed);
    let start = time::now();
    let step = Duration::from_millis(10);
    interval::set(ITIMER_REAL, Setting::every(step)).expect("setitimer");
    while rungs() < MANY {
        handler::pause();
    }
    assert!(time::now() - start >= step * MANY);
    let before = interval::set(ITIMER_REAL, Setting::default()).expect("setitimer");
    assert_eq!(before.interval, step);
    println!("the real timer, every 10 ms: {MANY} signals, none too early");
}

fn alarms() {
    assert_eq!((alarm(100), alarm(0), alarm(0)), (0, 100, 0));
    assert_eq!((alarm(u32::MAX), alarm(0)), (0, u32::MAX), "136 years");
    let half = Setting::once(Duration::from_millis(400));
    interval::set(ITIMER_REAL, half).expect("setitimer");
    assert_eq!(alarm(0), 1);
    println!("alarm: tells what was left, and never 0 of something");
    let status = run_in_child(|| {
        handler::act(Signal::ALRM, handler::Action::default()).expect("rt_sigaction");
        interval::set(ITIMER_REAL, Setting::once(Duration::from_millis(10))).expect("setitimer");
        loop {
            core::hint::spin_loop();
        }
    });
    println!("nobody handles it: {status}");
}

/// Timers of processor time stand still while the process sleeps.
fn processor_time() {
    for (which, name) in [(ITIMER_VIRTUAL, "virtual"), (ITIMER_PROF, "profiling")] {
        RUNGS.store(0, Relaxed);
        let step = Duration::from_millis(20);
        interval::set(which, Setting::every(step)).expect("setitimer");
        time::sleep(Duration::from_millis(60));
        assert_eq!(rungs(), 0, "{name}");
        while rungs() < 3 {
            core::hint::spin_loop();
        }
        interval::set(which, Setting::default()).expect("setitimer");
        println!("the {name} timer: silent in a sleep, three signals while spinning");
    }
}

/// A child does not inherit timers; nor do they outlive their process.
fn belongings() {
    interval::set(ITIMER_REAL, Setting::once(Duration::from_secs(100))).expect("setitimer");
    let status = run_in_child(|| u8::from(interval::get(ITIMER_REAL) != Ok(Setting::default())));
    assert_eq!(status, Status::Exited(0));
    assert!(interval::get(ITIMER_REAL).expect("getitimer").value > Duration::from_secs(50));
    alarm(0);
    println!("fork: the child has no timer, the parent keeps its own");
    let status = run_in_child(|| {
        interval::set(ITIMER_REAL, Setting::every(Duration::from_millis(1))).expect("setitimer");
        3
    });
    assert_eq!(status, Status::Exited(3));
}

/// A signal every millisecond while processes come and go and pages are copied.
fn storm() {
    handler::handle(Signal::ALRM, ring, rt::abi::general::SA_RESTART);
    RUNGS.store(0, Relaxed);
    interval::set(ITIMER_REAL, Setting::every(Duration::from_millis(1))).expect("setitimer");
    let memory = rt::memory::Mapping::new(64);
    let mut rounds = 0u32;
    while rungs() < 50 || rounds < 20 {
        let pattern = rounds as u8;
        memory.fill(pattern);
        let child = spawn(|| {
            interval::set(ITIMER_REAL, Setting::every(Duration::from_millis(1)))
                .expect("setitimer");
            let inherited = memory.holds(pattern);
            memory.fill(!pattern);
            u8::from(!inherited || !memory.holds(!pattern))
        });
        let ended = wait(child.expect("fork")).expect("wait");
        assert_eq!(ended.status, Status::Exited(0));
        assert!(memory.holds(pattern), "round {rounds}");
        rounds += 1;
    }
    interval::set(ITIMER_REAL, Setting::default()).expect("setitimer");
    println!("a signal every millisecond, in parents and children: all memory is right");
}
