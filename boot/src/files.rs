//! The files of one run, in a folder that goes when the run ends: nothing of it is shared with another run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::artifacts::Artifacts;
use crate::cli::MachineArgs;
use crate::image;
use crate::initramfs::Tree;
use crate::ovmf::{self, Ovmf};
use crate::qemu::Disk;

/// What a machine is made of.
pub(crate) struct Files {
    pub(crate) folder: TempDir,
    pub(crate) disk: Disk,
    pub(crate) symbols: PathBuf,
    pub(crate) firmware: Option<Ovmf>,
}

impl Files {
    /// A disk of this run's own, and the kernel's symbols as they are now.
    pub(crate) fn with_disk(
        machine: &MachineArgs,
        artifacts: &Artifacts,
        tree: &Tree,
        command_line: &[u8],
    ) -> Result<Self> {
        let files = Self::new(machine, |path| Disk::Built(path.join("disk.img")))?;
        let initramfs = files.folder.path().join("initramfs");
        tree.write(&initramfs, command_line)?;
        image::write(&artifacts.kernel, &initramfs, files.disk.path())?;
        fs::copy(&artifacts.symbols, &files.symbols).context("cannot copy the kernel's symbols")?;
        Ok(files)
    }

    /// A stick, or the image of one, as it is. Whose build it holds nobody knows, so there are no symbols.
    pub(crate) fn with_stick(machine: &MachineArgs, stick: &Path) -> Result<Self> {
        ensure!(
            stick.exists(),
            "there is no {}: write one with the subcommand flash",
            stick.display()
        );
        Self::new(machine, |_| Disk::Stick(stick.to_owned()))
    }

    fn new(machine: &MachineArgs, disk: impl FnOnce(&Path) -> Disk) -> Result<Self> {
        let folder =
            TempDir::with_prefix("faultline-").context("cannot create a temporary folder")?;
        let firmware = match machine.uefi {
            true => Some(own_variables(
                ovmf::find()?,
                &folder.path().join("variables.fd"),
            )?),
            false => None,
        };
        Ok(Self {
            disk: disk(folder.path()),
            symbols: folder.path().join("symbols"),
            folder,
            firmware,
        })
    }
}

fn own_variables(firmware: Ovmf, copy: &Path) -> Result<Ovmf> {
    let Ovmf::Split { code, variables } = firmware else {
        return Ok(firmware);
    };
    fs::copy(&variables, copy).with_context(|| format!("cannot copy {}", variables.display()))?;
    Ok(Ovmf::Split {
        code,
        variables: copy.to_owned(),
    })
}
