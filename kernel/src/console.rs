//! The programs' standard streams: out to a serial port and the screen, in from that port and the keyboard.
//!
//! Output is never lost: a slow reader at the other end slows the program down, as a pipe does. Input is taken from the
//! devices only while there is room for it, by the timer's tick and by readers, and lies in a [`Terminal`] until it
//! is read.
mod framing;
mod ring;
mod terminal;

use core::hint::spin_loop;

use self::terminal::{Extent, Terminal};
use crate::drivers::framebuffer::{self, Look};
use crate::drivers::keyboard::{Key, Keyboard};
use crate::drivers::serial::{self, Newline, Port};
use crate::lock::{IrqLock, Rank};
use crate::options::{self, Exit, Stdin, Stdio};

pub(crate) use self::terminal::Input;

/// Bytes that one call takes from a device, or gives to one, at most: what bounds the time with interrupts off.
const BATCH: usize = 64;

/// Looks in vain after which a sender counts as silent. A pipe behind an emulated port fills its FIFO again within that,
/// and a reader who waited for a tick instead would get a FIFO's 16 bytes in each.
const PATIENCE: u32 = 100;

static SOURCES: IrqLock<Sources> = IrqLock::new(Rank::Console, Sources::new());

/// Where input comes from, and what has come.
struct Sources {
    terminal: Terminal,
    keyboard: Option<Keyboard>,
    /// Looks at the port in vain since the last byte.
    silence: u32,
}

impl Sources {
    const fn new() -> Self {
        Self {
            terminal: Terminal::new(),
            keyboard: None,
            silence: PATIENCE,
        }
    }

    fn poll(&mut self) {
        self.silence = self.silence.saturating_add(1);
        for _ in 0..BATCH {
            if !self.terminal.has_room() || !self.take_byte() {
                break;
            }
        }
        for _ in 0..BATCH {
            if !self.terminal.has_room() || !self.take_key() {
                break;
            }
        }
    }

    /// Moves a byte from the port to the terminal; false where none has arrived.
    fn take_byte(&mut self) -> bool {
        let Some(byte) = receive() else { return false };
        self.silence = 0;
        match options::get().stdin {
            Stdin::Framed => self.terminal.framed(byte),
            Stdin::Raw => self.terminal.typed(byte, echo_everywhere),
        }
        true
    }

    /// Moves a key from the keyboard to the terminal; false where none was pressed.
    fn take_key(&mut self) -> bool {
        let Some(key) = self.keyboard.as_mut().and_then(Keyboard::poll) else {
            return false;
        };
        match key {
            Key::Look(where_to) => framebuffer::look(where_to),
            Key::Character(character) => {
                framebuffer::look(Look::Here);
                self.terminal.typed(character, echo_for_keyboard());
            }
        }
        true
    }

    /// Moves input to a reader, and says for how many looks the sender has been silent.
    fn read(&mut self, buffer: &mut [u8], extent: Extent) -> (Input, u32) {
        self.poll();
        (self.terminal.read(buffer, extent), self.silence)
    }
}

/// A byte from the port, if one has arrived.
fn receive() -> Option<u8> {
    serial::shared(options::get().console?)
        .lock()
        .as_mut()?
        .receive()
}

/// Shows a key on the screen and on the terminal behind the port.
fn echo_everywhere(bytes: &[u8]) {
    framebuffer::write(bytes);
    if let Some(port) = options::get().console
        && let Some(serial) = serial::shared(port).lock().as_mut()
    {
        serial.send_or_drop(bytes);
    }
}

/// A key of the keyboard must not get into what a program sends to another one.
fn echo_for_keyboard() -> fn(&[u8]) {
    match options::get().stdin {
        Stdin::Raw => echo_everywhere,
        Stdin::Framed => framebuffer::write,
    }
}

/// What a newline becomes on the programs' port.
pub(crate) fn newline() -> Newline {
    match options::get().stdin {
        Stdin::Raw => Newline::Return,
        Stdin::Framed => Newline::Plain,
    }
}

/// Opens what the options say. After [`options::init`].
pub(crate) fn init() {
    if let Some(port) = options::get().console {
        serial::init(port);
        if let Some(serial) = serial::shared(port).lock().as_mut() {
            serial.set_newline(newline());
        }
    }
    if options::get().exit == Exit::Qemu {
        serial::announce();
    }
    let keyboard = Keyboard::open();
    SOURCES.lock().keyboard = keyboard;
}

/// Takes in what has arrived, in bounded time. For the timer's tick.
pub(crate) fn poll() {
    SOURCES.lock().poll();
}

/// Lets whoever is at the keyboard look through the screen's history, for good: the machine does nothing else any more.
/// Past the lock around the keyboard, which somebody may hold for good, too.
pub(crate) fn look_around() -> ! {
    let mut keyboard = Keyboard::open();
    loop {
        if let Some(Key::Look(where_to)) = keyboard.as_mut().and_then(Keyboard::poll) {
            framebuffer::look(where_to);
            framebuffer::finish();
        }
        spin_loop();
    }
}

/// Moves input that is there into `buffer`, which is not empty.
pub(crate) fn read_available(buffer: &mut [u8]) -> Input {
    let extent = match options::get().stdio {
        Stdio::Tty => Extent::Line,
        Stdio::Pipe => Extent::All,
    };
    loop {
        let (input, silence) = SOURCES.lock().read(buffer, extent);
        if input != Input::Empty || silence >= PATIENCE {
            return input;
        }
        spin_loop();
    }
}

/// Whether [`read_available`] would find something.
pub(crate) fn has_input() -> bool {
    let mut sources = SOURCES.lock();
    sources.poll();
    sources.terminal.has_input()
}

/// Takes back what [`read_available`] gave to a reader who could not store it.
pub(crate) fn unread(bytes: &[u8]) {
    SOURCES.lock().terminal.unread(bytes);
}

/// Writes the beginning of `bytes`, as much as the port takes now, and returns how much that was. Nothing is taken
/// while the reader at the other end is behind: do something else and ask again.
pub(crate) fn write_some(bytes: &[u8]) -> usize {
    let bytes = &bytes[..bytes.len().min(BATCH)];
    let taken = match options::get().console {
        Some(port) => send(port, bytes),
        None => bytes.len(),
    };
    framebuffer::write(&bytes[..taken]);
    taken
}

fn send(port: Port, bytes: &[u8]) -> usize {
    let mut serial = serial::shared(port).lock();
    let Some(serial) = serial.as_mut() else {
        return bytes.len();
    };
    let mut taken = 0;
    while taken < bytes.len() {
        match serial.send(&bytes[taken..]) {
            0 => break,
            sent => taken += sent,
        }
    }
    taken
}
