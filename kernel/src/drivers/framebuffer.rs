//! The screen: a terminal in text on the loader's framebuffer, without heap and there from the first line on.
//!
//! Writing and drawing are two things. Writers change cells in memory, which is fast and never waits for a device;
//! the timer's tick draws the cells that differ from what is seen, so many at a time, and a program that prints
//! megabytes pays for none of the lines that nobody could have read. Until the tick runs, and in a panic, each line of
//! the log is drawn at once. What scrolled away can be looked at again, as far as there are cells. Without a framebuffer
//! all of this works on cells that nobody sees.
mod canvas;
mod grid;

use core::sync::atomic::{AtomicU16, Ordering::Relaxed};

use bootloader_api::info::FrameBufferInfo;

use self::canvas::{Canvas, Cursor};
use self::grid::{Cell, Grid, MAX_CELLS};
use crate::lock::{IrqLock, Rank};

pub(crate) use self::grid::Colour;

/// Cells that one tick of the timer draws at most: 0.15 ms in an emulator, and a screen of text in 20 ticks.
const CELLS_PER_TICK: usize = 128;

/// In a number that stands for a cell: the cursor is on it.
const CURSOR: u16 = 1 << 15;

/// Cells of the screen and of what scrolled away: 409 rows of 160 columns, in 128 KiB.
const KEPT_CELLS: usize = 1 << 16;

const _: () = assert!(KEPT_CELLS >= MAX_CELLS);

/// What should be seen, in the order of [`Grid`].
static WANTED: [AtomicU16; KEPT_CELLS] = [const { AtomicU16::new(0) }; KEPT_CELLS];

/// What is seen, row by row.
static SHOWN: [AtomicU16; MAX_CELLS] = [const { AtomicU16::new(0) }; MAX_CELLS];

static SCREEN: IrqLock<Screen> = IrqLock::new(Rank::Screen, Screen::new());

/// When what was written is drawn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drawing {
    /// With each line of the log.
    AtOnce,
    /// By the timer's tick.
    Ticking,
}

struct Screen {
    grid: Grid,
    canvas: Option<Canvas<'static>>,
    drawing: Drawing,
    /// Whether cells may differ from what is seen.
    behind: bool,
    /// The place where drawing goes on.
    next: usize,
}

impl Screen {
    const fn new() -> Self {
        Self {
            grid: Grid::new(&WANTED),
            canvas: None,
            drawing: Drawing::AtOnce,
            behind: false,
            next: 0,
        }
    }

    fn attach(&mut self, mut canvas: Canvas<'static>) {
        let (columns, rows) = canvas.size();
        self.grid.resize(columns, rows);
        canvas.clear();
        SHOWN.iter().for_each(|cell| cell.store(0, Relaxed));
        (self.canvas, self.next, self.behind) = (Some(canvas), 0, true);
    }

    fn write(&mut self, bytes: &[u8]) {
        self.grid.write(bytes);
        self.behind = true;
    }

    /// Draws at most `budget` cells that differ from what is seen, from where the last call stopped.
    fn refresh(&mut self, mut budget: usize) {
        let Some(canvas) = self.canvas.as_mut().filter(|_| self.behind) else {
            return;
        };
        let (columns, rows) = self.grid.size();
        for _ in 0..columns * rows {
            let place = (self.next % columns, self.next / columns);
            let wanted = bits(&self.grid, place);
            if SHOWN[self.next].load(Relaxed) != wanted {
                let Some(left) = budget.checked_sub(1) else {
                    return;
                };
                budget = left;
                let cursor = if wanted & CURSOR == 0 {
                    Cursor::Off
                } else {
                    Cursor::On
                };
                canvas.draw(place, Cell::from_bits(wanted & !CURSOR), cursor);
                SHOWN[self.next].store(wanted, Relaxed);
            }
            self.next = (self.next + 1) % (columns * rows);
        }
        self.behind = false;
    }
}

/// What should be seen in a place, as a number.
fn bits(grid: &Grid, place: (usize, usize)) -> u16 {
    let cursor = if grid.cursor() == place { CURSOR } else { 0 };
    grid.cell(place.0, place.1).to_bits() | cursor
}

/// Draws on `pixels` from now on, beginning with all that was written before. A framebuffer that makes no sense is
/// left alone.
pub(crate) fn attach(pixels: &'static mut [u8], info: FrameBufferInfo) {
    let Some(canvas) = Canvas::new(pixels, info) else {
        return;
    };
    let mut screen = SCREEN.lock();
    screen.attach(canvas);
    screen.refresh(usize::MAX);
}

/// Lets go of the pixels: their mapping is about to end. What is written meanwhile appears with the next [`attach`].
pub(crate) fn detach() {
    SCREEN.lock().canvas = None;
}

/// Writes what a program printed.
pub(crate) fn write(bytes: &[u8]) {
    SCREEN.lock().write(bytes);
}

/// Begins a line of the log below what a program may have left unfinished.
pub(crate) fn begin_log() {
    SCREEN.lock().grid.begin_line();
}

/// Writes a part of the log in `colour`.
pub(crate) fn write_log(bytes: &[u8], colour: Colour) {
    log_to(&mut SCREEN.lock(), bytes, colour);
}

/// The same in a panic: whoever has the lock may never give it back, and then the screen stays as it is.
pub(crate) fn write_panic(bytes: &[u8]) {
    if let Some(mut screen) = SCREEN.try_lock() {
        screen.drawing = Drawing::AtOnce;
        screen.grid.look_here();
        log_to(&mut screen, bytes, Colour::RED);
    }
}

fn log_to(screen: &mut Screen, bytes: &[u8], colour: Colour) {
    let before = screen.grid.set_colour(colour);
    screen.write(bytes);
    screen.grid.set_colour(before);
    if screen.drawing == Drawing::AtOnce && bytes.ends_with(b"\n") {
        screen.refresh(usize::MAX);
    }
}

/// Where somebody at the keyboard wants to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// At what scrolled away.
    Back,
    /// Towards the newest.
    Ahead,
    /// At the newest.
    Here,
}

/// Shows what scrolled away, or the newest again. Also works for whoever is left after a panic.
pub(crate) fn look(where_to: Look) {
    let Some(mut screen) = SCREEN.try_lock() else {
        return;
    };
    match where_to {
        Look::Back => screen.grid.look_back(),
        Look::Ahead => screen.grid.look_ahead(),
        Look::Here => screen.grid.look_here(),
    }
    screen.behind = true;
}

/// Draws all that has changed: the machine is about to end.
pub(crate) fn finish() {
    if let Some(mut screen) = SCREEN.try_lock() {
        screen.refresh(usize::MAX);
    }
}

/// Draws a little of what has changed. For the timer's tick.
pub(crate) fn refresh() {
    let mut screen = SCREEN.lock();
    screen.drawing = Drawing::Ticking;
    screen.refresh(CELLS_PER_TICK);
}
