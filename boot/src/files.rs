//! The files of one run, in a folder that goes when the run ends: nothing of it is shared with another run.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::path::{self, Path, PathBuf};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::artifacts::Artifacts;
use crate::cli::MachineArgs;
use crate::image;
use crate::initramfs::Tree;
use crate::ovmf::{self, Ovmf};
use crate::qemu::{self, Disk};

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
        let length = |path: &Path| fs::metadata(path).map(|found| found.len());
        qemu::check_room(machine, length(&artifacts.kernel)?, length(&initramfs)?)?;
        image::write(&artifacts.kernel, &initramfs, files.disk.path())?;
        fs::copy(&artifacts.symbols, &files.symbols).context("cannot copy the kernel's symbols")?;
        Ok(files)
    }

    /// A stick, or the image of one, as it is. Whose build it holds nobody knows, so there are no symbols.
    pub(crate) fn with_stick(machine: &MachineArgs, stick: &Path) -> Result<Self> {
        check_stick(stick)?;
        // A name with a colon in front would mean a protocol to QEMU.
        let stick = path::absolute(stick).context("there is no current folder")?;
        Self::new(machine, |_| Disk::Stick(stick))
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

/// Firmware that finds nothing to boot waits for ever, and says so only on the screen.
fn check_stick(stick: &Path) -> Result<()> {
    const SIGNATURE: [u8; 2] = [0x55, 0xaa];
    const AT: u64 = 510;
    let shown = stick.display();
    let found = fs::metadata(stick)
        .with_context(|| format!("cannot find {shown}: write a stick with the subcommand flash"))?;
    let kind = found.file_type();
    ensure!(
        kind.is_file() || kind.is_block_device(),
        "{shown} is neither a disk nor a file: name a stick, or the image of one"
    );
    let file = File::open(stick).with_context(|| format!("cannot read {shown}"))?;
    let mut last = [0; SIGNATURE.len()];
    let read = file.read_exact_at(&mut last, AT);
    ensure!(
        read.is_ok() && last == SIGNATURE,
        "{shown} does not boot, for it has no boot sector: write it with the subcommand flash"
    );
    Ok(())
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
