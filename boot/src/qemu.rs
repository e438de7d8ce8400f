//! The machine, as a QEMU command line. A pure function from what was asked to words, so that it can be tested without
//! QEMU. TCG always: a nested KVM may exist and yet hang the guest.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use crate::cli::{Board, Device, DiskBus, MachineArgs, Sectors, Video};
use crate::ovmf::Ovmf;
use crate::wires::Numbers;

/// The program that plays the machine.
pub(crate) const QEMU: &str = "qemu-system-x86_64";

/// How the kernel ends the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Through isa-debug-exit: QEMU is gone the moment that the kernel says so.
    ByKernel,
    /// Not at all: it says that it ends, and waits for us.
    ByUs,
}

/// What the machine boots from.
#[derive(Debug)]
pub(crate) enum Disk {
    Built(PathBuf),
    /// A USB stick, which belongs to somebody: the machine may only read it.
    Stick(PathBuf),
}

impl Disk {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Built(path) | Self::Stick(path) => path,
        }
    }
}

/// Refuses what QEMU would refuse later, or what would hang without a word.
pub(crate) fn check(machine: &MachineArgs) -> Result<()> {
    const UEFI_NEEDS: u64 = 56;
    if machine.icount && machine.cpus > 1 {
        bail!("--icount counts the instructions of one processor: leave --cpus away");
    }
    if !machine.uefi && matches!(machine.video, Video::Bochs | Video::Ramfb | Video::None) {
        bail!(
            "BIOS machines need a VGA card, for the loader draws on it: add --uefi, or take another --video"
        );
    }
    if machine.uefi && machine.memory.0 < UEFI_NEEDS {
        bail!("UEFI firmware alone fills so little memory: give --memory {UEFI_NEEDS}M or more");
    }
    Ok(())
}

/// Refuses a BIOS machine that kernel and archive alone overfill: reading past its end, the loader stops with a word that
/// is on the screen alone. Whatever it finds later to be too small it says on the log's port, and so does the kernel.
pub(crate) fn check_room(machine: &MachineArgs, kernel: u64, archive: u64) -> Result<()> {
    const MEBIBYTE: u64 = 1 << 20;
    // Where the loader puts the kernel, with the archive behind it; then come its tables, the kernel's data and stack.
    const START: u64 = 16 * MEBIBYTE;
    const LOADER_NEEDS: u64 = 2 * MEBIBYTE;
    let needed = (START + kernel + archive + LOADER_NEEDS).div_ceil(MEBIBYTE);
    ensure!(
        machine.uefi || machine.memory.0 >= needed,
        "kernel and programs fill so little memory: give --memory {needed}M or more, or add less"
    );
    Ok(())
}

/// What the machine may do with a disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// The words that follow `qemu-system-x86_64`.
pub(crate) fn arguments(
    machine: &MachineArgs,
    firmware: Option<&Ovmf>,
    disk: &Disk,
    wires: Numbers,
    ending: Ending,
) -> Vec<OsString> {
    let board = match machine.machine {
        Board::Pc => "pc",
        Board::Q35 => "q35",
    };
    let mut words = Words::default();
    let has = |device| !machine.without.contains(&device);
    words.add("-nodefaults -no-reboot -no-user-config");
    // Halted until QEMU has been asked about its processor, and its events are listened to.
    words.add("-S");
    words.video(machine.video);
    let on_board = [(Device::Keyboard, ",i8042=off"), (Device::Pit, ",pit=off")];
    let missing = on_board.iter().filter(|(device, _)| !has(*device));
    let missing: String = missing.map(|(_, word)| *word).collect();
    words.pair("-machine", format!("{board},accel=tcg{missing}"));
    words.pair("-cpu", &machine.cpu);
    words.pair("-smp", machine.cpus.to_string());
    words.pair("-m", format!("{}M", machine.memory.0));
    words.pair("-display", &machine.display);
    match disk {
        Disk::Built(file) => words.disk(machine.machine, file),
        Disk::Stick(file) => words.stick(file),
    }
    let read = machine.disk.iter().map(|file| (file, Access::Read));
    let written = machine.disk_write.iter().map(|file| (file, Access::Write));
    for (index, (file, access)) in read.chain(written).enumerate() {
        words.further_disk(index, file, access, machine);
    }
    words.firmware(firmware);
    words.wires(wires);
    if let Some(socket) = &machine.monitor {
        let mut server = with_file("unix:", socket);
        server.push(",server=on,wait=off");
        words.pair("-qmp", server);
    }
    if has(Device::Serial) {
        words
            .add("-device isa-serial,index=0,chardev=log -device isa-serial,index=2,chardev=stdio");
    }
    words.ending(ending, wires.ending);
    if machine.gdb {
        words.add("-s");
    }
    if machine.icount {
        words.pair("-icount", "shift=0,sleep=off");
        // The battery clock would go by the workstation's time.
        words.pair("-rtc", "clock=vm");
    }
    words.0
}

/// An option's value that ends with a file's name, in which a comma is written twice; names need not be UTF-8.
pub(crate) fn with_file(before: &str, file: &Path) -> OsString {
    let name = file.as_os_str().as_bytes();
    let doubled = name.iter().flat_map(|&byte| {
        let times = if byte == b',' { 2 } else { 1 };
        std::iter::repeat_n(byte, times)
    });
    OsString::from_vec(before.bytes().chain(doubled).collect())
}

#[derive(Default)]
struct Words(Vec<OsString>);

impl Words {
    fn add(&mut self, words: &str) {
        self.0.extend(words.split(' ').map(OsString::from));
    }

    fn pair(&mut self, option: &str, value: impl Into<OsString>) {
        self.0.extend([option.into(), value.into()]);
    }

    fn drive(&mut self, options: &str, file: &Path) {
        self.pair("-drive", with_file(&format!("{options},file="), file));
    }

    /// AHCI on both boards: firmware reads an IDE disk a word at a time, which takes longer than the rest of the boot.
    fn disk(&mut self, board: Board, file: &Path) {
        self.drive("if=none,id=disk,format=raw", file);
        let bus = match board {
            Board::Pc => {
                self.pair("-device", "ich9-ahci,id=ahci");
                "ahci.0"
            }
            Board::Q35 => "ide.0",
        };
        self.pair("-device", format!("ide-hd,drive=disk,bus={bus}"));
    }

    fn stick(&mut self, file: &Path) {
        self.drive("if=none,id=disk,format=raw,readonly=on", file);
        self.add("-device qemu-xhci -device usb-storage,drive=disk,removable=on");
    }

    /// Not to boot from, and the user's: the machine may do with it what the user says.
    fn further_disk(&mut self, index: usize, file: &Path, access: Access, machine: &MachineArgs) {
        let mut options = format!("if=none,id=disk{index},format=raw");
        if access == Access::Read {
            options += ",readonly=on";
        }
        if let Some(commands) = machine.slow_disk {
            options +=
                &format!(",throttling.iops-read={commands},throttling.iops-write={commands}");
        }
        let bad_read = machine.bad_sector.map(Sectors::One);
        let bad_read = bad_read.map(|sectors| ("read", sectors));
        let bad_write = machine.bad_write_sector.filter(|_| access == Access::Write);
        let bad_write = bad_write.map(|sectors| ("write", sectors));
        let mut place = "file";
        let log = machine
            .write_log
            .as_deref()
            .filter(|_| access == Access::Write);
        if log.is_some() {
            // What survives the workstation's own end is not what the log is for.
            options +=
                ",file.driver=blklogwrites,file.file.cache.no-flush=on,file.log.cache.no-flush=on";
            place = "file.file.filename";
        }
        for (number, (kind, sectors)) in bad_read.into_iter().chain(bad_write).enumerate() {
            place = "file.image.filename";
            options += if number == 0 {
                ",file.driver=blkdebug"
            } else {
                ""
            };
            // From the beginning, and nothing of another kind.
            options += &format!(",file.inject-error.{number}.event=none");
            options += &format!(",file.inject-error.{number}.iotype={kind}");
            if let Sectors::One(sector) = sectors {
                options += &format!(",file.inject-error.{number}.sector={sector}");
            }
        }
        let mut value = with_file(&format!("{options},{place}="), file);
        value.extend(log.map(|log| with_file(",file.log.filename=", log)));
        self.pair("-drive", value);
        let device = match machine.disk_bus {
            // QEMU lets neighbours fail together, though each was sent alone.
            DiskBus::Virtio if place == "file.image.filename" => {
                format!("virtio-blk-pci,drive=disk{index},request-merging=off")
            }
            DiskBus::Virtio => format!("virtio-blk-pci,drive=disk{index}"),
            DiskBus::Nvme => format!("nvme,drive=disk{index},serial=disk{index}"),
        };
        self.pair("-device", device);
    }

    fn video(&mut self, video: Video) {
        match video {
            Video::Std => self.add("-vga std"),
            Video::Cirrus => self.add("-vga cirrus"),
            Video::Virtio => self.add("-vga virtio"),
            Video::Bochs => self.add("-vga none -device bochs-display"),
            Video::Ramfb => self.add("-vga none -device ramfb"),
            Video::None => self.add("-vga none"),
        }
    }

    fn firmware(&mut self, firmware: Option<&Ovmf>) {
        match firmware {
            None => {}
            Some(Ovmf::Whole(file)) => self.pair("-bios", file),
            Some(Ovmf::Split { code, variables }) => {
                self.drive("if=pflash,unit=0,format=raw,readonly=on", code);
                self.drive("if=pflash,unit=1,format=raw", variables);
            }
        }
    }

    fn wires(&mut self, wires: Numbers) {
        self.pipe("log", wires.log);
        self.pair("-chardev", "stdio,id=stdio,signal=off");
        self.pipe("code", wires.code);
        self.pair(
            "-chardev",
            format!("socket,id=control,fd={}", wires.control),
        );
        self.pair("-device", "isa-debugcon,iobase=0xe9,chardev=code");
        self.pair("-mon", "chardev=control,mode=control");
    }

    /// A serial port takes the kernel's word to the exit device as a byte to send, whatever the word's width.
    fn ending(&mut self, ending: Ending, wire: RawFd) {
        match ending {
            Ending::ByKernel => self.pair("-device", "isa-debug-exit,iobase=0xf4,iosize=4"),
            Ending::ByUs => {
                self.pipe("ending", wire);
                self.pair("-device", "isa-serial,iobase=0xf4,irq=3,chardev=ending");
            }
        }
    }

    /// QEMU takes no pipe by its number, but a file by its name.
    fn pipe(&mut self, id: &str, fd: RawFd) {
        self.pair("-chardev", format!("file,id={id},path=/dev/fd/{fd}"));
    }
}

#[cfg(test)]
mod tests;
