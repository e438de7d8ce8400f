//! Finds UEFI firmware for QEMU; each distribution keeps it elsewhere.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

/// Firmware with its variable store inside, loaded by `-bios`.
const WHOLE: &[&str] = &[
    "/usr/share/ovmf/OVMF.fd",
    "/usr/share/OVMF/OVMF.fd",
    "/usr/share/qemu/OVMF.fd",
    "/usr/share/edk2/x64/OVMF.4m.fd",
    "/usr/share/edk2-ovmf/x64/OVMF.fd",
];

/// Firmware split into code and variables, both flash chips.
const SPLIT: &[(&str, &str)] = &[
    (
        "/usr/share/OVMF/OVMF_CODE_4M.fd",
        "/usr/share/OVMF/OVMF_VARS_4M.fd",
    ),
    (
        "/usr/share/edk2/ovmf/OVMF_CODE.fd",
        "/usr/share/edk2/ovmf/OVMF_VARS.fd",
    ),
    (
        "/usr/share/edk2/x64/OVMF_CODE.4m.fd",
        "/usr/share/edk2/x64/OVMF_VARS.4m.fd",
    ),
    (
        "/usr/share/qemu/edk2-x86_64-code.fd",
        "/usr/share/qemu/edk2-i386-vars.fd",
    ),
];

/// How QEMU is given the firmware.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ovmf {
    Whole(PathBuf),
    /// The variables are written to, so each run needs a copy of them.
    Split {
        code: PathBuf,
        variables: PathBuf,
    },
}

/// The firmware that the environment variable OVMF names, or else the first one installed.
pub(crate) fn find() -> Result<Ovmf> {
    if let Some(path) = env::var_os("OVMF").map(PathBuf::from) {
        if !path.is_file() {
            bail!(
                "the variable OVMF names {}, which is no file",
                path.display()
            );
        }
        return Ok(Ovmf::Whole(path));
    }
    let whole = WHOLE
        .iter()
        .find(|path| Path::new(path).is_file())
        .map(|path| Ovmf::Whole(path.into()));
    let split = || {
        let chips = SPLIT
            .iter()
            .find(|(code, variables)| Path::new(code).is_file() && Path::new(variables).is_file());
        chips.map(|(code, variables)| Ovmf::Split {
            code: code.into(),
            variables: variables.into(),
        })
    };
    match whole.or_else(split) {
        Some(found) => Ok(found),
        None => bail!(
            "no UEFI firmware for QEMU is installed: install OVMF (Debian: apt-get install ovmf), or name it in OVMF"
        ),
    }
}
