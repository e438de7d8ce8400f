//! Ends the machine as it is told: `reboot off`, `reboot restart` or `reboot halt`.
#![no_std]
#![forbid(unsafe_code)]

use rt::abi::general::{
    LINUX_REBOOT_CMD_HALT, LINUX_REBOOT_CMD_POWER_OFF, LINUX_REBOOT_CMD_RESTART,
};
use rt::{env, println, system};

fn main() {
    let command = match env::arg(1) {
        Some("off") => LINUX_REBOOT_CMD_POWER_OFF,
        Some("restart") => LINUX_REBOOT_CMD_RESTART,
        Some("halt") => LINUX_REBOOT_CMD_HALT,
        _ => panic!("reboot off|restart|halt"),
    };
    let answer = system::reboot(command);
    println!("reboot answered {answer:?}, and the machine goes on");
}
