//! The end of a real machine: without QEMU's exit device the kernel has to find ACPI's registers by itself.

use anyhow::{Result, ensure};
use libtest_mimic::Trial;

use crate::run::Input;
use crate::tool::Run;

/// Each firmware writes its own tables for each board.
const MACHINES: [(&str, &[&str]); 4] = [
    ("pc_bios", &[]),
    ("pc_uefi", &["--uefi"]),
    ("q35_bios", &["--machine", "q35"]),
    ("q35_uefi", &["--machine", "q35", "--uefi"]),
];

/// What `boot` answers when QEMU says `guest-shutdown`, and when it says `guest-reset`.
const OFF: i32 = 0;
const RESET: i32 = 251;

pub(crate) fn trials() -> impl Iterator<Item = Trial> {
    MACHINES.into_iter().flat_map(|(name, machine)| {
        [
            trial(
                format!("{name}_is_off_when_init_ends"),
                machine,
                &["exit_code", "3"],
                OFF,
            ),
            trial(
                format!("{name}_restarts"),
                machine,
                &["reboot", "restart"],
                RESET,
            ),
        ]
    })
}

fn trial(name: String, machine: &'static [&str], program: &'static [&str], code: i32) -> Trial {
    Trial::test(format!("end::{name}"), move || {
        end(machine, program, code).map_err(|error| format!("{error:#}").into())
    })
}

fn end(machine: &[&str], program: &[&str], code: i32) -> Result<()> {
    const HALT: [&str; 2] = ["--option", "exit=halt"];
    let words = machine.iter().chain(&HALT).chain(program);
    let booted = Run::boot(words)?.end(Input::Nothing)?;
    booted.expect_code(code)?;
    let gave_up = booted.log.contains("can be switched off");
    ensure!(!gave_up, "the machine went on\n{}", booted.report());
    // An exception resets too, with the same code. ACPI of the older board has no register for it, that of q35 has.
    let last_way = if machine.contains(&"q35") {
        "restarting by "
    } else {
        "restarting by an exception"
    };
    ensure!(
        !booted.log.contains(last_way),
        "it did not end as it should\n{}",
        booted.report()
    );
    Ok(())
}
