//! `umount [-l] [-f] PLACES...`: takes away what is mounted there; `-l` also where somebody is still inside.
#![no_std]
#![forbid(unsafe_code)]

use rt::abi::general::{MNT_DETACH, MNT_FORCE};
use rt::{env, eprintln, mount};

fn main() -> u8 {
    let (mut flags, mut code) = (0, 0);
    for word in env::args().skip(1) {
        match word.to_bytes() {
            b"-l" => flags |= MNT_DETACH,
            b"-f" => flags |= MNT_FORCE,
            _ => {
                if let Err(errno) = mount::unmount(word, flags) {
                    eprintln!("umount: {}: {errno:?}", word.to_bytes().escape_ascii());
                    code = 1;
                }
            }
        }
    }
    code
}
