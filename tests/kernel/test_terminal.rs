//! Standard input: keys become lines, frames become bytes, and nothing that arrived is lost.
use crate::terminal::{Extent, Input, Terminal};

/// Types `keys` and returns what is shown.
fn typed(terminal: &mut Terminal, keys: &str) -> String {
    let mut shown = Vec::new();
    for key in keys.bytes() {
        assert!(terminal.has_room());
        terminal.typed(key, |bytes| shown.extend_from_slice(bytes));
    }
    String::from_utf8(shown).expect("what is shown is text")
}

/// Reads at most `count` bytes; the `Err` is what there was instead.
fn read(terminal: &mut Terminal, count: usize, extent: Extent) -> Result<String, Input> {
    let mut buffer = vec![0; count];
    match terminal.read(&mut buffer, extent) {
        Input::Bytes(count) => Ok(String::from_utf8_lossy(&buffer[..count]).into()),
        other => Err(other),
    }
}

#[test]
fn a_line_is_not_read_before_enter() {
    let mut terminal = Terminal::new();
    assert_eq!(typed(&mut terminal, "abx\x7fc"), "abx\x08 \x08c");
    assert_eq!(read(&mut terminal, 9, Extent::Line), Err(Input::Empty));
    assert_eq!(typed(&mut terminal, "\r"), "\n");
    assert_eq!(read(&mut terminal, 9, Extent::Line), Ok("abc\n".into()));
}

#[test]
fn a_read_from_a_terminal_does_not_reach_into_the_next_line() {
    let mut terminal = Terminal::new();
    typed(&mut terminal, "one\ntwo\n");
    assert_eq!(read(&mut terminal, 2, Extent::Line), Ok("on".into()));
    assert_eq!(read(&mut terminal, 9, Extent::Line), Ok("e\n".into()));
    typed(&mut terminal, "three\n");
    assert_eq!(
        read(&mut terminal, 99, Extent::All),
        Ok("two\nthree\n".into())
    );
}

#[test]
fn control_d_ends_the_file_once_and_never_overtakes_a_line() {
    let mut terminal = Terminal::new();
    typed(&mut terminal, "line\n\x04");
    assert!(!terminal.has_room());
    assert_eq!(read(&mut terminal, 9, Extent::Line), Ok("line\n".into()));
    assert_eq!(read(&mut terminal, 9, Extent::Line), Err(Input::Eof));
    assert_eq!(read(&mut terminal, 9, Extent::Line), Err(Input::Empty));
    typed(&mut terminal, "half\x04");
    assert_eq!(read(&mut terminal, 9, Extent::Line), Ok("half".into()));
    assert_eq!(read(&mut terminal, 9, Extent::Line), Err(Input::Empty));
}

#[test]
fn erasing_takes_a_whole_character_and_not_the_prompt() {
    let mut terminal = Terminal::new();
    assert_eq!(typed(&mut terminal, "é\x7f\x7f"), "é\x08 \x08");
    assert_eq!(typed(&mut terminal, "\x01\x08"), "^A\x08\x08  \x08\x08");
    assert_eq!(typed(&mut terminal, "ab\x15"), "ab\x08 \x08\x08 \x08");
    typed(&mut terminal, "\n");
    assert_eq!(read(&mut terminal, 9, Extent::Line), Ok("\n".into()));
}

#[test]
fn framed_bytes_arrive_as_they_were_sent_and_the_end_stays() {
    let mut terminal = Terminal::new();
    for byte in [
        b'a', 0x10, 0x10, 0, 0x04, 0xff, 0x10, 0x10, 0x04, 0x10, 0x04,
    ] {
        assert!(terminal.has_room());
        terminal.framed(byte);
    }
    let mut buffer = [0; 16];
    assert_eq!(terminal.read(&mut buffer, Extent::All), Input::Bytes(7));
    assert_eq!(buffer[..7], [b'a', 0x10, 0, 0x04, 0xff, 0x10, 0x04]);
    for _ in 0..3 {
        assert_eq!(terminal.read(&mut buffer, Extent::All), Input::Eof);
    }
    assert!(!terminal.has_room());
}

/// A fast sender, a slow reader, lines longer than the edit buffer.
#[test]
fn no_key_is_lost_while_room_is_asked_for() {
    let mut terminal = Terminal::new();
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    let mut random = 1_u32;
    while received.len() < 50_000 {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        for _ in 0..(random >> 16) % 3000 {
            if !terminal.has_room() {
                break;
            }
            let is_end = sent.len() % 1500 > 700 && sent.len() % 37 == 0;
            let key = if is_end {
                b'\n'
            } else {
                b'a' + (sent.len() % 26) as u8
            };
            terminal.typed(key, |_| ());
            sent.push(key);
        }
        let extent = if random & 1 << 20 == 0 {
            Extent::All
        } else {
            Extent::Line
        };
        let mut buffer = [0; 997];
        if let Input::Bytes(count) = terminal.read(&mut buffer, extent) {
            received.extend_from_slice(&buffer[..count]);
        }
    }
    assert_eq!(received, sent[..received.len()]);
}

#[test]
fn what_a_reader_could_not_take_is_never_lost() {
    let mut terminal = Terminal::new();
    let mut sent = 0..;
    while terminal.has_room() {
        terminal.framed(sent.next().expect("endless") as u8 & 0xf);
    }
    let mut buffer = [0; 500];
    assert_eq!(terminal.read(&mut buffer, Extent::All), Input::Bytes(500));
    while terminal.has_room() {
        terminal.framed(sent.next().expect("endless") as u8 & 0xf);
    }
    terminal.unread(&buffer);
    assert!(!terminal.has_room());
    for expected in 0..sent.start {
        let mut byte = [0];
        assert_eq!(terminal.read(&mut byte, Extent::All), Input::Bytes(1));
        assert_eq!(byte[0], expected as u8 & 0xf, "byte {expected}");
    }
}
