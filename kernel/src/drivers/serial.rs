//! The serial ports: COM1 for the kernel's log, COM3 for the programs' standard streams, polled.
//!
//! A port that isn't there is `None`, and nobody minds. No call here waits for long: the other end may be a pipe that
//! nobody reads. Those who must lose nothing ([`Serial::send`]) ask again later, those who must not hang
//! ([`Serial::send_or_drop`]) give up and remember it.
use core::hint::spin_loop;

use uart_16550::backend::PioBackend;
use uart_16550::{BaudRate, Config, Uart16550, spec::registers::LSR};

use crate::lock::{IrqLock, Rank};

/// How often the transmitter is asked before it counts as stuck: for a second or two, as a question takes about a
/// microsecond on the bus. A full FIFO is sent in 1.4 ms at 115,200 baud, but a busy host may let a guest wait.
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
    /// The last wait was in vain.
    stuck: bool,
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
            stuck: false,
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

    /// Sends `bytes`, or what the line takes of them in reasonable time. A line that was stuck gets no second wait
    /// until it moves again.
    pub(crate) fn send_or_drop(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let sent = if self.stuck {
                self.send(bytes)
            } else {
                self.send_patiently(bytes)
            };
            self.stuck = sent == 0;
            if self.stuck {
                return;
            }
            bytes = &bytes[sent..];
        }
    }

    /// Waits until all that was handed over has left the port; false where it did not in reasonable time.
    pub(crate) fn drain(&mut self) -> bool {
        let mut is_idle = |_| self.uart.lsr().contains(LSR::TRANSMITTER_EMPTY);
        (0..PATIENCE).any(&mut is_idle)
    }

    /// [`Serial::send`], with a wait for the transmitter; 0 where it is stuck.
    pub(crate) fn send_patiently(&mut self, bytes: &[u8]) -> usize {
        for _ in 0..PATIENCE {
            match self.send(bytes) {
                0 => spin_loop(),
                sent => return sent,
            }
        }
        0
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
