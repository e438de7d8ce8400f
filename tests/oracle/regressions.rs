//! Programs on which the kernel once differed from Linux: shrunk, kept, and run in one boot with every test.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use test_programs::transcript;

use crate::batch::{Detail, Kernel, compare};
use crate::program::Program;

/// The files, in the order of their names.
fn files() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let entries =
        fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// Every one of them is the same on both sides, even under all assertions.
pub(crate) fn all_agree() -> Result<()> {
    let files = files()?;
    let parse = |path: &PathBuf| {
        let text = fs::read_to_string(path)?;
        Program::parse(&text).with_context(|| format!("in {}", path.display()))
    };
    let programs = files.iter().map(parse).collect::<Result<Vec<_>>>()?;
    let outcome = compare(&programs, Detail::Full, Kernel::Checked)?;
    let Some(first) = outcome.differences().first().copied() else {
        return outcome.trouble.map_or(Ok(()), |trouble| {
            bail!("the machine ended badly\n{trouble}")
        });
    };
    let difference = transcript::difference(first.linux.as_bytes(), first.kernel.as_bytes());
    bail!(
        "{}:\n{}{}{}",
        files[first.index].display(),
        programs[first.index],
        difference.unwrap_or_default(),
        outcome.trouble.unwrap_or_default()
    )
}
