//! `flash`: writes the image to a USB stick, for machines that QEMU does not play. It can destroy what a person holds
//! dear, so it asks first, refuses in doubt, and never leaves half an image that looks like a whole one.

mod disk;
#[cfg(test)]
mod tests;
mod usage;
mod write;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, BufRead, IsTerminal};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::fs::{OFlags, major, minor};
use rustix::io::Errno;
use tempfile::{NamedTempFile, TempDir};

use self::disk::{Disk, Number, size};
use self::write::{End, Medium, Reader};
use crate::artifacts::Artifacts;
use crate::cli::{FlashArgs, Payload};
use crate::image;
use crate::initramfs::Tree;
use crate::interrupts::Interrupts;
use crate::outcome::Outcome;
use crate::progress::Voice;
use crate::run;
use crate::say;

/// What to write to.
#[derive(Debug, PartialEq, Eq)]
enum Target {
    Disk(Disk),
    /// A file that is there already, and its length.
    File(u64),
    NewFile,
}

/// Who would read a question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Audience {
    Person,
    Nobody,
}

impl Audience {
    fn find() -> Self {
        if io::stdin().is_terminal() {
            Self::Person
        } else {
            Self::Nobody
        }
    }
}

/// Builds the image and writes it to what the user named.
pub(crate) fn flash(args: &FlashArgs) -> Result<Outcome> {
    let path = args.device.as_path();
    let target = Target::find(Path::new("/"), path)?;
    let consent = args.yes_erase.as_deref();
    target.check_consent(path, consent, Audience::find())?;
    let (artifacts, tree) = run::gather(&args.payload, Voice::Normal)?;
    if consent.is_none() && !target.ask(path, io::stdin().lock())? {
        bail!("that was not its name, so nothing was written");
    }
    let mut interrupts = Interrupts::watch()?;
    let image = make_image(&artifacts, &tree, &args.payload)?;
    let end = match &target {
        Target::Disk(disk) => to_disk(&image, path, disk, &mut interrupts)?,
        Target::File(_) | Target::NewFile => to_file(&image, path, &mut interrupts)?,
    };
    Ok(match end {
        End::Verified => {
            say::line(format_args!(
                "boot: {} boots on BIOS and on UEFI machines",
                path.display()
            ));
            Outcome::Program(0)
        }
        End::Interrupted(signal) => Outcome::Interrupted(signal),
    })
}

/// The image, as a file without a name.
fn make_image(artifacts: &Artifacts, tree: &Tree, payload: &Payload) -> Result<File> {
    let folder = TempDir::with_prefix("faultline-").context("cannot create a temporary folder")?;
    let (initramfs, image) = (folder.path().join("initramfs"), folder.path().join("disk"));
    tree.write(&initramfs, &run::command_line(&[], payload))?;
    image::write(&artifacts.kernel, &initramfs, &image)?;
    File::open(image).context("the image is gone")
}

impl Target {
    /// What the path leads to, or one sentence why that must not be written to.
    fn find(root: &Path, path: &Path) -> Result<Self> {
        let shown = path.display();
        let found = match fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                ensure!(
                    !path.starts_with("/dev"),
                    "there is no {shown}: is it plugged in? lsblk lists the disks"
                );
                ensure!(
                    folder_of(path).is_dir() && !path.as_os_str().as_bytes().ends_with(b"/"),
                    "there is no folder for {shown}: make it, or name another file"
                );
                return Ok(Self::NewFile);
            }
            Err(error) => return Err(error).with_context(|| format!("cannot look at {shown}")),
        };
        let kind = found.file_type();
        if kind.is_symlink() {
            match fs::canonicalize(path) {
                Ok(to) => bail!(
                    "{shown} is a symbolic link: name what it leads to, {}",
                    to.display()
                ),
                Err(_) => bail!("{shown} is a symbolic link that leads nowhere: remove it"),
            }
        }
        if kind.is_block_device() {
            return Ok(Self::Disk(disk::find(root, number(&found), path)?));
        }
        ensure!(
            kind.is_file(),
            "{shown} is neither a disk nor a file: name a stick, such as /dev/sdb, or a file"
        );
        Ok(Self::File(found.len()))
    }

    /// Refuses early where nobody could say yes, or somebody said it to something else.
    fn check_consent(&self, path: &Path, given: Option<&OsStr>, audience: Audience) -> Result<()> {
        let (shown, name) = (path.display(), name(path));
        match given {
            _ if *self == Self::NewFile => Ok(()),
            Some(given) if given == name || given == path => Ok(()),
            Some(given) => bail!(
                "--yes-erase says {}, but what would be erased is {shown}: nothing was written",
                given.display()
            ),
            None if audience == Audience::Person => Ok(()),
            None => bail!(
                "{shown} would be erased and there is no terminal to ask: add --yes-erase {}",
                name.display()
            ),
        }
    }

    /// Says what will be lost, and whether its name was typed.
    fn ask(&self, path: &Path, mut answers: impl BufRead) -> Result<bool> {
        let what = match self {
            Self::NewFile => return Ok(true),
            Self::File(length) => format!("a file of {}", size(*length)),
            Self::Disk(disk) => disk.to_string(),
        };
        let name = name(path);
        say::line(format_args!("boot: {} is {what}.", path.display()));
        say::words(format_args!(
            "boot: Everything on it will be lost. Type {} to go on: ",
            name.display()
        ));
        let mut answer = String::new();
        answers
            .read_line(&mut answer)
            .context("cannot read the answer")?;
        Ok(answer.trim() == name || answer.trim() == path)
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    folder.unwrap_or(Path::new("."))
}

fn name(path: &Path) -> &OsStr {
    path.file_name().unwrap_or(path.as_os_str())
}

fn number(of: &Metadata) -> Number {
    Number(major(of.rdev()), minor(of.rdev()))
}

/// Opened for us alone: the kernel refuses that where a file system or anything else has the disk.
fn to_disk(image: &File, path: &Path, disk: &Disk, interrupts: &mut Interrupts) -> Result<End> {
    let shown = path.display();
    disk.check_room(path, image.metadata()?.len())?;
    let flags = (OFlags::EXCL | OFlags::NOFOLLOW).bits() as i32;
    let opened = File::options()
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(path);
    let file = opened.map_err(|error| explain(&error, path))?;
    ensure!(
        disk::find(Path::new("/"), number(&file.metadata()?), path)? == *disk,
        "{shown} is not what it was a moment ago: nothing was written; try again"
    );
    let medium = Medium {
        file: &file,
        path,
        shown: path,
        bytes: Some(disk.bytes),
    };
    let reader = Reader::open(&medium)?;
    let incomplete = format!("{shown} is incomplete and does not boot: flash it again");
    let end = transfer(image, &medium, &reader, interrupts).with_context(|| incomplete.clone())?;
    if end != End::Verified {
        say::line(format_args!("boot: {incomplete}"));
    }
    Ok(end)
}

fn explain(error: &io::Error, path: &Path) -> anyhow::Error {
    let shown = path.display();
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::ACCESS | Errno::PERM) => {
            let boot = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("boot"));
            let line = with_rights(&boot, std::env::args_os().skip(2));
            anyhow!("you may not write to {shown}: run {line}")
        }
        Some(Errno::BUSY) => anyhow!("{shown} is in use by something: unmount it, then try again"),
        Some(Errno::ROFS) => anyhow!("{shown} is write-protected: take another"),
        Some(Errno::NOMEDIUM) => anyhow!("there is no medium in {shown}: put one in"),
        _ => anyhow!("cannot open {shown}: {error}"),
    }
}

/// The line for a shell that flashes with the same words again, with the rights of a user who should not build anything.
fn with_rights(boot: &Path, words: impl Iterator<Item = OsString>) -> String {
    let line = [
        "sudo".into(),
        boot.into(),
        "flash".into(),
        "--no-build".into(),
    ];
    let quoted = line.into_iter().chain(words).map(|word| quoted(&word));
    quoted.collect::<Vec<_>>().join(" ")
}

/// A word as a shell takes it for one.
fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_=.,:+".contains(c);
    match text.is_empty() || !text.chars().all(is_plain) {
        true => format!("'{}'", text.replace('\'', "'\\''")),
        false => text.into_owned(),
    }
}

/// A file appears, or is replaced, whole: what was there before stays until the new one has been compared.
fn to_file(image: &File, path: &Path, interrupts: &mut Interrupts) -> Result<End> {
    let fresh = NamedTempFile::with_prefix_in(".faultline-", folder_of(path))
        .with_context(|| format!("cannot write {}", path.display()))?;
    let medium = Medium {
        file: fresh.as_file(),
        path: fresh.path(),
        shown: path,
        bytes: None,
    };
    let reader = Reader::open(&medium)?;
    let end = transfer(image, &medium, &reader, interrupts)?;
    if end == End::Verified {
        let readable = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(fresh.path(), readable)?;
        fresh
            .persist(path)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(end)
}

/// Writes and compares, in the view of whoever waits for it, who may break it off.
fn transfer(
    image: &File,
    medium: &Medium,
    reader: &Reader,
    interrupts: &mut Interrupts,
) -> Result<End> {
    let interrupted = || interrupts.pending();
    write::write(image, medium, reader, interrupted, Voice::Normal)
}
