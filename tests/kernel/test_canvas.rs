//! Pixels: every format that a loader hands over, and descriptions that make no sense.
use bootloader_api::info::{FrameBufferInfo, PixelFormat};

use crate::canvas::{Canvas, Cursor};
use crate::grid::{Cell, Colour, MAX_CELLS};

fn info(width: usize, height: usize, stride: usize, bytes_per_pixel: usize) -> FrameBufferInfo {
    FrameBufferInfo {
        byte_len: stride * height * bytes_per_pixel,
        width,
        height,
        pixel_format: PixelFormat::Rgb,
        bytes_per_pixel,
        stride,
    }
}

#[test]
fn a_description_without_sense_is_refused() {
    let odd = [
        info(0, 0, 0, 4),
        info(6, 480, 640, 4),
        info(640, 15, 640, 4),
        info(640, 480, 600, 4),
        info(640, 480, 640, 0),
        info(640, 480, 640, 9),
    ];
    for info in odd {
        assert!(Canvas::new(&mut [], info).is_none(), "{info:?}");
    }
}

#[test]
fn every_screen_gets_text_that_fits_the_cells() {
    for (width, height) in [
        (640, 480),
        (1280, 720),
        (1920, 1200),
        (2560, 1440),
        (3840, 2160),
        (7680, 4320),
    ] {
        let canvas = Canvas::new(&mut [], info(width, height, width, 4));
        let (columns, rows) = canvas.expect("an ordinary screen").size();
        assert!(columns * rows <= MAX_CELLS, "{width} by {height}");
        assert!(
            columns >= 80 && rows >= 25,
            "{width} by {height} shows {columns} by {rows}"
        );
    }
}

/// Red, green and blue of a pixel's bytes.
type Decode = fn(&[u8]) -> [u8; 3];

/// Draws an `M` in each format; colours come back as red, green, blue through the last column.
#[test]
fn no_format_swaps_colours_or_writes_beside_the_cell() {
    let unknown = PixelFormat::Unknown {
        red_position: 8,
        green_position: 16,
        blue_position: 24,
    };
    let formats: [(PixelFormat, usize, Decode); 4] = [
        (PixelFormat::Rgb, 3, |pixel| [pixel[0], pixel[1], pixel[2]]),
        (PixelFormat::Bgr, 4, |pixel| [pixel[2], pixel[1], pixel[0]]),
        (unknown, 4, |pixel| [pixel[1], pixel[2], pixel[3]]),
        (PixelFormat::U8, 1, |pixel| {
            [pixel[0], pixel[0] - 1, pixel[0] - 1]
        }),
    ];
    for (pixel_format, bytes_per_pixel, decode) in formats {
        let info = FrameBufferInfo {
            pixel_format,
            ..info(70, 48, 75, bytes_per_pixel)
        };
        let mut pixels = vec![0xee; info.byte_len];
        draw(&mut pixels, info);
        for (number, pixel) in pixels.chunks_exact(bytes_per_pixel).enumerate() {
            let (x, y) = (number % info.stride, number / info.stride);
            if (14..21).contains(&x) && (16..32).contains(&y) {
                let [red, green, blue] = decode(pixel);
                assert!(
                    red > green && green >= blue || red < 0x20,
                    "{pixel_format:?} {pixel:?}"
                );
            } else {
                assert!(
                    pixel.iter().all(|&byte| byte == 0xee),
                    "{pixel_format:?} at {x}, {y}"
                );
            }
        }
    }
}

/// A yellow `M` in the third column of the second row.
fn draw(pixels: &mut [u8], info: FrameBufferInfo) {
    let mut canvas = Canvas::new(pixels, info).expect("a screen");
    let cell = Cell {
        character: b'M',
        colour: Colour::YELLOW,
    };
    canvas.draw((2, 1), cell, Cursor::Off);
}
