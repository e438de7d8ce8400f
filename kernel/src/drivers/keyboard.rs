//! The PS/2 keyboard: the i8042 controller, polled, and the US layout.
//!
//! A machine without the controller reads all ones from its ports, and then there is no keyboard. Many machines that
//! have none emulate it for a USB keyboard in their firmware. Interrupts stay off: a hundred polls a second are more
//! than anyone types.
use core::hint::spin_loop;

use pc_keyboard::layouts::Us104Key;
use pc_keyboard::{
    DecodedKey, EventDecoder, HandleControl, KeyCode, KeyEvent, ScancodeSet, ScancodeSet1,
};
use x86_64::instructions::port::Port;

use super::framebuffer::Look;

const DATA: u16 = 0x60;
const CONTROL: u16 = 0x64;

/// What an absent device answers.
const ABSENT: u8 = 0xff;

/// Bits of the status: a byte waits for us, our last byte is not taken yet, the byte is the mouse's.
const OUTPUT_FULL: u8 = 1 << 0;
const INPUT_FULL: u8 = 1 << 1;
const FROM_MOUSE: u8 = 1 << 5;

const READ_CONFIGURATION: u8 = 0x20;
const WRITE_CONFIGURATION: u8 = 0x60;

/// Bits of the configuration: interrupts of both devices, clocks off, translation to scan code set 1.
const INTERRUPTS: u8 = 0b11;
const KEYBOARD_OFF: u8 = 1 << 4;
const MOUSE_OFF: u8 = 1 << 5;
const TRANSLATE: u8 = 1 << 6;

/// Polls until the controller counts as hung; each takes about a microsecond.
const PATIENCE: usize = 10_000;

/// Bytes that the controller can have in store, and more than any key sends.
const BURST: usize = 16;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A character for the programs.
    Character(u8),
    /// Another part of the screen's history.
    Look(Look),
}

/// The keyboard, and which keys are held down on it.
pub(crate) struct Keyboard {
    scancodes: ScancodeSet1,
    keys: EventDecoder<Us104Key>,
}

impl Keyboard {
    /// Sets the controller up; `None` where there is none.
    pub(crate) fn open() -> Option<Self> {
        if read(CONTROL) == ABSENT {
            return None;
        }
        // Whatever was typed at the firmware is not for us.
        for _ in 0..BURST {
            let _ = take_byte();
        }
        // A controller that does not answer may still send keys: emulations know little more than that.
        let _ = configure();
        let keys = EventDecoder::new(Us104Key, HandleControl::MapLettersToUnicode);
        Some(Self {
            scancodes: ScancodeSet1::new(),
            keys,
        })
    }

    /// The next key that asks for something, if one was pressed.
    pub(crate) fn poll(&mut self) -> Option<Key> {
        for _ in 0..BURST {
            let scancode = take_byte()?;
            let event = self.scancodes.advance_state(scancode).ok().flatten();
            let key = event.and_then(|event| self.meaning(event));
            if key.is_some() {
                return key;
            }
        }
        None
    }

    fn meaning(&mut self, event: KeyEvent) -> Option<Key> {
        match self.keys.process_keyevent(event)? {
            DecodedKey::Unicode(character) => u8::try_from(character).ok().map(Key::Character),
            DecodedKey::RawKey(KeyCode::PageUp) => Some(Key::Look(Look::Back)),
            DecodedKey::RawKey(KeyCode::PageDown) => Some(Key::Look(Look::Ahead)),
            DecodedKey::RawKey(_) => None,
        }
    }
}

/// Interrupts off, keyboard on, mouse off, and scan codes of set 1.
fn configure() -> Option<()> {
    command(READ_CONFIGURATION)?;
    let before = (0..PATIENCE).find_map(|_| take_byte())?;
    command(WRITE_CONFIGURATION)?;
    send(
        DATA,
        (before | TRANSLATE | MOUSE_OFF) & !(INTERRUPTS | KEYBOARD_OFF),
    )
}

fn command(byte: u8) -> Option<()> {
    send(CONTROL, byte)
}

/// Writes to the controller when it is ready for it.
fn send(port: u16, byte: u8) -> Option<()> {
    for _ in 0..PATIENCE {
        if read(CONTROL) & INPUT_FULL == 0 {
            write(port, byte);
            return Some(());
        }
        spin_loop();
    }
    None
}

/// A byte that the controller has for us; what the mouse sent is thrown away.
fn take_byte() -> Option<u8> {
    let status = read(CONTROL);
    if status & OUTPUT_FULL == 0 {
        return None;
    }
    let byte = read(DATA);
    (status & FROM_MOUSE == 0).then_some(byte)
}

#[expect(unsafe_code, reason = "reading a fixed port")]
fn read(port: u16) -> u8 {
    // SAFETY: only called with the controller's two ports; reading them touches no memory.
    unsafe { Port::new(port).read() }
}

#[expect(unsafe_code, reason = "writing a fixed port")]
fn write(port: u16, byte: u8) {
    // SAFETY: only called with the controller's two ports, and with bytes that neither reset the machine (0xfe) nor
    // touch its memory.
    unsafe { Port::new(port).write(byte) }
}
