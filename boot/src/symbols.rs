//! Puts names to the addresses of a kernel backtrace, from the ELF file that kept its symbols.

use std::borrow::Cow;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use addr2line::Loader;

use crate::cargo;

/// Where the loader is told to put the kernel: the ELF file counts from 0.
pub(crate) const KERNEL_BASE: u64 = 0xffff_ffff_8000_0000;

/// The kernel's symbols, read when the first address asks for them.
pub(crate) struct Symbols {
    file: PathBuf,
    loader: Option<Option<Loader>>,
}

impl Symbols {
    pub(crate) fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            loader: None,
        }
    }

    /// The line of log with ` at function (file:line)` behind its address, if it is a line of a backtrace; below it, a line
    /// for each function that the compiler put that one's code into.
    pub(crate) fn explain(&mut self, line: &str) -> Option<String> {
        let address = code_address(line)?;
        let mut places = self.places(address)?.into_iter();
        let mut text = format!("{line} at {}", places.next()?);
        for place in places {
            let _ = write!(text, "\nfaultline:   inlined into {place}");
        }
        Some(text)
    }

    /// The functions whose code is at an offset into the kernel, innermost first.
    fn places(&mut self, offset: u64) -> Option<Vec<String>> {
        let file = &self.file;
        let loader = self
            .loader
            .get_or_insert_with(|| Loader::new(file).ok())
            .as_ref()?;
        let symbol = loader.find_symbol(offset).map(demangled);
        let mut frames = loader.find_frames(offset).ok()?;
        let mut places = Vec::new();
        while let Ok(Some(frame)) = frames.next() {
            let name = frame
                .function
                .as_ref()
                .and_then(|name| name.demangle().ok());
            let location = frame.location;
            let place = location.and_then(|location| Some((location.file?, location.line?)));
            places.push((name.map(Cow::into_owned), place));
        }
        // The outermost is a function of its own, whose symbol has the whole path where debug information has the name.
        match (places.last_mut(), symbol) {
            (Some(outermost), Some(symbol)) => outermost.0 = Some(symbol),
            (None, symbol) => places.push((Some(symbol?), None)),
            _ => {}
        }
        Some(
            places
                .into_iter()
                .map(|(name, place)| shown(name, place))
                .collect(),
        )
    }
}

fn shown(name: Option<String>, place: Option<(&str, u32)>) -> String {
    let name = name.unwrap_or_else(|| "?".to_owned());
    match place {
        Some((file, line)) => format!("{name} ({}:{line})", shortened(file)),
        None => name,
    }
}

fn demangled(symbol: &str) -> String {
    addr2line::demangle_auto(symbol.into(), None).into_owned()
}

/// The path as a person would name it: below the workspace, below Rust's own library, or from a crate's name on.
fn shortened(file: &str) -> &str {
    let ours = Path::new(file).strip_prefix(cargo::root()).ok();
    let foreign = || {
        let library = file.split_once("/library/").map(|(_, below)| below);
        let registry = || Some(file.split_once("/registry/src/")?.1.split_once('/')?.1);
        library.or_else(registry)
    };
    ours.and_then(Path::to_str).or_else(foreign).unwrap_or(file)
}

/// The offset into the kernel of the code that a line such as `faultline: instruction: 0xffffffff80001234` speaks of. One
/// of `backtrace:`, or a line with nothing but an address, speaks of what is behind a call, which may be another line or
/// function: the byte before it is meant.
fn code_address(line: &str) -> Option<u64> {
    let (before, word) = line
        .trim_end()
        .rsplit_once(' ')
        .unwrap_or(("", line.trim_end()));
    let back = match before {
        _ if before.ends_with("instruction:") => 0,
        _ if before.trim().is_empty() || before.ends_with("backtrace:") => 1,
        _ => return None,
    };
    let address = u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()?;
    address.checked_sub(KERNEL_BASE)?.checked_sub(back)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_a_backtrace_are_touched() {
        for (line, offset) in [
            ("faultline: backtrace: 0xffffffff80001234", 0x1233),
            ("faultline: error: instruction: 0xffffffff80001234", 0x1234),
            ("  0xffffffff80001234", 0x1233),
        ] {
            assert_eq!(code_address(line), Some(offset), "{line}");
        }
        for line in [
            "faultline: kernel at 0xffffffff80000000",
            "faultline: backtrace: 0x1234",
            "",
            "0xzz",
        ] {
            assert_eq!(code_address(line), None, "{line}");
        }
    }

    #[test]
    fn a_path_begins_where_a_person_would_begin_it() {
        for (file, short) in [
            (
                "/usr/lib/rustlib/src/rust/library/core/src/ptr/mod.rs",
                "core/src/ptr/mod.rs",
            ),
            (
                "/home/a/.cargo/registry/src/index-1/spin-0.12.3/src/once.rs",
                "spin-0.12.3/src/once.rs",
            ),
            ("/elsewhere/x.rs", "/elsewhere/x.rs"),
        ] {
            assert_eq!(shortened(file), short);
        }
        let ours = cargo::root().join("kernel/src/main.rs");
        assert_eq!(ours.to_str().map(shortened), Some("kernel/src/main.rs"));
    }

    #[test]
    fn an_address_in_this_very_program_finds_its_function() -> std::io::Result<()> {
        let program = std::env::current_exe()?;
        let mut symbols = Symbols::new(&program);
        let Ok(loader) = Loader::new(&program) else {
            return Ok(());
        };
        let symbol = (0..0x80_0000)
            .step_by(64)
            .find(|at| loader.find_symbol(*at).is_some());
        let Some(offset) = symbol else { return Ok(()) };
        let line = format!("faultline: backtrace: {:#x}", KERNEL_BASE + offset + 1);
        assert!(
            symbols
                .explain(&line)
                .is_some_and(|text| text.starts_with(&line) && text.contains(" at "))
        );
        Ok(())
    }

    #[test]
    fn without_symbols_the_line_stays_as_it_is() {
        assert_eq!(
            Symbols::new(Path::new("/no/such/file")).explain("0xffffffff80001234"),
            None
        );
    }
}
