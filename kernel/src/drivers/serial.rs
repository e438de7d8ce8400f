//! The serial ports: COM1 for the kernel's log, COM3 for the programs' standard streams, polled.
//!
//! A port that isn't there is `None`, and nobody minds. The other end may be a pipe that nobody reads, so while the
//! machine lives no call here waits for long: those who must lose nothing ([`Serial::send`]) ask again later, those who
//! must not hang ([`Serial::send_or_drop`]) give up and remember it. Only a machine that starts or ends waits a second
//! or two ([`Serial::drain`], [`Serial::send_patiently`]).
use core::hint::spin_loop;

use uart_16550::backend::PioBackend;
use uart_16550::{BaudRate, Config, Uart16550, spec::registers::LSR};

use crate::lock::{IrqLock, Rank};

/// How often the transmitter is asked for the sake of one line of the log or of echo, with interrupts off: 50 ms, as a
/// question takes about a microsecond on the bus. At 115,200 baud that is time for 560 characters.
const LINE_PATIENCE: u32 = 50_000;
/// How often it is asked where nothing else is left to do: a busy host may let a guest wait.
const PATIENCE: u32 = 1_000_000;

/// A serial port, by its usual name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// `ttyS0`.
    Com1,
    /// `ttyS2`.
    Com3,
}

impl Port {
    const fn base(self) -> u16 {
        match self {
            Self::Com1 => 0x3f8,
            Self::Com3 => 0x3e8,
        }
    }
}

/// What a newline becomes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Newline {
    /// Itself.
    Plain,
    /// Carriage return and newline, for a terminal.
    Return,
}

/// An open port.
pub(crate) struct Serial {
    uart: Uart16550<PioBackend>,
    newline: Newline,
    /// The carriage return of a newline has gone out and the newline has not.
    returned: bool,
    /// How often [`Serial::send_or_drop`] may still ask the transmitter before this line ends.
    patience: u32,
    /// Something of this line has gone out.
    moved: bool,
}

impl Serial {
    /// Sets the port up, if it exists.
    pub(crate) fn open(port: Port) -> Option<Self> {
        let mut serial = Self::adopt(port)?;
        if !serial.uart.check_present() {
            return None;
        }
        // What the firmware said may still be on its way; `init` would wait for that without end.
        if !serial.drain() {
            return None;
        }
        let config = Config {
            baud_rate: BaudRate::Baud115200,
            ..Config::DEFAULT
        };
        serial.uart.init(config).ok()?;
        Some(serial)
    }

    /// The port as [`Serial::open`] left it, whoever else has it: for a panic.
    #[expect(unsafe_code, reason = "constructing a driver on fixed ports")]
    pub(crate) fn adopt(port: Port) -> Option<Self> {
        // SAFETY: the eight ports from this base belong to a serial port on every PC, or to nobody; they reach no
        // memory, so that a second driver on them can at worst mix up what is sent.
        let uart = unsafe { Uart16550::new_port(port.base()) }.ok()?;
        Some(Self {
            uart,
            newline: Newline::Plain,
            returned: false,
            patience: LINE_PATIENCE,
            moved: false,
        })
    }

    /// Chooses what newlines become from now on.
    pub(crate) fn set_newline(&mut self, newline: Newline) {
        self.newline = newline;
    }

    /// Hands the beginning of `bytes` to the transmitter, as much as it takes at once, and returns how much that was.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> usize {
        match (self.newline, bytes.iter().position(|&byte| byte == b'\n')) {
            (Newline::Plain, _) | (_, None) => self.uart.send_bytes(bytes),
            (_, Some(0)) => self.send_newline(),
            (_, Some(text)) => self.uart.send_bytes(&bytes[..text]),
        }
    }

    fn send_newline(&mut self) -> usize {
        self.returned = self.returned || self.uart.send_bytes(b"\r") == 1;
        if !self.returned {
            return 0;
        }
        let sent = self.uart.send_bytes(b"\n");
        self.returned = sent == 0;
        sent
    }

    /// Sends `bytes`, or what the port takes of them in the time that a line of text has. A port that took nothing of
    /// a line is not waited for again until it moves.
    pub(crate) fn send_or_drop(&mut self, bytes: &[u8]) {
        let mut patience = self.patience;
        let mut rest = bytes;
        while !rest.is_empty() {
            let sent = self.send_within(rest, &mut patience);
            if sent == 0 {
                break;
            }
            self.moved = true;
            rest = &rest[sent..];
        }
        self.patience = patience;
        if bytes.ends_with(b"\n") {
            self.patience = if self.moved { LINE_PATIENCE } else { 0 };
            self.moved = false;
        }
    }

    /// Waits until all that was handed over has left the port; false where it did not in reasonable time.
    pub(crate) fn drain(&mut self) -> bool {
        let mut is_idle = |_| self.uart.lsr().contains(LSR::TRANSMITTER_EMPTY);
        (0..PATIENCE).any(&mut is_idle)
    }

    /// [`Serial::send`], with a long wait for the transmitter; 0 where it is stuck. For a panic.
    pub(crate) fn send_patiently(&mut self, bytes: &[u8]) -> usize {
        let mut patience = PATIENCE;
        self.send_within(bytes, &mut patience)
    }

    /// [`Serial::send`], asking again as often as `patience` allows, which it uses up.
    fn send_within(&mut self, bytes: &[u8], patience: &mut u32) -> usize {
        loop {
            let sent = self.send(bytes);
            if sent > 0 || *patience == 0 {
                return sent;
            }
            *patience -= 1;
            spin_loop();
        }
    }

    /// A byte that has arrived, if there is one.
    pub(crate) fn receive(&mut self) -> Option<u8> {
        self.uart.try_receive_byte().ok()
    }
}

static COM1: IrqLock<Option<Serial>> = IrqLock::new(Rank::Serial, None);
static COM3: IrqLock<Option<Serial>> = IrqLock::new(Rank::Serial, None);

/// The one handle of a port that the kernel shares: `None` inside until [`init`], and where there is no such port.
pub(crate) fn shared(port: Port) -> &'static IrqLock<Option<Serial>> {
    match port {
        Port::Com1 => &COM1,
        Port::Com3 => &COM3,
    }
}

/// Opens a port for all who share it, unless that has been done.
pub(crate) fn init(port: Port) {
    let mut serial = shared(port).lock();
    if serial.is_none() {
        *serial = Serial::open(port);
    }
}

/// Tells the host that the open ports listen: a byte on QEMU's debug console, until which `boot` holds input back.
/// Setting a port up throws away what it had received.
#[expect(unsafe_code, reason = "writing a fixed port")]
pub(crate) fn announce() {
    const DEBUG_CONSOLE: u16 = 0xe9;
    // SAFETY: the port belongs to QEMU's debug console or to nobody; writing it touches no memory.
    unsafe { x86_64::instructions::port::Port::new(DEBUG_CONSOLE).write(0u8) };
}
