//! The kernel's log: lines on a serial port and on the screen, from the first instruction to a panic.
//!
//! A record becomes lines that each begin with `faultline: `, the seconds since boot and the level, so that they can be
//! told from what firmware prints on the same port. Nothing here allocates. One lock keeps the lines of a record
//! together; in a panic no lock is waited for, because its holder may be what panicked.
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use log::{Level, Log, Metadata, Record};
use spin::Once;

use crate::console;
use crate::drivers::framebuffer::{self, Colour};
use crate::drivers::serial::{self, Newline, Port, Serial};
use crate::lock::{IrqLock, Rank};
use crate::options;

static LOGGER: Logger = Logger;

/// Held for a whole record.
static RECORD: IrqLock<()> = IrqLock::new(Rank::Log, ());

/// Who reads a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    /// Somebody at the screen or at the port.
    Person,
    /// Whatever is behind the port.
    Program,
}

/// Nanoseconds since boot.
static CLOCK: Once<fn() -> u64> = Once::new();

/// Set by [`enter_panic`], for good.
static PANIC: AtomicBool = AtomicBool::new(false);

/// Waits for a stuck port in a panic: nothing else is left to do, and the report is all that counts.
const PANIC_WAITS: u32 = 8;

/// How many of those have been in vain.
static WAITED: AtomicU32 = AtomicU32::new(0);

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record) {
        if PANIC.load(Relaxed) {
            write_record(record, &mut Emergency::new());
        } else if self.enabled(record.metadata()) {
            let _whole = RECORD.lock();
            framebuffer::begin_log();
            write_record(
                record,
                &mut Shared {
                    port: options::get().log,
                    colour: Some(colour(record.level())),
                },
            );
        }
    }

    /// Draws the last lines, and waits until they and a program's last output have left their ports: the machine is
    /// about to end.
    fn flush(&self) {
        framebuffer::finish();
        let options = options::get();
        for port in [options.log, options.console].into_iter().flatten() {
            // Past the lock, which somebody may hold for good, since this changes nothing.
            let _ = Serial::adopt(port).is_some_and(|mut serial| serial.drain());
        }
    }
}

/// Where the log goes in a panic: to the same places past all locks.
struct Emergency {
    serial: Option<Serial>,
}

impl Emergency {
    fn new() -> Self {
        let port = options::get().log;
        let mut serial = port.and_then(Serial::adopt);
        if let (Some(port), Some(serial)) = (port, &mut serial) {
            serial.set_newline(newline(port));
        }
        Self { serial }
    }
}

impl Write for Emergency {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(serial) = &mut self.serial {
            send_in_panic(serial, text.as_bytes());
        }
        framebuffer::write_panic(text.as_bytes());
        Ok(())
    }
}

/// Sends all of `bytes`, unless the port has been stuck for so long that nobody is there.
fn send_in_panic(serial: &mut Serial, mut bytes: &[u8]) {
    while !bytes.is_empty() && WAITED.load(Relaxed) < PANIC_WAITS {
        let sent = serial.send_patiently(bytes);
        WAITED.fetch_add(u32::from(sent == 0), Relaxed);
        bytes = &bytes[sent..];
    }
}

/// Where the log goes otherwise.
struct Shared {
    port: Option<Port>,
    /// `None` where the line is not for the screen.
    colour: Option<Colour>,
}

impl Write for Shared {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if let Some(port) = self.port
            && let Some(serial) = serial::shared(port).lock().as_mut()
        {
            serial.send_or_drop(text.as_bytes());
        }
        if let Some(colour) = self.colour {
            framebuffer::write_log(text.as_bytes(), colour);
        }
        Ok(())
    }
}

/// Puts the beginning of a line before each line of what is written.
struct Lines<'a, W> {
    out: &'a mut W,
    level: Level,
    nanoseconds: u64,
}

impl<W: Write> Lines<'_, W> {
    fn begin(&mut self) -> fmt::Result {
        let (seconds, rest) = (
            self.nanoseconds / 1_000_000_000,
            self.nanoseconds % 1_000_000_000,
        );
        let level = match self.level {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            Level::Info => "",
            Level::Debug => "debug: ",
            Level::Trace => "trace: ",
        };
        write!(
            self.out,
            "faultline: {seconds:4}.{:06} {level}",
            rest / 1000
        )
    }
}

impl<W: Write> Write for Lines<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for (number, line) in text.split('\n').enumerate() {
            if number > 0 {
                self.out.write_str("\n")?;
                self.begin()?;
            }
            self.out.write_str(line)?;
        }
        Ok(())
    }
}

/// Writes a line of the trace, whatever the level of the log: somebody asked for it. It carries the time of what it
/// tells of, not of its writing.
pub(crate) fn write_trace(nanoseconds: u64, text: fmt::Arguments<'_>, reader: Reader) {
    let colour = (reader == Reader::Person).then_some(Colour::GREY);
    let mut out = Shared {
        port: options::get().log,
        colour,
    };
    let _whole = RECORD.lock();
    if colour.is_some() {
        framebuffer::begin_log();
    }
    write_lines(Level::Info, nanoseconds, text, &mut out);
}

fn write_record(record: &Record, out: &mut impl Write) {
    let nanoseconds = CLOCK.get().map_or(0, |clock| clock());
    write_lines(record.level(), nanoseconds, *record.args(), out);
}

fn write_lines(level: Level, nanoseconds: u64, text: fmt::Arguments<'_>, out: &mut impl Write) {
    let mut lines = Lines {
        out,
        level,
        nanoseconds,
    };
    // The writers never fail; a `Display` of a message that does leaves half a line.
    let _ = lines.begin().and_then(|()| lines.write_fmt(text));
    let _ = out.write_str("\n");
}

fn colour(level: Level) -> Colour {
    match level {
        Level::Error => Colour::RED,
        Level::Warn => Colour::YELLOW,
        Level::Info => Colour::NORMAL,
        Level::Debug | Level::Trace => Colour::GREY,
    }
}

/// A port that a terminal is on needs carriage returns, from the log too.
fn newline(port: Port) -> Newline {
    if options::get().console == Some(port) {
        console::newline()
    } else {
        Newline::Plain
    }
}

/// Starts the log where the options say. Without a port there is still the screen.
pub(crate) fn init() {
    if let Some(port) = options::get().log {
        serial::init(port);
        if let Some(serial) = serial::shared(port).lock().as_mut() {
            serial.set_newline(newline(port));
        }
    }
    // A second call finds the logger set, which is as good.
    let _ = log::set_logger(&LOGGER);
    log::set_max_level(options::get().level);
}

/// Has the lines stamped from now on; `clock` says how many nanoseconds have passed since boot.
pub(crate) fn set_clock(clock: fn() -> u64) {
    CLOCK.call_once(|| clock);
}

/// Ends the line that a report left unfinished.
pub(crate) fn end_line_in_panic() {
    // The writer never fails.
    let _ = Emergency::new().write_str("\n");
}

/// From here on the log waits for no lock and hides nothing. The first thing that a panic handler does.
pub(crate) fn enter_panic() {
    PANIC.store(true, Relaxed);
    log::set_max_level(log::LevelFilter::Trace);
}
