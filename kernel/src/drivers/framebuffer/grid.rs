//! A screen of text as cells in memory: what should be seen, whatever draws it.
//!
//! Writing changes cells only, so that a program's output costs the same with and without a picture, and scrolling
//! moves the first row's index instead of a megabyte of pixels. Cells are atomics in a static of zeroes: they take no
//! room in the kernel's image and need no heap. There are more of them than the screen shows: a ring of rows, in which
//! those that scrolled away stay until the newest takes the place of the oldest.
//!
//! ```text
//! ring   . . o o o o S S S S . .        S: on the screen, from `first` on;  o: `old` rows that scrolled away
//! seen           v v v v                v: what is shown when somebody has gone `back` by two
//! ```
use core::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// Cells that a screen has at most.
pub(crate) const MAX_CELLS: usize = 288 * 80;

/// Columns from one tab stop to the next.
const TAB: usize = 8;

/// What stands for a character outside of ASCII.
const UNKNOWN: u8 = b'?';

/// The colours of text, as indices into a palette. The first eight are ANSI's, but that 0 is the usual foreground.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) u8);

impl Colour {
    /// The usual foreground.
    pub(crate) const NORMAL: Self = Self(0);
    /// For errors.
    pub(crate) const RED: Self = Self(1);
    /// For warnings.
    pub(crate) const YELLOW: Self = Self(3);
    /// For what is least important.
    pub(crate) const GREY: Self = Self(8);
}

/// A character and its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    /// A printable ASCII character, or 0 for none.
    pub(crate) character: u8,
    /// Its colour.
    pub(crate) colour: Colour,
}

impl Cell {
    /// The cell as a number, 0 for an empty one.
    pub(crate) fn to_bits(self) -> u16 {
        u16::from_le_bytes([self.character, self.colour.0])
    }

    /// The cell that a number stands for.
    pub(crate) fn from_bits(bits: u16) -> Self {
        let [character, colour] = bits.to_le_bytes();
        Self {
            character,
            colour: Colour(colour),
        }
    }
}

/// Where in the bytes of a terminal the next one stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// In plain text.
    Text,
    /// Behind ESC.
    Escape,
    /// Behind ESC and `[`, with the number read so far.
    Sequence(u8),
}

/// Text on its way to a screen of `columns` by `rows` cells.
pub(crate) struct Grid {
    cells: &'static [AtomicU16],
    columns: usize,
    rows: usize,
    /// The row in `cells` where the screen begins.
    first: usize,
    /// Rows before it that can be looked at again.
    old: usize,
    /// How many of them are looked at instead of as many of the newest.
    back: usize,
    column: usize,
    row: usize,
    colour: Colour,
    state: State,
}

impl Grid {
    /// An empty screen of the usual size of a terminal, in `cells`.
    pub(crate) const fn new(cells: &'static [AtomicU16]) -> Self {
        let (columns, rows) = (80, 25);
        Self {
            cells,
            columns,
            rows,
            first: 0,
            old: 0,
            back: 0,
            column: 0,
            row: 0,
            colour: Colour::NORMAL,
            state: State::Text,
        }
    }

    /// Columns and rows.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.columns, self.rows)
    }

    /// Gives the screen a size. Another one than before clears it.
    pub(crate) fn resize(&mut self, columns: usize, rows: usize) {
        assert!(
            columns * rows <= self.cells.len() && columns > 0 && rows > 0,
            "{columns} by {rows} cells"
        );
        if (columns, rows) != self.size() {
            (self.columns, self.rows) = (columns, rows);
            (self.old, self.back) = (0, 0);
            self.clear();
        }
    }

    /// What is to be seen in a place.
    pub(crate) fn cell(&self, column: usize, row: usize) -> Cell {
        let ring = self.ring();
        let index = (self.first + ring - self.back + row) % ring * self.columns + column;
        Cell::from_bits(self.cells[index].load(Relaxed))
    }

    /// Where the next character will stand, in places as [`Grid::cell`] has them; below the last row where it is out of
    /// sight. In the column past the last one, the next line is still to begin.
    pub(crate) fn cursor(&self) -> (usize, usize) {
        (self.column, self.row + self.back)
    }

    /// Looks back by half a screen, as far as there is something.
    pub(crate) fn look_back(&mut self) {
        self.back = (self.back + self.rows.div_ceil(2)).min(self.old);
    }

    /// The reverse of [`Grid::look_back`].
    pub(crate) fn look_ahead(&mut self) {
        self.back = self.back.saturating_sub(self.rows.div_ceil(2));
    }

    /// Looks at the newest again.
    pub(crate) fn look_here(&mut self) {
        self.back = 0;
    }

    /// Sets the colour of what is written from now on, and returns the one before.
    pub(crate) fn set_colour(&mut self, colour: Colour) -> Colour {
        core::mem::replace(&mut self.colour, colour)
    }

    /// Goes to the next line, unless the cursor is at the beginning of one. An unfinished escape sequence is dropped.
    pub(crate) fn begin_line(&mut self) {
        self.state = State::Text;
        if self.column > 0 {
            self.new_line();
        }
    }

    /// Writes text with its control characters, a byte at a time.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.state = match (self.state, byte) {
                (_, 0x1b) => State::Escape,
                (State::Text, _) => self.text(byte),
                (State::Escape, b'[') => State::Sequence(0),
                (State::Escape, _) => State::Text,
                (State::Sequence(number), _) => self.sequence(number, byte),
            };
        }
    }

    fn text(&mut self, byte: u8) -> State {
        match byte {
            b'\n' => self.new_line(),
            b'\r' => self.column = 0,
            b'\t' => self.column = (self.column / TAB + 1) * TAB,
            0x08 => self.column = self.column.min(self.columns).saturating_sub(1),
            b' '..=b'~' => self.put(byte),
            // The first byte of a character in UTF-8 stands for all of them.
            0xc0.. => self.put(UNKNOWN),
            _ => {}
        }
        State::Text
    }

    /// Reads on in an escape sequence. Numbers choose colours; whatever else there is has no effect here.
    fn sequence(&mut self, number: u8, byte: u8) -> State {
        match byte {
            b'0'..=b'9' => {
                return State::Sequence(number.saturating_mul(10).saturating_add(byte - b'0'));
            }
            b';' => self.render(number),
            b'm' => {
                self.render(number);
                return State::Text;
            }
            b'J' => {
                self.clear();
                return State::Text;
            }
            b'@'..=b'~' => return State::Text,
            _ => {}
        }
        State::Sequence(0)
    }

    /// Takes one number of "select graphic rendition".
    fn render(&mut self, number: u8) {
        self.colour = match number {
            0 | 39 => Colour::NORMAL,
            31..=37 => Colour(number - 30),
            90..=97 => Colour(number - 90 + 8),
            _ => self.colour,
        };
    }

    fn put(&mut self, character: u8) {
        if self.column >= self.columns {
            self.new_line();
        }
        let index = self.index(self.column, self.row);
        // A space looks the same in each colour, and like an empty cell: no need to draw one over the other.
        let cell = Cell {
            character,
            colour: self.colour,
        };
        let bits = if character == b' ' { 0 } else { cell.to_bits() };
        self.cells[index].store(bits, Relaxed);
        self.column += 1;
    }

    fn new_line(&mut self) {
        self.column = 0;
        if self.row + 1 < self.rows {
            self.row += 1;
        } else {
            self.first = (self.first + 1) % self.ring();
            self.old = (self.old + 1).min(self.ring() - self.rows);
            if self.back > 0 {
                // Who looks back goes on seeing the same, until it is gone.
                self.back = (self.back + 1).min(self.old);
            }
            self.clear_row(self.row);
        }
    }

    fn clear(&mut self) {
        (self.column, self.row) = (0, 0);
        for row in 0..self.rows {
            self.clear_row(row);
        }
    }

    fn clear_row(&mut self, row: usize) {
        let start = self.index(0, row);
        for cell in &self.cells[start..start + self.columns] {
            cell.store(0, Relaxed);
        }
    }

    /// Rows in the ring.
    fn ring(&self) -> usize {
        self.cells.len() / self.columns
    }

    fn index(&self, column: usize, row: usize) -> usize {
        (self.first + row) % self.ring() * self.columns + column
    }
}
