//! What a build leaves: stripped executables to load (BIOS reads the disk slowly) and unstripped ones for whoever reads a
//! backtrace. A lock file keeps two runs of this tool from mixing their files, and every file is put in place by a rename.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::cargo::{self, Executable, Flavour, Package};
use crate::progress::Voice;

/// Whether to call cargo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Freshness {
    Build,
    AsLeft,
}

/// The files to make an image from. While it lives, no other run changes them.
#[derive(Debug)]
pub(crate) struct Artifacts {
    pub kernel: PathBuf,
    pub symbols: PathBuf,
    pub programs: Vec<Executable>,
    _lock: File,
}

/// Builds the kernel and the programs, or takes what the last build left.
pub(crate) fn prepare(flavour: Flavour, freshness: Freshness, voice: Voice) -> Result<Artifacts> {
    let folder = cargo::target_folder().join("boot");
    fs::create_dir_all(folder.join("bin"))
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let lock = lock(&folder, freshness, voice)?;
    let kernel = folder.join(flavour.name());
    let symbols = folder.join(format!("{}.symbols", flavour.name()));
    let bin = folder.join("bin");
    if freshness == Freshness::Build {
        build(flavour, &kernel, &symbols, &bin, voice)?;
    } else if !kernel.exists() {
        bail!("there is no build to use: run once without --no-build");
    }
    let programs = list(&bin)?;
    Ok(Artifacts {
        kernel,
        symbols,
        programs,
        _lock: lock,
    })
}

/// Builders exclude everyone, users of the last build only builders.
fn lock(folder: &Path, freshness: Freshness, voice: Voice) -> Result<File> {
    let path = folder.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    let locked = match freshness {
        Freshness::Build if file.try_lock().is_ok() => return Ok(file),
        Freshness::Build => {
            let _waiting = voice.step("waiting for another build to end");
            file.lock()
        }
        Freshness::AsLeft => file.lock_shared(),
    };
    locked.with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

fn build(flavour: Flavour, kernel: &Path, symbols: &Path, bin: &Path, voice: Voice) -> Result<()> {
    let built = cargo::build(Package::Kernel(flavour), voice)?;
    let programs = cargo::build(Package::Programs, voice)?;
    let [(_, elf)] = built.as_slice() else {
        bail!(
            "the package `kernel` must have exactly one executable, not {}",
            built.len()
        );
    };
    let objcopy = find_objcopy()?;
    copy(elf, symbols)?;
    strip(&objcopy, elf, kernel)?;
    for (name, elf) in &programs {
        strip(&objcopy, elf, &bin.join(name))?;
    }
    for (name, stale) in list(bin)? {
        if !programs.iter().any(|(kept, _)| *kept == name) {
            fs::remove_file(&stale)
                .with_context(|| format!("cannot remove {}", stale.display()))?;
        }
    }
    Ok(())
}

fn list(bin: &Path) -> Result<Vec<Executable>> {
    let entries = fs::read_dir(bin).with_context(|| format!("cannot read {}", bin.display()))?;
    let mut programs = Vec::new();
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot read {}", bin.display()))?
            .path();
        match path.file_name().and_then(|name| name.to_str()) {
            Some(name) if !name.contains('.') => programs.push((name.to_owned(), path)),
            _ => {}
        }
    }
    Ok(programs)
}

fn strip(objcopy: &Path, from: &Path, to: &Path) -> Result<()> {
    let fresh = to.with_extension("new");
    let output = Command::new(objcopy)
        .arg("--strip-all")
        .args([from, &fresh])
        .output()
        .with_context(|| format!("cannot start {}", objcopy.display()))?;
    if !output.status.success() {
        let report = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{} cannot strip {}: {}",
            objcopy.display(),
            from.display(),
            report.trim()
        );
    }
    fs::rename(&fresh, to).with_context(|| format!("cannot write {}", to.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let fresh = to.with_extension("new");
    fs::copy(from, &fresh)
        .and_then(|_| fs::rename(&fresh, to))
        .with_context(|| format!("cannot write {}", to.display()))
}

/// The toolchain's own objcopy: rustc ships one, and so do the llvm-tools and Debian's packages.
fn find_objcopy() -> Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc)
        .args(["--print", "sysroot"])
        .current_dir(cargo::root())
        .output()
        .context("cannot start rustc: install Rust from https://rustup.rs")?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let bin = sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu/bin");
    ["rust-objcopy", "llvm-objcopy", "objcopy"]
        .iter()
        .map(|name| bin.join(name))
        .find(|path| path.exists())
        .ok_or_else(|| {
            anyhow!(
                "there is no objcopy in {}: run boot/setup.sh",
                bin.display()
            )
        })
}
