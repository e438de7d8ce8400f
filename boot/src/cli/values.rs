//! What the words of the command line may be: kinds by name, amounts with their units.
//!
//! Each says in a sentence what it would have taken instead.

use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Board {
    /// The i440FX board, with an AHCI controller added.
    Pc,
    /// The Q35 board: PCI Express.
    Q35,
}

/// How a disk is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DiskBus {
    /// Virtual machines' own kind.
    Virtio,
    /// NVM Express, as in real machines.
    Nvme,
}

/// Sectors of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sectors {
    One(u64),
    All,
}

impl FromStr for Sectors {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            number => number
                .parse()
                .map(Self::One)
                .map_err(|_| "a sector's number is wanted, or all".to_owned()),
        }
    }
}

/// What a trace shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TraceKind {
    /// Page faults: address, path taken, entry before and after.
    Faults,
    /// System calls: name, arguments, what came back.
    Syscalls,
    /// Who runs, who comes next and why, who wakes whom.
    Sched,
}

impl TraceKind {
    /// The kernel's word for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Faults => "faults",
            Self::Syscalls => "syscalls",
            Self::Sched => "sched",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Video {
    /// QEMU's own card, with VGA's text modes.
    Std,
    /// The Cirrus Logic GD5446 of 1996.
    Cirrus,
    /// A card for virtual machines, which starts as VGA.
    Virtio,
    /// QEMU's own card without VGA (UEFI only).
    Bochs,
    /// A framebuffer in main memory, set up by the firmware (UEFI only).
    Ramfb,
    /// No screen (UEFI only).
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Device {
    /// The serial ports: the program's output then is on the screen alone.
    Serial,
    /// The PS/2 controller.
    Keyboard,
    /// The old timer chip.
    Pit,
}

/// An amount of memory in MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory(pub u64);

impl FromStr for Memory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const SMALLEST: u64 = 24;
        const LARGEST: u64 = 1 << 20;
        let (digits, unit) = match text.strip_suffix(['G', 'g']) {
            Some(digits) => (digits, 1024),
            None => (text.strip_suffix(['M', 'm']).unwrap_or(text), 1),
        };
        let mebibytes = digits.parse::<u64>().ok().and_then(|n| n.checked_mul(unit));
        match mebibytes {
            Some(n) if (SMALLEST..=LARGEST).contains(&n) => Ok(Self(n)),
            Some(_) => Err(format!(
                "it must lie between {SMALLEST}M and {}G",
                LARGEST / 1024
            )),
            None => Err("write a number of MiB, or one with a unit, such as 64M or 1G".to_owned()),
        }
    }
}

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(n) if n > 0 => Ok(Duration::from_secs(n)),
        _ => Err("write a whole number of seconds above 0".to_owned()),
    }
}

/// A word of the kernel's command line. Which words there are is the kernel's to say; here it only must be one.
pub(super) fn kernel_option(text: &str) -> Result<String, String> {
    if text.is_empty() || text == "--" || text.contains(char::is_whitespace) {
        return Err("write one word, such as loglevel=debug".to_owned());
    }
    Ok(text.to_owned())
}
