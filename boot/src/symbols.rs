//! Puts names to the addresses of a kernel backtrace, from the ELF file that kept its symbols.

use std::path::{Path, PathBuf};

use addr2line::Loader;

use crate::cargo;

/// Where the loader is told to put the kernel: the ELF file counts from 0.
const KERNEL_BASE: u64 = 0xffff_ffff_8000_0000;

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

    /// The line of log with ` at function (file:line)` behind its address, if it is a line of a backtrace.
    pub(crate) fn explain(&mut self, line: &str) -> Option<String> {
        let address = backtrace_address(line)?;
        let place = self.place(address)?;
        Some(format!("{line} at {place}"))
    }

    /// A return address points behind the call, which may be the next line or function: look up the byte before it.
    fn place(&mut self, address: u64) -> Option<String> {
        let file = &self.file;
        let loader = self
            .loader
            .get_or_insert_with(|| Loader::new(file).ok())
            .as_ref()?;
        let probe = address.checked_sub(KERNEL_BASE)?.checked_sub(1)?;
        let mut frames = loader.find_frames(probe).ok()?;
        let innermost = frames.next().ok().flatten();
        let is_inlined = matches!(frames.next(), Ok(Some(_)));
        let short = innermost
            .as_ref()
            .and_then(|frame| frame.function.as_ref()?.demangle().ok());
        let function = match (short, loader.find_symbol(probe).map(demangled)) {
            (Some(short), Some(full)) if is_inlined => format!("{short} in {full}"),
            (_, Some(full)) => full,
            (short, None) => short?.into_owned(),
        };
        let location = innermost.and_then(|frame| frame.location);
        let place = location.and_then(|location| Some((location.file?, location.line?)));
        Some(match place {
            Some((file, line)) => format!("{function} ({}:{line})", below_root(file)),
            None => function,
        })
    }
}

fn demangled(symbol: &str) -> String {
    addr2line::demangle_auto(symbol.into(), None).into_owned()
}

fn below_root(file: &str) -> &str {
    let path = Path::new(file);
    path.strip_prefix(cargo::root())
        .ok()
        .and_then(Path::to_str)
        .unwrap_or(file)
}

/// The address of a line such as `faultline: backtrace: 0xffffffff80001234`, or of one that holds nothing else.
fn backtrace_address(line: &str) -> Option<u64> {
    let (before, word) = line
        .trim_end()
        .rsplit_once(' ')
        .unwrap_or(("", line.trim_end()));
    let belongs = before.trim().is_empty() || before.contains("backtrace");
    let digits = word.strip_prefix("0x").filter(|_| belongs)?;
    u64::from_str_radix(digits, 16)
        .ok()
        .filter(|address| *address >= KERNEL_BASE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_a_backtrace_are_touched() {
        assert_eq!(
            backtrace_address("faultline: backtrace: 0xffffffff80001234"),
            Some(0xffff_ffff_8000_1234)
        );
        assert_eq!(
            backtrace_address("  0xffffffff80001234"),
            Some(0xffff_ffff_8000_1234)
        );
        for line in [
            "faultline: kernel at 0xffffffff80000000",
            "faultline: backtrace: 0x1234",
            "",
            "0xzz",
        ] {
            assert_eq!(backtrace_address(line), None, "{line}");
        }
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
