//! Pictures of the framebuffer: QEMU writes PPM, people want PNG.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};

/// Refuses a place where no picture can be written, before anyone has waited for it.
pub(crate) fn check(to: &Path) -> Result<()> {
    ensure!(
        parent(to).is_dir(),
        "there is no folder for the picture {}",
        to.display()
    );
    Ok(())
}

/// Turns QEMU's PPM file into what the target's name asks for: a copy, or a PNG.
pub(crate) fn convert(ppm: &Path, to: &Path) -> Result<()> {
    let bytes = fs::read(ppm).context("QEMU's picture of the screen is gone")?;
    let fresh = tempfile::NamedTempFile::new_in(parent(to))
        .with_context(|| format!("cannot write {}", to.display()))?;
    if to.extension().is_some_and(|extension| extension == "ppm") {
        fs::write(fresh.path(), &bytes)?;
    } else {
        let picture = Picture::parse(&bytes)
            .ok_or_else(|| anyhow!("QEMU's picture of the screen is no PPM file"))?;
        picture.write_png(fresh.path())?;
    }
    fs::set_permissions(
        fresh.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o644),
    )?;
    fresh
        .persist(to)
        .with_context(|| format!("cannot write {}", to.display()))?;
    Ok(())
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// A picture of eight-bit red, green and blue.
struct Picture<'a> {
    width: u32,
    height: u32,
    pixels: &'a [u8],
}

impl<'a> Picture<'a> {
    /// Reads a binary PPM: `P6 width height 255`, one white space, pixels.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut word = || {
            rest = rest.trim_ascii_start();
            let (word, behind) =
                rest.split_at_checked(rest.iter().position(u8::is_ascii_whitespace)?)?;
            rest = behind;
            std::str::from_utf8(word).ok()
        };
        let magic = word()?;
        let (width, height) = (word()?.parse().ok()?, word()?.parse().ok()?);
        let depth = word()?;
        let pixels = rest.get(1..)?;
        let whole = pixels.len() as u64 == 3 * u64::from(width) * u64::from(height);
        (magic == "P6" && depth == "255" && whole).then_some(Self {
            width,
            height,
            pixels,
        })
    }

    fn write_png(&self, to: &Path) -> Result<()> {
        let mut encoder =
            png::Encoder::new(BufWriter::new(File::create(to)?), self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(self.pixels)?;
        writer.finish()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ppm_is_read_and_a_torn_one_is_not() {
        let picture = Picture::parse(b"P6\n2 1\n255\nabcdef").expect("it is well formed");
        assert_eq!(
            (picture.width, picture.height, picture.pixels),
            (2, 1, &b"abcdef"[..])
        );
        assert!(Picture::parse(b"P6\n2 1\n255\nabcde").is_none());
        assert!(Picture::parse(b"P5\n2 1\n255\nabcdef").is_none());
    }
}
