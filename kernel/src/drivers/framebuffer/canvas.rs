//! Pixels: draws a character into the loader's framebuffer, whatever its format.
//!
//! Device memory is slow, and slowest to read, so nothing here reads it: a row of a character is put together on the
//! stack and stored in one go.
use bootloader_api::info::{FrameBufferInfo, PixelFormat};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use super::grid::{Cell, MAX_CELLS};

const GLYPH_HEIGHT: usize = RasterHeight::Size16.val();
const GLYPH_WIDTH: usize = get_raster_width(FontWeight::Regular, RasterHeight::Size16);

/// Bytes of a pixel at most.
const MAX_PIXEL: usize = 8;

/// How many times larger than in the font a character is drawn at most.
const MAX_SCALE: usize = 4;

/// Bytes that a row of a character takes at most.
const LINE: usize = GLYPH_WIDTH * MAX_SCALE * MAX_PIXEL;

/// Pixels that are cleared at a time.
const CLEARED: usize = 64;

/// Red, green, blue.
type Rgb = [u8; 3];

/// The bytes of a pixel in the framebuffer's format, then others.
type Pixel = [u8; MAX_PIXEL];

/// What a character is drawn with.
struct Ink {
    front: Rgb,
    back: Rgb,
    front_pixel: Pixel,
    back_pixel: Pixel,
}

const BACKGROUND: Rgb = [0x10, 0x12, 0x16];

/// The colours that a [`Colour`](super::grid::Colour) is an index of.
const PALETTE: [Rgb; 16] = [
    [0xd0, 0xd0, 0xd0],
    [0xff, 0x5f, 0x5f],
    [0x5f, 0xd7, 0x5f],
    [0xff, 0xd7, 0x5f],
    [0x5f, 0x9f, 0xff],
    [0xd7, 0x87, 0xff],
    [0x5f, 0xd7, 0xd7],
    [0xd0, 0xd0, 0xd0],
    [0x80, 0x80, 0x80],
    [0xff, 0x87, 0x87],
    [0x87, 0xff, 0x87],
    [0xff, 0xff, 0x87],
    [0x87, 0xbf, 0xff],
    [0xff, 0xaf, 0xff],
    [0x87, 0xff, 0xff],
    [0xff, 0xff, 0xff],
];

/// Whether the cursor stands on a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// Elsewhere.
    Off,
    /// Here: foreground and background change places.
    On,
}

/// The framebuffer, and how to draw into it.
pub(crate) struct Canvas<'p> {
    pixels: &'p mut [u8],
    info: FrameBufferInfo,
    scale: usize,
}

impl<'p> Canvas<'p> {
    /// A canvas on `pixels`; `None` where `info` describes nothing that text could be drawn on.
    pub(crate) fn new(pixels: &'p mut [u8], info: FrameBufferInfo) -> Option<Self> {
        let (columns, rows) = (info.width / GLYPH_WIDTH, info.height / GLYPH_HEIGHT);
        let scale = (1..=MAX_SCALE).find(|scale| columns / scale * (rows / scale) <= MAX_CELLS)?;
        let drawable = columns >= scale && rows >= scale && info.stride >= info.width;
        let canvas = Self {
            pixels,
            info,
            scale,
        };
        (drawable && (1..=MAX_PIXEL).contains(&info.bytes_per_pixel)).then_some(canvas)
    }

    /// Columns and rows of text that fit.
    pub(crate) fn size(&self) -> (usize, usize) {
        let columns = self.info.width / (GLYPH_WIDTH * self.scale);
        let rows = self.info.height / (GLYPH_HEIGHT * self.scale);
        (columns, rows)
    }

    /// Fills everything with the background.
    pub(crate) fn clear(&mut self) {
        let size = self.info.bytes_per_pixel;
        let pixel = self.encode(BACKGROUND);
        let mut run = [0; CLEARED * MAX_PIXEL];
        for index in 0..CLEARED {
            put(&mut run, index * size, pixel);
        }
        for target in self.pixels.chunks_mut(CLEARED * size) {
            target.copy_from_slice(&run[..target.len()]);
        }
    }

    /// Draws one cell.
    pub(crate) fn draw(&mut self, (column, row): (usize, usize), cell: Cell, cursor: Cursor) {
        let colour = PALETTE[usize::from(cell.colour.0) % PALETTE.len()];
        let ink = match cursor {
            Cursor::Off => self.ink(colour, BACKGROUND),
            Cursor::On => self.ink(BACKGROUND, colour),
        };
        let character = match cell.character {
            0 => ' ',
            character => char::from(character),
        };
        let glyph = get_raster(character, FontWeight::Regular, RasterHeight::Size16);
        let mut line = [0; LINE];
        for (y, intensities) in glyph.iter().flat_map(|glyph| glyph.rows()).enumerate() {
            let line = self.compose(&mut line, intensities, &ink);
            for repeat in 0..self.scale {
                let y = (row * GLYPH_HEIGHT + y) * self.scale + repeat;
                self.store(column * GLYPH_WIDTH * self.scale, y, line);
            }
        }
    }

    fn ink(&self, front: Rgb, back: Rgb) -> Ink {
        let (front_pixel, back_pixel) = (self.encode(front), self.encode(back));
        Ink {
            front,
            back,
            front_pixel,
            back_pixel,
        }
    }

    /// Puts the pixels of one row of a character together at the beginning of `line`, which is returned.
    fn compose<'a>(&self, line: &'a mut [u8; LINE], intensities: &[u8], ink: &Ink) -> &'a [u8] {
        let mut at = 0;
        for &intensity in intensities {
            let pixel = match intensity {
                0 => ink.back_pixel,
                u8::MAX => ink.front_pixel,
                _ => self.encode(blend(ink.front, ink.back, intensity)),
            };
            for _ in 0..self.scale {
                put(line, at, pixel);
                at += self.info.bytes_per_pixel;
            }
        }
        &line[..at]
    }

    fn store(&mut self, x: usize, y: usize, line: &[u8]) {
        let start = (y * self.info.stride + x) * self.info.bytes_per_pixel;
        // A framebuffer that is shorter than its own description loses the rest of the picture, nothing else.
        if let Some(target) = self.pixels.get_mut(start..start + line.len()) {
            target.copy_from_slice(line);
        }
    }

    fn encode(&self, [red, green, blue]: Rgb) -> Pixel {
        let at = |value: u8, position: u8| u64::from(value) << (position % 64);
        let bits = match self.info.pixel_format {
            PixelFormat::Rgb => at(red, 0) | at(green, 8) | at(blue, 16),
            PixelFormat::Bgr => at(blue, 0) | at(green, 8) | at(red, 16),
            PixelFormat::Unknown {
                red_position,
                green_position,
                blue_position,
            } => at(red, red_position) | at(green, green_position) | at(blue, blue_position),
            // One byte of grey, or a format that this loader does not know yet.
            _ => (u64::from(red) * 3 + u64::from(green) * 6 + u64::from(blue)) / 10,
        };
        bits.to_le_bytes()
    }
}

/// Writes all bytes that a pixel can have, which is one store; the next pixel overwrites those that are too many.
fn put(line: &mut [u8], at: usize, pixel: Pixel) {
    line[at..at + MAX_PIXEL].copy_from_slice(&pixel);
}

fn blend(front: Rgb, back: Rgb, intensity: u8) -> Rgb {
    let (front_part, back_part) = (u32::from(intensity), u32::from(u8::MAX - intensity));
    core::array::from_fn(|channel| {
        let sum = u32::from(front[channel]) * front_part + u32::from(back[channel]) * back_part;
        (sum / u32::from(u8::MAX)) as u8
    })
}
